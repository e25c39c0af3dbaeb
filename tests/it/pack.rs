//! The shipped rules for Azure: that they say what people need, do what their tests say, and leave
//! alone what is done for good reasons.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;
use watchfire::cli;
use watchfire::decode::Decoder;
use watchfire::event::{Attribute, Attributes, Value};
use watchfire::generate::{ATTACKER, Generator, Options};
use watchfire::incident::Incident;
use watchfire::io::backtest::input::{Reading, Source};
use watchfire::io::backtest::{self, Request};
use watchfire::io::disk::rule_files;
use watchfire::normalise;
use watchfire::rehearsal;
use watchfire::rule::coverage::{categories, untested};
use watchfire::rule::{Rule, Texts};

/// 2026-02-23T00:00:00Z, a Monday: the week in which rules learn what is not new.
const START: i64 = 1_771_804_800_000;

const DAY: i64 = 86_400_000;

/// The week that counts.
const WEEK: std::ops::Range<i64> = START + 7 * DAY..START + 14 * DAY;

/// What begins the names of event types.
const EVENT_TYPE: &str = "MS_EvtHub_";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/azure")
}

fn texts() -> Texts {
    rule_files::load(&[folder()], &[]).unwrap()
}

fn rules(attributes: &mut Attributes) -> Vec<Rule> {
    texts().parse(attributes).unwrap().0
}

#[test]
fn rules_do_what_their_tests_say() {
    let rules = rules(&mut Attributes::default());
    let failures = rehearsal::failures(&rules, cli::backtest::rules::SETTINGS);
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn each_rule_says_what_people_need() {
    let mut attributes = Attributes::default();
    let category = attributes.intern(Attribute::Named("category"));
    let rules = rules(&mut attributes);
    assert!(rules.len() >= 60, "{} rules", rules.len());
    for rule in &rules {
        let Rule { id, metadata, .. } = rule;
        assert!(rule.description.len() > 80, "{id}: description");
        assert!(metadata.references.len() > 1, "{id}: references");
        assert!(
            !metadata.false_positives.is_empty(),
            "{id}: false positives"
        );
        assert!(!rule.tactics.is_empty(), "{id}: tactics");
        assert!(!rule.techniques.is_empty(), "{id}: techniques");
        assert!(!categories(rule, category).is_empty(), "{id}: categories");
        assert_eq!(untested(rule), None, "{id}");
    }
}

#[test]
fn the_family_is_complete() {
    let rules = rules(&mut Attributes::default());
    for number in 0..22 {
        let id = format!("PH_Rule_ES_IMPORT_AZURE_{number}");
        assert!(rules.iter().any(|rule| rule.id == id), "{id}");
    }
}

#[test]
fn the_readme_names_each_rule() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    let rules = rules(&mut Attributes::default());
    assert!(readme.contains(&format!("{} rules", rules.len())));
    for rule in &rules {
        let line = readme
            .lines()
            .find(|line| line.contains(&format!("[{}]", rule.id)));
        let line = line.unwrap_or_else(|| panic!("{}", rule.id));
        assert!(line.contains(&rule.name), "{line}");
        for tag in &rule.metadata.tags {
            let category = tag.strip_prefix("category.");
            assert!(
                category.is_none_or(|name| line.contains(name)),
                "{line}: {tag}"
            );
        }
    }
}

/// The event types that rules name, as they stand in them.
fn event_types() -> Vec<String> {
    let mut found = Vec::new();
    for (_, text) in texts().rules {
        let (rule, _) = text.split_once("\ntests:").unwrap();
        let quoted = rule.split('"').skip(1).step_by(2);
        let types = quoted.filter(|text| text.starts_with(EVENT_TYPE) && *text != EVENT_TYPE);
        found.extend(types.map(str::to_ascii_lowercase));
    }
    found.sort();
    found.dedup();
    found
}

/// What is generated in `options`, as lines, until the week is over.
fn stream(options: Options) -> Vec<u8> {
    let messages = Generator::new(7, options);
    let messages = messages.take_while(|message| message.time < WEEK.end);
    messages
        .flat_map(|message| [message.bytes, b"\n".to_vec()].concat())
        .collect()
}

/// The incidents of a stream that begin in the week that counts.
fn incidents(stream: &[u8]) -> Vec<Incident> {
    let file = tempfile::Builder::new()
        .suffix(".ndjson")
        .tempfile()
        .unwrap();
    fs::write(file.path(), stream).unwrap();
    let plan = cli::backtest::rules::plan_of(&texts()).unwrap();
    let sources = [Source::File(file.path().to_owned())];
    let outcome = backtest::run(&Request::new(&plan, &sources, &Reading::default())).unwrap();
    let found = outcome.folded.incidents.into_iter();
    let found = found.map(|found| found.incident);
    found
        .filter(|incident| WEEK.contains(&incident.first_seen))
        .collect()
}

/// How often each event type occurs in the week that counts.
fn occurrences(stream: &[u8]) -> BTreeMap<String, u64> {
    let mut attributes = normalise::all();
    let event_type = attributes.intern(Attribute::Named("eventType"));
    let decoder = Decoder::new(&attributes);
    let mut seen = BTreeMap::new();
    for line in stream.split(|byte| *byte == b'\n') {
        let message = decoder.message(line, None);
        let mut records = decoder.records(&message);
        while let Some(record) = records.next() {
            let Ok(event) = record.outcome else { continue };
            let event = event.whole();
            if let (Some(Value::Text(name)), true) =
                (event.get(event_type), WEEK.contains(&event.time))
            {
                *seen.entry(name.to_ascii_lowercase()).or_default() += 1;
            }
        }
    }
    seen
}

#[test]
fn a_week_without_an_attack_is_quiet() {
    let stream = stream(Options::week(START));
    let seen = occurrences(&stream);
    let rare = |name: &String| seen.get(name).is_none_or(|count| *count < 50);
    let rare: Vec<String> = event_types().into_iter().filter(rare).collect();
    assert!(rare.is_empty(), "fewer than 50 in a week: {rare:#?}");

    let incidents = incidents(&stream);
    let mut days = BTreeMap::<i64, Vec<String>>::new();
    for incident in &incidents {
        let day = (incident.first_seen - WEEK.start) / DAY;
        days.entry(day)
            .or_default()
            .push(format!("{}: {}", incident.rule_id, incident.title));
    }
    let records: u64 = seen.values().sum();
    println!(
        "{records} records of a week, {} of them of event types that rules name: {} incidents",
        event_types()
            .iter()
            .filter_map(|name| seen.get(name))
            .sum::<u64>(),
        incidents.len()
    );
    for (day, said) in &days {
        println!("day {}: {}", day + 1, said.len());
        for line in said {
            println!("  {line}");
        }
    }
    assert!(days.values().all(|said| said.len() <= 3), "{days:#?}");
}

#[test]
fn an_attack_in_the_week_is_seen() {
    let options = Options {
        attack_after_ms: Some(10 * DAY),
        ..Options::week(START)
    };
    let found = incidents(&stream(options));
    let of_attacker =
        |incident: &&Incident| incident.title.contains(&ATTACKER.to_ascii_lowercase());
    let rules: Vec<&str> = found
        .iter()
        .filter(of_attacker)
        .map(|incident| &*incident.rule_id)
        .collect();
    assert!(rules.contains(&"PH_Rule_ES_IMPORT_AZURE_8"), "{rules:?}");
    assert!(
        rules.contains(&"WATCHFIRE_AZURE_RUN_COMMAND_MANY_MACHINES"),
        "{rules:?}"
    );
}

/// Exit code, standard output and error of `rules coverage`.
fn coverage(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .args(["rules", "coverage"])
        .arg(folder())
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn coverage_says_what_is_looked_for_and_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data.ndjson");
    let audits =
        r#"{"category":"auditlogs","operationName":"Add user","time":"2026-03-01T08:00:00Z"}"#;
    fs::write(&data, format!("{audits}\n{audits}\n")).unwrap();
    let layer = folder.path().join("layer.json");
    let (data, path) = (data.to_str().unwrap(), layer.to_str().unwrap());
    let (code, out, err) = coverage(&["--json", "--data", data, "--layer", path]);
    assert_eq!(code, 0, "{err}");
    let found: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(found["untested"], serde_json::json!([]));
    let events = |name: &str| {
        let all = found["categories"].as_array().unwrap().iter();
        let mut one = all.filter(|category| category["category"] == name);
        one.next().unwrap()["events"].as_u64().unwrap()
    };
    assert_eq!((events("auditlogs"), events("kube-audit")), (2, 0));
    let blind = found["without_data"].as_array().unwrap();
    assert!(
        blind.contains(&"PH_Rule_ES_IMPORT_AZURE_8".into()),
        "{blind:?}"
    );
    assert!(
        !blind.contains(&"PH_Rule_ES_IMPORT_AZURE_12".into()),
        "{blind:?}"
    );
    let layer: Json = serde_json::from_slice(&fs::read(layer).unwrap()).unwrap();
    assert_eq!(layer["versions"]["layer"], "4.5");
    let techniques = layer["techniques"].as_array().unwrap();
    assert!(techniques.iter().any(|one| one["techniqueID"] == "T1651"));

    let (code, out, _) = coverage(&[]);
    assert_eq!(code, 0);
    assert!(out.contains("Initial Access"), "{out}");
    let (code, _, err) = coverage(&["--data", "none.json"]);
    assert_eq!(code, 1);
    assert!(err.contains("none.json"), "{err}");
}
