//! docs/dead-letters.md against what dead letters are, and the commands about them on a real
//! broker.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use watchfire::decode::Reject;
use watchfire::detect::{DeadLetter, SourcePartition};

use crate::kafka::{create_topic, produce, read_committed};
use crate::shell::{Ran, program};
use crate::worker::process::Worker;
use crate::worker::setup::{Setup, UPN, now};

const DOC: &str = include_str!("../../docs/dead-letters.md");

/// The words in the first column of the table under this title.
fn documented(title: &str) -> BTreeSet<String> {
    let (_, rest) = DOC.split_once(title).unwrap();
    let lines = rest.lines().skip_while(|line| !line.starts_with("| `"));
    let rows = lines.take_while(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split('|').nth(1).unwrap());
    let words = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    words.map(str::to_owned).collect()
}

#[test]
fn every_header_is_documented() {
    let letter = DeadLetter {
        source: SourcePartition {
            source: 0,
            partition: 3,
        },
        offset: 7,
        index: 1,
        reason: Reject::Empty.reason(),
        explanation: String::new(),
        by_reason: vec![(Reject::Empty.reason(), 1)],
        bytes: Vec::new(),
        cut: true,
    };
    let headers = letter.headers("logs");
    let names: BTreeSet<String> = headers.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names, documented("**The headers**"));
}

#[test]
fn every_reason_is_documented() {
    let reasons = Reject::ALL.iter().map(|reject| reject.reason().to_owned());
    let mut reasons: BTreeSet<String> = reasons.collect();
    reasons.insert(watchfire::detect::MATCH_TOO_LARGE.to_owned());
    assert_eq!(reasons, documented("## Reasons"));
}

/// A command that is nested too deep for the first worker.
fn deep(number: u32) -> String {
    let record = json!({
        "time": watchfire::time::rfc3339(now()),
        "operationName": "MICROSOFT.COMPUTE/VIRTUALMACHINES/RUNCOMMAND/ACTION",
        "correlationId": number.to_string(),
        "identity": { "claims": { UPN: "deep@example.com" } },
        "properties": { "a": [[[[[[number]]]]]] },
    });
    record.to_string()
}

/// `watchfire dead-letters` with these arguments.
fn command(config: &Path, arguments: &[&str]) -> Ran {
    let config = config.to_str().unwrap();
    let arguments = [&["dead-letters"], arguments, &["--config", config]].concat();
    Ran::of(&mut program(Path::new("."), &arguments))
}

fn lines(ran: &Ran) -> Vec<Value> {
    let lines = ran.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What a topic holds, sorted.
fn values(setup: &Setup, topic: &str) -> Vec<String> {
    let messages = read_committed(&setup.bootstrap, topic).into_iter();
    let values = messages.map(|m| String::from_utf8_lossy(&m.value.unwrap()).into_owned());
    let mut values: Vec<String> = values.collect();
    values.sort();
    values
}

/// The application with what was refused, and the two records that a fix makes readable.
fn refused(setup: &Setup) -> [String; 2] {
    let config = setup.config_with("before", |text| {
        let text = text.replace("lateness = \"10s\"", "lateness = \"2h\"");
        text.replace(
            "[kafka]",
            "[limits]\nsource_nesting = 4\nmessage_bytes = 20000\n[kafka]",
        )
    });
    let worker = Worker::start(&config);
    let deep = [deep(1), deep(2)];
    let [one, two] = &deep;
    let messages: [Vec<u8>; 4] = [
        format!(
            "{{\"records\":[7, \"x\", {{\"time\":\"2026-03-02T09:14:05Z\"}}, {one},\n {two}]}}"
        )
        .into(),
        b"{\"a\": ?\n{\"b\": ?\n".to_vec(),
        b"{\"a\":\"\xff\x1b[2J\" !".to_vec(),
        vec![b'x'; 30_000],
    ];
    let messages = messages.map(|message| (now(), message));
    produce(&setup.bootstrap, &setup.source, 1, &messages);
    worker.wait_for("ready");
    setup.wait_until_read();
    worker.stop();
    deep
}

#[test]
fn what_was_refused_is_shown_and_read_after_a_fix() {
    let setup = Setup::new("letters", "");
    let deep = refused(&setup);
    let config = setup.config_with("after", |text| {
        text.replace("lateness = \"10s\"", "lateness = \"2h\"")
    });
    check_tail(&config, &setup.source, &deep);
    check_refusals(&setup, &config);
    check_replay(&setup, &config, &deep);

    let to = ["replay", "--to", &setup.source, "--json"];
    let chosen = ["--reason", "too-deep", "--since", "now-1h"];
    let ran = command(&config, &[&to[..], &chosen].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(lines(&ran)[0]["messages"], 2);
    let worker = Worker::start(&config);
    worker.wait_for("ready");
    setup.wait_until_read();
    worker.stop();
    let events = setup.incidents().into_iter().map(|i| i.event_count);
    assert_eq!(events.max(), Some(2), "both commands are read now");
}

fn check_tail(config: &Path, source: &str, deep: &[String; 2]) {
    let ran = command(config, &["tail", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let letters = lines(&ran);
    let told = letters.iter().map(|letter| {
        let number = |name: &str| letter[name].as_u64().unwrap();
        let place = (number("offset"), number("index"), number("records"));
        (letter["reason"].as_str().unwrap(), place)
    });
    let told: Vec<_> = told.collect();
    let expected = [
        ("not-an-object", (0, 0, 2)),
        ("too-deep", (0, 3, 2)),
        ("not-json", (1, 0, 2)),
        ("not-utf8", (2, 0, 1)),
        ("not-json", (3, 0, 1)),
    ];
    assert_eq!(told, expected);
    let [one, two] = deep;
    assert_eq!(letters[1]["text"], format!("{one},\n {two}"));
    assert_eq!(
        (&letters[1]["topic"], &letters[1]["partition"]),
        (&source.into(), &1.into())
    );
    assert_eq!(letters[3]["base64"], "eyJhIjoi/xtbMkoiICE=");
    assert_eq!(letters[4]["cut"], true);

    let ran = command(config, &["tail", "--reason", "not-utf8", "--limit", "1"]);
    let text: Vec<&str> = ran.out.lines().collect();
    assert!(
        text[0].contains(&format!("  not-utf8  {source}/1/2/0  1 record, 14 bytes")),
        "{ran:?}"
    );
    assert_eq!(text[2], r#"  {"a":"\xff\u001b[2J" !"#);
    let ran = command(config, &["tail", "--follow", "--limit", "3", "--json"]);
    assert_eq!((ran.code, lines(&ran).len()), (0, 3), "{ran:?}");
    let ran = command(config, &["tail", "--from", "end"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let ran = command(config, &["tail", "--reason", "nothing"]);
    assert_eq!(ran.code, 2, "{ran:?}");
}

fn check_refusals(setup: &Setup, config: &Path) {
    for kind in ["dead-letters", "matches", "incidents", "rules"] {
        let ran = command(
            config,
            &["replay", "--to", &format!("{}.{kind}", setup.app)],
        );
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("only workers write"), "{ran:?}");
    }
    let ran = command(config, &["replay", "--to", &format!("{}-none", setup.app)]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("does not exist"), "{ran:?}");
}

fn check_replay(setup: &Setup, config: &Path, deep: &[String; 2]) {
    let topic = format!("{}-fixed", setup.app);
    create_topic(&setup.bootstrap, &topic, 2, &[]);
    let to = ["replay", "--to", &topic, "--json"];
    for (more, written) in [(&["--dry-run"][..], false), (&[], true)] {
        let ran = command(config, &[&to[..], more].concat());
        assert_eq!(ran.code, 3, "something was cut: {ran:?}");
        let summary = &lines(&ran)[0];
        let expected = json!({
            "to": topic, "dry_run": !written, "letters": 5, "records": 7, "messages": 7,
            "bytes": summary["bytes"], "kept_together": 0, "left_out_cut": 1,
            "left_out_no_dead_letter": 0, "go_on_since": null,
            "by_reason": { "not-an-object": 1, "too-deep": 1, "not-json": 1, "not-utf8": 1 },
        });
        assert_eq!(summary, &expected);
        assert!(ran.err.contains("cut, so not written"), "{ran:?}");
        assert_eq!(values(setup, &topic).is_empty(), !written);
    }
    let [one, two] = deep;
    let mut expected = [
        "7",
        "\"x\"",
        one,
        two,
        "{\"a\": ?",
        "{\"b\": ?",
        "{\"a\":\"\u{fffd}\u{1b}[2J\" !",
    ];
    expected.sort_unstable();
    assert_eq!(values(setup, &topic), expected);
    let ran = command(config, &["replay", "--to", &topic, "--since", "now"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out
            .starts_with("0 dead letters; 0 records were written"),
        "{ran:?}"
    );
}
