//! A worker whose disk is lost makes its state anew from the log: when is it live again?

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::activity::{self, Log, MATCHES_PARTITIONS, SOURCE_PARTITIONS};
use super::lab::{Lab, Size, Stream, Watch, end, said_at, send};
use super::{Figures, number, usage};
use crate::kafka::Broker;
use crate::worker::setup::now;

/// The longest that is waited for.
const LIMIT_MS: i64 = 3_600_000;

#[test]
#[ignore = "a measurement: make measure WHAT=recovery_log"]
fn recovery_from_the_log_alone() {
    let broker = Broker::start();
    let size = Size {
        source: SOURCE_PARTITIONS as i32,
        matches: MATCHES_PARTITIONS as i32,
    };
    let more = "status_interval = \"1s\"\n";
    let lab = Lab::with_topic(broker.bootstrap(), "recovery-log", size, (more, &[]), true);
    let matches = prepare(&lab);
    let mut figures = Figures::new("recovery_log");

    let watch = Watch::start(&lab);
    let started = now();
    let worker = lab.start("a");
    worker.wait_for("ready");
    let stream = Stream::start(&lab, 40, 5, 100_000);
    let live = loop {
        let log = worker.log();
        let live = said_at(&log, &["matches_partitions=16", "recovering=0"]);
        if let (Some(live), Some(first)) = (live, watch.first_after(started)) {
            break (live, first);
        }
        assert!(now() - started < LIMIT_MS, "{log}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let used = usage::of(worker.id());
    let seconds = |time: i64| (time - started) as f64 / 1000.0;
    figures.line(format!(
        "{matches} matches: live on all partitions after {:.1} s ({:.0} matches/s), first new \
         incident after {:.1} s",
        seconds(live.0),
        matches as f64 / seconds(live.0),
        seconds(live.1),
    ));
    figures.line(format!(
        "worker: {:.1} s of processor time, {} MB at most; state on disk {} MB",
        used.cpu_s,
        used.peak_mb,
        usage::bytes_in(&lab.setup.path("a")) >> 20,
    ));
    stream.finish();
    worker.stop();
    watch.finish();
}

/// Makes the log, and the offsets of a worker that had folded all of it. Gives its matches.
fn prepare(lab: &Lab) -> u64 {
    let (plan, entries) = activity::plan(&lab.setup.source);
    let producer = lab.producer();
    let rules = format!("{}.rules", lab.setup.app);
    for (key, value) in &entries {
        let record = rdkafka::producer::BaseRecord::to(&rules);
        producer
            .send(record.key(key.as_bytes()).payload(value))
            .unwrap_or_else(|(error, _)| panic!("{error}"));
    }
    let wanted = number("MATCHES", 5_000_000);
    let last = now();
    let log = Log {
        matches: wanted,
        users: number("USERS", wanted / 250),
        time: (last - 7_200_000, last),
    };
    let topic = lab.matches();
    let (matches, messages) = log.write(&Arc::clone(&plan), |partition, bytes| {
        send(&producer, (&topic, partition as i32), &bytes);
    });
    // What the log names as read of the source stands there, without its text.
    for partition in 0..lab.size.source {
        for _ in 0..messages {
            send(
                &producer,
                (&lab.setup.source, partition),
                b"{\"records\":[]}",
            );
        }
    }
    producer.flush(Duration::from_secs(600)).unwrap();
    commit(lab, "detect", (&lab.setup.source, lab.size.source));
    commit(lab, "correlate", (&topic, lab.size.matches));
    matches
}

/// Commits the ends of a topic, with 0 as the note: the epoch, and where recovery begins.
fn commit(lab: &Lab, group: &str, (topic, partitions): (&str, i32)) {
    let client = lab.client(group, "read_committed");
    let mut offsets = TopicPartitionList::new();
    for partition in 0..partitions {
        let end = Offset::Offset(end(&client, topic, partition));
        let mut element = offsets.add_partition(topic, partition);
        element.set_offset(end).unwrap();
        element.set_metadata("0");
    }
    client.commit(&offsets, CommitMode::Sync).unwrap();
}
