//! Workers on brokers that speak as Event Hubs does, in its Standard and its Premium tier.

use std::process::Command;
use std::time::Duration;

use kafka_protocol::messages::ApiKey;
use watchfire::config::Delivery;

use super::commits::Run;
use crate::proxy::Proxy;
use crate::proxy::dialect::{Dialect, Speaker};
use crate::proxy::orders::{Deed, IDLE, Orders};
use crate::worker::process::Worker;
use crate::worker::setup::Setup;

/// How long a worker runs before and after its start.
const A_WHILE: Duration = Duration::from_secs(3);

/// The configuration without a word on delivery.
fn whatever_is_there(text: String) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("delivery"));
    let text: Vec<&str> = lines.collect();
    text.join("\n") + "\n"
}

/// A worker reads, is killed, goes on, ends, and starts again when its offsets are forgotten.
fn a_worker_runs(speaker: Speaker, delivery: Delivery, expected: &str) {
    let dialect = Dialect::of(speaker);
    let mut run = Run::start_with(delivery, dialect, whatever_is_there);
    run.worker.wait_for(expected);
    std::thread::sleep(A_WHILE);
    run.worker.crash();
    run.worker = Worker::start(&run.config);
    run.worker.wait_for("worker: ready");
    std::thread::sleep(A_WHILE);
    if delivery == Delivery::AtLeastOnce {
        let next = |config| Worker::start(config);
        let before = std::mem::replace(&mut run.worker, next(&run.config));
        drop(before);
        run.orders.give(ApiKey::OffsetFetch, Deed::Forget, Some(2));
        run.worker.wait_for("worker: ready");
        run.until("the offsets are forgotten", |orders| orders.are_done());
    }
    let commits = run.orders.seen(ApiKey::OffsetCommit);
    let done = run.orders.done();
    let late = done
        .iter()
        .filter(|(what, _)| what.starts_with("OffsetCommit"));
    let late: u32 = late.map(|(_, times)| times).sum();
    assert!(done.contains_key(IDLE), "{done:?}");
    let (figures, _) = run.finish();
    println!("{figures:?}, {late} of {commits} commits came too soon");
    assert!(figures.incidents > 0 && figures.matches > 0, "{figures:?}");
}

#[test]
fn a_worker_runs_on_event_hubs_standard() {
    let said = "the brokers do not run transactions: delivery is at_least_once";
    a_worker_runs(Speaker::Standard, Delivery::AtLeastOnce, said);
}

#[test]
fn a_worker_runs_on_event_hubs_premium() {
    let said = "the brokers run transactions: delivery is exactly_once";
    a_worker_runs(Speaker::Premium, Delivery::ExactlyOnce, said);
}

/// Makes a topic, or checks them, where the brokers do not do such things for clients.
#[test]
fn topics_are_asked_for_in_vain_on_event_hubs() {
    for speaker in [Speaker::Standard, Speaker::Premium] {
        let setup = Setup::new("asked", "");
        let orders = Orders::speaking(Dialect::of(speaker));
        let proxy = Proxy::before(&setup.bootstrap, &orders);
        let ask = |command: &str, change: &dyn Fn(&str) -> String| {
            let config = setup.config_with("asked", |text| {
                change(text).replace(&setup.bootstrap, &proxy.bootstrap())
            });
            let output = Command::new(env!("CARGO_BIN_EXE_watchfire"))
                .args(["topics", command, "--config"])
                .arg(config)
                .output()
                .unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            println!("{speaker:?} {command}: {:?}\n{said}", output.status);
            (output.status.code(), said)
        };
        let (code, said) = ask("check", &str::to_owned);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("do not tell the properties"), "{said}");
        let (code, said) = ask("create", &|text| text.replace("app = \"", "app = \"x"));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("let clients make topics"), "{said}");
        for how in [
            "az eventhubs eventhub create",
            "--cleanup-policy Compact",
            "resource matches 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01'",
        ] {
            assert!(said.contains(how), "{said}");
        }
    }
}
