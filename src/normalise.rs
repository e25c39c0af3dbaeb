//! Raw values of a record to attributes under their FortiSIEM names.
//!
//! Each named attribute has a list of places in the record, in the order of trust, and one way to
//! make its value. The first place that gives one counts. Keys are compared without regard to
//! ASCII case, so the spellings of diagnostic settings (`callerIpAddress`), Log Analytics rows
//! (`CallerIpAddress`) and lower-casing pipelines (`calleripaddress`) are one place.

mod derive;
mod table;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::decode::{Recipe, Slots};
use crate::escape;
use crate::event::{Attribute, Attributes, Value};
use crate::time::{self, Millis};

pub(crate) use table::TIMES;

/// An attribute that has a FortiSIEM name.
#[derive(Debug)]
pub struct KnownAttribute {
    /// In its canonical spelling.
    pub name: &'static str,
    /// What it says of an event.
    pub meaning: &'static str,
    /// Where in a record it is looked for, in this order. `{claims}` stands for the places where
    /// the claims of a token are kept.
    pub sources: &'static [&'static str],
    pub(crate) derivation: Derivation,
}

/// How a raw value becomes an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Derivation {
    /// As it stands.
    AsIs,
    /// The text of the whole record.
    Record,
    /// A text without outer blanks, unless it is empty.
    Text,
    /// An operation's name as an event type.
    EventType,
    /// An IP address, without a port.
    Address,
    /// A whole number, also from a string.
    Integer,
    /// A category of the activity log; the verbs of old records are `Administrative`.
    EventCategory,
    /// `Success` or `Failure`; a phase that is neither gives nothing.
    Outcome,
    /// A level by its word, also from its number.
    Level,
    /// FortiSIEM's severity, 1 to 10, for a level.
    Severity,
    /// The last segment of a resource's id.
    ResourceName,
    /// A text as it stands; from the last `ids` sources, the segment after `before` of an id.
    Segment { before: &'static str, ids: usize },
}

/// Every attribute that has a FortiSIEM name.
pub fn known() -> &'static [KnownAttribute] {
    table::KNOWN
}

/// A table of all attributes that have a FortiSIEM name, in the order of [`known`].
pub fn all() -> Attributes {
    let mut attributes = Attributes::default();
    for known in table::KNOWN {
        attributes.intern(Attribute::Named(known.name));
    }
    attributes
}

/// The attribute that a rule calls `name`: a FortiSIEM name in any case, or `record.` and a path.
/// The error says what is wrong, and which names are near.
pub fn attribute(name: &str) -> Result<Attribute, String> {
    if let Some(known) = find(name) {
        return Ok(Attribute::Named(known.name));
    }
    match name.split_at_checked("record.".len()) {
        Some((record, path)) if record.eq_ignore_ascii_case("record.") => {
            let segments = segments(path).map_err(|what| format!("`{name}`: {what}"))?;
            Ok(Attribute::Path(segments))
        }
        Some(_) | None => Err(unknown(name)),
    }
}

/// Whether no record can give more than one value for this attribute: what it is made of has no
/// lists in it, or the first of several counts.
pub fn is_single(attribute: &Attribute) -> bool {
    let known = match attribute {
        Attribute::Named(name) => find(name),
        Attribute::Path(_) => None,
    };
    known.is_some_and(|known| match known.derivation {
        Derivation::EventType
        | Derivation::EventCategory
        | Derivation::Outcome
        | Derivation::Level
        | Derivation::Severity => true,
        Derivation::AsIs
        | Derivation::Record
        | Derivation::Text
        | Derivation::Address
        | Derivation::Integer
        | Derivation::ResourceName
        | Derivation::Segment { .. } => false,
    })
}

pub(crate) fn find(name: &str) -> Option<&'static KnownAttribute> {
    table::KNOWN
        .iter()
        .find(|known| known.name.eq_ignore_ascii_case(name))
}

/// Letters of a name that is like none: beyond them nothing is near.
const NAME_MAX: usize = 64;

fn unknown(name: &str) -> String {
    if name.len() > NAME_MAX {
        let begin: String = name.chars().take(NAME_MAX).collect();
        return format!("no attribute is called `{begin}…`");
    }
    let wanted = name.to_ascii_lowercase();
    let is_near = |known: &&KnownAttribute| {
        let known = known.name.to_ascii_lowercase();
        edits(&wanted, &known) <= 1 + wanted.len() / 4
            || wanted.len() > 2 && (known.contains(&wanted) || wanted.contains(&known))
    };
    let near: Vec<&str> = table::KNOWN
        .iter()
        .filter(is_near)
        .map(|known| known.name)
        .take(3)
        .collect();
    if near.is_empty() {
        format!(
            "no attribute is called `{name}`; a field of the raw record is written \
             `record.{name}`, and `watchfire events` shows the attributes of records"
        )
    } else {
        format!(
            "no attribute is called `{name}`; did you mean `{}`?",
            near.join("` or `")
        )
    }
}

/// How many letters must be put in, left out or replaced to make `a` of `b`.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(b.bytes()) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *cell;
            left = replaced.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// The lower-case segments of `a.b."odd key".c`. In quotes, `\"` and `\\` stand for themselves.
fn segments(path: &str) -> Result<Vec<String>, String> {
    let mut segments = Vec::new();
    let mut rest = path;
    loop {
        let (segment, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_segment(quoted)?,
            None => {
                let (segment, after) = rest.split_at(rest.find('.').unwrap_or(rest.len()));
                if segment.is_empty() {
                    return Err("a path has a name between two points".to_owned());
                }
                if segment.contains('"') {
                    return Err("a quote begins a name, and a point follows its end".to_owned());
                }
                (segment.to_owned(), after)
            }
        };
        segments.push(segment.to_ascii_lowercase());
        rest = match after.strip_prefix('.') {
            Some(rest) => rest,
            None if after.is_empty() => return Ok(segments),
            None => return Err("after a quoted name comes a point or the end".to_owned()),
        };
    }
}

/// The name whose first quote was read, and what follows its last.
fn quoted_segment(quoted: &str) -> Result<(String, &str), String> {
    let mut name = String::new();
    let mut chars = quoted.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => return Ok((name, chars.as_str())),
            '\\' => name.extend(chars.next()),
            other => name.push(other),
        }
    }
    Err("a quoted name has no closing quote".to_owned())
}

/// The paths that a source of the table stands for.
pub(crate) fn source_paths(source: &str) -> Vec<Vec<String>> {
    let paths: Vec<String> = match source.strip_prefix("{claims}") {
        Some(rest) => table::CLAIMS
            .iter()
            .map(|claims| format!("{claims}{rest}"))
            .collect(),
        None => vec![source.to_owned()],
    };
    paths
        .iter()
        .filter_map(|path| segments(path).ok())
        .collect()
}

/// What lies before is no time: 1971-01-01T00:00:00Z. Years such as 1 and 1601 are how programs
/// write that they know none.
const EARLIEST: Millis = 365 * 86_400_000;

/// What lies behind is no time either: 9999-12-31T23:59:59.999Z. RFC 3339, in which incidents say
/// their times, has no later year.
const LATEST: Millis = 253_402_300_799_999;

/// Whether something may have happened then.
fn is_time(millis: Millis) -> bool {
    (EARLIEST..=LATEST).contains(&millis)
}

/// The timestamp of a message, unless it is none: who sends a message may have written anything.
pub(crate) fn timestamp(millis: Option<Millis>) -> Option<Millis> {
    millis.filter(|millis| is_time(*millis))
}

/// The moment that a raw value stands for.
pub(crate) fn time(value: &Value<'_>) -> Option<Millis> {
    match value {
        Value::Text(text) => time::parse(text).filter(|time| is_time(*time)),
        Value::Many(values) => values.iter().find_map(time),
        Value::Integer(_) | Value::Float(_) | Value::Bool(_) => None,
    }
}

/// A raw value that is no time, and why, for a person: printable, and short.
pub(crate) fn no_time(value: &Value<'_>) -> String {
    const SHOWN_MAX: usize = 80;
    let (shown, why) = match value {
        Value::Text(text) => {
            let cut = text.char_indices().nth(SHOWN_MAX);
            let shown = text.get(..cut.map_or(text.len(), |(at, _)| at));
            let more = if cut.is_some() { ".." } else { "" };
            let why = match time::parse(text) {
                Some(time) if time > LATEST => "after 9999",
                Some(_) => "before 1971",
                None => "no time in a layout that is read",
            };
            (escape::quoted(shown.unwrap_or_default()) + more, why)
        }
        Value::Integer(number) => (number.to_string(), "a number"),
        Value::Float(number) => (number.to_string(), "a number"),
        Value::Bool(truth) => (truth.to_string(), "not a text"),
        Value::Many(values) => {
            let first = values.first().map(no_time).unwrap_or_default();
            return format!("a list, first {first}");
        }
    };
    format!("{shown} ({why})")
}

/// Puts into `value`, which may hold that of the record before, what `recipe` makes of a record.
pub(crate) fn fill<'t>(
    value: &mut Option<Value<'t>>,
    recipe: &Recipe,
    slots: &Slots<'t>,
    record: &'t str,
) {
    if slots.is_empty() && recipe.derivation != Derivation::Record {
        *value = None;
        return;
    }
    let mut found = recipe.slots.iter().filter_map(|slot| slots.get(*slot));
    *value = match recipe.derivation {
        Derivation::AsIs => found.next().cloned(),
        Derivation::Record => Some(Value::Text(Cow::Borrowed(record))),
        Derivation::EventType => {
            let spare = match value.take() {
                Some(Value::Text(Cow::Owned(text))) => text,
                Some(_) | None => String::new(),
            };
            found
                .find_map(derive::text)
                .map(|operation| Value::Text(Cow::Owned(derive::event_type(&operation, spare))))
        }
        Derivation::Text => found.find_map(derive::texts),
        Derivation::Address => found.find_map(derive::address),
        Derivation::Integer => found.find_map(derive::integer),
        Derivation::EventCategory => found.find_map(derive::event_category),
        Derivation::Outcome => found.find_map(derive::outcome),
        Derivation::Level => found
            .find_map(derive::level)
            .map(|level| Value::Text(Cow::Borrowed(level.word()))),
        Derivation::Severity => found
            .find_map(derive::level)
            .map(|level| Value::Integer(level.severity())),
        Derivation::ResourceName => found.find_map(derive::resource_name),
        Derivation::Segment { before, ids } => segment(recipe, slots, before, ids),
    };
}

/// A plain text, or a segment of one of the last `ids` sources.
fn segment<'t>(recipe: &Recipe, slots: &Slots<'t>, before: &str, ids: usize) -> Option<Value<'t>> {
    let (plain, ids) = recipe
        .slots
        .split_at_checked(recipe.slots.len().checked_sub(ids)?)?;
    let plain = plain
        .iter()
        .filter_map(|slot| slots.get(*slot))
        .find_map(derive::texts);
    plain.or_else(|| {
        let mut ids = ids.iter().filter_map(|slot| slots.get(*slot));
        ids.find_map(|id| derive::segment(id, before))
    })
}
