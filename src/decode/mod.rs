//! Bytes of a Kafka message to records, and each record to an event in the same pass.
//!
//! Strict first: one pass over the bytes checks the JSON and takes out what is wanted. A record
//! that is not JSON is mended and read again; if that fails it alone is refused, and its
//! neighbours are read on. Nothing is lost without a word: every record becomes an event or a
//! [`Reject`].

mod envelope;
mod extract;
mod json;
mod repair;
mod trie;

#[cfg(test)]
mod tests;

use crate::event::{Attribute, Attributes, Event};
use crate::normalise::{self, Derivation};
use crate::time::Millis;

pub(crate) use extract::Slots;

/// Why a record was refused. Goes into the dead letter's `reason` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reject {
    /// The bytes are not JSON, and repair did not help.
    NotJson,
    /// They are not UTF-8 either.
    NotUtf8,
    /// The text ends within the record.
    Truncated,
    /// A string, number, boolean or null stands where a record should.
    NotAnObject,
    /// Nested deeper than [`Limits::nesting`].
    TooDeep,
    /// The message is blank.
    Empty,
    /// What stands around the records is broken: some may be missing.
    BrokenEnvelope,
    /// Beyond [`Limits::records`].
    TooManyRecords,
    /// Beyond [`Limits::message_bytes`].
    MessageTooLarge,
    /// Neither the record nor its message says when it happened.
    NoTime,
}

impl Reject {
    /// Every reason there is.
    pub const ALL: [Reject; 10] = [
        Reject::NotJson,
        Reject::NotUtf8,
        Reject::Truncated,
        Reject::NotAnObject,
        Reject::TooDeep,
        Reject::Empty,
        Reject::BrokenEnvelope,
        Reject::TooManyRecords,
        Reject::MessageTooLarge,
        Reject::NoTime,
    ];

    /// The reason as headers, counters and reports name it. Never changes.
    pub fn reason(self) -> &'static str {
        match self {
            Reject::NotJson => "not-json",
            Reject::NotUtf8 => "not-utf8",
            Reject::Truncated => "truncated",
            Reject::NotAnObject => "not-an-object",
            Reject::TooDeep => "too-deep",
            Reject::Empty => "empty",
            Reject::BrokenEnvelope => "broken-envelope",
            Reject::TooManyRecords => "too-many-records",
            Reject::MessageTooLarge => "message-too-large",
            Reject::NoTime => "no-time",
        }
    }

    /// The reason in words, for a person.
    pub fn explanation(self) -> &'static str {
        match self {
            Reject::NotJson => "the record is not JSON and could not be repaired",
            Reject::NotUtf8 => "the record is not UTF-8, and without the bad bytes it is not JSON",
            Reject::Truncated => "the message ends within the record",
            Reject::NotAnObject => "a record must be a JSON object; this is another value",
            Reject::TooDeep => "the record is nested deeper than the limit",
            Reject::Empty => "the message is empty",
            Reject::BrokenEnvelope => {
                "the JSON around the records is broken; records may be missing from this message"
            }
            Reject::TooManyRecords => "the message holds more records than the limit",
            Reject::MessageTooLarge => "the message is larger than the limit",
            Reject::NoTime => "neither the record nor its message says when it happened",
        }
    }
}

impl std::fmt::Display for Reject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason())
    }
}

/// What became of one record.
pub struct Decoded<'m, 'e> {
    /// Place of the record in its message, from 0.
    pub index: u32,
    /// The record's bytes as received, without outer blanks and before any repair; the whole
    /// message where its envelope fails.
    pub bytes: &'m [u8],
    /// The event, or why there is none.
    pub outcome: Result<&'e Event<'e>, Reject>,
}

/// How much a message may ask for. What is beyond is refused with a reason of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message.
    pub message_bytes: usize,
    /// Records of a message.
    pub records: u32,
    /// Objects and arrays within each other in a record, itself included; at most 128.
    pub nesting: u32,
}

impl Default for Limits {
    /// Far beyond what Azure sends: 64 MiB, 100,000 records, nested 128 deep.
    fn default() -> Limits {
        Limits {
            message_bytes: 64 << 20,
            records: 100_000,
            nesting: json::NESTING_MAX,
        }
    }
}

/// Compiled from the attributes in use: what to take out of a record, and how.
pub struct Decoder {
    /// The wanted paths.
    root: trie::Node,
    /// How many values can be taken out of a record.
    slots: usize,
    /// Where a record's time may be, in the order of trust.
    times: Vec<u16>,
    /// For each attribute, in the table's order.
    recipes: Vec<Recipe>,
    limits: Limits,
}

/// How an attribute comes from what was taken out of a record.
pub(crate) struct Recipe {
    pub(crate) derivation: Derivation,
    /// In the order of trust.
    pub(crate) slots: Vec<u16>,
}

impl Decoder {
    /// A decoder that extracts `attributes`, in their order, within the default limits.
    pub fn new(attributes: &Attributes) -> Decoder {
        Decoder::with_limits(attributes, Limits::default())
    }

    /// A decoder that extracts `attributes`, in their order, within `limits`.
    pub fn with_limits(attributes: &Attributes, limits: Limits) -> Decoder {
        let mut paths = Paths {
            root: trie::Node::default(),
            slots: 0,
        };
        paths.root.at(&["records".to_owned()]).records = true;
        let times = paths.add_all(normalise::TIMES);
        let recipes = attributes
            .list()
            .iter()
            .map(|attribute| paths.recipe(attribute))
            .collect();
        paths.root.seal();
        let slots = usize::from(paths.slots);
        Decoder {
            root: paths.root,
            slots,
            times,
            recipes,
            limits,
        }
    }

    /// Calls `each` for every record of `message`, in order. `timestamp` is the message's, and
    /// stands in where a record has no time of its own.
    pub fn decode<'m>(
        &self,
        message: &'m [u8],
        timestamp: Option<Millis>,
        each: &mut dyn FnMut(Decoded<'m, '_>),
    ) {
        if message.len() > self.limits.message_bytes {
            let outcome = Err(Reject::MessageTooLarge);
            return each(Decoded {
                index: 0,
                bytes: message,
                outcome,
            });
        }
        match simdutf8::basic::from_utf8(message) {
            Ok(text) => envelope::read(self, message, text, timestamp, each),
            Err(_) => {
                let text = envelope::with_bad_bytes_masked(message);
                envelope::read(self, message, &text, timestamp, each);
            }
        }
    }
}

/// The paths of a decoder in the making.
struct Paths {
    root: trie::Node,
    slots: u16,
}

impl Paths {
    fn recipe(&mut self, attribute: &Attribute) -> Recipe {
        match attribute {
            Attribute::Named(name) => match normalise::find(name) {
                Some(known) => Recipe {
                    derivation: known.derivation,
                    slots: self.add_all(known.sources),
                },
                None => Recipe {
                    derivation: Derivation::AsIs,
                    slots: Vec::new(),
                },
            },
            Attribute::Path(path) => {
                let slot = self.new_slot();
                self.root.at(path).whole.push(slot);
                Recipe {
                    derivation: Derivation::AsIs,
                    slots: vec![slot],
                }
            }
        }
    }

    /// The slots of `sources`; a path that is wanted twice has one.
    fn add_all(&mut self, sources: &[&str]) -> Vec<u16> {
        let mut slots = Vec::new();
        for path in sources
            .iter()
            .flat_map(|source| normalise::source_paths(source))
        {
            let known = self.root.at(&path).slots.first().copied();
            slots.push(known.unwrap_or_else(|| {
                let slot = self.new_slot();
                self.root.at(&path).slots.push(slot);
                slot
            }));
        }
        slots
    }

    fn new_slot(&mut self) -> u16 {
        self.slots += 1;
        self.slots - 1
    }
}
