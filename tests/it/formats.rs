//! The bytes that lie in topics and on disks stay readable, or are known to be another version's.
//!
//! `tests/formats/log.<version>.txt` holds a matches log of that version with its rules topic, and
//! what its fold says, in a schema of then; every version must still be folded, and to the same
//! where rules mean what they meant then.
//! `state.<version>.txt` holds the state after half of the log. The current version must be written
//! byte for byte as it stands there and go on from it; older ones must be refused, so that the log
//! is folded again.
//! `WATCHFIRE_GOLDEN=write` writes the files of the current versions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use watchfire::detect::{Detector, SourcePartition};
use watchfire::encode::Encoding;
use watchfire::encode::avro::read::Reader;
use watchfire::event::Attributes;
use watchfire::fold::state::{self, OpenError, State};
use watchfire::fold::work::advance;
use watchfire::matches;
use watchfire::plan::{Catalogue, MEANING, Source};
use watchfire::rule;

use crate::rng::Rng;
use crate::sim::events::event;
use crate::worker::log::fold;
use crate::world::{SETTINGS, read};

const CLOCK: i64 = 1_772_500_000_000;
const MESSAGES: i64 = 120;

/// Everything that a state can hold: aggregates of every kind, triggers that wait, finer groups,
/// values that are new, clear panes, rules that come later.
const RULES: &str = "---
id: PH_Rule_AGGREGATES
name: Aggregates
severity: 5
window: 300s
patterns:
  - name: A
    where: eventType CONTAIN \"test\"
    group_by: [user]
    having: COUNT(*) >= 2 AND COUNT(DISTINCT correlationId) >= 2 AND SUM(record.properties.number)
      > -9 AND (MAX(record.properties.number) >= 0 OR PCTILE(record.properties.number, 90) > 2 OR
      FIRST(record.properties.number) != 1 OR LAST(record.properties.number) != 2 OR
      MODE(record.properties.number) = 1 OR STDDEV(record.properties.number) > 0.5)
exceptions:
  - { where: 'user = \"user2@contoso.com\"', from: 2026-03-03T00:00:00Z }
---
id: PH_Rule_CHAIN
name: Chain
severity: 5
window: 60s
patterns:
  - { name: A, where: eventType CONTAIN \"read\", group_by: [user, srcIpAddr] }
  - { name: B, where: eventType CONTAIN \"write\", group_by: [user] }
  - { name: C, where: eventType CONTAIN \"delete\", group_by: [user] }
condition: A FOLLOWED_BY B NOT_FOLLOWED_BY C
relations: [A.user = B.user, A.user = C.user]
incident:
  attributes: { user: A.user, from: A.srcIpAddr }
patience: 60s
lateness: 600s
---
id: PH_Rule_NEW
name: New
severity: 5
window: 20s
patterns:
  - name: A
    where: eventType CONTAIN \"start\"
    group_by: [user]
    new: \"[user, srcIpAddr] over 5m\"
  - { name: Restored, where: eventType CONTAIN \"delete\", group_by: [user] }
condition: A
relations: [A.user = Restored.user]
clear: { when: Restored, quiet: 300s }
lateness: 900s
";

/// A matches log: what the rules topic holds, timestamps and bytes of messages, what is said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Log {
    rules: Vec<(String, String)>,
    messages: Vec<(i64, Vec<u8>)>,
    said: Vec<Vec<u8>>,
}

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn make() -> Log {
    let mut attributes = Attributes::default();
    let rules = rule::parse("rules.yaml", RULES, &mut attributes).unwrap();
    let sources = vec![Source {
        topic: "activity".to_owned(),
        partitions: 2,
        epoch: 0,
        epochs: std::collections::BTreeMap::new(),
    }];
    let mut catalogue = Catalogue::default();
    let draft = catalogue.draft(&rules, &attributes, SETTINGS, sources, 0);
    for (key, value) in &draft.entries {
        catalogue.read(key, Some(value)).unwrap();
    }
    let plan = catalogue.plan(draft.plan).unwrap();
    let mut detector = Detector::new(plan.clone(), 1, 900);
    let place = |partition| SourcePartition {
        source: 0,
        partition,
    };
    for partition in 0..2 {
        detector.assign(place(partition), 0);
    }
    let (mut random, mut log) = (Rng::new(7), Log::default());
    for number in 0..MESSAGES {
        let clock = CLOCK + number * 9_000;
        let records: Vec<String> = (0..3)
            .map(|_| event(&mut random, clock, true).text)
            .collect();
        let source = place(u32::try_from(number % 2).unwrap());
        let payload = format!("{{\"records\":[{}]}}", records.join(","));
        detector.read(source, number / 2, Some(clock), payload.as_bytes());
        if number % 5 == 4 {
            detector.mark(&[]);
        }
        let messages = detector.take().messages;
        log.messages
            .extend(messages.into_iter().map(|(_, bytes)| (clock, bytes)));
    }
    let entries = draft.entries.into_iter();
    log.rules = entries
        .map(|(key, value)| (key, String::from_utf8(value).unwrap()))
        .collect();
    let rows = fold_rows(&log, 0, log.messages.len(), &Rows::new());
    log.said = rows.1;
    log
}

/// Folds the messages `from..to` upon `rows`: the rows then, and what is said.
fn fold_rows(log: &Log, from: usize, to: usize, rows: &Rows) -> (Rows, Vec<Vec<u8>>) {
    let mut catalogue = Catalogue::default();
    for (key, value) in &log.rules {
        catalogue.read(key, Some(value.as_bytes())).unwrap();
    }
    let (mut rows, mut said) = (rows.clone(), Vec::new());
    let mut state = match rows.get(State::META_ROW) {
        Some(meta) => State::open(meta, &catalogue).unwrap(),
        None => State::empty(0),
    };
    assert_eq!(state.applied(), from as i64);
    for (offset, (timestamp, bytes)) in log.messages.iter().enumerate().take(to).skip(from) {
        let (plan, message) = read(&catalogue, offset as i64, *timestamp, bytes).unwrap();
        let run = advance(&mut state, &plan, message);
        let incidents = fold(&mut state, run, &rows);
        said.extend(incidents.iter().map(|i| Encoding::Avro.encode(&i.incident)));
        for (row, value) in state.changes() {
            match value {
                Some(value) => rows.insert(row, value),
                None => rows.remove(&row),
            };
        }
        state.kept();
        state.shrink(0);
    }
    (rows, said)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn write_log(log: &Log) -> String {
    let mut text = String::new();
    for (key, value) in &log.rules {
        writeln!(text, "rules {key} {value}").unwrap();
    }
    for (timestamp, bytes) in &log.messages {
        writeln!(text, "message {timestamp} {}", hex(bytes)).unwrap();
    }
    for bytes in &log.said {
        writeln!(text, "said {}", hex(bytes)).unwrap();
    }
    text
}

/// The bytes that the incident in these, of whichever schema, has today.
fn as_today(bytes: &[u8]) -> Vec<u8> {
    let incident = Reader::new().unwrap().read(bytes).unwrap();
    Encoding::Avro.encode(&incident)
}

fn read_log(text: &str) -> Log {
    let mut log = Log::default();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        match words[..] {
            ["rules", key, value] => log.rules.push((key.to_owned(), value.to_owned())),
            ["message", timestamp, bytes] => {
                log.messages
                    .push((timestamp.parse().unwrap(), unhex(bytes)));
            }
            ["said", bytes] => log.said.push(as_today(&unhex(bytes))),
            _ => panic!("{line}"),
        }
    }
    log
}

fn write_rows(rows: &Rows) -> String {
    let lines = rows.iter();
    lines
        .map(|(row, value)| format!("{} {}\n", hex(row), hex(value)))
        .collect()
}

fn read_rows(text: &str) -> Rows {
    let row = |line: &str| {
        let (row, value) = line.split_once(' ').unwrap();
        (unhex(row), unhex(value))
    };
    text.lines().map(row).collect()
}

/// The files of a kind with their versions. With `WATCHFIRE_GOLDEN=write` that of `current` is
/// written first.
fn files(kind: &str, current: u8, text: impl FnOnce() -> String) -> BTreeMap<u8, String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/formats");
    if std::env::var("WATCHFIRE_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(folder.join(format!("{kind}.{current}.txt")), text()).unwrap();
    }
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if let Some(version) = name.strip_prefix(kind) {
            let version = version.trim_matches('.').trim_end_matches(".txt");
            let text = std::fs::read_to_string(&path).unwrap();
            files.insert(version.parse().unwrap(), text);
        }
    }
    assert!(files.contains_key(&current), "no file of {kind} {current}");
    files
}

#[test]
fn logs_of_every_version_are_folded_as_ever() {
    let files = files("log", matches::FORMAT, || write_log(&make()));
    assert!(
        make() == read_log(&files[&matches::FORMAT]),
        "the log is written in another way"
    );
    for (version, text) in files {
        let log = read_log(&text);
        assert!(log.said.len() > 20, "version {version} says little");
        let (_, said) = fold_rows(&log, 0, log.messages.len(), &Rows::new());
        let is_of_meaning = log.rules[0].1.contains(&format!("\"meaning\":{MEANING}"));
        assert!(said.len() > 20, "the fold of version {version} says little");
        assert!(
            said == log.said || !is_of_meaning,
            "the fold of version {version} says something else"
        );
    }
}

#[test]
fn states_are_written_as_ever_or_known_to_be_others() {
    let log = make();
    let half = log.messages.len() / 2;
    let (now, _) = fold_rows(&log, 0, half, &Rows::new());
    for (version, text) in files("state", state::FORMAT, || write_rows(&now)) {
        let rows = read_rows(&text);
        let meta = &rows[State::META_ROW];
        if version == state::FORMAT {
            assert!(
                rows == now,
                "the state is laid out in another way: raise its FORMAT"
            );
            let (_, said) = fold_rows(&log, half, log.messages.len(), &rows);
            assert!(log.said.ends_with(&said) && said.len() > 5);
        } else {
            let opened = State::open(meta, &Catalogue::default());
            assert_eq!(
                opened.err(),
                Some(OpenError::Format(version)),
                "version {version}"
            );
        }
    }
    let mut meta = now[State::META_ROW].clone();
    meta[0] = state::FORMAT + 1;
    let opened = State::open(&meta, &Catalogue::default());
    assert_eq!(
        opened.err(),
        Some(OpenError::Format(state::FORMAT + 1)),
        "a newer format is told by its number"
    );
}
