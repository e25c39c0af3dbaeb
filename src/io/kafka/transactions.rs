//! Transactions, with the calls about them made on a thread of their own.
//!
//! Such a call may never come back, whatever time-out it was given: when the broker that
//! coordinates the group goes away and is missing from the metadata for a moment, librdkafka (2.12)
//! waits for it for ever (confluentinc/librdkafka, issues 5456 and 5511). A thread that hangs is
//! left behind with its producer; a new producer with the same transactional id ends what the old
//! one has begun.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::client::{self, Health};
use super::producer::{self, Producer};
use crate::config::Config;
use crate::io::clock;

/// The longest that one call may take before it is made again.
pub const CALL: Duration = Duration::from_secs(5);

/// A call that takes this long hangs.
const HANGS: Duration = Duration::from_secs(15);

/// What a call that hangs has failed with.
const HUNG: KafkaError = KafkaError::Global(Code::OperationTimedOut);

/// A call about the transaction.
enum Call {
    Init,
    Begin,
    SendOffsets(TopicPartitionList, Arc<ConsumerGroupMetadata>),
    Commit,
    Abort,
}

/// A producer and the thread that makes the calls about its transactions.
pub struct Transactions {
    producer: Arc<Producer>,
    calls: Sender<Call>,
    results: Receiver<KafkaResult<()>>,
}

impl Transactions {
    /// Starts the transactions of `id`, and ends those of a producer before this one. The outer
    /// error: the brokers are away; the inner one: they do not run transactions.
    pub fn start(
        config: &Config,
        health: &Arc<Health>,
        id: &str,
        patience: Duration,
    ) -> Result<KafkaResult<Transactions>> {
        let producer = Arc::new(producer::transactional(config, health, id)?);
        let (calls, called) = channel();
        let (done, results) = channel();
        let theirs = Arc::clone(&producer);
        std::thread::Builder::new()
            .name("transactions".to_owned())
            .spawn(move || {
                while let Ok(call) = called.recv() {
                    if done.send(make(&theirs, call)).is_err() {
                        return;
                    }
                }
            })?;
        let transactions = Transactions {
            producer,
            calls,
            results,
        };
        let started = transactions.init(health, patience)?;
        Ok(started.map(|()| transactions))
    }

    fn init(&self, health: &Health, patience: Duration) -> Result<KafkaResult<()>> {
        let start = clock::instant();
        loop {
            let error = match self.call(Call::Init) {
                Ok(()) => return Ok(Ok(())),
                Err(error) => error,
            };
            health.check(patience)?;
            health.check_stop("start transactions")?;
            if error == HUNG {
                bail!("transactions could not be started: the client does not come back");
            }
            if !is_retriable(&error) {
                return Ok(Err(error));
            }
            if start.elapsed() > patience {
                let said = client::words(&error);
                return Err(anyhow!(
                    "transactions could not be started within {}: {said}. Check that the \
                     brokers run and that their transaction.state.log.replication.factor is not \
                     above their number, or set delivery = \"at_least_once\"",
                    humantime::format_duration(patience)
                ));
            }
        }
    }

    /// What sends the messages.
    pub fn producer(&self) -> &Producer {
        &self.producer
    }

    /// Whether the brokers have stopped this producer because of its id: another one has it, or it
    /// was away for longer than a transaction may take.
    pub fn is_fenced(&self) -> bool {
        let fatal = self.producer.client().fatal_error();
        matches!(
            fatal,
            Some((
                Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch,
                _
            ))
        )
    }

    /// Begins a transaction.
    pub fn begin(&self) -> KafkaResult<()> {
        self.call(Call::Begin)
    }

    /// Adds the offsets read by a member of a group.
    pub fn send_offsets(
        &self,
        offsets: &TopicPartitionList,
        member: &Arc<ConsumerGroupMetadata>,
    ) -> KafkaResult<()> {
        self.call(Call::SendOffsets(offsets.clone(), Arc::clone(member)))
    }

    /// Commits the transaction.
    pub fn commit(&self) -> KafkaResult<()> {
        self.call(Call::Commit)
    }

    /// Aborts the transaction.
    pub fn abort(&self) -> KafkaResult<()> {
        self.call(Call::Abort)
    }

    fn call(&self, call: Call) -> KafkaResult<()> {
        self.calls.send(call).map_err(|_| HUNG)?;
        self.results.recv_timeout(HANGS).unwrap_or(Err(HUNG))
    }
}

fn make(producer: &Producer, call: Call) -> KafkaResult<()> {
    match call {
        Call::Init => producer.init_transactions(CALL),
        Call::Begin => producer.begin_transaction(),
        Call::SendOffsets(offsets, member) => {
            producer.send_offsets_to_transaction(&offsets, &member, CALL)
        }
        Call::Commit => producer.commit_transaction(CALL),
        Call::Abort => producer.abort_transaction(CALL),
    }
}

/// Whether the same call may be made again.
pub fn is_retriable(error: &KafkaError) -> bool {
    if let KafkaError::Transaction(why) = error {
        why.is_retriable()
    } else {
        matches!(error, KafkaError::Flush(_))
    }
}
