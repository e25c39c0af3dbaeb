//! The `tests` of a rule: events, and the incidents that they should make.

use std::collections::HashSet;

use super::bounds::EXAMPLES_MAX;
use super::nearest::shown;
use super::reader::{Fields, Reader};
use super::yaml::{Content, Node};
use super::{RuleTest, json, nearest};

/// The fields of an incident that a test may state, besides the incident's attributes.
pub const FIELDS: &[&str] = &[
    "title",
    "severity",
    "severity_band",
    "first_seen",
    "last_seen",
    "event_count",
    "trigger_count",
];

/// The keys of a test.
pub const KEYS: &[&str] = &["name", "events", "incidents"];

/// Reads them; `attributes` are the names of the incident's attributes.
pub fn read(reader: &mut Reader<'_>, fields: Fields<'_>, attributes: &[String]) -> Vec<RuleTest> {
    let items = reader.list(fields, "tests", "a list of tests", EXAMPLES_MAX);
    let known: Vec<&str> = FIELDS
        .iter()
        .copied()
        .chain(attributes.iter().map(String::as_str))
        .collect();
    let known = Known {
        names: &known,
        set: known.iter().copied().collect(),
    };
    items
        .iter()
        .filter_map(|node| test(reader, node, &known))
        .collect()
}

/// What a test may state of an incident.
struct Known<'k> {
    /// In their order.
    names: &'k [&'k str],
    set: HashSet<&'k str>,
}

fn test(reader: &mut Reader<'_>, node: &Node, known: &Known<'_>) -> Option<RuleTest> {
    let fields = reader.fields(node, "a test, a mapping", KEYS)?;
    let name = reader
        .require(fields, "name")
        .and_then(|node| reader.text(node, "text"));
    for key in ["events", "incidents"] {
        reader.require(fields, key);
    }
    let events = reader.list(fields, "events", "a list of records", EXAMPLES_MAX);
    let events = events
        .iter()
        .filter_map(|node| event(reader, node))
        .collect();
    let incidents = reader.list(fields, "incidents", "a list of incidents", EXAMPLES_MAX);
    let incidents = incidents
        .iter()
        .map(|node| incident(reader, node, known))
        .collect();
    Some(RuleTest {
        name: name?.to_string(),
        events,
        incidents,
    })
}

/// The record as JSON text.
fn event(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    match &node.content {
        Content::Mapping(_) => Some(json::of(node).to_string()),
        Content::Scalar(_) | Content::Sequence(_) => {
            reader.error(node.at, "expected a record as Azure sends it, a mapping");
            None
        }
    }
}

fn incident(
    reader: &mut Reader<'_>,
    node: &Node,
    known: &Known<'_>,
) -> Vec<(String, serde_json::Value)> {
    let mut stated = Vec::new();
    for (key, value) in reader.entries(node, "an incident, a mapping", EXAMPLES_MAX) {
        if reader.is_full() {
            break;
        }
        if known.set.contains(key.text.as_str()) {
            stated.push((key.text.clone(), json::of(value)));
        } else {
            let hint = nearest::hint(&key.text, known.names);
            let name = shown(&key.text);
            reader.error(key.at, format!("incidents have no `{name}`{hint}"));
        }
    }
    stated
}
