//! Workers end while the broker that keeps their group answers wrongly, or not at all, and while
//! they wait for offsets: the client library (2.12) has had crashes there.
//!
//! `WATCHFIRE_CHAOS_ROUNDS=n` has each happen so many times.

use std::time::Duration;

use kafka_protocol::error::ResponseError as Error;
use kafka_protocol::messages::ApiKey;

use super::number;
use crate::kafka::bootstrap;
use crate::proxy::Proxy;
use crate::proxy::dialect::Dialect;
use crate::proxy::orders::Deed::{self, LoseAnswer, LoseRequest, Refuse, Throttle};
use crate::proxy::orders::Orders;
use crate::worker::process::Worker;
use crate::worker::setup::Setup;

/// Longer than between two heartbeats: the client has noticed.
const NOTICED: Duration = Duration::from_millis(800);

/// Longer than a call of the client may take.
const LONG: Deed = Throttle(Duration::from_secs(4));

const GONE: Deed = Refuse(Error::CoordinatorNotAvailable);
const MOVED: Deed = Refuse(Error::NotCoordinator);

/// What is done to which requests while a worker ends.
const CASES: [&[(ApiKey, Deed)]; 7] = [
    // Nobody knows which broker keeps the group.
    &[(ApiKey::Heartbeat, MOVED), (ApiKey::FindCoordinator, GONE)],
    &[
        (ApiKey::Heartbeat, LoseAnswer),
        (ApiKey::FindCoordinator, LoseRequest),
        (ApiKey::LeaveGroup, LoseRequest),
    ],
    // The one that kept it learns of the end and does not say so, or does not want to know.
    &[(ApiKey::LeaveGroup, LoseAnswer)],
    &[(ApiKey::LeaveGroup, MOVED), (ApiKey::FindCoordinator, GONE)],
    &[(ApiKey::LeaveGroup, LONG)],
    // The group is moving partitions, and nothing comes of it.
    &[
        (ApiKey::Heartbeat, Refuse(Error::RebalanceInProgress)),
        (ApiKey::JoinGroup, MOVED),
        (ApiKey::FindCoordinator, GONE),
    ],
    // Offsets are being asked for.
    &[(ApiKey::ListOffsets, LONG), (ApiKey::OffsetFetch, LONG)],
];

#[test]
fn workers_leave_in_order_whatever_their_coordinator_does() {
    std::thread::scope(|scope| {
        for (number, case) in CASES.iter().enumerate() {
            scope.spawn(move || leave(&format!("leaving-{number}"), case));
        }
    });
}

fn leave(name: &str, case: &[(ApiKey, Deed)]) {
    let setup = Setup::new(name, "");
    let orders = Orders::speaking(Dialect::default());
    let proxy = Proxy::before(bootstrap(), &orders);
    let config = setup.config_with("a", |text| text.replace(bootstrap(), &proxy.bootstrap()));
    for _ in 0..number("ROUNDS", 1) {
        let worker = Worker::start(&config);
        worker.wait_for("ready");
        for (api, deed) in case {
            orders.give(*api, *deed, None);
        }
        std::thread::sleep(NOTICED);
        worker.signal("TERM");
        let (code, log) = worker.wait();
        // A worker that could not say good-bye may say that.
        assert!(matches!(code, Some(0 | 1)), "{case:?}: {code:?}\n{log}");
        assert!(!log.contains("panicked"), "{case:?}\n{log}");
        orders.clear();
    }
}
