//! A worker that is killed and started again with its disk intact: when is the first new incident
//! there?

use std::time::Duration;

use super::lab::{Lab, SMALL, Stream, Watch, median_and_worst, said_at};
use super::{Figures, number};
use crate::kafka::{Broker, until};
use crate::worker::setup::now;

/// A line of the log of a member that has got partitions, and one that has got none.
const ASSIGNED: &str = "matches partitions assigned";

#[test]
#[ignore = "a measurement: make measure WHAT=recovery_disk"]
fn recovery_with_the_disk_intact() {
    let broker = Broker::start();
    let mut figures = Figures::new("recovery_disk");
    for (name, more) in [
        ("usual", ""),
        ("static membership", "static_membership = true\n"),
    ] {
        let lab = Lab::new(broker.bootstrap(), "recovery-disk", SMALL, more);
        measure(&lab, name, &mut figures);
    }
}

fn measure(lab: &Lab, name: &str, figures: &mut Figures) {
    let stream = Stream::start(lab, 60, 5, 100_000);
    let watch = Watch::start(lab);
    let mut worker = lab.start("a");
    let (mut from_start, mut from_assignment) = (Vec::new(), Vec::new());
    for round in 0..number("ROUNDS", 10) {
        worker.wait_for("ready");
        let running = now();
        until("an incident comes", || watch.first_after(running).is_some());
        std::thread::sleep(Duration::from_millis(1_500 + 130 * round));
        worker.crash();
        // What the killed worker had committed is seen by now.
        std::thread::sleep(Duration::from_millis(200));
        let started = now();
        worker = lab.start("a");
        until("incidents come again", || {
            watch.first_after(started).is_some()
        });
        let first = watch.first_after(started).unwrap();
        let log = worker.log();
        let assigned = (1..=lab.size.matches)
            .filter_map(|n| said_at(&log, &[ASSIGNED, &format!("partitions={n}")]))
            .min();
        from_start.push(first - started);
        from_assignment.push(first - assigned.unwrap());
    }
    stream.finish();
    lab.setup.wait_until_read();
    worker.stop();
    watch.finish();
    assert!(lab.setup.check() > 0);
    figures.line(format!(
        "{name}: from the start of the process to the first new incident: {}",
        median_and_worst(&from_start)
    ));
    figures.line(format!(
        "{name}: from the assignment of its partitions: {}",
        median_and_worst(&from_assignment)
    ));
}
