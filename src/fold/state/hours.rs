//! From which offset the log says all that happened since an hour of event time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::canary::{self, Canary};
use crate::time::Second;

/// An hour, in seconds.
const HOUR: Second = 3_600;

/// For each hour of event time that was reached, an offset from which the log says all that is
/// known of that hour and what came after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// The first offset of all.
    first: i64,
    offsets: BTreeMap<Second, i64>,
}

impl Hours {
    /// No hour was reached yet; the log begins at `first`.
    pub fn new(first: i64) -> Hours {
        Hours {
            first,
            offsets: BTreeMap::new(),
        }
    }

    /// A second lies in an hour that was not reached yet.
    pub fn is_beyond(&self, second: Second) -> bool {
        let hour = second.div_euclid(HOUR);
        let last = self.offsets.last_key_value().map(|(last, _)| *last);
        last.is_none_or(|last| last < hour)
    }

    /// Event time has come to `second`, which is beyond all others, with a message, before which
    /// nothing after `offset` is needed.
    pub fn reach(&mut self, second: Second, offset: i64) {
        self.offsets.insert(second.div_euclid(HOUR), offset);
    }

    /// The offset for what is needed from `second` on; `None`: all.
    pub fn offset(&self, second: Option<Second>) -> i64 {
        let Some(second) = second else {
            return self.oldest();
        };
        let hour = second.div_euclid(HOUR) + canary::slip(Canary::RecoveryHourLate);
        let kept = self.offsets.range(hour..).next();
        kept.map_or_else(|| self.oldest(), |(_, offset)| *offset)
    }

    fn oldest(&self) -> i64 {
        self.offsets
            .first_key_value()
            .map_or(self.first, |(_, offset)| *offset)
    }

    /// Forgets hours that are not needed for `second`.
    pub fn forget_before(&mut self, second: Second) {
        let hour = second.div_euclid(HOUR);
        self.offsets = self.offsets.split_off(&hour);
    }
}
