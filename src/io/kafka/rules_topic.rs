//! `<app>.rules`, read to its end and written.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::producer::{BaseRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::{self, CALL, Health, PAUSE, START_PATIENCE};
use super::producer::{self, Producer};
use super::topics::Names;
use crate::config::Config;
use crate::io::clock;
use crate::io::disk::rule_set::RuleSet;
use crate::plan::{self, Catalogue, Plan, Reading, Source, Unusable};
use crate::time::{Millis, second_of};

/// So many entries that do not count are named in the log, of those that one look finds.
const NAMED_MAX: u64 = 5;

/// What of a key is shown.
const KEY_CHARS_MAX: usize = 80;

/// What the topic holds, as far as it was read.
pub struct Known {
    /// All that counts.
    pub catalogue: Catalogue,
    /// Entries that do not.
    pub refused: u64,
    reader: Reader,
}

impl Known {
    /// The offset after the last entry that was read.
    pub fn end(&self) -> i64 {
        self.reader.next
    }

    /// Takes what was written since the last look.
    pub fn catch_up(&mut self) -> Result<()> {
        let catalogue = &mut self.catalogue;
        let take = &mut |entry: Entry<'_>| catalogue.read(entry.key, entry.value);
        self.refused += self.reader.read_on(take)?;
        Ok(())
    }
}

/// Reads all entries that are there now.
pub fn read(config: &Config, health: &Arc<Health>) -> Result<Known> {
    let mut known = Known {
        catalogue: Catalogue::default(),
        refused: 0,
        reader: Reader::new(config, health)?,
    };
    known.catch_up()?;
    Ok(known)
}

/// One entry of the topic.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'m> {
    /// Such as `rule/<hash>`.
    pub key: &'m str,
    /// `None`: deleted.
    pub value: Option<&'m [u8]>,
    /// When it was written, as far as the broker says.
    pub written: Option<Millis>,
    /// Where it stands.
    pub offset: i64,
}

/// Takes an entry, or says why it does not count.
pub type Take<'t> = dyn FnMut(Entry<'_>) -> Result<(), String> + 't;

/// Hands all entries that are there now to `take`, in order, also those that no transaction has
/// committed: a plan is written before it is used. Those that do not count are named and passed
/// over.
pub fn each(config: &Config, health: &Arc<Health>, take: &mut Take<'_>) -> Result<()> {
    Reader::new(config, health)?.read_on(take).map(|_| ())
}

/// Reads the topic, and later on what was written since.
pub struct Reader {
    topic: Arc<str>,
    consumer: BaseConsumer<client::Callbacks>,
    health: Arc<Health>,
    patience: Duration,
    /// The offset that is read next.
    next: i64,
}

impl Reader {
    /// A reader that begins at the topic's first entry.
    pub fn new(config: &Config, health: &Arc<Health>) -> Result<Reader> {
        Reader::from(config, health, 0)
    }

    /// A reader that begins at an offset.
    pub fn from(config: &Config, health: &Arc<Health>, next: i64) -> Result<Reader> {
        let more = [("isolation.level", "read_uncommitted")];
        Ok(Reader {
            topic: Names::of(&config.app).rules,
            consumer: client::reader_with(config, health, &more)?,
            health: Arc::clone(health),
            patience: config.broker_timeout,
            next,
        })
    }

    /// Hands what was written since the last call to `take`; how many entries do not count.
    pub fn read_on(&mut self, take: &mut Take<'_>) -> Result<u64> {
        let what = format!("read topic {}", self.topic);
        let consumer = &self.consumer;
        let (low, end) = self
            .health
            .patiently(consumer.client(), self.patience, &what, || {
                consumer.fetch_watermarks(&self.topic, 0, CALL)
            })?;
        let from = self.next.max(low);
        if from >= end {
            self.next = end;
            return Ok(0);
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, 0, Offset::Offset(from))?;
        self.consumer.assign(&list)?;
        let refused = self.read_to(end, &what, take);
        self.consumer.unassign()?;
        self.next = end;
        refused
    }

    fn read_to(&self, end: i64, what: &str, take: &mut Take<'_>) -> Result<u64> {
        let (mut heard, mut refused) = (clock::instant(), 0);
        loop {
            match self.consumer.poll(Duration::from_millis(50)) {
                Some(Ok(message)) => {
                    heard = clock::instant();
                    refused += u64::from(!self.hand_over(&message, refused, take));
                }
                Some(Err(error)) if !client::is_transient(&error) => {
                    return Err(error).with_context(|| format!("could not {what}"));
                }
                Some(Err(_)) | None => self.health.check(self.patience)?,
            }
            if position(&self.consumer, &self.topic)? >= end {
                break;
            }
            if heard.elapsed() > self.patience {
                bail!("could not {what}: nothing came");
            }
            self.health.check_stop(what)?;
        }
        if refused > NAMED_MAX {
            tracing::warn!(
                topic = &*self.topic,
                refused,
                "that many entries of the rules topic are none of a worker's, and passed over"
            );
        }
        Ok(refused)
    }

    /// Whether an entry counts. It is named if it does not, unless `before` have been.
    fn hand_over(&self, message: &BorrowedMessage<'_>, before: u64, take: &mut Take<'_>) -> bool {
        let key = String::from_utf8_lossy(message.key().unwrap_or_default());
        let entry = Entry {
            key: &key,
            value: message.payload(),
            written: message.timestamp().to_millis(),
            offset: message.offset(),
        };
        let Err(reason) = take(entry) else {
            return true;
        };
        if before < NAMED_MAX {
            let key: String = key.chars().take(KEY_CHARS_MAX).collect();
            tracing::warn!(
                topic = &*self.topic,
                offset = message.offset(),
                key,
                reason,
                "an entry of the rules topic is none of a worker's, and passed over"
            );
        }
        false
    }
}

/// The offset that is read next. Compaction leaves gaps, also before the end, so it is the
/// client that must say how far it has come.
fn position(reader: &BaseConsumer<client::Callbacks>, topic: &str) -> Result<i64> {
    let positions = reader.position()?;
    Ok(
        match positions
            .find_partition(topic, 0)
            .map(|element| element.offset())
        {
            Some(Offset::Offset(offset)) => offset,
            Some(_) | None => -1,
        },
    )
}

/// Writes entries in their order, and returns when all replicas have them. A broker that has just
/// come back may know nothing of the topic: then they are written again, which changes nothing of
/// those that are there. So they are where brokers turn out to have no idempotent producers.
pub fn write(config: &Config, health: &Arc<Health>, entries: &[(String, Vec<u8>)]) -> Result<()> {
    let topic = Names::of(&config.app).rules;
    let start = clock::instant();
    loop {
        let producer = producer::plain(config, health)?;
        let Some(error) = try_to_write(&producer, config, health, &topic, entries)? else {
            return Ok(());
        };
        producer::lacks_idempotence(&producer, health);
        // Another producer may do what this one has failed to do.
        let passes = !matches!(
            error.rdkafka_error_code(),
            Some(
                Code::TopicAuthorizationFailed
                    | Code::ClusterAuthorizationFailed
                    | Code::MessageSizeTooLarge
                    | Code::InvalidMessageSize
                    | Code::InvalidRecord
                    | Code::InvalidTopic
            )
        );
        if !passes || start.elapsed() > START_PATIENCE {
            bail!("topic {topic} cannot be written: {}", client::words(&error));
        }
        health.check_stop("write the rules")?;
        std::thread::sleep(PAUSE);
    }
}

/// Writes entries that may also be missing, once and within `patience`, also while the process
/// stops.
pub fn write_once(
    config: &Config,
    health: &Arc<Health>,
    entries: &[(String, Vec<u8>)],
    patience: Duration,
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let producer = producer::plain(config, health)?;
    if let Some(error) = send(&producer, &Names::of(&config.app).rules, entries) {
        return Err(error.into());
    }
    producer.flush(patience)?;
    match producer.context().failure() {
        Some((error, _)) => Err(error.into()),
        None => Ok(()),
    }
}

/// Begins to write entries; what the client said against it.
fn send(producer: &Producer, topic: &str, entries: &[(String, Vec<u8>)]) -> Option<KafkaError> {
    let mut records = entries.iter().map(|(key, value)| {
        let record = BaseRecord::<str, [u8]>::to(topic);
        record.partition(0).key(key).payload(value)
    });
    records.find_map(|record| producer.send(record).err().map(|(error, _)| error))
}

/// The same once; what the brokers said against it.
fn try_to_write(
    producer: &Producer,
    config: &Config,
    health: &Health,
    topic: &str,
    entries: &[(String, Vec<u8>)],
) -> Result<Option<KafkaError>> {
    if let Some(error) = send(producer, topic, entries) {
        return Ok(Some(error));
    }
    let start = clock::instant();
    while producer.in_flight_count() > 0 {
        if let Some((error, _)) = producer.context().failure() {
            return Ok(Some(error));
        }
        // What such a producer has not sent it neither sends nor gives up.
        if let Some((code, _)) = producer.client().fatal_error() {
            return Ok(Some(KafkaError::MessageProduction(code)));
        }
        health.check(config.broker_timeout)?;
        health.check_stop("write the rules")?;
        if start.elapsed() > config.broker_timeout {
            bail!("topic {topic} cannot be written: nothing is acknowledged");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(producer.context().failure().map(|(error, _)| error))
}

/// A plan that is known to all.
pub struct TakenIntoUse {
    /// The topic, with the plan in it.
    pub known: Known,
    /// The plan.
    pub plan: Arc<Plan>,
    /// The plan that was taken into use before it, or why that cannot be loaded; `None`: this is
    /// the application's first.
    pub before: Option<Result<Arc<Plan>, Unusable>>,
}

/// Makes the plan of these rules and sources known, and loads it as everybody will. `sources`
/// gives them as the topic knows them.
pub fn take_into_use(
    config: &Config,
    health: &Arc<Health>,
    set: &RuleSet,
    sources: &dyn Fn(&Catalogue) -> Vec<Source>,
) -> Result<TakenIntoUse> {
    let mut known = read(config, health)?;
    let minute = second_of(clock::now()).div_euclid(60) * 60;
    let before = known.catalogue.newest();
    let before = before.map(|newest| known.catalogue.plan(newest).cloned());
    let draft = known.catalogue.draft(
        &set.rules,
        &set.attributes,
        config.settings,
        Reading {
            sources: sources(&known.catalogue),
            decoding: config.decoding,
        },
        minute,
    );
    if !draft.entries.is_empty() {
        write(config, health, &draft.entries)?;
        known.catch_up()?;
    }
    let plan = known.catalogue.plan(draft.plan).cloned();
    let plan = plan.map_err(|why| {
        anyhow!(
            "plan {} was written to topic {}, and cannot be used ({why}): is that topic \
             compacted, with one partition?",
            draft.plan,
            Names::of(&config.app).rules
        )
    })?;
    let plan = plan.with_contents(plan::tables_of(&set.rules));
    tracing::info!(
        plan = plan.hash.to_string(),
        rules = plan.rules.len(),
        new_entries = draft.entries.len(),
        "plan is known to all"
    );
    Ok(TakenIntoUse {
        known,
        plan,
        before,
    })
}
