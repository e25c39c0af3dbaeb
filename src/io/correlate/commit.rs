//! Commits, as the loop sees them: one begins, the loop goes on, and learns what became of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::folding::Folding;
use super::writer::Batch;
use super::{CorrelateStage, note_of};
use crate::fold::partition::{CommitPoint, Keep, Limit};
use crate::incident::{Incident, Status};
use crate::io::kafka::client::lock;
use crate::io::kafka::group::{Group, Membership};
use crate::io::kafka::sink::Progress;
use crate::io::kafka::topics::Names;
use crate::io::status::{Correlating, Said};
use crate::io::{clock, latest};
use crate::time::Millis;

/// The states are kept so often: what was folded since is folded again after a crash.
const KEEP_INTERVAL: Duration = Duration::from_secs(5);

/// One in so many of the states is kept with one commit.
const KEEP_SHARE: usize = 8;

impl CorrelateStage {
    /// Those whose states are kept with the next commit: the ones that were kept longest ago, a few
    /// at once, so that commits take equally long.
    pub(super) fn due_to_be_kept(&self) -> BTreeSet<i32> {
        let due = self.folding.iter();
        let due = due.filter(|(_, folding)| folding.kept.elapsed() >= KEEP_INTERVAL);
        let mut due: Vec<(Instant, i32)> = due.map(|(n, folding)| (folding.kept, *n)).collect();
        due.sort_unstable();
        let most = self.folding.len().div_ceil(KEEP_SHARE);
        due.into_iter()
            .take(most)
            .map(|(_, number)| number)
            .collect()
    }

    /// Begins to commit what there is, as much as fits; the rest is left to the next commit. The
    /// states of these partitions are kept with that.
    pub(super) fn begin_keeping(
        &mut self,
        group: &Arc<Group>,
        keeping: BTreeSet<i32>,
    ) -> Result<()> {
        // Of what was committed before a lot is folded at once.
        self.fold(|folding| folding.partition.is_live() || folding.partition.is_read())?;
        self.commits.put_off();
        for folding in self.folding.values_mut() {
            folding.commits_first = false;
        }
        if self.folding.values().any(|f| f.partition.is_live()) {
            let mut batch = self.batch(group, &keeping)?;
            let publications = batch.publications.iter();
            self.testing = said(publications.filter(|incident| incident.test));
            let publishes_tests = self.config.incidents.test;
            let is_published = |incident: &Incident| publishes_tests || !incident.test;
            batch.publications.retain(is_published);
            self.saying = Saying::of(&batch.publications);
            self.commits.begin(batch)?;
        } else {
            self.report();
        }
        self.count_outbox();
        self.commits.moved = self.outbox_bytes > 0 || self.unfinished;
        Ok(())
    }

    /// What is committed next. Those with little to say say it all, the others share what is left.
    fn batch(&mut self, group: &Arc<Group>, keeping: &BTreeSet<i32>) -> Result<Batch> {
        let matches = Names::of(&self.config.app).matches;
        let mut batch = Batch {
            membership: Membership::of(group),
            publications: Vec::new(),
            progress: Vec::with_capacity(self.folding.len()),
            changes: Vec::with_capacity(self.folding.len()),
        };
        let mut left = self.commit_limit();
        let foldings = self.folding.iter_mut();
        let mut foldings: Vec<(i32, &mut Folding)> = foldings.map(|(n, f)| (*n, f)).collect();
        foldings.sort_by_key(|(_, folding)| folding.partition.outbox_bytes());
        let mut sharing = foldings.len();
        for (number, folding) in foldings {
            let share = Limit {
                bytes: left.bytes / sharing,
                publications: left.publications / sharing,
            };
            sharing -= 1;
            let keep = match keeping.contains(&number) {
                true => Keep::Now,
                false => Keep::IfItMust,
            };
            let before = folding.partition.outbox_bytes();
            let CommitPoint {
                mut publications,
                place,
                metadata,
                changes,
            } = folding.partition.commit_point(share, keep);
            let taken = before - folding.partition.outbox_bytes();
            left.bytes = left.bytes.saturating_sub(taken);
            left.publications = left.publications.saturating_sub(publications.len());
            batch.publications.append(&mut publications);
            batch.progress.push(Progress {
                partition: (matches.to_string(), number),
                offset: place.offset,
                metadata: metadata.clone(),
            });
            batch.changes.push((u32::try_from(number)?, changes));
            if keep == Keep::Now {
                folding.kept = self.commits.begun;
            }
            folding.on_its_way = Some((place, metadata));
        }
        Ok(batch)
    }

    /// The commit that was on its way has come about.
    pub(super) fn take_committed(&mut self) {
        let budget = self.budget();
        for folding in self.folding.values_mut() {
            folding.commits_first = false;
            if let Some((place, metadata)) = folding.on_its_way.take() {
                folding.partition.committed(place, metadata);
                folding.partition.kept(&budget);
            }
        }
        self.note();
        {
            let mut correlating = lock(&self.status.correlating);
            correlating.commits += 1;
            let took = self.commits.begun.elapsed().as_secs_f64();
            correlating.committing.add(took);
            std::mem::take(&mut self.saying).said(&mut correlating, clock::now());
            for (of, count) in std::mem::take(&mut self.testing) {
                *correlating.tested.entry(of).or_default() += count;
            }
        }
        self.report();
    }

    /// Has it noted how far partitions are folded, where that is due.
    fn note(&mut self) {
        let noting = &mut self.noting;
        let matches = Names::of(&self.config.app).matches;
        let foldings = self.folding.iter();
        let due = foldings.filter(|(n, _)| noting.is_due(&(matches.to_string(), **n), 0, true));
        let notes = due.map(|(number, folding)| note_of(&matches, *number, folding));
        let notes = notes.collect();
        self.noting.note(notes);
    }
}

/// How many publications there are, by rule and status.
fn said<'i>(publications: impl Iterator<Item = &'i Incident>) -> Said {
    let mut said = Said::new();
    for incident in publications {
        let of = (Arc::clone(&incident.rule_id), incident.status.name());
        *said.entry(of).or_default() += 1;
    }
    said
}

/// What a commit says, for who looks on.
#[derive(Default)]
pub struct Saying {
    counts: Said,
    /// The last events of those incidents of which it says that they are there.
    opened: Vec<Millis>,
    latest: Vec<Incident>,
}

impl Saying {
    fn of(publications: &[Incident]) -> Saying {
        let opened = publications.iter();
        let opened = opened.filter(|incident| incident.status == Status::Open);
        Saying {
            counts: said(publications.iter()),
            opened: opened.map(|incident| incident.last_seen).collect(),
            latest: latest::last_of(publications),
        }
    }

    /// It was said at this time.
    fn said(self, correlating: &mut Correlating, now: Millis) {
        for (of, count) in self.counts {
            correlating.said_at.insert(Arc::clone(&of.0), now);
            *correlating.said.entry(of).or_default() += count;
        }
        for last_seen in self.opened {
            let seconds = (now - last_seen) as f64 / 1000.0;
            correlating.latency.add(seconds);
        }
        correlating.latest.add(self.latest, now);
    }
}
