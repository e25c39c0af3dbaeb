//! Incidents as Detection Findings of OCSF 1.8.0 (class 2004). Which field becomes what is told in
//! docs/ocsf.md; what OCSF has no place for stands under `unmapped`, by our names.

use serde_json::{Map, Value};

use super::field::{self, Field};
use super::json;
use crate::incident::{AttributeValue, Evidence, Incident, Status};

/// The version of OCSF.
const VERSION: &str = "1.8.0";

const CATEGORY: (i64, &str) = (2, "Findings");

const CLASS: (i64, &str) = (2004, "Detection Finding");

/// Our fields that OCSF has no place for.
const UNMAPPED: [&str; 13] = [
    "revision",
    "status",
    "severity",
    "subcategory",
    "impacts",
    "window_ms",
    "trigger_count",
    "attributes",
    "late",
    "close_reason",
    "replaced_by",
    "replaces",
    "test",
];

/// Fields of an object.
type Fields<'a> = Vec<(&'static str, Field<'a>)>;

/// `incident` as one line, without line end.
pub(super) fn line(incident: &Incident) -> String {
    json::object_line(&finding(incident))
}

/// The fields of the finding, in order.
fn finding(incident: &Incident) -> Fields<'_> {
    let (activity_id, activity) = activity(incident.status);
    let (severity_id, severity) = severity(incident.severity);
    let (status_id, status) = status(incident.status);
    let type_name = format!("{}: {activity}", CLASS.1);
    let mut fields = vec![
        ("activity_id", Field::Integer(activity_id)),
        ("activity_name", Field::Text(activity)),
        ("category_uid", Field::Integer(CATEGORY.0)),
        ("category_name", Field::Text(CATEGORY.1)),
        ("class_uid", Field::Integer(CLASS.0)),
        ("class_name", Field::Text(CLASS.1)),
        ("type_uid", Field::Integer(CLASS.0 * 100 + activity_id)),
        ("type_name", Field::Made(type_name)),
        ("time", Field::Integer(incident.last_seen)),
        ("start_time", Field::Integer(incident.first_seen)),
        ("end_time", Field::Integer(incident.last_seen)),
        ("severity_id", Field::Integer(severity_id)),
        ("severity", Field::Text(severity)),
        ("status_id", Field::Integer(status_id)),
        ("status", Field::Text(status)),
        (
            "is_alert",
            Field::Bool(incident.status != Status::Retracted),
        ),
        ("count", field::count(incident.event_count)),
        ("message", Field::Text(&incident.title)),
        ("metadata", Field::Record(metadata(incident))),
        ("finding_info", Field::Record(info(incident))),
    ];
    if let Some(reason) = incident.close_reason {
        fields.push(("status_detail", Field::Text(reason.name())));
    }
    let lists = [
        ("evidences", evidences(incident)),
        ("resources", resources(incident)),
        ("observables", observables(incident)),
    ];
    fields.extend(filled(lists));
    let ours = field::of_incident(incident).into_iter();
    let unmapped = ours.filter(|(name, _)| UNMAPPED.contains(name)).collect();
    fields.push(("unmapped", Field::Record(unmapped)));
    fields
}

/// Those of the lists that are not empty.
fn filled<'a>(
    lists: impl IntoIterator<Item = (&'static str, Vec<Field<'a>>)>,
) -> impl Iterator<Item = (&'static str, Field<'a>)> {
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
    lists.map(|(name, list)| (name, Field::List(list)))
}

fn metadata(incident: &Incident) -> Fields<'_> {
    let id = incident.incident_id.to_string();
    let product = vec![
        ("name", Field::Text("Watchfire")),
        ("vendor_name", Field::Text("Watchfire")),
    ];
    vec![
        ("version", Field::Text(VERSION)),
        ("product", Field::Record(product)),
        ("uid", Field::Made(format!("{id}:{}", incident.revision))),
        ("correlation_uid", Field::Made(id)),
        ("event_code", Field::Text(&incident.rule_id)),
        ("is_truncated", Field::Bool(incident.truncated)),
    ]
}

fn info(incident: &Incident) -> Fields<'_> {
    let mut ours = field::of_incident(incident).into_iter();
    let category = ours.find(|(name, _)| *name == "category");
    let category = category.map_or(Field::Null, |(_, category)| category);
    let analytic = vec![
        ("uid", Field::Text(&incident.rule_id)),
        ("name", Field::Text(&incident.rule_name)),
        ("type_id", Field::Integer(1)),
        ("type", Field::Text("Rule")),
        ("category", category),
        (
            "version",
            Field::Made(incident.rule_fingerprint.to_string()),
        ),
    ];
    let mut info = vec![
        ("uid", Field::Made(incident.incident_id.to_string())),
        ("title", Field::Text(&incident.title)),
        ("first_seen_time", Field::Integer(incident.first_seen)),
        ("last_seen_time", Field::Integer(incident.last_seen)),
        ("analytic", Field::Record(analytic)),
    ];
    let related = incident.evidence.iter().map(related_event).collect();
    let lists = [("attacks", attacks(incident)), ("related_events", related)];
    info.extend(filled(lists));
    info
}

/// Tactics first, then techniques, each by itself: a rule names them apart.
fn attacks(incident: &Incident) -> Vec<Field<'_>> {
    let uid = |uid| Field::Record(vec![("uid", Field::Text(uid))]);
    let tactics = incident.tactics.iter();
    let tactics = tactics.map(|tactic| Field::Record(vec![("tactic", uid(tactic))]));
    let techniques = incident.techniques.iter().map(|technique| {
        let mut attack = Vec::new();
        match technique.split_once('.') {
            Some((parent, _)) => {
                attack.push(("technique", uid(parent)));
                attack.push(("sub_technique", uid(technique)));
            }
            None => attack.push(("technique", uid(technique))),
        }
        Field::Record(attack)
    });
    tactics.chain(techniques).collect()
}

fn related_event(evidence: &Evidence) -> Field<'_> {
    let Evidence {
        topic,
        partition,
        offset,
        index,
        ..
    } = evidence;
    let mut event = vec![
        (
            "uid",
            Field::Made(format!("{topic}/{partition}/{offset}/{index}")),
        ),
        ("first_seen_time", Field::Integer(evidence.time)),
        ("last_seen_time", Field::Integer(evidence.time)),
    ];
    if let Some(event_type) = &evidence.event_type {
        event.push(("type", Field::Text(event_type)));
    }
    Field::Record(event)
}

fn evidences(incident: &Incident) -> Vec<Field<'_>> {
    let evidences = incident.evidence.iter().map(|evidence| {
        Field::Record(vec![
            ("name", Field::Text(&evidence.pattern)),
            ("uid", Field::Made(evidence.record_hash.to_string())),
            ("data", field::evidence(evidence)),
        ])
    });
    evidences.collect()
}

/// Every resource that the evidence names, once.
fn resources(incident: &Incident) -> Vec<Field<'_>> {
    let mut known: Vec<&str> = Vec::new();
    for evidence in &incident.evidence {
        let resource = evidence.resource_id.as_deref();
        if let Some(resource) = resource.filter(|resource| !known.contains(resource)) {
            known.push(resource);
        }
    }
    let resources = known.into_iter();
    let resources = resources.map(|uid| Field::Record(vec![("uid", Field::Text(uid))]));
    resources.collect()
}

/// The users, addresses and names of hosts among the attributes.
fn observables(incident: &Incident) -> Vec<Field<'_>> {
    let mut observables = Vec::new();
    for (name, value) in incident.sorted_attributes() {
        if let (Some((type_id, type_name)), AttributeValue::Text(value)) =
            (observable_type(name), value)
        {
            observables.push(Field::Record(vec![
                ("name", Field::Made(format!("unmapped.attributes.{name}"))),
                ("type_id", Field::Integer(type_id)),
                ("type", Field::Text(type_name)),
                ("value", Field::Text(value)),
            ]));
        }
    }
    observables
}

/// What an attribute of this name holds, as OCSF tells observables apart.
fn observable_type(name: &str) -> Option<(i64, &'static str)> {
    let is_in = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    if is_in(&["user", "srcUser", "targetUser"]) {
        Some((4, "User Name"))
    } else if is_in(&["srcIpAddr", "destIpAddr", "hostIpAddr"]) {
        Some((2, "IP Address"))
    } else if is_in(&["srcName", "destName", "hostName"]) {
        Some((1, "Hostname"))
    } else {
        None
    }
}

fn activity(status: Status) -> (i64, &'static str) {
    match status {
        Status::Open => (1, "Create"),
        Status::Updated => (2, "Update"),
        Status::Closed | Status::Retracted => (3, "Close"),
    }
}

fn status(status: Status) -> (i64, &'static str) {
    match status {
        Status::Open => (1, "New"),
        Status::Updated => (2, "In Progress"),
        Status::Closed => (4, "Resolved"),
        Status::Retracted => (6, "Deleted"),
    }
}

/// Of FortiSIEM's 1 to 10: LOW is Low, MEDIUM is Medium or High, HIGH is Critical.
fn severity(severity: u8) -> (i64, &'static str) {
    match severity {
        0 => (0, "Unknown"),
        1..=4 => (2, "Low"),
        5..=6 => (3, "Medium"),
        7..=8 => (4, "High"),
        9..=u8::MAX => (5, "Critical"),
    }
}

/// The fields of the incident, by our names, that a finding of ours was made of.
pub(super) fn fields(finding: &Value) -> Value {
    let at = |pointer: &str| finding.pointer(pointer).cloned().unwrap_or_default();
    let unmapped = finding.get("unmapped").and_then(Value::as_object);
    let mut fields: Map<String, Value> = unmapped.cloned().unwrap_or_default();
    let (tactics, techniques) = named_attacks(finding);
    let evidences = finding.get("evidences").and_then(Value::as_array);
    let evidence = evidences.into_iter().flatten();
    let evidence = evidence.map(|one| one.get("data").cloned().unwrap_or_default());
    let mapped = [
        ("incident_id", at("/finding_info/uid")),
        ("title", at("/finding_info/title")),
        ("first_seen", at("/finding_info/first_seen_time")),
        ("last_seen", at("/finding_info/last_seen_time")),
        ("rule_id", at("/finding_info/analytic/uid")),
        ("rule_name", at("/finding_info/analytic/name")),
        ("rule_fingerprint", at("/finding_info/analytic/version")),
        ("category", at("/finding_info/analytic/category")),
        ("tactics", tactics),
        ("techniques", techniques),
        ("event_count", at("/count")),
        ("evidence", evidence.collect()),
        ("truncated", at("/metadata/is_truncated")),
    ];
    let mapped = mapped.into_iter();
    fields.extend(mapped.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(fields)
}

/// The ids of tactics, and those of techniques.
fn named_attacks(finding: &Value) -> (Value, Value) {
    let attacks = finding.pointer("/finding_info/attacks");
    let attacks = || attacks.and_then(Value::as_array).into_iter().flatten();
    let uid = |attack: &Value, name: &str| attack.get(name)?.get("uid").cloned();
    let tactics = attacks().filter_map(|attack| uid(attack, "tactic"));
    let technique = |attack| uid(attack, "sub_technique").or_else(|| uid(attack, "technique"));
    let techniques = attacks().filter_map(technique);
    (tactics.collect(), techniques.collect())
}
