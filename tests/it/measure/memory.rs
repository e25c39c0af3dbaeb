//! What a worker takes of memory when every record of a backlog has a key of its own: within a
//! control group of 512 MB with what is usual, and with three settings of `[state]`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::producer::{DefaultProducerContext, Producer as _, ThreadedProducer};

use super::cgroup::Cgroup;
use super::lab::send;
use super::{Figures, number, usage};
use crate::kafka::{Broker, create_topic};
use crate::worker::offsets::{committed, ends};
use crate::worker::process::Worker;
use crate::worker::setup::{Setup, UPN, now};

/// The limit of the control group.
const GROUP_BYTES: u64 = 512 << 20;
const SOURCE_PARTITIONS: i32 = 3;
const MATCHES_PARTITIONS: i32 = 4;
/// The longest that is waited for.
const LIMIT_MS: i64 = 1_200_000;

const RULE: &str = "id: MEASURE_MEMORY\nname: m\nseverity: 5\nwindow: 300s\npatterns:\n  \
    - { name: M, where: user IS NOT NULL, group_by: [correlationId] }\n";

/// A setting of `[state]`: all budgets alike.
fn budgets(size: &str) -> String {
    format!(
        "[state]\nkeys = \"{size}\"\nrecovery = \"{size}\"\nblock_cache = \"{size}\"\n\
         write_buffer = \"{size}\"\n"
    )
}

fn application(broker: &Broker, name: &str, state: &str) -> (Setup, PathBuf) {
    let setup = Setup::without_topics(broker.bootstrap(), name, state);
    setup.file("rule.yaml", RULE);
    create_topic(&setup.bootstrap, &setup.source, SOURCE_PARTITIONS, &[]);
    let config = setup.config_with("a", |text| {
        text.replace("patience = \"5s\"\nlateness = \"10s\"\n", "")
    });
    let made = Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .args(["topics", "create", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
    (setup, config)
}

/// Records that all have a key of their own, of the last hour.
fn backlog(setup: &Setup, records: u64) {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", &setup.bootstrap)
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .create()
        .unwrap();
    let start = now() - 3_600_000;
    let mut some = Vec::new();
    for n in 0..records {
        let time = watchfire::time::rfc3339(start + (n * 3_600_000 / records) as i64);
        let user = n % 20_000;
        some.push(format!(
            r#"{{"time":"{time}",
"operationName":"MICROSOFT.COMPUTE/VIRTUALMACHINES/RUNCOMMAND/ACTION",
"category":"Administrative","correlationId":"7d0c5b1e-0000-4000-8000-{n:012x}","resourceId":
"/SUBSCRIPTIONS/S/RESOURCEGROUPS/P/PROVIDERS/MICROSOFT.COMPUTE/VIRTUALMACHINES/VM-{user}",
"callerIpAddress":"203.0.113.7","identity":{{"claims":{{"{UPN}":"user{user}@contoso.com"}}}}}}"#
        ));
        if some.len() == 50 || n + 1 == records {
            let message = format!(r#"{{"records":[{}]}}"#, some.join(","));
            let partition = (n / 50 % SOURCE_PARTITIONS as u64) as i32;
            send(&producer, (&setup.source, partition), message.as_bytes());
            some.clear();
        }
    }
    producer.flush(Duration::from_secs(120)).unwrap();
}

/// Whether all that a group reads of a topic is committed; a transaction leaves one entry that no
/// consumer sees.
fn is_read(setup: &Setup, group: &str, topic: &str, partitions: i32) -> bool {
    let committed = committed(&setup.bootstrap, &setup.app, group, topic, partitions);
    let mut ends = ends(&setup.bootstrap, topic, partitions).into_iter();
    ends.all(|(partition, end)| committed.get(&partition).copied().unwrap_or(0) + 1 >= end)
}

/// Works the backlog off; what it took, or that the worker was ended for it.
fn work_off(setup: &Setup, mut worker: Worker) -> Result<usage::Usage, String> {
    let start = now();
    let matches = format!("{}.matches", setup.app);
    loop {
        if let Some(status) = worker.ended() {
            return Err(format!("the worker has ended: {status}"));
        }
        if is_read(setup, "detect", &setup.source, SOURCE_PARTITIONS)
            && is_read(setup, "correlate", &matches, MATCHES_PARTITIONS)
        {
            break;
        }
        assert!(now() - start < LIMIT_MS, "{}", worker.log());
        std::thread::sleep(Duration::from_millis(200));
    }
    let used = usage::of(worker.id());
    worker.stop_after_errors();
    Ok(used)
}

#[test]
#[ignore = "a measurement: make measure WHAT=memory"]
fn memory_of_many_keys() {
    let broker = Broker::start();
    let mut figures = Figures::new("memory");
    let records = number("RECORDS", 400_000);
    let settings = [
        ("defaults", String::new(), true),
        ("defaults, no limit", String::new(), false),
        ("all budgets 128 MiB", budgets("128MiB"), false),
        ("all budgets 64 MiB", budgets("64MiB"), false),
        ("all budgets 16 MiB", budgets("16MiB"), false),
    ];
    for (place, (what, state, limited)) in (0..).zip(settings) {
        let (setup, config) = application(&broker, &format!("memory-{place}"), &state);
        backlog(&setup, records);
        let group = limited.then(|| Cgroup::limited(GROUP_BYTES)).flatten();
        let program = env!("CARGO_BIN_EXE_watchfire");
        let worker = match &group {
            Some(group) => Worker::start_by(group.command(program), &config),
            None => Worker::start(&config),
        };
        let within = match (limited, &group) {
            (true, Some(_)) => " in a control group of 512 MB",
            (true, None) => " (the machine allows no control group of 512 MB)",
            (false, _) => "",
        };
        let found = match work_off(&setup, worker) {
            Ok(used) => format!(
                "{} MB at most, {:.1} s of processor time",
                used.peak_mb, used.cpu_s
            ),
            Err(ended) => ended,
        };
        figures.line(format!("{records} keys, {what}{within}: {found}"));
    }
}
