//! Positions and times of the source partitions, as one matches partition has heard of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::canary::{self, Canary};
use crate::fold::key::pane::Origin;
use crate::matches::Section;
use crate::plan::Source;
use crate::record::Position;
use crate::time::{Millis, Second, second_of};

/// What was heard of one source partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The last position; matches up to it have been folded.
    pub position: Position,
    /// The greatest watermark entry.
    pub time: Option<Millis>,
    /// Offset of the log message that last counted.
    pub offset: i64,
}

/// All source partitions heard of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// Names of topics; other parts of the state name them by their place.
    topics: Vec<Arc<str>>,
    /// By place of the topic, and partition.
    heard: BTreeMap<(u32, u32), Heard>,
}

/// Whether what a message says of a source partition counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// It lies before what was heard: nothing of it counts.
    Stale,
    /// It counts; matches do beyond this position, all of them where nothing was heard before.
    Counts(Option<Position>),
}

impl Sources {
    /// The place of `topic` among the names, added if it is new.
    pub fn topic(&mut self, topic: &str) -> u32 {
        let place = self
            .topics
            .iter()
            .position(|known| **known == *topic)
            .unwrap_or_else(|| {
                self.topics.push(topic.into());
                self.topics.len() - 1
            });
        place as u32
    }

    /// The names of topics, by their place.
    pub fn topics(&self) -> &[Arc<str>] {
        &self.topics
    }

    /// Takes what the log message at `offset` says of a source partition.
    pub fn hear(
        &mut self,
        origin: Origin,
        position: Position,
        time: Option<Millis>,
        offset: i64,
    ) -> Hearing {
        let source = (origin.topic, origin.partition);
        let before = self.heard.get(&source).copied();
        if before.is_some_and(|before| position < before.position) {
            return Hearing::Stale;
        }
        let time = before.and_then(|before| before.time).max(time);
        self.heard.insert(
            source,
            Heard {
                position,
                time,
                offset,
            },
        );
        let beyond = before.map(|before| before.position);
        Hearing::Counts(beyond.filter(|_| !canary::is(Canary::DedupOff)))
    }

    /// The least, over all partitions of `sources`, of the offset of the log message that last
    /// counted; `None`: none of them was heard of.
    pub fn least_offset(&self, sources: &[Source]) -> Option<i64> {
        let heard = |source: &Source, partition| {
            let topic = self
                .topics
                .iter()
                .position(|known| **known == *source.topic)?;
            self.heard.get(&(topic as u32, partition))
        };
        let offsets = sources.iter().flat_map(|source| {
            (0..source.partitions).filter_map(move |partition| heard(source, partition))
        });
        offsets.map(|heard| heard.offset).min()
    }

    /// Forgets the partitions that are not of `sources` and were last heard of before `offset`.
    pub fn forget_before(&mut self, offset: i64, sources: &[Source]) {
        let topics = &self.topics;
        self.heard.retain(|(topic, partition), heard| {
            let topic = topics.get(*topic as usize);
            let in_use = sources.iter().any(|source| {
                topic.is_some_and(|topic| **topic == *source.topic)
                    && *partition < source.partitions
            });
            in_use || heard.offset >= offset
        });
    }

    /// The least, over all partitions of `sources`, of the greatest entry of each; `None` while
    /// one of them has none.
    pub fn least_time(&self, sources: &[Source]) -> Option<Second> {
        self.times(sources)
            .map(|(_, _, time)| time)
            .min()
            .flatten()
            .map(second_of)
    }

    /// What [`Sources::least_time`] would be after a message that says this; its times count as
    /// `latest` at most.
    pub fn least_time_after(
        &self,
        sources: &[Source],
        sections: &[Section],
        latest: Millis,
    ) -> Option<Second> {
        let said = sections.iter().map(|s| ((s.source, s.partition), s));
        let said: BTreeMap<(u32, u32), &Section> = said.collect();
        let mut least = None;
        for (place, source) in (0..).zip(sources) {
            let topic = self
                .topics
                .iter()
                .position(|known| **known == *source.topic);
            for partition in 0..source.partitions {
                let heard = topic.and_then(|topic| self.heard.get(&(topic as u32, partition)));
                let section = said.get(&(place, partition));
                let counts = |s: &&&Section| heard.is_none_or(|h| s.position >= h.position);
                let time = section.filter(counts).and_then(|section| section.time);
                let time = time.map(|time| time.min(latest));
                let time = heard.and_then(|heard| heard.time).max(time);
                least = Some(least.map_or(time, |least: Option<Millis>| least.min(time)));
            }
        }
        least.flatten().map(second_of)
    }

    /// The partition of `sources` that holds the watermark back: topic, partition and its time.
    pub fn held_back_by<'s>(
        &self,
        sources: &'s [Source],
    ) -> Option<(&'s str, u32, Option<Millis>)> {
        self.times(sources).min_by_key(|(_, _, time)| *time)
    }

    fn times<'s>(
        &self,
        sources: &'s [Source],
    ) -> impl Iterator<Item = (&'s str, u32, Option<Millis>)> {
        sources.iter().flat_map(move |source| {
            let topic = self
                .topics
                .iter()
                .position(|known| **known == *source.topic);
            (0..source.partitions).map(move |partition| {
                let heard = topic.and_then(|topic| self.heard.get(&(topic as u32, partition)));
                (
                    source.topic.as_str(),
                    partition,
                    heard.and_then(|heard| heard.time),
                )
            })
        })
    }
}
