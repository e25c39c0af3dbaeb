//! Reads messages again by which a log is known.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message as _};

use super::client::{self, Health, is_missing_topic};
use super::group::{Committed, Partition, read_from};
use super::topics;
use crate::bookmark::{Bookmark, LogNow, There};
use crate::config::Config;
use crate::detect::read_to::ReadTo;
use crate::io::clock;
use crate::plan::Catalogue;

const WAIT: Duration = Duration::from_millis(50);

/// A source partition as it was read.
#[derive(Clone, Copy, Debug)]
pub struct AsRead {
    /// The offset that is to be read next.
    pub next: i64,
    /// What stands beside it.
    pub read_to: ReadTo,
}

impl AsRead {
    /// A source partition that was committed so. `epoch`: the one that it is in.
    ///
    /// # Errors
    ///
    /// This version cannot read what stands beside the offset.
    pub fn committed(partition: &Partition, found: &Committed, epoch: u32) -> Result<AsRead> {
        let read_to = ReadTo::parse(&found.metadata, epoch).map_err(|why| {
            let (topic, number) = partition;
            anyhow!("source {topic}/{number}: {why}. A newer version has written it: use that one")
        })?;
        let next = found.offset;
        Ok(AsRead { next, read_to })
    }

    /// The same as it was noted last; `None`: it never was.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn noted(partition: &Partition, catalogue: &Catalogue) -> Result<Option<AsRead>> {
        let (topic, number) = partition;
        let Some(noted) = catalogue.noted(topic, number.unsigned_abs()) else {
            return Ok(None);
        };
        AsRead::committed(partition, &Committed::from(noted), noted.epoch).map(Some)
    }
}

/// What there is now of these partitions, whose first offset and the one after their last these
/// are.
pub fn look(
    config: &Config,
    health: &Arc<Health>,
    bounds: &BTreeMap<Partition, (i64, i64)>,
    logs: &BTreeMap<Partition, AsRead>,
) -> Result<BTreeMap<Partition, LogNow>> {
    let places = logs.iter().filter_map(|(partition, log)| {
        let (low, high) = bounds.get(partition)?;
        let offset = log.read_to.known_by.bookmark()?.offset;
        (*low..*high)
            .contains(&offset)
            .then(|| (partition.clone(), offset))
    });
    let there = messages(config, health, &places.collect())?;
    let mut compacted = BTreeMap::new();
    let mut found = BTreeMap::new();
    for (partition, (low, high)) in bounds {
        let there = match there.get(partition) {
            None => There::Unknown,
            Some(Some(bookmark)) => There::Message(*bookmark),
            Some(None) => {
                let topic = &partition.0;
                let compacted = compacted
                    .entry(topic.clone())
                    .or_insert_with(|| may_be_compacted(config, health, topic));
                match compacted {
                    true => There::PerhapsCompacted,
                    false => There::Nothing,
                }
            }
        };
        let (low, high) = (*low, *high);
        found.insert(partition.clone(), LogNow { low, high, there });
    }
    Ok(found)
}

/// The messages at these offsets; `None`: another one comes next, or none.
pub fn messages(
    config: &Config,
    health: &Arc<Health>,
    places: &BTreeMap<Partition, i64>,
) -> Result<BTreeMap<Partition, Option<Bookmark>>> {
    let mut found = BTreeMap::new();
    if places.is_empty() {
        return Ok(found);
    }
    // At an end, brokers are to say so at once.
    let at_once = [
        ("enable.partition.eof", "true"),
        ("fetch.wait.max.ms", "10"),
    ];
    let reader = client::reader_with(config, health, &at_once)?;
    // At its end a partition tells its number alone, so topics are read one after the other.
    let mut topics: Vec<&str> = places.keys().map(|(topic, _)| topic.as_str()).collect();
    topics.dedup();
    for topic in topics {
        let of_topic = places.iter().filter(|((of, _), _)| of == topic);
        let of_topic: BTreeMap<Partition, i64> =
            of_topic.map(|(p, offset)| (p.clone(), *offset)).collect();
        read_from(&reader, &of_topic)?;
        read_topic(&reader, config, health, &of_topic, &mut found)?;
        reader.unassign()?;
    }
    Ok(found)
}

/// Reads until each of these partitions has answered.
fn read_topic(
    reader: &BaseConsumer<client::Callbacks>,
    config: &Config,
    health: &Health,
    places: &BTreeMap<Partition, i64>,
    found: &mut BTreeMap<Partition, Option<Bookmark>>,
) -> Result<()> {
    let what = "read again what was read last of a topic";
    let start = clock::instant();
    while places
        .keys()
        .any(|partition| !found.contains_key(partition))
    {
        match reader.poll(WAIT) {
            Some(Ok(message)) => take(&message, places, found),
            Some(Err(KafkaError::PartitionEOF(number))) => {
                let ended = places.keys().filter(|(_, partition)| *partition == number);
                for partition in ended {
                    found.entry(partition.clone()).or_insert(None);
                }
            }
            // It has changed since its bounds were told. Who reads on hears of it.
            Some(Err(error)) if is_out_of_range(&error) => return Ok(()),
            Some(Err(error)) if !client::is_transient(&error) && !is_missing_topic(&error) => {
                bail!("could not {what}: {}", client::words(&error));
            }
            Some(Err(_)) | None => health.check(config.broker_timeout)?,
        }
        health.check_stop(what)?;
        if start.elapsed() > config.broker_timeout {
            bail!("could not {what}: nothing came");
        }
    }
    Ok(())
}

fn take(
    message: &BorrowedMessage<'_>,
    places: &BTreeMap<Partition, i64>,
    found: &mut BTreeMap<Partition, Option<Bookmark>>,
) {
    let partition = (message.topic().to_owned(), message.partition());
    let Some(offset) = places.get(&partition) else {
        return;
    };
    let bookmark = Bookmark::of(
        message.offset(),
        message.timestamp().to_millis(),
        message.payload().unwrap_or_default(),
    );
    let bookmark = (message.offset() == *offset).then_some(bookmark);
    found.entry(partition).or_insert(bookmark);
}

fn is_out_of_range(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(Code::AutoOffsetReset | Code::OffsetOutOfRange)
    )
}

/// Whether messages may be gone from the midst of a topic. Brokers that do not tell may say
/// anything.
fn may_be_compacted(config: &Config, health: &Health, topic: &str) -> bool {
    let policy = topics::properties(config, health, [topic].into_iter()).map(|found| {
        let mut found = found.iter();
        found.find_map(|topic| topic.get("cleanup.policy")?.value.clone())
    });
    match policy {
        Ok(Some(policy)) => policy.contains("compact"),
        Ok(None) => true,
        Err(error) => {
            tracing::debug!(
                topic,
                error = client::chain(&error),
                "the brokers do not tell whether a source is compacted"
            );
            true
        }
    }
}
