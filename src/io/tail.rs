//! The incidents topic, read without being part of any group.

mod merge;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::Offset;

use super::client::{self, Callbacks, Health, START_PATIENCE};
use super::clock;
use super::group::{self, Partition, look_up};
use super::topics::{self, Names};
use crate::config::Config;
use crate::time::Millis;
use merge::Merge;

/// How long a partition is waited for before the client is looked after again.
const WAIT: Duration = Duration::from_millis(20);

/// Where to begin and where to end.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Begin with the oldest incident instead of the next one.
    pub from_beginning: bool,
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
    /// The incident's id.
    pub key: Vec<u8>,
    /// The incident.
    pub value: Vec<u8>,
}

impl Published {
    fn of(message: &BorrowedMessage<'_>) -> Published {
        Published {
            partition: message.partition(),
            offset: message.offset(),
            time: message.timestamp().to_millis(),
            key: message.key().unwrap_or_default().to_vec(),
            value: message.payload().unwrap_or_default().to_vec(),
        }
    }
}

/// Hands every message of the incidents topic to `each`, as transactions commit them: as they
/// come or, where the end is known, in the order in which they were published.
pub fn tail(
    config: &Config,
    health: &Arc<Health>,
    range: Range,
    each: &mut dyn FnMut(&Published) -> Result<()>,
) -> Result<()> {
    let topic = Names::of(&config.app).incidents;
    let existing = topics::partitions(config, health, START_PATIENCE)?;
    let Some(count) = existing.get(&*topic) else {
        bail!("topic {topic} does not exist on {}", health.brokers());
    };
    let partitions: Vec<Partition> = (0..*count)
        .map(|number| (topic.to_string(), number.cast_signed()))
        .collect();
    let reader = Arc::new(client::reader(config, health, true)?);
    let place = if range.from_beginning {
        Offset::Beginning
    } else {
        Offset::End
    };
    let starts = health.patiently(
        reader.client(),
        START_PATIENCE,
        "find the place to begin",
        || look_up(&reader, &partitions, place),
    )?;
    group::read_from(&reader, &starts)?;
    let reading = Reading {
        topic: &topic,
        reader: &reader,
        health,
        patience: config.broker_timeout,
    };
    match range.until_end {
        true => reading.to_the_end(&partitions, each),
        false => reading.on_and_on(each),
    }
}

/// A read of the topic.
#[derive(Clone, Copy)]
struct Reading<'a> {
    topic: &'a str,
    reader: &'a Arc<BaseConsumer<Callbacks>>,
    health: &'a Health,
    patience: Duration,
}

/// What a client has of a partition.
enum Heard {
    Message(Published),
    End(i32),
    Nothing,
}

impl Reading<'_> {
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

    fn on_and_on(self, each: &mut dyn FnMut(&Published) -> Result<()>) -> Result<()> {
        loop {
            match self.heard(self.reader.poll(Duration::from_millis(200)))? {
                Heard::Message(message) => each(&message)?,
                Heard::End(_) | Heard::Nothing => (),
            }
        }
    }

    /// Partitions have queues of their own, so that none is read further than the others need:
    /// memory holds what the client fetches ahead.
    fn to_the_end(
        self,
        partitions: &[Partition],
        each: &mut dyn FnMut(&Published) -> Result<()>,
    ) -> Result<()> {
        let mut queues: BTreeMap<i32, PartitionQueue<Callbacks>> = BTreeMap::new();
        for (topic, number) in partitions {
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
                if take(&mut merge, heard) {
                    last_heard = clock::instant();
                }
            }
            while let Some(message) = merge.pop() {
                each(&message)?;
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
}

/// Puts what was heard in its place. Whether it was anything.
fn take(merge: &mut Merge<Published>, heard: Heard) -> bool {
    match heard {
        Heard::Message(message) => {
            let rank = (message.time.unwrap_or(Millis::MIN), message.key.clone());
            merge.push(message.partition, rank, message);
        }
        Heard::End(number) => merge.end(number),
        Heard::Nothing => return false,
    }
    true
}
