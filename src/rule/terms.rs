//! What an exception says beside its filter.

use super::{Exception, Filter};
use crate::time::Millis;

/// What an exception says beside its filter.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub(super) from: Option<Millis>,
    pub(super) until: Option<Millis>,
    pub(super) owner: String,
    pub(super) ticket: String,
    pub(super) reason: String,
}

impl Terms {
    /// The exception of a filter that it is said of.
    pub(super) fn with(self, filter: Filter) -> Exception {
        Exception {
            filter,
            from: self.from,
            until: self.until,
            owner: self.owner,
            ticket: self.ticket,
            reason: self.reason,
        }
    }
}
