//! What a stage writes, tied to what it has read: by a transaction, or by order.
//!
//! A commit has three ends. It succeeded. Or what it would have written is certainly not, or not
//! certainly, there: then the stage forgets everything that it has not committed and begins again
//! at the offsets that the brokers have. Or nothing helps: an error.

mod batch;
mod rounds;
mod transact;
mod undone;
mod write;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::{self, Health, START_PATIENCE};
use super::group::{Membership, Partition};
use super::identity::Identity;
use super::producer::{Producer, lacks_idempotence, plain};
use super::transactions::Transactions;
use crate::config::{Config, Delivery};
use crate::io::beside::Beside;
use crate::io::clock;
pub use batch::Rhythm;
pub use undone::Undone;

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
    /// Everything since the last commit must be done again, from the committed offsets.
    Undone(Undone),
}

/// What went wrong on the way to a commit.
enum Fault {
    /// The transaction can be aborted.
    Abort(String),
    /// So it can, and nothing is wrong: the group is moving partitions.
    Moving(String),
    /// Nothing is known, or the producer is of no more use: it must be made anew.
    Renew(String),
    /// Doing it again does not help.
    Stop(anyhow::Error),
}

/// How output is tied to offsets.
enum Writer {
    Transactional(Transactions),
    Plain(Producer),
}

/// A commit that has ended.
pub struct Ended {
    /// What became of it.
    pub outcome: Result<Outcome>,
    /// How much is to be committed at once from here on, and how often.
    pub rhythm: Rhythm,
}

/// Waits until no commit is on its way any more, whatever comes of it.
pub fn wait_out<Batch: Send + 'static>(writer: &mut Beside<Batch, Ended>) {
    let ended = writer.wait().transpose();
    if let Some(Err(error)) = ended.map(|ended| ended.and_then(|ended| ended.outcome)) {
        tracing::info!(
            error = client::chain(&error),
            "the commit that was on its way has failed, too"
        );
    }
}

/// The writer of one stage.
pub struct Sink {
    config: Config,
    health: Arc<Health>,
    identity: Arc<Identity>,
    transactional_id: String,
    writer: Writer,
    /// Since when no commit has succeeded.
    failing: Option<Instant>,
    rhythm: Rhythm,
}

impl Sink {
    /// A sink in the given way; without one, transactions where the brokers have them.
    /// `transactional_id` is the stage's in this worker, and no other's.
    pub fn open(
        config: &Config,
        identity: &Arc<Identity>,
        delivery: Option<Delivery>,
        transactional_id: String,
    ) -> Result<Sink> {
        let health = identity.health();
        let transactions =
            || Transactions::start(config, health, &transactional_id, START_PATIENCE);
        let plain = || plain(config, health).map(Writer::Plain);
        let writer = match delivery {
            Some(Delivery::AtLeastOnce) => plain()?,
            Some(Delivery::ExactlyOnce) => match transactions()? {
                Ok(transactions) => Writer::Transactional(transactions),
                Err(error) => {
                    return Err(anyhow!(
                        "the brokers at {} do not run transactions: {}. Set delivery = \
                         \"at_least_once\", or leave it out to have what the brokers can do",
                        health.brokers(),
                        client::words(&error)
                    ));
                }
            },
            None => match transactions()? {
                Ok(transactions) => {
                    tracing::info!("the brokers run transactions: delivery is exactly_once");
                    Writer::Transactional(transactions)
                }
                Err(error) => {
                    tracing::warn!(
                        error = client::words(&error),
                        "the brokers do not run transactions: delivery is at_least_once"
                    );
                    plain()?
                }
            },
        };
        Ok(Sink {
            config: config.clone(),
            health: Arc::clone(health),
            identity: Arc::clone(identity),
            transactional_id,
            writer,
            failing: None,
            rhythm: Rhythm::new(config.commit_interval, config.kafka.event_hubs),
        })
    }

    /// The process that writes.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// How output is tied to offsets.
    pub fn delivery(&self) -> Delivery {
        match &self.writer {
            Writer::Transactional(_) => Delivery::ExactlyOnce,
            Writer::Plain(_) => Delivery::AtLeastOnce,
        }
    }

    /// How much is to be committed at once, and how often.
    pub fn rhythm(&self) -> Rhythm {
        self.rhythm
    }

    /// Writes `messages` and commits `progress`, which must name all partitions assigned, also
    /// those where nothing has moved: that is what stops a worker that others have replaced.
    /// `membership`: that under which all this was read.
    pub fn commit(
        &mut self,
        membership: &Membership,
        messages: &[Message],
        progress: &[Progress],
    ) -> Result<Outcome> {
        if membership.is_lost() {
            let reason = "the group has given our partitions to others".to_owned();
            return Ok(Outcome::Undone(Undone::Failed(reason)));
        }
        let start = clock::instant();
        let done = match &self.writer {
            Writer::Transactional(transactions) => {
                self.transact(transactions, membership, messages, progress)
            }
            Writer::Plain(producer) => {
                self.write_then_commit(producer, membership, messages, progress)
            }
        };
        let bytes = messages.iter().map(|message| message.payload.len()).sum();
        self.rhythm = self.rhythm.after(bytes, start.elapsed());
        let fault = match done {
            Ok(()) => {
                self.failing = None;
                self.health.up();
                return Ok(Outcome::Committed);
            }
            Err(fault) => fault,
        };
        let undone = self.clear_up(fault)?;
        let failing = *self.failing.get_or_insert_with(clock::instant);
        self.health.check(self.config.broker_timeout)?;
        self.health.check_stop("commit")?;
        if failing.elapsed() > self.config.broker_timeout {
            let time = humantime::format_duration(self.config.broker_timeout);
            let (Undone::Moving(why) | Undone::Failed(why)) = undone;
            return Err(anyhow!("nothing could be committed for {time}: {why}"));
        }
        std::thread::sleep(PAUSE);
        Ok(Outcome::Undone(undone))
    }

    /// Makes the sink fit for the next commit.
    fn clear_up(&mut self, fault: Fault) -> Result<Undone> {
        let (undone, aborted) = match fault {
            Fault::Stop(error) => return Err(error),
            Fault::Abort(why) => (Undone::Failed(why), self.abort()),
            Fault::Moving(why) => (Undone::Moving(why), self.abort()),
            Fault::Renew(why) => {
                if let Writer::Plain(producer) = &self.writer {
                    lacks_idempotence(producer, &self.health);
                }
                (Undone::Failed(why.clone()), Err(why))
            }
        };
        if let Err(error) = aborted {
            tracing::info!(error, "making the producer anew");
            self.renew()?;
        }
        Ok(undone)
    }

    /// A new producer in place of the old one. Starting its transactions ends that of the old
    /// one, this way or the other: only then the committed offsets say which.
    fn renew(&mut self) -> Result<()> {
        let (config, health) = (&self.config, &self.health);
        self.writer = match &self.writer {
            Writer::Transactional(before) => {
                if before.is_fenced() {
                    self.identity.stopped()?;
                }
                let (id, patience) = (&self.transactional_id, config.broker_timeout);
                Writer::Transactional(Transactions::start(config, health, id, patience)??)
            }
            Writer::Plain(_) => Writer::Plain(plain(config, health)?),
        };
        Ok(())
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
