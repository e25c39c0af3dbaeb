//! What a stage writes, tied to what it has read: by a transaction, or by order.
//!
//! A commit has three ends. It succeeded. Or what it would have written is certainly not, or not
//! certainly, there: then the stage forgets everything that it has not committed and begins again
//! at the offsets that the brokers have. Or nothing helps: an error.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::{self, Health, START_PATIENCE};
use super::clock;
use super::group::{Group, Partition};
use super::producer::{CALL, Producer, init, is_retriable, plain, transactional};
use crate::config::{Config, Delivery};

/// Before work that was dropped is done again.
const PAUSE: Duration = Duration::from_millis(200);

/// A message to be written.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The topic it goes to.
    pub topic: Arc<str>,
    /// `None`: by the hash of the key.
    pub partition: Option<i32>,
    /// Its key, if it has one.
    pub key: Option<String>,
    /// Its value.
    pub payload: Vec<u8>,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
}

/// How far a partition has been read: the next offset, and a note that comes back with it.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The partition read.
    pub partition: Partition,
    /// The next offset.
    pub offset: i64,
    /// The note.
    pub metadata: String,
}

/// What became of a commit.
#[derive(Debug)]
pub enum Outcome {
    /// Everything is written, and the offsets are committed.
    Committed,
    /// Everything since the last commit must be done again, from the committed offsets; why.
    Dropped(String),
}

/// What went wrong on the way to a commit.
enum Fault {
    /// The transaction can be aborted.
    Abort(String),
    /// Nothing is known, or the producer is of no more use: it must be made anew.
    Renew(String),
    /// Doing it again does not help.
    Stop(anyhow::Error),
}

/// The writer of one stage.
pub struct Sink {
    config: Config,
    health: Arc<Health>,
    delivery: Delivery,
    transactional_id: String,
    /// Whether the brokers know idempotent producers.
    idempotent: bool,
    producer: Producer,
    /// Since when no commit has succeeded.
    failing: Option<Instant>,
}

impl Sink {
    /// A sink in the given way; without one, transactions where the brokers have them.
    /// `transactional_id` is the stage's in this worker, and no other's.
    pub fn open(
        config: &Config,
        health: &Arc<Health>,
        delivery: Option<Delivery>,
        transactional_id: String,
    ) -> Result<Sink> {
        let exactly_once = || -> Result<KafkaResult<Producer>> {
            let producer = transactional(config, health, &transactional_id)?;
            let started = init(&producer, health, START_PATIENCE)?;
            Ok(started.map(|()| producer))
        };
        let (delivery, producer) = match delivery {
            Some(Delivery::AtLeastOnce) => (Delivery::AtLeastOnce, plain(config, health, true)?),
            Some(Delivery::ExactlyOnce) => match exactly_once()? {
                Ok(producer) => (Delivery::ExactlyOnce, producer),
                Err(error) => {
                    return Err(anyhow!(
                        "the brokers at {} do not run transactions: {error}. Set delivery = \
                         \"at_least_once\", or leave it out to have what the brokers can do",
                        health.brokers()
                    ));
                }
            },
            None => match exactly_once()? {
                Ok(producer) => {
                    tracing::info!("the brokers run transactions: delivery is exactly_once");
                    (Delivery::ExactlyOnce, producer)
                }
                Err(error) => {
                    tracing::warn!(
                        %error,
                        "the brokers do not run transactions: delivery is at_least_once"
                    );
                    (Delivery::AtLeastOnce, plain(config, health, true)?)
                }
            },
        };
        Ok(Sink {
            config: config.clone(),
            health: Arc::clone(health),
            delivery,
            transactional_id,
            idempotent: true,
            producer,
            failing: None,
        })
    }

    /// How output is tied to offsets.
    pub fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// Writes `messages` and commits `progress`, which must name all partitions assigned, also
    /// those where nothing has moved: that is what stops a worker that others have replaced.
    pub fn commit(
        &mut self,
        group: &Group,
        messages: &[Message],
        progress: &[Progress],
    ) -> Result<Outcome> {
        if group.is_lost() {
            return Ok(Outcome::Dropped(
                "the group has given our partitions to others".into(),
            ));
        }
        let done = match self.delivery {
            Delivery::ExactlyOnce => self.transact(group, messages, progress),
            Delivery::AtLeastOnce => self.write_then_commit(group, messages, progress),
        };
        let fault = match done {
            Ok(()) => {
                self.failing = None;
                self.health.up();
                return Ok(Outcome::Committed);
            }
            Err(fault) => fault,
        };
        let why = self.clear_up(fault)?;
        let failing = *self.failing.get_or_insert_with(clock::instant);
        self.health.check(self.config.broker_timeout)?;
        self.health.check_stop("commit")?;
        if failing.elapsed() > self.config.broker_timeout {
            let time = humantime::format_duration(self.config.broker_timeout);
            return Err(anyhow!("nothing could be committed for {time}: {why}"));
        }
        std::thread::sleep(PAUSE);
        Ok(Outcome::Dropped(why))
    }

    /// Makes the sink fit for the next commit.
    fn clear_up(&mut self, fault: Fault) -> Result<String> {
        match fault {
            Fault::Stop(error) => Err(error),
            Fault::Abort(why) if self.delivery == Delivery::AtLeastOnce => Ok(why),
            Fault::Abort(why) => {
                if let Err(error) = self.abort() {
                    tracing::info!(%error, "the transaction could not be aborted");
                    self.renew()?;
                }
                Ok(why)
            }
            Fault::Renew(why) => {
                self.renew()?;
                Ok(why)
            }
        }
    }

    fn abort(&self) -> Result<(), String> {
        let start = clock::instant();
        loop {
            match self.producer.abort_transaction(CALL) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error))
                    if error.is_retriable() && start.elapsed() < 4 * CALL =>
                {
                    self.health
                        .check_stop("abort")
                        .map_err(|error| error.to_string())?;
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// A new producer in place of the old one. Starting its transactions ends that of the old
    /// one, this way or the other: only then the committed offsets say which.
    fn renew(&mut self) -> Result<()> {
        self.producer = match self.delivery {
            Delivery::ExactlyOnce => {
                let id = &self.transactional_id;
                let producer = transactional(&self.config, &self.health, id)?;
                init(&producer, &self.health, self.config.broker_timeout)??;
                producer
            }
            Delivery::AtLeastOnce => plain(&self.config, &self.health, self.idempotent)?,
        };
        Ok(())
    }

    fn transact(
        &self,
        group: &Group,
        messages: &[Message],
        progress: &[Progress],
    ) -> Result<(), Fault> {
        self.producer.context().begin();
        let offsets = offsets(progress).map_err(|error| Fault::Stop(error.into()))?;
        self.again(|| self.producer.begin_transaction())?;
        messages.iter().try_for_each(|message| self.send(message))?;
        self.wait_for_deliveries()?;
        self.again(|| {
            group
                .with_membership(|me| {
                    self.producer
                        .send_offsets_to_transaction(&offsets, me, CALL)
                })
                .unwrap_or(Err(KafkaError::Canceled))
        })?;
        self.again(|| self.producer.commit_transaction(CALL))
    }

    /// Makes a call about the transaction, and makes it again while that may help.
    fn again(&self, mut call: impl FnMut() -> KafkaResult<()>) -> Result<(), Fault> {
        let start = clock::instant();
        loop {
            let error = match call() {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            self.health
                .check(self.config.broker_timeout)
                .map_err(Fault::Stop)?;
            if let KafkaError::Transaction(why) = &error
                && why.txn_requires_abort()
            {
                return Err(Fault::Abort(why.to_string()));
            }
            if error == KafkaError::Canceled {
                return Err(Fault::Abort(
                    "the group has taken our partitions".to_owned(),
                ));
            }
            if !is_retriable(&error) {
                return Err(Fault::Renew(error.to_string()));
            }
            if start.elapsed() > self.config.broker_timeout {
                return Err(Fault::Renew(error.to_string()));
            }
            self.health.check_stop("commit").map_err(Fault::Stop)?;
        }
    }

    fn write_then_commit(
        &mut self,
        group: &Group,
        messages: &[Message],
        progress: &[Progress],
    ) -> Result<(), Fault> {
        self.producer.context().begin();
        messages.iter().try_for_each(|message| self.send(message))?;
        if let Err(fault) = self.wait_for_deliveries() {
            self.do_without_idempotence();
            return Err(fault);
        }
        let offsets = offsets(progress).map_err(|error| Fault::Stop(error.into()))?;
        let start = clock::instant();
        loop {
            let error = match group.commit(&offsets) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            self.health
                .check(self.config.broker_timeout)
                .map_err(Fault::Stop)?;
            match error.rdkafka_error_code() {
                Some(
                    Code::IllegalGeneration
                    | Code::UnknownMemberId
                    | Code::RebalanceInProgress
                    | Code::AssignmentLost
                    | Code::FencedInstanceId,
                ) => return Err(Fault::Abort(error.to_string())),
                Some(code)
                    if client::is_transient_code(code)
                        && start.elapsed() < self.config.broker_timeout => {}
                Some(_) | None => return Err(Fault::Stop(error.into())),
            }
            self.health.check_stop("commit").map_err(Fault::Stop)?;
            std::thread::sleep(PAUSE);
        }
    }

    /// Where brokers have no idempotent producers, order is kept by sending one request at a
    /// time.
    fn do_without_idempotence(&mut self) {
        let fatal = self.producer.client().fatal_error();
        if matches!(fatal, Some((Code::UnsupportedFeature, _))) && self.idempotent {
            tracing::warn!("the brokers have no idempotent producers: sending one by one");
            self.idempotent = false;
        }
    }

    fn send(&self, message: &Message) -> Result<(), Fault> {
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
            record = match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(Code::QueueFull), record)) => record,
                Err((error, _)) => return Err(self.judge(error, &message.topic)),
            };
            self.health
                .check(self.config.broker_timeout)
                .map_err(Fault::Stop)?;
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the brokers have acknowledged everything that was sent.
    fn wait_for_deliveries(&self) -> Result<(), Fault> {
        let start = clock::instant();
        loop {
            if let Some((error, topic)) = self.producer.context().failure() {
                return Err(self.judge(error, &topic));
            }
            if self.producer.in_flight_count() == 0 {
                return Ok(());
            }
            self.health
                .check(self.config.broker_timeout)
                .map_err(Fault::Stop)?;
            self.health.check_stop("write").map_err(Fault::Stop)?;
            if start.elapsed() > self.config.broker_timeout {
                return Err(Fault::Renew("the brokers acknowledge nothing".to_owned()));
            }
            std::thread::sleep(Duration::from_millis(1));
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
            ) => Fault::Stop(anyhow!("topic {topic} cannot be written: {error}")),
            Some(_) | None => match self.delivery {
                Delivery::ExactlyOnce => Fault::Abort(error.to_string()),
                Delivery::AtLeastOnce => Fault::Renew(error.to_string()),
            },
        }
    }
}

fn offsets(progress: &[Progress]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(progress.len());
    for Progress {
        partition: (topic, partition),
        offset,
        metadata,
    } in progress
    {
        let mut element = list.add_partition(topic, *partition);
        element.set_offset(Offset::Offset(*offset))?;
        element.set_metadata(metadata);
    }
    Ok(list)
}
