//! A topic of the application, read without being part of any group: what is published in it.

mod merge;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::topic_partition_list::Offset;

use super::client::{self, Callbacks, Health, START_PATIENCE};
use super::group::{self, Partition, look_up};
use super::topics;
use crate::config::Config;
use crate::io::clock;
use crate::time::Millis;
use merge::Merge;

/// How long a partition is waited for before the client is looked after again.
const WAIT: Duration = Duration::from_millis(20);

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With the oldest message that the topic holds.
    Oldest,
    /// With the next one.
    Next,
    /// With the first one of this time, as brokers date messages, or later.
    At(Millis),
}

/// Where to begin and where to end.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Where to begin.
    pub begin: Begin,
    /// End where the topic ends now.
    pub until_end: bool,
}

/// One message of the topic.
#[derive(Clone, Debug)]
pub struct Published {
    /// Where it stands.
    pub partition: i32,
    /// Where it stands there.
    pub offset: i64,
    /// When it was published, as far as the broker says.
    pub time: Option<Millis>,
    /// Its key: an incident's id.
    pub key: Vec<u8>,
    /// What it holds: an incident, or the bytes of a dead letter.
    pub value: Vec<u8>,
    /// What is said of it.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Published {
    fn of(message: &BorrowedMessage<'_>) -> Published {
        let headers = message.headers().into_iter();
        let headers = headers.flat_map(|headers| headers.iter());
        Published {
            partition: message.partition(),
            offset: message.offset(),
            time: message.timestamp().to_millis(),
            key: message.key().unwrap_or_default().to_vec(),
            value: message.payload().unwrap_or_default().to_vec(),
            headers: headers
                .map(|one| (one.key.to_owned(), one.value.unwrap_or_default().to_vec()))
                .collect(),
        }
    }
}

/// What is done with each message, and whether there are to be more.
pub type Each<'e> = dyn FnMut(&Published) -> Result<ControlFlow<()>> + 'e;

/// Hands every message of `topic` to `each`, as transactions commit them: as they come or, where
/// the end is known, in the order in which they were published.
pub fn tail(
    config: &Config,
    health: &Arc<Health>,
    topic: &str,
    range: Range,
    each: &mut Each<'_>,
) -> Result<()> {
    Tail::open(config, health, topic, range)?.read(each)
}

/// A topic that is about to be read.
pub struct Tail {
    topic: String,
    reader: Arc<BaseConsumer<Callbacks>>,
    health: Arc<Health>,
    patience: Duration,
    starts: BTreeMap<Partition, i64>,
    /// Where each partition ended when it was looked up.
    ends: BTreeMap<i32, i64>,
    until_end: bool,
}

/// What a client has of a partition.
enum Heard {
    Message(Published),
    End(i32),
    Nothing,
}

impl Tail {
    /// Finds out where the topic begins and ends.
    ///
    /// # Errors
    ///
    /// The brokers cannot be reached, or have no such topic.
    pub fn open(config: &Config, health: &Arc<Health>, topic: &str, range: Range) -> Result<Tail> {
        let existing = topics::partitions(config, health, START_PATIENCE)?;
        let partitions = group::partitions_of([topic], &existing);
        if partitions.is_empty() {
            bail!("topic {topic} does not exist on {}", health.brokers());
        }
        let reader = Arc::new(client::reader(config, health, true)?);
        let find = |place: Offset| {
            health.patiently(
                reader.client(),
                START_PATIENCE,
                &format!("look up offsets of {topic}"),
                || look_up(&reader, &partitions, place),
            )
        };
        let ends = find(Offset::End)?;
        let mut starts = match range.begin {
            Begin::Oldest => find(Offset::Beginning)?,
            Begin::Next => ends.clone(),
            Begin::At(time) => find(Offset::Offset(time.max(0)))?,
        };
        // A time after the last message has no offset.
        for (partition, end) in &ends {
            starts.entry(partition.clone()).or_insert(*end);
        }
        Ok(Tail {
            topic: topic.to_owned(),
            reader,
            health: Arc::clone(health),
            patience: config.broker_timeout,
            starts,
            ends: ends
                .into_iter()
                .map(|((_, number), end)| (number, end))
                .collect(),
            until_end: range.until_end,
        })
    }

    /// How many messages there are up to where the topic ended, at most: ends of transactions
    /// count.
    pub fn messages(&self) -> u64 {
        let lengths = self.starts.iter().map(|((_, number), start)| {
            let end = self.ends.get(number).copied().unwrap_or(*start);
            u64::try_from(end - start).unwrap_or(0)
        });
        lengths.sum()
    }

    /// Hands every message to `each`.
    ///
    /// # Errors
    ///
    /// The topic cannot be read, or `each` failed.
    pub fn read(self, each: &mut Each<'_>) -> Result<()> {
        match self.until_end {
            true => self.to_the_end(each),
            false => self.on_and_on(each),
        }
    }

    /// # Errors
    ///
    /// The partition cannot be read, or no broker has answered for too long.
    fn heard(&self, polled: Option<KafkaResult<BorrowedMessage<'_>>>) -> Result<Heard> {
        match polled {
            Some(Ok(message)) => {
                self.health.up();
                Ok(Heard::Message(Published::of(&message)))
            }
            Some(Err(KafkaError::PartitionEOF(number))) => Ok(Heard::End(number)),
            Some(Err(error)) if !client::is_transient(&error) => {
                bail!("reading {} failed: {}", self.topic, client::words(&error));
            }
            Some(Err(_)) | None => {
                self.health.check(self.patience)?;
                Ok(Heard::Nothing)
            }
        }
    }

    fn on_and_on(&self, each: &mut Each<'_>) -> Result<()> {
        group::read_from(&self.reader, &self.starts)?;
        loop {
            match self.heard(self.reader.poll(Duration::from_millis(200)))? {
                Heard::Message(message) => {
                    if each(&message)?.is_break() {
                        return Ok(());
                    }
                }
                Heard::End(_) | Heard::Nothing => (),
            }
        }
    }

    /// Partitions have queues of their own, so that none is read further than the others need:
    /// memory holds what the client fetches ahead.
    fn to_the_end(&self, each: &mut Each<'_>) -> Result<()> {
        let mut starts = self.starts.clone();
        starts.retain(|(_, number), start| self.ends.get(number).is_some_and(|end| end > start));
        group::read_from(&self.reader, &starts)?;
        let mut queues: BTreeMap<i32, PartitionQueue<Callbacks>> = BTreeMap::new();
        for (topic, number) in starts.keys() {
            let queue = self.reader.split_partition_queue(topic, *number);
            queues.insert(
                *number,
                queue.with_context(|| format!("no queue for {topic}"))?,
            );
        }
        let mut merge = Merge::new(queues.keys().copied());
        let mut last_heard = clock::instant();
        while !merge.is_done() {
            let mut heard = self.drain()?;
            for queue in merge
                .wanted()
                .iter()
                .filter_map(|number| queues.get(number))
            {
                heard.push(self.heard(queue.poll(WAIT))?);
            }
            for heard in heard {
                if self.take(&mut merge, heard) {
                    last_heard = clock::instant();
                }
            }
            while let Some(message) = merge.pop() {
                if each(&message)?.is_break() {
                    return Ok(());
                }
            }
            if last_heard.elapsed() > self.patience {
                bail!("reading {}: nothing comes", self.topic);
            }
        }
        Ok(())
    }

    /// What came before the partitions had queues of their own, and what concerns the client.
    fn drain(&self) -> Result<Vec<Heard>> {
        let mut all = Vec::new();
        loop {
            match self.heard(self.reader.poll(Duration::ZERO))? {
                Heard::Nothing => return Ok(all),
                heard @ (Heard::Message(_) | Heard::End(_)) => all.push(heard),
            }
        }
    }

    /// Puts what was heard in its place. Whether it was anything.
    fn take(&self, merge: &mut Merge<Published>, heard: Heard) -> bool {
        match heard {
            Heard::Message(message) => {
                let (number, offset) = (message.partition, message.offset);
                let end = self.ends.get(&number).copied().unwrap_or(i64::MAX);
                if offset < end {
                    let rank = (message.time.unwrap_or(Millis::MIN), message.key.clone());
                    merge.push(number, rank, message);
                }
                // What has come since is not waited for.
                if offset + 1 >= end {
                    merge.end(number);
                }
            }
            Heard::End(number) => merge.end(number),
            Heard::Nothing => return false,
        }
        true
    }
}
