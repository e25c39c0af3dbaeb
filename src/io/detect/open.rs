//! Where source partitions are read from.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use super::{Reading, Stage};
use crate::config::Start;
use crate::detect::{Counts, SourcePartition};
use crate::io::group::{Committed, Group, Partition};

impl Stage {
    /// Is ready to read `partitions`, and nothing else, where the last commit ended; these offsets.
    pub(super) fn open(
        &mut self,
        group: &Group,
        partitions: &[Partition],
    ) -> Result<BTreeMap<Partition, i64>> {
        self.close();
        let committed = group.committed(partitions)?;
        let bounds = group.bounds(partitions)?;
        let mut offsets = BTreeMap::new();
        for partition in partitions {
            let bounds = bounds.get(partition).copied().unwrap_or((0, 0));
            let source = self.source(partition)?;
            let next = self.start(partition, committed.get(partition), bounds)?;
            self.detector.assign(source, next);
            offsets.insert(partition.clone(), next);
            let lag = bounds.1 - next;
            self.readings.insert(
                partition.clone(),
                Reading {
                    source,
                    next,
                    asked: None,
                    lag,
                },
            );
        }
        self.report(Counts::default(), 0);
        Ok(offsets)
    }

    pub(super) fn close(&mut self) {
        for reading in std::mem::take(&mut self.readings).into_values() {
            self.detector.revoke(reading.source);
        }
        self.moved = false;
    }

    fn source(&self, (topic, partition): &Partition) -> Result<SourcePartition> {
        let place = self
            .plan
            .sources
            .iter()
            .position(|source| source.topic == *topic);
        let source = place.and_then(|place| self.plan.sources.get(place));
        match (place, source, u32::try_from(*partition)) {
            (Some(place), Some(source), Ok(partition)) if partition < source.partitions => {
                Ok(SourcePartition {
                    source: place as u32,
                    partition,
                })
            }
            _ => bail!(
                "source topic {topic} has got more partitions; the worker ends so that it starts \
                 with all of them"
            ),
        }
    }

    /// Where to start. The note at a committed offset is the epoch that it belongs to: one of
    /// before the topic was made anew means nothing.
    fn start(
        &self,
        (topic, partition): &Partition,
        committed: Option<&Committed>,
        (low, high): (i64, i64),
    ) -> Result<i64> {
        let epoch = self.epoch(topic).to_string();
        match committed.filter(|found| found.metadata.is_empty() || found.metadata == epoch) {
            None => Ok(match self.config.start {
                Start::Earliest => low,
                Start::Latest => high,
            }),
            Some(found) if found.offset > high => bail!(
                "source {topic}/{partition} ends at offset {high}, and was read to {}: the topic \
                 was made anew. Stop all workers, run `watchfire topics reset {topic}`, and start \
                 them again",
                found.offset
            ),
            Some(found) if found.offset < low => {
                let lost = low - found.offset;
                if !self.config.accept_incomplete_state {
                    bail!(
                        "source {topic}/{partition}: {lost} messages were deleted by its \
                         retention before they were read. Start with --accept-incomplete-state \
                         to go on without them"
                    );
                }
                tracing::warn!(topic, partition, lost, "going on without deleted messages");
                Ok(low)
            }
            Some(found) => Ok(found.offset),
        }
    }

    pub(super) fn epoch(&self, topic: &str) -> u32 {
        let source = self
            .plan
            .sources
            .iter()
            .find(|source| source.topic == topic);
        source.map_or(0, |source| source.epoch)
    }
}
