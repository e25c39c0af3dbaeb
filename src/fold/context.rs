//! What a key is evaluated with, and when.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fold::condition::Sight;
use crate::fold::key::derived::Derived;
use crate::fold::key::stored::Stored;
use crate::plan::LoadedRule;
use crate::record::Hash;
use crate::time::Second;

/// What a key is evaluated with, beside the message.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Its rule as the latest plan has it.
    pub rule: &'a Arc<LoadedRule>,
    /// The rule's `since`.
    pub since: Second,
    /// Every text of the rule that was in use since it came into force.
    pub versions: &'a BTreeMap<Hash, Arc<LoadedRule>>,
    /// Names of the source topics.
    pub topics: &'a [Arc<str>],
}

/// Where a message stands in the log and in time.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Offset of the message.
    pub offset: i64,
    /// The watermark before it.
    pub before: Option<Second>,
    /// The watermark after it.
    pub after: Option<Second>,
    /// What it says was said before, and is not asked for.
    pub silent: bool,
}

impl<'a> Context<'a> {
    /// A key with what it is evaluated with.
    pub fn sight<'s>(
        &self,
        stored: &'s Stored,
        derived: &'s Derived,
        watermark: Option<Second>,
    ) -> Sight<'s>
    where
        'a: 's,
    {
        Sight {
            stored,
            derived,
            loaded: self.rule,
            watermark,
        }
    }
}
