//! Messages of a topic, without being part of any group: nothing of the brokers' is changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, bail};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::batch::{Batch, EachBatch, Message};
use crate::config::Config;
use crate::io::clock;
use crate::io::disk::files::Reading;
use crate::io::kafka::client::{self, Callbacks, Health, START_PATIENCE};
use crate::io::kafka::group::{self, look_up};
use crate::io::kafka::topics;
use crate::time::Millis;

/// Where a range of a topic begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The oldest message that the topic holds.
    Earliest,
    /// The end of the topic, as it is when it is looked up.
    Latest,
    /// The first message that the broker got at this time or later.
    At(Millis),
}

/// The brokers.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// How to reach them.
    pub config: Arc<Config>,
    /// Whether they are there.
    pub health: Arc<Health>,
}

/// Messages of a topic, by offset.
#[derive(Debug)]
pub struct TopicRange {
    /// The topic.
    pub topic: String,
    /// It holds older messages than these.
    pub has_before: bool,
    /// It held newer ones when it was looked up.
    pub has_after: bool,
    cluster: Cluster,
    /// By partition: the first offset, and the one after the last. Those that have none are left
    /// out.
    offsets: BTreeMap<i32, (i64, i64)>,
}

impl TopicRange {
    /// Finds the offsets of what the topic has between two bounds now.
    ///
    /// # Errors
    ///
    /// The brokers cannot be reached, or have no such topic.
    pub fn find(cluster: &Cluster, topic: &str, (from, to): (Bound, Bound)) -> Result<TopicRange> {
        let Cluster { config, health } = cluster;
        let existing = topics::partitions(config, health, START_PATIENCE)?;
        let partitions = group::partitions_of([topic], &existing);
        if partitions.is_empty() {
            bail!("topic {topic} does not exist on {}", health.brokers());
        }
        let reader = client::reader(config, health, false)?;
        let find = |bound: Bound| {
            let place = match bound {
                Bound::Earliest => Offset::Beginning,
                Bound::Latest => Offset::End,
                Bound::At(time) => Offset::Offset(time.max(0)),
            };
            health.patiently(
                reader.client(),
                START_PATIENCE,
                &format!("look up offsets of {topic}"),
                || look_up(&reader, &partitions, place),
            )
        };
        let (oldest, end) = (find(Bound::Earliest)?, find(Bound::Latest)?);
        let (starts, stops) = (find(from)?, find(to)?);
        let mut offsets = BTreeMap::new();
        let (mut has_before, mut has_after) = (false, false);
        for partition in &partitions {
            // A time after the last message has no offset.
            let end = end.get(partition).copied().unwrap_or(0);
            let oldest = oldest.get(partition).copied().unwrap_or(end);
            let start = starts.get(partition).copied().unwrap_or(end).max(oldest);
            let stop = stops.get(partition).copied().unwrap_or(end).min(end);
            has_before |= oldest < start;
            has_after |= stop < end;
            if start < stop {
                offsets.insert(partition.1, (start, stop));
            }
        }
        Ok(TopicRange {
            topic: topic.to_owned(),
            has_before,
            has_after,
            cluster: cluster.clone(),
            offsets,
        })
    }

    /// How many messages it has, at most.
    pub fn messages(&self) -> u64 {
        let lengths = self.offsets.values();
        lengths.map(|(start, stop)| stop.abs_diff(*start)).sum()
    }
}

/// A partition that is being read.
struct Open {
    next: i64,
    stop: i64,
    batch: Batch,
}

/// Hands all messages of the range to `each`, all partitions at once.
///
/// # Errors
///
/// The brokers do not give them, or `each` failed.
pub fn read(
    (place, range): (usize, &TopicRange),
    reading: &Reading,
    each: &mut EachBatch<'_>,
) -> Result<()> {
    let Cluster { config, health } = &range.cluster;
    let topic = &range.topic;
    let reader = client::reader(config, health, true)?;
    let starts = range.offsets.iter();
    let starts = starts.map(|(number, (start, _))| ((topic.clone(), *number), *start));
    group::read_from(&reader, &starts.collect())?;
    let opened = range.offsets.iter().map(|(number, (start, stop))| {
        let open = Open {
            next: *start,
            stop: *stop,
            batch: Batch::new(place, number.unsigned_abs()),
        };
        (*number, open)
    });
    let mut open: BTreeMap<i32, Open> = opened.collect();
    let mut heard = clock::instant();
    while !open.is_empty() && !reading.stopped() {
        let ended = match reader.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                heard = clock::instant();
                health.up();
                let number = message.partition();
                let Some(open) = open.get_mut(&number) else {
                    continue;
                };
                let ends = open.take(&message, reading, each)?;
                ends.then_some(number)
            }
            Some(Err(KafkaError::PartitionEOF(number))) => {
                heard = clock::instant();
                Some(number)
            }
            Some(Err(error)) if !client::is_transient(&error) => {
                bail!("reading {topic} failed: {error}");
            }
            Some(Err(_)) | None => {
                health.check(config.broker_timeout)?;
                None
            }
        };
        if let Some(ended) =
            ended.and_then(|number| open.remove(&number).map(|open| (number, open)))
        {
            close(&reader, topic, ended, each)?;
        }
        if heard.elapsed() > config.broker_timeout {
            bail!("reading {topic}: nothing comes");
        }
    }
    let mut unfinished = open.into_values().filter(|open| !open.batch.is_empty());
    unfinished.try_for_each(|mut open| each(&mut open.batch))
}

impl Open {
    /// Takes a message; whether it is the last.
    fn take(
        &mut self,
        message: &rdkafka::message::BorrowedMessage<'_>,
        reading: &Reading,
        each: &mut EachBatch<'_>,
    ) -> Result<bool> {
        let next = message.offset() + 1;
        if next <= self.stop {
            let is_full = self.batch.push(&Message {
                offset: message.offset(),
                timestamp: message.timestamp().to_millis(),
                bytes: message.payload().unwrap_or_default(),
                is_too_large: false,
                stamp: None,
            });
            if is_full {
                each(&mut self.batch)?;
            }
        }
        // Offsets without a message, such as those of transactions' ends, are read with the next.
        let passed = next.min(self.stop).abs_diff(self.next);
        reading.read.fetch_add(passed, Ordering::Relaxed);
        self.next = next;
        Ok(next >= self.stop)
    }
}

/// A partition was read to its end: what was read of it last is handed on, and what it gets
/// meanwhile is not fetched.
fn close(
    reader: &BaseConsumer<Callbacks>,
    topic: &str,
    (number, mut open): (i32, Open),
    each: &mut EachBatch<'_>,
) -> Result<()> {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, number);
    reader.pause(&list)?;
    match open.batch.is_empty() {
        true => Ok(()),
        false => each(&mut open.batch),
    }
}
