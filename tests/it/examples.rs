//! The examples of schemas/attributes/examples/: records of each kind, and who did what from where
//! when with what outcome, as a person reads them.
//!
//! An example has its record with it, after a published schema, or names one of the collected
//! records that are no part of the project (`WATCHFIRE_CORPUS`), by file and line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;
use watchfire::decode::Decoder;
use watchfire::event::{Attributes, Value};
use watchfire::normalise;
use watchfire::time;

/// What each example says, or says to be absent.
const FIVE: [&str; 5] = ["user", "srcIpAddr", "eventOutcome", "time", "eventType"];

/// When the message of a record came that has no time of its own.
const CAME: &str = "2026-11-30T12:00:00.000Z";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    example: Vec<Example>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    /// The record's category or table, or what is said of it in their place.
    category: String,
    /// File and line, from 1, of a collected record.
    corpus: Option<String>,
    /// The record.
    record: Option<String>,
    /// The page and the fields after which it is written.
    source: Option<String>,
    expect: BTreeMap<String, String>,
    #[serde(default)]
    absent: Vec<String>,
}

/// By family.
fn examples() -> Vec<(String, Example)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas/attributes/examples");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let family = path.file_stem().unwrap().to_string_lossy().into_owned();
        let known = normalise::families();
        assert!(known.iter().any(|known| known.name == family), "{family}");
        let text = std::fs::read_to_string(&path).unwrap();
        let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{family}: {error}"));
        all.extend(file.example.into_iter().map(|one| (family.clone(), one)));
    }
    all
}

/// The collected record at `place`.
fn collected(corpus: &std::path::Path, place: &str) -> String {
    let (file, line) = place.split_once(':').unwrap();
    let text = std::fs::read_to_string(corpus.join("events").join(file)).unwrap();
    let line: usize = line.parse().unwrap();
    let line = text.lines().nth(line - 1).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    line.get("raw").unwrap_or(&line).to_string()
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Many(values) => {
            let values: Vec<String> = values.iter().map(shown).collect();
            values.join(", ")
        }
    }
}

/// What the program makes of a record.
fn read(decoder: &Decoder, attributes: &Attributes, record: &str) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    let came = time::parse(CAME);
    let message = decoder.message(record.as_bytes(), came);
    let mut records = decoder.records(&message);
    while let Some(record) = records.next() {
        let event = record.outcome.expect("the record is read").whole();
        for (attribute, value) in attributes.list().iter().zip(&event.values) {
            let shown = value.as_ref().map(shown);
            said.extend(shown.map(|shown| (attribute.to_string(), shown)));
        }
        let time = time::rfc3339(event.time);
        said.extend((time != CAME).then(|| ("time".to_owned(), time)));
    }
    said
}

#[test]
fn records_are_read_as_people_read_them() {
    let corpus = std::env::var_os("WATCHFIRE_CORPUS").map(PathBuf::from);
    if corpus.is_none() {
        println!("skipped in part: WATCHFIRE_CORPUS does not name a folder of collected records");
    }
    let attributes = normalise::all();
    let decoder = Decoder::new(&attributes);
    let mut differing = Vec::new();
    let mut checked = 0;
    for (family, example) in examples() {
        let record = match (&example.record, &example.corpus, &corpus) {
            (Some(record), None, _) => record.clone(),
            (None, Some(place), Some(corpus)) => collected(corpus, place),
            (None, Some(_), None) => continue,
            (Some(_), Some(_), _) | (None, None, _) => panic!("{family}: one record an example"),
        };
        let said = read(&decoder, &attributes, &record);
        let at = example.corpus.as_deref().unwrap_or(&record);
        let mut differs = |name: &str, wanted: Option<&String>| {
            checked += 1;
            let found = said.get(name);
            if found != wanted {
                differing.push(format!(
                    "{family} {name}: {found:?}, not {wanted:?} of {at}"
                ));
            }
        };
        for (name, wanted) in &example.expect {
            differs(name, Some(wanted));
        }
        for name in &example.absent {
            differs(name, None);
        }
    }
    println!("{checked} values");
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn there_are_examples_of_every_kind() {
    let all = examples();
    let families: BTreeSet<&str> = all.iter().map(|(family, _)| family.as_str()).collect();
    for family in normalise::families() {
        // What comes wrapped in an event of Event Grid has tests of its own.
        let is_wrapped = family.name.starts_with("event-grid");
        assert!(
            is_wrapped || families.contains(family.name.as_ref()),
            "{}",
            family.name
        );
    }
    let mut categories = BTreeSet::new();
    let mut places = BTreeSet::new();
    let mut collected = 0;
    for (family, example) in &all {
        let at = format!("{family} {}", example.category);
        for name in FIVE {
            let is_said = example.expect.contains_key(name);
            let is_absent = example.absent.iter().any(|absent| absent == name);
            assert_ne!(
                is_said, is_absent,
                "{at}: {name} is said, or said to be absent"
            );
        }
        categories.insert(example.category.to_ascii_lowercase());
        match &example.corpus {
            Some(place) => {
                collected += 1;
                assert!(places.insert(place), "{place} comes twice");
            }
            None => {
                let source = example.source.as_deref().unwrap_or_default();
                let (page, fields) = source.split_once(", ").unwrap_or_default();
                assert!(
                    page.starts_with("https://") && !fields.is_empty(),
                    "{at}: {source}"
                );
            }
        }
    }
    println!(
        "{} examples, {collected} of them of collected records, over {} categories",
        all.len(),
        categories.len()
    );
    assert!(all.len() >= 150 && categories.len() >= 40);
    assert!(2 * collected >= all.len());
}
