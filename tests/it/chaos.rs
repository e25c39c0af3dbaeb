//! The fault suite: real workers on a real cluster of three brokers, a known stream, and whatever
//! a seed does to them. What stands in the topics at the end is read by a client that is not ours
//! and held against what must follow from the stream.
//!
//! As one of the tests it is short. `WATCHFIRE_CHAOS_SECONDS=n` makes it longer,
//! `WATCHFIRE_CHAOS_SEED=s` another, `WATCHFIRE_CHAOS_SEEDS=n` runs that many seeds from there on,
//! `WATCHFIRE_CHAOS_MODE=exactly_once` (or `at_least_once`) runs one mode alone, and
//! `WATCHFIRE_CHAOS_TABLE=dir` puts a line for each seed into the mode's file there.

mod answers;
mod application;
mod check;
mod commits;
mod dialects;
mod dump;
mod field;
mod leaving;
mod replaced;
mod rest;
mod rules;
mod schedule;
mod slot;
mod stream;
mod table;
mod wrong;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use watchfire::config::Delivery;

use crate::kafka::cluster::Cluster;
use crate::proxy::dialect::Speaker;

use application::Application;
use check::Figures;
use dump::Dump;
use field::Field;
use rest::Rest;
use stream::Stream;
use table::Line;

/// How long faults go on in a usual test.
const SECONDS: u64 = 16;

/// After so many runs a new cluster takes the place of the old one, and of all topics in it.
/// (Topics are not deleted: controllers of Kafka 4.4 that have deleted some may fail for ever, with
/// "existed in isrMembers, but not in the topics map", when a broker comes back.)
const RUNS_OF_A_CLUSTER: u32 = 6;

/// What is run.
struct Runs {
    first_seed: u64,
    seeds: u64,
    seconds: u64,
    modes: Vec<Delivery>,
    table: Option<PathBuf>,
}

impl Runs {
    fn from_environment() -> Runs {
        let all = [Delivery::ExactlyOnce, Delivery::AtLeastOnce];
        let mode = std::env::var("WATCHFIRE_CHAOS_MODE").unwrap_or_default();
        let modes = all.into_iter();
        Runs {
            first_seed: number("SEED", 1),
            seeds: number("SEEDS", 1),
            seconds: number("SECONDS", SECONDS),
            modes: modes
                .filter(|one| mode.is_empty() || name(*one) == mode)
                .collect(),
            table: std::env::var_os("WATCHFIRE_CHAOS_TABLE").map(PathBuf::from),
        }
    }
}

/// A number that may be set for a run of the tests.
fn number(name: &str, usual: u64) -> u64 {
    let text = std::env::var(format!("WATCHFIRE_CHAOS_{name}"));
    text.map_or(usual, |text| text.parse().expect("a number"))
}

fn name(mode: Delivery) -> &'static str {
    match mode {
        Delivery::ExactlyOnce => "exactly_once",
        Delivery::AtLeastOnce => "at_least_once",
    }
}

#[test]
fn faults_change_nothing_that_is_published() {
    let runs = Runs::from_environment();
    assert!(!runs.modes.is_empty(), "WATCHFIRE_CHAOS_MODE is not a mode");
    let mut failed = Vec::new();
    let (mut cluster, mut served) = (None, 0);
    for seed in runs.first_seed..runs.first_seed + runs.seeds {
        for mode in &runs.modes {
            // The old one goes before the new one comes.
            if served == RUNS_OF_A_CLUSTER {
                (cluster, served) = (None, 0);
            }
            served += 1;
            let cluster = cluster.get_or_insert_with(Cluster::start);
            let run = || run(cluster, seed, runs.seconds, *mode);
            let line = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
            let line = line.unwrap_or_else(|_| Line::failed(seed, runs.seconds));
            if let Some(table) = &runs.table {
                line.write(&table.join(format!("{}.md", name(*mode))));
            }
            if line.figures.is_none() {
                failed.push((name(*mode), seed));
                // Whatever state it is in.
                served = RUNS_OF_A_CLUSTER;
            }
        }
    }
    assert!(failed.is_empty(), "WATCHFIRE_CHAOS_SEED: {failed:?}");
}

/// How the brokers of a run speak: for every third seed as Event Hubs does, in the tier that has
/// what the mode needs.
fn speaker(seed: u64, mode: Delivery) -> Speaker {
    match mode {
        _ if !seed.is_multiple_of(3) => Speaker::Kafka,
        Delivery::ExactlyOnce => Speaker::Premium,
        Delivery::AtLeastOnce => Speaker::Standard,
    }
}

/// Runs one seed.
fn run(cluster: &mut Cluster, seed: u64, seconds: u64, mode: Delivery) -> Line {
    println!(
        "WATCHFIRE_CHAOS_SEED={seed} WATCHFIRE_CHAOS_SECONDS={seconds} {}",
        name(mode)
    );
    let start = Instant::now();
    let static_membership = seed.is_multiple_of(2);
    let speaker = speaker(seed, mode);
    cluster.speak(speaker);
    let application = Application::create(cluster.bootstrap(), mode, static_membership);
    let application = application.on(speaker);
    let sources = Arc::new(AtomicUsize::new(stream::PARTITIONS));
    let mut field = Field::start(&application, cluster, Arc::clone(&sources));
    let stream = Stream::start(
        &application.bootstrap,
        &application.source,
        seed,
        Arc::clone(&sources),
    );
    for (at, fault) in schedule::schedule(seed, seconds) {
        field.tick_until(at);
        field.strike(&fault);
    }
    field.tick_until(seconds * 1000);
    let last = stream.end();
    field.heal();
    let sent = stream.finish();
    // The stream may have ended before it wrote to the newest.
    let mut rest = Rest::after(last, sources.load(Ordering::Relaxed), &application);
    field.wait("everything is read, folded and closed", |_| rest.has_come());
    field.stop();
    let lines = dump::read(&application);
    let found = check::check(
        &Dump::parse(&lines, &application.name),
        &sent,
        mode,
        &rules::CHANGING,
    );
    let mut problems = std::mem::take(&mut field.problems);
    let figures = found.unwrap_or_else(|found| {
        problems.extend(found.iter().map(ToString::to_string));
        Figures::default()
    });
    let took = start.elapsed().as_secs();
    println!("{figures:?}, {} problems, in {took} s", problems.len());
    if !problems.is_empty() {
        save(seed, mode, &field, &problems, &lines);
    }
    Line {
        seed,
        seconds,
        faults: field.counts.clone(),
        figures: problems.is_empty().then_some(figures),
    }
}

/// Keeps all that helps to find out why a seed fails.
fn save(seed: u64, mode: Delivery, field: &Field<'_>, problems: &[String], dump: &str) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{}-{seed}", name(mode)));
    std::fs::create_dir_all(&dir).unwrap();
    let write = |file: &str, text: &str| std::fs::write(dir.join(file), text).unwrap();
    write("problems", &problems.join("\n"));
    write("story", &field.story.join("\n"));
    write("dump.jsonl", dump);
    for (name, log) in field.logs() {
        write(&format!("{name}.log"), &log);
    }
    let first: Vec<&str> = problems.iter().take(20).map(String::as_str).collect();
    println!("{}\nmore in {}", first.join("\n"), dir.display());
}
