//! Messages on their way to the brokers, and offsets committed after them.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _};

use super::rounds::rounds;
use super::undone::is_moving;
use super::{Fault, Message, PAUSE, Progress, Sink, offsets};
use crate::config::Delivery;
use crate::io::clock;
use crate::io::kafka::client;
use crate::io::kafka::group::Membership;
use crate::io::kafka::producer::Producer;

/// The longest that a commit waits for the group to have decided.
const REBALANCE: Duration = Duration::from_secs(2);

impl Sink {
    /// Writes, then commits: without a transaction.
    pub(super) fn write_then_commit(
        &self,
        producer: &Producer,
        membership: &Membership,
        messages: &[Message],
        progress: &[Progress],
    ) -> Result<(), Fault> {
        producer.context().begin();
        for round in rounds(messages) {
            round
                .into_iter()
                .try_for_each(|message| self.send(producer, message))?;
            self.wait_for_deliveries(producer)?;
        }
        if progress.is_empty() {
            // The client takes that for an error.
            return Ok(());
        }
        let offsets = offsets(progress).map_err(|error| Fault::Stop(error.into()))?;
        let start = clock::instant();
        loop {
            let error = match membership.commit(&offsets) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            self.health
                .check(self.config.broker_timeout)
                .map_err(Fault::Stop)?;
            match error.rdkafka_error_code() {
                // The client is about to learn the group's new generation.
                Some(Code::IllegalGeneration | Code::RebalanceInProgress)
                    if start.elapsed() < REBALANCE && !membership.is_lost() => {}
                Some(
                    Code::IllegalGeneration
                    | Code::UnknownMemberId
                    | Code::RebalanceInProgress
                    | Code::AssignmentLost
                    | Code::FencedInstanceId,
                ) => {
                    return Err(match is_moving(&error) {
                        true => Fault::Moving(client::words(&error)),
                        false => Fault::Abort(client::words(&error)),
                    });
                }
                // What is read is being made anew.
                Some(Code::UnknownTopicOrPartition) => {
                    return Err(Fault::Abort(client::words(&error)));
                }
                Some(code)
                    if client::is_transient_code(code)
                        && start.elapsed() < self.config.broker_timeout => {}
                Some(_) | None => return Err(Fault::Stop(error.into())),
            }
            self.health.check_stop("commit").map_err(Fault::Stop)?;
            std::thread::sleep(PAUSE);
        }
    }

    /// Hands a message to the client.
    pub(super) fn send(&self, producer: &Producer, message: &Message) -> Result<(), Fault> {
        let start = clock::instant();
        let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
        for (key, value) in &message.headers {
            headers = headers.insert(Header {
                key,
                value: Some(value),
            });
        }
        let mut record = BaseRecord::<str, [u8]>::to(&message.topic).payload(&message.payload[..]);
        record.partition = message.partition;
        record.key = message.key.as_deref();
        record.headers = (!message.headers.is_empty()).then_some(headers);
        loop {
            record = match producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(Code::QueueFull), record)) => record,
                Err((error, _)) => return Err(self.judge(error, &message.topic)),
            };
            self.health
                .check(self.config.broker_timeout)
                .map_err(Fault::Stop)?;
            std::thread::sleep(nap(start));
        }
    }

    /// Waits until the brokers have acknowledged everything that was sent.
    pub(super) fn wait_for_deliveries(&self, producer: &Producer) -> Result<(), Fault> {
        let start = clock::instant();
        loop {
            if let Some((error, topic)) = producer.context().failure() {
                return Err(self.judge(error, &topic));
            }
            if producer.in_flight_count() == 0 {
                return Ok(());
            }
            // What a producer that has failed for good has not sent it neither sends nor gives up.
            if let Some((_, why)) = producer.client().fatal_error() {
                return Err(Fault::Renew(why));
            }
            self.health
                .check(self.config.broker_timeout)
                .map_err(Fault::Stop)?;
            self.health.check_stop("write").map_err(Fault::Stop)?;
            if start.elapsed() > self.config.broker_timeout {
                return Err(Fault::Renew("the brokers acknowledge nothing".to_owned()));
            }
            std::thread::sleep(nap(start));
        }
    }

    /// What the failure of one message means.
    fn judge(&self, error: KafkaError, topic: &str) -> Fault {
        match error.rdkafka_error_code() {
            Some(
                Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize,
            ) => Fault::Stop(anyhow!(
                "a message is larger than topic {topic} takes. Raise its max.message.bytes, or \
                 lower limits.message_bytes"
            )),
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
                Fault::Stop(anyhow!(
                    "topic {topic} does not exist any more on {}; `watchfire topics check` says \
                     what is missing",
                    self.health.brokers()
                ))
            }
            Some(
                Code::TopicAuthorizationFailed
                | Code::InvalidTopic
                | Code::InvalidMessage
                | Code::InvalidRecord
                | Code::InvalidTimestamp
                | Code::UnsupportedForMessageFormat,
            ) => Fault::Stop(anyhow!(
                "topic {topic} cannot be written: {}",
                client::words(&error)
            )),
            Some(_) | None => match self.delivery() {
                Delivery::ExactlyOnce => Fault::Abort(client::words(&error)),
                Delivery::AtLeastOnce => Fault::Renew(client::words(&error)),
            },
        }
    }
}

/// How long to sleep before looking again for what has been awaited since `start`: short at first,
/// and never a spin.
fn nap(start: Instant) -> Duration {
    (start.elapsed() / 10).clamp(Duration::from_millis(1), Duration::from_millis(50))
}
