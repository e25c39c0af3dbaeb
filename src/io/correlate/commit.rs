//! The two steps of a commit: incidents and offsets to the brokers, then the states to the store.

use anyhow::Result;

use super::Stage;
use super::folding::Folding;
use crate::io::client::lock;
use crate::io::clock;
use crate::io::group::{Committed, Group};
use crate::io::sink::{Outcome, Progress};
use crate::io::topics::Names;

impl Stage {
    /// Writes and commits; false: everything since the last commit is to be done again.
    pub(super) fn write(&mut self, group: &Group) -> Result<bool> {
        // Of what was committed before a lot is folded at once.
        self.fold(|folding| folding.is_live() || folding.is_read())?;
        let progress = self.progress();
        let mut messages = Vec::new();
        for folding in self.folding.values_mut() {
            messages.append(&mut folding.outbox);
        }
        self.outbox_bytes = 0;
        if self.folding.values().any(Folding::is_live) {
            let outcome = self.sink.commit(group, &messages, &progress)?;
            if let Outcome::Undone(undone) = outcome {
                undone.log("messages folded since the last commit are folded again");
                lock(&self.status.correlating).recoveries += 1;
                return Ok(false);
            }
        }
        for Progress {
            partition: (_, number),
            offset,
            metadata,
        } in progress
        {
            if let Some(folding) = self.folding.get_mut(&number) {
                folding.committed = Committed { offset, metadata };
            }
        }
        self.keep()?;
        self.moved = false;
        lock(&self.status.correlating).commits += 1;
        self.report();
        // From its end on: where commits take longer than that, there is still time to read.
        self.last_commit = clock::instant();
        Ok(true)
    }

    /// How far every partition has come. One that still folds what was committed before stays
    /// where the group has it.
    fn progress(&self) -> Vec<Progress> {
        let matches = Names::of(&self.config.app).matches;
        let progress = self.folding.iter().map(|(number, folding)| {
            let Folding {
                state, committed, ..
            } = folding;
            let (offset, metadata) = match folding.is_live() {
                true => (state.applied(), folding.note.to_string()),
                false => (committed.offset, committed.metadata.clone()),
            };
            Progress {
                partition: (matches.to_string(), *number),
                offset,
                metadata,
            }
        });
        progress.collect()
    }

    /// Writes the states of live partitions to the store. None of them is beyond what is
    /// committed.
    fn keep(&mut self) -> Result<()> {
        let bytes_max = self.live_bytes();
        let mut changes = Vec::with_capacity(self.folding.len());
        for (number, folding) in self.folding.iter_mut().filter(|(_, f)| f.is_live()) {
            changes.push((u32::try_from(*number)?, folding.state.changes()));
        }
        self.store.write(&changes)?;
        for folding in self.folding.values_mut().filter(|f| f.is_live()) {
            folding.state.shrink(bytes_max);
        }
        Ok(())
    }
}
