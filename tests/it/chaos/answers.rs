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
use crate::proxy::orders::Deed;
use crate::proxy::wrong::{COMMITS, DATA, GROUPS, TRANSACTIONS};
use crate::rng::Rng;

/// Between two that are given.
const PAUSE: Duration = Duration::from_millis(70);

/// After so long without a request that is still to be answered wrongly, the group moves.
const STIR: Duration = Duration::from_secs(4);

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
        let mut stirred = Instant::now();
        run.until("everything has been answered wrongly", |orders| {
            if stirred.elapsed() > STIR {
                stirred = Instant::now();
                // Has workers join again, make their producers anew, and ask for offsets.
                let unknown = Deed::Refuse(ResponseError::UnknownMemberId);
                orders.give(ApiKey::Heartbeat, unknown, Some(1));
                let fenced = Deed::Refuse(ResponseError::InvalidProducerEpoch);
                if delivery == Delivery::ExactlyOnce {
                    orders.give(ApiKey::EndTxn, fenced, Some(1));
                }
            }
            orders.are_done()
        });
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
