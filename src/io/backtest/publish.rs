//! The incidents of a backtest into a topic, as a worker would write them.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _};

use super::topic::Cluster;
use crate::encode::message::Outgoing;
use crate::incident::Incident;
use crate::io::kafka::client::START_PATIENCE;
use crate::io::kafka::producer::{self, Producer};
use crate::io::kafka::topics::{self, Names};
use crate::io::registry;

/// Between two looks at what the brokers have taken.
const PAUSE: Duration = Duration::from_millis(10);

/// Whether incidents may be written to `topic`.
///
/// # Errors
///
/// It is a topic of the live application or one that it reads, or does not exist.
pub fn check(cluster: &Cluster, topic: &str) -> Result<()> {
    let config = &cluster.config;
    let names = Names::of(&config.app);
    let own = [
        &*names.incidents,
        &*names.matches,
        &*names.dead_letters,
        &*names.rules,
    ];
    if own.contains(&topic) || config.sources.iter().any(|source| source == topic) {
        bail!(
            "--output kafka://{topic}: this is a topic of the application {}; what is replayed \
             must go to another one",
            config.app
        );
    }
    let existing = topics::partitions(config, &cluster.health, START_PATIENCE)?;
    if !existing.contains_key(topic) {
        bail!(
            "--output kafka://{topic}: the topic does not exist on {}; make it first",
            cluster.health.brokers()
        );
    }
    Ok(())
}

/// Writes all of them, each under its id, as the configuration has a worker write them.
///
/// # Errors
///
/// The brokers do not take them.
pub fn publish<'i>(
    cluster: &Cluster,
    topic: &str,
    incidents: impl Iterator<Item = &'i Incident> + Clone,
) -> Result<()> {
    let producer = producer::plain(&cluster.config, &cluster.health)?;
    let published = try_to_publish(cluster, &producer, topic, incidents.clone());
    if !producer::lacks_idempotence(&producer, &cluster.health) {
        return published;
    }
    let producer = producer::plain(&cluster.config, &cluster.health)?;
    try_to_publish(cluster, &producer, topic, incidents)
}

fn try_to_publish<'i>(
    cluster: &Cluster,
    producer: &Producer,
    topic: &str,
    incidents: impl Iterator<Item = &'i Incident>,
) -> Result<()> {
    producer.context().begin();
    let publishing = registry::resolved(&cluster.config, &cluster.health)?.publishing();
    for incident in incidents {
        let message = publishing.message(incident.clone());
        send(cluster, producer, topic, &message)?;
    }
    while producer.in_flight_count() > 0 {
        wait(cluster, producer)?;
    }
    failure(producer)
}

fn send(cluster: &Cluster, producer: &Producer, topic: &str, message: &Outgoing) -> Result<()> {
    let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
    for (key, value) in &message.headers {
        headers = headers.insert(Header {
            key,
            value: Some(value),
        });
    }
    let record = BaseRecord::<str, [u8]>::to(topic).key(&message.key);
    let mut record = record.payload(&message.value).headers(headers);
    loop {
        record = match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(Code::QueueFull), record)) => record,
            Err((error, _)) => {
                return Err(error).with_context(|| format!("topic {topic} cannot be written"));
            }
        };
        wait(cluster, producer)?;
    }
}

fn wait(cluster: &Cluster, producer: &Producer) -> Result<()> {
    cluster.health.check(cluster.config.broker_timeout)?;
    failure(producer)?;
    std::thread::sleep(PAUSE);
    Ok(())
}

fn failure(producer: &Producer) -> Result<()> {
    match producer.context().failure() {
        Some((error, topic)) => {
            Err(error).with_context(|| format!("topic {topic} cannot be written"))
        }
        None => Ok(()),
    }
}
