//! How long the matches topic keeps what the rules need.

use std::process::{Command, Output};
use std::time::Duration;

use super::offsets::ends;
use super::process::Worker;
use super::setup::{Setup, Traffic};
use crate::kafka::delete_before;

fn topics(setup: &Setup, command: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .args(["topics", command, "--config"])
        .arg(setup.config("topics"))
        .output()
        .unwrap()
}

#[test]
fn what_is_kept_is_held_against_what_the_rules_need() {
    fn check(setup: &Setup, code: i32, expected: &str) {
        let found = topics(setup, "check");
        let said = String::from_utf8_lossy(&found.stdout).into_owned();
        let complained = String::from_utf8_lossy(&found.stderr).into_owned();
        assert_eq!(found.status.code(), Some(code), "{said}{complained}");
        assert!((said + &complained).contains(expected), "{expected}");
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
