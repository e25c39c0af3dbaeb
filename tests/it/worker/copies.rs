//! Two workers with one state directory's id.

use std::path::Path;
use std::time::Duration;

use super::process::Worker;
use super::setup::{Setup, Traffic};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
}

/// Holds that of two workers with one id the one ends that started later, and harms nobody.
fn check(name: &str, more: &str) {
    let setup = Setup::new(name, &format!("delivery = \"exactly_once\"\n{more}"));
    let first = Worker::start(&setup.config("a"));
    first.wait_for("ready");
    first.stop();
    copy(&setup.path("a"), &setup.path("b"));

    let first = Worker::start(&setup.config("a"));
    first.wait_for("ready");
    let second = Worker::start(&setup.config("b"));
    let traffic = Traffic::start(&setup, 300, Duration::from_millis(50));
    let (code, log) = second.wait();
    assert_eq!(code, Some(1), "{log}");
    assert!(
        log.contains("another worker has the same id as this one"),
        "{log}"
    );
    assert!(
        log.contains("Give this worker a state_dir of its own"),
        "{log}"
    );
    traffic.finish();
    setup.wait_until_read();
    // The client library complains when it is stopped.
    let log = first.stop_after_errors();
    assert!(!log.contains("has the same id as this one"), "{log}");
    assert!(setup.check() > 0);
}

#[test]
fn of_two_workers_with_one_id_the_second_ends() {
    check("copied", "");
}

#[test]
fn of_two_known_workers_with_one_id_the_second_ends() {
    check("copied-static", "static_membership = true\n");
}
