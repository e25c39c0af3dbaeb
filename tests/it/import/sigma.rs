//! Imported Sigma rules mean what pySigma says: events derived from a rule, of which one must match
//! and the others each differ in one field, are asked of SQLite by pySigma, and as Azure's records
//! of the rule that was imported.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use watchfire::decode::Decoder;
use watchfire::event::Attributes;
use watchfire::rule::import::dialect::Dialect;
use watchfire::rule::import::run::import;
use watchfire::rule::{Rule, Texts};

use crate::cache;

#[derive(Debug, Deserialize)]
struct Derived {
    file: String,
    events: Vec<Flat>,
    #[serde(default)]
    skipped: String,
}

/// An event as a Sigma rule sees it.
#[derive(Debug, Deserialize)]
struct Flat {
    fields: BTreeMap<String, Option<String>>,
    matches: bool,
}

/// A Python with pySigma, made once; none where that cannot be.
fn python() -> Option<PathBuf> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/reader");
    let requirements = scripts.join("sigma.txt");
    let home = cache().join("sigma");
    let wanted = std::fs::read_to_string(&requirements).unwrap();
    if std::fs::read_to_string(home.join("sigma.txt"))
        .ok()
        .as_ref()
        == Some(&wanted)
    {
        return Some(home.join("bin/python"));
    }
    let made = Command::new("python3")
        .arg("-m")
        .arg("venv")
        .arg(&home)
        .status();
    let is_made = made.is_ok_and(|status| status.success());
    let mut pip = Command::new(home.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    pip.args(["--retries", "1", "--timeout", "20", "--requirement"])
        .arg(&requirements);
    if !is_made || !pip.status().is_ok_and(|status| status.success()) {
        println!("skipped: pySigma cannot be installed; PyPI cannot be reached");
        return None;
    }
    std::fs::write(home.join("sigma.txt"), wanted).unwrap();
    Some(home.join("bin/python"))
}

fn derived(files: &[(String, String)]) -> Option<Vec<Derived>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/reader/sigma_events.py");
    let mut command = Command::new(python()?);
    command.arg("-B").arg(script);
    command.args(files.iter().map(|(name, _)| name));
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    Some(
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

/// The product and service that a rule is for.
fn log_source(text: &str) -> String {
    let value = |key: &str| {
        let mut lines = text.lines().map(str::trim);
        lines
            .find_map(|line| line.strip_prefix(key))
            .unwrap_or_default()
            .trim()
    };
    format!("{} {}", value("product:"), value("service:"))
}

/// Puts a value where a path leads.
fn put(record: &mut Json, path: &str, value: &str) {
    let mut place = record;
    for name in path.split('.') {
        let known = place.as_object().and_then(|object| {
            object
                .keys()
                .find(|known| known.eq_ignore_ascii_case(name))
                .cloned()
        });
        place = &mut place[known.as_deref().unwrap_or(name)];
    }
    *place = json!(value);
}

/// Where a field of a Sigma rule stands in Azure's record.
fn path(source: &str, field: &str) -> String {
    let lower = field.to_ascii_lowercase();
    let inner = lower.strip_prefix("properties.").unwrap_or(&lower);
    let operations = [
        "operationname",
        "operationnamevalue",
        "activitydisplayname",
        "activitytype",
        "activitydetails",
    ];
    if operations.contains(&lower.as_str()) {
        return "operationName".to_owned();
    }
    let known = match (source, lower.as_str()) {
        ("azure activitylogs", "categoryvalue") => "category",
        ("azure activitylogs", _) => &lower,
        ("azure auditlogs", "properties.message") => "operationName",
        ("azure auditlogs", "status") => "properties.result",
        ("azure auditlogs", "initiatedby") => "properties.initiatedBy.user.userPrincipalName",
        ("azure auditlogs", "failure_status_reason") => "properties.resultReason",
        ("azure auditlogs", "target") => "properties.targetResources.userPrincipalName",
        ("azure signinlogs", "resulttype" | "resultdescription" | "location") => &lower,
        ("azure signinlogs", "username") => "properties.userPrincipalName",
        ("azure signinlogs", "clientapp") => "properties.clientAppUsed",
        ("azure signinlogs", "properties.message") => "properties.authenticationProtocol",
        ("m365 exchange", "eventname") => "operation",
        (_, "eventname") => "name",
        (_, "eventsource") => "workload",
        ("azure signinlogs", "status") => "resultType",
        (_, "status") => "resultStatus",
        (source, _) if source.starts_with("m365") => &lower,
        (_, _) => return format!("properties.{inner}"),
    };
    known.to_owned()
}

/// Texts that Azure writes otherwise than Sigma's rules have them.
fn written(source: &str, field: &str, value: &str) -> String {
    let (field, lower) = (field.to_ascii_lowercase(), value.to_ascii_lowercase());
    match (source, field.as_str(), lower.as_str()) {
        ("azure signinlogs", "status", "success") => "0".to_owned(),
        ("azure signinlogs", "status", "failure") => "50126".to_owned(),
        ("azure signinlogs", "properties.message", "device code") => "deviceCode".to_owned(),
        _ => value.to_owned(),
    }
}

/// The event as Azure's record; none where no record has these fields together.
fn record(source: &str, flat: &Flat) -> Option<Json> {
    let mut record = json!({ "time": "2026-03-02T09:00:00Z" });
    let base: &[(&str, &str)] = match source {
        "azure activitylogs" => &[("category", "Administrative")],
        "azure auditlogs" => &[("category", "AuditLogs")],
        "azure signinlogs" => &[("category", "SignInLogs")],
        "azure riskdetection" => &[("category", "UserRiskEvents")],
        "azure pim" => &[
            ("category", "AuditLogs"),
            ("properties.loggedByService", "PIM"),
        ],
        _ => &[("workload", "AzureActiveDirectory")],
    };
    base.iter()
        .for_each(|(path, value)| put(&mut record, path, value));
    let mut taken: BTreeMap<String, &Option<String>> = BTreeMap::new();
    for (field, value) in &flat.fields {
        let mut place = path(source, field);
        let is_part = |value: &String| value.to_ascii_lowercase().contains("mfa denied");
        if place == "resultType" && value.as_ref().is_some_and(is_part) {
            // What the portal shows as the status is more than the code.
            place = "properties.status.additionalDetails".to_owned();
        }
        if taken
            .insert(place.to_ascii_lowercase(), value)
            .is_some_and(|other| other != value)
        {
            return None;
        }
        match (field.as_str(), value) {
            ("ResourceProviderValue", provider) => {
                // The provider is the beginning of the operation.
                let operation = flat.fields.get("OperationNameValue")?.as_ref()?;
                let own = operation.split('/').next()?;
                if !provider
                    .as_ref()
                    .is_some_and(|provider| provider.eq_ignore_ascii_case(own))
                {
                    return None;
                }
            }
            ("ConsentContext.IsAdminConsent", Some(value)) => {
                let (name, value) = (field, format!("\"{value}\""));
                record["properties"]["targetResources"] =
                    json!([{ "modifiedProperties": [{ "displayName": name, "newValue": value }] }]);
            }
            ("additionalDetails.additionalInfo", Some(value)) => {
                record["properties"]["additionalDetails"] =
                    json!([{ "key": "additionalInfo", "value": value }]);
            }
            (_, None) => {
                if place == "workload" || place == "category" {
                    record.as_object_mut()?.remove(&place);
                }
            }
            (_, Some(value)) => put(&mut record, &place, &written(source, field, value)),
        }
    }
    Some(record)
}

/// Whether a rule's filter holds for a record.
fn holds(rule: &Rule, attributes: &Attributes, record: &Json) -> bool {
    let mut held = None;
    let text = record.to_string();
    let decoder = Decoder::new(attributes);
    let message = decoder.message(text.as_bytes(), None);
    let mut records = decoder.records(&message);
    while let Some(record) = records.next() {
        held = record
            .outcome
            .ok()
            .map(|event| rule.patterns[0].filter.matches(event.whole()));
    }
    held.unwrap()
}

/// What this program says otherwise than pySigma, and why: docs/import.md.
fn is_known(flat: &Flat) -> bool {
    // An empty list is absent in records, so what is absent is one.
    flat.fields.get("NetworkLocationDetails") == Some(&None)
}

#[test]
fn imported_sigma_rules_mean_what_pysigma_says() {
    let Some(corpus) = super::corpus() else {
        return;
    };
    let files = super::files(&corpus.join("rules/sigma-azure"));
    let Some(all) = derived(&files) else { return };
    let (mut rules, mut events, mut true_events) = (0, 0, 0);
    let mut wrong = Vec::new();
    for derived in &all {
        let Some(file) = files.iter().find(|(name, _)| *name == derived.file) else {
            continue;
        };
        let done = import(std::slice::from_ref(file), Some(Dialect::Sigma));
        if derived.events.is_empty() || done.files.is_empty() {
            println!(
                "left out: {}: {}{:?}",
                derived.file, derived.skipped, done.rows[0].reasons
            );
            continue;
        }
        let texts = Texts {
            rules: done.files,
            ..Texts::default()
        };
        let mut attributes = Attributes::default();
        let (read, _) = texts.parse(&mut attributes).unwrap();
        let source = log_source(&file.1);
        let mut compared = [0, 0];
        for flat in derived.events.iter().filter(|flat| !is_known(flat)) {
            let Some(record) = record(&source, flat) else {
                continue;
            };
            compared[usize::from(flat.matches)] += 1;
            if holds(&read[0], &attributes, &record) != flat.matches {
                wrong.push(format!("{}: {flat:?} as {record}", derived.file));
            }
        }
        events += compared[0] + compared[1];
        true_events += compared[1];
        rules += usize::from(compared[0] >= 2 && compared[1] >= 1);
    }
    println!(
        "{rules} Sigma rules agree with pySigma over {events} events, {true_events} of which match"
    );
    assert!(
        wrong.is_empty(),
        "{} disagree: {}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(rules >= 60);
}
