//! An application with the shipped rules, the stream it reads, and what can be seen of it from
//! outside.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use watchfire::time::Millis;

use super::activity::{Activity, DAY_RULE, shipped_rules};
use crate::kafka::create_topic;
use crate::worker::process::Worker;
use crate::worker::setup::{Setup, now};

/// The longest that a broker may take to answer.
const CALL: Duration = Duration::from_secs(10);

/// The numbers that [`Setup`] holds what was published against.
pub const SMALL: Size = Size {
    source: 3,
    matches: 4,
};

/// How many partitions there are.
#[derive(Clone, Copy)]
pub struct Size {
    pub source: i32,
    pub matches: i32,
}

pub struct Lab {
    pub setup: Setup,
    pub size: Size,
    /// Rules wait, and keep matches, for as long as they do where nothing is said.
    patient: bool,
}

impl Lab {
    /// With the shipped rules and one of a day; `more`: lines of the configuration.
    pub fn new(bootstrap: &str, name: &str, size: Size, more: &str) -> Lab {
        Lab::with_topic(bootstrap, name, size, (more, &[]), false)
    }

    /// The same where rules wait as they usually do. `properties`: the source topic's.
    pub fn with_topic(
        bootstrap: &str,
        name: &str,
        size: Size,
        (more, properties): (&str, &[(&str, &str)]),
        patient: bool,
    ) -> Lab {
        let setup = Setup::without_topics(bootstrap, name, more);
        let mut rules: Vec<String> = shipped_rules().into_iter().map(|(_, text)| text).collect();
        rules.push(DAY_RULE.to_owned());
        setup.file("rule.yaml", &rules.join("---\n"));
        let lab = Lab {
            setup,
            size,
            patient,
        };
        create_topic(bootstrap, &lab.setup.source, size.source, properties);
        let made = Command::new(env!("CARGO_BIN_EXE_watchfire"))
            .args(["topics", "create", "--config"])
            .arg(lab.config("topics"))
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        lab
    }

    pub fn config(&self, worker: &str) -> PathBuf {
        let matches = self.size.matches;
        self.setup.config_with(worker, |text| {
            let text = text.replace(
                "matches_partitions = 4",
                &format!("matches_partitions = {matches}"),
            );
            match self.patient {
                true => text.replace("patience = \"5s\"\nlateness = \"10s\"\n", ""),
                false => text,
            }
        })
    }

    pub fn start(&self, worker: &str) -> Worker {
        Worker::start(&self.config(worker))
    }

    pub fn matches(&self) -> String {
        format!("{}.matches", self.setup.app)
    }

    pub fn incidents(&self) -> String {
        format!("{}.incidents", self.setup.app)
    }

    /// A client that has no part in any group.
    pub fn client(&self, group: &str, isolation: &str) -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", &self.setup.bootstrap)
            .set("group.id", format!("{}.{group}", self.setup.app))
            .set("isolation.level", isolation)
            .set("enable.auto.commit", "false")
            .create()
            .unwrap()
    }

    pub fn producer(&self) -> ThreadedProducer<DefaultProducerContext> {
        ClientConfig::new()
            .set("bootstrap.servers", &self.setup.bootstrap)
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("queue.buffering.max.kbytes", "262144")
            .create()
            .unwrap()
    }
}

/// Sends one message, waiting while the client's queue is full.
pub fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    (topic, partition): (&str, i32),
    payload: &[u8],
) {
    let mut record = BaseRecord::<[u8], [u8]>::to(topic)
        .partition(partition)
        .timestamp(now())
        .payload(payload);
    while let Err((error, again)) = producer.send(record) {
        let full = rdkafka::types::RDKafkaErrorCode::QueueFull;
        assert_eq!(error.rdkafka_error_code(), Some(full), "{error}");
        record = again;
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The offsets that a group has committed of a topic; none while they are not told.
pub fn committed(client: &BaseConsumer, topic: &str, partitions: i32) -> BTreeMap<i32, i64> {
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, partitions - 1);
    let Ok(found) = client.committed_offsets(list, CALL) else {
        return BTreeMap::new();
    };
    let offsets = found.elements().into_iter().filter_map(|element| {
        let Offset::Offset(offset) = element.offset() else {
            return None;
        };
        Some((element.partition(), offset))
    });
    offsets.collect()
}

/// The end of a partition, as the client's isolation shows it.
pub fn end(client: &BaseConsumer, topic: &str, partition: i32) -> i64 {
    client.fetch_watermarks(topic, partition, CALL).unwrap().1
}

/// A stream of records that all match, to all source partitions in turn.
pub struct Stream {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Stream {
    /// So many messages a second, of so many records of so many users.
    pub fn start(lab: &Lab, a_second: u32, records: u64, users: u64) -> Stream {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&stop);
        let producer = lab.producer();
        let (source, partitions) = (lab.setup.source.clone(), lab.size.source);
        let thread = std::thread::spawn(move || {
            let mut activity = Activity::new(users);
            let start = now();
            let mut sent = 0;
            while !ended.load(Ordering::Relaxed) {
                let due = (now() - start) as u64 * u64::from(a_second) / 1000;
                for number in sent..due {
                    let message = activity.message(records, now());
                    let partition = (number % partitions as u64) as i32;
                    send(&producer, (&source, partition), message.as_bytes());
                }
                sent = due;
                std::thread::sleep(Duration::from_millis(5));
            }
            producer.flush(Duration::from_secs(60)).unwrap();
            sent * records
        });
        Stream { stop, thread }
    }

    /// Ends it when all was sent; how many records that were.
    pub fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// A read_committed consumer of the incidents, which notes when it got each.
pub struct Watch {
    seen: Arc<Mutex<Vec<Millis>>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Watch {
    pub fn start(lab: &Lab) -> Watch {
        let (seen, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (sink, ended) = (Arc::clone(&seen), Arc::clone(&stop));
        let consumer = lab.client("watch", "read_committed");
        let topic = lab.incidents();
        let partitions = consumer.fetch_metadata(Some(&topic), CALL).unwrap();
        let partitions = partitions.topics()[0].partitions().len();
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&topic, 0, partitions as i32 - 1);
        list.set_all_offsets(Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                if let Some(message) = consumer.poll(Duration::from_millis(50)) {
                    message.unwrap();
                    let seen: &Mutex<Vec<Millis>> = &sink;
                    seen.lock().unwrap().push(now());
                }
            }
        });
        Watch { seen, stop, thread }
    }

    /// When the first incident came that came after `time`.
    pub fn first_after(&self, time: Millis) -> Option<Millis> {
        let seen = self.seen.lock().unwrap();
        let place = seen.partition_point(|at| *at <= time);
        seen.get(place).copied()
    }

    pub fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

/// When a line of a worker's log that has all of `texts` was written first.
pub fn said_at(log: &str, texts: &[&str]) -> Option<Millis> {
    let mut lines = log.lines();
    let line = lines.find(|line| texts.iter().all(|text| line.contains(text)))?;
    let time = humantime::parse_rfc3339(line.split_whitespace().next()?).unwrap();
    let since_1970 = time.duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since_1970.as_millis()).ok()
}

/// The median and the greatest of some times, in seconds.
pub fn median_and_worst(times: &[Millis]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let seconds = |time: Option<&Millis>| time.map_or(f64::NAN, |time| *time as f64 / 1000.0);
    format!(
        "median {:.2} s, worst {:.2} s of {}",
        seconds(sorted.get(sorted.len() / 2)),
        seconds(sorted.last()),
        sorted.len(),
    )
}
