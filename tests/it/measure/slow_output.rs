//! Brokers that take what is written only slowly, while the source has much to be read: what does
//! the worker take, and is anything lost?

use std::time::{Duration, Instant};

use rdkafka::producer::Producer as _;

use super::activity::Activity;
use super::lab::{Lab, SMALL, committed, send};
use super::quota::limit_producers;
use super::{Figures, number, usage};
use crate::kafka::Broker;
use crate::worker::setup::now;

const RECORDS_A_MESSAGE: u64 = 10;

#[test]
#[ignore = "a measurement: make measure WHAT=slow_output"]
fn brokers_that_take_output_slowly() {
    let broker = Broker::start();
    let lab = Lab::new(broker.bootstrap(), "slow", SMALL, "");
    let rate = number("BYTES_A_SECOND", 200_000);
    let limit = |rate| limit_producers(broker.bootstrap(), &lab.setup.app, rate);
    limit(Some(rate as f64));
    let records = backlog(&lab, number("RECORDS", 300_000));

    let worker = lab.start("a");
    worker.wait_for("ready");
    let (start, before) = (Instant::now(), usage::of(worker.id()));
    let slow_for = Duration::from_secs(number("SLOW_SECONDS", 90));
    while start.elapsed() < slow_for {
        std::thread::sleep(Duration::from_secs(1));
    }
    let slow = usage::of(worker.id());
    let read = read_so_far(&lab);
    limit(None);
    lab.setup.wait_until_read();
    let after = usage::of(worker.id());
    worker.stop_after_errors();
    assert!(read < records, "it was read as if the brokers were fast");

    let mut figures = Figures::new("slow_output");
    let seconds = slow_for.as_secs_f64();
    figures.line(format!(
        "{records} records to be read, brokers that take {rate} bytes a second: {read} read \
         after {seconds:.0} s"
    ));
    figures.line(format!(
        "worker: {:.3} s of processor time a second, {} MB at most",
        (slow.cpu_s - before.cpu_s) / seconds,
        slow.peak_mb,
    ));
    figures.line(format!(
        "with the brokers fast again: {} MB at most, {} publications, nothing lost or twice",
        after.peak_mb,
        lab.setup.check(),
    ));
}

/// Fills the source; how many records it then has.
fn backlog(lab: &Lab, records: u64) -> u64 {
    let producer = lab.producer();
    let mut activity = Activity::new(20_000);
    let messages = records / RECORDS_A_MESSAGE;
    for number in 0..messages {
        let message = activity.message(RECORDS_A_MESSAGE, now());
        let partition = (number % lab.size.source as u64) as i32;
        send(
            &producer,
            (&lab.setup.source, partition),
            message.as_bytes(),
        );
    }
    producer.flush(Duration::from_secs(60)).unwrap();
    messages * RECORDS_A_MESSAGE
}

fn read_so_far(lab: &Lab) -> u64 {
    let client = lab.client("detect", "read_committed");
    let offsets = committed(&client, &lab.setup.source, lab.size.source);
    offsets.values().map(|offset| *offset as u64).sum::<u64>() * RECORDS_A_MESSAGE
}
