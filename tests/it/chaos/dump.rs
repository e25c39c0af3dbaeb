//! Everything that stands in an application's topics, as a client reads it that is not ours.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::application::Application;
use crate::kafka::Message;
use crate::reader;

/// The topics of an application, each in order of partition and offset.
#[derive(Clone, Default)]
pub struct Dump {
    pub source: Vec<Message>,
    pub matches: Vec<Message>,
    pub incidents: Vec<Message>,
    pub dead_letters: Vec<Message>,
    pub rules: Vec<Message>,
    /// What an Avro library that is not ours makes of the incidents, one for one.
    pub datums: Vec<Datum>,
    /// How far the matches are folded, by partition.
    pub committed: BTreeMap<i32, i64>,
}

/// An incident as the independent reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Datum {
    pub incident_id: String,
    pub revision: i64,
    pub status: String,
    pub rule_id: String,
    pub event_count: u64,
    pub trigger_count: u64,
}

/// A line of the reader.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Committed {
        partition: i32,
        committed: i64,
    },
    Message {
        topic: String,
        partition: i32,
        offset: i64,
        timestamp: i64,
        key: Option<String>,
        value: Option<String>,
        headers: Vec<(String, Option<String>)>,
        datum: Option<Datum>,
    },
}

/// Reads all topics of an application to their ends: the reader's lines.
pub fn read(application: &Application) -> String {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/incident.avsc");
    let topic = |kind: &str| application.topic(kind);
    let output = reader::python("dump_topics.py")
        .args([
            &application.bootstrap,
            &topic("correlate"),
            &topic("incidents"),
        ])
        .arg(schema)
        .arg(&application.source)
        .args(["matches", "incidents", "dead-letters", "rules"].map(topic))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

impl Dump {
    /// What the reader's lines say of the application `app`.
    pub fn parse(lines: &str, app: &str) -> Dump {
        let mut dump = Dump::default();
        let mut incidents = Vec::new();
        for line in lines.lines() {
            match serde_json::from_str(line).unwrap() {
                Line::Committed {
                    partition,
                    committed,
                } => {
                    dump.committed.insert(partition, committed);
                }
                Line::Message {
                    topic,
                    partition,
                    offset,
                    timestamp,
                    key,
                    value,
                    headers,
                    datum,
                } => {
                    let headers = headers.into_iter();
                    let message = Message {
                        partition,
                        offset,
                        timestamp: Some(timestamp),
                        key: key.map(bytes),
                        value: value.map(bytes),
                        headers: headers
                            .map(|(name, value)| (name, value.map(bytes)))
                            .collect(),
                    };
                    match topic.strip_prefix(app) {
                        Some(".matches") => dump.matches.push(message),
                        Some(".incidents") => incidents.push((message, datum.unwrap())),
                        Some(".dead-letters") => dump.dead_letters.push(message),
                        Some(".rules") => dump.rules.push(message),
                        Some(_) | None => dump.source.push(message),
                    }
                }
            }
        }
        incidents.sort_by_key(|(message, _)| (message.partition, message.offset));
        (dump.incidents, dump.datums) = incidents.into_iter().unzip();
        let Dump {
            source,
            matches,
            dead_letters,
            rules,
            ..
        } = &mut dump;
        for topic in [source, matches, dead_letters, rules] {
            topic.sort_by_key(|message| (message.partition, message.offset));
        }
        dump
    }
}

/// What hexadecimal digits stand for.
fn bytes(text: String) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
