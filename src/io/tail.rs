//! The incidents topic, read without being part of any group.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::Offset;

use super::client::{self, Health, START_PATIENCE};
use super::clock;
use super::group::{self, Partition, look_up};
use super::topics::{self, Names};
use crate::config::Config;

/// Where to begin and where to end.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Begin with the oldest incident instead of the next one.
    pub from_beginning: bool,
    /// End where the topic ends now.
    pub until_end: bool,
}

/// Hands every message of the incidents topic to `each`, as transactions commit them.
pub fn tail(
    config: &Config,
    health: &Arc<Health>,
    range: Range,
    each: &mut dyn FnMut(&BorrowedMessage<'_>) -> Result<()>,
) -> Result<()> {
    let topic = Names::of(&config.app).incidents;
    let existing = topics::partitions(config, health, START_PATIENCE)?;
    let Some(count) = existing.get(&*topic) else {
        bail!("topic {topic} does not exist on {}", health.brokers());
    };
    let partitions: Vec<Partition> = (0..*count)
        .map(|number| (topic.to_string(), number.cast_signed()))
        .collect();
    let reader = client::reader(config, health, true)?;
    let place = if range.from_beginning {
        Offset::Beginning
    } else {
        Offset::End
    };
    let starts = health.patiently(START_PATIENCE, "find the place to begin", || {
        look_up(&reader, &partitions, place)
    })?;
    group::read_from(&reader, &starts)?;
    let mut open: Vec<i32> = partitions.into_iter().map(|(_, number)| number).collect();
    let mut heard = clock::instant();
    while !(range.until_end && open.is_empty()) {
        match reader.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                heard = clock::instant();
                health.up();
                each(&message)?;
            }
            Some(Err(KafkaError::PartitionEOF(number))) => {
                heard = clock::instant();
                open.retain(|open| *open != number);
            }
            Some(Err(error)) if !client::is_transient(&error) => {
                bail!("reading {topic} failed: {error}");
            }
            Some(Err(_)) | None => health.check(config.broker_timeout)?,
        }
        if range.until_end && heard.elapsed() > config.broker_timeout {
            bail!("reading {topic}: nothing comes");
        }
    }
    Ok(())
}
