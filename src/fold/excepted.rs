//! Incidents that exceptions cover: how many there were of each rule.
//!
//! They are not said, so that the state knows nothing of them. Each is counted once as far as is
//! remembered here: since the partition was opened, and no more of them than have room.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::record::Hash;

/// Incidents that are remembered.
const REMEMBERED_MAX: usize = 10_000;

/// What was counted.
#[derive(Debug, Default)]
pub struct Excepted {
    /// By the rule's id, since it was last asked for.
    counts: BTreeMap<Arc<str>, u64>,
    known: BTreeSet<Hash>,
    /// The same, the earliest first.
    order: VecDeque<Hash>,
}

impl Excepted {
    /// Exceptions of a rule cover these incidents.
    pub fn note(&mut self, rule: &Arc<str>, incidents: &[Hash]) {
        for incident in incidents {
            if !self.known.insert(*incident) {
                continue;
            }
            self.order.push_back(*incident);
            if self.order.len() > REMEMBERED_MAX
                && let Some(first) = self.order.pop_front()
            {
                self.known.remove(&first);
            }
            *self.counts.entry(Arc::clone(rule)).or_default() += 1;
        }
    }

    /// How many there were since it was last asked for, by the rule's id.
    pub fn take(&mut self) -> BTreeMap<Arc<str>, u64> {
        std::mem::take(&mut self.counts)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Excepted, REMEMBERED_MAX};
    use crate::record::Hash;

    #[test]
    fn each_is_counted_once() {
        let rule: Arc<str> = "R".into();
        let ids: Vec<Hash> = (0..=REMEMBERED_MAX)
            .map(|n| Hash::of(&n.to_be_bytes()))
            .collect();
        let mut excepted = Excepted::default();
        excepted.note(&rule, &ids[..2]);
        excepted.note(&rule, &ids[1..3]);
        assert_eq!(excepted.take().get("R"), Some(&3));
        assert!(excepted.take().is_empty());
        excepted.note(&rule, &ids);
        assert_eq!(excepted.take().get("R"), Some(&(ids.len() as u64 - 3)));
        assert_eq!(excepted.known.len(), REMEMBERED_MAX);
        assert_eq!(excepted.order.len(), REMEMBERED_MAX);
    }
}
