//! A worker at 70% of what it can read, for a long time: does what it takes stay the same?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::producer::Producer as _;
use watchfire::generate::{Generator, Options};
use watchfire::time::{Millis, rfc3339};

use super::activity::shipped_rules;
use super::lab::{Lab, Size, committed, end, send};
use super::usage::{Usage, bytes_in};
use super::{Figures, number, usage};
use crate::kafka::{Broker, until};
use crate::worker::process::Worker;
use crate::worker::setup::now;

const SIZE: Size = Size {
    source: 8,
    matches: 16,
};
/// What is kept of the source, so that the disk does not fill.
const KEPT: [(&str, &str); 2] = [
    ("retention.bytes", "1000000000"),
    ("segment.bytes", "64000000"),
];
const BROKER: &str = "log.retention.check.interval.ms=5000\nlog.segment.delete.delay.ms=1000\n";
/// The rules whose window this is, and settings with which the state of a stream is as large as it
/// will ever be after some ten minutes: what an event is needed for is over by then.
const WINDOW: &str = "window: 300s";
const SHORT: &str = "patience = \"30s\"\nlateness = \"60s\"\n";
/// What is read at first; less than is kept.
const BACKLOG_BYTES: u64 = 4_000_000_000;
/// How long the capacity is measured.
const CAPACITY_TIME: Duration = Duration::from_secs(60);
/// How many messages wait at most meanwhile.
const AHEAD: i64 = 2_000;
/// Between two looks.
const SAMPLE: Duration = Duration::from_secs(10);
/// Between two lines.
const LINE: Duration = Duration::from_secs(300);

#[test]
#[ignore = "a measurement: make measure WHAT=soak SECONDS=1800"]
fn steady_at_seventy_percent() {
    let broker = Broker::start_with(BROKER);
    let lab = Lab::with_topic(broker.bootstrap(), "soak", SIZE, (SHORT, &KEPT), true);
    let rules = shipped_rules().into_iter().map(|(_, text)| text);
    let rules: Vec<String> = rules.filter(|text| text.contains(WINDOW)).collect();
    assert!(rules.len() > 4);
    lab.setup.file("rule.yaml", &rules.join("---\n"));
    let mut pool = Pool::new(number("POOL", 4_000));
    let mut figures = Figures::new("soak");

    let records = pool.backlog(&lab);
    let worker = lab.start("a");
    worker.wait_for("ready");
    let (start, cpu) = (Instant::now(), usage::of(worker.id()).cpu_s);
    until("the backlog is read", || lag(&lab) == 0);
    let taken = start.elapsed().as_secs_f64();
    let cpu = usage::of(worker.id()).cpu_s - cpu;
    figures.line(format!(
        "what waits is read with {:.0} records a second, {:.2} s of processor time a million",
        records as f64 / taken,
        cpu * 1e6 / records as f64,
    ));
    let capacity = pool.capacity(&lab);
    figures.line(format!(
        "capacity, with whoever sends on the same machine: {capacity:.0} records a second"
    ));

    let rate = number("RATE", (capacity * 0.7) as u64);
    let seconds = number("SECONDS", 1_800);
    let stop = Arc::new(AtomicBool::new(false));
    let stream = {
        let (stop, producer) = (Arc::clone(&stop), lab.producer());
        let source = lab.setup.source.clone();
        std::thread::spawn(move || pool.stream(&producer, &source, rate, &stop))
    };
    watch(&lab, &worker, (rate, seconds), &mut figures);
    stop.store(true, Ordering::Relaxed);
    let sent = stream.join().unwrap();
    figures.line(format!("{sent} records sent"));
    until("all is read", || lag(&lab) == 0);
    worker.stop();
}

/// Writes a line every five minutes.
fn watch(lab: &Lab, worker: &Worker, (rate, seconds): (u64, u64), figures: &mut Figures) {
    figures.line(format!("{rate} records a second for {seconds} s:"));
    figures.line("minute   MB now  MB most  disk MB    lag  processors".to_owned());
    let start = Instant::now();
    let mut last = (start, usage::of(worker.id()));
    let (mut lags, mut next) = (Vec::new(), LINE.min(Duration::from_secs(seconds)));
    let mut most = 0;
    while start.elapsed().as_secs() < seconds {
        std::thread::sleep(SAMPLE);
        let used: Usage = usage::of(worker.id());
        most = most.max(used.rss_mb);
        lags.push(lag(lab));
        if start.elapsed() >= next {
            let processors = (used.cpu_s - last.1.cpu_s) / last.0.elapsed().as_secs_f64();
            lags.sort_unstable();
            figures.line(format!(
                "{:6.0} {:8} {:8} {:8} {:6} {:11.2}",
                start.elapsed().as_secs_f64() / 60.0,
                used.rss_mb,
                most,
                bytes_in(&lab.setup.path("a")) >> 20,
                lags.get(lags.len() / 2).copied().unwrap_or(0),
                processors,
            ));
            last = (Instant::now(), used);
            lags.clear();
            most = 0;
            next += LINE;
        }
    }
}

/// Source messages that no commit covers yet.
fn lag(lab: &Lab) -> i64 {
    let client = lab.client("detect", "read_committed");
    let read = committed(&client, &lab.setup.source, lab.size.source);
    let left = (0..lab.size.source).map(|partition| {
        let read = read.get(&partition).copied().unwrap_or(0);
        end(&client, &lab.setup.source, partition) - read
    });
    left.sum()
}

/// Messages that are made once and sent again and again, with the time of the sending.
struct Pool {
    messages: Vec<Prepared>,
    next: usize,
}

struct Prepared {
    bytes: Vec<u8>,
    records: u64,
    /// Where the times of its records begin.
    times: Vec<usize>,
}

/// Before the time of a record.
const TIME: &[u8] = br#""time":""#;
/// `2026-11-24T09:14:05.118`, after which the generator's records go on.
const TIME_BYTES: usize = 23;

impl Pool {
    fn new(messages: u64) -> Pool {
        let mut generator = Generator::new(1, Options::usual(now()));
        let make = |_| {
            let message = generator.message();
            let times = memchr::memmem::find_iter(&message.bytes, TIME).map(|at| at + TIME.len());
            Prepared {
                times: times.collect(),
                bytes: message.bytes,
                records: message.records,
            }
        };
        Pool {
            messages: (0..messages).map(make).collect(),
            next: 0,
        }
    }

    /// The next message, with this time.
    fn message(&mut self, time: Millis) -> &Prepared {
        self.next = (self.next + 1) % self.messages.len();
        let text = rfc3339(time);
        let message = &mut self.messages[self.next];
        for at in &message.times {
            message.bytes[*at..at + TIME_BYTES].copy_from_slice(&text.as_bytes()[..TIME_BYTES]);
        }
        message
    }

    fn backlog(&mut self, lab: &Lab) -> u64 {
        let producer = lab.producer();
        let (mut bytes, mut records, mut number) = (0, 0, 0);
        while bytes < BACKLOG_BYTES {
            let message = self.message(now());
            let place = (lab.setup.source.as_str(), number % lab.size.source);
            send(&producer, place, &message.bytes);
            (bytes, records) = (
                bytes + message.bytes.len() as u64,
                records + message.records,
            );
            number += 1;
        }
        producer.flush(Duration::from_secs(120)).unwrap();
        records
    }

    /// Records a second that are read while as many are sent.
    fn capacity(&mut self, lab: &Lab) -> f64 {
        let producer = lab.producer();
        let (start, mut records, mut number) = (Instant::now(), 0, 0);
        while start.elapsed() < CAPACITY_TIME {
            if number % AHEAD as i32 == 0 {
                producer.flush(Duration::from_secs(60)).unwrap();
                until("most of it is read", || lag(lab) < AHEAD);
            }
            let message = self.message(now());
            let place = (lab.setup.source.as_str(), number % lab.size.source);
            send(&producer, place, &message.bytes);
            (records, number) = (records + message.records, number + 1);
        }
        producer.flush(Duration::from_secs(60)).unwrap();
        until("all of it is read", || lag(lab) == 0);
        records as f64 / start.elapsed().as_secs_f64()
    }

    /// Sends so many records a second; how many in all.
    fn stream(
        &mut self,
        producer: &rdkafka::producer::ThreadedProducer<rdkafka::producer::DefaultProducerContext>,
        source: &str,
        rate: u64,
        stop: &AtomicBool,
    ) -> u64 {
        let (start, mut sent, mut number) = (Instant::now(), 0, 0);
        while !stop.load(Ordering::Relaxed) {
            let due = (start.elapsed().as_secs_f64() * rate as f64) as u64;
            while sent < due {
                let message = self.message(now());
                send(producer, (source, number % SIZE.source), &message.bytes);
                (sent, number) = (sent + message.records, number + 1);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        producer.flush(Duration::from_secs(60)).unwrap();
        sent
    }
}

#[test]
fn a_message_is_sent_with_another_time() {
    let mut pool = Pool::new(3);
    let time = 1_772_409_600_123;
    let message = pool.message(time);
    let text = String::from_utf8(message.bytes.clone()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let records = value["records"].as_array().unwrap();
    assert_eq!(records.len() as u64, message.records);
    assert_eq!(message.times.len(), records.len());
    for record in records {
        let found = record["time"].as_str().unwrap();
        assert!(found.starts_with("2026-03-02T00:00:00.123"), "{found}");
    }
}
