//! Where source partitions are read from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};

use super::{Ask, Reading, Stage};
use crate::config::Start;
use crate::detect::SourcePartition;
use crate::io::clock;
use crate::io::group::{Committed, Group, Partition};
use crate::io::rules_topic;
use crate::plan::Source;

/// Between two questions for a newer plan.
const PLAN_WAIT: Duration = Duration::from_secs(1);

impl Stage {
    /// Is ready to read `partitions` where the last commit ended; these offsets.
    pub(super) fn open(
        &mut self,
        group: &Group,
        partitions: &[Partition],
    ) -> Result<BTreeMap<Partition, i64>> {
        let committed = group.committed(partitions)?;
        let bounds = group.bounds(partitions)?;
        let mut offsets = BTreeMap::new();
        for partition in partitions {
            let bounds = bounds.get(partition).copied().unwrap_or((0, 0));
            let Some(source) = self.source(partition) else {
                bail!("{}/{} is not in the plan", partition.0, partition.1);
            };
            let next = self.start(partition, source, committed.get(partition), bounds)?;
            // Where it starts must be committed even if nothing is read: with `start = latest`, who
            // has the partition next would find a later end.
            self.moved |= !committed.contains_key(partition);
            self.detector.assign(source, next);
            offsets.insert(partition.clone(), next);
            self.readings.insert(
                partition.clone(),
                Reading {
                    source,
                    next,
                    asked: None,
                    end: bounds.1,
                },
            );
        }
        // The last look was not at these.
        self.looked = None;
        self.report_opened();
        Ok(offsets)
    }

    /// Forgets `partitions`, and what is not committed of them.
    pub(super) fn close(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            if let Some(reading) = self.readings.remove(partition) {
                self.detector.revoke(reading.source);
            }
        }
    }

    /// Forgets all partitions, and what is not committed; says which they were.
    pub(super) fn close_all(&mut self) -> Vec<Partition> {
        let partitions: Vec<Partition> = self.readings.keys().cloned().collect();
        self.close(&partitions);
        self.moved = false;
        partitions
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
            if self.plans.ask.send(Ask::Sources).is_err() {
                bail!("the thread that makes plans has ended");
            }
            if let Ok(newer) = self.plans.newer.recv_timeout(PLAN_WAIT) {
                self.switch(group, newer)?;
            }
            self.health.check(self.config.broker_timeout)?;
            self.health.check_stop("get a plan of all partitions")?;
        }
        Ok(())
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

    /// Where to start. The note at a committed offset is the epoch that it belongs to: one of
    /// before the topic was made anew means nothing. A partition that came after the application
    /// began to read its topic is read from its beginning, wherever others started.
    fn start(
        &self,
        (topic, partition): &Partition,
        source: SourcePartition,
        committed: Option<&Committed>,
        (low, high): (i64, i64),
    ) -> Result<i64> {
        let epoch = self.epoch(topic, source.partition).to_string();
        match committed.filter(|found| found.metadata.is_empty() || found.metadata == epoch) {
            None => Ok(match self.config.start {
                Start::Latest if self.is_old(source) => high,
                Start::Latest | Start::Earliest => low,
            }),
            Some(found) if found.offset > high => bail!(
                "source {topic}/{partition} ends at offset {high}, and was read to {}: the topic \
                 was made anew. Stop all workers, run `watchfire topics reset {topic}`, and start \
                 them again",
                found.offset
            ),
            Some(found) if found.offset < low => {
                let lost = low - found.offset;
                if !self.accepts_loss(topic, *partition, found.offset)? {
                    bail!(
                        "source {topic}/{partition}: {lost} messages were deleted by its \
                         retention before they were read. `watchfire topics accept-loss` accepts \
                         that, once; then start the workers again"
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
            Some(found) => Ok(found.offset),
        }
    }

    /// Whether somebody has accepted that messages behind this offset are gone. The rules topic is
    /// read anew: it may have been after the start.
    fn accepts_loss(&self, topic: &str, partition: i32, committed: i64) -> Result<bool> {
        let catalogue = rules_topic::read(&self.config, &self.health)?.catalogue;
        Ok(catalogue.accepts_loss(topic, u32::try_from(partition)?, committed))
    }

    /// Whether a partition was there when the application began to read its topic.
    fn is_old(&self, SourcePartition { source, partition }: SourcePartition) -> bool {
        let first = self.plans.in_use.first_partitions.get(source as usize);
        first.is_none_or(|first| partition < *first)
    }

    pub(super) fn epoch(&self, topic: &str, partition: u32) -> u32 {
        let mut sources = self.sources().iter();
        sources
            .find(|source| source.topic == topic)
            .map_or(0, |source| source.epoch_of(partition))
    }
}
