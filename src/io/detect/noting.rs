//! Notes in the rules topic, now and then, how far source partitions were read: what brokers have
//! of it goes with a topic that is deleted, and then nobody could tell that another one has its
//! name.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Reading, Stage};
use crate::io::group::Partition;
use crate::io::reload::Ask;
use crate::io::{client, clock, rules_topic};
use crate::plan::noted::NotedEntry;

/// Between two notes of one partition. Few enough that the rules topic stays small between two
/// compactions, often enough that what a copy of a lost log has in common with it ends near here.
const INTERVAL: Duration = Duration::from_secs(600);

/// For the last note of a worker that ends.
const AT_END: Duration = Duration::from_secs(5);

/// What was noted when.
#[derive(Default)]
pub struct Noting {
    /// The epoch, and the time.
    noted: BTreeMap<Partition, (u32, Instant)>,
}

impl Noting {
    /// The entries that are due, if all that was read is committed.
    pub fn due(&mut self, readings: &BTreeMap<Partition, Reading>) -> Vec<(String, Vec<u8>)> {
        let now = clock::instant();
        let mut due = Vec::new();
        for (partition, reading) in readings {
            let epoch = reading.read_to.epoch;
            let is_noted = self.noted.get(partition).is_some_and(|(noted, when)| {
                *noted == epoch && now.duration_since(*when) < INTERVAL
            });
            if is_noted || !reading.read_to.is_known() {
                continue;
            }
            self.noted.insert(partition.clone(), (epoch, now));
            due.push(entry(partition, reading));
        }
        due
    }
}

fn entry((topic, number): &Partition, reading: &Reading) -> (String, Vec<u8>) {
    let noted = NotedEntry {
        epoch: reading.read_to.epoch,
        offset: reading.next,
        beside: reading.read_to.to_text(),
    };
    noted.entry(topic, number.unsigned_abs())
}

impl Stage {
    /// Has entries written that were due.
    pub(super) fn note(&self, entries: Vec<(String, Vec<u8>)>) {
        if !entries.is_empty() && self.plans.ask.send(Ask::Note(entries)).is_err() {
            tracing::debug!("the thread that makes plans has ended");
        }
    }

    /// Notes how far all partitions were read, once that is committed and the worker ends: whoever
    /// makes a topic anew stops the workers first.
    pub(super) fn note_at_end(&self) {
        let known = self.readings.iter();
        let known = known.filter(|(_, reading)| reading.read_to.is_known());
        let entries: Vec<_> = known
            .map(|(place, reading)| entry(place, reading))
            .collect();
        if let Err(error) = rules_topic::write_once(&self.config, &self.health, &entries, AT_END) {
            tracing::warn!(
                error = client::chain(&error),
                "how far the sources were read could not be noted"
            );
        }
    }
}
