//! Producers: their settings, and what could not be delivered.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{Producer as _, ProducerContext, ThreadedProducer};

use super::client::{self, Health, lock};
use crate::config::Config;

/// Longer than any pause of a healthy worker, and short, since an open transaction of a frozen
/// one blocks all readers.
const TRANSACTION_TIMEOUT_MS: &str = "10000";

/// What the client takes beside the largest message that is written: its key, headers and frame.
const ENVELOPE_BYTES: usize = 100_000;

/// A producer that serves its callbacks itself.
pub type Producer = ThreadedProducer<Deliveries>;

fn producer_settings(config: &Config) -> rdkafka::ClientConfig {
    let mut settings = client::settings(config);
    settings
        .set("linger.ms", "1")
        .set("partitioner", "murmur2_random")
        .set("queue.buffering.max.kbytes", "131072")
        .set(
            "message.max.bytes",
            (config.message_bytes_max + ENVELOPE_BYTES).to_string(),
        );
    client::configured(&mut settings, config);
    settings.set("acks", "all");
    settings
}

/// A producer for the transactions of `id`.
pub fn transactional(config: &Config, health: &Arc<Health>, id: &str) -> Result<Producer> {
    let mut settings = producer_settings(config);
    settings
        .set("transactional.id", id)
        .set("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS);
    create(&settings, health)
}

/// A producer without transactions. It never gives a message up: what comes after a gap would be
/// taken for all there is. Where brokers have no idempotent producers, order is kept by sending one
/// request at a time.
pub fn plain(config: &Config, health: &Arc<Health>) -> Result<Producer> {
    let mut settings = producer_settings(config);
    settings.set("message.timeout.ms", "0");
    if health.has_idempotence() {
        settings.set("enable.idempotence", "true");
    } else {
        settings.set("max.in.flight.requests.per.connection", "1");
    }
    create(&settings, health)
}

/// Whether a producer of [`plain`] is of no use because the brokers have no idempotent ones. It has
/// sent nothing then, and the next one will do.
pub fn lacks_idempotence(producer: &Producer, health: &Health) -> bool {
    let fatal = producer.client().fatal_error();
    let lacks = matches!(fatal, Some((Code::UnsupportedFeature, _)));
    if lacks {
        health.do_without_idempotence();
    }
    lacks
}

fn create(settings: &rdkafka::ClientConfig, health: &Arc<Health>) -> Result<Producer> {
    let deliveries = Deliveries {
        health: Arc::clone(health),
        failure: Mutex::default(),
    };
    settings
        .create_with_context(deliveries)
        .map_err(|error| client::cannot_create(&error))
}

/// The callbacks of a producer: what could not be delivered.
pub struct Deliveries {
    health: Arc<Health>,
    failure: Mutex<Option<(KafkaError, String)>>,
}

impl Deliveries {
    /// Forgets failures, before something new is sent.
    pub fn begin(&self) {
        *lock(&self.failure) = None;
    }

    /// The first failure since [`Deliveries::begin`], and the topic of its message.
    pub fn failure(&self) -> Option<(KafkaError, String)> {
        lock(&self.failure).clone()
    }
}

impl ClientContext for Deliveries {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> client::TokenResult {
        Ok(self.health.token()?)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(&self.health, level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client::notice(&self.health, &error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            let mut failure = lock(&self.failure);
            failure.get_or_insert_with(|| (error.clone(), message.topic().to_owned()));
        }
    }
}
