//! Which partitions fold what was committed before, while there is much of it.
//!
//! A fold is fast while the keys that it needs are in memory. So as many partitions as there are
//! processors have the memory to themselves, and the others wait for their turn.

use std::collections::BTreeSet;
use std::num::NonZero;

use anyhow::Result;

use super::Stage;
use crate::io::group::{Group, Partition};
use crate::io::topics::Names;

/// Offsets that are folded again at once, however many partitions do so.
const LITTLE: i64 = 1_000;

/// How many folds can run at the same time.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

impl Stage {
    /// Has partitions with much to fold again wait for their turn; least first.
    pub(super) fn pace(&mut self, group: &Group) -> Result<()> {
        let left = self
            .folding
            .iter()
            .map(|(number, f)| (f.partition.left(), *number));
        let mut much: Vec<(i64, i32)> = left.filter(|(left, _)| *left > LITTLE).collect();
        much.sort_unstable();
        let waiting: BTreeSet<i32> = much
            .into_iter()
            .skip(processors())
            .map(|(_, number)| number)
            .collect();
        if waiting != self.waiting {
            group.pause(&self.partitions(waiting.difference(&self.waiting)))?;
            let here = |number: &&i32| self.folding.contains_key(number);
            let next = self.waiting.difference(&waiting).filter(here);
            group.resume(&self.partitions(next))?;
            self.waiting = waiting;
        }
        Ok(())
    }

    /// What the keys of a live partition may take in memory.
    pub(super) fn live_bytes(&self) -> usize {
        let live = self
            .folding
            .values()
            .filter(|f| f.partition.is_live())
            .count();
        self.config.keys_bytes / live.max(1)
    }

    /// What those of a partition may take that folds what was committed before.
    pub(super) fn recovering_bytes(&self) -> usize {
        let recovering = self
            .folding
            .values()
            .filter(|f| !f.partition.is_live())
            .count();
        let reading = recovering.saturating_sub(self.waiting.len());
        self.config.recovery_bytes / reading.max(1)
    }

    fn partitions<'n>(&self, numbers: impl Iterator<Item = &'n i32>) -> Vec<Partition> {
        let matches = Names::of(&self.config.app).matches;
        numbers
            .map(|number| (matches.to_string(), *number))
            .collect()
    }
}
