//! Incidents as they are published.

use serde::{Deserialize, Serialize};

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
}

impl CloseReason {
    /// All, in the order of the schema's symbols.
    pub const ALL: [CloseReason; 4] = [
        CloseReason::RuleRemoved,
        CloseReason::Clear,
        CloseReason::EndOfDay,
        CloseReason::Quiet,
    ];

    /// Its symbol in the schema.
    pub fn name(self) -> &'static str {
        match self {
            CloseReason::RuleRemoved => "RULE_REMOVED",
            CloseReason::Clear => "CLEAR",
            CloseReason::EndOfDay => "END_OF_DAY",
            CloseReason::Quiet => "QUIET",
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
    pub pattern: String,
    /// Source topic; in a backtest of files the file's name.
    pub topic: String,
    /// Partition of the source topic; 0 for a file.
    pub partition: i32,
    /// Kafka offset; in a file the line, from 0.
    pub offset: i64,
    /// Place of the record in its message, from 0.
    pub index: u32,
    /// When the event happened, as the record says.
    pub time: Millis,
    /// FortiSIEM's eventType; `None`: the event has none.
    pub event_type: Option<String>,
    /// Azure's correlationId, which the records of one action share; `None`: absent.
    pub correlation_id: Option<String>,
    /// Azure resource that was acted on; `None`: absent.
    pub resource_id: Option<String>,
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
    pub rule_id: String,
    /// What the rule looks for, in a few words.
    pub rule_name: String,
    /// Hash of the rule's meaning: all that decides what it finds.
    pub rule_fingerprint: Hash,
    /// 1..=10.
    pub severity: u8,
    /// Name of one of FortiSIEM's categories.
    pub category: String,
    /// FortiSIEM's finer kind, usually a MITRE ATT&CK tactic by name.
    pub subcategory: String,
    /// What is affected: Server, Network, Application, ..
    pub impacts: String,
    /// MITRE ATT&CK tactic ids, e.g. TA0002.
    pub tactics: Vec<String>,
    /// MITRE ATT&CK technique ids, e.g. T1059.006.
    pub techniques: Vec<String>,
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
    pub attributes: Vec<(String, AttributeValue)>,
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
            .map(|(name, value)| (name.as_str(), value))
            .collect();
        sorted.sort_by_key(|(name, _)| *name);
        sorted
    }

    /// The attributes split as FortiSIEM splits them, names without regard to ASCII case. `user`
    /// is who acted. What the events did not have is left out.
    pub fn split(&self) -> Split<'_> {
        let mut split = Split::default();
        for (name, value) in self.sorted_attributes() {
            let text = match value {
                AttributeValue::Null => continue,
                AttributeValue::Text(text) => text.clone(),
                AttributeValue::Number(number) => number.to_string(),
            };
            let is_in = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
            if is_in(&SOURCE) {
                split.source.push((name, text));
            } else if is_in(&TARGET) {
                split.target.push((name, text));
            } else {
                split.detail.push((name, text));
            }
        }
        split
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
