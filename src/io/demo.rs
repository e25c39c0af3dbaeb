//! What the demo needs of the world: brokers inside the process, and a stream sent to them.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfig as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use super::clock;
use crate::generate::GeneratedMessage;

/// Brokers inside this process (librdkafka's mock cluster), with the topics of an application.
pub struct Brokers {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Brokers {
    /// Starts them, with these topics and numbers of partitions.
    pub fn start(topics: &[(&str, i32)]) -> Result<Brokers> {
        let cluster = MockCluster::new(1).context("the brokers inside the process do not start")?;
        for (topic, partitions) in topics {
            cluster.create_topic(topic, *partitions, 1)?;
        }
        Ok(Brokers { cluster })
    }

    /// Where they listen.
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}

/// Sends `messages` round the partitions of `topic`, each when its time has come if the clock
/// ran `speed` times as fast from `start` on; `sent` is told of each.
pub fn play(
    address: &str,
    topic: &str,
    partitions: i32,
    messages: impl Iterator<Item = GeneratedMessage>,
    (start, speed): (i64, u32),
    mut sent: impl FnMut(&GeneratedMessage),
) -> Result<()> {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", address)
        .set("linger.ms", "5");
    let producer = ThreadedProducer::<DefaultProducerContext>::from_config(&settings)?;
    let began = clock::instant();
    for (message, partition) in messages.zip((0..partitions).cycle()) {
        let due = Duration::from_millis((message.time - start).max(0).cast_unsigned()) / speed;
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        let record = BaseRecord::<(), [u8]>::to(topic)
            .partition(partition)
            .timestamp(clock::now())
            .payload(&message.bytes);
        producer.send(record).map_err(|(error, _)| error)?;
        sent(&message);
    }
    producer.flush(Duration::from_secs(10))?;
    Ok(())
}
