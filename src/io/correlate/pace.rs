//! Which partitions fold what was committed before, while there is much of it.
//!
//! A fold is fast while the keys that it needs are in memory. So as many partitions as there are
//! processors have the memory to themselves, and the others wait for their turn.

use std::collections::BTreeSet;

use anyhow::Result;

use super::{CorrelateStage, Folding};
use crate::fold::partition::{Budget, Limit};
use crate::fold::slices::SliceLimit;
use crate::io::kafka::group::{Group, Partition};
use crate::io::kafka::topics::Names;

/// Offsets that are folded again at once, however many partitions do so.
const LITTLE: i64 = 1_000;

/// More than this of a partition is not read while it has not folded what was.
const INBOX_BYTES_MAX: usize = 1 << 20;

/// So many incidents are written in one transaction, at most: it must end before it is aborted.
const INCIDENTS_MAX: usize = 10_000;

/// So many keys are worked off at once of a message that makes much to be done.
const SLICE_KEYS: usize = 1_024;

/// So many are known in advance; each takes 32 bytes, and what a tree needs.
const DUE_MAX: usize = 262_144;

/// What keys take in memory for a byte of the log that they are made of, about.
pub const MEMORY_FACTOR: usize = 12;

impl CorrelateStage {
    /// Has partitions with much to fold again wait for their turn, least first; and those that have
    /// not folded yet what was read of them.
    pub(super) fn pace(&mut self, group: &Group) -> Result<()> {
        let left = self
            .folding
            .iter()
            .map(|(number, f)| (f.partition.left(), *number));
        let mut much: Vec<(i64, i32)> = left.filter(|(left, _)| *left > LITTLE).collect();
        much.sort_unstable();
        let much = much.into_iter().skip(self.pool.threads());
        let mut waiting: BTreeSet<i32> = much.map(|(_, number)| number).collect();
        if self.unfinished {
            let full = |folding: &Folding| folding.partition.inbox_bytes() > INBOX_BYTES_MAX;
            let full = self.folding.iter().filter(|(_, f)| full(f));
            waiting.extend(full.map(|(number, _)| *number));
        }
        if waiting != self.waiting {
            group.pause(&self.partitions(waiting.difference(&self.waiting)))?;
            let here = |number: &&i32| self.folding.contains_key(number);
            let next = self.waiting.difference(&waiting).filter(here);
            group.resume(&self.partitions(next))?;
            self.waiting = waiting;
        }
        Ok(())
    }

    /// What one commit may write.
    pub(super) fn commit_limit(&self) -> Limit {
        Limit {
            bytes: self.commits.rhythm.batch_bytes,
            publications: INCIDENTS_MAX,
        }
    }

    /// What one partition may take, until the next turn.
    pub(super) fn budget(&self) -> Budget {
        let (live_bytes, recovering_bytes) = (self.live_bytes(), self.recovering_bytes());
        let Limit {
            bytes,
            publications,
        } = self.commit_limit();
        let busy = self.folding.values().filter(|f| f.partition.is_busy());
        let busy = busy.count().max(1);
        Budget {
            live_bytes,
            recovering_bytes,
            slice: SliceLimit {
                keys: SLICE_KEYS,
                bytes: live_bytes.min(recovering_bytes) / 4,
                due: DUE_MAX,
            },
            together_due: SLICE_KEYS,
            outbox: Limit {
                bytes: bytes / busy,
                publications: publications / busy,
            },
        }
    }

    /// What the keys of a live partition may take in memory: as much while others are folded
    /// again, so that what is read for them need not make room for those.
    fn live_bytes(&self) -> usize {
        self.config.keys_bytes / self.folding.len().max(1)
    }

    /// What those of a partition may take that folds what was committed before.
    fn recovering_bytes(&self) -> usize {
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
