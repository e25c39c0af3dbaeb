//! Incidents as they are published.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bounded;
use crate::correlation::CorrelationId;
use crate::record::Hash;
use crate::time::Millis;

/// What a publication says of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// New, or again an incident after a retraction.
    Open,
    /// Still open, and a field changed.
    Updated,
    /// Over; said again if a late event changes it.
    Closed,
    /// A late event took away what it rested on, or merged it into another.
    Retracted,
}

impl Status {
    /// All, in the order of the schema's symbols.
    pub const ALL: [Status; 4] = [
        Status::Open,
        Status::Updated,
        Status::Closed,
        Status::Retracted,
    ];

    /// Its symbol in the schema.
    pub fn name(self) -> &'static str {
        match self {
            Status::Open => "OPEN",
            Status::Updated => "UPDATED",
            Status::Closed => "CLOSED",
            Status::Retracted => "RETRACTED",
        }
    }
}

/// Why an incident was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloseReason {
    /// The rule is no longer in force.
    RuleRemoved,
    /// The rule's clear pattern held.
    Clear,
    /// A UTC midnight came.
    EndOfDay,
    /// No trigger for the rule's quiet time.
    Quiet,
    /// A version to which rules mean something else has begun anew.
    BegunAnew,
}

impl CloseReason {
    /// All, in the order of the schema's symbols.
    pub const ALL: [CloseReason; 5] = [
        CloseReason::RuleRemoved,
        CloseReason::Clear,
        CloseReason::EndOfDay,
        CloseReason::Quiet,
        CloseReason::BegunAnew,
    ];

    /// Its symbol in the schema.
    pub fn name(self) -> &'static str {
        match self {
            CloseReason::RuleRemoved => "RULE_REMOVED",
            CloseReason::Clear => "CLEAR",
            CloseReason::EndOfDay => "END_OF_DAY",
            CloseReason::Quiet => "QUIET",
            CloseReason::BegunAnew => "BEGUN_ANEW",
        }
    }
}

/// The value of an incident attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AttributeValue {
    /// Absent in the events.
    Null,
    /// A group-by value, in ASCII lower case.
    Text(String),
    /// An aggregate.
    Number(f64),
}

/// An event that an incident rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Name of the pattern it matched.
    pub pattern: Arc<str>,
    /// Source topic; in a backtest of files the file's name.
    pub topic: Arc<str>,
    /// Partition of the source topic; 0 for a file.
    pub partition: i32,
    /// Kafka offset; in a file the line, from 0.
    pub offset: i64,
    /// Place of the record in its message, from 0.
    pub index: u32,
    /// When the event happened, as the record says.
    pub time: Millis,
    /// FortiSIEM's eventType; `None`: the event has none.
    pub event_type: Option<Arc<str>>,
    /// Azure's correlationId, which the records of one action share; `None`: absent.
    pub correlation_id: Option<CorrelationId>,
    /// Azure resource that was acted on; `None`: absent.
    pub resource_id: Option<Arc<str>>,
    /// BLAKE3 (128 bits) of the record's bytes as received.
    pub record_hash: Hash,
}

/// One publication of an incident: all fields of schemas/incident.avsc.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// The same in a live run, a replay and a backtest.
    pub incident_id: Hash,
    /// Grows with every publication of an id; 0 in a backtest.
    pub revision: i64,
    /// What this publication says of it.
    pub status: Status,
    /// `PH_Rule_..`, the id of the rule that found it.
    pub rule_id: Arc<str>,
    /// What the rule looks for, in a few words.
    pub rule_name: Arc<str>,
    /// Hash of the rule's meaning: all that decides what it finds.
    pub rule_fingerprint: Hash,
    /// 1..=10.
    pub severity: u8,
    /// Name of one of FortiSIEM's categories.
    pub category: Arc<str>,
    /// FortiSIEM's finer kind, usually a MITRE ATT&CK tactic by name.
    pub subcategory: Arc<str>,
    /// What is affected: Server, Network, Application, ..
    pub impacts: Arc<str>,
    /// MITRE ATT&CK tactic ids, e.g. TA0002.
    pub tactics: Vec<Arc<str>>,
    /// MITRE ATT&CK technique ids, e.g. T1059.006.
    pub techniques: Vec<Arc<str>>,
    /// One line for people, with the attributes filled in.
    pub title: String,
    /// The rule's window, in milliseconds.
    pub window_ms: i64,
    /// Second of the first trigger, in event time.
    pub first_seen: Millis,
    /// Second of the last trigger, in event time.
    pub last_seen: Millis,
    /// Distinct events that it rests on.
    pub event_count: u64,
    /// Windows in which the rule triggered.
    pub trigger_count: u64,
    /// In the rule's order.
    pub attributes: Vec<(Arc<str>, AttributeValue)>,
    /// The first events of each pattern, in order of time.
    pub evidence: Vec<Evidence>,
    /// It rests on events that came later than the rule's lateness, and was found apart.
    pub late: bool,
    /// Why it is over; `None` while it is not.
    pub close_reason: Option<CloseReason>,
    /// For a retracted one, the incident that it became part of, if any.
    pub replaced_by: Option<Hash>,
    /// Incidents that became part of this one and were retracted with this publication.
    pub replaces: Vec<Hash>,
    /// Something of it is cut: a value, the title, or what would have made it too large.
    pub truncated: bool,
    /// Its rule is under test.
    pub test: bool,
}

/// FortiSIEM's words for severities, in the order of the schema's symbols.
pub const SEVERITY_BANDS: [&str; 3] = ["LOW", "MEDIUM", "HIGH"];

/// FortiSIEM's word for a severity: 1 to 4 LOW, 5 to 8 MEDIUM, 9 and 10 HIGH.
pub fn severity_band(severity: u8) -> &'static str {
    match severity {
        0..=4 => "LOW",
        5..=8 => "MEDIUM",
        _ => "HIGH",
    }
}

/// Attributes that say who or what acted.
const SOURCE: [&str; 4] = ["srcIpAddr", "srcName", "srcUser", "user"];

/// Attributes that say what was acted on.
const TARGET: [&str; 5] = [
    "destIpAddr",
    "destName",
    "hostIpAddr",
    "hostName",
    "targetUser",
];

/// What an attribute says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who or what acted.
    Source,
    /// What was acted on.
    Target,
    /// Something else.
    Detail,
}

impl Side {
    /// What the attribute of this name says, without regard to ASCII case. `user` is who acted.
    pub fn of(name: &str) -> Side {
        let is_in = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        if is_in(&SOURCE) {
            Side::Source
        } else if is_in(&TARGET) {
            Side::Target
        } else {
            Side::Detail
        }
    }
}

/// An incident's attributes with a value, as text, by what they say. Each in order of name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split<'a> {
    /// Who or what acted.
    pub source: Vec<(&'a str, String)>,
    /// What was acted on.
    pub target: Vec<(&'a str, String)>,
    /// All the rest.
    pub detail: Vec<(&'a str, String)>,
}

impl Incident {
    /// FortiSIEM's word for the severity.
    pub fn severity_band(&self) -> &'static str {
        severity_band(self.severity)
    }

    /// The attributes in order of name, which does not depend on how the rule was written.
    pub fn sorted_attributes(&self) -> Vec<(&str, &AttributeValue)> {
        let mut sorted: Vec<_> = self
            .attributes
            .iter()
            .map(|(name, value)| (&**name, value))
            .collect();
        sorted.sort_by_key(|(name, _)| *name);
        sorted
    }

    /// The attributes split as FortiSIEM splits them. What the events did not have is left out.
    pub fn split(&self) -> Split<'_> {
        let mut split = Split::default();
        for (name, value) in self.sorted_attributes() {
            let text = match value {
                AttributeValue::Null => continue,
                AttributeValue::Text(text) => text.clone(),
                AttributeValue::Number(number) => number.to_string(),
            };
            match Side::of(name) {
                Side::Source => split.source.push((name, text)),
                Side::Target => split.target.push((name, text)),
                Side::Detail => split.detail.push((name, text)),
            }
        }
        split
    }
}

/// What a text takes beside its bytes.
const TEXT_BYTES: usize = 8;

/// What the numbers, times, symbols and hashes of an incident take.
const FIXED_BYTES: usize = 400;

/// What those of an evidence take.
const EVIDENCE_BYTES: usize = 96;

/// The longest name of a topic. Shorter ones count as much, since a backtest has other topics.
const TOPIC_BYTES: usize = 249;

/// What an id among those that were replaced takes.
const REPLACED_BYTES: usize = 40;

fn text_bytes(text: &str) -> usize {
    text.len() + TEXT_BYTES
}

impl Evidence {
    fn bytes(&self) -> usize {
        let texts = [&self.event_type, &self.resource_id].into_iter().flatten();
        let correlation_id = self.correlation_id.as_ref();
        EVIDENCE_BYTES
            + text_bytes(&self.pattern)
            + self.topic.len().max(TOPIC_BYTES)
            + texts.map(|text| text_bytes(text)).sum::<usize>()
            + correlation_id.map_or(0, |id| id.bytes() + TEXT_BYTES)
    }
}

/// What an attribute takes: it is written twice, the second time as source, target or detail.
fn attribute_bytes(name: &str, value: &AttributeValue) -> usize {
    2 * (text_bytes(name) + text_bytes(&value.to_string()))
}

impl Incident {
    /// Bytes that it takes, at most: in Avro, whatever its revision and wherever the same events
    /// are read.
    pub fn bytes(&self) -> usize {
        let texts = [
            &self.rule_id,
            &self.rule_name,
            &self.subcategory,
            &self.impacts,
        ];
        let texts = texts
            .into_iter()
            .chain(&self.tactics)
            .chain(&self.techniques);
        FIXED_BYTES
            + text_bytes(&self.title)
            + texts.map(|text| text_bytes(text)).sum::<usize>()
            + self
                .attributes
                .iter()
                .map(|(name, value)| attribute_bytes(name, value))
                .sum::<usize>()
            + self.evidence.iter().map(Evidence::bytes).sum::<usize>()
            + self.replaces.len() * REPLACED_BYTES
    }

    /// Cuts what is too much for `bytes_max`: first evidence, the last first, then ids of what it
    /// replaces, then attributes, then tactics and techniques.
    pub fn fit(&mut self, bytes_max: usize) {
        let mut bytes = self.bytes();
        if bytes <= bytes_max {
            return;
        }
        self.truncated = true;
        while bytes > bytes_max
            && let Some(last) = self.evidence.pop()
        {
            bytes -= last.bytes();
        }
        let too_many = bytes.saturating_sub(bytes_max).div_ceil(REPLACED_BYTES);
        let replaced = self.replaces.len();
        self.replaces.truncate(replaced.saturating_sub(too_many));
        bytes -= (replaced - self.replaces.len()) * REPLACED_BYTES;
        while bytes > bytes_max
            && let Some((name, value)) = self.attributes.pop()
        {
            bytes -= attribute_bytes(&name, &value);
        }
        for list in [&mut self.techniques, &mut self.tactics] {
            while bytes > bytes_max
                && let Some(last) = list.pop()
            {
                bytes -= text_bytes(&last);
            }
        }
    }

    /// Whether a value in it was too long and is cut.
    pub fn has_cut_text(&self) -> bool {
        let attributes = self.attributes.iter().filter_map(|(_, value)| match value {
            AttributeValue::Text(text) => Some(text),
            AttributeValue::Null | AttributeValue::Number(_) => None,
        });
        let evidence = self.evidence.iter().flat_map(|evidence| {
            let correlation_id = match &evidence.correlation_id {
                Some(CorrelationId::Text(text)) => Some(text),
                Some(CorrelationId::Guid(_)) | None => None,
            };
            let texts = [&evidence.event_type, &evidence.resource_id];
            texts.into_iter().flatten().chain(correlation_id)
        });
        attributes.into_iter().any(|text| bounded::is_cut(text))
            || evidence.into_iter().any(|text| bounded::is_cut(text))
    }
}

impl std::fmt::Display for AttributeValue {
    /// As titles show it: nothing where the events had nothing.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AttributeValue::Null => Ok(()),
            AttributeValue::Text(text) => f.write_str(text),
            AttributeValue::Number(number) => write!(f, "{number}"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
