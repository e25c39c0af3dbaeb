//! The real worker against a real broker, and what is done to it.
//!
//! What it must have published is known from the logs alone: [`Setup::check`] folds the matches
//! topic as far as it was committed, in this process and undisturbed, and compares.

mod copies;
mod different;
mod http;
pub mod log;
mod members;
pub mod offsets;
mod page;
pub mod process;
mod reload;
mod replaced;
mod replay;
mod retention;
pub mod setup;
pub mod small_disk;
mod status;
mod strangers;

use std::path::Path;
use std::time::Duration;

use crate::kafka::{self, login_bootstrap};
use process::Worker;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rocksdb::{DB, IteratorMode};
use setup::{Setup, Traffic};
use small_disk::SmallDisk;
use watchfire::fold::state::State;

/// Longer than the session time-out that the workers have here.
const FROZEN: Duration = Duration::from_secs(12);

#[test]
fn an_undisturbed_worker_publishes_what_the_log_says_and_stops_in_time() {
    let setup = Setup::new("undisturbed", "");
    let traffic = Traffic::start(&setup, 60, Duration::from_millis(20));
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    traffic.finish();
    setup.wait_until_read();
    worker.stop();
    assert!(setup.check() > 0);
}

#[test]
fn a_killed_worker_goes_on_where_it_was() {
    let setup = Setup::new("killed", "");
    setup.add_sequences();
    let traffic = Traffic::start(&setup, 200, Duration::from_millis(60));
    for round in 0..5 {
        let worker = Worker::start(&setup.config("a"));
        worker.wait_for("ready");
        std::thread::sleep(Duration::from_millis(700 + 190 * round));
        worker.kill();
        if round % 2 == 1 {
            setup.lose_disk("a");
        }
    }
    let worker = Worker::start(&setup.config("a"));
    traffic.finish();
    setup.wait_until_read();
    worker.stop();
    assert!(setup.check() > 0);
}

#[test]
fn a_lost_state_is_made_anew_in_little_memory() {
    let setup = Setup::new("little-memory", "[state]\nrecovery = \"8MiB\"\n");
    setup.add_sequences();
    let worker = Worker::start(&setup.config("a"));
    Traffic::start(&setup, 8_000, Duration::ZERO).finish();
    setup.wait_until_read();
    worker.stop();
    setup.lose_disk("a");
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    Traffic::start(&setup, 30, Duration::from_millis(10)).finish();
    setup.wait_until_read();
    worker.stop();
    assert!(setup.check() > 0);
}

/// Makes every state in the store at `path` look as if another version had written it.
fn age(path: &Path) {
    let db = DB::open_default(path).unwrap();
    let rows = db.iterator(IteratorMode::Start).map(Result::unwrap);
    let is_meta = |row: &[u8]| row.len() == 5 && row.ends_with(State::META_ROW);
    for (row, mut value) in rows.filter(|(row, _)| is_meta(row)) {
        value[0] += 1;
        db.put(row, value).unwrap();
    }
}

#[test]
fn a_state_of_another_version_is_made_anew() {
    let setup = Setup::new("version", "");
    let mut log = String::new();
    for _ in 0..2 {
        let worker = Worker::start(&setup.config("a"));
        worker.wait_for("ready");
        Traffic::start(&setup, 30, Duration::from_millis(10)).finish();
        setup.wait_until_read();
        log = worker.stop();
        age(&setup.path("a").join("store"));
    }
    let again = "the state on disk is of another version; folding again";
    assert_eq!(log.matches(again).count(), 4, "{log}");
    let live = "everything committed before is folded again; live";
    assert!(log.contains(live), "{log}");
    assert!(setup.check() > 0);
}

#[test]
fn workers_come_go_and_freeze_while_the_stream_runs() {
    let setup = Setup::new("group", "");
    setup.add_sequences();
    let traffic = Traffic::start(&setup, 400, Duration::from_millis(100));
    let first = Worker::start(&setup.config("a"));
    let second = Worker::start(&setup.config("b"));
    first.wait_for("ready");
    second.wait_for("ready");
    std::thread::sleep(Duration::from_secs(2));
    first.signal("STOP");
    std::thread::sleep(FROZEN);
    first.signal("CONT");
    std::thread::sleep(Duration::from_secs(4));
    let third = Worker::start(&setup.config("c"));
    third.wait_for("ready");
    second.kill();
    traffic.finish();
    setup.wait_until_read();
    first.stop();
    third.stop();
    assert!(setup.check() > 0);
}

#[test]
fn rules_may_change_between_two_runs() {
    let setup = Setup::new("rules", "");
    let traffic = Traffic::start(&setup, 120, Duration::from_millis(30));
    for rule in ["window: 300s", "window: 120s", "window: 300s"] {
        setup.write_rule(rule);
        let worker = Worker::start(&setup.config("a"));
        worker.wait_for("ready");
        std::thread::sleep(Duration::from_millis(1500));
        worker.kill();
    }
    let worker = Worker::start(&setup.config("a"));
    traffic.finish();
    setup.wait_until_read();
    worker.stop();
    assert!(setup.check() > 0);
}

#[test]
fn without_transactions_a_revision_may_come_twice_with_equal_bytes() {
    let setup = Setup::new("at-least-once", "delivery = \"at_least_once\"\n");
    let traffic = Traffic::start(&setup, 120, Duration::from_millis(30));
    for _ in 0..3 {
        let worker = Worker::start(&setup.config("a"));
        worker.wait_for("ready");
        std::thread::sleep(Duration::from_millis(900));
        worker.kill();
    }
    let worker = Worker::start(&setup.config("a"));
    traffic.finish();
    setup.wait_until_read();
    worker.stop();
    assert!(setup.check_at_least_once() > 0);
}

/// An application on a cluster that has no transactions.
fn mock_setup(cluster: &MockCluster<'static, DefaultProducerContext>, name: &str) -> Setup {
    let more = "delivery = \"at_least_once\"\n";
    let setup = Setup::without_topics(&cluster.bootstrap_servers(), name, more);
    cluster.create_topic(&setup.source, 3, 1).unwrap();
    for (kind, partitions) in [
        ("matches", 4),
        ("incidents", 1),
        ("dead-letters", 1),
        ("rules", 1),
    ] {
        cluster
            .create_topic(&format!("{}.{kind}", setup.app), partitions, 1)
            .unwrap();
    }
    setup
}

#[test]
fn a_cluster_without_transactions_will_do() {
    let cluster = MockCluster::new(1).unwrap();
    let setup = mock_setup(&cluster, "mock");
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    Traffic::start(&setup, 60, Duration::from_millis(10)).finish();
    setup.wait_until_read();
    worker.stop();
    assert!(setup.check_at_least_once() > 0);
}

#[test]
fn a_broker_that_comes_back_is_waited_for() {
    let mut broker = kafka::Broker::start();
    let setup = Setup::at(broker.bootstrap(), "outage", "");
    // The broker is killed between transactions: what becomes of one that it was completing is
    // the broker's affair.
    let config = setup.config_with("a", |text| {
        text.replace(
            "watermark_interval = \"500ms\"",
            "watermark_interval = \"60s\"",
        )
    });
    let worker = Worker::start(&config);
    worker.wait_for("ready");
    Traffic::start(&setup, 20, Duration::from_millis(10)).finish();
    setup.wait_until_read();
    broker.kill();
    std::thread::sleep(Duration::from_secs(15));
    broker.revive();
    Traffic::start(&setup, 20, Duration::from_millis(10)).finish();
    setup.wait_until_read();
    worker.stop();
    assert!(setup.check() > 0);
}

#[test]
fn what_cannot_start_says_why() {
    fn check(config: &std::path::Path, code: i32, expected: &str) {
        let (found, log) = Worker::start(config).wait();
        assert_eq!(found, Some(code), "{log}");
        assert!(log.contains(expected), "{expected} is not in {log}");
    }
    let setup = Setup::new("errors", "");
    let missing = setup.config_with("no-topic", |text| {
        text.replace("sources = [\"", "sources = [\"x")
    });
    check(&missing, 1, "does not exist on");
    let unmade = setup.config_with("no-app", |text| text.replace("app = \"", "app = \"x"));
    check(&unmade, 1, "create it with `watchfire topics create`");
    let login = format!(
        "\"bootstrap.servers\" = \"{}\"\n\"security.protocol\" = \"SASL_PLAINTEXT\"\n\
         \"sasl.mechanism\" = \"PLAIN\"\n\"sasl.username\" = \"{}\"\n\
         \"sasl.password_file\" = \"{}\"\n#",
        login_bootstrap(),
        kafka::USER,
        setup.file("password", "wrong").display(),
    );
    let refused = setup.config_with("password", |text| {
        text.replace("\"bootstrap.servers\"", &login)
    });
    check(&refused, 1, "refused the login");
    let wrong = setup.config_with("key", |text| format!("sauces = 1\n{text}"));
    check(&wrong, 2, "the key sauces is not known");
    setup.write_rule("window: soon");
    check(&setup.config("a"), 2, "rule.yaml:");
}

#[test]
fn a_broker_that_is_down_is_named_after_a_while() {
    let setup = Setup::new("down", "");
    let config = setup.config_with("a", |text| text.replace(&setup.bootstrap, "127.0.0.1:9"));
    let (code, log) = Worker::start(&config).wait();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("127.0.0.1:9"), "{log}");
    assert!(log.contains("no broker answers"), "{log}");
}

#[test]
fn a_full_disk_ends_the_worker_and_loses_nothing() {
    let setup = Setup::new("disk", "");
    let Some(disk) = SmallDisk::mount(&setup.path("a"), 8) else {
        println!("skipped: a small file system cannot be mounted here (that needs root)");
        return;
    };
    let worker = Worker::start(&setup.config("a"));
    worker.wait_for("ready");
    disk.fill();
    let traffic = Traffic::start(&setup, 100, Duration::from_millis(20));
    let (code, log) = worker.wait();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("No space left on device"), "{log}");
    assert!(
        log.contains(&setup.path("a").display().to_string()),
        "{log}"
    );
    traffic.finish();
    disk.free();
    let worker = Worker::start(&setup.config("a"));
    setup.wait_until_read();
    worker.stop();
    assert!(setup.check() > 0);
}
