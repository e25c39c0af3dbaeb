//! Sources that become other logs, and the workers that find out.

use watchfire::bookmark::Sign;
use watchfire::config::OnReplacedSource;
use watchfire::plan::epochs::BeginAt;
use watchfire::record::Hash;

use super::Sim;
use super::events::event;
use crate::rng::Rng;
use crate::world::source_logs;
use crate::world::{DetectWorker, SourceMessage};

/// Whether sources become other logs, and what workers do then.
pub fn nature(rng: &mut Rng) -> Option<OnReplacedSource> {
    let replaced = rng.one_in(4);
    let what = *rng.choose(&[OnReplacedSource::Stop, OnReplacedSource::Restart]);
    replaced.then_some(what)
}

impl Sim {
    /// Some partitions are empty behind what retention has taken.
    pub(super) fn empty_sources(&mut self) {
        if self.nature.replaced.is_none() {
            return;
        }
        for partition in 0..self.world.sources.len() {
            if self.logs.one_in(3) {
                self.write_on(partition);
                self.world.empty(partition);
            }
        }
    }

    /// Now and then a partition becomes another log, and now and then a worker finds out.
    pub(super) fn replace_sources(&mut self) {
        if self.nature.replaced.is_none() {
            return;
        }
        if self.logs.one_in(15) {
            self.replace_one();
        }
        if self.logs.one_in(4) {
            let worker = self.logs.index(self.detect.len());
            self.settle(worker);
        }
    }

    fn replace_one(&mut self) {
        let partition = self.logs.index(self.world.sources.len());
        let messages = self.world.sources[partition].clone();
        if messages.is_empty() {
            return;
        }
        let cut = self.logs.index(messages.len()) + 1;
        let is_known = self.world.is_known(partition);
        let kind = match self.logs.below(6) {
            0 => self.replace(partition, Vec::new(), 0, "recreated"),
            1 => {
                // The copy that is left has deleted as much as the others, or less.
                let kept = messages[..messages.len() - cut].to_vec();
                let low = self.world.source_logs[partition].low;
                let low = low - self.logs.below(low as u64 + 1) as i64;
                let low = low.min(kept.len() as i64);
                self.replace(partition, kept, low, "truncated")
            }
            2 => {
                // Another prefix; the last messages did not make it.
                let end = messages.len() - self.logs.index(messages.len() - cut + 1);
                self.replace(partition, messages[cut..end].to_vec(), 0, "failed over")
            }
            3 if is_known => {
                let low = &mut self.world.source_logs[partition].low;
                *low = (*low).max(cut as i64);
                Some("retention overrun")
            }
            4 if is_known && self.world.forget_committed(partition) => {
                let kind = "recreated, and what was committed is gone with it";
                self.replace(partition, Vec::new(), 0, kind)
            }
            5 if is_known && self.world.forget_committed(partition) => {
                Some("what was committed is forgotten")
            }
            _ => None,
        };
        self.covered.extend(kind.map(str::to_owned));
    }

    /// The partition becomes another log, unless nobody could know.
    fn replace(
        &mut self,
        partition: usize,
        messages: Vec<SourceMessage>,
        low: i64,
        kind: &'static str,
    ) -> Option<&'static str> {
        if !self.world.can_be_told(partition, &messages, low) {
            return None;
        }
        for (what, holds) in [
            ("unseen", !self.world.is_known(partition)),
            (
                "beside a commit",
                self.detect.iter().any(DetectWorker::is_committing),
            ),
            (
                "behind what was said",
                self.world.is_written_ahead(partition),
            ),
        ] {
            if holds {
                self.covered.insert(format!("{kind} {what}"));
            }
        }
        self.world.replace(partition, messages, low);
        self.write_on(partition);
        Some(kind)
    }

    /// The new log may soon be as long as the old one was.
    fn write_on(&mut self, partition: usize) {
        for _ in 0..self.logs.below(6) {
            let record = event(&mut self.logs, self.world.clock, self.nature.late);
            let message = SourceMessage {
                timestamp: self.world.clock,
                payload: record.text.clone().into_bytes(),
            };
            self.world.sources[partition].push(message);
            self.records.push(record);
        }
    }

    /// A worker compares the logs that it does not know; where that stops it, somebody resets the
    /// source, and all workers begin again.
    fn settle(&mut self, worker: usize) {
        let Some(what) = self.nature.replaced else {
            return;
        };
        if self.detect[worker].settle(&mut self.world, what) == 0 {
            return;
        }
        if what == OnReplacedSource::Restart {
            self.covered.insert("restarted in another log".to_owned());
            return;
        }
        self.covered.insert("stopped at another log".to_owned());
        source_logs::reset(&mut self.world, BeginAt::Oldest);
        for worker in &mut self.detect {
            let plan = self.world.with_epochs(&worker.plan);
            worker.restart(&self.world, plan);
        }
    }

    /// Every worker knows the logs of its partitions.
    pub(super) fn settle_all(&mut self) {
        if self.nature.replaced.is_none() {
            return;
        }
        for worker in 0..self.detect.len() {
            self.detect[worker].look(&self.world);
            self.settle(worker);
        }
        for worker in 0..self.detect.len() {
            self.detect[worker].look(&self.world);
            self.settle(worker);
        }
    }

    /// What must hold of the sources, whatever became of them.
    pub(super) fn check_sources(&mut self) {
        if self.nature.replaced.is_none() {
            return;
        }
        let logs = self.world.source_logs.iter();
        let signs = logs.flat_map(|log| &log.signs);
        self.covered.extend(signs.map(Sign::to_string));
        self.world.check_sources_are_read();
        self.world.check_positions(&|hash| {
            let mut records = self.records.iter();
            let record = records.find(|record| Hash::of(record.text.as_bytes()) == hash);
            record.map(|record| record.text.to_string())
        });
    }
}
