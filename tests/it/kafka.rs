//! A real Apache Kafka for the tests, and the few things that tests do with one.
//!
//! One broker serves all tests of the process; topics are told apart by [`unique`] names. With
//! `WATCHFIRE_TEST_BOOTSTRAP` set, the broker that listens there is used instead.

mod broker;
pub mod cluster;
mod node;
pub mod proxy;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers, Message as _};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

pub use broker::{Broker, Listener, PASSWORD, USER};

/// The longest that a broker may take for anything a test asks of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A message as a consumer got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970, of whichever kind the topic keeps.
    pub timestamp: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Where the broker of all tests listens, without a login.
pub fn bootstrap() -> &'static str {
    static GIVEN: OnceLock<Option<String>> = OnceLock::new();
    let given = GIVEN.get_or_init(|| std::env::var("WATCHFIRE_TEST_BOOTSTRAP").ok());
    given.as_deref().unwrap_or_else(|| shared().bootstrap())
}

/// Where a broker listens that asks for [`USER`] and [`PASSWORD`] (SASL/PLAIN without TLS). It is
/// always one that the tests started.
pub fn login_bootstrap() -> &'static str {
    shared().login_bootstrap()
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    node::free_ports(1)[0]
}

/// A topic or group name that no other test, and no other run, uses.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let since_1970 = std::time::UNIX_EPOCH.elapsed().unwrap();
    format!(
        "{name}-{:x}-{}-{number}",
        since_1970.as_secs(),
        std::process::id()
    )
}

/// Deletes a topic, and waits until brokers do not show it any more.
pub fn delete_topic(bootstrap: &str, topic: &str) {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let results = wait_for(admin.delete_topics(&[topic], &options)).unwrap();
    for result in results {
        result.unwrap_or_else(|(topic, code)| panic!("topic {topic} was not deleted: {code}"));
    }
    let client: BaseConsumer = config(bootstrap).create().unwrap();
    until("the topic is gone", || {
        let metadata = client.fetch_metadata(None, PATIENCE).unwrap();
        metadata.topics().iter().all(|known| known.name() != topic)
    });
}

/// Deletes a group that nobody is in, and with it all that it has committed.
pub fn delete_group(bootstrap: &str, group: &str) {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create().unwrap();
    let deleted = wait_for(admin.delete_groups(&[group], &AdminOptions::new())).unwrap();
    for result in deleted {
        result.unwrap_or_else(|(group, code)| panic!("group {group} was not deleted: {code}"));
    }
}

/// Makes a topic with the given topic properties, with as many copies as the brokers make of
/// topics, and waits until its partitions have leaders.
pub fn create_topic(bootstrap: &str, topic: &str, partitions: i32, properties: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create().unwrap();
    let mut wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
    for (name, value) in properties {
        wanted = wanted.set(name, value);
    }
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let results = wait_for(admin.create_topics([&wanted], &options)).unwrap();
    for result in results {
        result.unwrap_or_else(|(topic, code)| panic!("topic {topic} was not made: {code}"));
    }
    let client: BaseConsumer = config(bootstrap).create().unwrap();
    let wanted = usize::try_from(partitions).unwrap();
    until("the new topic has leaders", || {
        partitions_of(&client, topic).len() == wanted
    });
}

/// Gives a topic more partitions, `total` in all, and waits until they have leaders.
pub fn add_partitions(bootstrap: &str, topic: &str, total: usize) {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let wanted = NewPartitions::new(topic, total);
    until("the topic may grow", || {
        let results = wait_for(admin.create_partitions([&wanted], &options)).unwrap();
        results.into_iter().all(|result| match result {
            Ok(_) => true,
            // A broker is not there at the moment.
            Err((_, RDKafkaErrorCode::InvalidReplicationFactor)) => false,
            Err((topic, code)) => panic!("topic {topic} has not grown: {code}"),
        })
    });
    let client: BaseConsumer = config(bootstrap).create().unwrap();
    until("the new partitions have leaders", || {
        partitions_of(&client, topic).len() == total
    });
}

/// Writes values under keys to the first partition of a topic, in order; `None` deletes.
pub fn write_keyed(bootstrap: &str, topic: &str, entries: &[(&[u8], Option<&[u8]>)]) {
    let producer: FutureProducer = config(bootstrap).create().unwrap();
    for (key, value) in entries {
        let mut record = FutureRecord::<[u8], [u8]>::to(topic).partition(0).key(*key);
        record.payload = *value;
        let sent = producer
            .send_result(record)
            .unwrap_or_else(|(error, _)| panic!("{error}"));
        wait_for(sent)
            .unwrap()
            .unwrap_or_else(|(error, _)| panic!("{error}"));
    }
}

/// Has the broker forget what stands before these offsets in the partitions of a topic.
pub fn delete_before(bootstrap: &str, topic: &str, offsets: &BTreeMap<i32, i64>) {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create().unwrap();
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        let offset = Offset::Offset(*offset);
        list.add_partition_offset(topic, *partition, offset)
            .unwrap();
    }
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    wait_for(admin.delete_records(&list, &options)).unwrap();
}

/// Sends values with their timestamps (milliseconds since 1970) to one partition, in order, and
/// waits until the broker has them all.
pub fn produce<V: AsRef<[u8]>>(
    bootstrap: &str,
    topic: &str,
    partition: i32,
    messages: &[(i64, V)],
) {
    let producer: FutureProducer = config(bootstrap)
        .set("enable.idempotence", "true")
        .create()
        .unwrap();
    // Chunks stay below the client's queue limit of 100,000 messages.
    for chunk in messages.chunks(10_000) {
        let sent: Vec<_> = chunk
            .iter()
            .map(|(timestamp, value)| {
                let record = FutureRecord::<[u8], [u8]>::to(topic)
                    .partition(partition)
                    .timestamp(*timestamp)
                    .payload(value.as_ref());
                producer
                    .send_result(record)
                    .unwrap_or_else(|(error, _)| panic!("{error}"))
            })
            .collect();
        for delivery in sent {
            wait_for(delivery)
                .unwrap()
                .unwrap_or_else(|(error, _)| panic!("{error}"));
        }
    }
}

/// Reads all partitions of a topic from their beginning to their end, as a read_committed
/// consumer sees them; in order of partition and offset.
pub fn read_committed(bootstrap: &str, topic: &str) -> Vec<Message> {
    let consumer: BaseConsumer = config(bootstrap)
        .set("group.id", unique("read-to-end"))
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut open = partitions_of(&consumer, topic);
    assert!(
        !open.is_empty(),
        "topic {topic} does not exist at {bootstrap}"
    );
    let mut assignment = TopicPartitionList::new();
    for partition in &open {
        assignment
            .add_partition_offset(topic, *partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&assignment).unwrap();

    let mut messages = Vec::new();
    let start = Instant::now();
    while !open.is_empty() {
        assert!(
            start.elapsed() < PATIENCE,
            "{topic}: no end in sight on partitions {open:?}"
        );
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => messages.push(copy(&message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) => panic!("reading {topic}: {error}"),
            None => (),
        }
    }
    messages.sort_by_key(|message| (message.partition, message.offset));
    messages
}

/// Asks until the answer is yes, and panics with `what` did not happen.
pub fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(
            start.elapsed() < PATIENCE,
            "waited {PATIENCE:?} in vain: {what}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn shared() -> &'static Broker {
    static SHARED: OnceLock<Broker> = OnceLock::new();
    SHARED.get_or_init(Broker::start)
}

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}

/// The partitions of a topic that have a leader.
pub fn partitions_of(client: &BaseConsumer, topic: &str) -> BTreeSet<i32> {
    let metadata = client.fetch_metadata(Some(topic), PATIENCE).unwrap();
    metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions())
        .filter(|partition| partition.leader() >= 0)
        .map(|partition| partition.id())
        .collect()
}

fn copy(message: &rdkafka::message::BorrowedMessage<'_>) -> Message {
    let headers = message
        .headers()
        .into_iter()
        .flat_map(|headers| headers.iter());
    Message {
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect(),
    }
}

fn wait_for<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn what_is_produced_is_read_back() {
    let topic = unique("harness");
    create_topic(
        bootstrap(),
        &topic,
        2,
        &[("message.timestamp.type", "CreateTime")],
    );
    produce(
        bootstrap(),
        &topic,
        1,
        &[(1_700_000_000_000, "a"), (1_700_000_000_001, "b")],
    );
    produce(bootstrap(), &topic, 0, &[(1_700_000_000_002, "c")]);

    let read: Vec<_> = read_committed(bootstrap(), &topic)
        .into_iter()
        .map(|m| {
            (
                m.partition,
                m.offset,
                m.timestamp.unwrap(),
                m.value.unwrap(),
            )
        })
        .collect();
    assert_eq!(
        read,
        [
            (0, 0, 1_700_000_000_002, b"c".to_vec()),
            (1, 0, 1_700_000_000_000, b"a".to_vec()),
            (1, 1, 1_700_000_000_001, b"b".to_vec()),
        ]
    );
}

#[test]
fn the_login_listener_tells_passwords_apart() {
    let client = |password: &str| -> BaseConsumer {
        config(login_bootstrap())
            .set("security.protocol", "SASL_PLAINTEXT")
            .set("sasl.mechanism", "PLAIN")
            .set("sasl.username", USER)
            .set("sasl.password", password)
            .create()
            .unwrap()
    };
    let topics = |password| client(password).fetch_metadata(None, Duration::from_secs(5));
    assert!(topics(PASSWORD).is_ok());
    assert!(topics("wrong").is_err());
}

#[test]
fn a_killed_broker_comes_back_with_its_topics() {
    let mut broker = Broker::start();
    let topic = unique("kept");
    create_topic(broker.bootstrap(), &topic, 1, &[]);
    produce(
        broker.bootstrap(),
        &topic,
        0,
        &[(1_700_000_000_000, "kept")],
    );
    broker.kill();
    broker.revive();
    assert_eq!(read_committed(broker.bootstrap(), &topic).len(), 1);
}
