//! Incidents as they are published.

use serde::{Deserialize, Serialize};

use crate::record::Hash;
use crate::time::Millis;

/// What a publication says of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Open,
    Updated,
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
    RuleRemoved,
    Clear,
    EndOfDay,
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
    pub partition: i32,
    /// Kafka offset; in a file the line, from 0.
    pub offset: i64,
    /// Place of the record in its message, from 0.
    pub index: u32,
    pub time: Millis,
    pub event_type: Option<String>,
    pub correlation_id: Option<String>,
    pub resource_id: Option<String>,
    /// BLAKE3 (128 bits) of the record's bytes as received.
    pub record_hash: Hash,
}

/// One publication of an incident: all fields of schemas/incident.avsc.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    pub incident_id: Hash,
    pub revision: i64,
    pub status: Status,
    pub rule_id: String,
    pub rule_name: String,
    pub rule_fingerprint: Hash,
    /// 1..=10.
    pub severity: u8,
    pub category: String,
    pub subcategory: String,
    pub impacts: String,
    pub tactics: Vec<String>,
    pub techniques: Vec<String>,
    pub title: String,
    pub window_ms: i64,
    pub first_seen: Millis,
    pub last_seen: Millis,
    pub event_count: u64,
    pub trigger_count: u64,
    /// In the rule's order.
    pub attributes: Vec<(String, AttributeValue)>,
    pub evidence: Vec<Evidence>,
    pub late: bool,
    pub close_reason: Option<CloseReason>,
    pub replaced_by: Option<Hash>,
    pub replaces: Vec<Hash>,
}

/// FortiSIEM's words for severities, in the order of the schema's symbols.
pub const SEVERITY_BANDS: [&str; 3] = ["LOW", "MEDIUM", "HIGH"];

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
    /// FortiSIEM's word for the severity: 1 to 4 LOW, 5 to 8 MEDIUM, 9 and 10 HIGH.
    pub fn severity_band(&self) -> &'static str {
        match self.severity {
            0..=4 => "LOW",
            5..=8 => "MEDIUM",
            _ => "HIGH",
        }
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
