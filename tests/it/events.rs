//! `watchfire events` as a person runs it, over files and a topic.

use std::process::Command;

use serde_json::Value;

use crate::kafka::{bootstrap, create_topic, produce, unique};

/// Exit code, standard output and error of the command.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .arg("events")
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
fn wrong_arguments_say_what_would_be_right() {
    for (arguments, code, expected) in [
        (&["none.json"][..], 1, "none.json; does it exist?"),
        (&["kafka://a"], 2, "no brokers: "),
        (
            &["kafka://a?since=now"],
            2,
            "expected from=TIME and to=TIME",
        ),
        (&["in.json", "--json"], 2, "--summary"),
        (&["in.json", "--summary", "--raw"], 2, "cannot be used with"),
        (&["in.json", "--where", "user ="], 2, "--where: column 7"),
    ] {
        let (found, out, err) = run(arguments);
        assert_eq!((found, out.as_str()), (code, ""), "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
}

#[test]
fn a_topic_is_shown_and_summed_up() {
    let topic = unique("events");
    create_topic(bootstrap(), &topic, 2, &[]);
    let message = |text: &str| (1_772_355_600_000, text.to_owned());
    let signin = r#"{"records":[{"category":"SignInLogs","operationName":"Sign-in activity",
        "createdDateTime":"2026-03-01T08:00:00Z"},{"category":"SignInLogs"}]}"#;
    produce(bootstrap(), &topic, 0, &[message(signin), message("7")]);
    produce(bootstrap(), &topic, 1, &[message(r#"{"x":1}"#)]);
    let input = format!("kafka://{topic}");
    let brokers = ["--brokers", bootstrap()];
    let with = |more: &[&str]| run(&[&[input.as_str()][..], &brokers, more].concat());

    let (code, out, err) = with(&["--summary", "--json"]);
    assert_eq!(code, 0, "{err}");
    let summary: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(summary["messages"], 3);
    assert_eq!(summary["records"], 4);
    let first = format!("{topic}/1 offset 0 record 0");
    assert_eq!(summary["unrecognised"]["first"], first);
    let signins = &summary["categories"][1];
    assert_eq!(
        (&signins["category"], &signins["events"], &signins["time"]),
        (&"SignInLogs".into(), &2.into(), &1.into())
    );

    let (code, out, err) = with(&["--raw"]);
    assert_eq!(code, 0, "{err}");
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4, "{out}");
    let other = lines.iter().find(|line| line["record"] == r#"{"x":1}"#);
    let at = &other.unwrap()["at"];
    assert_eq!(
        (&at["topic"], &at["partition"]),
        (&Value::from(topic.as_str()), &1.into())
    );
    assert!(err.contains("1 events not recognised"), "{err}");

    let missing = format!("{input}-not");
    let (code, _, err) = run(&[&missing, "--brokers", bootstrap()]);
    assert_eq!(code, 1);
    assert!(err.contains("does not exist"), "{err}");
}

/// Attributes that a user brings.
const OWN: &str = "about = 'an audit'\nwhere = 'record.app = \"billing\"'\n[attribute.user]\n\
                   steps = [{ derive = 'principal', paths = ['actor'] }]\n[attribute.payer]\n\
                   meaning = 'who pays'\nsteps = [{ derive = 'text', paths = ['payer'] }]\n";

#[test]
fn attributes_of_ones_own_are_shown_and_can_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let record =
        r#"{"time":"2026-03-01T09:00:00Z","app":"billing","actor":"Ana","payer":"Contoso"}"#;
    std::fs::write(path("in.json"), record).unwrap();
    std::fs::create_dir(path("own")).unwrap();
    std::fs::write(path("own/audit.toml"), OWN).unwrap();
    let (input, own) = (path("in.json"), path("own"));
    let filter = ["--where", "payer = \"contoso\""];
    let (code, out, err) = run(&[&[input.as_str(), "--attributes", &own][..], &filter].concat());
    assert_eq!(code, 0, "{err}");
    let line: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&line["user"], &line["payer"]),
        (&"Ana".into(), &"Contoso".into())
    );
    let (code, _, err) = run(&[&[input.as_str()][..], &filter].concat());
    assert_eq!(code, 2);
    assert!(err.contains("no attribute is called `payer`"), "{err}");
    std::fs::write(path("own/audit.toml"), OWN.replace("text", "txt")).unwrap();
    let (code, _, err) = run(&[input.as_str(), "--attributes", &own]);
    assert_eq!(code, 2);
    assert!(
        err.contains("audit.toml:7:21: unknown variant `txt`"),
        "{err}"
    );
}
