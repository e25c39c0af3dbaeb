//! Matches logs as they were recorded, and what a version says when it folds them: two versions
//! that say the same of many logs publish the same bytes.
//!
//! A record is a file: the entries of the rules topic, then each matches partition with the
//! timestamp and the bytes of its messages. What is said of it is a text: a line a publication
//! with partition, incident, revision and the hash of its Avro bytes.
//!
//! `WATCHFIRE_RECORD_TO=FOLDER` has the simulation keep the logs of its seeds there, and names the
//! folder of `record_weeks`. `WATCHFIRE_RECORDED=FOLDER WATCHFIRE_SAID=FOLDER` name what
//! `fold_recorded_logs` reads and writes. `scripts/compare-folds.sh` compares two versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use watchfire::encode::Encoding;
use watchfire::generate::{Generator, Options};
use watchfire::plan::Plan;
use watchfire::record::Hash;

use crate::measure::MEASURED;
use crate::rng::Rng;
use crate::world::{CorrelateWorker, DetectWorker, World};

/// Begins every record.
const MAGIC: &[u8] = b"watchfire matches logs 1\n";

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// 2026-03-02T00:00:00Z, a Monday.
const MONDAY: i64 = 1_772_409_600_000;

fn folder(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os(name)?);
    fs::create_dir_all(&folder).unwrap();
    Some(folder)
}

/// Keeps the logs of a world, where somebody wants them.
pub fn keep(world: &World, name: &str) {
    if let Some(folder) = folder("WATCHFIRE_RECORD_TO") {
        fs::write(folder.join(name).with_extension("log"), bytes(world)).unwrap();
    }
}

fn bytes(world: &World) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    let number = |bytes: &mut Vec<u8>, n: i64| bytes.extend(n.to_be_bytes());
    let piece = |bytes: &mut Vec<u8>, piece: &[u8]| {
        number(bytes, piece.len() as i64);
        bytes.extend(piece);
    };
    number(&mut bytes, world.entries.len() as i64);
    for (key, value) in &world.entries {
        piece(&mut bytes, key.as_bytes());
        piece(&mut bytes, value);
    }
    number(&mut bytes, world.logs.len() as i64);
    for log in &world.logs {
        number(&mut bytes, log.len() as i64);
        for (timestamp, payload) in log {
            number(&mut bytes, *timestamp);
            piece(&mut bytes, payload);
        }
    }
    bytes
}

/// What is still to be read of a record.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn take(&mut self, length: usize) -> &'b [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> i64 {
        i64::from_be_bytes(self.take(8).try_into().unwrap())
    }

    fn piece(&mut self) -> &'b [u8] {
        let length = self.number() as usize;
        self.take(length)
    }
}

fn world(bytes: &[u8]) -> World {
    let mut rest = Rest(bytes);
    assert_eq!(rest.take(MAGIC.len()), MAGIC, "this is no record");
    let mut entries = Vec::new();
    for _ in 0..rest.number() {
        let key = String::from_utf8(rest.piece().to_vec()).unwrap();
        entries.push((key, rest.piece().to_vec()));
    }
    let partitions = rest.number() as usize;
    let mut world = World::new(0, 1, partitions);
    for (key, value) in &entries {
        world.catalogue.read(key, Some(value)).unwrap();
    }
    world.entries = entries;
    for partition in 0..partitions {
        let messages = 0..rest.number();
        let message = |_| (rest.number(), rest.piece().to_vec());
        world.logs[partition] = messages.map(message).collect();
    }
    assert!(rest.0.is_empty(), "the record goes on after its end");
    world
}

/// One way of folding a log: it must change nothing.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// Messages between two commits, at most.
    batch: usize,
    /// What is loaded is forgotten with every commit.
    forget: bool,
    /// Commits between two crashes, in the middle of a commit or after it.
    crash: Option<u64>,
    /// Messages after which the disk is lost.
    lose: Option<i64>,
}

const WAYS: [Way; 4] = [
    Way {
        batch: 1,
        forget: false,
        crash: None,
        lose: None,
    },
    Way {
        batch: 50,
        forget: false,
        crash: None,
        lose: None,
    },
    Way {
        batch: 3,
        forget: true,
        crash: None,
        lose: None,
    },
    Way {
        batch: 20,
        forget: true,
        crash: Some(5),
        lose: Some(1_000),
    },
];

fn committed(world: &World, partition: usize) -> i64 {
    let commit = world.commits[partition].as_ref();
    commit.map_or(0, |commit| commit.offset)
}

/// Folds the whole log of each partition; a line a publication, then one of all of them.
fn said(world: &mut World, way: Way, seed: u64) -> String {
    let mut rng = Rng::new(seed);
    let mut text = String::new();
    for partition in 0..world.logs.len() {
        world.commits[partition] = None;
        world.incidents[partition].clear();
        let mut worker = CorrelateWorker::default();
        worker.assign(world, partition);
        let mut lose = way.lose;
        while committed(world, partition) < world.logs[partition].len() as i64 {
            let batch = 1 + rng.index(way.batch);
            let batch = if way.crash.is_some() {
                batch
            } else {
                way.batch
            };
            worker.read(world, partition, batch);
            let crash = way.crash.is_some_and(|every| rng.one_in(every));
            if crash && rng.one_in(2) {
                worker.restart(world);
                continue;
            }
            worker.commit_kafka(world, partition);
            if crash {
                worker.restart(world);
                continue;
            }
            worker.commit_disk(partition, way.forget);
            if lose.is_some_and(|after| committed(world, partition) > after) {
                lose = None;
                worker.revoke(partition);
                worker.lose_disk(partition);
                worker.assign(world, partition);
            }
        }
        for incident in &world.incidents[partition] {
            let hash = Hash::of(&Encoding::Avro.encode(incident));
            let (id, revision) = (incident.incident_id, incident.revision);
            let offset = revision / 2;
            text += &format!("{partition} {offset} {id} {revision} {hash}\n");
        }
    }
    let lines = text.lines().count();
    let all = Hash::of(text.as_bytes());
    text + &format!("all {lines} {all}\n")
}

#[test]
#[ignore = "compares two versions: scripts/compare-folds.sh"]
fn fold_recorded_logs() {
    let (from, to) = (
        folder("WATCHFIRE_RECORDED").unwrap(),
        folder("WATCHFIRE_SAID").unwrap(),
    );
    let mut logs: Vec<PathBuf> = fs::read_dir(&from)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect();
    logs.sort();
    let only_one = std::env::var_os("WATCHFIRE_ONE_WAY").is_some();
    let (mut publications, mut broken) = (0, Vec::new());
    for log in &logs {
        let name = log.file_stem().unwrap().to_string_lossy().into_owned();
        let mut world = world(&fs::read(log).unwrap());
        let first = said(&mut world, WAYS[0], 0);
        publications += first.lines().count() - 1;
        for (seed, way) in (1..).zip(&WAYS[1..]) {
            if !only_one && said(&mut world, *way, seed) != first {
                broken.push(format!("{name}: {way:?} says something else"));
            }
        }
        fs::write(to.join(name).with_extension("said"), first).unwrap();
    }
    println!(
        "{} logs folded, {publications} publications each time",
        logs.len()
    );
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Rules under which a generated week goes by: ten shipped ones, those of the golden cases, and
/// some that much matches.
fn rules() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = Vec::new();
    for name in MEASURED {
        files.push(root.join("rules/azure").join(name).with_extension("yaml"));
    }
    for entry in fs::read_dir(root.join("tests/golden")).unwrap() {
        files.push(entry.unwrap().path().join("rules.yaml"));
    }
    files.sort();
    let mut rules: Vec<String> = Vec::new();
    for file in files.iter().filter(|file| file.is_file()) {
        let text = fs::read_to_string(file).unwrap();
        for document in text.split("\n---\n") {
            let number = rules.len();
            let named = format!("id: Rule_{number}\n");
            let lines = document.lines();
            let lines = lines.map(|line| match line.starts_with("id: ") {
                true => named.clone(),
                false => format!("{line}\n"),
            });
            rules.push(lines.collect());
        }
    }
    rules.extend(MORE.split("---\n").map(str::to_owned));
    rules
}

/// Rules beside those that there are: broad filters, long windows, several patterns.
const MORE: &str = r#"id: more_all
name: everything of a user
severity: 3
window: 300s
patterns: [ { name: All, where: eventType IS NOT NULL, group_by: [user] } ]
incident: { title: "All of $user", attributes: { user: All.user, first: All.FIRST(eventType) } }
---
id: more_addresses
name: several addresses
severity: 5
window: 2h
patterns:
  - name: P
    where: srcIpAddr IS NOT NULL
    group_by: [user]
    having: COUNT(DISTINCT srcIpAddr) >= 3 AND COUNT(*) < 40
incident:
  title: t
  attributes: { user: P.user, n: P.COUNT(DISTINCT srcIpAddr), last: P.LAST(srcIpAddr) }
---
id: more_followed
name: a deletion after a command
severity: 7
window: 6h
patterns:
  - { name: A, where: 'eventType CONTAIN "runcommand"', group_by: [user] }
  - { name: B, where: 'eventType ENDS_WITH "delete"', group_by: [user] }
condition: A FOLLOWED_BY B
relations: [A.user = B.user]
clear: { quiet: 2h }
---
id: more_absent
name: a write that no delete follows
severity: 4
window: 30m
patterns:
  - { name: A, where: 'eventType ENDS_WITH "write"', group_by: [user] }
  - { name: B, where: 'eventType ENDS_WITH "delete"', group_by: [user] }
condition: A NOT_FOLLOWED_BY B
relations: [A.user = B.user]
---
id: more_new
name: an address that is new to a user
severity: 6
window: 60s
patterns:
  - name: P
    where: srcIpAddr IS NOT NULL
    group_by: [user, srcIpAddr]
    new: "[user, srcIpAddr] over 2d"
---
id: more_day
name: many a day
severity: 5
window: 24h
patterns: [ { name: P, where: eventType IS NOT NULL, group_by: [user], having: COUNT(*) >= 20 } ]
---
id: more_resources
name: by resource
severity: 5
window: 10m
patterns:
  - { name: P, where: resourceId IS NOT NULL, group_by: [resourceId], having: COUNT(*) >= 2 }
"#;

/// The rules at one time: one is gone, another has exceptions, a third another patience.
fn rules_of(rules: &[String], phase: usize) -> String {
    let mut rules = rules.to_vec();
    let count = rules.len();
    if phase > 0 {
        rules[count - 7] +=
            "exceptions: [ { where: 'user CONTAIN \"a\"' } ]\npatience: 5m\nlateness: 1h\n";
        rules[count - 6] += "exceptions: [ { where: 'user CONTAIN \"e\"' } ]\n";
        rules.remove((phase * 7) % (count - 8));
    }
    if phase > 1 {
        rules.remove((phase * 5) % (count - 8));
    }
    rules.join("---\n")
}

/// What a generated week is like.
#[derive(Clone, Copy)]
struct Week {
    sources: usize,
    matches: usize,
    people: u64,
    action_gap_ms: u64,
    days: i64,
    /// Records in a thousand that come hours late.
    late: u64,
    /// The clock leaps a day now and then.
    leaps: bool,
}

#[test]
#[ignore = "compares two versions: scripts/compare-folds.sh"]
fn record_weeks() {
    let usual = Week {
        sources: 4,
        matches: 3,
        people: 40,
        action_gap_ms: 20_000,
        days: 7,
        late: 5,
        leaps: false,
    };
    let weeks = [
        ("week", usual),
        (
            "one",
            Week {
                matches: 1,
                sources: 1,
                ..usual
            },
        ),
        (
            "leaps",
            Week {
                leaps: true,
                late: 20,
                ..usual
            },
        ),
        (
            "late",
            Week {
                late: 100,
                people: 15,
                days: 3,
                ..usual
            },
        ),
        (
            "crowd",
            Week {
                people: 3_000,
                action_gap_ms: 1_000,
                days: 1,
                ..usual
            },
        ),
        (
            "few",
            Week {
                people: 3,
                action_gap_ms: 60_000,
                days: 14,
                leaps: true,
                ..usual
            },
        ),
    ];
    for (seed, (name, week)) in (1..).zip(weeks) {
        let world = week.record(seed);
        let messages: usize = world.logs.iter().map(Vec::len).sum();
        println!("{name}: {messages} messages");
        keep(&world, &format!("week-{name}"));
    }
}

impl Week {
    fn record(self, seed: u64) -> World {
        let mut rng = Rng::new(seed);
        let start = MONDAY - 2 * HOUR;
        let mut world = World::new(start, self.sources, self.matches);
        world.message_bytes = 30_000;
        let rules = rules();
        let mut plan = world.plan(&rules_of(&rules, 0));
        let mut workers = self.workers(&world, &plan);
        let options = Options {
            action_gap_ms: self.action_gap_ms,
            people: self.people,
            commands_per_million: 30_000,
            records_max: 8,
            attack_after_ms: Some(self.days * DAY / 2),
            ..Options::usual(start)
        };
        let mut generator = Generator::new(seed, options);
        // Time that the stream leaps, and messages that come later than they should.
        let (mut leapt, mut held, mut phase) = (0, Vec::new(), 0);
        while world.clock < start + self.days * DAY {
            let message = generator.message();
            world.clock = world.clock.max(message.time + leapt);
            if self.leaps && rng.one_in(2_000) {
                leapt += DAY;
            }
            let due = match rng.below(1000) < self.late {
                true => world.clock + rng.below(6 * HOUR as u64) as i64,
                false => world.clock,
            };
            held.push((due, message.bytes));
            let (ready, rest) = held.into_iter().partition(|(due, _)| *due <= world.clock);
            held = rest;
            let ready: Vec<(i64, Vec<u8>)> = ready;
            for (_, bytes) in ready {
                let partition = rng.index(self.sources);
                world.produce(partition, bytes);
            }
            work(&mut world, &mut workers, &mut rng);
            if rng.one_in(3_000) {
                phase += 1;
                plan = world.plan(&rules_of(&rules, phase % 4));
                for worker in &mut workers {
                    worker.commit(&mut world, true);
                    worker.restart(&world, Arc::clone(&plan));
                }
            }
        }
        for _ in 0..3 {
            for worker in &mut workers {
                read_all(&world, worker);
                worker.mark(&world);
                worker.commit(&mut world, true);
            }
            world.clock += DAY;
        }
        world
    }

    fn workers(&self, world: &World, plan: &Arc<Plan>) -> Vec<DetectWorker> {
        let worker = || DetectWorker::new(world, Arc::clone(plan));
        let mut workers = vec![worker(), worker()];
        for partition in 0..self.sources {
            workers[partition % 2].assign(world, partition as u32);
        }
        workers
    }
}

fn read_all(world: &World, worker: &mut DetectWorker) {
    for partition in worker.assigned() {
        while worker.read(world, partition) {}
    }
}

/// A worker reads, now and then says the time, and commits; sometimes only what it wrote counts.
fn work(world: &mut World, workers: &mut [DetectWorker], rng: &mut Rng) {
    if rng.one_in(3) {
        return;
    }
    let worker = &mut workers[rng.index(workers.len())];
    read_all(world, worker);
    if rng.one_in(6) {
        worker.mark(world);
    }
    if rng.one_in(3) {
        let offsets = !rng.one_in(50);
        worker.commit(world, offsets);
        if !offsets {
            let plan = Arc::clone(&worker.plan);
            worker.restart(world, plan);
        }
    }
}
