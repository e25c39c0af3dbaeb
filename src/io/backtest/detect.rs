//! Messages of a backtest to the rows of what matches in them.

use super::Request;
use super::batch::{Batch, Message};
use super::matches::{self, Read, Row};
use super::seen::Seen;
use crate::decode::{Refused, Reject};
use crate::detect::prefilter::Untimed;
use crate::detect::{Found, Matcher, Record};
use crate::fold::key::pane::Origin;
use crate::matches::MatchedRecord;
use crate::record::{Hash, Position};
use crate::replay::Within;

/// What a source is called.
#[derive(Clone, Debug)]
pub struct Name {
    /// Its place among the names: topics that are read in several ranges have one.
    pub topic: u32,
    /// The path of a file, or a topic.
    pub text: String,
    /// Whether it is that of a file.
    pub is_file: bool,
}

impl Name {
    /// Where a message is, for people.
    fn place(&self, partition: u32, offset: i64) -> String {
        match self.is_file {
            true => format!("{}:{}", self.text, offset + 1),
            false => format!("{} partition {partition} offset {offset}", self.text),
        }
    }
}

/// What one thread needs to detect.
pub struct Detecting<'d> {
    matcher: Matcher,
    /// Of the plan's rules, by their place.
    fingerprints: Vec<Hash>,
    /// Of which times they need events, by their place.
    around: Vec<Within>,
    /// By the place of a source.
    names: &'d [Name],
    within: Within,
    untimed: Untimed,
}

/// What detection made of some messages.
#[derive(Default)]
pub struct Detected {
    /// What was seen.
    pub seen: Seen,
    /// What matched.
    pub rows: Vec<Row>,
}

impl<'d> Detecting<'d> {
    /// With the rules that are asked for, which `matcher` has; `names`: by the place of a source.
    pub fn new(request: &Request<'_>, names: &'d [Name], matcher: Matcher) -> Detecting<'d> {
        let (plan, within) = (request.plan, request.within);
        let rules = || plan.rules.iter().map(|(loaded, _)| loaded);
        Detecting {
            matcher,
            fingerprints: rules().map(|loaded| loaded.fingerprint).collect(),
            around: rules().map(|loaded| within.around(loaded)).collect(),
            names,
            within,
            untimed: Untimed::default(),
        }
    }

    /// What matches in a batch.
    pub fn detect(&mut self, batch: &Batch) -> Detected {
        let mut detected = Detected::default();
        for message in batch.messages() {
            self.detect_in(batch, &message, &mut detected);
        }
        detected
    }

    fn detect_in(&mut self, batch: &Batch, message: &Message<'_>, detected: &mut Detected) {
        let Some(name) = self.names.get(batch.source) else {
            return;
        };
        let found_in = FoundIn {
            name,
            batch,
            message,
            fingerprints: &self.fingerprints,
            around: &self.around,
            within: self.within,
        };
        detected.seen.bytes += message.bytes.len() as u64;
        if message.is_too_large {
            let refused = Refused::one(Reject::MessageTooLarge, String::new());
            found_in.reject(0, &refused, &mut detected.seen);
            return;
        }
        detected.seen.messages += 1;
        if !self.matcher.may_match(message.bytes) {
            detected.seen.passed_over += 1;
            let is_due = self.untimed.is_due(message.bytes.len());
            let first = || self.matcher.first_time(message.bytes, message.timestamp);
            if let Some(time) = is_due.then(first).flatten() {
                detected.seen.time(time, self.within);
            }
            return;
        }
        let read = self.matcher.message(message.bytes, message.timestamp);
        let mut records = self.matcher.records(&read);
        while let Some(record) = records.next() {
            found_in.take(record, detected);
        }
    }
}

/// A message in which records are found.
struct FoundIn<'f> {
    name: &'f Name,
    batch: &'f Batch,
    message: &'f Message<'f>,
    fingerprints: &'f [Hash],
    around: &'f [Within],
    within: Within,
}

impl FoundIn<'_> {
    fn take(&self, record: Record<'_>, detected: &mut Detected) {
        let Record { index, outcome, .. } = record;
        match outcome {
            Found::Rejected(refused) => self.reject(index, &refused, &mut detected.seen),
            Found::Event { time, matched, .. } => {
                detected.seen.event(time, self.within);
                if let Some(record) = matched {
                    self.add(index, record, detected);
                }
            }
        }
    }

    fn reject(&self, index: u32, refused: &Refused, seen: &mut Seen) {
        let place = || self.name.place(self.batch.partition, self.message.offset);
        seen.reject(place, index, refused);
    }

    /// Adds the rows of a record that matched, of the rules that need it.
    fn add(&self, index: u32, mut record: MatchedRecord, detected: &mut Detected) {
        let time = record.time;
        detected.seen.matched += u64::from(self.within.contains(time));
        record.matches.retain(|found| {
            let around = self.around.get(found.rule as usize);
            around.is_some_and(|around| around.contains(time))
        });
        record.position = Position {
            epoch: 0,
            offset: self.message.offset,
            index,
        };
        let stamp = self.message.stamp;
        let read = Read {
            origin: Origin {
                topic: self.name.topic,
                partition: self.batch.partition,
            },
            identity: stamp.map(|stamp| stamp.identity(self.message.bytes, index)),
        };
        if !record.matches.is_empty() {
            let rows = matches::rows(record, read, self.fingerprints);
            detected.rows.extend(rows);
        }
    }
}
