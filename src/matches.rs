//! Matches to the matches topic and back: which partition, and which bytes.
//!
//! # Format
//!
//! One message carries what one worker has to say to one matches partition: for each source
//! partition it read, how far it got, perhaps the time reached, and what matched on the way.
//! A message is the format's version byte, 2, and a [`Message`] in postcard's encoding
//! (<https://postcard.jamesmunns.com/wire-format>): integers as LEB128 varints, signed ones
//! zig-zagged, strings and lists with their length before them, options behind a byte 0 or 1,
//! fields in the order in which they are declared here. Texts are bounded ([`bounded`]); those that
//! are not, of another writer, are bounded when they are read.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::bounded;
use crate::bytes::{self, Unreadable};
use crate::record::{Hash, Parts, Position};
use crate::time::Millis;

/// The version byte that begins every message.
pub const FORMAT: u8 = 2;

/// The least version byte that is read. What such messages say is laid out as it is now, where no
/// attribute has several values; they name plans of an earlier meaning.
pub const FORMAT_FIRST: u8 = 1;

/// What one message of the matches topic says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The plan that the sender had loaded; rules and sources are named by their place in it.
    pub plan: Hash,
    /// At most one for each source partition.
    pub sections: Vec<Section>,
}

/// A message as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct LogMessage {
    /// Kafka offset.
    pub offset: i64,
    /// The broker's timestamp (LogAppendTime).
    pub timestamp: Millis,
    /// What it says.
    pub message: Message,
}

/// What a message says of one source partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// Place of the topic in the plan's sources.
    pub source: u32,
    /// Partition of that topic.
    pub partition: u32,
    /// The last position read; all matches up to it have been written.
    pub position: Position,
    /// A watermark entry: event time up to which this source partition is thought complete.
    pub time: Option<Millis>,
    /// The records that matched, in the order of their positions.
    pub records: Vec<MatchedRecord>,
}

/// A record that passed the filter of at least one pattern.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchedRecord {
    /// Where the record stands in its source partition.
    pub position: Position,
    /// Event time.
    pub time: Millis,
    /// The record's own time lay in the future and was replaced.
    pub future: bool,
    /// Hash of the record's bytes as received.
    pub hash: Hash,
    /// `eventType`.
    pub event_type: Option<String>,
    /// `correlationId`.
    pub correlation_id: Option<String>,
    /// `resourceId`.
    pub resource_id: Option<String>,
    /// One for each rule and join key it belongs to.
    pub matches: Vec<Match>,
}

/// One rule's share of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// Place of the rule in the plan.
    pub rule: u32,
    /// Values of the join key, in lower case; `None`: absent.
    pub key: Vec<Option<String>>,
    /// The patterns whose filter it passed, in their order; one more often, if the record belongs
    /// to several groups of it.
    pub patterns: Vec<PatternMatch>,
}

/// What one pattern needs of a matching record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PatternMatch {
    /// Place of the pattern in the rule.
    pub pattern: u32,
    /// Values of the group-by attributes that are not in the join key, in lower case; `None`:
    /// absent.
    pub group: Vec<Option<String>>,
    /// What the pattern's aggregates read, one for each in their order; COUNT(*) reads presence.
    pub inputs: Vec<Input>,
    /// Hashes of the values that the pattern's `new` names, in all their combinations; none: it has
    /// no `new`.
    pub combinations: SmallVec<[Hash; 1]>,
}

/// What an aggregate reads of one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// Nothing: the attribute is absent.
    Absent,
    /// Something is there, and only that matters.
    Present,
    /// A value by its hash.
    Distinct(u64),
    /// An integer.
    Integer(i64),
    /// Any other number, finite.
    Float(f64),
    /// A value as text, in lower case.
    Text(String),
    /// Each of several values, none of which is such or absent.
    Several(Vec<Input>),
}

impl Input {
    /// The values that it reads.
    pub fn each(&self) -> &[Input] {
        match self {
            Input::Several(all) => all,
            Input::Absent
            | Input::Present
            | Input::Distinct(_)
            | Input::Integer(_)
            | Input::Float(_)
            | Input::Text(_) => std::slice::from_ref(self),
        }
    }

    fn texts_mut(&mut self) -> Vec<&mut String> {
        match self {
            Input::Text(text) => vec![text],
            Input::Several(all) => all.iter_mut().flat_map(Input::texts_mut).collect(),
            Input::Absent
            | Input::Present
            | Input::Distinct(_)
            | Input::Integer(_)
            | Input::Float(_) => Vec::new(),
        }
    }
}

/// Values of a join key or a group, in lower case; `None`: absent.
pub type Key = Vec<Option<String>>;

impl MatchedRecord {
    /// All that came as text out of the event.
    fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let shown = [
            &mut self.event_type,
            &mut self.correlation_id,
            &mut self.resource_id,
        ];
        let matches = self.matches.iter_mut();
        let of_matches = matches.flat_map(|found| {
            let patterns = found.patterns.iter_mut().flat_map(PatternMatch::texts_mut);
            found.key.iter_mut().flatten().chain(patterns)
        });
        shown.into_iter().flatten().chain(of_matches)
    }

    /// How many of its texts were too long and are cut.
    pub fn cut_texts(&mut self) -> u64 {
        let cut = self.texts_mut().filter(|text| bounded::is_cut(text));
        cut.count() as u64
    }
}

impl PatternMatch {
    fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let inputs = self.inputs.iter_mut().flat_map(Input::texts_mut);
        self.group.iter_mut().flatten().chain(inputs)
    }
}

/// The partition of the matches topic that owns a rule's join key.
pub fn partition_of(fingerprint: Hash, key: &[Option<String>], partitions: u32) -> u32 {
    let hash = key_hash(fingerprint, key).first_bytes();
    u32::try_from(hash % u64::from(partitions.max(1))).unwrap_or(0)
}

/// The hash of a rule's fingerprint and the values of a join key: the key's name in the state.
pub fn key_hash(fingerprint: Hash, key: &[Option<String>]) -> Hash {
    let mut parts = Parts::default();
    parts.add(&fingerprint.0);
    add_values(&mut parts, key);
    parts.hash()
}

/// Adds values so that no two different lists give the same bytes.
pub fn add_values(parts: &mut Parts, values: &[Option<String>]) {
    for value in values {
        match value {
            None => parts.add(&[0]),
            Some(text) => {
                parts.add(&[1]);
                parts.add(&(text.len() as u64).to_be_bytes());
                parts.add(text.as_bytes());
            }
        }
    }
}

/// Adds the bytes of a record, as they stand in a message.
pub fn write(bytes: &mut Vec<u8>, record: &MatchedRecord) {
    bytes::append(bytes, record);
}

/// Sections of one message, of records that are written already.
#[derive(Debug, Default)]
pub struct Sections {
    count: u64,
    bytes: Vec<u8>,
}

impl Sections {
    /// None yet, with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Sections {
        Sections {
            count: 0,
            bytes: Vec::with_capacity(bytes),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a section: what it says, and its records, of which there are so many.
    pub fn add(&mut self, section: &Section, count: usize, records: &[u8]) {
        debug_assert!(section.records.is_empty(), "records are given as bytes");
        let Section {
            source,
            partition,
            position,
            time,
            records: _,
        } = section;
        let count = count as u64;
        bytes::append(&mut self.bytes, &(source, partition, position, time, count));
        self.bytes.extend_from_slice(records);
        self.count += 1;
    }

    /// The bytes of the message that has them, under this plan.
    pub fn message(&self, plan: Hash) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.bytes.len());
        bytes.push(FORMAT);
        bytes::append(&mut bytes, &(plan, self.count));
        bytes.extend_from_slice(&self.bytes);
        bytes
    }
}

/// What stands before the sections of a message takes no more.
const HEAD_BYTES: usize = 32;

/// The bytes of `message`.
pub fn encode(message: &Message) -> Vec<u8> {
    bytes::to_bytes(FORMAT, message)
}

/// The message in `bytes`.
///
/// # Errors
///
/// The bytes are of another version or damaged, or there are more.
pub fn decode(bytes: &[u8]) -> Result<Message, Unreadable> {
    let format = bytes.first().filter(|format| **format == FORMAT_FIRST);
    let mut message: Message = bytes::from_bytes(*format.unwrap_or(&FORMAT), bytes)?;
    let records = message.sections.iter_mut();
    let mut records = records.flat_map(|section| &mut section.records);
    records
        .by_ref()
        .flat_map(MatchedRecord::texts_mut)
        .for_each(bounded::bound);
    Ok(message)
}

/// The plan that the message in `bytes` names, without reading the rest. It stands behind the
/// version byte in every format.
///
/// # Errors
///
/// There are not bytes enough.
pub fn plan_of(bytes: &[u8]) -> Result<Hash, Unreadable> {
    let plan = bytes.get(1..).and_then(|rest| rest.first_chunk());
    plan.map(|plan| Hash(*plan)).ok_or(Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_of_written_records_are_the_message() {
        fn check(records: [usize; 2], time: Option<Millis>) {
            let record = |offset: usize| MatchedRecord {
                position: Position {
                    epoch: 300,
                    offset: offset as i64,
                    index: 7,
                },
                time: 1_700_000_000_000,
                future: offset.is_multiple_of(2),
                hash: Hash::of(b"a record"),
                event_type: Some("MS_EvtHub_a".to_owned()),
                correlation_id: None,
                resource_id: Some("/a/b".repeat(offset)),
                matches: Vec::new(),
            };
            let sections = records.map(|count| Section {
                source: 1,
                partition: 200,
                position: record(count).position,
                time,
                records: (0..count).map(record).collect(),
            });
            let mut written = Sections::default();
            for section in &sections {
                let mut bytes = Vec::new();
                for record in &section.records {
                    write(&mut bytes, record);
                }
                let head = Section {
                    records: Vec::new(),
                    ..section.clone()
                };
                written.add(&head, section.records.len(), &bytes);
            }
            let plan = Hash::of(b"a plan");
            let message = Message {
                plan,
                sections: sections.to_vec(),
            };
            assert_eq!(written.message(plan), encode(&message));
        }
        check([0, 0], None);
        check([1, 200], Some(1_700_000_000_000));
        check([130, 1], None);
    }
}
