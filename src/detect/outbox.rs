//! What matched, packed for the matches topic.
//!
//! One message for each partition of the matches topic carries what all source partitions have
//! for it; a message that would be too large is cut between records, in their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::watched::Watched;
use super::{Counts, DeadLetter, Output, Reading, SourcePartition};
use crate::decode::Refused;
use crate::matches::{self, Match, MatchedRecord, Section, Sections};
use crate::plan::Plan;
use crate::record::{Hash, Position};
use crate::time::Millis;

/// Bytes that a message needs beside its records, and a section beside its own: generous.
const OVERHEAD: usize = 64;

/// Most records take no more.
const USUAL_BYTES: usize = 512;

/// The reason of a record whose matches do not fit into a message.
pub const MATCH_TOO_LARGE: &str = "match-too-large";

/// Why records become a dead letter.
#[derive(Debug)]
pub struct Why {
    reason: &'static str,
    explanation: String,
    by_reason: Vec<(&'static str, u64)>,
}

impl Why {
    /// As the decoder says.
    pub fn of(refused: &Refused) -> Why {
        let given = refused.counts.given();
        Why {
            reason: refused.reason.reason(),
            explanation: refused.to_string(),
            by_reason: given.map(|(reject, n)| (reject.reason(), n)).collect(),
        }
    }
}

/// The records of one source partition for one partition of the matches topic, in order, as they
/// stand in a message.
#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    records: Vec<Written>,
}

/// A record that is written.
#[derive(Clone, Copy, Debug)]
struct Written {
    position: Position,
    /// Where its bytes end.
    end: usize,
}

impl Waiting {
    fn add(&mut self, position: Position, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.records.push(Written {
            position,
            end: self.bytes.len(),
        });
    }

    /// Adds what comes after it.
    fn append(&mut self, mut more: Waiting) {
        if self.records.is_empty() {
            *self = more;
            return;
        }
        let before = self.bytes.len();
        self.bytes.append(&mut more.bytes);
        let more = more.records.into_iter().map(|written| Written {
            end: before + written.end,
            ..written
        });
        self.records.extend(more);
    }
}

/// Matches and dead letters that are not written yet.
#[derive(Debug)]
pub struct Outbox {
    plan: Hash,
    /// Fingerprints of the plan's rules, in its order.
    fingerprints: Arc<[Hash]>,
    partitions: u32,
    message_bytes_max: usize,
    /// By partition of the matches topic.
    waiting: BTreeMap<u32, BTreeMap<SourcePartition, Waiting>>,
    dead_letters: Vec<DeadLetter>,
    pending_bytes: usize,
    marked: bool,
    /// How much went through.
    pub counts: Counts,
    /// What is seen of rules.
    pub watched: Watched,
}

impl Outbox {
    /// An empty outbox.
    pub fn new(plan: &Plan, partitions: u32, message_bytes_max: usize) -> Outbox {
        Outbox {
            plan: plan.hash,
            fingerprints: plan
                .rules
                .iter()
                .map(|(rule, _)| rule.fingerprint)
                .collect(),
            partitions,
            message_bytes_max,
            waiting: BTreeMap::new(),
            dead_letters: Vec::new(),
            pending_bytes: 0,
            marked: false,
            counts: Counts::default(),
            watched: Watched::of(plan.rules.len()),
        }
    }

    /// Another one for the same topic, in which nothing is.
    pub fn emptied(&self) -> Outbox {
        Outbox {
            fingerprints: Arc::clone(&self.fingerprints),
            waiting: BTreeMap::new(),
            dead_letters: Vec::new(),
            pending_bytes: 0,
            marked: false,
            counts: Counts::default(),
            watched: Watched::of(self.fingerprints.len()),
            ..*self
        }
    }

    /// Takes all that waits in another one, which was read after what is here.
    pub fn append(&mut self, more: &mut Outbox) {
        for (partition, of_partition) in std::mem::take(&mut more.waiting) {
            let here = self.waiting.entry(partition).or_default();
            for (source, waiting) in of_partition {
                here.entry(source).or_default().append(waiting);
            }
        }
        self.dead_letters.append(&mut more.dead_letters);
        self.pending_bytes += std::mem::take(&mut more.pending_bytes);
        self.counts.add(&std::mem::take(&mut more.counts));
        self.watched.append(&mut more.watched);
    }

    /// Adds a record that matched; `bytes` are the record's, for its dead letter should its
    /// matches be too large for a message.
    pub fn add(&mut self, source: SourcePartition, mut record: MatchedRecord, bytes: &[u8]) {
        self.counts.cut += record.cut_texts();
        let position = record.position;
        let (time, matches) = (record.time, record.matches.len() as u64);
        let rules: SmallVec<[u32; 4]> = record.matches.iter().map(|found| found.rule).collect();
        let shares = self.shares(record);
        let most = self.message_bytes_max.saturating_sub(2 * OVERHEAD);
        if shares.iter().any(|(_, share)| share.len() > most) {
            let why = Why {
                reason: MATCH_TOO_LARGE,
                explanation: "its matches are larger than a message may be".to_owned(),
                by_reason: vec![(MATCH_TOO_LARGE, 1)],
            };
            self.reject(source, position, &why, bytes);
            return;
        }
        self.counts.matches += matches;
        rules
            .iter()
            .for_each(|rule| self.watched.add_match(*rule, time));
        for (partition, share) in shares {
            self.pending_bytes += share.len();
            let of_partition = self.waiting.entry(partition).or_default();
            of_partition
                .entry(source)
                .or_default()
                .add(position, &share);
        }
    }

    /// What a record has for each partition of the matches topic, as bytes.
    fn shares(&self, mut record: MatchedRecord) -> SmallVec<[(u32, Vec<u8>); 1]> {
        let mut by_partition: BTreeMap<u32, Vec<Match>> = BTreeMap::new();
        for found in std::mem::take(&mut record.matches) {
            let fingerprint = self.fingerprints.get(found.rule as usize);
            let fingerprint = fingerprint.copied().unwrap_or_default();
            let partition = matches::partition_of(fingerprint, &found.key, self.partitions);
            by_partition.entry(partition).or_default().push(found);
        }
        let write = |(partition, matches)| {
            record.matches = matches;
            let mut bytes = Vec::with_capacity(USUAL_BYTES);
            matches::write(&mut bytes, &record);
            (partition, bytes)
        };
        by_partition.into_iter().map(write).collect()
    }

    /// Adds a dead letter.
    pub fn reject(&mut self, source: SourcePartition, position: Position, why: &Why, bytes: &[u8]) {
        let most = self.message_bytes_max.saturating_sub(16 * OVERHEAD);
        let kept = bytes.get(..most).unwrap_or(bytes);
        self.counts.rejected += why.by_reason.iter().map(|(_, n)| n).sum::<u64>();
        self.pending_bytes += kept.len();
        self.dead_letters.push(DeadLetter {
            source,
            offset: position.offset,
            index: position.index,
            reason: why.reason,
            explanation: why.explanation.clone(),
            by_reason: why.by_reason.clone(),
            bytes: kept.to_vec(),
            cut: kept.len() < bytes.len(),
        });
    }

    /// The next messages carry watermark entries.
    pub fn mark(&mut self) {
        self.marked = true;
    }

    /// Drops what waits of a source partition.
    pub fn forget(&mut self, source: SourcePartition) {
        let mut bytes = 0;
        for of_partition in self.waiting.values_mut() {
            let waiting = of_partition.remove(&source).unwrap_or_default();
            bytes += waiting.bytes.len();
        }
        let dead = self
            .dead_letters
            .extract_if(.., |letter| letter.source == source);
        bytes += dead.map(|letter| letter.bytes.len()).sum::<usize>();
        self.pending_bytes -= bytes;
    }

    /// Bytes waiting, about.
    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Takes all that waits, with how far each source partition was read.
    pub(super) fn take(&mut self, readings: &BTreeMap<SourcePartition, Reading>) -> Output {
        let mut messages = Vec::new();
        let mut all = std::mem::take(&mut self.waiting);
        for partition in 0..self.partitions {
            let of_partition = all.remove(&partition).unwrap_or_default();
            let bytes = of_partition.values().map(|waiting| waiting.bytes.len());
            let bytes = bytes.sum::<usize>() + OVERHEAD * readings.len();
            let mut packer = Packer::new(self.plan, self.message_bytes_max, bytes);
            for (source, Reading { position, time }) in readings {
                let waiting = of_partition.get(source);
                if self.marked || waiting.is_some() {
                    let time = time.filter(|_| self.marked);
                    packer.section(*source, *position, time, waiting);
                }
            }
            messages.extend(packer.finish().into_iter().map(|bytes| (partition, bytes)));
        }
        self.marked = false;
        self.pending_bytes = 0;
        Output {
            messages,
            dead_letters: std::mem::take(&mut self.dead_letters),
            counts: std::mem::take(&mut self.counts),
            watched: self.watched.take(),
        }
    }
}

/// Packs sections into messages that are not too large.
struct Packer {
    plan: Hash,
    bytes_max: usize,
    bytes: usize,
    sections: Sections,
    done: Vec<Vec<u8>>,
}

impl Packer {
    /// `expected`: the bytes to come, about.
    fn new(plan: Hash, bytes_max: usize, expected: usize) -> Packer {
        Packer {
            plan,
            bytes_max,
            bytes: OVERHEAD,
            sections: Sections::with_capacity(expected.min(bytes_max)),
            done: Vec::new(),
        }
    }

    /// Adds what one source partition has to say; where the records do not fit, the part before
    /// says the position of its last record, and only the last part the time.
    fn section(
        &mut self,
        source: SourcePartition,
        position: Position,
        time: Option<Millis>,
        waiting: Option<&Waiting>,
    ) {
        let part = |position, time| Section {
            source: source.source,
            partition: source.partition,
            position,
            time,
            records: Vec::new(),
        };
        self.make_room(OVERHEAD);
        let mut cut = Cut::default();
        let mut before: Option<Written> = None;
        for written in waiting.iter().flat_map(|waiting| &waiting.records) {
            let size = written.end - before.map_or(0, |before| before.end);
            if self.bytes + size > self.bytes_max {
                if let Some(last) = before.filter(|_| cut.count > 0) {
                    cut.end = last.end;
                    self.add(&part(last.position, None), waiting, cut);
                }
                self.flush();
                self.bytes += OVERHEAD;
                let start = before.map_or(0, |before| before.end);
                cut = Cut {
                    start,
                    ..Cut::default()
                };
            }
            self.bytes += size;
            cut.count += 1;
            before = Some(*written);
        }
        cut.end = before.map_or(0, |before| before.end);
        self.add(&part(position, time), waiting, cut);
    }

    fn add(&mut self, section: &Section, waiting: Option<&Waiting>, cut: Cut) {
        let bytes = waiting.and_then(|waiting| waiting.bytes.get(cut.start..cut.end));
        self.sections
            .add(section, cut.count, bytes.unwrap_or_default());
    }

    fn make_room(&mut self, size: usize) {
        if self.bytes + size > self.bytes_max {
            self.flush();
        }
        self.bytes += size;
    }

    fn flush(&mut self) {
        let sections = std::mem::take(&mut self.sections);
        if !sections.is_empty() {
            self.done.push(sections.message(self.plan));
        }
        self.bytes = OVERHEAD;
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        self.flush();
        self.done
    }
}

/// Those records of a section that go into one message.
#[derive(Clone, Copy, Default)]
struct Cut {
    count: usize,
    /// Where their bytes begin.
    start: usize,
    /// Where they end.
    end: usize,
}
