//! How long the matches topic keeps what the rules need, and how much topics take in one message.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use super::offsets::ends;
use super::process::Worker;
use super::setup::{Setup, Traffic};
use crate::kafka::{create_topic, delete_before};

fn topics(config: &Path, command: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .args(["topics", command, "--config"])
        .arg(config)
        .output()
        .unwrap()
}

/// What `topics check` ends with and says, standard error last.
fn checked(config: &Path) -> (Option<i32>, String) {
    let found = topics(config, "check");
    let said = String::from_utf8_lossy(&found.stdout).into_owned();
    let complained = String::from_utf8_lossy(&found.stderr).into_owned();
    (found.status.code(), said + &complained)
}

#[test]
fn what_is_kept_is_held_against_what_the_rules_need() {
    fn check(setup: &Setup, code: i32, expected: &str) {
        let (found, said) = checked(&setup.config("topics"));
        assert_eq!(found, Some(code), "{said}");
        assert!(said.contains(expected), "{expected}");
    }
    // Made for three days.
    let setup = Setup::new("retention", "");
    check(&setup, 0, "all topics are as they must be");
    setup.write_rule("window: 1d");
    // Twice the window, lateness, quiet, a day, an hour, and a day of outage.
    let needed = "retention.ms is 259200000 (3days), must be at least 349214000 (4days 1h 14s)";
    check(&setup, 1, needed);
    setup.write_rule("window: soon");
    check(&setup, 2, "rule.yaml:7:");

    setup.write_rule("window: 1d");
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    assert!(worker.log().contains(needed), "{}", worker.log());
    worker.stop();

    let longer = Setup::with_rule("longer", "window: 2d");
    check(&longer, 0, "all topics are as they must be");
}

#[test]
fn a_whole_state_is_gone_on_with_though_the_log_keeps_nothing_of_what_it_rests_on() {
    let setup = Setup::new("expired", "delivery = \"exactly_once\"\n");
    // Nothing is written after the last message that is folded.
    let config = setup.config_with("a", |text| {
        text.replace(
            "watermark_interval = \"500ms\"",
            "watermark_interval = \"60s\"",
        )
    });
    let run = || {
        let worker = Worker::start(&config);
        worker.wait_for("ready");
        Traffic::start(&setup, 40, Duration::from_millis(10)).finish();
        setup.wait_until_read();
        worker.stop()
    };
    run();
    let before = setup.incidents().len();
    let matches = format!("{}.matches", setup.app);
    delete_before(
        &setup.bootstrap,
        &matches,
        &ends(&setup.bootstrap, &matches, 4),
    );
    // What comes now is no part of the incidents before.
    std::thread::sleep(Duration::from_secs(5));
    let log = run();
    assert!(!log.contains("folding again"), "{log}");
    assert!(setup.incidents().len() > before);
}

/// A topic that takes less than the worker may write would end it with the first such message.
#[test]
fn what_topics_take_is_held_against_what_is_written() {
    let setup = Setup::new("sizes", "");
    let larger = |text: &str| format!("{text}[limits]\nmessage_bytes = \"2MB\"\n");
    let config = setup.config_with("larger", larger);
    let (code, said) = checked(&config);
    assert_eq!(code, Some(1));
    for topic in ["matches", "incidents", "dead-letters"] {
        let topic = format!("topic {}.{topic}: max.message.bytes is 1048588", setup.app);
        assert!(said.contains(&topic), "{said}");
    }
    assert!(said.contains("must be at least 2004096"), "{said}");
    let worker = Worker::start(&config);
    let (code, log) = worker.wait();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("must be at least 2004096"), "{log}");

    let setup = Setup::without_topics(&setup.bootstrap, "larger", "");
    create_topic(&setup.bootstrap, &setup.source, 1, &[]);
    let config = setup.config_with("larger", larger);
    assert!(topics(&config, "create").status.success());
    assert_eq!(checked(&config).0, Some(0));
}
