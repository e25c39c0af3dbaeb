//! Rules that are broken at a start, and workers whose rules or configurations differ.

use std::time::Duration;

use watchfire::plan::{Draft, MEANING};
use watchfire::record::Hash;

use super::process::Worker;
use super::setup::{Setup, Traffic, rule};
use crate::kafka::{create_topic, delete_topic, read_committed, write_keyed};
use crate::world::of_meaning;

fn with_patience(setup: &Setup, name: &str, patience: &str) -> std::path::PathBuf {
    setup.config_with(name, |text| {
        text.replace("patience = \"5s\"", &format!("patience = \"{patience}\""))
    })
}

#[test]
fn broken_rule_files_stop_no_worker_whose_application_has_rules() {
    let setup = Setup::new("broken", "status_interval = \"1s\"\n");
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    worker.stop();

    setup.write_rule("window: soon");
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    Traffic::start(&setup, 30, Duration::from_millis(10)).finish();
    setup.wait_until_read();
    worker.wait_for("rules_from=last_good rule_reloads=0 rule_reloads_refused=1");
    let log = worker.log();
    assert!(log.contains("rule.yaml:7:"), "{log}");
    let said = "the rule files have errors: this worker goes on with the rules that were used last";
    assert!(log.contains(said), "{log}");
    setup.write_rule("window: 120s");
    worker.wait_for("rules reloaded");
    worker.wait_for("rules_from=files rule_reloads=1");
    worker.stop_after_errors();
    assert!(setup.check() > 0);

    setup.write_rule("window: soon");
    let stops = setup.config_with("a", |text| format!("on_broken_rules = \"stop\"\n{text}"));
    let (code, log) = Worker::start(&stops).wait();
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("rule.yaml:7:"), "{log}");
}

#[test]
fn a_start_says_what_differs_from_the_rules_that_were_used_last() {
    let setup = Setup::new("differs", "");
    let run = |patience: &str, said: &str| {
        let worker = Worker::start(&with_patience(&setup, "a", patience));
        worker.wait_for("ready");
        let log = worker.stop();
        assert!(log.contains(said), "{log}");
        log
    };
    run("5s", "these are the first rules of this application");
    run("5s", "the rules are those that were used last");
    let log = run("3s", "the rules differ from those that were used last");
    assert!(log.contains(r#"changed=["PH_Rule_TEST"]"#), "{log}");
    assert!(
        log.contains(r#"settings=["patience 5s -> 3s for 1 rule"]"#),
        "{log}"
    );
    setup.add_sequences();
    let log = run("3s", "the rules differ from those that were used last");
    let added =
        r#"added=["PH_Rule_ALONE", "PH_Rule_FOLLOWED", "PH_Rule_NEW"] removed=[] changed=[]"#;
    assert!(log.contains(added), "{log}");
}

#[test]
fn workers_whose_rules_differ_say_so() {
    let setup = Setup::new(
        "apart",
        "status_interval = \"1s\"\nrolling_change = \"4s\"\n",
    );
    let first = Worker::start(&setup.config("a"));
    first.wait_for("ready");
    let second = Worker::start(&with_patience(&setup, "b", "3s"));
    let traffic = Traffic::start(&setup, 200, Duration::from_millis(50));
    for worker in [&first, &second] {
        worker.wait_for("another worker uses other rules");
        worker.wait_for("workers of this application use different rules");
    }
    traffic.finish();
    setup.wait_until_read();
    let of_second = second.stop();
    let of_first = first.stop();
    let plan = |log: &str| {
        let (_, after) = log.split_once("plan is known to all plan=").unwrap();
        after.get(..8).unwrap().to_owned()
    };
    let (one, other) = (plan(&of_first), plan(&of_second));
    let check = |log: &str, expected: &str, plans: String| {
        assert!(log.contains(expected), "{log}");
        assert!(log.contains(&plans), "{plans} is not in {log}");
    };
    let plans = |own: &str, others: &str| format!("plan={own} other_plans={others} ");
    check(
        &of_first,
        "settings: patience 5s -> 3s for 1 rule",
        plans(&one, &other),
    );
    check(
        &of_second,
        "settings: patience 3s -> 5s for 1 rule",
        plans(&other, &one),
    );
    assert!(setup.check() > 0);
}

/// All that the rules topic has comes to be of a version to which rules meant something else.
fn make_older(setup: &Setup) {
    let topic = format!("{}.rules", setup.app);
    let messages = read_committed(&setup.bootstrap, &topic).into_iter();
    let all: Vec<(String, Vec<u8>)> = messages
        .map(|m| (String::from_utf8(m.key.unwrap()).unwrap(), m.value.unwrap()))
        .collect();
    let of_kind = |kind: &str| -> Vec<(String, Vec<u8>)> {
        let all = all.iter().cloned();
        all.filter(|(key, _)| key.starts_with(kind)).collect()
    };
    let entries: Vec<_> = [of_kind("rule/"), of_kind("plan/")].concat();
    let plan = Hash::default();
    let older = of_meaning(MEANING - 1, Draft { plan, entries });
    delete_topic(&setup.bootstrap, &topic);
    create_topic(
        &setup.bootstrap,
        &topic,
        1,
        &[("cleanup.policy", "compact")],
    );
    for (key, value) in of_kind("topic/").into_iter().chain(older.entries) {
        let entry = (key.as_bytes(), Some(value.as_slice()));
        write_keyed(&setup.bootstrap, &topic, &[entry]);
    }
}

#[test]
fn an_application_of_another_meaning_is_begun_anew_only_if_it_is_to_be() {
    let setup = Setup::new("anew", "status_interval = \"1s\"\n");
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    worker.stop();
    make_older(&setup);

    let (code, log) = Worker::start(&setup.config("a")).wait();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("(meaning 1, here 2)"), "{log}");
    assert!(log.contains("--begin-anew"), "{log}");

    let worker = Worker::start_arg(&setup.config("a"), "--begin-anew");
    worker.wait_for("ready");
    let log = worker.log();
    assert!(log.contains("the application begins anew"), "{log}");
    Traffic::start(&setup, 30, Duration::from_millis(10)).finish();
    setup.wait_until_read();
    worker.stop_after_errors();
    assert!(setup.check() > 0);
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    worker.stop();
}

#[test]
fn rules_whose_own_tests_fail_are_refused() {
    let setup = Setup::new(
        "failing",
        "rule_tests = \"require\"\nstatus_interval = \"1s\"\n",
    );
    let tested = |incidents: &str| {
        let tests = format!(
            "tests:\n  - name: one\n    incidents: {incidents}\n    events:\n      - {{time: \
             2026-01-01T00:00:01Z, user: Ann}}\n"
        );
        setup.file("rule.yaml", &(rule("window: 300s", "$user") + &tests));
    };
    let failing = "PH_Rule_TEST: test `one`: no incident with user \"ann\"";
    tested("[{ user: ann }]");
    let (code, log) = Worker::start(&setup.config("a")).wait();
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains(failing), "{log}");
    tested("[]");
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    tested("[{ user: ann }]");
    worker.wait_for("the new rules are refused; those in use stay");
    worker.wait_for("rules_from=files rule_reloads=0 rule_reloads_refused=1");
    assert!(
        worker.log().contains("PH_Rule_TEST: test"),
        "{}",
        worker.log()
    );
    worker.stop_after_errors();
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("rules_from=last_good rule_reloads=0 rule_reloads_refused=1");
    worker.stop_after_errors();
}
