//! `watchfire backtest` as a person or a pipeline runs it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use watchfire::generate::{Generator, Options};

use crate::kafka::{bootstrap, create_topic, produce, unique};
use crate::reader::python;

const RULE: &str = "id: PH_Rule_A\nname: Commands\nseverity: 5\nwindow: 300s\npatterns:\n  \
                    - name: P\n    where: eventType CONTAIN \"runcommand\"\n    \
                    group_by: [user]\n    having: COUNT(*) >= 1\n";

/// A folder with an input and rules.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        let options = Options {
            commands_per_million: 20_000,
            ..Options::usual(1_772_355_600_000)
        };
        let messages = Generator::new(5, options).take(60);
        let lines: Vec<Vec<u8>> = messages.map(|message| message.bytes).collect();
        fs::write(place.path("in.json"), lines.join(&b"\n"[..])).unwrap();
        fs::write(place.path("rule.yaml"), RULE).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a backtest in the folder.
    fn run(&self, arguments: &str) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchfire"));
        command.arg("backtest").current_dir(self.0.path());
        // Quotes keep words together.
        for (number, part) in arguments.split('\'').enumerate() {
            match number % 2 {
                0 => command.args(part.split_whitespace()),
                _ => command.arg(part),
            };
        }
        command
    }
}

/// What a backtest ended with.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn incidents(&self) -> Vec<Value> {
        assert_eq!(self.code, 0, "{self:?}");
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

#[test]
fn wrong_arguments_say_what_would_be_right() {
    fn check(arguments: &str, code: i32, expected: &str) {
        let place = Place::new();
        fs::write(place.path("bad.yaml"), "id: X\n").unwrap();
        fs::write(place.path("cut.gz"), b"\x1f\x8b\x08").unwrap();
        fs::create_dir(place.path("empty")).unwrap();
        let ran = place.run(arguments);
        assert_eq!(ran.code, code, "{arguments}: {ran:?}");
        assert!(ran.err.contains(expected), "{arguments}: {}", ran.err);
        assert_eq!(ran.out, "");
    }
    let base = "--rules rule.yaml --input in.json";
    check("--rules rule.yaml", 2, "--input");
    check(
        "--input in.json",
        2,
        "name files or directories with --rules",
    );
    check("--rules bad.yaml --input in.json", 2, "bad.yaml:1:1:");
    check("--rules rule.yaml --input empty", 1, "nothing to read");
    check(
        &format!("{base} --brokers localhost:9 --output o.json --to kafka://a"),
        1,
        "give one of them",
    );
    check(
        "--rules rule.yaml --input none.json",
        1,
        "none.json; does it exist?",
    );
    check(
        "--rules rule.yaml --input kafka://a?since=now",
        2,
        "expected from=TIME and to=TIME",
    );
    check("--rules rule.yaml --input kafka://a", 2, "no brokers: ");
    check("--rules rule.yaml --input cut.gz --strict", 1, "cut.gz");
    check(
        &format!("{base} --rule PH_Rule_B"),
        2,
        "did you mean `PH_Rule_A`?",
    );
    check(&format!("{base} --from soon"), 2, "now-24h");
    check(
        &format!("{base} --from 2026-03-02 --to 2026-03-01"),
        2,
        "--from 2026-03-02T00:00:00.000Z is not before --to 2026-03-01T00:00:00.000Z",
    );
    check(&format!("{base} --memory much"), 2, "64MiB");
    check(&format!("{base} --explain abc"), 2, "32 hexadecimal digits");
    check(
        &format!("{base} --explain {}", "0".repeat(32)),
        1,
        "Ids depend on the rules",
    );
    check(
        &format!("{base} --sweep 'having COUNT(*) >= 3'"),
        2,
        "no range",
    );
    check(
        &format!("{base} --output none/o.json"),
        1,
        "there is no directory none",
    );
    check(
        &format!("{base} --report none/r.html"),
        1,
        "there is no directory none",
    );
    check(&format!("{base} --compare none"), 2, "none");
}

#[test]
fn an_incident_is_explained() {
    let place = Place::new();
    let found = place.run("--rules rule.yaml --input in.json").incidents();
    let most = found
        .iter()
        .max_by_key(|incident| incident["event_count"].as_u64())
        .unwrap();
    let id = most["incident_id"].as_str().unwrap();
    let ran = place.run(&format!("--rules rule.yaml --input in.json --explain {id}"));
    assert_eq!(ran.code, 0, "{ran:?}");
    let user = most["attributes"]["user"].as_str().unwrap();
    for expected in [
        id,
        "pattern P: COUNT(*) >= 1 over 300 s, by user:",
        &format!("user=\"{user}\""),
        "record=\"in.json/0/",
        &format!("first_seen {}", most["first_seen"]),
    ] {
        assert!(ran.out.contains(expected), "{expected}: {}", ran.out);
    }
    let json = place.run(&format!(
        "--rules rule.yaml --input in.json --json --explain {id}"
    ));
    let told: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(told["incidents"][0], *most);
}

/// A rule of a folder that has a macro and a table beside it, by both.
#[test]
fn macros_and_tables_lie_beside_rules_or_elsewhere() {
    let place = Place::new();
    fs::create_dir_all(place.path("set/tables")).unwrap();
    let table = "network,asn,organization\n198.51.100.0/24,64500,Example Hosting\n";
    fs::write(place.path("set/tables/asn.csv"), table).unwrap();
    let macros = "macros: { filters: { Command: 'eventType CONTAIN \"runcommand\"' } }\n";
    fs::write(place.path("set/macros.yaml"), macros).unwrap();
    let rule = "id: R\nname: n\nseverity: 5\nwindow: 5m\nstatus: test\npatterns:\n  - name: P\n    \
                where: Macro@Command AND NetLookup(\"asn\", srcIpAddr, \"asn\") = 64500\n    \
                group_by: [{ org: 'NetLookup(\"asn\", srcIpAddr, \"organization\")' }]\n";
    fs::write(place.path("set/rule.yaml"), rule).unwrap();
    let record = |address: &str| {
        let operation = "MICROSOFT.COMPUTE/VIRTUALMACHINES/RUNCOMMAND/ACTION";
        serde_json::json!({
            "time": "2026-03-02T10:00:00Z",
            "operationName": operation,
            "callerIpAddress": address,
        })
        .to_string()
    };
    let records = [record("198.51.100.7"), record("203.0.113.7")].join("\n");
    fs::write(place.path("own.json"), records).unwrap();
    let check = |arguments: &str| {
        let incidents = place.run(arguments).incidents();
        assert_eq!(incidents.len(), 1, "{incidents:?}");
        assert_eq!(incidents[0]["attributes"]["org"], "example hosting");
        assert_eq!(incidents[0]["test"], true);
    };
    check("--rules set --input own.json");
    fs::rename(place.path("set/tables"), place.path("networks")).unwrap();
    let ran = place.run("--rules set --input own.json");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err.contains("rule.yaml:8:40: no table is called `asn`"),
        "{ran:?}"
    );
    check("--rules set --input own.json --tables networks");
    fs::write(place.path("networks/geo.mmdb"), "no database").unwrap();
    let ran = place.run("--rules set --input own.json --tables networks");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err.contains("geo.mmdb:1:1: not a sound database"),
        "{ran:?}"
    );
}

#[test]
fn rules_are_compared() {
    let place = Place::new();
    let other = |text: &str| fs::write(place.path("other.yaml"), text).unwrap();
    let compare = || place.run("--rules other.yaml --compare rule.yaml --input in.json");
    let count = |ran: &Ran, sign: &str| {
        let lines = ran.out.lines();
        lines.filter(|line| line.starts_with(sign)).count()
    };
    let found = place.run("--rules rule.yaml --input in.json").incidents();
    other(&RULE.replace("name: Commands", "name: Commands  # a remark"));
    assert_eq!(compare().code, 0);
    other(&RULE.replace("severity: 5", "severity: 6"));
    let ran = compare();
    assert_eq!((ran.code, count(&ran, "~")), (3, found.len()), "{ran:?}");
    let ran = place.run("--rules other.yaml --compare rule.yaml --input in.json --json");
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    let change = &told["changed"][0];
    assert_eq!(
        (&change["before"]["severity"], &change["after"]["severity"]),
        (&5.into(), &6.into())
    );
    other(&RULE.replace("COUNT(*) >= 1", "COUNT(*) >= 3"));
    let ran = compare();
    assert_eq!(ran.code, 3);
    let (fewer, gone) = (count(&ran, "~"), count(&ran, "-"));
    assert!(gone > 0 && fewer > 0, "{}", ran.out);
    assert_eq!(count(&ran, "+"), 0);
    let back = place.run("--rules rule.yaml --compare other.yaml --input in.json");
    assert_eq!(
        (count(&back, "+"), count(&back, "-")),
        (gone, 0),
        "{}",
        back.out
    );
}

#[test]
fn thresholds_are_tried_in_one_pass() {
    let place = Place::new();
    let sweep = "--sweep 'having COUNT(*) >= 1..4' --report r.html";
    let ran = place.run(&format!("--rules rule.yaml --input in.json {sweep}"));
    assert_eq!(ran.code, 0, "{ran:?}");
    for threshold in 1..=4 {
        let rule = RULE.replace(">= 1", &format!(">= {threshold}"));
        fs::write(place.path("one.yaml"), rule).unwrap();
        let alone = place
            .run("--rules one.yaml --input in.json")
            .incidents()
            .len();
        let row = ran.out.lines().skip(2).find(|line| covers(line, threshold));
        let row = row.unwrap_or_else(|| panic!("{threshold} is not in {}", ran.out));
        let incidents: usize = row.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert_eq!(incidents, alone, "{threshold}: {}", ran.out);
    }
    assert!(
        fs::read_to_string(place.path("r.html"))
            .unwrap()
            .contains("COUNT(*)")
    );
    let json = place.run("--rules rule.yaml --input in.json --json --sweep 'COUNT(*) >= 2..3'");
    let told: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(told["points"][1]["threshold"], 3.0);
}

/// Whether a row of the table is about this threshold: neighbours with equal results share one.
fn covers(row: &str, threshold: u32) -> bool {
    let name = row.split_whitespace().next().unwrap();
    let (first, last) = name.split_once("..").unwrap_or((name, name));
    (first.parse().unwrap()..=last.parse().unwrap()).contains(&threshold)
}

#[test]
fn an_avro_file_reads_elsewhere() {
    let place = Place::new();
    let expected = place.run("--rules rule.yaml --input in.json").incidents();
    let ran = place.run("--rules rule.yaml --input in.json --output o.avro");
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    let read = python("read_container.py")
        .arg(place.path("o.avro"))
        .output()
        .unwrap();
    let read = Ran::of(read).incidents();
    assert!(!expected.is_empty());
    assert_eq!(read, expected);
}

#[test]
fn an_interrupted_backtest_writes_what_it_has() {
    let place = Place::new();
    // Longer than anybody waits, and on no disk: a hole.
    let path = place.path("endless.json");
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(&fs::read(place.path("in.json")).unwrap())
        .unwrap();
    file.write_all(b"\n").unwrap();
    file.set_len(1 << 42).unwrap();
    let running = place
        .command("--rules rule.yaml --input endless.json --output o.json")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It is reading when it has the file open.
    while !has_open(running.id(), &path) {
        std::thread::sleep(Duration::from_millis(20));
    }
    interrupt(running.id());
    let ran = Ran::of(running.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(ran.err.contains("Interrupted: only a part"), "{}", ran.err);
    assert!(!fs::read_to_string(place.path("o.json")).unwrap().is_empty());
}

fn has_open(process: u32, path: &Path) -> bool {
    let open = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let mut links = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.any(|link| link == path)
}

fn interrupt(process: u32) {
    let sent = Command::new("kill")
        .args(["-INT", &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_range_of_a_topic_is_read_by_the_time_of_its_messages() {
    let place = Place::new();
    let topic = unique("range");
    create_topic(bootstrap(), &topic, 3, &[]);
    let minute = |n: i64| 1_772_323_200_000 + n * 60_000;
    for partition in 0..2 {
        let message = |n: i64| {
            let time = watchfire::time::rfc3339(minute(n));
            (
                minute(n),
                format!(r#"{{"time":"{time}","operationName":"A/B"}}"#),
            )
        };
        let messages: Vec<_> = (0..10).map(message).collect();
        produce(bootstrap(), &topic, partition, &messages);
    }
    let records = |query: &str| {
        let brokers = bootstrap();
        let ran = place.run(&format!(
            "--rules rule.yaml --brokers {brokers} --input kafka://{topic}{query}"
        ));
        assert_eq!(ran.code, 0, "{ran:?}");
        let summary = ran
            .err
            .lines()
            .find(|line| line.contains(" incidents from "));
        let all = summary.unwrap().rsplit(" of ").next().unwrap();
        all.split_once(" records")
            .unwrap()
            .0
            .parse::<u64>()
            .unwrap()
    };
    assert_eq!(records(""), 20);
    assert_eq!(records("?from=2026-03-01T00:03:00Z"), 14);
    assert_eq!(records("?to=2026-03-01T00:03:00Z"), 6);
    assert_eq!(
        records("?from=2026-03-01T00:03:30Z&to=2026-03-01T00:05:30Z"),
        4
    );
    assert_eq!(records("?from=2026-04-01"), 0);
    assert_eq!(records("?from=now-1h&to=now"), 0);
    let new = RULE.replace("    having: COUNT(*) >= 1\n", "    new: '[user] over 1d'\n");
    fs::write(place.path("new.yaml"), new).unwrap();
    for (query, is_noted) in [("", false), ("?from=2026-03-01T00:03:00Z", true)] {
        let ran = place.run(&format!(
            "--rules new.yaml --brokers {} --input kafka://{topic}{query} --from {}",
            bootstrap(),
            "2026-03-01T00:04:00Z"
        ));
        assert_eq!(ran.code, 0, "{ran:?}");
        let note = format!("Older messages of {topic} were not read");
        assert_eq!(ran.err.contains(&note), is_noted, "{query}: {}", ran.err);
    }
    let ran = place.run(&format!(
        "--rules rule.yaml --brokers {} --input kafka://{topic}-not",
        bootstrap()
    ));
    assert_eq!(ran.code, 1);
    assert!(
        ran.err
            .contains(&format!("topic {topic}-not does not exist")),
        "{}",
        ran.err
    );
}
