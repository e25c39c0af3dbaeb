//! Hostile text through every command: nothing of it acts on the terminal or the build server
//! that shows the output.

use std::fs;
use std::path::Path;

use super::{Brokers, Ran, avro, folder, incident, program};

/// What a terminal, an editor or a build server would act on.
const HOSTILE: &str = concat!(
    "\u{1b}]0;pwned\u{7}\u{1b}[2J\u{1b}[31mEVIL\u{9b}31mC1\u{202e}gnp.exe\u{7f}\n",
    "::error::injected\n##vso[task.x]\u{2028}\u{200b}\u{feff}\u{e0041}"
);

fn record() -> String {
    let text = serde_json::Value::from(HOSTILE);
    format!(
        r#"{{"time":"2026-03-02T09:14:05Z","operationName":"MICROSOFT.COMPUTE/RUNCOMMAND/ACTION",
        "resourceId":{text},"correlationId":{text},
        "identity":{{"claims":{{"upn":{text}}}}}}}"#
    )
    .replace('\n', " ")
}

const RULE: &str = "id: PH_Rule_T\nname: n\nseverity: 5\nwindow: 5s\npatterns:\n  - name: P\n    \
                    where: eventType CONTAIN \"runcommand\"\n    group_by: [user]\n    having: \
                    COUNT(*) >= 1\nincident:\n  title: command of $user\n  attributes: {user: \
                    P.user}\ntests:\n  - name: it fails\n    incidents: []\n    events:\n      - \
                    RECORD\n";

/// A rule file of which nothing is right, and all of it is hostile.
const BAD_RULE: &str = "id: \"\\e[2J\"\n\"\\e[2J\\e[31mPWN\\n::error file=a::injected\": 1\nname: \
                        \"\\u202e\\n::error::x\"\nwhere: \"\\x9b\"\n";

/// An Avro file with these names in its head.
fn container(schema: &str, codec: &str) -> Vec<u8> {
    let mut bytes = b"Obj\x01\x04".to_vec();
    for text in ["avro.schema", schema, "avro.codec", codec] {
        let mut length = text.len() << 1;
        while length >= 0x80 {
            bytes.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(text.bytes());
    }
    bytes.push(0);
    bytes.extend([7; 16]);
    bytes
}

/// Holds that nothing in `ran` acts.
fn check(what: &str, ran: &Ran) {
    for (stream, text) in [("stdout", &ran.out), ("stderr", &ran.err)] {
        for line in text.split('\n') {
            let unseen = line
                .chars()
                .find(|c| watchfire::escape::is_unseen(*c) && *c != '\t');
            assert_eq!(unseen, None, "{what}: {stream}: {line:?}");
            assert!(
                !line.trim_start().starts_with("::error"),
                "{what}: {stream}: {line}"
            );
            assert!(!line.contains("##vso["), "{what}: {stream}: {line}");
        }
    }
}

/// A folder with hostile records, rules and names.
fn hostile() -> tempfile::TempDir {
    let record = record();
    let escaped = watchfire::escape::lines(&record).replace("\\udb40\\udc41", "");
    let place = folder(&[
        ("in.json", &format!("{record}\n{HOSTILE}\n{{\"time\":1}}\n")),
        ("rules/a.yaml", &RULE.replace("RECORD", "{}")),
        ("raw/a.yaml", &RULE.replace("RECORD", &record)),
        ("escaped/a.yaml", &RULE.replace("RECORD", &escaped)),
        ("bad/b.yaml", BAD_RULE),
        ("names/::error::\u{1b}[31m\n\u{202e}.json", &record),
        ("names/bad\u{9b}.json.gz", "no gzip"),
        ("lists/c\u{1b}.yaml", RULE),
    ]);
    let avro = |name: &str, schema: &str, codec: &str| {
        fs::write(place.path().join(name), container(schema, codec)).unwrap();
    };
    let schema = |name: &str| format!("{{\"type\":\"{name}\"}}");
    avro("codec.avro", "\"bytes\"", HOSTILE);
    avro("schema.avro", HOSTILE, "null");
    avro(
        "type.avro",
        &schema("\\u001b[31m\\n::error::x\\u202e"),
        "null",
    );
    place
}

#[test]
fn no_output_of_a_file_command_acts() {
    let place = hostile();
    let run = |arguments: &str| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let ran = Ran::of(&mut program(place.path(), &arguments));
        check(&arguments.join(" "), &ran);
        ran
    };
    let shown = run("events in.json");
    assert!(
        shown
            .out
            .contains("\\u001b[31mEVIL\\u009b31mC1\\u202egnp.exe\\u007f"),
        "{shown:?}"
    );
    let line = shown.out.lines().next().unwrap();
    let read: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(read["user"], HOSTILE);
    run("events names codec.avro schema.avro type.avro");
    for file in ["codec.avro", "schema.avro", "type.avro", "in.json", "names"] {
        run(&format!("events {file}"));
        run(&format!("backtest --rules rules --input {file}"));
        run(&format!("backtest --strict --rules rules --input {file}"));
    }
    let found = run("backtest --rules rules --input in.json");
    assert_eq!(found.code, 0, "{found:?}");
    let incident: serde_json::Value = serde_json::from_str(&found.out).unwrap();
    let id = incident["incident_id"].as_str().unwrap();
    let base = "backtest --rules rules --input in.json --output o.json";
    let explained = run(&format!("{base} --explain {id}"));
    assert!(
        explained.out.contains("command of \\u001b]0;pwned"),
        "{explained:?}"
    );
    run(&format!("{base} --json --explain {id}"));
    run(&format!("{base} --compare bad"));
    fs::write(
        place.path().join("other.yaml"),
        RULE.replace(">= 1", ">= 9").replace("RECORD", "{}"),
    )
    .unwrap();
    let compared = run(&format!("{base} --compare other.yaml"));
    assert_eq!(compared.code, 3, "{compared:?}");
    run(&format!("{base} --json --compare other.yaml"));
    run("backtest --rules rules --input in.json --output o2.json --report r.html");
    for file in ["o.json", "o2.json", "r.html"] {
        let text = fs::read_to_string(place.path().join(file)).unwrap();
        let unseen = text
            .chars()
            .find(|c| watchfire::escape::is_unseen(*c) && *c != '\n');
        assert_eq!(unseen, None, "{file}");
    }
}

#[test]
fn no_output_about_rules_acts() {
    let place = hostile();
    for paths in ["rules", "raw", "escaped", "bad", "lists", "nothing"] {
        for more in [
            "check",
            "check --json",
            "check --print",
            "test",
            "test --json",
            "test --explain",
        ] {
            let arguments = format!("rules {more} {paths}");
            let arguments: Vec<&str> = arguments.split(' ').collect();
            let ran = Ran::of(&mut program(place.path(), &arguments));
            check(&arguments.join(" "), &ran);
        }
    }
    let name = "rules\u{1b}[31m\n::error::x";
    let ran = Ran::of(&mut program(place.path(), &["rules", "check", name]));
    check("a name of nothing", &ran);
    assert_eq!(ran.code, 1, "{ran:?}");
    let ran = Ran::of(&mut program(
        place.path(),
        &["rules", "check", "--\u{1b}[31m"],
    ));
    check("a flag of nothing", &ran);
    assert_eq!(ran.code, 2, "{ran:?}");
}

#[test]
fn no_output_about_topics_acts() {
    let topics = [
        ("t.incidents", 2),
        ("t.rules", 1),
        ("t.matches", 16),
        ("t.dead-letters", 1),
        ("t.other", 1),
    ];
    let brokers = Brokers::start(&topics);
    let value = avro(&incident(0xab, 0, HOSTILE));
    let garbage = format!("\u{3}\u{1}{HOSTILE}");
    brokers.send(
        "t.incidents",
        &[(0, 1, "a", &value), (1, 2, HOSTILE, garbage.as_bytes())],
    );
    brokers.send("t.rules", &[(0, 1, HOSTILE, HOSTILE.as_bytes())]);
    brokers.send_dead_letter("t.dead-letters", HOSTILE, HOSTILE.as_bytes());
    brokers.send_dead_letter(
        "t.dead-letters",
        HOSTILE,
        &[HOSTILE.as_bytes(), b"\xff"].concat(),
    );
    brokers.send("t.dead-letters", &[(0, 1, HOSTILE, HOSTILE.as_bytes())]);
    let place = hostile();
    let address = brokers.address();
    let run = |arguments: &[&str]| {
        let settings = ["--brokers", &address, "--app", "t"];
        let ran = Ran::of(&mut program(
            place.path(),
            &[arguments, &settings[..]].concat(),
        ));
        check(&arguments.join(" "), &ran);
        ran
    };
    let tail = ["incidents", "tail", "--from-beginning", "--until-end"];
    let table = run(&tail);
    assert!(
        table.out.contains("Rule of \\u001b]0;pwned\\u0007"),
        "{table:?}"
    );
    assert!(table.err.contains("not an incident"), "{table:?}");
    run(&[&tail[..], &["--format", "json"]].concat());
    let one = run(&["incidents", "show", "ab"]);
    assert!(one.out.contains("\\u001b[31mEVIL"), "{one:?}");
    run(&["incidents", "show", "ab", "--format", "json"]);
    let letters = run(&["dead-letters", "tail"]);
    assert!(letters.out.contains("\\u001b[31mEVIL"), "{letters:?}");
    assert!(letters.err.contains("not a dead letter"), "{letters:?}");
    run(&["dead-letters", "tail", "--json"]);
    for to in ["t.other", "t.rules", HOSTILE] {
        run(&["dead-letters", "replay", "--dry-run", "--to", to]);
    }
    run(&["rules", "show", "x"]);
    run(&["topics", "check", "--source", "nothing"]);
    let log = |json: &[&str]| {
        let arguments = [&["run", "--state-dir", "state", "--rules", "bad"], json].concat();
        let ran = run(&[&arguments[..], &["--source", "t.incidents"]].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
    };
    log(&[]);
    log(&["--log-json"]);
}

#[test]
fn colours_are_for_terminals() {
    // A pseudo-terminal, as `script` makes one; without the tool there is nothing to see it on.
    let place = hostile();
    let shown = |colour: Option<&str>| {
        let program = env!("CARGO_BIN_EXE_watchfire");
        let command = format!("{program} run --brokers localhost:1 2>&1");
        let mut script = std::process::Command::new("script");
        script
            .args(["-qec", &command, "/dev/null"])
            .current_dir(place.path());
        script.env("TERM", "xterm").env_remove("NO_COLOR");
        if let Some(value) = colour {
            script.env("NO_COLOR", value);
        }
        script.env("WATCHFIRE_PATIENC", "1m");
        let output = script.output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    if !Path::new("/usr/bin/script").exists() {
        eprintln!("skipped: there is no `script` to make a terminal with");
        return;
    }
    assert!(
        shown(None).unwrap().contains("\u{1b}[33m WARN"),
        "{:?}",
        shown(None)
    );
    assert!(
        !shown(Some("1")).unwrap().contains('\u{1b}'),
        "{:?}",
        shown(Some("1"))
    );
}
