//! A million keys have something to be done at once: their incidents close at one midnight, their
//! rule goes, or the watermark leaps a day over their timers. How much memory does it take, how
//! long is the longest commit, and do other partitions go on meanwhile?
//!
//! A backlog of a million keys and a stream of something else, with a rule of its own, come from
//! two topics. The keys leave one partition of the matches topic to the stream.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use watchfire::event::Attributes;
use watchfire::matches::partition_of;
use watchfire::plan::{Catalogue, Limits, Settings};
use watchfire::record::Hash;
use watchfire::rule;
use watchfire::time::{Millis, rfc3339};

use super::lab::send;
use super::{Figures, number, usage};
use crate::kafka::{Broker, create_topic};
use crate::worker::process::Worker;
use crate::worker::setup::{Setup, UPN, now};

const SOURCE_PARTITIONS: i32 = 2;
/// As [`Setup`] configures them.
const MATCHES_PARTITIONS: i32 = 4;
/// The partition of the matches topic that the million keys leave alone.
const FREE: u32 = 3;
const INCIDENTS_PARTITIONS: i32 = 4;

/// As [`Setup`] configures them.
const SETTINGS: Settings = Settings {
    patience: 5,
    lateness: 10,
    limits: Limits::DEFAULT,
};

const DAY: Millis = 86_400_000;
/// Between two records of the stream.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest that is waited for.
const LIMIT: Millis = 1_800_000;

/// The rule of the million; its incidents end by themselves after `quiet`.
fn keys_rule(quiet: &str) -> String {
    format!(
        "id: MEASURE_KEYS\nname: keys\nseverity: 5\nwindow: 300s\npatterns:\n  \
         - {{ name: K, where: 'eventType CONTAIN \"runcommand\"', group_by: [correlationId] }}\n\
         clear: {{ quiet: {quiet} }}\n"
    )
}

/// That of the stream.
const OTHER_RULE: &str = "id: MEASURE_OTHER\nname: other\nseverity: 5\nwindow: 1s\npatterns:\n  \
    - { name: O, where: 'eventType ENDS_WITH \"_read\"', group_by: [user] }\n";

/// What is seen of the incidents topic.
#[derive(Clone, Default)]
struct Seen {
    opened: u64,
    closed: u64,
    first_closed: Option<Millis>,
    last_closed: Option<Millis>,
    /// When incidents of the stream's rule came.
    others: Vec<Millis>,
    /// Publications of the million's rule since the last gap in a partition's offsets, which the
    /// end of a transaction leaves; and the most there were.
    run: BTreeMap<i32, (i64, u64)>,
    largest: u64,
}

impl Seen {
    fn take(&mut self, partition: i32, offset: i64, value: &[u8]) {
        let has = |text: &[u8]| value.windows(text.len()).any(|part| part == text);
        let time = now();
        if has(b"MEASURE_OTHER") {
            if !is_closed(value) && self.others.last() != Some(&time) {
                self.others.push(time);
            }
            return;
        }
        match is_closed(value) {
            false => self.opened += 1,
            true => {
                self.closed += 1;
                self.first_closed.get_or_insert(time);
                self.last_closed = Some(time);
            }
        }
        let run = self.run.entry(partition).or_insert((offset, 0));
        *run = match run.0 + 1 >= offset {
            true => (offset, run.1 + 1),
            false => (offset, 1),
        };
        self.largest = self.largest.max(run.1);
    }
}

/// Whether an incident in Avro's single-object encoding has an odd revision: behind the ten bytes
/// that name the schema stands the id as text, with its length, then the revision zig-zagged.
fn is_closed(value: &[u8]) -> bool {
    const ID: usize = 10 + 1 + 32;
    value[ID] >> 1 & 1 == 1
}

/// Reads the incidents as they are committed.
struct Watch {
    seen: Arc<std::sync::Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// The longest time in which no commit came, and how many came.
#[derive(Clone, Copy, Default)]
struct Commits {
    since: Millis,
    longest: Millis,
    count: u64,
}

impl Watch {
    fn start(setup: &Setup, commits: &Arc<std::sync::Mutex<Commits>>) -> Watch {
        let (seen, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let client = |group: &str| -> BaseConsumer {
            ClientConfig::new()
                .set("bootstrap.servers", &setup.bootstrap)
                .set("group.id", format!("{}.{group}", setup.app))
                .set("isolation.level", "read_committed")
                .set("enable.auto.commit", "false")
                .create()
                .unwrap()
        };
        let (consumer, committed) = (client("watch"), client("correlate"));
        let mut list = TopicPartitionList::new();
        let topic = format!("{}.incidents", setup.app);
        list.add_partition_range(&topic, 0, INCIDENTS_PARTITIONS - 1);
        list.set_all_offsets(Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let (sink, ended) = (Arc::clone(&seen), Arc::clone(&stop));
        let reader = std::thread::spawn(move || {
            let seen: &std::sync::Mutex<Seen> = &sink;
            while !ended.load(Ordering::Relaxed) {
                if let Some(message) = consumer.poll(Duration::from_millis(50)) {
                    let message = message.unwrap();
                    let value = message.payload().unwrap();
                    let mut seen = seen.lock().unwrap();
                    seen.take(message.partition(), message.offset(), value);
                }
            }
        });
        let (sink, ended) = (Arc::clone(commits), Arc::clone(&stop));
        let matches = format!("{}.matches", setup.app);
        let sampler = std::thread::spawn(move || {
            let mut last = String::new();
            while !ended.load(Ordering::Relaxed) {
                let place = place(&committed, &matches);
                let mut commits = sink.lock().unwrap();
                if place != last {
                    commits.since = now();
                    commits.count += 1;
                    last = place;
                }
                commits.longest = commits.longest.max(now() - commits.since);
                drop(commits);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Watch {
            seen,
            stop,
            threads: vec![reader, sampler],
        }
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until `done` holds of what was seen.
    fn until(&self, worker: &mut Worker, what: &str, done: impl Fn(&Seen) -> bool) {
        let start = now();
        while !done(&self.seen()) {
            assert!(now() - start < LIMIT, "waited in vain: {what}");
            assert!(worker.ended().is_none(), "the worker has ended: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

/// What is committed of the partitions with the million keys, as text.
fn place(client: &BaseConsumer, matches: &str) -> String {
    let mut list = TopicPartitionList::new();
    for partition in (0..MATCHES_PARTITIONS).filter(|p| *p != FREE as i32) {
        list.add_partition(matches, partition);
    }
    let Ok(found) = client.committed_offsets(list, Duration::from_secs(10)) else {
        return String::new();
    };
    let mut text = String::new();
    for element in found.elements() {
        let (offset, note) = (element.offset(), element.metadata());
        write!(text, "{offset:?} {note} ").unwrap();
    }
    text
}

/// The fingerprints of both rules.
fn fingerprints(rules: &str) -> Vec<Hash> {
    let mut attributes = Attributes::default();
    let parsed = rule::parse("rule.yaml", rules, &mut attributes).unwrap();
    let mut catalogue = Catalogue::default();
    let draft = catalogue.draft(&parsed, &attributes, SETTINGS, Vec::new(), 0);
    for (key, value) in &draft.entries {
        catalogue.read(key, Some(value)).unwrap();
    }
    let plan = catalogue.plan(draft.plan).unwrap();
    plan.rules
        .iter()
        .map(|(rule, _)| rule.fingerprint)
        .collect()
}

fn lives(fingerprint: Hash, key: &str) -> u32 {
    let key = [Some(key.to_owned())];
    partition_of(fingerprint, &key, MATCHES_PARTITIONS as u32)
}

/// An application with both rules, a topic of a million keys and one of the stream.
struct Case {
    setup: Setup,
    stream_topic: String,
    fingerprints: Vec<Hash>,
    keys: u64,
}

impl Case {
    fn new(broker: &Broker, name: &str, quiet: &str) -> Case {
        let setup = Setup::without_topics(broker.bootstrap(), name, "");
        let rules = keys_rule(quiet) + "---\n" + OTHER_RULE;
        setup.file("rule.yaml", &rules);
        let stream_topic = format!("{}-stream", setup.source);
        for topic in [&setup.source, &stream_topic] {
            create_topic(&setup.bootstrap, topic, SOURCE_PARTITIONS, &[]);
        }
        let case = Case {
            setup,
            stream_topic,
            fingerprints: fingerprints(&rules),
            keys: number("KEYS", 1_000_000),
        };
        let made = Command::new(env!("CARGO_BIN_EXE_watchfire"))
            .args(["topics", "create", "--config"])
            .arg(case.config("topics"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{said}");
        case
    }

    fn config(&self, worker: &str) -> std::path::PathBuf {
        let Setup { source, .. } = &self.setup;
        let both = format!("sources = [\"{source}\", \"{}\"]", self.stream_topic);
        self.setup.config_with(worker, |text| {
            text.replace(&format!("sources = [\"{source}\"]"), &both)
        })
    }

    fn producer(&self) -> ThreadedProducer<DefaultProducerContext> {
        ClientConfig::new()
            .set("bootstrap.servers", &self.setup.bootstrap)
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("queue.buffering.max.kbytes", "262144")
            .create()
            .unwrap()
    }

    /// Sends a record of each of the keys, within ten minutes from `start` on.
    fn backlog(&self, start: Millis) {
        let producer = self.producer();
        let ids = (0_u64..)
            .map(|n| format!("7d0c5b1e-0000-4000-8000-{n:012x}"))
            .filter(|id| lives(self.fingerprints[0], id) != FREE);
        let (mut records, mut messages) = (Vec::new(), 0);
        for (n, id) in (0..self.keys).zip(ids) {
            let time = rfc3339(start + (n * 600_000 / self.keys) as i64);
            records.push(format!(
                r#"{{"time":"{time}",
"operationName":"MICROSOFT.COMPUTE/VIRTUALMACHINES/RUNCOMMAND/ACTION",
"category":"Administrative","correlationId":"{id}"}}"#
            ));
            if records.len() == 100 || n + 1 == self.keys {
                let message = format!(r#"{{"records":[{}]}}"#, records.join(","));
                let place = (&*self.setup.source, messages % SOURCE_PARTITIONS);
                send(&producer, place, message.as_bytes());
                records.clear();
                messages += 1;
            }
        }
        producer.flush(Duration::from_secs(120)).unwrap();
    }

    /// Sends records of the stream, each of another user, until it is told to stop.
    fn stream(&self) -> (Arc<AtomicBool>, JoinHandle<()>) {
        let producer = self.producer();
        let (topic, fingerprint) = (self.stream_topic.clone(), self.fingerprints[1]);
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let users = (0_u64..)
                .map(|n| format!("user{n}@example.com"))
                .filter(|user| lives(fingerprint, user) == FREE);
            for (n, user) in (0..).zip(users) {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let time = rfc3339(now());
                let message = format!(
                    r#"{{"time":"{time}","operationName":"MICROSOFT.COMPUTE/VIRTUALMACHINES/READ",
"category":"Administrative","identity":{{"claims":{{"{UPN}":"{user}"}}}}}}"#
                );
                send(
                    &producer,
                    (&topic, n % SOURCE_PARTITIONS),
                    message.as_bytes(),
                );
                std::thread::sleep(PAUSE);
            }
            producer.flush(Duration::from_secs(60)).unwrap();
        });
        (stop, thread)
    }

    /// Runs a worker until all keys have opened and closed an incident; `then` comes between.
    fn run(self, name: &'static str, then: impl FnOnce(&Case, &Worker)) {
        let commits = Arc::default();
        let watch = Watch::start(&self.setup, &commits);
        let started = now();
        let mut worker = Worker::start(&self.config("a"));
        worker.wait_for("ready");
        let (stop, stream) = self.stream();
        watch.until(&mut worker, "the stream's first incident", |seen| {
            !seen.others.is_empty()
        });
        watch.until(&mut worker, "all incidents are open", |seen| {
            seen.opened >= self.keys
        });
        let open = usage::of(worker.id());
        let opened = now();
        *commits.lock().unwrap() = Commits {
            since: opened,
            ..Commits::default()
        };
        then(&self, &worker);
        watch.until(&mut worker, "all incidents are closed", |seen| {
            seen.closed >= self.keys
        });
        let commits = *commits.lock().unwrap();
        // One more commit, in which nothing of it is left.
        std::thread::sleep(Duration::from_secs(2));
        let (seen, used) = (watch.seen(), usage::of(worker.id()));
        stop.store(true, Ordering::Relaxed);
        stream.join().unwrap();
        watch.finish();
        let log = worker.stop_after_errors();
        assert_eq!(
            (seen.opened, seen.closed),
            (self.keys, self.keys),
            "not each was opened and closed once"
        );
        let restarts = log.matches("ERROR").count();
        let mut figures = Figures::new(name);
        let (first, last) = (seen.first_closed.unwrap(), seen.last_closed.unwrap());
        figures.line(format!(
            "{} keys: opened within {:.1} s of the start, closed within {:.1} s; {restarts} errors",
            self.keys,
            seconds(opened - started),
            seconds(last - first),
        ));
        figures.line(format!(
            "worker: {} MB at most, {} MB before anything closed; {:.1} s of processor time",
            used.peak_mb, open.peak_mb, used.cpu_s,
        ));
        figures.line(format!(
            "while they closed: {} commits seen, the longest {:.2} s; at most {} publications of \
             one transaction in a partition",
            commits.count,
            seconds(commits.longest),
            seen.largest,
        ));
        figures.line(format!(
            "longest silence of the other partition: {:.2} s while they closed, {:.2} s before",
            seconds(silence(&seen.others, opened, last + 1_000)),
            seconds(silence(&seen.others, started, opened)),
        ));
    }
}

fn seconds(time: Millis) -> f64 {
    time as f64 / 1000.0
}

/// The longest time between two of `times`, from the last before `from` to the first after `to`.
fn silence(times: &[Millis], from: Millis, to: Millis) -> Millis {
    let pairs = times.windows(2);
    let within = pairs.filter(|pair| pair[1] >= from && pair[0] <= to);
    within.map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}

/// The last midnight that was more than a quarter of an hour ago.
fn last_midnight() -> Millis {
    (now() - 900_000).div_euclid(DAY) * DAY
}

#[test]
#[ignore = "a measurement: make measure WHAT=million::midnight"]
fn midnight() {
    let broker = Broker::start();
    let case = Case::new(&broker, "midnight", "23h");
    case.backlog(last_midnight() - 700_000);
    case.run("midnight", |_, _| ());
}

#[test]
#[ignore = "a measurement: make measure WHAT=million::leap"]
fn leap() {
    let broker = Broker::start();
    let case = Case::new(&broker, "leap", "15m");
    // Their timers lie a quarter of an hour after each, and all before the day ends.
    case.backlog(last_midnight() - DAY / 2);
    case.run("leap", |_, _| ());
}

#[test]
#[ignore = "a measurement: make measure WHAT=million::removed"]
fn removed() {
    // None is to end by itself, at a midnight.
    while !(900_000..DAY - 900_000).contains(&now().rem_euclid(DAY)) {
        std::thread::sleep(Duration::from_secs(10));
    }
    let broker = Broker::start();
    let case = Case::new(&broker, "removed", "23h");
    case.backlog(last_midnight().max(now() - 3_600_000));
    case.run("removed", |case, worker| {
        case.setup.file("rule.yaml", OTHER_RULE);
        worker.signal("HUP");
    });
}
