//! Raw values of a record to attributes under their FortiSIEM names.
//!
//! Each named attribute has steps, in the order of trust: places in the record, and a way to make
//! the value. The first that gives one counts. Steps are data (schemas/attributes/), by families
//! of categories. Keys are compared without regard to
//! ASCII case, so the spellings of diagnostic settings (`callerIpAddress`), Log Analytics rows
//! (`CallerIpAddress`) and lower-casing pipelines (`calleripaddress`) are one place.

mod derive;
mod path;
mod session;
mod table;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use crate::escape;
use crate::event::{Attribute, Attributes, OwnName, Value};
use crate::slots::Slots;
use crate::time::{self, Millis};

pub(crate) use derive::without_blanks;
pub(crate) use table::{AS_IS, Compiled, Derivation, Sources, Step, TIMES, of_category};
pub use table::{Family, KnownAttribute};

/// Every attribute that has a FortiSIEM name.
pub fn known() -> &'static [KnownAttribute] {
    table::KNOWN
}

/// A table of all attributes that have a FortiSIEM name, in the order of [`known`].
pub fn all() -> Attributes {
    all_with(Arc::default())
}

/// The same, and those that a user names behind them.
pub fn all_with(own: Arc<[OwnName]>) -> Attributes {
    let mut attributes = Attributes::with(Arc::clone(&own));
    for known in table::KNOWN {
        attributes.intern(Attribute::Named(known.name));
    }
    for own in own.iter() {
        attributes.intern(Attribute::Own(own.name.clone()));
    }
    attributes
}

/// The attribute that a rule calls `name`: a FortiSIEM name in any case, one of `own`, or
/// `record.` and a path. The error says what is wrong, and which names are near.
pub fn attribute(name: &str, own: &[OwnName]) -> Result<Attribute, String> {
    if let Some(known) = find(name) {
        return Ok(Attribute::Named(known.name));
    }
    let mut named = own.iter();
    if let Some(own) = named.find(|own| own.name.eq_ignore_ascii_case(name)) {
        return Ok(Attribute::Own(own.name.clone()));
    }
    match name.split_at_checked("record.".len()) {
        Some((record, path)) if record.eq_ignore_ascii_case("record.") => {
            path::read(path).map_err(|what| format!("`{name}`: {what}"))
        }
        Some(_) | None => Err(unknown(name, own)),
    }
}

/// Whether no record can give more than one value for this attribute: what it is made of has no
/// lists in it, or the first of several counts.
pub fn is_single(attribute: &Attribute) -> bool {
    let known = match attribute {
        Attribute::Named(name) => find(name),
        Attribute::Own(_)
        | Attribute::Path(_)
        | Attribute::Selected(_)
        | Attribute::Computed { .. } => None,
    };
    known.is_some_and(|known| known.single)
}

/// All families, the general one first.
pub fn families() -> &'static [Family] {
    table::FAMILIES
}

/// The steps of `attribute` in `family`, which the general ones follow unless they stand alone.
pub(crate) fn steps<'f>(family: &'f Family, attribute: &str) -> Vec<&'f Step> {
    let given = |family: &'f Family| {
        let mut all = family.attributes.iter();
        all.find(|sources| sources.attribute == attribute)
    };
    let own = given(family);
    let alone = own.is_some_and(|own| own.alone);
    let general = table::FAMILIES
        .first()
        .filter(|general| !alone && general.name != family.name)
        .and_then(given);
    let both = own.into_iter().chain(general);
    both.flat_map(|sources| sources.steps.iter()).collect()
}

/// What the steps of `attribute` in `family` put into it that no record holds, in lower case;
/// `None`: not all else that they make of a record's texts has their letters and digits in a row.
pub(crate) fn constants(family: &Family, attribute: &str) -> Option<Vec<String>> {
    let all = family.attributes.iter();
    let own = all.filter(|sources| sources.attribute == attribute);
    let mut constants = Vec::new();
    for step in own.flat_map(|sources| sources.steps.iter()) {
        match step.derivation {
            Derivation::AsIs
            | Derivation::Record
            | Derivation::Text
            | Derivation::Principal
            | Derivation::Mail
            | Derivation::Id
            | Derivation::DatabaseUser
            | Derivation::Account
            | Derivation::DisplayName
            | Derivation::ResourceId
            | Derivation::ResourceName
            | Derivation::Segment
            | Derivation::SessionUser => {}
            Derivation::EventType
            | Derivation::Joined
            | Derivation::OwnEventType
            | Derivation::Named => {
                constants.push(derive::event_type("", String::new()).to_ascii_lowercase());
                constants.push(step.word.to_ascii_lowercase());
            }
            Derivation::Time
            | Derivation::Address
            | Derivation::FoundAddress
            | Derivation::Number
            | Derivation::EventCategory
            | Derivation::Outcome
            | Derivation::ErrorCode
            | Derivation::HttpOutcome
            | Derivation::Truth
            | Derivation::StorageOutcome
            | Derivation::Verdict
            | Derivation::ActionOutcome
            | Derivation::SessionAddress
            | Derivation::SessionOutcome
            | Derivation::StatusCode
            | Derivation::Level
            | Derivation::Severity => return None,
        }
    }
    Some(constants)
}

/// The version of a named attribute's meaning, unless it is still the first.
pub fn version(attribute: &Attribute) -> Option<u32> {
    match attribute {
        Attribute::Named(name) => find(name)
            .map(|known| known.version)
            .filter(|version| *version > 1),
        Attribute::Own(_)
        | Attribute::Path(_)
        | Attribute::Selected(_)
        | Attribute::Computed { .. } => None,
    }
}

pub(crate) fn find(name: &str) -> Option<&'static KnownAttribute> {
    table::KNOWN
        .iter()
        .find(|known| known.name.eq_ignore_ascii_case(name))
}

/// Letters of a name that is like none: beyond them nothing is near.
const NAME_MAX: usize = 64;

fn unknown(name: &str, own: &[OwnName]) -> String {
    if name.len() > NAME_MAX {
        let begin: String = name.chars().take(NAME_MAX).collect();
        return format!("no attribute is called `{begin}…`");
    }
    let wanted = name.to_ascii_lowercase();
    let is_near = |known: &&str| {
        let known = known.to_ascii_lowercase();
        edits(&wanted, &known) <= 1 + wanted.len() / 4
            || wanted.len() > 2 && (known.contains(&wanted) || wanted.contains(&known))
    };
    let known = table::KNOWN.iter().map(|known| known.name);
    let all = known.chain(own.iter().map(|own| own.name.as_str()));
    let near: Vec<&str> = all.filter(is_near).take(3).collect();
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

/// The event type of an operation of this name.
pub fn event_type(operation: &str) -> String {
    derive::event_type(operation, String::new())
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

/// The moment that a raw value stands for: a text, or the seconds or milliseconds since 1970.
pub(crate) fn time(value: &Value<'_>) -> Option<Millis> {
    let time = match value {
        Value::Text(text) => time::parse(text).or_else(|| derive::epoch(text)),
        Value::Integer(number) => derive::epoch_number(*number),
        Value::Many(values) => return values.iter().find_map(time),
        Value::Float(_) | Value::Bool(_) => None,
    };
    time.filter(|time| is_time(*time))
}

/// A raw value that is no time, and why, for a person: printable, and short.
pub(crate) fn no_time(value: &Value<'_>) -> String {
    const SHOWN_MAX: usize = 80;
    let (shown, why) = match value {
        Value::Text(text) => {
            let cut = text.char_indices().nth(SHOWN_MAX);
            let shown = text.get(..cut.map_or(text.len(), |(at, _)| at));
            let more = if cut.is_some() { ".." } else { "" };
            let why = match time::parse(text).or_else(|| derive::epoch(text)) {
                Some(time) if time > LATEST => "after 9999",
                Some(_) => "before 1971",
                None => "no time in a layout that is read",
            };
            (escape::quoted(shown.unwrap_or_default()) + more, why)
        }
        Value::Integer(number) => {
            let is_late = derive::epoch_number(*number).is_none_or(|time| time > LATEST);
            let why = if is_late { "after 9999" } else { "before 1971" };
            (number.to_string(), why)
        }
        Value::Float(number) => (number.to_string(), "a number"),
        Value::Bool(truth) => (truth.to_string(), "not a text"),
        Value::Many(values) => {
            let first = values.first().map(no_time).unwrap_or_default();
            return format!("a list, first {first}");
        }
    };
    format!("{shown} ({why})")
}

/// Puts into `value`, which may hold that of the record before, what the steps make of a record.
pub(crate) fn fill<'t>(
    value: &mut Option<Value<'t>>,
    recipe: &[Compiled],
    slots: &Slots<'t>,
    record: &'t str,
) {
    let spare = match value.take() {
        Some(Value::Text(Cow::Owned(text))) => text,
        Some(_) | None => String::new(),
    };
    let Some((step, found)) = recipe.iter().find_map(|step| {
        if step.given.derivation == Derivation::EventType {
            // Made last, in memory that is there already.
            let operation = holds(step, slots).then(|| first(step, slots, derive::text))??;
            return Some((step, Value::Text(operation)));
        }
        Some((step, made(step, slots, record)?))
    }) else {
        return;
    };
    *value = match &found {
        Value::Text(operation)
            if matches!(
                step.given.derivation,
                Derivation::EventType | Derivation::Joined | Derivation::Named
            ) =>
        {
            Some(Value::Text(Cow::Owned(derive::event_type(
                operation, spare,
            ))))
        }
        Value::Text(_) | Value::Integer(_) | Value::Float(_) | Value::Bool(_) | Value::Many(_) => {
            Some(found)
        }
    };
}

/// When the record happened, as it says itself.
pub(crate) fn own_time(recipe: &[Compiled], slots: &Slots<'_>) -> Option<Millis> {
    let mut found = recipe.iter().filter(|step| holds(step, slots));
    found.find_map(|step| {
        let mut places = step.slots.iter().filter_map(|slot| slots.get(*slot));
        places.find_map(time)
    })
}

/// Whether the step counts for the record.
fn holds(step: &Compiled, slots: &Slots<'_>) -> bool {
    let is_wanted = |value: &Value<'_>| {
        derive::text(value).is_some_and(|text| {
            step.given.is.is_empty()
                || step
                    .given
                    .is
                    .iter()
                    .any(|is| is.eq_ignore_ascii_case(&text))
        })
    };
    let mut places = step.when.iter().filter_map(|slot| slots.get(*slot));
    step.when.is_empty() || places.any(is_wanted)
}

fn first<'t, T>(
    step: &Compiled,
    slots: &Slots<'t>,
    make: impl Fn(&Value<'t>) -> Option<T>,
) -> Option<T> {
    let mut found = step.slots.iter().filter_map(|slot| slots.get(*slot));
    if step.given.key.is_empty() {
        found.find_map(make)
    } else {
        found.find_map(|list| make(&derive::of_key(list, &step.given.key)?))
    }
}

/// What a step makes of a record.
fn made<'t>(step: &Compiled, slots: &Slots<'t>, record: &'t str) -> Option<Value<'t>> {
    if !holds(step, slots) {
        return None;
    }
    match step.given.derivation {
        Derivation::Record => Some(Value::Text(Cow::Borrowed(record))),
        Derivation::AsIs => first(step, slots, |value| Some(value.clone())),
        Derivation::Text => first(step, slots, derive::texts),
        Derivation::Principal => first(step, slots, derive::principal),
        Derivation::Mail => first(step, slots, derive::mail),
        Derivation::Id => first(step, slots, derive::id),
        Derivation::DatabaseUser => first(step, slots, derive::database_user),
        Derivation::Account => {
            let mut lists = step.slots.iter().filter_map(|slot| slots.get(*slot));
            lists.find_map(|list| derive::account(list, &step.given.key))
        }
        Derivation::DisplayName => first(step, slots, derive::display_name),
        Derivation::Joined => {
            let parts = step.slots.iter().filter_map(|slot| slots.get(*slot));
            derive::joined(&step.given.word, parts.filter_map(derive::text)).map(Value::Text)
        }
        Derivation::OwnEventType => {
            let parts = step.slots.iter().filter_map(|slot| slots.get(*slot));
            let parts = parts.filter_map(derive::text);
            derive::own_event_type(&step.given.word, parts).map(Value::Text)
        }
        Derivation::Named => first(step, slots, |value| {
            derive::named(value, step.given.word.clone())
        }),
        Derivation::Address => first(step, slots, derive::address),
        Derivation::FoundAddress => first(step, slots, derive::found_address),
        Derivation::Number => first(step, slots, derive::number),
        Derivation::EventCategory => first(step, slots, derive::event_category),
        Derivation::Outcome => first(step, slots, derive::outcome),
        Derivation::ErrorCode => first(step, slots, derive::error_code),
        Derivation::HttpOutcome => first(step, slots, derive::http_outcome),
        Derivation::Truth => first(step, slots, derive::truth),
        Derivation::StorageOutcome => first(step, slots, derive::storage_outcome),
        Derivation::Verdict => first(step, slots, derive::verdict),
        Derivation::ActionOutcome => first(step, slots, derive::action_outcome),
        Derivation::SessionUser => first(step, slots, session::user),
        Derivation::SessionAddress => first(step, slots, session::address),
        Derivation::SessionOutcome => first(step, slots, session::outcome),
        Derivation::StatusCode => first(step, slots, derive::status_code),
        Derivation::Level => {
            first(step, slots, derive::level).map(|level| Value::Text(Cow::Borrowed(level.word())))
        }
        Derivation::Severity => {
            first(step, slots, derive::level).map(|level| Value::Integer(level.severity()))
        }
        Derivation::ResourceId => first(step, slots, derive::resource_id),
        Derivation::ResourceName => first(step, slots, derive::resource_name),
        Derivation::Segment => first(step, slots, |id| derive::segment(id, &step.given.word)),
        // What happened when is asked for by itself, and an event type made by its caller.
        Derivation::Time | Derivation::EventType => None,
    }
}
