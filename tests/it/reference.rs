//! What docs/rules.md and docs/semantics.md say that rules do, done by `watchfire rules test`.

use std::fmt::Write as _;
use std::process::Command;

use watchfire::rule::condition;
use watchfire::time::{parse, rfc3339};

/// The output of `rules test` for these documents; it must find nothing wrong.
fn check(documents: &[String], tests: usize) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yaml");
    std::fs::write(&file, documents.join("---\n")).unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .args(["rules", "test"])
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout);
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{text}{errors}");
    assert!(
        text.contains(&format!("{tests} passed, 0 failed")),
        "{text}"
    );
}

/// `A 0, B 59.5` as raw records.
fn events(example: &str) -> String {
    let begin = parse("2026-03-02T09:00:00Z").unwrap();
    let event = |event: &str| {
        let (kind, second) = event.split_once(' ').unwrap();
        let second: f64 = second.parse().unwrap();
        #[expect(clippy::cast_possible_truncation, reason = "seconds of a few minutes")]
        let time = rfc3339(begin + (second * 1000.0).round() as i64);
        format!("{{ time: {time}, operationName: X, kind: {kind} }}")
    };
    let events: Vec<String> = example.split(", ").map(event).collect();
    events.join(", ")
}

#[test]
fn conditions_do_what_their_examples_say() {
    let mut documents = Vec::new();
    let mut tests = 0;
    for doc in condition::docs() {
        let written = &doc.written;
        let names = written.split(' ').filter(|word| word.len() == 1);
        let patterns: String = names
            .map(|name| format!("  - {{ name: {name}, where: record.kind = \"{name}\" }}\n"))
            .collect();
        let id = written.replace(' ', "_");
        let mut rule = format!(
            "id: {id}\nname: {written}\nseverity: 1\nwindow: 60s\npatterns:\n{patterns}\
             condition: {written}\nclear: {{ quiet: 10m }}\ntests:\n"
        );
        for (example, holds) in doc.examples {
            tests += 1;
            let incidents = if *holds { "{}" } else { "" };
            writeln!(
                rule,
                "  - {{ name: \"{example}\", events: [{}], incidents: [{incidents}] }}",
                events(example)
            )
            .unwrap();
        }
        documents.push(rule);
    }
    check(&documents, tests);
}

#[test]
fn the_examples_of_the_semantics_do_what_is_said() {
    let page = include_str!("../../docs/semantics.md");
    let examples = page.split("```yaml\n").skip(1);
    let documents: Vec<String> = examples
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect();
    assert_eq!(documents.len(), 2);
    check(&documents, documents.len());
}
