//! What a stream holds, by category: what a rule can ask for, and what it cannot.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::{At, Counts};
use crate::decode::Refused;
use crate::escape;
use crate::event::{Attribute, AttributeId, Attributes, Event, Value};

/// The most categories that are told apart, and event types of one; what is more is counted
/// together. Records may hold whatever their writers like.
const NAMES_MAX: usize = 1_000;

/// The most characters of a name.
const NAME_CHARS: usize = 200;

/// Where names beyond the most are counted.
const OTHERS: &str = "(others)";

/// Records without a category.
const NONE: &str = "(none)";

/// The most event types of a category that people are shown; JSON has all.
const TYPES_SHOWN: usize = 15;

/// The attributes that are counted, and how the table calls them.
const COUNTED: [(&str, &str); 3] = [
    ("user", "user"),
    ("srcIpAddr", "address"),
    ("eventOutcome", "outcome"),
];

/// What was counted.
#[derive(Default)]
pub struct Summary {
    categories: BTreeMap<String, Category>,
    /// By reason.
    refused: BTreeMap<&'static str, Seen>,
    unrecognised: Seen,
}

/// How often, and where first.
#[derive(Default)]
struct Seen {
    count: u64,
    first: String,
}

impl Seen {
    fn add(&mut self, count: u64, at: &At<'_>) {
        if self.count == 0 {
            self.first = at.to_string();
        }
        self.count += count;
    }
}

/// The events of a category.
#[derive(Default)]
struct Category {
    events: u64,
    unrecognised: u64,
    /// Events with each of [`COUNTED`].
    with: [u64; COUNTED.len()],
    /// Events that say themselves when they happened.
    with_time: u64,
    types: BTreeMap<String, u64>,
}

impl Summary {
    /// Counts an event.
    pub fn event(&mut self, at: &At<'_>, event: &Event<'_>, attributes: &Attributes) {
        let place = |name| attributes.place(&Attribute::Named(name));
        let name = first_text(event, place("category")).unwrap_or_else(|| NONE.to_owned());
        let category = entry(&mut self.categories, name);
        category.events += 1;
        category.with_time += u64::from(event.has_own_time);
        for (with, (attribute, _)) in category.with.iter_mut().zip(COUNTED) {
            let value = place(attribute).and_then(|id| event.get(id));
            *with += u64::from(value.is_some());
        }
        if let Some(name) = first_text(event, place("eventType")) {
            *entry(&mut category.types, name) += 1;
        }
        if !event.is_recognised {
            category.unrecognised += 1;
            self.unrecognised.add(1, at);
        }
    }

    /// Counts what was refused together.
    pub fn refused(&mut self, at: &At<'_>, refused: &Refused) {
        for (reason, count) in refused.counts.given() {
            let seen = self.refused.entry(reason.reason()).or_default();
            seen.add(count, at);
        }
    }

    /// Writes what was counted: for people, or with `json` for programs.
    pub fn write(
        &self,
        counts: &Counts,
        unreadable: &[String],
        json: bool,
        out: &mut dyn Write,
    ) -> Result<()> {
        match json {
            true => writeln!(out, "{}", self.json(counts, unreadable))?,
            false => self.table(counts, out)?,
        }
        Ok(())
    }

    fn json(&self, counts: &Counts, unreadable: &[String]) -> serde_json::Value {
        let seen = |seen: &Seen| json!({ "records": seen.count, "first": seen.first });
        let refused: BTreeMap<&str, _> = self.refused.iter().map(|(r, s)| (*r, seen(s))).collect();
        let categories = self.categories.iter().map(|(name, category)| {
            let [user, address, outcome] = category.with;
            json!({
                "category": name,
                "events": category.events,
                "unrecognised": category.unrecognised,
                "user": user,
                "srcIpAddr": address,
                "eventOutcome": outcome,
                "time": category.with_time,
                "eventTypes": category.types,
            })
        });
        json!({
            "messages": counts.messages,
            "records": counts.events + counts.refused,
            "events": counts.events,
            "shown": counts.shown,
            "refused": refused,
            "unrecognised": seen(&self.unrecognised),
            "unreadable": unreadable,
            "categories": categories.collect::<Vec<_>>(),
        })
    }

    fn table(&self, counts: &Counts, out: &mut dyn Write) -> Result<()> {
        let records = counts.events + counts.refused;
        writeln!(
            out,
            "{} messages, {records} records: {counts}",
            counts.messages
        )?;
        for (reason, seen) in &self.refused {
            let first = escape::value(&seen.first);
            writeln!(out, "refused as {reason}: {}, first {first}", seen.count)?;
        }
        if self.unrecognised.count > 0 {
            let (count, first) = (self.unrecognised.count, &self.unrecognised.first);
            let first = escape::value(first);
            writeln!(out, "nothing but a time is known: {count}, first {first}")?;
        }
        write!(out, "\n{:>10} ", "events")?;
        for (_, title) in COUNTED {
            write!(out, "{title:>8} ")?;
        }
        writeln!(out, "{:>8}  category", "time")?;
        let mut categories: Vec<_> = self.categories.iter().collect();
        categories.sort_by_key(|(_, category)| std::cmp::Reverse(category.events));
        for (name, category) in categories {
            category.row(name, out)?;
        }
        Ok(())
    }
}

impl Category {
    fn row(&self, name: &str, out: &mut dyn Write) -> Result<()> {
        write!(out, "{:>10} ", self.events)?;
        for with in self.with.iter().chain([&self.with_time]) {
            write!(out, "{:>8} ", share(*with, self.events))?;
        }
        writeln!(out, " {}", escape::value(name))?;
        let mut types: Vec<_> = self.types.iter().collect();
        types.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (name, count) in types.iter().take(TYPES_SHOWN) {
            writeln!(out, "{count:>10} {:>36} {}", "", escape::value(name))?;
        }
        if types.len() > TYPES_SHOWN {
            let more = types.len() - TYPES_SHOWN;
            writeln!(out, "{:>48} {more} more event types: --json has all", "")?;
        }
        Ok(())
    }
}

/// As a percentage that is 0 or 100 only where it is nothing or all.
fn share(part: u64, whole: u64) -> String {
    match part.saturating_mul(100) / whole.max(1) {
        _ if part == 0 => "-".to_owned(),
        0 => "<1%".to_owned(),
        per_cent => format!("{per_cent}%"),
    }
}

/// The first text of an attribute, cut to what is shown of it.
pub fn first_text(event: &Event<'_>, id: Option<AttributeId>) -> Option<String> {
    fn first<'v>(value: &'v Value<'_>) -> Option<&'v str> {
        match value {
            Value::Text(text) => Some(text.as_ref()),
            Value::Many(values) => values.iter().find_map(first),
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) => None,
        }
    }
    let text = first(event.get(id?)?)?;
    Some(text.chars().take(NAME_CHARS).collect())
}

/// The entry of `name`, or of all others if there are too many.
fn entry<T: Default>(entries: &mut BTreeMap<String, T>, name: String) -> &mut T {
    let has_room = entries.len() < NAMES_MAX || entries.contains_key(&name);
    let name = if has_room { name } else { OTHERS.to_owned() };
    entries.entry(name).or_default()
}
