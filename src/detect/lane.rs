//! Messages read side by side.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::matcher::{Found, Matcher, Record};
use super::outbox::{Outbox, Why};
use super::prefilter::{Untimed, Validate};
use super::watched::Watched;
use super::{Reading, SourcePartition};
use crate::matches::MatchedRecord;
use crate::plan::Plan;
use crate::record::Position;
use crate::stopwatch::Clock;
use crate::time::{self, Millis};

/// Less than this is not worth another thread: it takes some 50 µs to read.
const SHARE_BYTES_MIN: usize = 64 << 10;

/// A message of an assigned source partition.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'m> {
    /// Where it was read.
    pub source: SourcePartition,
    /// Its place there.
    pub offset: i64,
    /// Its own timestamp.
    pub timestamp: Option<Millis>,
    /// What it says.
    pub payload: &'m [u8],
}

/// Reads messages while others read others, and keeps what it found until that is gathered.
pub(super) struct Lane {
    plan: Arc<Plan>,
    matcher: Matcher,
    outbox: Outbox,
    readings: BTreeMap<SourcePartition, Reading>,
    /// Of messages that were passed over, by partition.
    untimed: BTreeMap<SourcePartition, Untimed>,
}

/// Neighbouring messages that one lane is to read.
pub struct Share<'s, 'm> {
    lane: &'s mut Lane,
    messages: &'s [Incoming<'m>],
}

impl Share<'_, '_> {
    /// Reads them.
    pub fn read(self) {
        for message in self.messages {
            self.lane.read(message);
        }
    }
}

/// Divides messages among lanes: to each about as many bytes, and not too few.
pub(super) fn shares<'s, 'm>(
    lanes: &'s mut [Lane],
    mut messages: &'s [Incoming<'m>],
) -> Vec<Share<'s, 'm>> {
    let bytes: usize = messages.iter().map(|message| message.payload.len()).sum();
    let count = (bytes / SHARE_BYTES_MIN).clamp(1, lanes.len().max(1));
    let each = bytes.div_ceil(count);
    let mut shares = Vec::with_capacity(count);
    for (number, lane) in (1..=count).zip(lanes) {
        let its_own = match number == count {
            true => messages.len(),
            false => first(messages, each),
        };
        let (own, others) = messages.split_at(its_own);
        messages = others;
        shares.push(Share {
            lane,
            messages: own,
        });
    }
    shares
}

/// How many messages come to so many bytes.
fn first(messages: &[Incoming<'_>], bytes: usize) -> usize {
    let mut sum = 0;
    let before = messages.iter().take_while(|message| {
        let is_short = sum < bytes;
        sum += message.payload.len();
        is_short
    });
    before.count()
}

/// The epoch in which a source partition is read.
pub(super) fn epoch_of(plan: &Plan, source: SourcePartition) -> u32 {
    let topic = plan.sources.get(source.source as usize);
    topic.map_or(0, |topic| topic.epoch_of(source.partition))
}

impl Lane {
    /// One with the rules of a plan.
    pub fn new(plan: &Arc<Plan>, validate: Validate, outbox: Outbox) -> Lane {
        Lane {
            plan: Arc::clone(plan),
            matcher: Matcher::with(plan, validate),
            outbox,
            readings: BTreeMap::new(),
            untimed: BTreeMap::new(),
        }
    }

    /// Some of what it reads is timed by this clock from now on.
    pub fn time_by(&mut self, clock: &Clock) {
        self.matcher.time_by(clock);
    }

    /// Another one, which has nothing yet.
    pub fn beside(&self) -> Lane {
        Lane {
            plan: Arc::clone(&self.plan),
            matcher: self.matcher.clone(),
            outbox: self.outbox.emptied(),
            readings: BTreeMap::new(),
            untimed: BTreeMap::new(),
        }
    }

    fn read(&mut self, message: &Incoming<'_>) {
        let Incoming {
            source,
            offset,
            timestamp,
            payload,
        } = *message;
        // Producers may write any number there.
        let timestamp = timestamp.filter(|timestamp| time::is_usual(*timestamp));
        let mut reading = Reading::before(epoch_of(&self.plan, source), offset + 1);
        let outbox = &mut self.outbox;
        outbox.counts.messages += 1;
        outbox.counts.bytes += payload.len() as u64;
        if !self.matcher.may_match(payload) {
            outbox.counts.passed_over += 1;
            let untimed = self.untimed.entry(source).or_default();
            if untimed.is_due(payload.len()) {
                reading.time = self.matcher.first_time(payload, timestamp);
            }
            let known = self.readings.entry(source).or_insert(reading);
            return known.read_on(reading);
        }
        let message = self.matcher.message(payload, timestamp);
        let mut records = self.matcher.records(&message);
        while let Some(record) = records.next() {
            let time = take(outbox, source, reading.position, record);
            reading.time = reading.time.max(time);
        }
        let work = records.work();
        outbox.counts.hidden += work.hidden;
        outbox.counts.unmended += work.unmended;
        outbox.counts.unrecognised += work.unrecognised;
        let known = self.readings.entry(source).or_insert(reading);
        known.read_on(reading);
    }

    /// Ids of rules that may match in any message, where only some are to be read.
    pub fn untold(&self) -> &[String] {
        self.matcher.untold()
    }

    /// Adds what it has seen since that was last taken.
    pub fn take_watched(&mut self, watched: &mut Watched) {
        watched.kinds.append(self.matcher.take_kinds());
        watched.add_times(&self.matcher.take_times());
    }

    /// Gives what it found, and how far it read which partition.
    pub fn gather_into(&mut self, outbox: &mut Outbox) -> BTreeMap<SourcePartition, Reading> {
        outbox.append(&mut self.outbox);
        self.untimed.clear();
        std::mem::take(&mut self.readings)
    }
}

/// Takes what became of a record; its time, if it is an event.
fn take(
    outbox: &mut Outbox,
    source: SourcePartition,
    message: Position,
    record: Record<'_>,
) -> Option<Millis> {
    let position = Position {
        index: record.index,
        ..message
    };
    match record.outcome {
        Found::Rejected(refused) => {
            outbox.counts.records += refused.count();
            outbox.counts.by_reason.add(&refused.counts);
            outbox.reject(source, position, &Why::of(&refused), record.bytes);
            None
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
            if let Some(found) = matched {
                outbox.add(source, MatchedRecord { position, ..found }, record.bytes);
            }
            Some(time)
        }
    }
}
