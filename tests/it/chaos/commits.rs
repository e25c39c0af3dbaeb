//! The outcome of a transaction is unknown to the worker, at the end of every one.
//!
//! As one of the tests this is short. `WATCHFIRE_CHAOS_BOUNDARIES=n` has it go on for so many
//! transactions, `WATCHFIRE_CHAOS_SEED=s` draws others of the things that can happen to them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use watchfire::config::Delivery;

use super::application::Application;
use super::check::{Figures, check};
use super::dump::{self, Dump};
use super::number;
use super::rest::Rest;
use super::stream::{self, Stream};
use crate::kafka::{bootstrap, until};
use crate::proxy::Proxy;
use crate::proxy::boundaries::Boundaries;
use crate::proxy::dialect::Dialect;
use crate::proxy::orders::Orders;
use crate::worker::process::Worker;

/// In how many transactions something happens, in a usual test.
const BOUNDARIES: u64 = 20;

/// A worker behind a proxy, with the stream that it reads.
pub struct Run {
    application: Application,
    pub orders: Arc<Orders>,
    pub config: PathBuf,
    pub worker: Worker,
    stream: Stream,
    _proxy: Proxy,
}

impl Run {
    /// Starts both.
    pub fn start(delivery: Delivery) -> Run {
        Run::start_with(delivery, Dialect::default(), |text| text)
    }

    /// The same with a broker that speaks so, and the configuration changed.
    pub fn start_with(
        delivery: Delivery,
        dialect: Dialect,
        change: impl FnOnce(String) -> String,
    ) -> Run {
        let application = Application::create(bootstrap(), delivery, false);
        let application = application.on(dialect.speaker);
        let orders = Orders::speaking(dialect);
        let proxy = Proxy::before(bootstrap(), &orders);
        let config = application.prepare_with("a", &proxy.bootstrap(), change);
        let worker = Worker::start(&config);
        worker.wait_for("worker: ready");
        let partitions = Arc::new(AtomicUsize::new(stream::PARTITIONS));
        let seed = number("SEED", 1);
        let stream = Stream::start(bootstrap(), &application.source, seed, partitions);
        Run {
            application,
            orders,
            config,
            worker,
            stream,
            _proxy: proxy,
        }
    }

    /// Waits until it holds, while the worker runs.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&Orders) -> bool) {
        let (worker, orders) = (&mut self.worker, &self.orders);
        until(what, || {
            assert!(worker.ended().is_none(), "the worker has ended");
            holds(orders)
        });
    }

    /// Takes all orders back, lets everything come to rest, and holds what was published against
    /// the stream. Gives the worker's log as well.
    pub fn finish(mut self) -> (Figures, String) {
        println!("{:#?}", self.orders.done());
        self.orders.clear();
        let last = self.stream.end();
        let sent = self.stream.finish();
        let mut rest = Rest::after(last, stream::PARTITIONS, &self.application);
        let worker = &mut self.worker;
        until("everything is read, folded and closed", || {
            assert!(worker.ended().is_none(), "the worker has ended");
            rest.has_come()
        });
        let log = self.worker.stop();
        let Application { name, delivery, .. } = &self.application;
        let dump = Dump::parse(&dump::read(&self.application), name);
        match check(&dump, &sent, *delivery, &[]) {
            Ok(figures) => (figures, log),
            Err(problems) => panic!("{problems:#?}\n{log}"),
        }
    }
}

#[test]
fn transactions_of_unknown_outcome_are_neither_lost_nor_doubled() {
    let mut run = Run::start(Delivery::ExactlyOnce);
    let drawn = Boundaries::drawn(number("SEED", 1));
    run.orders.give_at_boundaries(drawn);
    for boundary in 0..number("BOUNDARIES", BOUNDARIES) {
        run.until("a transaction ends", |orders| {
            u64::from(orders.boundaries()) > boundary
        });
    }
    println!("{} boundaries", run.orders.boundaries());
    let (figures, _) = run.finish();
    println!("{figures:?}");
    assert!(figures.incidents > 0 && figures.matches > 0, "{figures:?}");
}
