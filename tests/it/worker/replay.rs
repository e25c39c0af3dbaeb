//! Live equals replay: what stands after a worker is what a backtest finds, however its input was
//! kept.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use watchfire::encode::json;
use watchfire::incident::{Incident, Status};
use watchfire::record::Hash;
use watchfire::time::rfc3339;

use super::process::Worker;
use super::setup::{SOURCE_PARTITIONS, Setup, Traffic, now};
use crate::kafka::{create_topic, produce, read_committed, until};
use crate::reader::{self, python};
use crate::rng::Rng;

#[test]
fn what_stands_live_is_what_a_backtest_finds() {
    let setup = Setup::new("replay", "");
    setup.add_sequences();
    let worker = Worker::start(&setup.config("a"));
    Traffic::start(&setup, 400, Duration::from_millis(30)).finish();
    wait_until_all_is_over(&setup);
    worker.stop();
    let live: Vec<Value> = standing(&setup).iter().map(shown).collect();
    for rule in ["TEST", "FOLLOWED", "ALONE", "NEW"] {
        let id = format!("PH_Rule_{rule}");
        assert!(
            live.iter().any(|incident| incident["rule_id"] == id),
            "{id}"
        );
    }

    let input = format!("kafka://{}", setup.source);
    same(&live, &backtest(&setup, &[&input]), Coordinates::Equal);

    let topic = format!("{}-replayed", setup.app);
    create_topic(&setup.bootstrap, &topic, 2, &[]);
    let output = format!("kafka://{topic}");
    backtest_with(&setup, &[&input], &["--to", &output, "--to", "now"]);
    same(&live, &replayed(&setup, &topic), Coordinates::Equal);
    for own in [setup.source.clone(), format!("{}.incidents", setup.app)] {
        let output = format!("kafka://{own}");
        let ran = command(&setup, &[&input], &["--output", &output])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(!ran.status.success() && said.contains(&output), "{said}");
    }

    let lines = records(&setup);
    let ndjson = setup.file("records.ndjson", &(lines.join("\n") + "\n"));
    let ndjson = ndjson.to_str().unwrap();
    same(&live, &backtest(&setup, &[ndjson]), Coordinates::Other);

    let capture = setup.path("capture");
    write_capture(&setup, &capture);
    let capture = capture.to_str().unwrap();
    same(&live, &backtest(&setup, &[capture]), Coordinates::Other);

    let shuffled = setup.path("shuffled");
    write_shuffled(&shuffled, lines);
    let shuffled = shuffled.to_str().unwrap();
    same(&live, &backtest(&setup, &[shuffled]), Coordinates::Other);
    let little = ["--memory", "20kB", "--threads", "1"];
    same(
        &live,
        &backtest_with(&setup, &[shuffled], &little),
        Coordinates::Other,
    );
}

/// Lets time pass on all partitions until every incident that stands is closed.
fn wait_until_all_is_over(setup: &Setup) {
    setup.wait_until_read();
    until("all incidents are closed", || {
        for partition in 0..SOURCE_PARTITIONS {
            let time = rfc3339(now());
            let other =
                format!(r#"{{"time":"{time}","operationName":"MICROSOFT.COMPUTE/DISKS/WRITE"}}"#);
            produce(
                &setup.bootstrap,
                &setup.source,
                partition,
                &[(now(), other)],
            );
        }
        std::thread::sleep(Duration::from_millis(500));
        let standing = standing(setup);
        !standing.is_empty() && standing.iter().all(|i| i.status == Status::Closed)
    });
    setup.wait_until_read();
}

/// The last that was said of each incident that was not taken back.
fn standing(setup: &Setup) -> Vec<Incident> {
    let mut last: BTreeMap<Hash, Incident> = BTreeMap::new();
    for incident in setup.incidents() {
        let known = last
            .entry(incident.incident_id)
            .or_insert_with(|| incident.clone());
        if incident.revision > known.revision {
            *known = incident;
        }
    }
    let mut standing: Vec<Incident> = last.into_values().collect();
    standing.retain(|incident| incident.status != Status::Retracted);
    standing.sort_by_key(|incident| (incident.first_seen, incident.incident_id));
    standing
}

fn shown(incident: &Incident) -> Value {
    serde_json::from_str(&json::line(incident)).unwrap()
}

/// Whether the records stand where they stood live.
#[derive(Clone, Copy, PartialEq)]
enum Coordinates {
    Equal,
    Other,
}

/// Holds that two lists of incidents are the same, but for what depends on how they were come by.
fn same(live: &[Value], replayed: &[Value], coordinates: Coordinates) {
    let plain = |incident: &Value| {
        let mut incident = incident.clone();
        let fields = incident.as_object_mut().unwrap();
        for field in ["revision", "late", "replaces"] {
            assert!(fields.remove(field).is_some(), "{field}");
        }
        if coordinates == Coordinates::Other {
            for evidence in fields["evidence"].as_array_mut().unwrap() {
                for field in ["topic", "partition", "offset", "index"] {
                    assert!(evidence.as_object_mut().unwrap().remove(field).is_some());
                }
            }
        }
        incident.to_string()
    };
    let (live, replayed): (Vec<String>, Vec<String>) = (
        live.iter().map(plain).collect(),
        replayed.iter().map(plain).collect(),
    );
    assert_eq!(live, replayed);
}

fn backtest(setup: &Setup, input: &[&str]) -> Vec<Value> {
    backtest_with(setup, input, &[])
}

/// The incidents of a backtest with the worker's own configuration.
fn backtest_with(setup: &Setup, input: &[&str], more: &[&str]) -> Vec<Value> {
    let done = command(setup, input, more).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    let lines = String::from_utf8(done.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn command(setup: &Setup, input: &[&str], more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchfire"));
    command
        .args(["backtest", "--config"])
        .arg(setup.config("a"));
    command.arg("--input").args(input).args(more);
    command
}

/// What an independent reader finds in a topic of incidents, in their order.
fn replayed(setup: &Setup, topic: &str) -> Vec<Value> {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/incident.avsc");
    let rows = reader::read(&setup.bootstrap, topic, &schema).unwrap();
    let mut incidents: Vec<Value> = rows
        .into_iter()
        .map(|row| {
            assert_eq!(row.key.as_deref(), row.value["incident_id"].as_str());
            row.value
        })
        .collect();
    let text = |incident: &Value, field: &str| incident[field].as_str().unwrap().to_owned();
    incidents.sort_by_key(|one| (text(one, "first_seen"), text(one, "incident_id")));
    incidents
}

/// The records of the source, each as it was written, a line each.
fn records(setup: &Setup) -> Vec<String> {
    let mut lines = Vec::new();
    for message in read_committed(&setup.bootstrap, &setup.source) {
        let text = String::from_utf8(message.value.unwrap()).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        match value.get("records") {
            Some(records) => {
                let records = records.as_array().unwrap().iter().map(Value::to_string);
                let records: Vec<String> = records.collect();
                assert!(records.iter().all(|record| text.contains(record)), "{text}");
                lines.extend(records);
            }
            None => lines.push(text),
        }
    }
    lines
}

/// What Event Hubs Capture would have made of the source, by another library than ours.
fn write_capture(setup: &Setup, folder: &Path) {
    let done = python("write_capture.py")
        .args([&setup.bootstrap, &setup.source])
        .arg(folder)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// The lines in any order, in files packed in several ways.
fn write_shuffled(folder: &Path, mut lines: Vec<String>) {
    let mut rng = Rng::new(7);
    for place in (1..lines.len()).rev() {
        lines.swap(place, rng.index(place + 1));
    }
    fs::create_dir_all(folder).unwrap();
    for (number, part) in lines.chunks(lines.len().div_ceil(3)).enumerate() {
        let text = part.join("\n");
        let bytes = match number {
            0 => {
                let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
                packer.write_all(text.as_bytes()).unwrap();
                packer.finish().unwrap()
            }
            1 => zstd::encode_all(text.as_bytes(), 1).unwrap(),
            _ => text.into_bytes(),
        };
        fs::write(folder.join(format!("{number}.json")), bytes).unwrap();
    }
}
