//! Messages written to a topic beside the worker, at least once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseRecord, Producer as _};

use super::client::{self, Health};
use super::producer::{Producer, lacks_idempotence, plain};
use crate::config::Config;
use crate::io::clock;
use crate::time::Millis;

/// Between two looks at what is acknowledged.
const PAUSE: Duration = Duration::from_millis(5);

/// A message without a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its time; `None`: when it is written.
    pub time: Option<Millis>,
    /// What it holds.
    pub value: Vec<u8>,
}

/// Writes to a topic.
pub struct Append<'a> {
    config: &'a Config,
    health: &'a Arc<Health>,
    topic: &'a str,
    producer: Producer,
}

impl<'a> Append<'a> {
    /// Writes to `topic`.
    ///
    /// # Errors
    ///
    /// The client cannot be made.
    pub fn to(config: &'a Config, health: &'a Arc<Health>, topic: &'a str) -> Result<Append<'a>> {
        Ok(Append {
            config,
            health,
            topic,
            producer: plain(config, health)?,
        })
    }

    /// Writes entries, and returns when all replicas have them.
    ///
    /// # Errors
    ///
    /// The topic does not take them; some may be written.
    pub fn write(&mut self, entries: &[Entry]) -> Result<()> {
        let Some(mut error) = self.try_to_write(entries)? else {
            return Ok(());
        };
        if lacks_idempotence(&self.producer, self.health) {
            // It has sent nothing.
            self.producer = plain(self.config, self.health)?;
            match self.try_to_write(entries)? {
                Some(again) => error = again,
                None => return Ok(()),
            }
        }
        bail!(
            "topic {} cannot be written: {}",
            self.topic,
            client::words(&error)
        );
    }

    /// The same once; what the client or the brokers said against it.
    fn try_to_write(&self, entries: &[Entry]) -> Result<Option<KafkaError>> {
        let producer = &self.producer;
        producer.context().begin();
        for Entry { time, value } in entries {
            let mut record = BaseRecord::<[u8], [u8]>::to(self.topic).payload(value);
            record.timestamp = *time;
            loop {
                record = match producer.send(record) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(Code::QueueFull), record)) => record,
                    Err((error, _)) => return Ok(Some(error)),
                };
                if let Some(error) = self.failure() {
                    return Ok(Some(error));
                }
                self.health.check(self.config.broker_timeout)?;
                std::thread::sleep(PAUSE);
            }
        }
        let start = clock::instant();
        while producer.in_flight_count() > 0 {
            if let Some(error) = self.failure() {
                return Ok(Some(error));
            }
            self.health.check(self.config.broker_timeout)?;
            if start.elapsed() > self.config.broker_timeout {
                bail!(
                    "topic {} cannot be written: nothing is acknowledged",
                    self.topic
                );
            }
            std::thread::sleep(PAUSE);
        }
        Ok(self.failure())
    }

    /// What was said against a message, or why the producer is of no more use.
    fn failure(&self) -> Option<KafkaError> {
        let refused = self.producer.context().failure();
        let fatal = self.producer.client().fatal_error();
        let fatal = fatal.map(|(code, _)| KafkaError::MessageProduction(code));
        refused.map(|(error, _)| error).or(fatal)
    }
}
