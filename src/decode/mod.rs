//! Bytes of a Kafka message to records, and each record to an event in the same pass.
//!
//! Strict first: one pass over the bytes checks the JSON and takes out what is wanted. A record
//! that is not JSON is mended and read again; if that fails it alone is refused, and its
//! neighbours are read on. Nothing is lost without a word: every record becomes an event or a
//! [`Reject`].

mod answer;
mod apart;
mod draft;
mod envelope;
mod extract;
mod json;
mod plain;
mod reader;
mod recover;
mod refuse;
mod reject;
mod repair;
mod resume;
mod survey;
mod trie;
mod wanted;

use trie::Holds;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::event::{Attribute, AttributeId, Attributes, Event, Value};
use crate::normalise::{self, Compiled, Family, Step};
use crate::rule::Filter;
use crate::rule::own::{Own, OwnFamily};
use crate::slots::Slots;
use crate::time::Millis;

pub use draft::Draft;
pub use reader::Records;
pub use reject::{ByReason, Refused, Reject};

/// A message that is to be read.
pub struct Message<'m> {
    /// As received.
    bytes: &'m [u8],
    /// The same, byte for byte, as UTF-8: what is not becomes `?`.
    text: Cow<'m, str>,
    timestamp: Option<Millis>,
    /// Why none of it is read.
    refused: Option<Refused>,
}

impl Message<'_> {
    /// When the broker got it, where that can be.
    pub fn timestamp(&self) -> Option<Millis> {
        self.timestamp
    }
}

/// What became of one record, or of neighbours that were refused.
pub struct Record<'m, 'r> {
    /// Place of the record in its message, from 0; of several the first one's.
    pub index: u32,
    /// The record's bytes as received, without outer blanks and before any repair; of several all
    /// from the first to the last; the whole message where its envelope fails.
    pub bytes: &'m [u8],
    /// The event, or why there is none.
    pub outcome: Result<Draft<'r, 'm>, &'r Refused>,
}

/// What it took to decode, and which limits were hit that refuse no record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Bytes that were looked at; those looked at twice count twice, those mended four times.
    pub steps: u64,
    /// Values left out because they are nested too deep in a text that was read as JSON.
    pub hidden: u64,
    /// Broken records that were not mended, for the message had asked for too much of that.
    pub unmended: u64,
    /// Records of which nothing but a time is known, whatever attributes are asked for.
    pub unrecognised: u64,
}

impl Work {
    /// Adds what was done elsewhere.
    pub fn add(&mut self, more: Work) {
        self.steps += more.steps;
        self.hidden += more.hidden;
        self.unmended += more.unmended;
        self.unrecognised += more.unrecognised;
    }
}

/// How much a message may ask for. What is beyond is refused with a reason of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of a message.
    pub message_bytes: usize,
    /// Records of a message.
    pub records: u32,
    /// Objects and arrays within each other in a record, itself included, and in a text that is
    /// read as JSON; at most 128.
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
    /// The wanted paths of what a record may be wrapped in.
    around: trie::Node,
    /// What tells that a record is wrapped.
    wrapping: Wrapping,
    /// How many values can be taken out of a record.
    slots: usize,
    /// Wherever a record's time may be.
    times: Vec<u16>,
    /// Where a record's category is.
    category: Vec<u16>,
    /// Where a record of no known category has something that tells its family.
    tells: Vec<(u16, usize)>,
    /// The slots of these are the first ones, so many.
    telling: usize,
    /// The same paths, each to its place in the list of them, whatever stands there.
    said: trie::Node,
    /// Of records of no family.
    general: Recipes,
    /// By family, but for the general one; those that a user brought come behind the others.
    families: Vec<Recipes>,
    /// What tells that a record is of a family that a user brought.
    own: Vec<Choice>,
    /// The slots of attributes that are paths into the record, by attribute.
    paths: Vec<(AttributeId, u16)>,
    /// The same by slot.
    by_slot: Vec<Option<AttributeId>>,
    /// The places of attributes that say something of a record: those that have a name.
    named: Vec<AttributeId>,
    /// That of the event type, if it is asked for.
    event_type: Option<AttributeId>,
    /// A decoder of all attributes that have a name, made when it is first asked for.
    all: Mutex<Option<Arc<Decoder>>>,
    own_files: Arc<Own>,
    limits: Limits,
}

/// A family that a user brought: which records are of it.
struct Choice {
    filter: Filter,
    /// Where the values stand that the filter asks for, in its order.
    slots: Vec<u16>,
    /// The place of the family.
    family: usize,
}

/// Where an object says that it is wrapped around a record: what all of one kind have.
struct Wrapping {
    /// <https://learn.microsoft.com/azure/event-grid/event-schema>
    event_grid: Vec<u16>,
    /// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>
    cloud_event: Vec<u16>,
}

impl Choice {
    /// Whether the record whose values stand in `slots` is of the family.
    fn is_of(&self, slots: &Slots<'_>) -> bool {
        let values = self.slots.iter().map(|slot| slots.get(*slot).cloned());
        self.filter.matches(&Event {
            values: values.collect(),
            ..Event::default()
        })
    }
}

/// What becomes of the records of one family.
#[derive(Default)]
pub(crate) struct Recipes {
    /// When they happened.
    pub(crate) time: Vec<Compiled>,
    /// For each attribute, in the table's order.
    pub(crate) attributes: Vec<Vec<Compiled>>,
}

impl Decoder {
    /// A decoder that extracts `attributes`, in their order, within the default limits.
    pub fn new(attributes: &Attributes) -> Decoder {
        Decoder::with_limits(attributes, Limits::default())
    }

    /// A decoder that extracts `attributes`, in their order, within `limits`.
    pub fn with_limits(attributes: &Attributes, limits: Limits) -> Decoder {
        Decoder::with_own(attributes, limits, &Arc::default())
    }

    /// The same, for records of a user's families as well.
    pub fn with_own(attributes: &Attributes, limits: Limits, own: &Arc<Own>) -> Decoder {
        let mut paths = Paths::default();
        let known = normalise::families();
        let mut tells = Vec::new();
        for (place, family) in known.iter().enumerate() {
            let slots = paths.add_all(&family.has);
            tells.extend(slots.into_iter().map(|slot| (slot, place)));
        }
        let telling = usize::from(paths.slots);
        for (key, holds) in [
            ("records", Holds::Records),
            ("value", Holds::Answer),
            ("data", Holds::Data),
        ] {
            paths.root.at(&[key.to_owned()]).holds = holds;
        }
        let wrapping = Wrapping {
            event_grid: paths.add_all(&["eventType", "eventTime", "subject", "id"]),
            cloud_event: paths.add_all(&["specversion", "type", "source", "id"]),
        };
        let times = paths.add_all(normalise::TIMES);
        let category = paths.add_all(&CATEGORY);
        let raw: Vec<Option<u16>> = attributes.list().iter().map(|a| paths.raw(a)).collect();
        let all = known.iter().chain(own.families().map(|own| &own.family));
        let mut families = all.map(|family| paths.recipes(family, attributes, &raw));
        let general = families.next().unwrap_or_default();
        let families = families.collect();
        let own_files = Arc::clone(own);
        let own = (known.len()..).zip(own.families());
        let own = own.map(|(place, own)| paths.choice(own, place)).collect();
        let of_paths = (0..).zip(&raw);
        let of_paths = of_paths.filter_map(|(id, slot)| Some((AttributeId(id), (*slot)?)));
        let of_paths: Vec<_> = of_paths.collect();
        paths.root.seal();
        paths.around.seal();
        let slots = usize::from(paths.slots);
        let mut by_slot = vec![None; slots];
        for (id, slot) in &of_paths {
            if let Some(of_slot) = by_slot.get_mut(usize::from(*slot)) {
                *of_slot = Some(*id);
            }
        }
        Decoder {
            root: paths.root,
            around: paths.around,
            wrapping,
            slots,
            times,
            category,
            tells,
            telling,
            said: said_times(),
            general,
            families,
            own,
            paths: of_paths,
            by_slot,
            named: named(attributes),
            event_type: attributes.place(&Attribute::Named("eventType")),
            all: Mutex::default(),
            own_files,
            limits,
        }
    }

    /// The recipes for the record whose values stand in `slots`.
    pub(crate) fn recipes(&self, slots: &Slots<'_>) -> &Recipes {
        let family = self.family(slots);
        let family = family.and_then(|family| self.families.get(family.checked_sub(1)?));
        family.unwrap_or(&self.general)
    }

    /// The category of the record whose values stand in `slots`, as it names it.
    fn category<'s>(&self, slots: &'s Slots<'_>) -> Option<&'s str> {
        let named = self.category.iter().find_map(|slot| slots.get(*slot))?;
        match named {
            Value::Text(category) => Some(normalise::without_blanks(category)),
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) | Value::Many(_) => None,
        }
    }

    /// The place of the family of the record whose values stand in `slots`.
    fn family(&self, slots: &Slots<'_>) -> Option<usize> {
        let mut own = self.own.iter();
        if let Some(chosen) = own.find(|choice| choice.is_of(slots)) {
            return Some(chosen.family);
        }
        let mut categories = self.category.iter().filter_map(|slot| slots.get(*slot));
        let named = categories.find_map(|value| match value {
            Value::Text(category) => normalise::of_category(normalise::without_blanks(category)),
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) | Value::Many(_) => None,
        });
        let told = || {
            let mut tells = self.tells.iter();
            let told = tells.find(|(slot, _)| slots.get(*slot).is_some());
            told.map(|(_, family)| *family)
        };
        let told = || slots.has_any_of(self.telling).then(told).flatten();
        named.or_else(told)
    }

    /// Whether the record whose values stand in `slots` is wrapped around another.
    fn is_wrapped(&self, slots: &Slots<'_>) -> bool {
        let has_all = |wanted: &[u16]| wanted.iter().all(|slot| slots.get(*slot).is_some());
        has_all(&self.wrapping.event_grid) || has_all(&self.wrapping.cloud_event)
    }

    /// A decoder of all attributes that have a name.
    fn all(&self) -> Arc<Decoder> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let made = all.get_or_insert_with(|| {
            let all = normalise::all_with(self.own_files.names());
            Arc::new(Decoder::with_own(&all, self.limits, &self.own_files))
        });
        Arc::clone(made)
    }

    /// Whether anything but a time is known of an event.
    fn tells(&self, event: &Event<'_>) -> bool {
        self.named.iter().any(|id| event.get(*id).is_some())
    }

    /// A message that is to be read. `timestamp` is its own, and stands in where a record has no
    /// time, unless it is none either.
    pub fn message<'m>(&self, bytes: &'m [u8], timestamp: Option<Millis>) -> Message<'m> {
        let refused = self.refused_unread(bytes);
        let text = match &refused {
            Some(_) => Cow::Borrowed(""),
            None => match simdutf8::basic::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => Cow::Owned(with_bad_bytes_masked(bytes)),
            },
        };
        Message {
            bytes,
            text,
            timestamp: normalise::timestamp(timestamp),
            refused,
        }
    }

    /// The records of a message, in order.
    pub fn records<'m>(&'m self, message: &'m Message<'_>) -> Records<'m> {
        match &message.refused {
            None => Records::new(self, message),
            Some(refused) => Records::refused(self, message, refused.clone()),
        }
    }

    /// Why the whole message is refused, if its length or its first bytes say so.
    fn refused_unread(&self, message: &[u8]) -> Option<Refused> {
        let most = self.limits.message_bytes;
        if message.len() > most {
            let detail = format!("{} bytes, at most {most}", message.len());
            return Some(Refused::one(Reject::MessageTooLarge, detail));
        }
        is_utf16(message).then(|| Refused::one(Reject::Utf16, String::new()))
    }
}

/// A text of the same length that is UTF-8: each byte that is not becomes `?`.
fn with_bad_bytes_masked(message: &[u8]) -> String {
    let mut text = String::with_capacity(message.len());
    for chunk in message.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}

/// Whether a text is UTF-16: by its byte order mark, or by its first characters, if they are such
/// as JSON begins with.
fn is_utf16(text: &[u8]) -> bool {
    let zeros = |mut start: std::slice::ChunksExact<'_, u8>, place: usize| {
        start.all(|unit| unit.get(place) == Some(&0) && unit.get(1 - place) != Some(&0))
    };
    let start = text.get(..16).unwrap_or(text).chunks_exact(2);
    match text {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [_, 0, _, 0, ..] => zeros(start, 1),
        [0, _, 0, _, ..] => zeros(start, 0),
        _ => false,
    }
}

/// The places of attributes that have a name, but for the record itself.
fn named(attributes: &Attributes) -> Vec<AttributeId> {
    let all = (0..).map(AttributeId).zip(attributes.list());
    let named = all.filter(|(_, attribute)| match attribute {
        Attribute::Named(name) => *name != "rawEventMsg",
        Attribute::Own(_) => true,
        Attribute::Path(_) | Attribute::Selected(_) | Attribute::Computed { .. } => false,
    });
    named.map(|(id, _)| id).collect()
}

fn said_times() -> trie::Node {
    let mut said = trie::Node::default();
    for (slot, source) in (0..).zip(normalise::TIMES) {
        for path in normalise::source_paths(source) {
            said.at(&path).whole.push(slot);
        }
    }
    said.seal();
    said
}

/// Where the category of a record stands, in the order of trust.
const CATEGORY: [&str; 6] = [
    "categoryValue",
    "category.value",
    "category",
    "type",
    "envelope.eventType",
    "envelope.type",
];

/// The paths of a decoder in the making.
#[derive(Default)]
struct Paths {
    root: trie::Node,
    around: trie::Node,
    slots: u16,
    /// By source: families have most of them in common.
    known: HashMap<String, Vec<u16>>,
    /// The same of what is wanted whole.
    wholes: HashMap<String, Vec<u16>>,
}

impl Paths {
    /// The slot of a path into the raw record.
    fn raw(&mut self, attribute: &Attribute) -> Option<u16> {
        match attribute {
            Attribute::Named(_) | Attribute::Own(_) | Attribute::Computed { .. } => None,
            Attribute::Path(path) => {
                let slot = self.new_slot();
                self.root.at(path).whole.push(slot);
                Some(slot)
            }
            Attribute::Selected(path) => {
                let slot = self.new_slot();
                self.root.at_selected(path).whole.push(slot);
                Some(slot)
            }
        }
    }

    /// What tells that a record is of a family that a user brought, which has this place.
    fn choice(&mut self, own: &OwnFamily, family: usize) -> Choice {
        let asked = own.asked.list().iter();
        Choice {
            filter: own.filter.clone(),
            slots: asked.filter_map(|path| self.raw(path)).collect(),
            family,
        }
    }

    fn recipes(
        &mut self,
        family: &Family,
        attributes: &Attributes,
        raw: &[Option<u16>],
    ) -> Recipes {
        let all = attributes.list().iter().zip(raw);
        let attributes = all.map(|(attribute, raw)| self.recipe(family, attribute, *raw));
        let attributes = attributes.collect();
        Recipes {
            time: self.steps(family, "time"),
            attributes,
        }
    }

    fn recipe(
        &mut self,
        family: &Family,
        attribute: &Attribute,
        raw: Option<u16>,
    ) -> Vec<Compiled> {
        match attribute {
            Attribute::Named(name) => self.steps(family, name),
            Attribute::Own(name) => self.steps(family, name),
            Attribute::Computed { .. } => Vec::new(),
            Attribute::Path(_) | Attribute::Selected(_) => vec![Compiled {
                given: normalise::AS_IS,
                when: Vec::new(),
                slots: raw.into_iter().collect(),
            }],
        }
    }

    fn steps(&mut self, family: &Family, attribute: &str) -> Vec<Compiled> {
        let steps = normalise::steps(family, attribute).into_iter();
        steps.map(|step| self.compiled(step)).collect()
    }

    fn compiled(&mut self, step: &Step) -> Compiled {
        Compiled {
            given: step.clone(),
            when: self.add_all(&step.when),
            slots: if step.key.is_empty() {
                self.add_all(&step.paths)
            } else {
                self.add_whole(&step.paths)
            },
        }
    }

    /// The slots of what stands at `sources`, whole; what is wanted twice has one.
    fn add_whole(&mut self, sources: &[impl AsRef<str>]) -> Vec<u16> {
        let mut slots = Vec::new();
        for source in sources {
            if let Some(known) = self.wholes.get(source.as_ref()) {
                slots.extend(known);
                continue;
            }
            let mut new = Vec::new();
            for path in normalise::source_paths(source.as_ref()) {
                let slot = self.new_slot();
                self.node(&path).whole.push(slot);
                new.push(slot);
            }
            slots.extend(&new);
            self.wholes.insert(source.as_ref().to_owned(), new);
        }
        slots
    }

    /// The node of a place in the record or, behind `envelope`, in what it is wrapped in.
    fn node(&mut self, path: &[String]) -> &mut trie::Node {
        match path.split_first() {
            Some((first, rest)) if first == "envelope" => self.around.at(rest),
            Some(_) | None => self.root.at(path),
        }
    }

    /// The slots of `sources`; a path that is wanted twice has one.
    fn add_all(&mut self, sources: &[impl AsRef<str>]) -> Vec<u16> {
        let mut slots = Vec::new();
        for source in sources {
            if let Some(known) = self.known.get(source.as_ref()) {
                slots.extend(known);
                continue;
            }
            let mut new = Vec::new();
            for path in normalise::source_paths(source.as_ref()) {
                let known = self.node(&path).slots.first().copied();
                new.push(known.unwrap_or_else(|| {
                    let slot = self.new_slot();
                    self.node(&path).slots.push(slot);
                    slot
                }));
            }
            slots.extend(&new);
            self.known.insert(source.as_ref().to_owned(), new);
        }
        slots
    }

    fn new_slot(&mut self) -> u16 {
        self.slots += 1;
        self.slots - 1
    }
}
