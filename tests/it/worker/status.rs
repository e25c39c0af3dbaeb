//! What a worker tells of itself in its log.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::process::Worker;
use super::setup::{Setup, Traffic, now};
use crate::kafka::{produce, read_committed, until};

/// Lines of counters now and then.
const OFTEN: &str = "status_interval = \"200ms\"\n";

/// The fields of the lines of counters, in order.
fn statuses(log: &str) -> Vec<BTreeMap<String, String>> {
    let field = regex::Regex::new(r#"(\w+)=("[^"]*"|\S+)"#).unwrap();
    let lines = log
        .lines()
        .filter(|line| line.contains(" status delivery="));
    let fields = lines.map(|line| {
        let fields = field.captures_iter(line);
        let named = fields.map(|f| (f[1].to_owned(), f[2].trim_matches('"').to_owned()));
        named.collect()
    });
    fields.collect()
}

fn number(status: &BTreeMap<String, String>, field: &str) -> u64 {
    let text = status
        .get(field)
        .unwrap_or_else(|| panic!("{field}: {status:?}"));
    text.parse().unwrap()
}

fn is_caught_up(status: &BTreeMap<String, String>) -> bool {
    status.get("caught_up").is_some_and(|text| text == "true")
}

#[test]
fn a_worker_has_caught_up_when_both_stages_have() {
    let setup = Setup::new("caught-up", OFTEN);
    setup.add_sequences();
    Traffic::start(&setup, 6_000, Duration::ZERO).finish();
    let worker = Worker::start(&setup.config("a"));
    until("the worker has caught up", || {
        statuses(&worker.log()).last().is_some_and(is_caught_up)
    });
    setup.wait_until_read();
    let log = worker.stop();
    let statuses = statuses(&log);
    let matches: u64 =
        read_committed(&setup.bootstrap, &format!("{}.matches", setup.app)).len() as u64;
    let mut first = None;
    for status in &statuses {
        if let (Some(lag), Some(of_sources)) = (status.get("lag"), status.get("source_lag")) {
            let lag: u64 = lag.parse().unwrap();
            assert_eq!(
                lag,
                of_sources.parse::<u64>().unwrap() + number(status, "matches_lag")
            );
        }
        first = first.or_else(|| is_caught_up(status).then_some(status));
    }
    let first = first.unwrap();
    // All matches were in the log by then, and folded: what came later are notes of time.
    assert_eq!(number(first, "records"), 18_000, "{log}");
    let last = statuses.last().unwrap();
    assert_eq!(number(first, "matches"), number(last, "matches"), "{log}");
    let (folded, all) = (number(first, "folded"), number(last, "folded"));
    let notes = 4 * (statuses.len() as u64 + 20);
    assert!(
        all <= matches && folded + notes >= all,
        "{folded} {all} {matches}: {log}"
    );
    assert_eq!(number(last, "recovering"), 0);
    assert!(setup.check() > 0);
}

#[test]
fn what_recovery_folds_is_not_told_again() {
    let setup = Setup::new("told-once", OFTEN);
    let incidents = || read_committed(&setup.bootstrap, &format!("{}.incidents", setup.app)).len();
    let mut told = 0;
    for _ in 0..2 {
        let worker = Worker::start(&setup.config("a"));
        worker.wait_for("ready");
        Traffic::start(&setup, 40, Duration::from_millis(10)).finish();
        setup.wait_until_read();
        let log = worker.stop();
        let statuses = statuses(&log);
        let last = statuses.last().unwrap();
        assert!(number(last, "folded") > 0, "{log}");
        told += number(last, "incidents");
        assert_eq!(told, incidents() as u64, "{log}");
        setup.lose_disk("a");
    }
    assert!(told > 0);
}

#[test]
fn refused_records_are_logged_with_reason_and_place_and_counted_by_reason() {
    let setup = Setup::new("refused-records", OFTEN);
    let record = r#"{"time":"2026-03-02T00:00:00Z","operationName":"a"}"#;
    let bad = format!(r#"{{"records":[{record},7,{record}]}}"#);
    let messages: Vec<_> = (0..300).map(|_| (now(), bad.clone())).collect();
    produce(&setup.bootstrap, &setup.source, 1, &messages);
    produce(
        &setup.bootstrap,
        &setup.source,
        2,
        &[(now(), "   ".to_owned())],
    );
    let worker = Worker::start(&setup.config("a"));
    until("all are refused", || {
        let statuses = statuses(&worker.log());
        statuses
            .last()
            .is_some_and(|s| number(s, "dead_letters") == 301)
    });
    setup.wait_until_read();
    let log = worker.stop();
    let last = statuses(&log).pop().unwrap();
    assert_eq!(last["dead_letters_by_reason"], "empty=1 not-an-object=300");
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("were refused"))
        .collect();
    let place = format!("topic={} partition=1 offset=0 index=1", setup.source);
    let said = |parts: &[&str]| {
        lines
            .iter()
            .any(|line| parts.iter().all(|part| line.contains(part)))
    };
    assert!(said(&["not-an-object", &place]), "{log}");
    assert!(said(&["empty", "partition=2 offset=0 index=0"]), "{log}");
    // A line for each reason at once, and then one in ten seconds.
    assert!(lines.len() <= 4, "{log}");
}

#[test]
fn a_state_directory_is_closed_to_others() {
    let setup = Setup::new("private", "");
    let path = setup.path("a");
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    let log = worker.stop();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(
        log.contains("others could read the state directory"),
        "{log}"
    );
}
