//! What matched, packed for the matches topic.
//!
//! One message for each partition of the matches topic carries what all source partitions have
//! for it; a message that would be too large is cut between records, in their order.

use std::collections::BTreeMap;

use super::{Counts, DeadLetter, Output, Reading, SourcePartition};
use crate::decode::Refused;
use crate::matches::{self, MatchedRecord, Message, Section};
use crate::plan::Plan;
use crate::record::{Hash, Position};
use crate::time::Millis;

/// Bytes that a message needs beside its records, and a section beside its own: generous.
const OVERHEAD: usize = 64;

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

/// Matches and dead letters that are not written yet.
#[derive(Debug)]
pub struct Outbox {
    plan: Hash,
    /// Fingerprints of the plan's rules, in its order.
    fingerprints: Vec<Hash>,
    partitions: u32,
    message_bytes_max: usize,
    /// By partition of the matches topic: records with their size in bytes, in order.
    records: BTreeMap<u32, BTreeMap<SourcePartition, Vec<(MatchedRecord, usize)>>>,
    dead_letters: Vec<DeadLetter>,
    pending_bytes: usize,
    marked: bool,
    /// How much went through.
    pub counts: Counts,
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
            records: BTreeMap::new(),
            dead_letters: Vec::new(),
            pending_bytes: 0,
            marked: false,
            counts: Counts::default(),
        }
    }

    /// Adds a record that matched; `bytes` are the record's, for its dead letter should its
    /// matches be too large for a message.
    pub fn add(&mut self, source: SourcePartition, mut record: MatchedRecord, bytes: &[u8]) {
        self.counts.cut += record.cut_texts();
        let mut shares: BTreeMap<u32, MatchedRecord> = BTreeMap::new();
        for found in &record.matches {
            let fingerprint = self
                .fingerprints
                .get(found.rule as usize)
                .copied()
                .unwrap_or_default();
            let partition = matches::partition_of(fingerprint, &found.key, self.partitions);
            let share = shares.entry(partition).or_insert_with(|| MatchedRecord {
                matches: Vec::new(),
                ..record.clone()
            });
            share.matches.push(found.clone());
        }
        let sized: Vec<(u32, MatchedRecord, usize)> = shares
            .into_iter()
            .map(|(partition, share)| {
                let size = matches::size(&share);
                (partition, share, size)
            })
            .collect();
        if sized
            .iter()
            .any(|(_, _, size)| size + 2 * OVERHEAD > self.message_bytes_max)
        {
            let why = Why {
                reason: MATCH_TOO_LARGE,
                explanation: "its matches are larger than a message may be".to_owned(),
                by_reason: vec![(MATCH_TOO_LARGE, 1)],
            };
            self.reject(source, record.position, &why, bytes);
            return;
        }
        self.counts.matches += record.matches.len() as u64;
        for (partition, share, size) in sized {
            self.pending_bytes += size;
            let of_partition = self.records.entry(partition).or_default();
            of_partition.entry(source).or_default().push((share, size));
        }
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
        for of_partition in self.records.values_mut() {
            let records = of_partition.remove(&source).unwrap_or_default();
            bytes += records.iter().map(|(_, size)| size).sum::<usize>();
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
        let mut waiting = std::mem::take(&mut self.records);
        for partition in 0..self.partitions {
            let mut records = waiting.remove(&partition).unwrap_or_default();
            let mut packer = Packer::new(self.plan, self.message_bytes_max);
            for (source, Reading { position, time }) in readings {
                let records = records.remove(source).unwrap_or_default();
                if self.marked || !records.is_empty() {
                    packer.section(*source, *position, time.filter(|_| self.marked), records);
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
        }
    }
}

/// Packs sections into messages that are not too large.
struct Packer {
    plan: Hash,
    bytes_max: usize,
    bytes: usize,
    sections: Vec<Section>,
    done: Vec<Vec<u8>>,
}

impl Packer {
    fn new(plan: Hash, bytes_max: usize) -> Packer {
        Packer {
            plan,
            bytes_max,
            bytes: OVERHEAD,
            sections: Vec::new(),
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
        records: Vec<(MatchedRecord, usize)>,
    ) {
        let empty = |position, time| Section {
            source: source.source,
            partition: source.partition,
            position,
            time,
            records: Vec::new(),
        };
        let mut section = empty(position, time);
        self.make_room(OVERHEAD);
        for (record, size) in records {
            if self.bytes + size > self.bytes_max {
                let last = section
                    .records
                    .last()
                    .map(|last: &MatchedRecord| last.position);
                if let Some(last) = last {
                    let part = std::mem::replace(&mut section, empty(position, time));
                    self.sections.push(Section {
                        position: last,
                        time: None,
                        ..part
                    });
                }
                self.flush();
                self.bytes += OVERHEAD;
            }
            self.bytes += size;
            section.records.push(record);
        }
        self.sections.push(section);
    }

    fn make_room(&mut self, size: usize) {
        if self.bytes + size > self.bytes_max {
            self.flush();
        }
        self.bytes += size;
    }

    fn flush(&mut self) {
        if !self.sections.is_empty() {
            let sections = std::mem::take(&mut self.sections);
            self.done.push(matches::encode(&Message {
                plan: self.plan,
                sections,
            }));
        }
        self.bytes = OVERHEAD;
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        self.flush();
        self.done
    }
}
