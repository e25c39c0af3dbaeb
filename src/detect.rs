//! The first stage: events against the rules' filters. What passes is a match; all the rest is
//! forgotten at once.

mod facet;
mod index;
mod matcher;
mod outbox;
pub mod read_to;
mod several;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

#[cfg(test)]
pub(crate) use facet::Facet;
#[cfg(test)]
pub(crate) use matcher::input;
pub use matcher::{Found, Matcher, Record};
pub use outbox::MATCH_TOO_LARGE;

use crate::decode::ByReason;
use crate::matches::MatchedRecord;
use crate::plan::Plan;
use crate::record::Position;
use crate::time::{self, Millis};
use outbox::{Outbox, Why};

/// A source partition, as the plan numbers topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePartition {
    /// Place of the topic in the plan's sources.
    pub source: u32,
    /// Partition of that topic.
    pub partition: u32,
}

/// A record that could not be used, or neighbours of one message that could not, with what their
/// dead letter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it was read.
    pub source: SourcePartition,
    /// Offset of its message.
    pub offset: i64,
    /// Its place in the message; of several the first one's.
    pub index: u32,
    /// Why it was refused, of several the first one: a short word, for machines.
    pub reason: &'static str,
    /// The same in words, for a person: printable, and short. May be empty.
    pub explanation: String,
    /// How many records were refused for which reason.
    pub by_reason: Vec<(&'static str, u64)>,
    /// Its bytes as received; of several all from the first to the last.
    pub bytes: Vec<u8>,
    /// The bytes were cut at the limit.
    pub cut: bool,
}

impl DeadLetter {
    /// How many records these are.
    pub fn records(&self) -> u64 {
        self.by_reason.iter().map(|(_, count)| count).sum()
    }

    /// The headers of the message that carries it; `topic` is the name of its source.
    pub fn headers(&self, topic: &str) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("reason", self.reason.to_owned()),
            ("explanation", self.explanation.clone()),
            ("topic", topic.to_owned()),
            ("partition", self.source.partition.to_string()),
            ("offset", self.offset.to_string()),
            ("index", self.index.to_string()),
            ("records", self.records().to_string()),
        ];
        if self.cut {
            headers.push(("cut", "true".to_owned()));
        }
        headers
    }
}

/// How much went through since the last [`Detector::take`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Source messages.
    pub messages: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of the messages.
    pub bytes: u64,
    /// Matches: one for each rule and join key a record belongs to.
    pub matches: u64,
    /// Records refused.
    pub rejected: u64,
    /// Those of them that the decoder refused, by reason: its limits are among them.
    pub by_reason: ByReason,
    /// Values left out, for they are nested too deep in a text that was read as JSON.
    pub hidden: u64,
    /// Broken records that were not mended, for their message had asked for too much of that.
    pub unmended: u64,
    /// Records of which nothing but a time is known.
    pub unrecognised: u64,
    /// Records whose time lay in the future.
    pub future: u64,
    /// Values of matches that were too long and are cut.
    pub cut: u64,
    /// Records with a value of which a regular expression saw the beginning only.
    pub partly_matched: u64,
    /// Records with more values than groups and keys count.
    pub many_values: u64,
}

impl Counts {
    /// Adds what went through since.
    pub fn add(&mut self, more: &Counts) {
        self.messages += more.messages;
        self.records += more.records;
        self.bytes += more.bytes;
        self.matches += more.matches;
        self.rejected += more.rejected;
        self.by_reason.add(&more.by_reason);
        self.hidden += more.hidden;
        self.unmended += more.unmended;
        self.unrecognised += more.unrecognised;
        self.future += more.future;
        self.cut += more.cut;
        self.partly_matched += more.partly_matched;
        self.many_values += more.many_values;
    }
}

/// What is to be written before the offsets read so far may be committed.
#[derive(Debug, Default)]
pub struct Output {
    /// Partition of the matches topic and bytes; within a partition in this order.
    pub messages: Vec<(u32, Vec<u8>)>,
    /// Records refused.
    pub dead_letters: Vec<DeadLetter>,
    /// How much went through.
    pub counts: Counts,
}

/// How far a source partition was read.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// The last position read.
    position: Position,
    /// The greatest event time seen.
    time: Option<Millis>,
}

/// The first stage: reads source messages, keeps what matched until it is taken.
pub struct Detector {
    matcher: Matcher,
    plan: Arc<Plan>,
    readings: BTreeMap<SourcePartition, Reading>,
    outbox: Outbox,
}

impl Detector {
    /// A detector for `plan`. `message_bytes_max`: what one message of the matches or
    /// dead-letter topic may hold.
    pub fn new(plan: Arc<Plan>, matches_partitions: u32, message_bytes_max: usize) -> Detector {
        Detector {
            matcher: Matcher::new(&plan),
            outbox: Outbox::new(&plan, matches_partitions, message_bytes_max),
            readings: BTreeMap::new(),
            plan,
        }
    }

    /// Begins to read a source partition at `offset` (the next to be read), forgetting what is
    /// known of it.
    pub fn assign(&mut self, source: SourcePartition, offset: i64) {
        self.outbox.forget(source);
        let position = Position {
            epoch: self.epoch(source),
            offset: offset - 1,
            index: u32::MAX,
        };
        self.readings.insert(
            source,
            Reading {
                position,
                time: None,
            },
        );
    }

    /// Stops reading a source partition; what is not taken yet of it is dropped.
    pub fn revoke(&mut self, source: SourcePartition) {
        self.outbox.forget(source);
        self.readings.remove(&source);
    }

    /// Reads one message of an assigned source partition; in order of offsets. `timestamp` is the
    /// message's.
    pub fn read(
        &mut self,
        source: SourcePartition,
        offset: i64,
        timestamp: Option<Millis>,
        payload: &[u8],
    ) {
        let epoch = self.epoch(source);
        // Producers may write any number there.
        let timestamp = timestamp.filter(|timestamp| time::is_usual(*timestamp));
        let mut latest = None;
        let outbox = &mut self.outbox;
        outbox.counts.messages += 1;
        outbox.counts.bytes += payload.len() as u64;
        let matcher = &mut self.matcher;
        let work = matcher.each_record(payload, timestamp, &mut |found| {
            let position = Position {
                epoch,
                offset,
                index: found.index,
            };
            match found.outcome {
                Found::Rejected(refused) => {
                    outbox.counts.records += refused.count();
                    outbox.counts.by_reason.add(&refused.counts);
                    outbox.reject(source, position, &Why::of(&refused), found.bytes);
                }
                Found::Event {
                    time,
                    future,
                    partly,
                    capped,
                    matched,
                } => {
                    outbox.counts.records += 1;
                    outbox.counts.future += u64::from(future);
                    outbox.counts.partly_matched += u64::from(partly);
                    outbox.counts.many_values += u64::from(capped);
                    latest = latest.max(Some(time));
                    if let Some(record) = matched {
                        outbox.add(source, MatchedRecord { position, ..record }, found.bytes);
                    }
                }
            }
        });
        outbox.counts.hidden += work.hidden;
        outbox.counts.unmended += work.unmended;
        outbox.counts.unrecognised += work.unrecognised;
        if let Some(reading) = self.readings.get_mut(&source) {
            reading.position = Position {
                epoch,
                offset,
                index: u32::MAX,
            };
            reading.time = reading.time.max(latest);
        }
    }

    /// Has watermark entries written for all assigned source partitions. `at_end` holds those
    /// that are read to their end, with the clock as it was before the end was asked for.
    pub fn mark(&mut self, at_end: &[(SourcePartition, Millis)]) {
        for (source, clock) in at_end {
            if let Some(reading) = self.readings.get_mut(source) {
                reading.time = reading.time.max(Some(*clock));
            }
        }
        self.outbox.mark();
    }

    /// Bytes waiting to be taken, about.
    pub fn pending_bytes(&self) -> usize {
        self.outbox.pending_bytes()
    }

    /// Takes everything that has to be written now.
    pub fn take(&mut self) -> Output {
        self.outbox.take(&self.readings)
    }

    fn epoch(&self, source: SourcePartition) -> u32 {
        self.plan
            .sources
            .get(source.source as usize)
            .map_or(0, |topic| topic.epoch_of(source.partition))
    }
}
