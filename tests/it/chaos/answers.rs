//! Brokers answer wrongly: every request that a worker makes, in every way that it gets over.
//!
//! Each thing happens once, and several at a time. `WATCHFIRE_CHAOS_ROUNDS=n` has all of them
//! happen so many times, `WATCHFIRE_CHAOS_SEED=s` in another order.

use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;
use watchfire::config::Delivery;

use super::commits::Run;
use super::number;
use crate::kafka::{bootstrap, until};
use crate::proxy::Proxy;
use crate::proxy::dialect::{Dialect, Speaker};
use crate::proxy::orders::{Deed, Orders};
use crate::proxy::wrong::{COMMITS, DATA, GROUPS, TRANSACTIONS};
use crate::rng::Rng;
use crate::worker::process::Worker;
use crate::worker::setup::{Setup, Traffic};

/// Between two that are given.
const PAUSE: Duration = Duration::from_millis(70);

/// So often the group moves while there are requests of it that are still to be answered wrongly.
const STIR: Duration = Duration::from_secs(4);

/// Waits until all orders are done, however long that takes: one after the other must be.
fn answer_all(run: &mut Run) {
    let mut stirred = Instant::now();
    while !run.orders.are_done() {
        let before = run.orders.left();
        let what = format!("one more of these is done: {before:?}");
        run.until(&what, |orders| {
            if stirred.elapsed() > STIR {
                stirred = Instant::now();
                stir(orders);
            }
            orders.left() != before
        });
    }
}

/// Has workers make the requests that are still to be answered wrongly.
fn stir(orders: &Orders) {
    let left = orders.left();
    let is_left = |api| left.iter().any(|order| order.api == api);
    let of_groups = GROUPS.iter().any(|(api, _)| is_left(*api));
    if of_groups && !is_left(ApiKey::Heartbeat) {
        let unknown = Deed::Refuse(ResponseError::UnknownMemberId);
        orders.give(ApiKey::Heartbeat, unknown, Some(1));
    }
    if is_left(ApiKey::InitProducerId) && !is_left(ApiKey::EndTxn) {
        let fenced = Deed::Refuse(ResponseError::InvalidProducerEpoch);
        orders.give(ApiKey::EndTxn, fenced, Some(1));
    }
}

fn wrong_answers_change_nothing(delivery: Delivery) {
    let own: &[(ApiKey, &[Deed])] = match delivery {
        Delivery::ExactlyOnce => &TRANSACTIONS,
        Delivery::AtLeastOnce => &COMMITS,
    };
    let tables = own.iter().chain(&GROUPS).chain(&DATA);
    let all = tables.flat_map(|(api, deeds)| deeds.iter().map(|deed| (*api, *deed)));
    let all: Vec<(ApiKey, Deed)> = all.collect();
    let mut random = Rng::new(number("SEED", 1));
    let mut run = Run::start(delivery);
    for _ in 0..number("ROUNDS", 1) {
        let mut left = all.clone();
        while !left.is_empty() {
            let (api, deed) = left.swap_remove(random.index(left.len()));
            run.orders.give(api, deed, Some(1));
            std::thread::sleep(PAUSE);
        }
        answer_all(&mut run);
    }
    let done = run.orders.done();
    for (api, deed) in all {
        assert!(done.contains_key(&format!("{api:?} {deed:?}")), "{done:?}");
    }
    let (figures, _) = run.finish();
    println!("{figures:?}");
    assert!(figures.incidents > 0 && figures.matches > 0, "{figures:?}");
}

#[test]
fn wrong_answers_change_nothing_with_transactions() {
    wrong_answers_change_nothing(Delivery::ExactlyOnce);
}

#[test]
fn wrong_answers_change_nothing_without_transactions() {
    wrong_answers_change_nothing(Delivery::AtLeastOnce);
}

/// Several messages are on their way to a partition, and one of them is refused for good: those
/// behind it must not get there before it has.
fn a_refused_message_leaves_no_gap(speaker: Speaker) {
    let more = "delivery = \"at_least_once\"\n[limits]\nmessage_bytes = 10000\n";
    let setup = Setup::new("gap", more);
    let orders = Orders::speaking(Dialect::of(speaker));
    let proxy = Proxy::before(bootstrap(), &orders);
    let config = setup.config_with("a", |text| {
        text.replace(bootstrap(), &proxy.bootstrap()).replace(
            "\"session.timeout.ms\" = 3000",
            "\"session.timeout.ms\" = 6000",
        ) + "\"batch.num.messages\" = 1\n"
    });
    let worker = Worker::start(&config);
    worker.wait_for("ready");
    for error in [
        ResponseError::PolicyViolation,
        ResponseError::InvalidProducerIdMapping,
        ResponseError::UnknownServerError,
    ]
    .repeat(2)
    {
        Traffic::start(&setup, 2_000, Duration::ZERO).finish();
        let refused = Deed::Refuse(error);
        // Now and then, in the midst of what a commit writes.
        for _ in 0..3 {
            orders.give(ApiKey::Produce, refused, Some(1));
            until("it is refused", || orders.are_done());
        }
    }
    setup.wait_until_read();
    worker.stop();
    setup.check_counted();
    assert!(setup.check_at_least_once() > 0);
}

#[test]
fn a_refused_message_leaves_no_gap_where_producers_are_idempotent() {
    a_refused_message_leaves_no_gap(Speaker::Kafka);
}

#[test]
fn a_refused_message_leaves_no_gap_where_they_are_not() {
    a_refused_message_leaves_no_gap(Speaker::Standard);
}
