//! A worker that freezes inside a transaction: for how long do the readers of what it writes
//! stand still?

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::BaseConsumer;

use super::lab::{Lab, SMALL, Stream, Watch, end, median_and_worst};
use super::{Figures, number};
use crate::kafka::Broker;
use crate::worker::process::Worker;
use crate::worker::setup::now;

/// Kafka's default, in place of that of the tests.
const BROKER: &str = "transaction.abort.timed.out.transaction.cleanup.interval.ms=10000\n";

/// What stands still for so long after a worker froze waits for its transaction.
const STILL: Duration = Duration::from_millis(1_500);
/// The longest that a worker is left frozen.
const FROZEN_MAX: Duration = Duration::from_secs(40);

#[test]
#[ignore = "a measurement: make measure WHAT=frozen"]
fn a_worker_frozen_inside_a_transaction() {
    let broker = Broker::start_with(BROKER);
    let more = "commit_interval = \"20ms\"\n";
    let lab = Lab::new(broker.bootstrap(), "frozen", SMALL, more);
    let stream = Stream::start(&lab, 60, 5, 100_000);
    let watch = Watch::start(&lab);
    let workers = ["a", "b"].map(|name| lab.start(name));
    workers.iter().for_each(|worker| worker.wait_for("ready"));
    std::thread::sleep(Duration::from_secs(5));
    let (mut stalls, mut silences) = (Vec::new(), Vec::new());
    for round in 0..number("ROUNDS", 5) {
        let worker = &workers[round as usize % 2];
        let (stall, frozen_at) = freeze(&lab, worker);
        stalls.push(stall);
        silences.push(longest_silence(&watch, frozen_at));
        worker.signal("CONT");
        // It finds out that it was replaced, and comes back.
        std::thread::sleep(Duration::from_secs(10));
    }
    stream.finish();
    lab.setup.wait_until_read();
    for worker in workers {
        worker.stop_after_errors();
    }
    watch.finish();
    let mut figures = Figures::new("frozen");
    figures.line(format!(
        "a matches partition that the transaction was open in stood still: {}",
        median_and_worst(&stalls)
    ));
    figures.line(format!(
        "no incident came, from any partition: {}",
        median_and_worst(&silences)
    ));
    assert!(lab.setup.check() > 0, "and nothing of it came twice");
}

/// Freezes a worker at moments until it has a transaction open in the matches topic; for how long
/// the slowest partition then stood still, and when it froze.
fn freeze(lab: &Lab, worker: &Worker) -> (i64, i64) {
    let matches = lab.matches();
    let clients = ["read_committed", "read_uncommitted"].map(|how| lab.client("look", how));
    let ends = |client: &BaseConsumer| -> BTreeMap<i32, i64> {
        let ends = (0..lab.size.matches).map(|p| (p, end(client, &matches, p)));
        ends.collect()
    };
    for attempt in 0..200 {
        std::thread::sleep(Duration::from_millis(170 + 7 * attempt));
        worker.signal("STOP");
        let frozen_at = now();
        let before = ends(&clients[0]);
        std::thread::sleep(STILL);
        let (stable, written) = (ends(&clients[0]), ends(&clients[1]));
        let mut stuck: Vec<i32> = (0..lab.size.matches).collect();
        stuck.retain(|p| stable[p] == before[p] && stable[p] < written[p]);
        if stuck.is_empty() {
            worker.signal("CONT");
            continue;
        }
        let start = Instant::now();
        while !stuck.is_empty() && start.elapsed() < FROZEN_MAX {
            std::thread::sleep(Duration::from_millis(20));
            stuck.retain(|p| end(&clients[0], &matches, *p) == before[p]);
        }
        assert!(stuck.is_empty(), "partitions {stuck:?} still wait");
        let stall = now() - frozen_at;
        std::thread::sleep(Duration::from_secs(3));
        return (stall, frozen_at);
    }
    panic!("it was never inside a transaction");
}

/// The longest time since `from` in which no incident came.
fn longest_silence(watch: &Watch, from: i64) -> i64 {
    let (mut last, mut longest) = (from, 0);
    while let Some(next) = watch.first_after(last) {
        longest = longest.max(next - last);
        last = next;
    }
    longest.max(now() - last)
}
