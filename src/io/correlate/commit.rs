//! The two steps of a commit: incidents and offsets to the brokers, then the states to the store.

use std::sync::Arc;

use anyhow::Result;

use super::Stage;
use super::folding::Folding;
use crate::fold::partition::{CommitPoint, Limit};
use crate::io::client::lock;
use crate::io::clock;
use crate::io::group::Group;
use crate::io::sink::{Message, Outcome, Progress};
use crate::io::topics::Names;

impl Stage {
    /// Writes and commits; false: everything since the last commit is to be done again. What is
    /// too much for one commit is left to the next.
    pub(super) fn write(&mut self, group: &Group) -> Result<bool> {
        // Of what was committed before a lot is folded at once.
        self.fold(|folding| folding.partition.is_live() || folding.partition.is_read())?;
        let (points, messages) = self.commit_points();
        if self.folding.values().any(|f| f.partition.is_live()) {
            let matches = Names::of(&self.config.app).matches;
            let progress = points.iter().map(|(number, point)| Progress {
                partition: (matches.to_string(), *number),
                offset: point.place.offset,
                metadata: point.metadata.clone(),
            });
            let progress: Vec<Progress> = progress.collect();
            let outcome = self.sink.commit(group, &messages, &progress)?;
            if let Outcome::Undone(undone) = outcome {
                undone.log("messages folded since the last commit are folded again");
                lock(&self.status.correlating).recoveries += 1;
                return Ok(false);
            }
        }
        for (number, point) in points {
            if let Some(folding) = self.folding.get_mut(&number) {
                folding.partition.committed(point.place, point.metadata);
            }
        }
        self.keep()?;
        self.count_outbox();
        self.moved = self.outbox_bytes > 0 || self.unfinished;
        lock(&self.status.correlating).commits += 1;
        self.report();
        // From its end on: where commits take longer than that, there is still time to read.
        self.last_commit = clock::instant();
        Ok(true)
    }

    /// How far every partition is to be committed, and what is written with that. Those with
    /// little to say say it all, the others share what is left.
    fn commit_points(&mut self) -> (Vec<(i32, CommitPoint)>, Vec<Message>) {
        let mut left = self.commit_limit();
        let mut foldings: Vec<(i32, &mut Folding)> =
            self.folding.iter_mut().map(|(n, f)| (*n, f)).collect();
        foldings.sort_by_key(|(_, folding)| folding.partition.outbox_bytes());
        let (mut points, mut messages) = (Vec::new(), Vec::new());
        let mut sharing = foldings.len();
        for (number, folding) in foldings {
            let share = Limit {
                bytes: left.bytes / sharing,
                publications: left.publications / sharing,
            };
            sharing -= 1;
            let before = folding.partition.outbox_bytes();
            let mut point = folding.partition.commit_point(share);
            let taken = before - folding.partition.outbox_bytes();
            left.bytes = left.bytes.saturating_sub(taken);
            left.publications = left.publications.saturating_sub(point.publications.len());
            let publications = std::mem::take(&mut point.publications);
            messages.extend(publications.into_iter().map(|mut incident| {
                incident.fit(self.config.message_bytes_max);
                Message {
                    topic: Arc::clone(&self.incidents),
                    key: Some(incident.incident_id.to_string()),
                    payload: self.encoding.encode(&incident),
                    ..Message::default()
                }
            }));
            points.push((number, point));
        }
        (points, messages)
    }

    /// Writes the states of live partitions to the store. None of them is beyond what is
    /// committed.
    fn keep(&mut self) -> Result<()> {
        let budget = self.budget();
        let mut changes = Vec::with_capacity(self.folding.len());
        let mut kept = Vec::with_capacity(self.folding.len());
        for (number, folding) in &mut self.folding {
            folding.commits_first = false;
            if folding.partition.is_live() {
                changes.push((u32::try_from(*number)?, folding.partition.keep()));
                kept.push(&mut folding.partition);
            }
        }
        self.store.write(&changes)?;
        for partition in kept {
            partition.kept(&budget);
        }
        Ok(())
    }
}
