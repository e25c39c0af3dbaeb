//! Where source partitions are read from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};

use super::{Ask, DetectStage, Reading};
use crate::bookmark::KnownBy;
use crate::config::Start;
use crate::detect::SourcePartition;
use crate::detect::read_to::{self, GoOn, LastRead, ReadTo};
use crate::io::kafka::group::{Group, Partition};
use crate::io::kafka::known_again::{self, AsRead};
use crate::io::{clock, kafka::rules_topic};
use crate::plan::Source;
use crate::time::Millis;

/// Between two questions for a newer plan.
const PLAN_WAIT: Duration = Duration::from_secs(1);

impl DetectStage {
    /// Is ready to read `partitions` where the last commit ended, which `logs` tells of those that
    /// were read before; these offsets.
    pub(super) fn open_as_read(
        &mut self,
        group: &Group,
        partitions: &[Partition],
        logs: &BTreeMap<Partition, AsRead>,
    ) -> Result<BTreeMap<Partition, i64>> {
        let bounds = group.bounds(partitions)?;
        let mut offsets = BTreeMap::new();
        for partition in partitions {
            let bounds = bounds.get(partition).copied().unwrap_or((0, 0));
            let Some(source) = self.source(partition) else {
                bail!("{}/{} is not in the plan", partition.0, partition.1);
            };
            let log = logs.get(partition).copied();
            let next = self.start(group, partition, source, log, bounds)?;
            let (read_to, perhaps_again) = self.last_read(partition, log, next, bounds.0)?;
            // Where it starts must be committed even if nothing is read: with `start = latest`, who
            // has the partition next would find a later end.
            self.commits.moved |= log.is_none_or(|log| log.read_to.to_text() != read_to.to_text());
            self.detector.assign(source, next);
            offsets.insert(partition.clone(), next);
            self.readings.insert(
                partition.clone(),
                Reading {
                    source,
                    next,
                    asked: None,
                    end: bounds.1,
                    read_to,
                    perhaps_again,
                },
            );
        }
        // The last look was not at these.
        self.looked = None;
        self.report_opened();
        Ok(offsets)
    }

    /// Waits until the plan has `partitions`. When a source topic has grown, the group may give us
    /// its new partitions before this worker has looked.
    pub(super) fn wait_for_plan(
        &mut self,
        group: &Arc<Group>,
        partitions: &[Partition],
    ) -> Result<()> {
        let start = clock::instant();
        while let Some((topic, _)) = partitions.iter().find(|p| self.source(p).is_none()) {
            if start.elapsed() > self.config.broker_timeout {
                bail!("source topic {topic} has got more partitions, which brokers do not show");
            }
            self.wait_for_newer_plan(group, Ask::Sources)?;
        }
        Ok(())
    }

    /// Asks for a newer plan, and takes it into use if it comes soon.
    pub(super) fn wait_for_newer_plan(&mut self, group: &Arc<Group>, ask: Ask) -> Result<()> {
        if self.plans.ask.send(ask).is_err() {
            bail!("the thread that makes plans has ended");
        }
        if let Ok(newer) = self.plans.newer.recv_timeout(PLAN_WAIT) {
            self.switch(group, newer)?;
        }
        self.health.check(self.config.broker_timeout)?;
        self.health.check_stop("get a plan of all partitions")
    }

    /// The place in the plan of a partition that it has.
    fn source(&self, (topic, partition): &Partition) -> Option<SourcePartition> {
        let mut sources = self.sources().iter().enumerate();
        let (place, source) = sources.find(|(_, source)| source.topic == *topic)?;
        let partition = u32::try_from(*partition).ok()?;
        (partition < source.partitions).then_some(SourcePartition {
            source: place as u32,
            partition,
        })
    }

    /// The source topics, as the plan numbers them.
    pub(super) fn sources(&self) -> &[Source] {
        &self.plans.in_use.plan.sources
    }

    /// Where to start. A partition that came after the application began to read its topic is read
    /// from its beginning, wherever others started.
    fn start(
        &self,
        group: &Group,
        partition: &Partition,
        source: SourcePartition,
        log: Option<AsRead>,
        (low, high): (i64, i64),
    ) -> Result<i64> {
        let Some(AsRead { next, read_to }) = log else {
            return Ok(match self.config.start {
                Start::Latest if self.is_old(source) => high,
                Start::Latest | Start::Earliest => low,
            });
        };
        let begin_at = self.plans.in_use.begin_at(source.source, source.partition);
        let epoch = self.epoch_of(partition);
        match read_to::go_on(next, read_to, epoch, begin_at, low, high) {
            GoOn::At(offset) => Ok(offset),
            GoOn::Deleted { low, lost } => self.pass_over_deleted(partition, low, lost),
            GoOn::NotOlder(timestamp) => {
                Ok(group.first_not_older(partition, timestamp)?.unwrap_or(low))
            }
        }
    }

    /// Whether somebody has accepted that messages behind this offset are gone. The rules topic is
    /// read anew: it may have been after the start.
    fn accepts_loss(&self, topic: &str, partition: i32, committed: i64) -> Result<bool> {
        let catalogue = rules_topic::read(&self.config, &self.health)?.catalogue;
        Ok(catalogue.accepts_loss(topic, u32::try_from(partition)?, committed))
    }

    /// Goes on where a partition begins, if it may.
    fn pass_over_deleted(
        &self,
        (topic, partition): &Partition,
        low: i64,
        lost: i64,
    ) -> Result<i64> {
        if !self.accepts_loss(topic, *partition, low - lost)? {
            bail!(
                "source {topic}/{partition}: {lost} messages were deleted by its retention \
                 before they were read. `watchfire topics accept-loss` accepts that, once; then \
                 start the workers again"
            );
        }
        tracing::warn!(
            topic,
            partition,
            deleted = lost,
            "going on without deleted messages"
        );
        Ok(low)
    }

    /// By what a partition is known that is read from `next` on, and up to which timestamp its
    /// messages may have been read in an epoch before.
    fn last_read(
        &self,
        partition: &Partition,
        log: Option<AsRead>,
        next: i64,
        low: i64,
    ) -> Result<(LastRead, Option<Millis>)> {
        let epoch = self.epoch_of(partition);
        let before = log.map(|log| log.read_to);
        if let Some(same) = before.filter(|before| before.epoch == epoch) {
            return Ok((LastRead::from(same), None));
        }
        let begun = before.map(|before| {
            let (topic, number) = partition;
            tracing::warn!(
                topic,
                partition = number,
                offset = next,
                passed_over = next - low,
                epoch,
                epoch_before = before.epoch,
                "a source partition is read in a new epoch"
            );
            before.known_by.timestamp()
        });
        let place = (next > low).then(|| (partition.clone(), next - 1));
        let places = place.into_iter().collect();
        let found = known_again::messages(&self.config, &self.health, &places)?;
        let known_by = match found.get(partition).copied().flatten() {
            Some(bookmark) => KnownBy::Message(bookmark),
            None if next <= low => KnownBy::Beginning,
            // The mark of a transaction, perhaps.
            None => KnownBy::Nothing,
        };
        let read_to = ReadTo { epoch, known_by };
        Ok((LastRead::from(read_to), begun.flatten()))
    }

    /// Whether a partition was there when the application began to read its topic.
    fn is_old(&self, SourcePartition { source, partition }: SourcePartition) -> bool {
        let first = self.plans.in_use.first_partitions.get(source as usize);
        first.is_none_or(|first| partition < *first)
    }

    /// The epoch of a partition in the plan in use.
    pub(super) fn epoch_of(&self, (topic, partition): &Partition) -> u32 {
        let mut sources = self.sources().iter();
        sources
            .find(|source| source.topic == *topic)
            .map_or(0, |source| source.epoch_of(partition.unsigned_abs()))
    }
}
