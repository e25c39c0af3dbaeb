//! Messages of a backtest to the rows of what matches in them.

use super::input::{Batch, Message};
use super::matches::{self, Row};
use super::seen::Seen;
use crate::detect::{Found, Matcher, Record};
use crate::key::Origin;
use crate::plan::Plan;
use crate::record::{Hash, Position};
use crate::shuffle::MatchedRecord;
use crate::time::Millis;

/// Event times from the first up to, and without, the second; `None`: no bound.
pub type Within = (Option<Millis>, Option<Millis>);

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
    /// By the place of a source.
    names: &'d [Name],
    within: Within,
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
    /// With the rules of `plan`; `names`: by the place of a source.
    pub fn new(plan: &Plan, names: &'d [Name], within: Within) -> Detecting<'d> {
        let rules = plan.rules.iter();
        Detecting {
            matcher: Matcher::new(plan),
            fingerprints: rules.map(|(loaded, _)| loaded.fingerprint).collect(),
            names,
            within,
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
        let Detected { seen, rows } = detected;
        let (within, fingerprints) = (self.within, &self.fingerprints);
        let Some(name) = self.names.get(batch.source) else {
            return;
        };
        let origin = Origin {
            topic: name.topic,
            partition: batch.partition,
        };
        seen.bytes += message.bytes.len() as u64;
        let each = &mut |Record { index, outcome, .. }: Record<'_>| {
            seen.records += u64::from(matches!(outcome, Found::Event { .. }));
            match outcome {
                Found::Rejected(refused) => {
                    let place = || name.place(batch.partition, message.offset);
                    seen.reject(place, index, &refused);
                }
                Found::Event { time, .. } if !is_within(within, time) => seen.outside += 1,
                Found::Event {
                    matched: None,
                    time,
                    ..
                } => seen.time(time),
                Found::Event {
                    matched: Some(record),
                    time,
                    ..
                } => {
                    seen.time(time);
                    seen.matched += 1;
                    let position = Position {
                        epoch: 0,
                        offset: message.offset,
                        index,
                    };
                    let record = MatchedRecord { position, ..record };
                    rows.extend(matches::rows(record, origin, fingerprints));
                }
            }
        };
        self.matcher
            .each_record(message.bytes, message.timestamp, each);
    }
}

fn is_within((from, to): Within, time: Millis) -> bool {
    from.is_none_or(|from| from <= time) && to.is_none_or(|to| time < to)
}
