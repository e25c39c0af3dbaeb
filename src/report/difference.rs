//! In which fields two tellings of one incident differ.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, words};
use crate::incident::{AttributeValue, CloseReason, Evidence, Incident};

/// A field with its values, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field's name in the incident; of an attribute, `attributes.` and its name.
    pub field: String,
    /// As the old rules have it; empty: not at all.
    pub before: String,
    /// As the new rules have it; empty: not at all.
    pub after: String,
}

impl Change {
    /// The fields that differ, in the incident's order; none: nothing that is worth a word.
    ///
    /// Left out is what differs by itself where rules do: the ids, the fingerprint, the window.
    pub fn differences(&self) -> Vec<Difference> {
        let Change { before, after } = self;
        let mut fields: Vec<(String, String, String)> = plain_fields(before)
            .into_iter()
            .zip(plain_fields(after))
            .map(|((name, before), (_, after))| (name.to_owned(), before, after))
            .collect();
        fields.extend(attributes(before, after));
        fields.extend(evidence(before, after));
        fields
            .into_iter()
            .filter(|(_, before, after)| before != after)
            .map(|(field, before, after)| Difference {
                field,
                before,
                after,
            })
            .collect()
    }
}

/// The fields with one value each.
fn plain_fields(incident: &Incident) -> [(&'static str, String); 14] {
    let reason = incident.close_reason.map_or("", CloseReason::name);
    [
        ("rule_name", incident.rule_name.to_string()),
        ("severity", incident.severity.to_string()),
        ("category", incident.category.to_string()),
        ("subcategory", incident.subcategory.to_string()),
        ("impacts", incident.impacts.to_string()),
        ("tactics", incident.tactics.join(", ")),
        ("techniques", incident.techniques.join(", ")),
        ("title", incident.title.clone()),
        ("first_seen", words::second(incident.first_seen)),
        ("last_seen", words::second(incident.last_seen)),
        ("event_count", incident.event_count.to_string()),
        ("trigger_count", incident.trigger_count.to_string()),
        ("close_reason", reason.to_owned()),
        ("truncated", incident.truncated.to_string()),
    ]
}

/// Every attribute of the two, in order of name.
fn attributes(before: &Incident, after: &Incident) -> Vec<(String, String, String)> {
    let (old, new) = (by_name(before), by_name(after));
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let text = |of: &BTreeMap<&str, &AttributeValue>, name: &str| {
        of.get(name).map(ToString::to_string).unwrap_or_default()
    };
    names
        .into_iter()
        .map(|name| {
            let field = format!("attributes.{name}");
            (field, text(&old, name), text(&new, name))
        })
        .collect()
}

fn by_name(incident: &Incident) -> BTreeMap<&str, &AttributeValue> {
    incident.sorted_attributes().into_iter().collect()
}

/// How many events are named, and how many of those were not before.
fn evidence(before: &Incident, after: &Incident) -> Option<(String, String, String)> {
    let old: BTreeSet<_> = before.evidence.iter().map(place).collect();
    let new: BTreeSet<_> = after.evidence.iter().map(place).collect();
    if old == new {
        return None;
    }
    let count = |events: &BTreeSet<_>| words::counted(events.len() as u64, "event");
    let other = new.difference(&old).count();
    let after = format!("{}, {other} of them new", count(&new));
    Some(("evidence".to_owned(), count(&old), after))
}

fn place(evidence: &Evidence) -> (&str, &str, i32, i64, u32) {
    (
        &evidence.pattern,
        &evidence.topic,
        evidence.partition,
        evidence.offset,
        evidence.index,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::tests::with_attributes;

    #[test]
    fn tells_differences() {
        fn check(change: impl FnOnce(&mut Incident), expected: &[&str]) {
            let user = AttributeValue::Text("mara".into());
            let before = with_attributes(&[("user", user), ("count", AttributeValue::Number(3.0))]);
            let mut after = before.clone();
            change(&mut after);
            let found: Vec<String> = Change { before, after }
                .differences()
                .into_iter()
                .map(|found| format!("{}: {} > {}", found.field, found.before, found.after))
                .collect();
            assert_eq!(found, expected);
        }
        check(|_| (), &[]);
        check(|after| after.window_ms = 7, &[]);
        check(
            |after| (after.severity, after.event_count) = (9, 4),
            &["severity: 5 > 9", "event_count: 3 > 4"],
        );
        check(
            |after| after.first_seen += 61_000,
            &["first_seen: 2026-03-01 09:15:02 > 2026-03-01 09:16:03"],
        );
        check(
            |after| after.close_reason = Some(CloseReason::Quiet),
            &["close_reason:  > QUIET"],
        );
        check(
            |after| {
                after.attributes = vec![
                    ("user".into(), AttributeValue::Text("jonas".into())),
                    ("hostName".into(), AttributeValue::Text("vm-1".into())),
                ];
            },
            &[
                "attributes.count: 3 > ",
                "attributes.hostName:  > vm-1",
                "attributes.user: mara > jonas",
            ],
        );
        check(
            |after| {
                let mut other = after.evidence.clone();
                other[0].offset += 1;
                after.evidence.extend(other);
            },
            &["evidence: 1 event > 2 events, 1 of them new"],
        );
        check(
            |after| after.evidence.clear(),
            &["evidence: 1 event > 0 events, 0 of them new"],
        );
    }
}
