//! The latest incidents, as they are shown: texts are cut, and few of their lists is listed.

use serde_json::{Map, Value, json};

use super::cut;
use crate::incident::{AttributeValue, CloseReason, Evidence, Incident};
use crate::io::latest::{Latest, Said};

/// So many events of an incident are listed.
const EVIDENCE_MAX: usize = 10;

/// So many of its attributes.
const ATTRIBUTES_MAX: usize = 20;

/// So many tactics, and techniques.
const ATTACKS_MAX: usize = 16;

/// The newest first.
pub fn listed(latest: &Latest) -> Value {
    latest.each().map(listed_one).collect()
}

fn listed_one(Said { at, incident }: &Said) -> Value {
    let Incident {
        incident_id,
        revision,
        status,
        rule_id,
        rule_name,
        severity,
        title,
        first_seen,
        last_seen,
        event_count,
        ..
    } = &**incident;
    let evidence = incident.evidence.iter().take(EVIDENCE_MAX);
    let names = |all: &[std::sync::Arc<str>]| {
        let all = all.iter().take(ATTACKS_MAX).map(|name| cut(name));
        all.collect::<Vec<_>>()
    };
    json!({
        "published": at,
        "incident_id": incident_id.to_string(),
        "revision": revision,
        "status": status.name(),
        "rule_id": cut(rule_id),
        "rule_name": cut(rule_name),
        "severity": severity,
        "title": cut(title),
        "first_seen": first_seen,
        "last_seen": last_seen,
        "event_count": event_count,
        "tactics": names(&incident.tactics),
        "techniques": names(&incident.techniques),
        "attributes": attributes(incident),
        "evidence": evidence.map(event).collect::<Vec<_>>(),
        "evidence_total": incident.evidence.len(),
        "late": incident.late,
        "close_reason": incident.close_reason.map(CloseReason::name),
        "truncated": incident.truncated,
    })
}

fn attributes(incident: &Incident) -> Map<String, Value> {
    let attributes = incident.sorted_attributes().into_iter();
    let attributes = attributes.take(ATTRIBUTES_MAX).map(|(name, value)| {
        let value = match value {
            AttributeValue::Null => Value::Null,
            AttributeValue::Text(text) => cut(text).into(),
            AttributeValue::Number(number) => (*number).into(),
        };
        (cut(name), value)
    });
    attributes.collect()
}

fn event(evidence: &Evidence) -> Value {
    let Evidence {
        pattern,
        topic,
        partition,
        offset,
        index,
        time,
        event_type,
        correlation_id,
        resource_id,
        record_hash,
    } = evidence;
    json!({
        "pattern": cut(pattern),
        "topic": cut(topic),
        "partition": partition,
        "offset": offset,
        "index": index,
        "time": time,
        "event_type": event_type.as_deref().map(cut),
        "correlation_id": correlation_id.as_ref().map(|id| cut(&id.to_string())),
        "resource_id": resource_id.as_deref().map(cut),
        "record_hash": record_hash.to_string(),
    })
}
