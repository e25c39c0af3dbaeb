//! Sources that become other logs, and the workers that find out.

use watchfire::config::OnReplacedSource;
use watchfire::plan::epochs::BeginAt;
use watchfire::record::Hash;

use super::Sim;
use super::events::event;
use crate::rng::Rng;
use crate::world::SourceMessage;
use crate::world::source_logs;

/// Whether sources become other logs, and what workers do then.
pub fn nature(rng: &mut Rng) -> Option<OnReplacedSource> {
    let replaced = rng.one_in(4);
    let what = *rng.choose(&[OnReplacedSource::Stop, OnReplacedSource::Restart]);
    replaced.then_some(what)
}

impl Sim {
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
        if messages.is_empty() || !self.world.can_be_known_again(partition) {
            return;
        }
        let cut = self.logs.index(messages.len()) + 1;
        let kind = match self.logs.below(6) {
            0 => {
                self.world.replace(partition, Vec::new());
                "recreated"
            }
            4 => match self.world.forget_committed(partition) {
                true => {
                    self.world.replace(partition, Vec::new());
                    "recreated, and what was committed is gone with it"
                }
                false => return,
            },
            5 => match self.world.forget_committed(partition) {
                true => "what was committed is forgotten",
                false => return,
            },
            1 => {
                let kept = messages[..messages.len() - cut].to_vec();
                self.world.replace(partition, kept);
                "truncated"
            }
            2 => {
                // Another prefix; the last messages did not make it.
                let end = messages.len() - self.logs.index(messages.len() - cut + 1);
                self.world.replace(partition, messages[cut..end].to_vec());
                "failed over"
            }
            _ => {
                let low = &mut self.world.source_logs[partition].low;
                *low = (*low).max(cut as i64);
                "retention overrun"
            }
        };
        self.covered.insert(kind.to_owned());
        if !matches!(
            kind,
            "retention overrun" | "what was committed is forgotten"
        ) {
            self.write_on(partition);
        }
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
    pub(super) fn check_sources(&self) {
        if self.nature.replaced.is_none() {
            return;
        }
        self.world.check_sources_are_read();
        self.world.check_positions(&|hash| {
            let mut records = self.records.iter();
            let record = records.find(|record| Hash::of(record.text.as_bytes()) == hash);
            record.map(|record| record.text.to_string())
        });
    }
}
