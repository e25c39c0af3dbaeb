//! A worker that is fed hostile input between ordinary records: are the ordinary ones understood as
//! if nothing else had come, does its memory stay as it is, and does it go on?
//!
//! What it must find in the ordinary records is what a backtest of them alone finds. Hostile
//! records stand among them in their messages, and between these as messages of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use watchfire::encode::json;
use watchfire::generate::hostile::{Family, HOSTILE_USER, Hostile};
use watchfire::generate::{Generator, Options};
use watchfire::incident::Status;
use watchfire::time::Millis;

use super::activity::shipped_rules;
use super::lab::{Lab, SMALL, send};
use super::{Figures, number, usage};
use crate::kafka::{Broker, bootstrap, until};
use crate::worker::process::Worker;
use crate::worker::setup::now;

/// Larger than any delay of the generator's records, so that none comes too late; and little
/// enough that the state is as large as it will ever be after some minutes.
const SETTINGS: &str = "patience = \"5s\"\nlateness = \"200s\"\n";
/// The largest record that a worker takes by default is a little larger.
const BYTES_MAX: usize = 899_900;
/// Between two looks at the worker's memory.
const SAMPLE: Duration = Duration::from_secs(10);
/// Fields that say how an incident came to be known, not what it is.
const BY_THE_WAY: [&str; 5] = ["revision", "status", "late", "replaces", "close_reason"];

/// What is sent.
struct Plan {
    options: Options,
    /// One record in so many is hostile.
    one_in: u64,
    /// Ordinary records.
    records: u64,
    /// Whether each message is sent when its time has come, or at once.
    live: bool,
}

/// What was sent.
#[derive(Default)]
struct Sent {
    records: u64,
    hostile: BTreeMap<Family, u64>,
    /// How long it took.
    time: Duration,
    /// Memory of the worker, as it was now and then.
    rss_mb: Vec<u64>,
}

#[test]
fn hostile_input_changes_nothing_for_its_neighbours() {
    let lab = lab(bootstrap(), "hostile");
    let options = Options {
        action_gap_ms: 100,
        commands_per_million: 20_000,
        ..Options::usual(now() - 60_000)
    };
    let plan = Plan {
        options,
        one_in: 25,
        records: 1_000,
        live: false,
    };
    let worker = lab.start("a");
    worker.wait_for("ready");
    let sent = feed(&lab, &worker, &plan);
    lab.setup.wait_until_read();
    worker.stop();
    assert!(
        sent.hostile.len() == Family::ALL.len(),
        "{:?}",
        sent.hostile
    );
    check(&lab, &sent);
}

#[test]
#[ignore = "a measurement: make measure WHAT=hostile SECONDS=900"]
fn steady_with_hostile_input() {
    let broker = Broker::start();
    let lab = lab(broker.bootstrap(), "hostile");
    let (seconds, rate) = (number("SECONDS", 900), number("RATE", 1_000));
    let plan = Plan {
        options: Options {
            action_gap_ms: 2_000 / rate,
            ..Options::usual(now())
        },
        one_in: 100,
        records: seconds * rate,
        live: true,
    };
    let worker = lab.start("a");
    worker.wait_for("ready");
    let sent = feed(&lab, &worker, &plan);
    wait_until_all_is_over(&lab);
    let peak = usage::of(worker.id()).peak_mb;
    let log = worker.stop();
    for line in log.lines().filter(|line| line.contains("WARN")) {
        assert!(!line.contains("again"), "work was dropped: {log}");
    }
    let incidents = check(&lab, &sent);

    let mut figures = Figures::new("hostile");
    let hostile: u64 = sent.hostile.values().sum();
    figures.line(format!(
        "{} ordinary records and {hostile} hostile ones in {} s: {incidents} incidents of \
         ordinary records, the same as without the others",
        sent.records,
        sent.time.as_secs()
    ));
    let third = sent.rss_mb.len() / 3;
    let most = |samples: &[u64]| samples.iter().copied().max().unwrap_or(0);
    let thirds: Vec<u64> = sent.rss_mb.chunks(third.max(1)).take(3).map(most).collect();
    figures.line(format!(
        "MB of memory at most, in each third of the time: {thirds:?}; {peak} MB at any time; no \
         restart"
    ));
    assert!(
        thirds[2] <= thirds[1] + thirds[1] / 5 + 32,
        "memory grows: {:?}",
        sent.rss_mb
    );
}

/// With those of the shipped rules that have the usual window, made short: so their incidents are
/// over soon, and what stands is all that there is to be said.
fn lab(bootstrap: &str, name: &str) -> Lab {
    let lab = Lab::with_topic(bootstrap, name, SMALL, (SETTINGS, &[]), true);
    let rules = shipped_rules().into_iter().map(|(_, text)| text);
    let rules: Vec<String> = rules
        .filter(|text| text.contains("window: 300s"))
        .map(|text| text.replace("window: 300s", "window: 5s"))
        .collect();
    assert!(rules.len() > 4);
    lab.setup.file("rule.yaml", &rules.join("---\n"));
    lab
}

/// Sends ordinary records, and hostile ones between them. The ordinary ones alone go to a file,
/// too.
fn feed(lab: &Lab, worker: &Worker, plan: &Plan) -> Sent {
    let mut generator = Generator::new(11, plan.options.clone());
    let mut hostile = Hostile::new(13, BYTES_MAX);
    let producer = lab.producer();
    let mut kept = BufWriter::new(File::create(lab.setup.path("good.ndjson")).unwrap());
    let (mut sent, mut messages) = (Sent::default(), 0);
    let start = Instant::now();
    let mut sampled = start;
    while sent.records < plan.records {
        let message = generator.message();
        if plan.live {
            wait_until(message.time);
        }
        kept.write_all(&message.bytes).unwrap();
        kept.write_all(b"\n").unwrap();
        sent.records += message.records;
        let place = (lab.setup.source.as_str(), messages % SMALL.source);
        messages += 1;
        let mut bytes = message.bytes;
        while sent.hostile.values().sum::<u64>() < sent.records / plan.one_in {
            let (family, text) = hostile.any(message.time.min(now()));
            *sent.hostile.entry(family).or_default() += 1;
            let fits = bytes.len() + text.len() < BYTES_MAX + 90_000;
            if family.is_record() && fits {
                bytes = among(&bytes, &text);
            } else {
                send(&producer, place, text.as_bytes());
            }
        }
        send(&producer, place, &bytes);
        if sampled.elapsed() >= SAMPLE {
            sampled = Instant::now();
            sent.rss_mb.push(usage::of(worker.id()).rss_mb);
        }
    }
    kept.flush().unwrap();
    rdkafka::producer::Producer::flush(&producer, Duration::from_secs(120)).unwrap();
    sent.time = start.elapsed();
    sent
}

fn wait_until(time: Millis) {
    let left = u64::try_from(time - now()).unwrap_or(0);
    std::thread::sleep(Duration::from_millis(left));
}

/// A message with one more record as its first.
fn among(message: &[u8], record: &str) -> Vec<u8> {
    let start = br#"{"records":["#;
    let rest = message.strip_prefix(start).unwrap();
    let parts: [&[u8]; 4] = [start, record.as_bytes(), b",", rest];
    parts.concat()
}

/// Holds that the worker has found in the ordinary records what a backtest of them alone finds, and
/// somebody in the hostile ones. How many incidents the ordinary ones have.
fn check(lab: &Lab, sent: &Sent) -> usize {
    let (hostile, live): (Vec<Value>, Vec<Value>) = standing(lab).into_iter().partition(is_hostile);
    let live: BTreeSet<String> = live.iter().map(plain).collect();
    let alone: BTreeSet<String> = backtest(lab).iter().map(plain).collect();
    let only_live: Vec<_> = live.difference(&alone).take(2).collect();
    let only_alone: Vec<_> = alone.difference(&live).take(2).collect();
    assert!(
        only_live.is_empty() && only_alone.is_empty(),
        "{only_live:#?} {only_alone:#?}"
    );
    assert!(live.len() > 3, "{live:?}");
    // Each of these is one command of a user of its own.
    let commands = [
        Family::LongUser,
        Family::LongResource,
        Family::Controls,
        Family::RawControls,
        Family::RepeatedKeys,
        Family::LongLists,
        Family::FarTime,
        Family::Quoted,
    ];
    let commands = commands
        .iter()
        .filter_map(|family| sent.hostile.get(family));
    let named: BTreeSet<&str> = hostile.iter().filter_map(user).collect();
    assert_eq!(named.len() as u64, commands.sum::<u64>(), "{named:?}");
    live.len()
}

/// Waits until all is read, and every incident that stands is closed: what was said of it then is
/// all there is.
fn wait_until_all_is_over(lab: &Lab) {
    lab.setup.wait_until_read();
    until("all incidents are closed", || {
        let standing = standing(lab);
        !standing.is_empty() && standing.iter().all(|i| i["status"] == "CLOSED")
    });
}

/// The last that was said of each incident that was not taken back.
fn standing(lab: &Lab) -> Vec<Value> {
    let mut last = BTreeMap::new();
    for incident in lab.setup.incidents() {
        let known = last
            .entry(incident.incident_id)
            .or_insert_with(|| incident.clone());
        if incident.revision > known.revision {
            *known = incident;
        }
    }
    let standing = last.into_values().filter(|i| i.status != Status::Retracted);
    standing
        .map(|incident| serde_json::from_str(&json::line(&incident)).unwrap())
        .collect()
}

fn user(incident: &Value) -> Option<&str> {
    incident["attributes"]["user"].as_str()
}

fn is_hostile(incident: &Value) -> bool {
    let evidence = incident["evidence"].as_array().unwrap();
    let of_hostile = |one: &&Value| {
        let correlation = one["correlation_id"].as_str();
        correlation.is_some_and(|id| id.starts_with(HOSTILE_USER))
    };
    let count = evidence.iter().filter(of_hostile).count();
    assert!(count == 0 || count == evidence.len(), "mixed: {incident}");
    count > 0 || user(incident).is_some_and(|user| user.starts_with(HOSTILE_USER))
}

/// An incident without what depends on how it came to be known, and where its records stood.
fn plain(incident: &Value) -> String {
    let mut incident = incident.clone();
    let fields = incident.as_object_mut().unwrap();
    for field in BY_THE_WAY {
        fields.remove(field);
    }
    for evidence in fields["evidence"].as_array_mut().unwrap() {
        for field in ["topic", "partition", "offset", "index"] {
            evidence.as_object_mut().unwrap().remove(field);
        }
    }
    incident.to_string()
}

/// What a backtest of the ordinary records alone finds.
fn backtest(lab: &Lab) -> Vec<Value> {
    let done = Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .args(["backtest", "--config"])
        .arg(lab.config("a"))
        .arg("--input")
        .arg(lab.setup.path("good.ndjson"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    let lines = String::from_utf8(done.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
