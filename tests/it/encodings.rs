//! Incidents in JSON and in OCSF: what they are, that OCSF's own schema takes them, and how they
//! stand in a topic.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use watchfire::encode::Encoding;
use watchfire::encode::read::IncidentReader;
use watchfire::incident::{AttributeValue, Incident, Status};

use crate::cache;
use crate::kafka::{Message, read_committed, until};
use crate::schema::sample;
use crate::shell::{Ran, program};
use crate::worker::process::Worker;
use crate::worker::setup::{Setup, Traffic};

#[test]
fn ocsf_stays_as_it_is() {
    let line = String::from_utf8(Encoding::Ocsf.encode(&sample())).unwrap();
    let golden = include_str!("golden_incident.ocsf.json");
    assert_eq!(line, golden.trim_end());
}

/// Incidents of every status and severity, with all there can be, and with nothing.
fn all_kinds() -> Vec<Incident> {
    let mut kinds = Vec::new();
    for status in Status::ALL {
        for severity in 1..=10 {
            kinds.push(Incident {
                status,
                severity,
                ..sample()
            });
        }
    }
    let mut full = sample();
    full.techniques.push("T1059.006".into());
    for name in ["srcIpAddr", "targetUser", "destName", "hostIpAddr"] {
        let value = AttributeValue::Text("10.0.0.1".to_owned());
        full.attributes.push((name.into(), value));
    }
    let more = full.evidence.clone();
    full.evidence.extend(
        more.into_iter()
            .map(|evidence| watchfire::incident::Evidence {
                resource_id: Some("/subscriptions/s".into()),
                event_type: None,
                ..evidence
            }),
    );
    kinds.push(full);
    kinds.push(Incident {
        tactics: Vec::new(),
        techniques: Vec::new(),
        attributes: Vec::new(),
        evidence: Vec::new(),
        close_reason: None,
        replaces: Vec::new(),
        ..sample()
    });
    kinds
}

#[test]
fn the_schema_of_ocsf_takes_what_is_written() {
    let python = cache().join("ocsf/bin/python");
    if !python.is_file() {
        eprintln!("skipped: the schema of OCSF is not installed; `make test` does it if it can");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/reader/validate_ocsf.py");
    let validate = |lines: &[String]| {
        let mut command = Command::new(&python);
        command.arg("-B").arg(&script).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(lines.join("\n").as_bytes()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let kinds = all_kinds();
    let lines = kinds.iter().map(|incident| Encoding::Ocsf.encode(incident));
    let mut lines: Vec<String> = lines.map(|line| String::from_utf8(line).unwrap()).collect();
    assert_eq!(validate(&lines), format!("{} are valid\n", lines.len()));
    // That it would notice.
    lines[0] = lines[0].replace("\"class_uid\"", "\"class\"");
    lines[1] = lines[1].replace("\"severity_id\":2", "\"severity_id\":7");
    let said = validate(&lines[..2]);
    assert!(
        said.contains("class_uid") && said.contains("7 is not one of"),
        "{said}"
    );
}

/// The headers of a message.
fn headers(message: &Message) -> BTreeMap<&str, String> {
    let headers = message.headers.iter();
    let text = |value: &Option<Vec<u8>>| String::from_utf8(value.clone().unwrap()).unwrap();
    headers
        .map(|(name, value)| (name.as_str(), text(value)))
        .collect()
}

/// Runs a worker whose incidents are written so until all that is sent is read.
fn run(setup: &Setup, encoding: &str, more: &str) {
    let config = setup.config_with(encoding, |text| {
        let section = format!("[incidents]\nencoding = \"{encoding}\"\n{more}[kafka]");
        text.replace("[kafka]", &section)
    });
    let topic = format!("{}.incidents", setup.app);
    let said = || read_committed(&setup.bootstrap, &topic).len();
    let before = said();
    let worker = Worker::start(&config);
    worker.wait_for("ready");
    Traffic::start(setup, 40, Duration::from_millis(5)).finish();
    setup.wait_until_read();
    until("an incident is published", || said() > before);
    worker.stop();
}

#[test]
fn a_topic_of_all_encodings_is_read() {
    let setup = Setup::new("encodings", "");
    run(&setup, "avro", "");
    run(&setup, "json", "");
    run(&setup, "ocsf", "cloudevents = true\n");
    let topic = format!("{}.incidents", setup.app);
    let messages = read_committed(&setup.bootstrap, &topic);
    let reader = IncidentReader::new().unwrap();
    let (mut found, mut events) = ([0_usize; 3], 0);
    for message in &messages {
        let value = message.value.as_deref().unwrap();
        let incident = reader.read(value).unwrap();
        let encodings = [Encoding::Avro, Encoding::Json, Encoding::Ocsf];
        let place = encodings.iter().position(|e| e.encode(&incident) == value);
        found[place.unwrap()] += 1;
        let id = incident.incident_id.to_string();
        assert_eq!(message.key.as_deref(), Some(id.as_bytes()));
        let headers = headers(message);
        let expected = [
            ("rule", incident.rule_id.to_string()),
            ("severity", incident.severity.to_string()),
            ("status", incident.status.name().to_owned()),
            ("revision", incident.revision.to_string()),
        ];
        for (name, value) in expected {
            assert_eq!(headers[name], value);
        }
        let revision = incident.revision;
        if let Some(id_of_event) = headers.get("ce_id") {
            events += 1;
            assert_eq!(*id_of_event, format!("{id}:{revision}"));
            assert_eq!(headers["ce_source"], format!("/watchfire/{}", setup.app));
            assert_eq!(headers["content-type"], "application/json");
        }
    }
    assert!(found.iter().all(|count| *count > 0), "{found:?}");
    assert_eq!(events, found[2], "CloudEvents are those in OCSF");
    let config = setup.config("read");
    let config = config.to_str().unwrap();
    let tail = "incidents tail --from-beginning --until-end --format json --config";
    let arguments: Vec<&str> = tail.split(' ').chain([config]).collect();
    let ran = Ran::of(&mut program(Path::new("."), &arguments));
    assert_eq!(
        (ran.code, ran.out.lines().count()),
        (0, messages.len()),
        "{ran:?}"
    );
    let last: Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    let id = last["incident_id"].as_str().unwrap();
    let ran = Ran::of(&mut program(
        Path::new("."),
        &["incidents", "show", id, "--config", config],
    ));
    assert!(
        ran.code == 0 && ran.out.contains("Commands on machines"),
        "{ran:?}"
    );
}
