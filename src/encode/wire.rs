//! Incidents on their way back from bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::correlation::CorrelationId;
use crate::incident::{AttributeValue, CloseReason, Evidence, Incident, Status};
use crate::record::Hash;
use crate::time::Millis;

/// Why bytes could not be read as an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// They begin with no mark of Avro's encodings, and are no JSON object.
    NotSingleObject,
    /// They were written with a schema that this program does not know, with this fingerprint.
    UnknownSchema([u8; 8]),
    /// They do not follow the schema that they name, or are not as incidents are in JSON.
    Broken(String),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unreadable::NotSingleObject => f.write_str(
                "not an incident in Avro (single-object encoding, C3 01 .., or as a registry's \
                 serializers write it), nor in JSON",
            ),
            Unreadable::UnknownSchema(fingerprint) => write!(
                f,
                "written with a schema unknown to this version of watchfire (fingerprint \
                 {:016x}): read it with the version that wrote it, or a newer one",
                u64::from_le_bytes(*fingerprint)
            ),
            Unreadable::Broken(reason) => write!(f, "does not follow its schema: {reason}"),
        }
    }
}

impl std::error::Error for Unreadable {}

/// An incident as it is read. What is derived from other fields is not.
#[derive(Deserialize)]
pub struct Wire {
    incident_id: String,
    revision: i64,
    status: String,
    rule_id: String,
    rule_name: String,
    rule_fingerprint: String,
    severity: u8,
    category: String,
    subcategory: String,
    impacts: String,
    tactics: Vec<String>,
    techniques: Vec<String>,
    title: String,
    window_ms: i64,
    first_seen: Millis,
    last_seen: Millis,
    event_count: u64,
    trigger_count: u64,
    attributes: BTreeMap<String, WireValue>,
    evidence: Vec<WireEvidence>,
    late: bool,
    close_reason: Option<String>,
    replaced_by: Option<String>,
    replaces: Vec<String>,
    truncated: bool,
    /// Lines that were written before there was such a field do not have it.
    #[serde(default)]
    test: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireValue {
    Number(f64),
    Text(String),
    Null,
}

#[derive(Deserialize)]
struct WireEvidence {
    pattern: String,
    topic: String,
    partition: i32,
    offset: i64,
    index: u32,
    time: Millis,
    event_type: Option<String>,
    correlation_id: Option<String>,
    resource_id: Option<String>,
    record_hash: String,
}

impl Wire {
    /// The incident.
    ///
    /// # Errors
    ///
    /// A hash or a symbol is none.
    pub fn into_incident(self) -> Result<Incident, Unreadable> {
        Ok(Incident {
            incident_id: hash(&self.incident_id)?,
            revision: self.revision,
            status: named(&Status::ALL, Status::name, &self.status)?,
            rule_id: self.rule_id.into(),
            rule_name: self.rule_name.into(),
            rule_fingerprint: hash(&self.rule_fingerprint)?,
            severity: self.severity,
            category: self.category.into(),
            subcategory: self.subcategory.into(),
            impacts: self.impacts.into(),
            tactics: self.tactics.into_iter().map(Arc::from).collect(),
            techniques: self.techniques.into_iter().map(Arc::from).collect(),
            title: self.title,
            window_ms: self.window_ms,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            event_count: self.event_count,
            trigger_count: self.trigger_count,
            attributes: self
                .attributes
                .into_iter()
                .map(WireValue::attribute)
                .collect(),
            evidence: self
                .evidence
                .into_iter()
                .map(WireEvidence::into_evidence)
                .collect::<Result<_, _>>()?,
            late: self.late,
            close_reason: self
                .close_reason
                .map(|name| named(&CloseReason::ALL, CloseReason::name, &name))
                .transpose()?,
            replaced_by: self.replaced_by.as_deref().map(hash).transpose()?,
            replaces: self
                .replaces
                .iter()
                .map(|id| hash(id))
                .collect::<Result<_, _>>()?,
            truncated: self.truncated,
            test: self.test,
        })
    }
}

impl WireValue {
    fn attribute((name, value): (String, WireValue)) -> (Arc<str>, AttributeValue) {
        let value = match value {
            WireValue::Null => AttributeValue::Null,
            WireValue::Text(text) => AttributeValue::Text(text),
            WireValue::Number(number) => AttributeValue::Number(number),
        };
        (name.into(), value)
    }
}

impl WireEvidence {
    fn into_evidence(self) -> Result<Evidence, Unreadable> {
        Ok(Evidence {
            pattern: self.pattern.into(),
            topic: self.topic.into(),
            partition: self.partition,
            offset: self.offset,
            index: self.index,
            time: self.time,
            event_type: self.event_type.map(Arc::from),
            correlation_id: self.correlation_id.as_deref().map(CorrelationId::from),
            resource_id: self.resource_id.map(Arc::from),
            record_hash: hash(&self.record_hash)?,
        })
    }
}

fn named<T: Copy>(all: &[T], name: fn(T) -> &'static str, text: &str) -> Result<T, Unreadable> {
    let found = all.iter().copied().find(|one| name(*one) == text);
    found.ok_or_else(|| Unreadable::Broken(format!("no symbol is called \"{text}\"")))
}

/// A hash from its hex form. Empty, as the schema's default has it, is the hash of zeros.
fn hash(text: &str) -> Result<Hash, Unreadable> {
    if text.is_empty() {
        return Ok(Hash::default());
    }
    let number = match text.len() {
        32 => u128::from_str_radix(text, 16).ok(),
        _ => None,
    };
    let wrong = || Unreadable::Broken(format!("not a hash of 32 hex digits: \"{text}\""));
    number
        .map(|number| Hash(number.to_be_bytes()))
        .ok_or_else(wrong)
}
