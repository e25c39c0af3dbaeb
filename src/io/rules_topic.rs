//! `<app>.rules`, read to its end and written.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::{self, CALL, Health};
use super::clock;
use super::producer;
use super::topics::Names;
use crate::config::Config;
use crate::plan::Catalogue;

/// Reads all entries that are there now, also those that no transaction has committed: a plan is
/// written before it is used.
pub fn read(config: &Config, health: &Arc<Health>) -> Result<Catalogue> {
    let topic = Names::of(&config.app).rules;
    let more = [("isolation.level", "read_uncommitted")];
    let reader = client::reader_with(config, health, &more)?;
    let what = format!("read topic {topic}");
    let patience = config.broker_timeout;
    let (low, end) =
        health.patiently(patience, &what, || reader.fetch_watermarks(&topic, 0, CALL))?;
    let mut catalogue = Catalogue::default();
    if low >= end {
        return Ok(catalogue);
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Offset(low))?;
    reader.assign(&list)?;
    let mut heard = clock::instant();
    loop {
        match reader.poll(Duration::from_millis(50)) {
            Some(Ok(message)) => {
                heard = clock::instant();
                let key = String::from_utf8_lossy(message.key().unwrap_or_default());
                catalogue
                    .read(&key, message.payload())
                    .map_err(|why| anyhow!("{topic} offset {}: {why}", message.offset()))?;
            }
            Some(Err(error)) if !client::is_transient(&error) => {
                return Err(error).with_context(|| format!("could not {what}"));
            }
            Some(Err(_)) | None => health.check(patience)?,
        }
        if position(&reader, &topic)? >= end {
            return Ok(catalogue);
        }
        if heard.elapsed() > patience {
            bail!("could not {what}: nothing came");
        }
        health.check_stop(&what)?;
    }
}

/// The offset that is read next. Compaction leaves gaps, also before the end, so it is the
/// client that must say how far it has come.
fn position(
    reader: &rdkafka::consumer::BaseConsumer<client::Callbacks>,
    topic: &str,
) -> Result<i64> {
    let positions = reader.position()?;
    Ok(
        match positions
            .find_partition(topic, 0)
            .map(|element| element.offset())
        {
            Some(Offset::Offset(offset)) => offset,
            Some(_) | None => -1,
        },
    )
}

/// Writes entries in their order, and returns when all replicas have them.
pub fn write(config: &Config, health: &Arc<Health>, entries: &[(String, Vec<u8>)]) -> Result<()> {
    let topic = Names::of(&config.app).rules;
    let producer = producer::plain(config, health, true)?;
    for (key, value) in entries {
        let record = BaseRecord::<str, [u8]>::to(&topic)
            .partition(0)
            .key(key)
            .payload(value);
        producer
            .send(record)
            .map_err(|(error, _)| anyhow!("topic {topic} cannot be written: {error}"))?;
    }
    let start = clock::instant();
    while producer.in_flight_count() > 0 {
        if let Some((error, _)) = producer.context().failure() {
            bail!("topic {topic} cannot be written: {error}");
        }
        health.check(config.broker_timeout)?;
        health.check_stop("write the rules")?;
        if start.elapsed() > config.broker_timeout {
            bail!("topic {topic} cannot be written: nothing is acknowledged");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    match producer.context().failure() {
        Some((error, _)) => bail!("topic {topic} cannot be written: {error}"),
        None => Ok(()),
    }
}
