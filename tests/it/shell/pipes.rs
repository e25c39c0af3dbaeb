//! Readers that go away.

use std::io::Read as _;
use std::process::Stdio;

use super::{Brokers, Ran, avro, folder, incident, program};

const RULE: &str = "id: PH_Rule_T\nname: n\nseverity: 5\nwindow: 5s\npatterns:\n  - \
                    {name: P, where: user IS NOT NULL, group_by: [user]}\ntests:\n  - \
                    {name: t, incidents: [], events: []}\n";

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let brokers = Brokers::start(&[("t.incidents", 1), ("t.rules", 1), ("t.dead-letters", 1)]);
    let value = avro(&incident(0xab, 0, "mara"));
    brokers.send_dead_letter("t.dead-letters", "not-json", b"{");
    brokers.send("t.incidents", &[(0, 1, "a", &value)]);
    let record = r#"{"time":"2026-03-02T09:14:05Z","Caller":"mara"}"#;
    let place = folder(&[("in.json", record), ("r.yaml", RULE)]);
    let address = brokers.address();
    let commands = [
        "rules check r.yaml",
        "rules check r.yaml --json",
        "rules check r.yaml --print",
        "rules test r.yaml",
        "events in.json",
        "backtest --rules r.yaml --input in.json",
        "backtest --rules r.yaml --input in.json --output o --compare r.yaml",
        "generate --records 10 --output -",
        "incidents tail --from-beginning --until-end --app t --brokers B",
        "incidents tail --from-beginning --until-end --format json --app t --brokers B",
        "incidents show ab --app t --brokers B",
        "dead-letters tail --app t --brokers B",
        "dead-letters tail --json --app t --brokers B",
    ];
    for command in commands {
        let command = command.replace('B', &address);
        let arguments: Vec<&str> = command.split(' ').collect();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut child = program(place.path(), &arguments);
        let child = child.stdout(writer).stderr(Stdio::piped()).spawn();
        let output = child.unwrap().wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // As a shell says it of a program that the signal for it has ended.
        assert_eq!(output.status.code(), Some(141), "{command}: {said}");
        let complains = said.contains("error") || said.contains("panicked");
        assert!(
            !complains && !said.contains("Broken pipe"),
            "{command}: {said}"
        );
    }
}

#[test]
fn a_log_that_nobody_reads_ends_nothing() {
    let place = folder(&[("in.json", "{}\n{}"), ("r.yaml", RULE)]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = program(place.path(), &["events", "in.json"]);
    let child = command.stdout(Stdio::piped()).stderr(writer).spawn();
    let mut child = child.unwrap();
    let mut out = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(out.lines().count(), 2);
}

#[test]
fn a_stream_can_begin_now() {
    let place = folder(&[]);
    let times = |start: &str| {
        let arguments = [
            "generate",
            "--records",
            "5",
            "--output",
            "-",
            "--start",
            start,
        ];
        let ran = Ran::of(&mut program(place.path(), &arguments));
        let first = ran
            .out
            .split("\"time\":\"")
            .nth(1)
            .map(|rest| rest[..10].to_owned());
        (ran.code, first, ran.err)
    };
    let today = watchfire::time::rfc3339(crate::worker::setup::now())[..10].to_owned();
    // A midnight may come between.
    let yesterday =
        watchfire::time::rfc3339(crate::worker::setup::now() - 600_000)[..10].to_owned();
    let (code, first, err) = times("now");
    assert!(
        code == 0 && [Some(today), Some(yesterday)].contains(&first),
        "{first:?} {err}"
    );
    assert_eq!(times("2025-02-03").1.as_deref(), Some("2025-02-03"));
    let (code, _, err) = times("earliest");
    assert!(code == 2 && err.contains("no earliest beginning"), "{err}");
}
