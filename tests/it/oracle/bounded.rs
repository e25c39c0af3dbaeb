//! Text of a bounded length, and incidents that are not too large.
//!
//! What is counted of an incident, whatever its revision and wherever its events were read: 400
//! bytes; a text's bytes and 8; of an attribute its name and value twice; of an evidence its texts
//! without the topic, 96, and 249 for the topic or its bytes, if they are more; 40 for an incident
//! that is replaced.

use std::sync::Arc;

use watchfire::incident::{AttributeValue, Evidence, Incident};
use watchfire::plan::LoadedRule;

/// A value as keys, matches and incidents have it.
pub fn value(text: &str) -> String {
    if text.len() <= 1024 {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if kept.len() + c.len_utf8() > 960 {
            break;
        }
        kept.push(c);
    }
    let folded: String = text.chars().map(|c| c.to_ascii_lowercase()).collect();
    let hash = blake3::hash(folded.as_bytes()).to_hex();
    format!("{kept}…#{}", &hash[..16])
}

/// Whether a value is one that [`value`] has cut: nothing else in the tests ends so.
fn is_cut(text: &str) -> bool {
    text.chars().rev().nth(16) == Some('#') && text.chars().rev().nth(17) == Some('…')
}

/// A title in full, as incidents have it.
pub fn title(text: &str) -> String {
    match text.chars().count() {
        0..=1000 => text.to_owned(),
        _ => text.chars().take(999).chain(['…']).collect(),
    }
}

/// Whether one of the incident's texts is cut; `title` is the one in full.
pub fn has_cut(incident: &Incident, title: &str) -> bool {
    let values = incident.attributes.iter().map(|(_, value)| match value {
        AttributeValue::Text(text) => is_cut(text),
        AttributeValue::Null | AttributeValue::Number(_) => false,
    });
    let evidence = incident.evidence.iter().flat_map(|e| {
        let correlation_id = e.correlation_id.as_ref().map(|id| id.to_string().into());
        [&e.event_type, &correlation_id, &e.resource_id]
            .map(|text| text.as_ref().is_some_and(|text| is_cut(text)))
    });
    values.chain(evidence).any(|cut| cut) || title.chars().count() > 1000
}

/// The incident without what is too much.
pub fn incident(mut incident: Incident, rule: &LoadedRule) -> Incident {
    let most = rule.settings.limits.message_bytes as usize;
    while bytes(&incident) > most {
        incident.truncated = true;
        let Incident {
            evidence,
            replaces,
            attributes,
            techniques,
            tactics,
            ..
        } = &mut incident;
        let gone = evidence.pop().is_some()
            || replaces.pop().is_some()
            || attributes.pop().is_some()
            || techniques.pop().is_some()
            || tactics.pop().is_some();
        if !gone {
            break;
        }
    }
    incident
}

fn bytes(incident: &Incident) -> usize {
    let text = |text: &str| text.len() + 8;
    let optional = |value: &Option<Arc<str>>| value.as_ref().map_or(0, |value| text(value));
    let mut bytes = 400 + 40 * incident.replaces.len() + text(&incident.title);
    let Incident {
        rule_id,
        rule_name,
        subcategory,
        impacts,
        ..
    } = incident;
    for part in [rule_id, rule_name, subcategory, impacts] {
        bytes += text(part);
    }
    for part in incident.tactics.iter().chain(&incident.techniques) {
        bytes += text(part);
    }
    for (name, value) in &incident.attributes {
        bytes += 2 * text(name) + 2 * text(&value.to_string());
    }
    for evidence in &incident.evidence {
        let Evidence {
            pattern,
            topic,
            event_type,
            correlation_id,
            resource_id,
            ..
        } = evidence;
        bytes += 96 + text(pattern) + topic.len().max(249);
        let correlation_id = correlation_id.as_ref().map(|id| id.to_string().into());
        bytes += optional(event_type) + optional(&correlation_id) + optional(resource_id);
    }
    bytes
}
