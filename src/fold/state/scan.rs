//! What is looked for among the rows of the store: timers, and the rows of a rule.

use std::collections::BTreeSet;

use super::rows::Read;
use crate::fold::key::KeyId;

/// Keys that timers in the store name and that are not in memory: the least of them.
#[derive(Debug, Default)]
pub struct Scan {
    /// Only those after this one.
    beyond: Option<KeyId>,
    /// So many at most.
    most: usize,
    /// Their names.
    pub ids: BTreeSet<KeyId>,
    /// There are more.
    pub more: bool,
    /// Rows that were read.
    pub rows: usize,
}

impl Scan {
    /// For keys after `beyond`, so many at most.
    pub fn new(beyond: Option<KeyId>, most: usize) -> Scan {
        Scan {
            beyond,
            most,
            ..Scan::default()
        }
    }

    /// A timer names this key.
    pub fn add(&mut self, id: KeyId) {
        if Some(id) > self.beyond {
            self.ids.insert(id);
        }
        if self.ids.len() > self.most {
            self.ids.pop_last();
            self.more = true;
        }
    }
}

/// What was read of the rows of a rule's keys.
#[derive(Debug, Default)]
pub struct Listed {
    /// So many came.
    pub rows: usize,
    /// So many were asked for.
    pub most: usize,
    /// The last one.
    pub last: Vec<u8>,
}

/// What a message that moves the watermark makes due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Few keys: they can be loaded at once.
    Few,
    /// Many.
    Many,
    /// These rows say it.
    Asks(Read),
}
