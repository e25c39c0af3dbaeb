//! Under load the source is deleted and made again, and retention overtakes who reads it.
//!
//! As tests these are short: one thing happens, once with transactions and once without.
//! `WATCHFIRE_CHAOS_ROUNDS=n` has all of them happen so many times, `WATCHFIRE_CHAOS_SEED=s` in
//! another order.
//!
//! What each log held is known, and what of it was read workers say: so nothing may be in the
//! matches topic that was not read, nothing may lack that was, and of the log that is there at the
//! end everything must have been read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use watchfire::config::Delivery;

use super::application::Application;
use super::check::Kind;
use super::check::matches::in_sections;
use super::check::readings::{self, Reading};
use super::dump::{self, Dump};
use super::number;
use super::rest::Rest;
use super::stream::{self, Sent};
use crate::kafka::{Message, bootstrap, create_topic, delete_before, delete_topic, produce, until};
use crate::rng::Rng;
use crate::worker::log::Log;
use crate::worker::offsets::committed;
use crate::worker::process::Worker;
use crate::worker::setup::now;

const PARTITIONS: i32 = stream::PARTITIONS as i32;

/// What happens to the source, and to a worker meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    MadeAnew,
    /// A worker is killed before, and started when the new log is there.
    MadeAnewKilled,
    /// A worker is frozen meanwhile.
    MadeAnewFrozen,
    /// Another one follows at once: of the one between perhaps nobody learns.
    MadeAnewTwice,
    /// Messages are deleted while no worker runs that would have read them.
    Overrun,
}

const ALL: [Fault; 5] = [
    Fault::MadeAnew,
    Fault::MadeAnewKilled,
    Fault::MadeAnewFrozen,
    Fault::MadeAnewTwice,
    Fault::Overrun,
];

/// Between two loads of messages.
const PAUSE: Duration = Duration::from_millis(25);

/// What a worker says of a log that is gone.
const GONE: &str = "a source partition is another log than the one that was read";

/// What it says before where brokers have forgotten how far it was read.
const FORGOTTEN: &str = "the brokers have no committed offset of a source partition that was read";

/// What it says of the one that it goes on with.
const BEGUN: &str = "a source partition is read in a new epoch";

/// The place of one worker.
struct Place {
    config: PathBuf,
    worker: Option<Worker>,
    logs: Vec<String>,
}

impl Place {
    fn start(&mut self) {
        self.worker = Some(Worker::start(&self.config));
    }

    fn stop(&mut self) {
        let worker = self.worker.take().expect("it runs");
        self.logs.push(worker.stop_after_errors());
    }

    fn log(&self) -> String {
        let running = self.worker.as_ref().map(Worker::log).unwrap_or_default();
        self.logs.concat() + &running
    }
}

/// One of the logs that the source was: by partition what it held, and what was deleted of it
/// before anybody could read it.
#[derive(Default)]
struct SourceLog {
    partitions: BTreeMap<i32, Vec<Message>>,
    deleted: BTreeMap<i32, std::ops::Range<i64>>,
}

impl SourceLog {
    /// What there is to be read of a partition before this offset.
    fn before(&self, partition: i32, end: i64) -> Vec<Message> {
        let messages = self.partitions.get(&partition).into_iter().flatten();
        let deleted = self.deleted.get(&partition).cloned().unwrap_or_default();
        let there =
            messages.filter(|message| message.offset < end && !deleted.contains(&message.offset));
        there.cloned().collect()
    }

    /// The rest.
    fn behind(&self, partition: i32, end: i64) -> Vec<Message> {
        let all = self.before(partition, i64::MAX).into_iter();
        all.filter(|message| message.offset >= end).collect()
    }

    fn end(&self, partition: i32) -> i64 {
        let messages = self.partitions.get(&partition);
        messages.map_or(0, |messages| messages.len() as i64)
    }
}

/// Holds that no worker has ended by itself.
fn check_running(places: &mut [Place]) {
    for worker in places.iter_mut().filter_map(|place| place.worker.as_mut()) {
        assert!(worker.ended().is_none(), "a worker has ended");
    }
}

struct Run {
    application: Application,
    random: Rng,
    places: Vec<Place>,
    /// One after the other.
    logs: Vec<SourceLog>,
    sent: Sent,
    counts: BTreeMap<Fault, usize>,
}

impl Run {
    fn start(delivery: Delivery) -> Run {
        let application = Application::create(bootstrap(), delivery, false);
        let places = ["a", "b"].map(|name| {
            let restart = |text| format!("on_replaced_source = \"restart\"\n{text}");
            let config = application.prepare_with(name, bootstrap(), restart);
            Place {
                config,
                worker: None,
                logs: Vec::new(),
            }
        });
        let mut run = Run {
            application,
            random: Rng::new(number("SEED", 1)),
            places: places.into(),
            logs: vec![SourceLog::default()],
            sent: Sent::default(),
            counts: BTreeMap::new(),
        };
        run.start_all();
        run
    }

    fn start_all(&mut self) {
        for place in &mut self.places {
            place.start();
        }
        for place in &self.places {
            place.worker.as_ref().unwrap().wait_for("worker: ready");
        }
    }

    /// Writes so many messages to a partition.
    fn write(&mut self, partition: i32, count: usize) {
        let mut values = Vec::new();
        for _ in 0..count {
            let clock = now();
            let value = stream::envelope(&mut self.random, clock, &mut self.sent);
            values.push((clock, value));
        }
        let source = &self.application.source;
        produce(bootstrap(), source, partition, &values);
        let log = self.logs.last_mut().unwrap();
        let messages = log.partitions.entry(partition).or_default();
        for (timestamp, value) in values {
            messages.push(Message {
                partition,
                offset: messages.len() as i64,
                timestamp: Some(timestamp),
                key: None,
                value: Some(value),
                headers: Vec::new(),
            });
        }
    }

    /// Writes to all partitions for a while.
    fn load(&mut self) {
        for partition in 0..PARTITIONS {
            let count = 1 + self.random.index(8);
            self.write(partition, count);
            std::thread::sleep(PAUSE);
        }
        check_running(&mut self.places);
    }

    /// Writes more than is read at once.
    fn burst(&mut self) {
        for partition in 0..PARTITIONS {
            self.write(partition, 100);
        }
    }

    fn make_anew(&mut self) {
        let source = &self.application.source;
        delete_topic(bootstrap(), source);
        create_topic(bootstrap(), source, PARTITIONS, &[]);
        self.logs.push(SourceLog::default());
    }

    fn said(&self, what: &str) -> usize {
        let logs = self.places.iter().map(Place::log);
        logs.map(|log| log.matches(what).count()).sum()
    }

    fn strike(&mut self, fault: Fault) {
        self.load();
        let begun = self.said(BEGUN);
        match fault {
            Fault::Overrun => {
                self.overrun();
                *self.counts.entry(fault).or_default() += 1;
                return;
            }
            Fault::MadeAnew | Fault::MadeAnewTwice => {
                self.burst();
                self.make_anew();
            }
            Fault::MadeAnewKilled => {
                self.burst();
                let place = &mut self.places[0];
                let mut worker = place.worker.take().unwrap();
                worker.crash();
                place.logs.push(worker.log());
                self.make_anew();
                self.places[0].start();
            }
            Fault::MadeAnewFrozen => {
                self.burst();
                self.places[0].worker.as_ref().unwrap().signal("STOP");
                self.make_anew();
                self.load();
                self.places[0].worker.as_ref().unwrap().signal("CONT");
            }
        }
        if fault == Fault::MadeAnewTwice {
            self.burst();
            self.make_anew();
        }
        self.load();
        until("every partition is read in a new epoch", || {
            check_running(&mut self.places);
            self.said(BEGUN) >= begun + PARTITIONS as usize
        });
        *self.counts.entry(fault).or_default() += 1;
    }

    /// What was read is committed, more comes, and some of that is deleted. Nobody goes on until
    /// somebody has accepted that.
    fn overrun(&mut self) {
        self.places.iter_mut().for_each(Place::stop);
        let Application { name, source, .. } = &self.application;
        let read = committed(bootstrap(), name, "detect", source, PARTITIONS);
        self.burst();
        let mut lost = BTreeMap::new();
        for partition in 0..PARTITIONS / 2 {
            let log = self.logs.last_mut().unwrap();
            let left = 1 + self.random.below(50) as i64;
            let gone = read[&partition]..log.end(partition) - left;
            lost.insert(partition, gone.end);
            log.deleted.insert(partition, gone);
        }
        delete_before(bootstrap(), &self.application.source, &lost);
        let deleted = &self.logs.last().unwrap().deleted;
        for place in &mut self.places {
            place.start();
            let (code, log) = place.worker.take().unwrap().wait();
            assert_eq!(code, Some(1), "{log}");
            assert!(log.contains("were deleted by its retention"), "{log}");
            place.logs.push(log);
        }
        let output = Command::new(env!("CARGO_BIN_EXE_watchfire"))
            .args(["topics", "accept-loss", "--config"])
            .arg(&self.places[0].config)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{output:?}");
        for (partition, gone) in deleted {
            let (source, begins) = (&self.application.source, gone.end);
            let (needed, lost) = (gone.start, gone.end - gone.start);
            let expected = format!(
                "{source}/{partition}: {lost} messages are gone: needed from offset {needed} on, \
                 and it begins at {begins}\n"
            );
            assert!(said.contains(&expected), "{expected}{said}");
        }
        let all: i64 = deleted.values().map(|gone| gone.end - gone.start).sum();
        let expected = format!("{all} messages in all, accepted as lost");
        assert!(said.contains(&expected), "{expected}\n{said}");
        println!("{expected}");
        self.start_all();
    }

    /// What workers say to have read of the logs that are gone: by partition and epoch, the offset
    /// that was next, and whether more may have been read, where only a note was left.
    fn read_to(&self) -> BTreeMap<(i32, u32), (i64, bool)> {
        let mut read_to = BTreeMap::new();
        for place in &self.places {
            let mut noted = BTreeSet::new();
            for line in place.log().lines() {
                let is_gone = line.contains(GONE);
                if !is_gone && !line.contains(FORGOTTEN) {
                    continue;
                }
                let partition = field(line, "partition") as i32;
                let next = field(line, "read_to");
                if !is_gone {
                    noted.insert((partition, next));
                    continue;
                }
                let epoch = field(line, "epoch") as u32 - 1;
                let said = (next, noted.contains(&(partition, next)));
                let known = read_to.entry((partition, epoch)).or_insert(said);
                *known = said.max(*known);
            }
        }
        read_to
    }

    /// What was read of each log: of those that are gone what is said, of the last one everything.
    fn readings(&self, dump: &Dump) -> Vec<Reading> {
        let log = Log::read(&dump.rules, &dump.matches);
        let plan = log.last_plan();
        let messages = log.messages.iter();
        let logged: BTreeSet<_> = messages
            .flat_map(|(_, log_message)| {
                let plan = log.catalogue.plan(log_message.message.plan).unwrap();
                in_sections(&log_message.message.sections, plan)
            })
            .collect();
        let is_logged = |reading: &Reading| {
            let found = in_sections(&reading.sections(&plan), &plan);
            found.iter().all(|one| logged.contains(one))
        };
        let read_to = self.read_to();
        let mut readings = Vec::new();
        for partition in 0..PARTITIONS {
            let (mut logs, mut last) = (self.logs.as_slice(), 0);
            for ((_, epoch), said) in read_to.range((partition, 0)..(partition + 1, 0)) {
                let (epoch, (said, is_noted)) = (*epoch, *said);
                let of_it = logged.iter().filter(|one| one.is_of(partition, epoch));
                let logged_to = of_it.map(|one| one.offset() + 1).max();
                // With transactions what is written is committed, and everything before it.
                let counts = is_noted && self.application.delivery == Delivery::ExactlyOnce;
                let end = logged_to.filter(|_| counts).max(Some(said)).unwrap();
                let candidates = logs.iter().map(|log| Reading {
                    epoch,
                    messages: log.before(partition, end),
                    behind: log.behind(partition, end),
                });
                // Of one that was gone at once perhaps nothing was read: then it is the next one.
                let candidates: Vec<Reading> = candidates.collect();
                let place = candidates.iter().position(is_logged).unwrap_or(0);
                readings.extend(candidates.into_iter().nth(place));
                (logs, last) = (logs.get(place + 1..).unwrap_or_default(), epoch + 1);
            }
            readings.push(Reading {
                epoch: last,
                messages: self.logs.last().unwrap().before(partition, i64::MAX),
                behind: Vec::new(),
            });
        }
        readings
    }

    fn finish(mut self, is_long: bool) {
        self.load();
        let last = now();
        let mut rest = Rest::after(last, PARTITIONS as usize, &self.application);
        until("everything is read, folded and closed", || {
            check_running(&mut self.places);
            rest.has_come()
        });
        self.places.iter_mut().for_each(Place::stop);
        let Application { name, delivery, .. } = &self.application;
        let dump = Dump::parse(&dump::read(&self.application), name);
        let all = self.logs.iter().flat_map(|log| log.partitions.values());
        let written: usize = all.map(Vec::len).sum();
        let readings = self.readings(&dump);
        let read: usize = readings.iter().map(|reading| reading.messages.len()).sum();
        println!("{:?}; {written} messages written, {read} read", self.counts);
        match readings::check(&dump, &readings, *delivery) {
            Ok(figures) => {
                println!("{figures:?}");
                assert!(figures.incidents > 0 && figures.matches > 0, "{figures:?}");
                if !is_long {
                    check_bites(&dump, &readings, *delivery);
                }
            }
            Err(problems) => {
                let logs: Vec<String> = self.places.iter().map(Place::log).collect();
                panic!("{problems:#?}\n{}", logs.join("\n--- another ---\n"));
            }
        }
    }
}

/// A check that what is wrong passes shows nothing: had less been read, or one log in another
/// epoch, it must say so.
fn check_bites(dump: &Dump, readings: &[Reading], delivery: Delivery) {
    let has = |readings: &[Reading], kind: Kind| {
        let problems = readings::check(dump, readings, delivery).unwrap_err();
        assert!(
            problems.iter().any(|problem| problem.kind == kind),
            "{kind:?}"
        );
    };
    let mut fewer = readings.to_vec();
    for reading in &mut fewer {
        reading.messages.pop();
    }
    has(&fewer, Kind::MatchInvented);
    has(&fewer, Kind::IncidentInvented);
    let mut other = readings.to_vec();
    other[0].epoch += 100;
    has(&other, Kind::MatchLost);
}

/// A number in a line of a worker's log.
fn field(line: &str, name: &str) -> i64 {
    let found = line.split_whitespace().find_map(|word| {
        let (key, value) = word.split_once('=')?;
        (key == name).then(|| value.parse().ok())?
    });
    found.unwrap_or_else(|| panic!("no {name} in {line}"))
}

fn only_what_is_said_is_lost(delivery: Delivery, usual: Fault) {
    let mut run = Run::start(delivery);
    let rounds = number("ROUNDS", 0);
    let mut left = match rounds {
        0 => vec![usual],
        _ => ALL.repeat(rounds as usize),
    };
    while !left.is_empty() {
        let fault = left.swap_remove(run.random.index(left.len()));
        println!("{fault:?}");
        run.strike(fault);
    }
    run.finish(rounds > 0);
}

#[test]
fn a_source_that_is_overtaken_loses_only_what_is_said() {
    only_what_is_said_is_lost(Delivery::ExactlyOnce, Fault::Overrun);
}

#[test]
fn a_source_that_is_made_anew_loses_only_what_is_said() {
    only_what_is_said_is_lost(Delivery::AtLeastOnce, Fault::MadeAnew);
}
