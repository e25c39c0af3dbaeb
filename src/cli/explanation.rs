//! Why a rule triggers, for the eyes of a person, and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::escape;
use crate::event::{AttributeId, Attributes};
use crate::explain::{GroupExplained, KeyExplained, PaneExplained};
use crate::record::Position;
use crate::rehearsal::brief;
use crate::rule::{Pattern, Rule, print};
use crate::time::{Millis, Second, rfc3339};

/// What a rule makes of events.
pub struct Explanation {
    /// The rule, whose attributes have their places in `attributes`.
    pub rule: Rule,
    /// The attributes that it uses.
    pub attributes: Attributes,
    /// In their order.
    pub events: Vec<Seen>,
    /// The windows and triggers of each join key.
    pub keys: Vec<KeyExplained>,
    /// As JSON, by time.
    pub incidents: Vec<Value>,
}

/// A record of the events.
pub struct Seen {
    /// Its offset is the event's place among them.
    pub position: Position,
    /// What the rule sees, or why the record is refused.
    pub outcome: Result<Sight, String>,
}

/// What a rule sees of an event.
pub struct Sight {
    /// Event time.
    pub time: Millis,
    /// What is shown of it: names and values.
    pub values: Vec<(String, Value)>,
    /// The places of the patterns whose filter it passes.
    pub patterns: Vec<u32>,
}

/// The explanation as lines: the events, where each pattern holds, where the condition triggers,
/// and the incidents.
pub fn lines(explained: &Explanation) -> Vec<String> {
    let mut lines = vec!["events:".to_owned()];
    let rows = explained
        .events
        .iter()
        .map(|event| event_row(explained, event));
    lines.extend(indented(aligned(rows.collect())));
    for (place, pattern) in explained.rule.patterns.iter().enumerate() {
        lines.push(format!("pattern {}:", heading(explained, pattern)));
        let groups = explained.keys.iter().flat_map(|key| &key.groups);
        let mut has_match = false;
        for group in groups.filter(|group| group.pattern == place) {
            has_match = true;
            lines.extend(indented(group_lines(explained, pattern, group)));
        }
        if !has_match {
            lines.push("  no event passes its filter".to_owned());
        }
    }
    let condition = explained.rule.condition_text(&explained.rule.condition);
    lines.push(format!("condition {condition}:"));
    lines.extend(indented(condition_lines(explained)));
    lines.push("incidents:".to_owned());
    lines.extend(indented(explained.incidents.iter().map(brief).collect()));
    if explained.incidents.is_empty() {
        lines.push("  none".to_owned());
    }
    lines
}

/// The same as JSON.
pub fn json(explained: &Explanation) -> Value {
    let groups = explained.keys.iter().flat_map(|key| &key.groups);
    let triggers = explained.keys.iter().flat_map(|key| {
        let named = |(t, trigger): (&Second, &crate::fold::key::stored::Trigger)| {
            json!({ "key": key_values(explained, key), "first": at(trigger.first), "last": at(*t) })
        };
        key.triggers.iter().map(named).collect::<Vec<_>>()
    });
    json!({
        "events": explained.events.iter().map(|e| event_json(explained, e)).collect::<Vec<_>>(),
        "patterns": groups.map(|group| group_json(explained, group)).collect::<Vec<_>>(),
        "condition": explained.rule.condition_text(&explained.rule.condition),
        "triggers": triggers.collect::<Vec<_>>(),
        "incidents": explained.incidents,
    })
}

fn event_row(explained: &Explanation, event: &Seen) -> Vec<String> {
    let number = label(event.position);
    match &event.outcome {
        Err(reason) => vec![number, format!("refused: {reason}")],
        Ok(Sight {
            time,
            values,
            patterns,
        }) => {
            let names: Vec<&str> = patterns.iter().map(|p| name_of(explained, *p)).collect();
            let names = match names.is_empty() {
                true => "-".to_owned(),
                false => names.join("+"),
            };
            let values = values.iter().map(|(name, value)| format!("{name}={value}"));
            let values = values.collect::<Vec<_>>().join(" ");
            vec![number, rfc3339(*time), names, values]
        }
    }
}

fn event_json(explained: &Explanation, event: &Seen) -> Value {
    match &event.outcome {
        Err(reason) => json!({ "event": label(event.position), "refused": reason }),
        Ok(sight) => {
            let names = sight.patterns.iter().map(|p| name_of(explained, *p));
            json!({
                "event": label(event.position),
                "time": rfc3339(sight.time),
                "patterns": names.collect::<Vec<_>>(),
                "attributes": sight.values.iter().cloned().collect::<serde_json::Map<_, _>>(),
            })
        }
    }
}

/// What the pattern asks for, beside its filter.
fn heading(explained: &Explanation, pattern: &Pattern) -> String {
    let name = |id: AttributeId| print::name(&explained.attributes, id);
    let having = print::having(&pattern.having, &pattern.aggregates, &name);
    let list = |ids: &[AttributeId]| {
        ids.iter()
            .map(|id| name(*id))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut text = format!(
        "{}: {having} over {} s",
        pattern.name, explained.rule.window
    );
    if !pattern.group_by.is_empty() {
        text.push_str(&format!(", by {}", list(&pattern.group_by)));
    }
    if let Some(new) = &pattern.new {
        let period = format!("; [{}] new over {} s", list(&new.attributes), new.period);
        text.push_str(&period);
    }
    text
}

fn group_lines(explained: &Explanation, pattern: &Pattern, group: &GroupExplained) -> Vec<String> {
    let mut header = vec!["at".to_owned(), "events in window".to_owned()];
    header.extend(aggregate_names(explained, pattern));
    header.extend(pattern.new.as_ref().map(|_| "new".to_owned()));
    header.push("holds".to_owned());
    let yes = |truth| if truth { "yes" } else { "no" }.to_owned();
    let row = |pane: &PaneExplained| {
        let mut row = vec![at(pane.second), labels(&pane.events)];
        let value = |value: &Option<f64>| value.map_or("-".to_owned(), |v| v.to_string());
        row.extend(pane.values.iter().map(value));
        row.extend(pane.new.map(yes));
        row.push(yes(pane.holds()));
        row
    };
    let rows = std::iter::once(header).chain(group.panes.iter().map(row));
    let table = aligned(rows.collect());
    if group.group.is_empty() {
        return table;
    }
    let mut lines = vec![pairs(&group_values(explained, group))];
    lines.extend(indented(table));
    lines
}

fn group_json(explained: &Explanation, group: &GroupExplained) -> Value {
    let pattern = explained.rule.patterns.get(group.pattern);
    let names: Vec<String> =
        pattern.map_or(Vec::new(), |pattern| aggregate_names(explained, pattern));
    let pane = |pane: &PaneExplained| {
        let values: BTreeMap<_, _> = names.iter().zip(&pane.values).collect();
        json!({
            "at": at(pane.second),
            "events": pane.events.iter().map(|p| label(*p)).collect::<Vec<_>>(),
            "aggregates": values,
            "having": pane.having,
            "new": pane.new,
            "holds": pane.holds(),
        })
    };
    json!({
        "pattern": pattern.map(|pattern| pattern.name.as_str()),
        "group": group_values(explained, group).into_iter().collect::<BTreeMap<_, _>>(),
        "panes": group.panes.iter().map(pane).collect::<Vec<_>>(),
    })
}

fn condition_lines(explained: &Explanation) -> Vec<String> {
    let mut lines = Vec::new();
    for key in &explained.keys {
        let who = pairs(&key_values(explained, key).into_iter().collect::<Vec<_>>());
        let who = if who.is_empty() {
            String::new()
        } else {
            format!("{who} ")
        };
        if key.triggers.is_empty() {
            lines.push(format!("{who}never triggers"));
        }
        for (t, trigger) in &key.triggers {
            let from = match trigger.first == *t {
                true => String::new(),
                false => format!(", of what began at {}", at(trigger.first)),
            };
            lines.push(format!("{who}triggers at {}{from}", at(*t)));
        }
    }
    if lines.is_empty() {
        lines.push("never triggers".to_owned());
    }
    lines
}

fn key_values(explained: &Explanation, key: &KeyExplained) -> BTreeMap<String, Option<String>> {
    let names = explained.rule.join_key.iter().map(|part| part.name.clone());
    names.zip(key.values.iter().cloned()).collect()
}

fn group_values(explained: &Explanation, group: &GroupExplained) -> Vec<(String, Option<String>)> {
    let named = |(id, value): &(AttributeId, Option<String>)| {
        (print::name(&explained.attributes, *id), value.clone())
    };
    group.group.iter().map(named).collect()
}

fn pairs(values: &[(String, Option<String>)]) -> String {
    let pair = |(name, value): &(String, Option<String>)| format!("{name}={}", json!(value));
    values.iter().map(pair).collect::<Vec<_>>().join(" ")
}

fn aggregate_names(explained: &Explanation, pattern: &Pattern) -> Vec<String> {
    let name = |id: AttributeId| print::name(&explained.attributes, id);
    let aggregates = pattern.aggregates.iter();
    aggregates.map(|a| print::aggregate(a, &name)).collect()
}

fn name_of(explained: &Explanation, pattern: u32) -> &str {
    let pattern = explained.rule.patterns.get(pattern as usize);
    pattern.map_or("", |pattern| pattern.name.as_str())
}

/// A second of event time.
fn at(second: Second) -> String {
    rfc3339(second * 1000).replace(".000Z", "Z")
}

/// An event's number in the test, from 1; where it holds several records, also the record's.
fn label(position: Position) -> String {
    match position.index {
        0 => (position.offset + 1).to_string(),
        index => format!("{}.{}", position.offset + 1, index + 1),
    }
}

fn labels(positions: &[Position]) -> String {
    let labels = positions.iter().map(|position| label(*position));
    labels.collect::<Vec<_>>().join(" ")
}

/// Rows as lines, with each column as wide as its widest cell.
pub fn aligned(rows: Vec<Vec<String>>) -> Vec<String> {
    let escaped = |row: Vec<String>| {
        let cells = row.into_iter();
        cells
            .map(|cell| escape::value(&cell).into_owned())
            .collect()
    };
    let rows: Vec<Vec<String>> = rows.into_iter().map(escaped).collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(console::measure_text_width(cell));
        }
    }
    let line = |row: Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| {
            console::pad_str(cell, *width, console::Alignment::Left, None).into_owned()
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.into_iter().map(line).collect()
}

fn indented(lines: Vec<String>) -> impl Iterator<Item = String> {
    lines.into_iter().map(|line| format!("  {line}"))
}
