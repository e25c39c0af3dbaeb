//! What the operator is told of the second stage.

use std::time::{Duration, Instant};

use super::{Folding, Stage};
use crate::fold::state::Counts;
use crate::io::client::lock;
use crate::io::clock;
use crate::io::status::{Correlating, add_fold};

/// Between two lines in the log about messages that were refused.
const REFUSED_INTERVAL: Duration = Duration::from_secs(30);

/// Between two lines in the log.
const INTERVAL: Duration = Duration::from_secs(5);

/// Messages that were refused, and when that was last said.
#[derive(Debug, Default)]
pub struct Refused {
    /// Since it was last said.
    count: u64,
    said: Option<Instant>,
}

impl Stage {
    /// Says, now and then, that messages were refused; names one.
    pub(super) fn name_refused(&mut self) {
        for (number, folding) in &mut self.folding {
            let counted = folding.state.counts.refused - folding.counted_refused;
            folding.counted_refused += counted;
            self.refused.count += counted;
            let Some((offset, why)) = folding.refused.take() else {
                continue;
            };
            let is_due = self
                .refused
                .said
                .is_none_or(|said| said.elapsed() >= REFUSED_INTERVAL);
            if is_due {
                tracing::warn!(
                    partition = *number,
                    offset,
                    reason = why.to_string(),
                    refused = self.refused.count,
                    "a message of the matches topic is none of a worker's, and passed over"
                );
                self.refused = Refused {
                    count: 0,
                    said: Some(clock::instant()),
                };
            }
        }
    }

    /// Tells the status how far everything has come.
    pub(super) fn report(&mut self) {
        self.look_at_others();
        for folding in self.folding.values_mut() {
            let now = folding.state.counts;
            add_fold(&mut self.total, difference(now, folding.counted));
            folding.counted = now;
        }
        let recovering = self.folding.values().filter(|folding| !folding.is_live());
        let left = recovering.clone().map(Folding::left).sum();
        let recovering = recovering.count();
        Recovery::report(&mut self.recovery, recovering, left);
        let mut correlating = lock(&self.status.correlating);
        let least = self
            .folding
            .values()
            .min_by_key(|folding| folding.state.watermark());
        *correlating = Correlating {
            partitions: self.folding.len(),
            counts: self.total,
            commits: correlating.commits,
            recoveries: correlating.recoveries,
            recovering,
            lag: correlating.lag,
            watermark: least.and_then(|folding| folding.state.watermark()),
            held_back_by: least
                .and_then(|folding| folding.state.held_back_by())
                .map(|(topic, partition, time)| (topic.to_owned(), partition, time)),
        };
        drop(correlating);
        self.report_lag();
    }
}

/// The work from when a partition began to fold what was committed before until none does.
pub struct Recovery {
    began: Instant,
    said: Instant,
    /// Offsets to be folded, in all.
    total: i64,
}

impl Recovery {
    /// Begins, or goes on with `more` offsets to be folded.
    pub fn add(recovery: &mut Option<Recovery>, more: i64) {
        if more > 0 {
            let now = clock::instant();
            let recovery = recovery.get_or_insert(Recovery {
                began: now,
                said: now,
                total: 0,
            });
            recovery.total += more;
        }
    }

    /// So many of the offsets are not to be folded after all, or begun again.
    pub fn remove(recovery: &mut Option<Recovery>, less: i64) {
        if let Some(recovery) = recovery {
            recovery.total -= less;
        }
    }

    /// Says, now and then, how far it has come; at the end that it is one. `partitions` have `left`
    /// offsets to be folded.
    pub fn report(recovery: &mut Option<Recovery>, partitions: usize, left: i64) {
        let Some(Recovery { began, said, total }) = recovery else {
            return;
        };
        let seconds = began.elapsed().as_secs_f64();
        if partitions == 0 {
            tracing::info!(
                offsets = *total,
                seconds = (10.0 * seconds).round() / 10.0,
                "everything committed before is folded again; live"
            );
            *recovery = None;
        } else if said.elapsed() >= INTERVAL {
            *said = clock::instant();
            let done = (*total - left).max(1) as f64;
            tracing::info!(
                recovering = partitions,
                percent = (100.0 * done / *total as f64) as u64,
                seconds_left = (seconds / done * left as f64) as u64,
                "folding again what was committed before"
            );
        }
    }
}

fn difference(now: Counts, before: Counts) -> Counts {
    Counts {
        messages: now.messages - before.messages,
        matches: now.matches - before.matches,
        repeated: now.repeated - before.repeated,
        late: now.late - before.late,
        capped: now.capped - before.capped,
        future: now.future - before.future,
        published: now.published - before.published,
        evidence_full: now.evidence_full - before.evidence_full,
        truncated: now.truncated - before.truncated,
        refused: now.refused - before.refused,
    }
}
