//! Which partitions are read to their end, found out beside a stage's loop.
//!
//! A consumer's position stops short of the marks that transactions leave, so a partition whose
//! last entries are such marks never looks read to its end. Then a second consumer is put at that
//! position: if it is told of the end without a message before it, it is the end.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::{self, Health};
use super::group::{Partition, look_up};
use crate::config::Config;
use crate::io::clock;
use crate::time::Millis;

/// The longest that a partition's end is waited for.
const PROBE: Duration = Duration::from_millis(500);

/// A client that nobody asks anything is looked after this often: it may need another token.
const IDLE: Duration = Duration::from_millis(500);

/// A partition and the offset that is to be read next.
#[derive(Clone, Debug)]
pub struct Question {
    /// The partition.
    pub partition: Partition,
    /// The offset that is to be read next.
    pub next: i64,
    /// Look whether a message stands between `next` and the end, if they differ.
    pub probe: bool,
}

/// What is known of a partition.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The partition.
    pub partition: Partition,
    /// As it was in the question.
    pub next: i64,
    /// What stands from `next` on is before this offset.
    pub end: i64,
    /// When everything before `next` was everything there was; `None`: there is more.
    pub at_end: Option<Millis>,
}

/// The thread that finds out. It ends by itself when nobody asks any more, without being waited
/// for: it may be waiting for brokers.
pub struct Ends {
    questions: SyncSender<Vec<Question>>,
    answers: Receiver<Result<Vec<Answer>>>,
    /// When the question was asked that waits for its answer.
    asked: Option<Instant>,
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// When it was asked for: what has come since may be missing.
    pub asked: Instant,
    /// By partition.
    pub answers: Vec<Answer>,
}

impl Ends {
    /// Starts the thread, for topics of one stage.
    pub fn start(config: &Config, health: &Arc<Health>) -> Result<Ends> {
        // At an end, brokers are to say so at once.
        let at_once = [
            ("enable.partition.eof", "true"),
            ("fetch.wait.max.ms", "10"),
        ];
        let consumer = client::reader_with(config, health, &at_once)?;
        let (questions, asked) = sync_channel::<Vec<Question>>(1);
        let (answered, answers) = sync_channel(1);
        let health = Arc::clone(health);
        let patience = config.broker_timeout;
        std::thread::Builder::new()
            .name("ends".to_owned())
            .spawn(move || {
                loop {
                    let questions = match asked.recv_timeout(IDLE) {
                        Ok(questions) => questions,
                        Err(RecvTimeoutError::Timeout) => {
                            client::look_after(&consumer);
                            continue;
                        }
                        Err(RecvTimeoutError::Disconnected) => return,
                    };
                    let answer = answer(&consumer, &health, patience, &questions);
                    if answered.send(answer).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Ends {
            questions,
            answers,
            asked: None,
        })
    }

    /// Asks, unless the last answer is still awaited.
    pub fn ask(&mut self, questions: Vec<Question>) -> Result<()> {
        if self.asked.is_none() && !questions.is_empty() {
            self.asked = Some(clock::instant());
            self.questions
                .send(questions)
                .context("the thread that looks for ends has ended")?;
        }
        Ok(())
    }

    /// The answer to the last question, once.
    pub fn answer(&mut self) -> Result<Option<Found>> {
        let Some(asked) = self.asked else {
            return Ok(None);
        };
        match self.answers.try_recv() {
            Ok(answers) => {
                self.asked = None;
                let answers = answers?;
                Ok(Some(Found { asked, answers }))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => bail!("the thread that looks for ends has ended"),
        }
    }
}

type Reader = BaseConsumer<client::Callbacks>;

fn answer(
    consumer: &Reader,
    health: &Health,
    patience: Duration,
    questions: &[Question],
) -> Result<Vec<Answer>> {
    let partitions: Vec<Partition> = questions.iter().map(|q| q.partition.clone()).collect();
    let mut clock = clock::now();
    let client = consumer.client();
    let ends = health.patiently_of_topics(
        client,
        patience,
        "ask for the ends of the partitions",
        || {
            clock = clock::now();
            client::look_after(consumer);
            look_up(consumer, &partitions, Offset::End)
        },
    )?;
    let mut answers = Vec::with_capacity(questions.len());
    for Question {
        partition,
        next,
        probe,
    } in questions
    {
        let Some(end) = ends.get(partition) else {
            continue;
        };
        let ended = end == next || (end > next && *probe && ends_at(consumer, partition, *next)?);
        answers.push(Answer {
            partition: partition.clone(),
            next: *next,
            end: if ended { *next } else { *end },
            at_end: ended.then_some(clock),
        });
    }
    Ok(answers)
}

/// Whether no message comes from `next` on.
fn ends_at(consumer: &Reader, (topic, partition): &Partition, next: i64) -> Result<bool> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, *partition, Offset::Offset(next))?;
    consumer.assign(&list)?;
    let start = clock::instant();
    let mut ended = false;
    while start.elapsed() < PROBE {
        match consumer.poll(Duration::from_millis(50)) {
            Some(Ok(_)) => break,
            Some(Err(KafkaError::PartitionEOF(found))) if found == *partition => {
                ended = true;
                break;
            }
            Some(Err(_)) | None => (),
        }
    }
    consumer.unassign()?;
    Ok(ended)
}
