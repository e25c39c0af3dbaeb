//! The fields of a published incident, free of any encoding.

use std::sync::Arc;

use crate::correlation::CorrelationId;
use crate::incident::{AttributeValue, CloseReason, Evidence, Incident, SEVERITY_BANDS, Status};
use crate::time::Millis;

/// The categories of the schema; the last one stands for any other.
pub const CATEGORIES: [&str; 5] = ["Availability", "Performance", "Change", "Security", "Other"];

/// A value to be written, of one of the kinds that the schema has.
#[derive(Clone, Debug, PartialEq)]
pub enum Field<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Time(Millis),
    Text(&'a str),
    /// A text made for the publication.
    Made(String),
    /// A symbol of an enum: its place in the schema and its name.
    Symbol(usize, &'static str),
    /// A value of a union: its branch in the schema and the value.
    Branch(usize, Box<Field<'a>>),
    List(Vec<Field<'a>>),
    /// In order of name.
    Map(Vec<(&'a str, Field<'a>)>),
    /// In the order of the schema.
    Record(Vec<(&'static str, Field<'a>)>),
}

/// The fields of `incident`, in the order of the schema.
pub fn of_incident(incident: &Incident) -> Vec<(&'static str, Field<'_>)> {
    let split = incident.split();
    vec![
        ("incident_id", Field::Made(incident.incident_id.to_string())),
        ("revision", Field::Integer(incident.revision)),
        ("status", status(incident.status)),
        ("rule_id", Field::Text(&incident.rule_id)),
        ("rule_name", Field::Text(&incident.rule_name)),
        (
            "rule_fingerprint",
            Field::Made(incident.rule_fingerprint.to_string()),
        ),
        ("severity", Field::Integer(i64::from(incident.severity))),
        (
            "severity_band",
            symbol(&SEVERITY_BANDS, incident.severity_band()),
        ),
        ("category", symbol(&CATEGORIES, &incident.category)),
        ("subcategory", Field::Text(&incident.subcategory)),
        ("impacts", Field::Text(&incident.impacts)),
        ("tactics", texts(&incident.tactics)),
        ("techniques", texts(&incident.techniques)),
        ("title", Field::Text(&incident.title)),
        ("window_ms", Field::Integer(incident.window_ms)),
        ("first_seen", Field::Time(incident.first_seen)),
        ("last_seen", Field::Time(incident.last_seen)),
        ("event_count", count(incident.event_count)),
        ("trigger_count", count(incident.trigger_count)),
        ("attributes", attributes(incident)),
        ("source", text_map(split.source)),
        ("target", text_map(split.target)),
        ("detail", text_map(split.detail)),
        (
            "evidence",
            Field::List(incident.evidence.iter().map(evidence).collect()),
        ),
        ("late", Field::Bool(incident.late)),
        (
            "close_reason",
            optional(incident.close_reason.map(close_reason)),
        ),
        (
            "replaced_by",
            optional(incident.replaced_by.map(|id| Field::Made(id.to_string()))),
        ),
        (
            "replaces",
            Field::List(
                incident
                    .replaces
                    .iter()
                    .map(|id| Field::Made(id.to_string()))
                    .collect(),
            ),
        ),
        ("truncated", Field::Bool(incident.truncated)),
        ("test", Field::Bool(incident.test)),
    ]
}

/// What is published of an event.
pub fn evidence(evidence: &Evidence) -> Field<'_> {
    Field::Record(vec![
        ("pattern", Field::Text(&evidence.pattern)),
        ("topic", Field::Text(&evidence.topic)),
        ("partition", Field::Integer(i64::from(evidence.partition))),
        ("offset", Field::Integer(evidence.offset)),
        ("index", Field::Integer(i64::from(evidence.index))),
        ("time", Field::Time(evidence.time)),
        (
            "event_type",
            optional(evidence.event_type.as_deref().map(Field::Text)),
        ),
        (
            "correlation_id",
            optional(evidence.correlation_id.as_ref().map(correlation_id)),
        ),
        (
            "resource_id",
            optional(evidence.resource_id.as_deref().map(Field::Text)),
        ),
        ("record_hash", Field::Made(evidence.record_hash.to_string())),
    ])
}

fn correlation_id(id: &CorrelationId) -> Field<'_> {
    match id {
        CorrelationId::Text(text) => Field::Text(text),
        CorrelationId::Guid(_) => Field::Made(id.to_string()),
    }
}

fn attributes(incident: &Incident) -> Field<'_> {
    let entry = |(name, value)| {
        let value = match value {
            &AttributeValue::Null => Field::Branch(0, Box::new(Field::Null)),
            AttributeValue::Text(text) => Field::Branch(1, Box::new(Field::Text(text))),
            &AttributeValue::Number(number) => Field::Branch(2, Box::new(Field::Number(number))),
        };
        (name, value)
    };
    Field::Map(
        incident
            .sorted_attributes()
            .into_iter()
            .map(entry)
            .collect(),
    )
}

fn text_map<'a>(entries: Vec<(&'a str, String)>) -> Field<'a> {
    Field::Map(
        entries
            .into_iter()
            .map(|(name, text)| (name, Field::Made(text)))
            .collect(),
    )
}

fn texts(list: &[Arc<str>]) -> Field<'_> {
    Field::List(list.iter().map(|text| Field::Text(text)).collect())
}

fn optional(value: Option<Field<'_>>) -> Field<'_> {
    match value {
        None => Field::Branch(0, Box::new(Field::Null)),
        Some(value) => Field::Branch(1, Box::new(value)),
    }
}

fn status(status: Status) -> Field<'static> {
    Field::Symbol(status as usize, status.name())
}

fn close_reason(reason: CloseReason) -> Field<'static> {
    Field::Symbol(reason as usize, reason.name())
}

/// The symbol called `name`, or the last one.
fn symbol(symbols: &[&'static str], name: &str) -> Field<'static> {
    let last = symbols.len().saturating_sub(1);
    let place = symbols
        .iter()
        .position(|symbol| *symbol == name)
        .unwrap_or(last);
    Field::Symbol(place, symbols.get(place).copied().unwrap_or_default())
}

/// A number of events.
pub fn count(count: u64) -> Field<'static> {
    Field::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}
