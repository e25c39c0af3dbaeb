//! Rules that change while a worker runs.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use super::process::Worker;
use super::setup::{Setup, Traffic, rule};

const RELOADED: &str = "rules reloaded";

/// Makes `link` lead to `target` in one step, whatever was there before.
fn swap(setup: &Setup, target: &str, link: &str) {
    let fresh = setup.path("fresh");
    symlink(setup.path(target), &fresh).unwrap();
    std::fs::rename(fresh, setup.path(link)).unwrap();
}

fn version(setup: &Setup, name: &str, window: &str) {
    std::fs::create_dir(setup.path(name)).unwrap();
    setup.file(&format!("{name}/rule.yaml"), &rule(window, "$user"));
}

#[test]
fn rules_change_while_the_stream_runs() {
    let setup = Setup::new("reload", "status_interval = \"1s\"\n");
    let first = Worker::start(&setup.config("a"));
    let second = Worker::start(&setup.config("b"));
    let workers = [&first, &second];
    let all_wait_for = |text: &str, times: usize| {
        for worker in workers {
            worker.wait_for_times(text, times);
        }
    };
    all_wait_for("ready", 1);
    let traffic = Traffic::start(&setup, 800, Duration::from_millis(25));
    std::thread::sleep(Duration::from_secs(3));
    let assigned = || workers.map(|worker| worker.log().matches("partitions assigned").count());
    let before = assigned();

    // One is told, the other finds out: for a while their plans alternate in the log.
    setup.write_rule("window: 120s");
    first.signal("HUP");
    all_wait_for("detecting with another plan", 1);

    // A file that is replaced, and a mount that swaps the link to the directory it is in.
    version(&setup, "v1", "window: 60s");
    version(&setup, "v2", "window: 300s");
    swap(&setup, "v1", "data");
    swap(&setup, "data/rule.yaml", "rule.yaml");
    all_wait_for(RELOADED, 2);
    swap(&setup, "v2", "data");
    all_wait_for(RELOADED, 3);
    all_wait_for("rule_reloads=3 rule_reloads_refused=0", 1);

    first.signal("HUP");
    first.wait_for("the rules are the same as before");
    assert_eq!(assigned(), before, "no partition has moved");
    traffic.finish();
    setup.wait_until_read();
    for worker in [first, second] {
        let log = worker.stop();
        assert_eq!(log.matches(r#"changed=["PH_Rule_TEST"]"#).count(), 3);
    }
    assert!(setup.check() > 0);
    let used: BTreeSet<_> = setup
        .incidents()
        .into_iter()
        .map(|i| i.rule_fingerprint)
        .collect();
    assert_eq!(used.len(), 3, "300 s means the same both times");
}

#[test]
fn a_broken_set_is_refused_and_another_title_keeps_the_state() {
    let setup = Setup::new("refused", "status_interval = \"1s\"\n");
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    let traffic = Traffic::start(&setup, 400, Duration::from_millis(25));
    std::thread::sleep(Duration::from_secs(1));

    setup.write_rule("window: soon");
    worker.signal("HUP");
    worker.wait_for("the new rules are refused; those in use stay");
    worker.wait_for("rule_reloads=0 rule_reloads_refused=1");
    assert!(worker.log().contains("rule.yaml:7:"), "{}", worker.log());

    setup.file("rule.yaml", &rule("window: 300s", "It was $user"));
    worker.wait_for(r#"reworded=["PH_Rule_TEST"]"#);
    traffic.finish();
    setup.wait_until_read();
    // What is open is closed once the watermark is past quiet and patience.
    std::thread::sleep(Duration::from_secs(12));
    worker.stop_after_errors();
    assert!(setup.check() > 0);

    let mut titles: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for incident in setup.incidents() {
        used.insert(incident.rule_fingerprint);
        titles
            .entry(incident.incident_id)
            .or_default()
            .insert(incident.title);
    }
    assert_eq!(used.len(), 1);
    shows_the_rule(&setup, &used.pop_first().unwrap().to_string());
    let both = titles.values().filter(|titles| titles.len() == 2).count();
    assert!(both > 0, "no incident has got the new title: {titles:?}");
}

/// Holds that the rule of an incident is shown, by its fingerprint, with both its texts.
fn shows_the_rule(setup: &Setup, fingerprint: &str) {
    let check = |args: &[&str], code: i32, expected: &str| {
        let found = Command::new(env!("CARGO_BIN_EXE_watchfire"))
            .args(["rules", "show"])
            .args(args)
            .arg("--config")
            .arg(setup.config("show"))
            .output()
            .unwrap();
        let said = [found.stdout, found.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert_eq!(found.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{expected} is not in {said}");
    };
    let settings = "# since: the beginning\n# in use: yes\n# patience: 5s, lateness: 10s, \
                    evidence: 5, distinct values: 10000, message bytes: 900000\n";
    let (old, new) = (
        rule("window: 300s", "$user"),
        rule("window: 300s", "It was $user"),
    );
    check(&[&fingerprint[..9]], 0, &format!("{settings}{new}"));
    check(
        &["ph_rule_test", "--all"],
        0,
        &format!("{old}---\n# fingerprint: {fingerprint}\n"),
    );
    check(&[fingerprint, "--json"], 0, "\"in_use\":true");
    let there = format!("it has\n  {fingerprint} PH_Rule_TEST (in use)");
    check(&["PH_Rule_OTHER"], 1, &there);
}
