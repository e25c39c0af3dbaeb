//! What the operator is told of the second stage.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::CorrelateStage;
use crate::fold::partition::Partition;
use crate::io::kafka::client::lock;
use crate::io::status::add_fold;
use crate::io::{clock, memory};

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

impl CorrelateStage {
    /// Says, now and then, that messages were refused; names one.
    pub(super) fn name_refused(&mut self) {
        for (number, folding) in &mut self.folding {
            let refusals = folding.partition.refusals();
            self.refused.count += refusals.count;
            let Some((offset, why)) = refusals.first else {
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

    /// Tells the status how long rules took.
    fn report_times(&mut self) {
        let foldings = self.folding.values_mut();
        let times = foldings.flat_map(|folding| folding.partition.times());
        let mut correlating = lock(&self.status.correlating);
        for (fingerprint, nanos) in times {
            *correlating.times.entry(fingerprint).or_default() += nanos;
        }
    }

    /// Tells the status how far everything has come.
    pub(super) fn report(&mut self) {
        self.look_at_others();
        let mut excepted: BTreeMap<Arc<str>, u64> = BTreeMap::new();
        for folding in self.folding.values_mut() {
            add_fold(&mut self.total, folding.partition.counted());
            for (rule, count) in folding.partition.excepted() {
                *excepted.entry(rule).or_default() += count;
            }
        }
        self.report_times();
        let partitions = self.folding.values().map(|folding| &folding.partition);
        let recovering = partitions.clone().filter(|partition| !partition.is_live());
        let left = recovering.clone().map(Partition::left).sum();
        let recovering = recovering.count();
        Recovery::report(&mut self.recovery, recovering, left);
        let mut correlating = lock(&self.status.correlating);
        let least = partitions.min_by_key(|partition| partition.watermark());
        correlating.partitions = self.folding.len();
        correlating.counts = self.total;
        for (rule, count) in excepted {
            *correlating.excepted.entry(rule).or_default() += count;
        }
        correlating.recovering = recovering;
        correlating.rebuilding = self
            .recovery
            .as_ref()
            .map(|recovery| (left, recovery.total));
        correlating.watermark = least.and_then(Partition::watermark);
        correlating.held_back_by = least
            .and_then(Partition::held_back_by)
            .map(|(topic, partition, time)| (topic.to_owned(), partition, time));
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
            let recovery = recovery.get_or_insert_with(|| {
                memory::keep_for_a_while();
                Recovery {
                    began: now,
                    said: now,
                    total: 0,
                }
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
            memory::give_back_soon();
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
