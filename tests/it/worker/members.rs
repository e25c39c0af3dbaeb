//! Workers as members of their groups, and topics that get more partitions.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use super::process::Worker;
use super::setup::{Setup, Traffic, envelope, now};
use crate::kafka::{add_partitions, produce, until};

/// The partitions that the log says were `verb`, of both stages, as it names them.
fn named(log: &str, verb: &str) -> Vec<String> {
    let said = format!("partitions {verb} partitions=");
    let lists = log.lines().filter_map(|line| {
        let (_, rest) = line.split_once(&said)?;
        rest.strip_prefix('"')?.split_once('"')
    });
    let topics = lists.flat_map(|(list, _)| list.split("; "));
    let of_topic = |topic: &str| -> Vec<String> {
        let (name, numbers) = topic.split_once(' ').unwrap_or((topic, ""));
        let numbers = numbers.split(',').filter(|number| !number.is_empty());
        numbers.map(|number| format!("{name}/{number}")).collect()
    };
    topics.flat_map(of_topic).collect()
}

/// How many partitions the log says were `verb`.
fn partitions(log: &str, verb: &str) -> usize {
    named(log, verb).len()
}

/// Gives the source two more partitions, with messages in them.
fn grow(setup: &Setup) {
    add_partitions(&setup.bootstrap, &setup.source, 5);
    for partition in [3, 4] {
        let messages = (0..10).map(|number| (now(), envelope(number)));
        let messages: Vec<_> = messages.collect();
        produce(&setup.bootstrap, &setup.source, partition, &messages);
    }
}

#[test]
fn a_worker_that_joins_takes_only_its_share() {
    let setup = Setup::new("join", "");
    let traffic = Traffic::start(&setup, 150, Duration::from_millis(40));
    let first = Worker::start(&setup.config("a"));
    first.wait_for("ready");
    let second = Worker::start(&setup.config("b"));
    until("the second worker has its share", || {
        partitions(&second.log(), "assigned") == 3
    });
    traffic.finish();
    setup.wait_until_read();
    let other = second.stop();
    let log = first.stop();
    // Of three source and four matches partitions.
    assert_eq!(partitions(&log, "revoked"), 1 + 2, "{log}");
    let set = |log: &str, verb| named(log, verb).into_iter().collect::<BTreeSet<String>>();
    assert_eq!(
        set(&log, "revoked"),
        set(&other, "assigned"),
        "{log}{other}"
    );
    let matches = format!("{}.matches", setup.app);
    let assigned = set(&log, "assigned");
    let of = |topic: &str, number| {
        let all: Vec<String> = (0..number).map(|n| format!("{topic}/{n}")).collect();
        all
    };
    let all = [of(&setup.source, 3), of(&matches, 4)].concat();
    assert_eq!(assigned, BTreeSet::from_iter(all), "{log}");
    // That partitions move is no trouble.
    for line in log.lines().chain(other.lines()) {
        let complaint = line.contains("TXNERR") || line.contains("WARN") && line.contains("again");
        assert!(!complaint, "{log}{other}");
    }
    assert!(setup.check() > 0);
}

#[test]
fn a_known_worker_that_is_back_in_time_moves_nothing() {
    let setup = Setup::new("static", "static_membership = true\n");
    let config = |name| {
        setup.config_with(name, |text| {
            text.replace(
                "\"session.timeout.ms\" = 3000",
                "\"session.timeout.ms\" = 30000",
            )
        })
    };
    let traffic = Traffic::start(&setup, 150, Duration::from_millis(40));
    let mut first = Worker::start(&config("a"));
    let second = Worker::start(&config("b"));
    until("both have their share", || {
        let has = |worker: &Worker, verb| partitions(&worker.log(), verb);
        let held = |worker| has(worker, "assigned") - has(worker, "revoked");
        held(&first) >= 3 && held(&second) >= 3 && held(&first) + held(&second) == 7
    });
    let moves = |log: &str| ["assigned", "revoked"].map(|verb| partitions(log, verb));
    let before = moves(&second.log());
    first.crash();
    let first = Worker::start(&config("a"));
    first.wait_for("ready");
    traffic.finish();
    setup.wait_until_read();
    first.stop();
    let log = second.stop();
    assert_eq!(moves(&log), before, "{log}");
    assert!(setup.check() > 0);
}

#[test]
fn a_source_that_grows_is_read_from_its_new_beginnings() {
    let setup = Setup::new("growth", "start = \"latest\"\n");
    let config = |name| {
        setup.config_with(name, |text| {
            text.to_owned() + "\"topic.metadata.refresh.interval.ms\" = 1000\n"
        })
    };
    let workers = ["a", "b"].map(|name| Worker::start(&config(name)));
    workers.iter().for_each(|worker| worker.wait_for("ready"));
    Traffic::start(&setup, 20, Duration::from_millis(10)).finish();
    setup.wait_until_read();
    grow(&setup);
    Traffic::start(&setup, 60, Duration::from_millis(50)).finish();
    setup.wait_until_read();
    for worker in workers {
        worker.stop();
    }
    assert!(setup.check() > 0);
}

#[test]
fn a_source_that_grows_while_known_workers_restart_is_read_all_the_same() {
    let setup = Setup::new("growth-static", "static_membership = true\n");
    let config = |name| {
        setup.config_with(name, |text| {
            let text = text.replace(
                "\"session.timeout.ms\" = 3000",
                "\"session.timeout.ms\" = 20000",
            );
            text + "\"topic.metadata.refresh.interval.ms\" = 2000\n"
        })
    };
    let start = || {
        let workers = ["a", "b"].map(|name| Worker::start(&config(name)));
        workers.iter().for_each(|worker| worker.wait_for("ready"));
        workers
    };
    let mut workers = start();
    Traffic::start(&setup, 20, Duration::from_millis(10)).finish();
    setup.wait_until_read();
    workers.iter_mut().for_each(Worker::crash);
    grow(&setup);
    let workers = start();
    setup.wait_until_read();
    let again = "source partitions that nobody reads; joining the group again";
    let logs = workers.map(Worker::stop);
    assert!(logs.iter().any(|log| log.contains(again)), "{logs:?}");
    assert!(setup.check() > 0);
}

#[test]
fn another_number_of_matches_partitions_is_refused() {
    let setup = Setup::new("refused", "");
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    add_partitions(&setup.bootstrap, &format!("{}.matches", setup.app), 5);
    let said = "has 5 partitions, and this application has begun with 4";
    let (code, log) = worker.wait();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(said), "{log}");
    let (code, log) = Worker::start(&setup.config("a")).wait();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(said), "{log}");
    let checked = Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .args(["topics", "check", "--config"])
        .arg(setup.config("a"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(said.contains("partitions is 5, must be 4"), "{said}");
}
