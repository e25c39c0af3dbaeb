//! The first stage: events against the rules' filters. What passes is a match; all the rest is
//! forgotten at once.

pub mod cost;
mod dead_letter;
mod facet;
mod finder;
mod index;
pub mod kinds;
mod lane;
mod matcher;
mod outbox;
pub mod prefilter;
mod raw_texts;
pub mod read_to;
mod several;
mod sharing;
#[cfg(test)]
mod tests;
mod value;
pub mod wants;
pub mod watched;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use dead_letter::{DeadLetter, Letterhead};
#[cfg(test)]
pub(crate) use facet::Facet;
pub use lane::{Incoming, Share};
pub use matcher::{Found, Matcher, Record};
pub use outbox::MATCH_TOO_LARGE;

use crate::decode::ByReason;
use crate::plan::Plan;
use crate::record::Position;
use crate::stopwatch::Clock;
use crate::time::Millis;
use lane::Lane;
use outbox::Outbox;
use prefilter::Validate;
use watched::Watched;

/// A source partition, as the plan numbers topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePartition {
    /// Place of the topic in the plan's sources.
    pub source: u32,
    /// Partition of that topic.
    pub partition: u32,
}

/// How much went through since the last [`Detector::take`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Source messages.
    pub messages: u64,
    /// Those of them that were not read, since none of their records could match.
    pub passed_over: u64,
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
        self.passed_over += more.passed_over;
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
    /// What was seen of rules and of kinds of data.
    pub watched: Watched,
}

/// How far a source partition was read.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// The last position read.
    position: Position,
    /// The greatest event time seen.
    time: Option<Millis>,
}

impl Reading {
    /// Nothing before this offset is of interest, and no time was seen.
    fn before(epoch: u32, offset: i64) -> Reading {
        let position = Position {
            epoch,
            offset: offset - 1,
            index: u32::MAX,
        };
        Reading {
            position,
            time: None,
        }
    }

    /// It was read on as far as this says.
    fn read_on(&mut self, on: Reading) {
        self.position = on.position;
        self.time = self.time.max(on.time);
    }
}

/// The first stage: reads source messages, keeps what matched until it is taken.
///
/// Messages may be read side by side, by as many lanes as it has: what a message holds does not
/// depend on others. What the lanes found is gathered in the order of the messages, so it is the
/// same with one lane.
pub struct Detector {
    lanes: Vec<Lane>,
    plan: Arc<Plan>,
    readings: BTreeMap<SourcePartition, Reading>,
    outbox: Outbox,
}

impl Detector {
    /// A detector for `plan` with one lane. `message_bytes_max`: what one message of the matches
    /// or dead-letter topic may hold.
    pub fn new(plan: Arc<Plan>, matches_partitions: u32, message_bytes_max: usize) -> Detector {
        let outbox = Outbox::new(&plan, matches_partitions, message_bytes_max);
        Detector {
            lanes: vec![Lane::new(&plan, Validate::All, outbox.emptied())],
            outbox,
            readings: BTreeMap::new(),
            plan,
        }
    }

    /// The same with so many lanes, at least one.
    #[must_use]
    pub fn with_lanes(mut self, lanes: usize) -> Detector {
        self.lanes.truncate(lanes.max(1));
        if let Some(first) = self.lanes.first() {
            let others = lanes.saturating_sub(self.lanes.len());
            let others: Vec<Lane> = std::iter::repeat_with(|| first.beside())
                .take(others)
                .collect();
            self.lanes.extend(others);
        }
        self
    }

    /// The same where not all messages need be read. Its lanes are made anew.
    #[must_use]
    pub fn validating(mut self, validate: Validate) -> Detector {
        let lanes = self.lanes.len();
        self.lanes = vec![Lane::new(&self.plan, validate, self.outbox.emptied())];
        self.with_lanes(lanes)
    }

    /// The same where some events are timed.
    #[must_use]
    pub fn timed(mut self, clock: &Clock) -> Detector {
        for lane in &mut self.lanes {
            lane.time_by(clock);
        }
        self
    }

    /// Ids of rules that may match in any message, so that all are read although only those were
    /// to be in which a record may match.
    pub fn untold(&self) -> &[String] {
        self.lanes.first().map_or(&[], Lane::untold)
    }

    /// Begins to read a source partition at `offset` (the next to be read), forgetting what is
    /// known of it.
    pub fn assign(&mut self, source: SourcePartition, offset: i64) {
        self.outbox.forget(source);
        let epoch = lane::epoch_of(&self.plan, source);
        self.readings.insert(source, Reading::before(epoch, offset));
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
        let message = Incoming {
            source,
            offset,
            timestamp,
            payload,
        };
        self.shares(&[message]).into_iter().for_each(Share::read);
        self.gather();
    }

    /// Divides messages among the lanes, of each partition in order of offsets; few are read by
    /// one. When all shares are read, [`Detector::gather`] takes what was found.
    pub fn shares<'s, 'm>(&'s mut self, messages: &'s [Incoming<'m>]) -> Vec<Share<'s, 'm>> {
        lane::shares(&mut self.lanes, messages)
    }

    /// Takes what the lanes have found.
    pub fn gather(&mut self) {
        for lane in &mut self.lanes {
            for (source, on) in lane.gather_into(&mut self.outbox) {
                if let Some(reading) = self.readings.get_mut(&source) {
                    reading.read_on(on);
                }
            }
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
        for lane in &mut self.lanes {
            lane.take_watched(&mut self.outbox.watched);
        }
        self.outbox.take(&self.readings)
    }
}
