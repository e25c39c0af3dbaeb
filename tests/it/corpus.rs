//! Real Azure records: none is lost, and what their sources say of them agrees with us.
//!
//! The records are not part of the project. `WATCHFIRE_CORPUS` names the folder that has them:
//! `events/*.ndjson` with `raw` and perhaps `expected` on each line, and `malformed/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use watchfire::decode::Decoder;
use watchfire::event::{Event, Value};
use watchfire::normalise;
use watchfire::time;

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("WATCHFIRE_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: WATCHFIRE_CORPUS does not name a folder of real records");
    }
    folder
}

/// Name and lines of every file of records.
fn event_files(corpus: &Path) -> Vec<(String, Vec<Json>)> {
    let mut files: Vec<PathBuf> = fs::read_dir(corpus.join("events"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "ndjson"));
    files.sort();
    files
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(path).unwrap();
            (
                name,
                text.lines()
                    .map(|line| serde_json::from_str(line).unwrap())
                    .collect(),
            )
        })
        .collect()
}

/// The attributes of an event, by name, its time among them.
type Attributes = BTreeMap<String, String>;

/// What became of the records of a message without timestamp; of those that were refused together
/// one after the other, by reason.
fn decode(message: &str) -> Vec<Result<Attributes, &'static str>> {
    let attributes = normalise::all();
    let mut outcomes = Vec::new();
    let decoder = Decoder::new(&attributes);
    let message = decoder.message(message.as_bytes(), None);
    let mut records = decoder.records(&message);
    while let Some(record) = records.next() {
        match record.outcome {
            Ok(event) => outcomes.push(Ok(named(event.whole(), &attributes))),
            Err(refused) => {
                let given = refused.counts.given();
                let reasons = given.flat_map(|(reject, count)| (0..count).map(move |_| reject));
                outcomes.extend(reasons.map(|reject| Err(reject.reason())));
            }
        }
    }
    outcomes
}

fn named(event: &Event<'_>, attributes: &watchfire::event::Attributes) -> Attributes {
    let names = attributes.list().iter().map(ToString::to_string);
    let mut named: Attributes = names
        .zip(&event.values)
        .filter_map(|(name, value)| match value {
            Some(Value::Text(text)) => Some((name, text.to_string())),
            Some(Value::Integer(number)) => Some((name, number.to_string())),
            Some(Value::Float(_) | Value::Bool(_) | Value::Many(_)) | None => None,
        })
        .collect();
    named.insert("time".to_owned(), time::rfc3339(event.time));
    named
}

const GOOD: &str = r#"{"time":"2026-01-02T03:04:05Z","operationName":"Good/one"}"#;

#[test]
fn no_record_is_lost() {
    let Some(corpus) = corpus() else { return };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (file, lines) in event_files(&corpus) {
        for (number, line) in lines.iter().enumerate() {
            let at = format!("{file}:{}", number + 1);
            let raw = line.get("raw").unwrap_or(line).to_string();
            let alone = decode(&raw);
            let [outcome] = alone.as_slice() else {
                panic!("{at}: {} records", alone.len())
            };
            let around = decode(&format!("{{\"records\":[{GOOD},{raw},{GOOD}]}}"));
            assert_eq!(around.len(), 3, "{at}");
            assert!(
                around.first().unwrap().is_ok() && around.last().unwrap().is_ok(),
                "{at}"
            );
            match outcome {
                Ok(_) => assert_eq!(around.get(1), Some(outcome), "{at}"),
                Err("not-an-object") => assert!(line["raw"]["records"].is_string(), "{at}"),
                Err(reason) => assert_eq!((*reason, has_time(&raw)), ("no-time", false), "{at}"),
            }
            *counts
                .entry(outcome.as_ref().err().copied().unwrap_or("event"))
                .or_default() += 1;
        }
    }
    println!("{counts:?}");
    assert!(
        counts.get("event").is_some_and(|events| *events > 500),
        "{counts:?}"
    );
}

/// Whether some field that tells a record's time stands at its top with a readable time.
fn has_time(raw: &str) -> bool {
    let fields: serde_json::Map<String, Json> = serde_json::from_str(raw).unwrap();
    fields.iter().any(|(name, value)| {
        let name = name.to_ascii_lowercase();
        (name.contains("time") || name.contains("created"))
            && value
                .as_str()
                .is_some_and(|text| time::parse(text).is_some())
    })
}

/// Where ours differs from what a record's source says: file, line, attribute, why.
const EXCEPTIONS: [(&str, usize, &str, &str); 2] = [
    (
        "elastic-beats-azure.ndjson",
        3,
        "azureEventCategory",
        "no properties.eventCategory: the source says Administrative, we the sign-in's category",
    ),
    (
        "elastic-beats-azure.ndjson",
        8,
        "srcIpAddr",
        "callerIpAddress and properties.ipAddress differ: the source takes that, we this",
    ),
];

/// A field of `expected`, and our attribute that must say the same, without regard to case.
const PAIRS: [(&str, &str); 14] = [
    ("@timestamp", "time"),
    ("source.ip", "srcIpAddr"),
    ("client.ip", "srcIpAddr"),
    ("event.outcome", "eventOutcome"),
    ("event.action", "opName"),
    ("azure.correlation_id", "correlationId"),
    ("azure.tenant_id", "tenantId"),
    ("azure.subscription_id", "subscriptionId"),
    ("azure.resource.group", "resourceGroup"),
    ("azure.resource.name", "resourceName"),
    ("azure.resource.id", "resourceId"),
    ("azure.activitylogs.event_category", "azureEventCategory"),
    (
        "azure.activitylogs.identity.authorization.evidence.principal_id",
        "principalId",
    ),
    ("azure.activitylogs.properties.userPrincipalName", "user"),
];

#[test]
fn what_the_sources_expect_is_what_we_say() {
    let Some(corpus) = corpus() else { return };
    let mut checked = 0;
    let mut differing = Vec::new();
    for (file, lines) in event_files(&corpus) {
        for (number, line) in lines.iter().enumerate() {
            let Some(expected) = line.get("expected").and_then(Json::as_object) else {
                continue;
            };
            let outcomes = decode(&line["raw"].to_string());
            let ours = outcomes.first().unwrap().as_ref().unwrap();
            for (attribute, theirs) in expectations(expected) {
                checked += 1;
                let said = ours.get(attribute).map_or("", String::as_str);
                if !said.eq_ignore_ascii_case(&theirs) {
                    differing.push((file.clone(), number + 1, attribute, theirs, said.to_owned()));
                }
            }
        }
    }
    println!("{checked} values agree, but for {differing:?}");
    assert!(checked > 60, "{checked}");
    let is_exception = |(file, line, attribute): (&str, usize, &str)| {
        EXCEPTIONS
            .iter()
            .any(|known| (known.0, known.1, known.2) == (file, line, attribute))
    };
    differing.retain(|(file, line, attribute, ..)| !is_exception((file, *line, attribute)));
    assert!(differing.is_empty(), "{differing:#?}");
}

/// What a source expects, by our attribute.
fn expectations(expected: &serde_json::Map<String, Json>) -> Vec<(&'static str, String)> {
    let text = |field: &str| {
        expected
            .get(field)
            .and_then(Json::as_str)
            .map(str::to_owned)
    };
    let mut pairs: Vec<_> = PAIRS
        .iter()
        .filter_map(|(field, attribute)| text(field).map(|value| (*attribute, value)))
        .collect();
    match (text("user.name"), text("user.domain")) {
        (Some(name), Some(domain)) => pairs.push(("user", format!("{name}@{domain}"))),
        (Some(name), None) => pairs.push(("user", name)),
        (None, _) => (),
    }
    pairs
}

#[test]
fn the_rows_of_a_lab_tenant_pass_whole() {
    let Some(corpus) = corpus() else { return };
    let path = corpus.join("events/azure-activity-rows-as-eventhub.ndjson");
    let text = fs::read_to_string(path).unwrap();
    let rows: Vec<Json> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let envelope = format!("{{\"records\":[{}]}}", text.trim().replace('\n', ","));
    let outcomes = decode(&envelope);
    assert_eq!(outcomes, decode(&text));
    assert_eq!((rows.len(), outcomes.len()), (325, 325));
    for (row, outcome) in rows.iter().zip(&outcomes) {
        let ours = outcome.as_ref().unwrap();
        let theirs = |field: &str| row[field].as_str().unwrap().to_owned();
        assert_eq!(ours.get("opName"), Some(&theirs("operationName")));
        assert_eq!(ours.get("resourceId"), Some(&theirs("resourceId")));
        assert_eq!(ours.get("correlationId"), Some(&theirs("correlationId")));
        assert!(theirs("time").starts_with(ours["time"].trim_end_matches('Z')));
        assert_eq!(
            ours.get("srcIpAddr").map(String::as_str),
            row["callerIpAddress"].as_str()
        );
        let event_type = theirs("operationName").to_lowercase().replace('/', "_");
        assert!(ours["eventType"].ends_with(event_type.trim_start_matches("microsoft.")));
        if let Some(user) = ours.get("user") {
            assert_eq!(Some(user.as_str()), row["_derived"]["caller"].as_str());
        }
    }
}

#[test]
fn a_published_envelope_is_read() {
    let Some(corpus) = corpus() else { return };
    let text = fs::read_to_string(corpus.join("events/activity-log-eventhub-sample.json")).unwrap();
    let outcomes = decode(&text);
    let [Ok(event)] = outcomes.as_slice() else {
        panic!("{outcomes:?}")
    };
    assert_eq!(
        event.get("user").map(String::as_str),
        Some("admin@contoso.com")
    );
}

/// A payload seen in the wild, and what becomes of its records: `event` or the reason.
const MALFORMED: [(&str, &[&str]); 12] = [
    ("01_", &["event", "event"]),
    ("02_", &["not-an-object"]),
    ("03_", &["not-an-object", "not-an-object", "no-time"]),
    ("04_", &["no-time"]),
    ("05_", &["no-time"]),
    ("06_", &["event"]),
    ("07_", &["not-json"]),
    ("08_", &["event"]),
    ("09_", &["event"]),
    ("11_", &["no-time", "no-time"]),
    ("13_", &["event", "event"]),
    ("14_", &["event", "event", "event"]),
];

#[test]
fn malformed_payloads_give_events_or_reasons_and_harm_no_neighbour() {
    let Some(corpus) = corpus() else { return };
    let mut seen = 0;
    for entry in fs::read_dir(corpus.join("malformed")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let known = MALFORMED.iter().find(|(start, _)| name.starts_with(start));
        let (_, expected) = known.unwrap_or_else(|| panic!("{name} is new"));
        assert_eq!(said(&text), *expected, "{name}");

        let mut around = vec!["event"];
        around.extend(*expected);
        around.push("event");
        let records = match (text.find('['), text.rfind(']')) {
            (Some(first), Some(last)) if text.contains("\"records\"") => &text[first + 1..last],
            _ => text
                .strip_prefix("{\"records\":")
                .and_then(|t| t.strip_suffix('}'))
                .unwrap_or(&text),
        };
        let envelope = format!("{{\"records\":[{GOOD},{},{GOOD}]}}", records.trim());
        assert_eq!(said(&envelope), around, "{name} in an envelope");
        assert_eq!(
            said(&format!("{GOOD}\n{text}\n{GOOD}")),
            around,
            "{name} between lines"
        );
        seen += 1;
    }
    assert_eq!(seen, MALFORMED.len());
}

fn said(message: &str) -> Vec<&'static str> {
    decode(message)
        .iter()
        .map(|outcome| outcome.as_ref().err().copied().unwrap_or("event"))
        .collect()
}
