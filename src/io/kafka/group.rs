//! A member of a consumer group. What the group decides arrives as events, and takes effect only
//! when the stage says so: it first finishes what it has begun.
//!
//! Partitions move one by one (cooperative-sticky): whoever keeps a partition reads on while
//! others come and go.

mod list;
mod member;
mod membership;
mod seek;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use rdkafka::bindings::{rd_kafka_mem_free, rd_kafka_memberid};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;

use super::client::{self, CALL, Health, lock};
use crate::fold::partition::Commit;
use crate::plan::noted::NotedEntry;
use crate::time::Millis;
pub use list::list_of;
use list::{list, names, starts};
pub use member::Member;
pub use membership::Membership;
use seek::Seeking;

/// A partition of a topic.
pub type Partition = (String, i32);

/// What a consumer waits for.
pub enum Event<'c> {
    /// The next messages of assigned partitions, each's in its order.
    Messages(Vec<BorrowedMessage<'c>>),
    /// The group has given us these partitions besides those that we have, perhaps none;
    /// [`Group::assign`] must answer.
    Assigned(Vec<Partition>),
    /// Partitions are to be given back; [`Group::unassign`] must answer.
    Revoked(Revoked),
    /// Nothing came in time.
    Nothing,
}

/// Partitions that are to be given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// These; all that we have if they are lost.
    pub partitions: Vec<Partition>,
    /// Others may have them already: nothing more may be committed.
    pub lost: bool,
}

/// A committed offset: the next to be read, and what was noted with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to be read.
    pub offset: i64,
    /// What was noted.
    pub metadata: String,
}

/// What stands in for it where the brokers have forgotten it.
impl From<&NotedEntry> for Committed {
    fn from(noted: &NotedEntry) -> Committed {
        Committed {
            offset: noted.offset,
            metadata: noted.beside.clone(),
        }
    }
}

impl From<Committed> for Commit {
    fn from(Committed { offset, metadata }: Committed) -> Commit {
        Commit { offset, metadata }
    }
}

/// All partitions of those of the topics that exist.
pub fn partitions_of<'t>(
    topics: impl IntoIterator<Item = &'t str>,
    existing: &BTreeMap<String, u32>,
) -> Vec<Partition> {
    let topics = topics.into_iter();
    let topics = topics.filter_map(|topic| Some((topic, existing.get(topic)?)));
    let all = topics.flat_map(|(topic, count)| {
        (0..*count).map(|number| (topic.to_owned(), number.cast_signed()))
    });
    all.collect()
}

/// Brokers do not have what is to be read next.
#[derive(Clone, Debug)]
pub struct Gone {
    group: String,
}

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: messages that were still to be read are gone from the brokers, or the topic was \
             made anew. Was its retention shorter than the time this worker was down? `watchfire \
             topics accept-loss` accepts that, once",
            self.group
        )
    }
}

impl std::error::Error for Gone {}

enum Rebalance {
    Assigned(Vec<Partition>),
    Revoked(Revoked),
}

/// The callbacks of a member.
pub struct Callbacks {
    health: Arc<Health>,
    rebalances: Mutex<VecDeque<Rebalance>>,
    leaving: AtomicBool,
}

impl Callbacks {
    fn new(health: &Arc<Health>) -> Callbacks {
        Callbacks {
            health: Arc::clone(health),
            rebalances: Mutex::default(),
            leaving: AtomicBool::new(false),
        }
    }
}

impl ClientContext for Callbacks {
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

impl ConsumerContext for Callbacks {
    /// Notes the event for [`Group::next`]. Only while leaving, when nobody asks for events any
    /// more, it is answered here.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let rebalance = if kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            Rebalance::Assigned(names(partitions))
        } else {
            Rebalance::Revoked(Revoked {
                partitions: names(partitions),
                lost: consumer.assignment_lost(),
            })
        };
        if self.leaving.load(Ordering::Acquire) {
            decline(consumer, &rebalance);
        } else {
            lock(&self.rebalances).push_back(rebalance);
        }
    }
}

/// Answers the group without taking or keeping anything: for a member that leaves.
fn decline(consumer: &BaseConsumer<Callbacks>, rebalance: &Rebalance) {
    let answered = match rebalance {
        Rebalance::Assigned(_) => consumer.incremental_assign(&TopicPartitionList::new()),
        Rebalance::Revoked(Revoked { partitions, .. }) => {
            list(partitions).and_then(|list| consumer.incremental_unassign(&list))
        }
    };
    if let Err(error) = answered {
        tracing::debug!(
            error = client::words(&error),
            "the group was left before it had an answer"
        );
    }
}

/// A member of a consumer group.
pub struct Group {
    consumer: BaseConsumer<Callbacks>,
    health: Arc<Health>,
    name: String,
    topics: Vec<String>,
    patience: Duration,
    /// The id by which the group knew us when it last decided; `None`: it did not.
    member: Mutex<Option<String>>,
    seeking: Mutex<Seeking>,
    /// Brokers did not know a topic: it may be another one when they do.
    in_doubt: AtomicBool,
    /// Came after messages that were to be handed out first.
    put_off: Mutex<Option<KafkaError>>,
}

impl Group {
    fn new(
        consumer: BaseConsumer<Callbacks>,
        health: &Arc<Health>,
        name: &str,
        topics: &[String],
        patience: Duration,
    ) -> Group {
        Group {
            consumer,
            health: Arc::clone(health),
            name: name.to_owned(),
            topics: topics.to_owned(),
            patience,
            member: Mutex::default(),
            seeking: Mutex::new(Seeking::none()),
            in_doubt: AtomicBool::new(false),
            put_off: Mutex::default(),
        }
    }

    /// The next event, if one comes within `timeout`. Messages are those that have come already, of
    /// `bytes` or little more.
    ///
    /// # Errors
    ///
    /// The brokers have been away for too long, or something happened that waiting does not mend;
    /// joining again may ([`Group::is_fenced`]).
    pub fn next(&self, timeout: Duration, bytes: usize) -> Result<Event<'_>> {
        if let Some(rebalance) = self.rebalance() {
            return Ok(rebalance);
        }
        self.go_on_seeking()?;
        let put_off = lock(&self.put_off).take();
        match put_off.map_or_else(|| self.consumer.poll(timeout), |error| Some(Err(error))) {
            Some(Ok(first)) => {
                self.health.up();
                return Ok(Event::Messages(self.and_more(first, bytes)));
            }
            Some(Err(error)) => self.judge(&error)?,
            None => (),
        }
        if self.is_fenced() {
            bail!("{}: the group knows another member by our id", self.name);
        }
        self.health.check(self.patience)?;
        Ok(self.rebalance().unwrap_or(Event::Nothing))
    }

    /// A message and those that have come after it.
    fn and_more<'c>(
        &'c self,
        first: BorrowedMessage<'c>,
        bytes_max: usize,
    ) -> Vec<BorrowedMessage<'c>> {
        let mut bytes = first.payload_len();
        let mut messages = vec![first];
        while bytes < bytes_max {
            match self.consumer.poll(Duration::ZERO) {
                Some(Ok(message)) => {
                    bytes += message.payload_len();
                    messages.push(message);
                }
                Some(Err(error)) => {
                    *lock(&self.put_off) = Some(error);
                    break;
                }
                None => break,
            }
        }
        messages.retain(|message| !self.is_astray(message));
        messages
    }

    fn rebalance(&self) -> Option<Event<'static>> {
        let rebalance = lock(&self.consumer.context().rebalances).pop_front()?;
        *lock(&self.member) = member_id(&self.consumer);
        Some(match rebalance {
            Rebalance::Assigned(partitions) => Event::Assigned(partitions),
            Rebalance::Revoked(Revoked { partitions, lost }) => Event::Revoked(Revoked {
                partitions,
                lost: lost || self.is_lost(),
            }),
        })
    }

    fn judge(&self, error: &KafkaError) -> Result<()> {
        match error.rdkafka_error_code() {
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => Err(anyhow!(Gone {
                group: self.name.clone(),
            })),
            Some(
                Code::PollExceeded
                | Code::UnknownMemberId
                | Code::IllegalGeneration
                | Code::RebalanceInProgress
                | Code::UnknownTopicOrPartition,
            ) => {
                if error.rdkafka_error_code() == Some(Code::UnknownTopicOrPartition) {
                    self.in_doubt.store(true, Ordering::Release);
                }
                let error = client::words(error);
                tracing::info!(group = self.name, error, "the group is in motion");
                Ok(())
            }
            Some(code) if client::is_transient_code(code) => Ok(()),
            Some(_) | None => {
                self.health.check(self.patience)?;
                let said = client::words(error);
                Err(anyhow!("{}: reading failed: {said}", self.name))
            }
        }
    }

    /// Whether topics may have been made anew, once.
    pub fn take_doubt(&self) -> bool {
        self.in_doubt.swap(false, Ordering::AcqRel)
    }

    /// The first offset of a partition whose message is not older than this; `None`: all are.
    pub fn first_not_older(&self, partition: &Partition, timestamp: Millis) -> Result<Option<i64>> {
        let what = format!("ask for the offset of a time in {}", self.name);
        let partitions = std::slice::from_ref(partition);
        let client = self.consumer.client();
        let mut found = self
            .health
            .patiently_of_topics(client, self.patience, &what, || {
                look_up(&self.consumer, partitions, Offset::Offset(timestamp.max(0)))
            })?;
        Ok(found.remove(partition))
    }

    /// Whether the brokers may have given our partitions to others.
    fn is_lost(&self) -> bool {
        self.consumer.assignment_lost() || lock(&self.member).is_none()
    }

    /// Whether the group knows another member by our id, so that this membership has ended.
    pub fn is_fenced(&self) -> bool {
        let fatal = self.consumer.client().fatal_error();
        matches!(fatal, Some((Code::FencedInstanceId, _)))
    }

    /// Begins to read these partitions at these offsets, besides those that are read already.
    pub fn assign(&self, offsets: &BTreeMap<Partition, i64>) -> Result<()> {
        self.consumer
            .incremental_assign(&starts(offsets)?)
            .with_context(|| format!("{}: could not assign", self.name))
    }

    /// Stops reading these partitions for a while.
    pub fn pause(&self, partitions: &[Partition]) -> Result<()> {
        self.consumer
            .pause(&list(partitions)?)
            .with_context(|| format!("{}: could not pause", self.name))
    }

    /// Goes on reading these partitions.
    pub fn resume(&self, partitions: &[Partition]) -> Result<()> {
        self.consumer
            .resume(&list(partitions)?)
            .with_context(|| format!("{}: could not go on", self.name))
    }

    /// Leaves the group, also where it knows this member by a fixed id, and joins it anew: so it
    /// decides again who reads what. What is assigned is asked for first.
    pub fn leave_and_join(&self) -> Result<()> {
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        self.consumer.unsubscribe();
        self.consumer.subscribe(&topics).with_context(|| {
            format!(
                "{}: could not subscribe to {}",
                self.name,
                topics.join(", ")
            )
        })
    }

    /// Gives these partitions back.
    pub fn unassign(&self, partitions: &[Partition]) -> Result<()> {
        let mut seeking = lock(&self.seeking);
        seeking
            .offsets
            .retain(|partition, _| !partitions.contains(partition));
        self.consumer
            .incremental_unassign(&list(partitions)?)
            .with_context(|| format!("{}: could not unassign", self.name))
    }

    /// The committed offsets of these partitions; those that have none are left out. Waits for
    /// transactions that are under way.
    pub fn committed(&self, partitions: &[Partition]) -> Result<BTreeMap<Partition, Committed>> {
        self.asking().committed(partitions)
    }

    /// The first offset and the one after the last of each of these partitions.
    pub fn bounds(&self, partitions: &[Partition]) -> Result<BTreeMap<Partition, (i64, i64)>> {
        self.asking().bounds(partitions)
    }

    fn asking(&self) -> Asking<'_, Callbacks> {
        Asking {
            consumer: &self.consumer,
            health: &self.health,
            group: &self.name,
            patience: self.patience,
        }
    }
}

/// Leaving the group, also where a stage ends with an error. What was not committed is read
/// again by others. From here on nobody asks for events, so the client must answer them itself:
/// else it would wait for an answer for ever.
impl Drop for Group {
    fn drop(&mut self) {
        self.consumer
            .context()
            .leaving
            .store(true, Ordering::Release);
        for unanswered in &std::mem::take(&mut *lock(&self.consumer.context().rebalances)) {
            decline(&self.consumer, unanswered);
        }
    }
}

/// The id by which the group knows us; `None`: it does not.
#[expect(unsafe_code, reason = "the client library's safe interface lacks it")]
fn member_id(consumer: &BaseConsumer<Callbacks>) -> Option<String> {
    let client = consumer.client().native_ptr();
    // SAFETY: the client lives as long as `consumer`; the text is ours, ends with a zero, and is
    // freed by the library's own function, once.
    let id = unsafe {
        let text = rd_kafka_memberid(client);
        if text.is_null() {
            return None;
        }
        let id = CStr::from_ptr(text).to_string_lossy().into_owned();
        rd_kafka_mem_free(client, text.cast());
        id
    };
    (!id.is_empty()).then_some(id)
}

/// Questions about a group and what it reads. Whoever asks need not be a member.
pub struct Asking<'a, C: ConsumerContext> {
    /// A consumer with the group's name.
    pub consumer: &'a BaseConsumer<C>,
    /// That of its brokers.
    pub health: &'a Health,
    /// The group.
    pub group: &'a str,
    /// How long brokers may be away.
    pub patience: Duration,
}

impl<C: ConsumerContext> Asking<'_, C> {
    /// The committed offsets of these partitions; those that have none are left out. Waits for
    /// transactions that are under way.
    pub fn committed(&self, partitions: &[Partition]) -> Result<BTreeMap<Partition, Committed>> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let what = format!("read the committed offsets of {}", self.group);
        let found = self.health.patiently_of_topics(
            self.consumer.client(),
            self.patience,
            &what,
            || {
                let found = self.consumer.committed_offsets(list(partitions)?, CALL)?;
                found
                    .elements()
                    .iter()
                    .try_for_each(|element| element.error())?;
                Ok(found)
            },
        )?;
        let elements = found.elements();
        let committed = elements.iter().filter_map(|element| {
            let Offset::Offset(offset) = element.offset() else {
                return None;
            };
            let metadata = element.metadata().to_owned();
            let partition = (element.topic().to_owned(), element.partition());
            Some((partition, Committed { offset, metadata }))
        });
        Ok(committed.collect())
    }

    /// The first offset and the one after the last of each of these partitions.
    pub fn bounds(&self, partitions: &[Partition]) -> Result<BTreeMap<Partition, (i64, i64)>> {
        let what = format!("ask for the bounds of the partitions of {}", self.group);
        let low = self.health.patiently_of_topics(
            self.consumer.client(),
            self.patience,
            &what,
            || look_up(self.consumer, partitions, Offset::Beginning),
        )?;
        let mut high = self.health.patiently_of_topics(
            self.consumer.client(),
            self.patience,
            &what,
            || look_up(self.consumer, partitions, Offset::End),
        )?;
        let bounds = low.into_iter().map(|(partition, low)| {
            let high = high.remove(&partition).unwrap_or(low);
            (partition, (low, high))
        });
        Ok(bounds.collect())
    }
}

/// The offsets at the beginning or the end of these partitions, or at a timestamp, as a
/// read_committed consumer sees them; all with one request for each broker.
pub fn look_up<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &[Partition],
    place: Offset,
) -> KafkaResult<BTreeMap<Partition, i64>> {
    if partitions.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ask = || {
        let mut asked = list(partitions)?;
        // Brokers take timestamps, and the two ends for such.
        asked.set_all_offsets(place)?;
        let found = consumer.offsets_for_times(asked, CALL)?;
        let mut offsets = BTreeMap::new();
        for element in found.elements() {
            element.error()?;
            if let Offset::Offset(offset) = element.offset() {
                offsets.insert((element.topic().to_owned(), element.partition()), offset);
            }
        }
        Ok(offsets)
    };
    let found = ask();
    if !found.as_ref().is_err_and(client::is_transient) {
        return found;
    }
    // A client that reads nothing goes on asking whoever it knows as a partition's leader, and
    // knows nothing of partitions that a topic has got since.
    for topic in partitions
        .iter()
        .map(|(topic, _)| topic)
        .collect::<BTreeSet<_>>()
    {
        consumer.fetch_metadata(Some(topic), CALL)?;
    }
    ask()
}

/// Has a consumer without a part in any group read these partitions from these offsets.
pub fn read_from<C: ConsumerContext>(
    reader: &BaseConsumer<C>,
    offsets: &BTreeMap<Partition, i64>,
) -> KafkaResult<()> {
    reader.assign(&starts(offsets)?)
}
