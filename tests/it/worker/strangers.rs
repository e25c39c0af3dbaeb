//! What those can do who may write to the topics between the workers and are none.

use std::time::Duration;

use watchfire::matches::{self, Message, Section};
use watchfire::record::{Hash, Position};

use super::log::Log;
use super::process::Worker;
use super::setup::{Setup, Traffic, now};
use crate::kafka::{produce, read_committed, write_keyed};

/// What a worker has written lately to the matches topic.
fn written(setup: &Setup) -> Message {
    let topic = |kind| read_committed(&setup.bootstrap, &format!("{}.{kind}", setup.app));
    let log = Log::read(&topic("rules"), &topic("matches"));
    log.messages.last().unwrap().1.message.clone()
}

/// Writes to every partition of the matches topic what no worker writes.
fn intrude_matches(setup: &Setup) -> usize {
    let like = written(setup);
    // The greatest position for every source partition, under the plan that is in use.
    let greatest = |epoch, offset| {
        let section = |partition| Section {
            source: 0,
            partition,
            position: Position {
                epoch,
                offset,
                index: u32::MAX,
            },
            time: None,
            records: Vec::new(),
        };
        matches::encode(&Message {
            plan: like.plan,
            sections: (0..3).map(section).collect(),
        })
    };
    let of_nobody = matches::encode(&Message {
        plan: Hash([7; 16]),
        sections: like.sections.clone(),
    });
    let later = [&[matches::FORMAT + 1], &greatest(0, 5)[1..]].concat();
    let messages = [
        Vec::new(),
        b"garbage".to_vec(),
        vec![0xff; 50],
        greatest(u32::MAX, 1),
        greatest(0, i64::MAX),
        greatest(0, i64::MIN),
        of_nobody,
        later,
    ];
    let messages = messages.map(|bytes| (now(), bytes));
    for partition in 0..4 {
        let topic = format!("{}.matches", setup.app);
        produce(&setup.bootstrap, &topic, partition, &messages);
    }
    4 * messages.len()
}

/// Writes to the rules topic what no worker writes.
fn intrude_rules(setup: &Setup) {
    let retired = "{\"text\":\"id: Gone\\nwhirl: 7\\n\",\"settings\":{\"patience\":5,\"lateness\":\
                   10,\"limits\":{\"evidence\":5,\"distinct_values\":10}},\"fingerprint\":\
                   \"00000000000000000000000000000000\"}";
    let hash = |value: &str| Hash::of(value.as_bytes());
    let of_retired = format!(
        "{{\"rules\":[{{\"entry\":\"{}\",\"since\":0}}],\"sources\":[]}}",
        hash(retired)
    );
    let zeros = "0".repeat(32);
    let entries: Vec<(String, &str)> = vec![
        (format!("rule/{zeros}"), "{}"),
        (format!("plan/{zeros}"), "garbage"),
        (format!("plan/{}", hash("garbage")), "garbage"),
        (format!("list/{zeros}"), "[]"),
        ("topic/matches".to_owned(), "{\"partitions\":77}"),
        ("source/\u{1b}[2J".to_owned(), "{\"epoch\":4294967295}"),
        // A rule that no version knows any more, and a plan of it, as they stand in an old topic.
        (format!("rule/{}", hash(retired)), retired),
        (format!("plan/{}", hash(&of_retired)), &of_retired),
    ];
    let entries: Vec<(&[u8], Option<&[u8]>)> = entries
        .iter()
        .map(|(key, value)| (key.as_bytes(), Some(value.as_bytes())))
        .collect();
    write_keyed(&setup.bootstrap, &format!("{}.rules", setup.app), &entries);
}

#[test]
fn what_no_worker_has_written_is_passed_over_live_at_a_start_and_when_folded_again() {
    let setup = Setup::new("strangers", "status_interval = \"1s\"\n");
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    Traffic::start(&setup, 60, Duration::from_millis(10)).finish();
    setup.wait_until_read();
    let messages = intrude_matches(&setup);
    intrude_rules(&setup);
    Traffic::start(&setup, 60, Duration::from_millis(10)).finish();
    setup.wait_until_read();
    worker.wait_for(&format!("matches_refused={messages} "));
    let log = worker.stop();
    assert!(
        log.contains("is none of a worker's, and passed over"),
        "{log}"
    );

    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    Traffic::start(&setup, 30, Duration::from_millis(10)).finish();
    setup.wait_until_read();
    worker.wait_for("rules_refused=6 ");
    let log = worker.stop();
    assert!(
        log.contains("its key is not the hash of its value"),
        "{log}"
    );
    assert!(!log.contains('\u{1b}'), "{log}");

    setup.lose_disk("a");
    let worker = Worker::start(&setup.config("a"));
    Traffic::start(&setup, 30, Duration::from_millis(10)).finish();
    setup.wait_until_read();
    let log = worker.stop();
    let again = "everything committed before is folded again; live";
    assert!(log.contains(again), "{log}");
    assert!(setup.check() > 0);
}
