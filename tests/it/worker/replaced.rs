//! Sources that are other logs than those that were read.

use std::process::Command;
use std::time::Duration;

use rdkafka::topic_partition_list::Offset;

use super::offsets;
use super::process::Worker;
use super::setup::{SOURCE_PARTITIONS, Setup, Traffic};
use crate::kafka::{
    Message, create_topic, delete_before, delete_group, delete_topic, produce, read_committed,
};

const RESTART: &str = "on_replaced_source = \"restart\"\n";

/// An application whose source was read; all that was in it.
fn read(name: &str, more: &str) -> (Setup, Vec<Message>) {
    let setup = Setup::new(name, more);
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    Traffic::start(&setup, 45, Duration::from_millis(10)).finish();
    setup.wait_until_read();
    worker.stop();
    let messages = read_committed(&setup.bootstrap, &setup.source);
    (setup, messages)
}

/// Makes the source anew, with those of these messages that `kept` chooses by their offset.
fn make_anew(setup: &Setup, messages: &[Message], kept: impl Fn(i64) -> bool) {
    let (bootstrap, source) = (&setup.bootstrap, &setup.source);
    delete_topic(bootstrap, source);
    create_topic(bootstrap, source, SOURCE_PARTITIONS, &[]);
    for partition in 0..SOURCE_PARTITIONS {
        let mut kept: Vec<&Message> = messages
            .iter()
            .filter(|message| message.partition == partition && kept(message.offset))
            .collect();
        kept.sort_by_key(|message| message.offset);
        let kept: Vec<(i64, Vec<u8>)> = kept
            .into_iter()
            .map(|message| (message.timestamp.unwrap(), message.value.clone().unwrap()))
            .collect();
        produce(bootstrap, source, partition, &kept);
    }
}

/// The same, and the brokers still have what was committed, as where a log failed over.
fn replace(setup: &Setup, messages: &[Message], kept: impl Fn(i64) -> bool) {
    let (bootstrap, source) = (&setup.bootstrap, &setup.source);
    let group = format!("{}.detect", setup.app);
    let committed = offsets::all_of(bootstrap, &group, source, SOURCE_PARTITIONS);
    make_anew(setup, messages, kept);
    offsets::put_back(bootstrap, &group, &committed);
}

/// A worker finds out, and reads the new log while more is written to it.
fn restart(setup: &Setup, found: &str) -> String {
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for_times("a source partition is read in a new epoch", 3);
    Traffic::start(setup, 60, Duration::from_millis(20)).finish();
    setup.wait_until_read();
    let log = worker.stop();
    assert_eq!(log.matches(found).count(), 3, "{log}");
    assert!(log.contains("sources_replaced=3"), "{log}");
    log
}

fn topics(setup: &Setup, arguments: &[&str]) -> (Option<i32>, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .arg("topics")
        .args(arguments)
        .arg("--config")
        .arg(setup.config("topics"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let complained = String::from_utf8_lossy(&done.stderr).into_owned();
    (done.status.code(), said + &complained)
}

#[test]
fn a_source_that_was_made_anew_is_read_whole() {
    let (setup, _) = read("anew", RESTART);
    make_anew(&setup, &[], |_| false);
    // Offsets go with the topic: only what the rules topic has noted of it is left.
    let group = format!("{}.detect", setup.app);
    let left = offsets::all_of(&setup.bootstrap, &group, &setup.source, SOURCE_PARTITIONS);
    for element in left.elements() {
        assert_eq!(element.offset(), Offset::Invalid, "{element:?}");
    }
    // As much again as there was, so that no offset is out of range.
    Traffic::start(&setup, 60, Duration::from_millis(5)).finish();
    let log = restart(&setup, "another message stands where the last one was read");
    assert!(log.contains("perhaps_again=0"), "{log}");
    setup.check_read_from(|_| 0);
}

/// It was empty, behind what retention had taken, and nothing of it was ever read.
#[test]
fn a_source_that_was_empty_is_read_whole_when_it_was_made_anew() {
    let setup = Setup::new("empty", RESTART);
    let (bootstrap, source) = (&setup.bootstrap, &setup.source);
    Traffic::start(&setup, 15, Duration::ZERO).finish();
    delete_before(
        bootstrap,
        source,
        &offsets::ends(bootstrap, source, SOURCE_PARTITIONS),
    );
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    worker.stop();
    make_anew(&setup, &[], |_| false);
    Traffic::start(&setup, 60, Duration::from_millis(5)).finish();
    restart(&setup, "it begins before what was its first offset");
    setup.check_read_from(|_| 0);
}

#[test]
fn a_source_that_lost_its_end_is_read_again() {
    let (setup, messages) = read("truncated", RESTART);
    replace(&setup, &messages, |offset| offset < 10);
    let log = restart(&setup, "it ends before what was read");
    // Nothing in it is as young as the message read last, so nobody can tell what was read of it.
    setup.check_read_from(|_| 0);
    assert!(log.contains("perhaps_again=30"), "{log}");
}

#[test]
fn a_source_that_failed_over_is_read_on_where_it_was_left() {
    let (setup, messages) = read("failed-over", RESTART);
    // Its last message has another place there.
    replace(&setup, &messages, |offset| offset >= 5);
    restart(&setup, "it ends before what was read");
    let log = |partition| {
        let of_it = messages.iter().filter(|m| m.partition == partition);
        of_it.count() as i64
    };
    // The last message that was read is read again: nobody knows that it is the same one.
    setup.check_read_from(|partition| log(partition) - 6);
}

#[test]
fn a_replaced_source_stops_workers_that_are_to_stop() {
    let (setup, _) = read("stopped", "");
    let (code, said) = topics(&setup, &["check"]);
    assert_eq!(code, Some(0), "{said}");
    make_anew(&setup, &[], |_| false);
    Traffic::start(&setup, 60, Duration::from_millis(5)).finish();
    let (code, said) = topics(&setup, &["check"]);
    assert_eq!(code, Some(1), "{said}");
    let found = "another message stands where the last one was read";
    assert_eq!(said.matches(found).count(), 3, "{said}");

    let (code, log) = Worker::start(&setup.config("a")).wait();
    assert_eq!(code, Some(1), "{log}");
    let source = &setup.source;
    for expected in [
        format!("source {source}/0 is another log than the one that was read"),
        found.to_owned(),
        format!("`watchfire topics reset {source}`"),
        format!("`watchfire topics reset {source} --keep-offset`"),
    ] {
        assert!(log.contains(&expected), "{expected}\n{log}");
    }

    let (code, said) = topics(&setup, &["reset", source]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("is in epoch 1 now"), "{said}");
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for_times("a source partition is read in a new epoch", 3);
    Traffic::start(&setup, 30, Duration::from_millis(20)).finish();
    setup.wait_until_read();
    worker.stop();
    setup.check_read_from(|_| 0);
}

#[test]
fn a_matches_topic_that_was_made_anew_stops_workers() {
    let (setup, _) = read("matches-anew", "");
    delete_topic(&setup.bootstrap, &format!("{}.matches", setup.app));
    let (code, said) = topics(&setup, &["create"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, log) = Worker::start(&setup.config("a")).wait();
    assert_eq!(code, Some(1), "{log}");
    for expected in [
        "no committed offset of a matches partition that was folded",
        ".matches/0 ends at offset 0, and was read to",
        "Give the application another name",
    ] {
        assert!(log.contains(expected), "{expected}\n{log}");
    }
}

#[test]
fn a_matches_topic_that_is_another_log_stops_workers() {
    let (setup, _) = read("matches-other", "");
    let matches = format!("{}.matches", setup.app);
    let group = format!("{}.correlate", setup.app);
    let ends = offsets::ends(&setup.bootstrap, &matches, 4);
    let committed = offsets::all_of(&setup.bootstrap, &group, &matches, 4);
    delete_topic(&setup.bootstrap, &matches);
    let (code, said) = topics(&setup, &["create"]);
    assert_eq!(code, Some(0), "{said}");
    for (partition, end) in ends {
        let others: Vec<(i64, Vec<u8>)> = (0..end).map(|n| (n + 1, vec![1])).collect();
        produce(&setup.bootstrap, &matches, partition, &others);
    }
    offsets::put_back(&setup.bootstrap, &group, &committed);
    let (code, said) = topics(&setup, &["check"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("must be the one that was folded"), "{said}");
    let (code, log) = Worker::start(&setup.config("a")).wait();
    assert_eq!(code, Some(1), "{log}");
    let expected = "is another log than the one that was folded: another message stands where the \
                    last one was read";
    assert!(log.contains(expected), "{log}");
}

#[test]
fn committed_offsets_that_brokers_forgot_are_made_good_by_what_was_noted() {
    let (setup, _) = read("forgotten", "");
    for stage in ["detect", "correlate"] {
        delete_group(&setup.bootstrap, &format!("{}.{stage}", setup.app));
    }
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("no committed offset of a source partition that was read");
    worker.wait_for("no committed offset of a matches partition that was folded");
    Traffic::start(&setup, 30, Duration::from_millis(10)).finish();
    setup.wait_until_read();
    worker.stop();
    setup.check();
    setup.check_counted();
}

#[test]
fn a_reset_may_keep_where_the_source_was_left() {
    let (setup, _) = read("kept", "");
    replace(&setup, &[], |_| false);
    Traffic::start(&setup, 60, Duration::from_millis(5)).finish();
    let (code, said) = topics(&setup, &["reset", &setup.source, "--keep-offset"]);
    assert_eq!(code, Some(0), "{said}");
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for_times("a source partition is read in a new epoch", 3);
    Traffic::start(&setup, 30, Duration::from_millis(20)).finish();
    setup.wait_until_read();
    worker.stop();
    setup.check_read_from(|_| 15);
}
