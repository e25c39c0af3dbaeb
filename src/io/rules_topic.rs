//! `<app>.rules`, read to its end and written.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::{self, CALL, Health, PAUSE, START_PATIENCE};
use super::clock;
use super::producer;
use super::rule_set::RuleSet;
use super::topics::Names;
use crate::config::Config;
use crate::plan::{Catalogue, Plan, Reading, Source};
use crate::time::{Millis, second_of};

/// Reads all entries that are there now.
pub fn read(config: &Config, health: &Arc<Health>) -> Result<Catalogue> {
    let mut catalogue = Catalogue::default();
    each(config, health, &mut |entry| {
        catalogue.read(entry.key, entry.value)
    })?;
    Ok(catalogue)
}

/// One entry of the topic.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'m> {
    /// Such as `rule/<hash>`.
    pub key: &'m str,
    /// `None`: deleted.
    pub value: Option<&'m [u8]>,
    /// When it was written, as far as the broker says.
    pub written: Option<Millis>,
}

/// Hands all entries that are there now to `each`, in order, also those that no transaction has
/// committed: a plan is written before it is used.
pub fn each(
    config: &Config,
    health: &Arc<Health>,
    each: &mut dyn FnMut(Entry<'_>) -> Result<(), String>,
) -> Result<()> {
    let topic = Names::of(&config.app).rules;
    let more = [("isolation.level", "read_uncommitted")];
    let reader = client::reader_with(config, health, &more)?;
    let what = format!("read topic {topic}");
    let patience = config.broker_timeout;
    let (low, end) =
        health.patiently(patience, &what, || reader.fetch_watermarks(&topic, 0, CALL))?;
    if low >= end {
        return Ok(());
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
                let entry = Entry {
                    key: &key,
                    value: message.payload(),
                    written: message.timestamp().to_millis(),
                };
                each(entry).map_err(|why| anyhow!("{topic} offset {}: {why}", message.offset()))?;
            }
            Some(Err(error)) if !client::is_transient(&error) => {
                return Err(error).with_context(|| format!("could not {what}"));
            }
            Some(Err(_)) | None => health.check(patience)?,
        }
        if position(&reader, &topic)? >= end {
            return Ok(());
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

/// Writes entries in their order, and returns when all replicas have them. A broker that has just
/// come back may know nothing of the topic: then they are written again, which changes nothing of
/// those that are there.
pub fn write(config: &Config, health: &Arc<Health>, entries: &[(String, Vec<u8>)]) -> Result<()> {
    let topic = Names::of(&config.app).rules;
    let start = clock::instant();
    while let Some(error) = try_to_write(config, health, &topic, entries)? {
        let passes = error.rdkafka_error_code() == Some(Code::UnknownTopicOrPartition);
        if !passes || start.elapsed() > START_PATIENCE {
            bail!("topic {topic} cannot be written: {error}");
        }
        health.check_stop("write the rules")?;
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// The same once; what the brokers said against it.
fn try_to_write(
    config: &Config,
    health: &Arc<Health>,
    topic: &str,
    entries: &[(String, Vec<u8>)],
) -> Result<Option<KafkaError>> {
    let producer = producer::plain(config, health, true)?;
    for (key, value) in entries {
        let record = BaseRecord::<str, [u8]>::to(topic)
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
            return Ok(Some(error));
        }
        health.check(config.broker_timeout)?;
        health.check_stop("write the rules")?;
        if start.elapsed() > config.broker_timeout {
            bail!("topic {topic} cannot be written: nothing is acknowledged");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(producer.context().failure().map(|(error, _)| error))
}

/// Makes the plan of these rules and sources known, and loads it as everybody will. `sources`
/// gives them as the topic knows them.
pub fn take_into_use(
    config: &Config,
    health: &Arc<Health>,
    set: &RuleSet,
    sources: &dyn Fn(&Catalogue) -> Vec<Source>,
) -> Result<(Catalogue, Arc<Plan>)> {
    let catalogue = read(config, health)?;
    let minute = second_of(clock::now()).div_euclid(60) * 60;
    let draft = catalogue.draft(
        &set.rules,
        &set.attributes,
        config.settings,
        Reading {
            sources: sources(&catalogue),
            decoding: config.decoding,
        },
        minute,
    );
    let catalogue = if draft.entries.is_empty() {
        catalogue
    } else {
        write(config, health, &draft.entries)?;
        read(config, health)?
    };
    let plan = catalogue.plan(draft.plan).cloned().ok_or_else(|| {
        anyhow!(
            "plan {} was written to topic {}, and is not there: is that topic compacted, with one \
             partition?",
            draft.plan,
            Names::of(&config.app).rules
        )
    })?;
    tracing::info!(
        plan = plan.hash.to_string(),
        rules = plan.rules.len(),
        new_entries = draft.entries.len(),
        "plan is known to all"
    );
    Ok((catalogue, plan))
}
