//! How long the matches topic keeps what the rules need, and how much topics take in one message.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use super::offsets::ends;
use super::process::Worker;
use super::setup::{Setup, Traffic, envelope, now};
use crate::kafka::{create_topic, delete_before, produce};

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

/// Kafka lets producers date messages, and lets their clocks be an hour ahead; more than these
/// settings cover.
#[test]
fn whose_clock_dates_the_source_is_said_and_what_follows() {
    let setup = Setup::new("dated", "");
    let note = "producers date its messages (message.timestamp.type is CreateTime), and their \
                clocks may be ahead by up to 1h";
    let advice = "message.timestamp.after.max.ms to at most 5000";
    let (code, said) = checked(&setup.config("topics"));
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains(&format!("note: topic {}: {note}", setup.source)),
        "{said}"
    );
    assert!(said.contains(advice), "{said}");
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    // One clock is half an hour ahead: the brokers' own stands over it, and nobody is late.
    let ahead = now() + 1_800_000;
    let mut records: serde_json::Value = serde_json::from_str(&envelope(1)).unwrap();
    for record in records["records"].as_array_mut().unwrap() {
        record["time"] = watchfire::time::rfc3339(ahead).into();
    }
    produce(
        &setup.bootstrap,
        &setup.source,
        0,
        &[(ahead, records.to_string())],
    );
    Traffic::start(&setup, 40, Duration::from_millis(10)).finish();
    setup.wait_until_read();
    let log = worker.stop();
    assert!(log.contains(note) && log.contains(advice), "{log}");
    assert!(
        log.contains(" late=0 ") && log.contains(" future_by_broker=2 "),
        "{log}"
    );
    assert!(setup.check() > 0);

    let dated = Setup::without_topics(&setup.bootstrap, "dated-by-brokers", "");
    let by_brokers = ("message.timestamp.type", "LogAppendTime");
    create_topic(
        &dated.bootstrap,
        &dated.source,
        1,
        &[by_brokers, ("retention.ms", "3600")],
    );
    let config = dated.config("topics");
    assert!(topics(&config, "create").status.success());
    let (code, said) = checked(&config);
    assert_eq!(code, Some(1), "{said}");
    assert!(!said.contains("producers date"), "{said}");
    // Twice the window, and lateness.
    let kept = "retention.ms is 3600 (1h), must be at least 610000 (1h) for PH_Rule_TEST";
    assert!(said.contains(kept), "{said}");
}

#[test]
fn how_topics_are_made_on_event_hubs_is_printed_without_asking() {
    let setup = Setup::without_topics("ns.servicebus.windows.net:9093", "printed", "");
    let print = |form: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_watchfire"))
            .args(["topics", "create", "--print", form, "--config"])
            .arg(setup.config("topics"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    let (az, bicep) = (print("az"), print("bicep"));
    assert_eq!(
        az.matches("az eventhubs eventhub create").count(),
        4,
        "{az}"
    );
    let matches = format!(
        "--namespace-name \"ns\" --name {}.matches --partition-count 4 \\\n    \
         --cleanup-policy Delete --retention-time-in-hours 72\n",
        setup.app
    );
    assert!(az.contains(&matches), "{az}");
    assert_eq!(bicep.matches("partitionCount: ").count(), 4, "{bicep}");
    assert!(bicep.contains("cleanupPolicy: 'Compact'"), "{bicep}");
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

/// Each loss must be accepted by itself: before, no worker goes on.
#[test]
fn what_was_deleted_unread_is_accepted_once() {
    let setup = Setup::new("lost", "");
    let config = setup.config("a");
    let send = || Traffic::start(&setup, 40, Duration::from_millis(5)).finish();
    let lose = |topic: &str, partitions| {
        delete_before(
            &setup.bootstrap,
            topic,
            &ends(&setup.bootstrap, topic, partitions),
        );
    };
    let refused = |expected: &str| {
        let (code, log) = Worker::start(&config).wait();
        assert_eq!(code, Some(1), "{log}");
        assert!(
            log.contains(expected) && log.contains("topics accept-loss"),
            "{log}"
        );
    };
    let accept = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_watchfire"))
            .args(["topics", "accept-loss", "--config"])
            .arg(&config)
            .args(more)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        said
    };
    let run = || {
        let worker = Worker::start(&config);
        worker.wait_for("ready");
        send();
        setup.wait_until_read();
        worker.stop()
    };
    run();
    assert!(accept(&[]).contains("nothing is gone that workers need"));

    for _ in 0..2 {
        send();
        lose(&setup.source, 3);
        refused("messages were deleted by its retention before they were read");
        let said = accept(&["--dry-run"]);
        assert!(
            said.contains("40 messages in all; nothing was accepted"),
            "{said}"
        );
        refused("messages were deleted");
        let said = accept(&[]);
        assert!(
            said.contains("40 messages in all, accepted as lost"),
            "{said}"
        );
        let log = run();
        assert_eq!(
            log.matches("going on without deleted messages").count(),
            3,
            "{log}"
        );
        assert!(accept(&[]).contains("nothing is gone that workers need"));
    }

    let matches = format!("{}.matches", setup.app);
    lose(&matches, 4);
    setup.lose_disk("a");
    refused("and the state needs it from");
    let said = accept(&[]);
    assert!(
        said.contains("accepted as lost") && said.contains(&matches),
        "{said}"
    );
    let log = run();
    assert!(log.contains("the log lacks what the state needs"), "{log}");
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
