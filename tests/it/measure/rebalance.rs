//! How long partitions pause when a worker comes or goes: the longest time between two commits of
//! each, under a steady stream.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;

use super::lab::{Lab, Size, Stream, committed, median_and_worst};
use super::{Figures, number};
use crate::kafka::{Broker, until};
use crate::worker::setup::now;

const SIZE: Size = Size {
    source: 12,
    matches: 12,
};
/// Between two looks at the offsets.
const SAMPLE: Duration = Duration::from_millis(20);
/// What is looked at after a worker came or went.
const AFTER: Duration = Duration::from_secs(12);

const STAGES: [&str; 2] = ["detect", "correlate"];

#[test]
#[ignore = "a measurement: make measure WHAT=rebalance"]
fn pauses_when_workers_come_and_go() {
    let broker = Broker::start();
    let lab = Lab::new(broker.bootstrap(), "rebalance", SIZE, "");
    let stream = Stream::start(&lab, 600, 1, 100_000);
    let workers = ["a", "b"].map(|name| lab.start(name));
    workers.iter().for_each(|worker| worker.wait_for("ready"));
    let mut pauses = Pauses::default();
    std::thread::sleep(Duration::from_secs(8));
    for _ in 0..number("ROUNDS", 3) {
        pauses.observe(&lab, "nothing happens", || {});
        let mut third = None;
        pauses.observe(&lab, "a worker is added", || third = Some(lab.start("c")));
        pauses.observe(&lab, "a worker leaves", || {
            third.take().unwrap().stop();
        });
    }
    stream.finish();
    for worker in workers {
        worker.stop();
    }
    let mut figures = Figures::new("rebalance");
    for ((what, stage, moved), times) in &pauses.found {
        let which = match moved {
            true => "moved",
            false => "stayed",
        };
        figures.line(format!(
            "{what}, {stage}, partitions that {which}: {}",
            median_and_worst(times)
        ));
    }
}

/// The longest pause of each partition, by what happened, the stage, and whether it moved.
#[derive(Default)]
struct Pauses {
    found: BTreeMap<(&'static str, &'static str, bool), Vec<i64>>,
}

impl Pauses {
    fn observe(&mut self, lab: &Lab, what: &'static str, act: impl FnOnce()) {
        let before = STAGES.map(|stage| owners(lab, stage));
        let samples = STAGES.map(|stage| Samples::start(lab, stage));
        std::thread::sleep(Duration::from_secs(1));
        act();
        std::thread::sleep(AFTER);
        let after = STAGES.map(|stage| owners(lab, stage));
        let stages = STAGES.into_iter().zip(before).zip(after);
        for (((stage, before), after), samples) in stages.zip(samples) {
            for (partition, pause) in samples.finish() {
                let moved = before.get(&partition) != after.get(&partition);
                let key = (what, stage, moved);
                self.found.entry(key).or_default().push(pause);
            }
        }
    }
}

/// Looks at the committed offsets of a group again and again.
struct Samples {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeMap<i32, i64>>,
}

impl Samples {
    fn start(lab: &Lab, stage: &'static str) -> Samples {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&stop);
        let client = lab.client(stage, "read_uncommitted");
        let (topic, partitions) = match stage {
            "detect" => (lab.setup.source.clone(), lab.size.source),
            _ => (lab.matches(), lab.size.matches),
        };
        let thread = std::thread::spawn(move || {
            let start = now();
            let mut last: BTreeMap<i32, (i64, i64)> = BTreeMap::new();
            let mut longest = BTreeMap::new();
            while !ended.load(Ordering::Relaxed) {
                let at = now();
                for (partition, offset) in committed(&client, &topic, partitions) {
                    let (known, since) = last.entry(partition).or_insert((offset, start));
                    if *known != offset {
                        let pause = longest.entry(partition).or_insert(0);
                        *pause = (at - *since).max(*pause);
                        (*known, *since) = (offset, at);
                    }
                }
                std::thread::sleep(SAMPLE);
            }
            longest
        });
        Samples { stop, thread }
    }

    /// The longest time between two commits, by partition.
    fn finish(self) -> BTreeMap<i32, i64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// The member that has each partition, once all have one.
fn owners(lab: &Lab, stage: &str) -> BTreeMap<i32, String> {
    let client = lab.client(stage, "read_committed");
    let group = format!("{}.{stage}", lab.setup.app);
    let wanted = match stage {
        "detect" => lab.size.source,
        _ => lab.size.matches,
    };
    let mut owners = BTreeMap::new();
    until("the group is stable", || {
        owners.clear();
        let groups = client.fetch_group_list(Some(&group), Duration::from_secs(10));
        let Ok(groups) = groups else { return false };
        let groups = groups.groups();
        for member in groups.iter().flat_map(|group| group.members()) {
            for partition in assigned(member.assignment().unwrap_or_default()) {
                owners.insert(partition, member.id().to_owned());
            }
        }
        groups.iter().all(|group| group.state() == "Stable") && owners.len() == wanted as usize
    });
    owners
}

/// The partitions of the one topic that a member's assignment names: a version, the topics, each
/// with its name and its partitions.
fn assigned(bytes: &[u8]) -> BTreeSet<i32> {
    let integer = |at: usize| -> Option<i32> {
        let bytes = bytes.get(at..at + 4)?;
        Some(i32::from_be_bytes(bytes.try_into().unwrap()))
    };
    let mut partitions = BTreeSet::new();
    if integer(2) != Some(1) {
        return partitions;
    }
    let name = usize::from(u16::from_be_bytes(bytes[6..8].try_into().unwrap()));
    let count = integer(8 + name).unwrap();
    let places = (0..count as usize).map(|n| 8 + name + 4 + 4 * n);
    partitions.extend(places.map(|at| integer(at).unwrap()));
    partitions
}

#[test]
fn an_assignment_names_partitions() {
    let bytes = b"\0\x03\0\0\0\x01\0\x02ab\0\0\0\x02\0\0\0\x01\0\0\0\x05\0\0\0\0";
    assert_eq!(assigned(bytes), BTreeSet::from([1, 5]));
    assert_eq!(assigned(b"\0\x03\0\0\0\0\0\0\0\0"), BTreeSet::new());
}
