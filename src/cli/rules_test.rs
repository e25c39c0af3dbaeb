//! `watchfire rules test`: do the rules do what their own tests say?

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cli::backtest::SETTINGS;
use crate::detect::{Found, Matcher};
use crate::encode::Encoding;
use crate::event::Attributes;
use crate::io::rule_files;
use crate::key::Origin;
use crate::plan::Plan;
use crate::record::Position;
use crate::replay::Replay;
use crate::rule::{self, Rule, RuleTest};
use crate::shuffle::MatchedRecord;

/// One test and what is wrong with its outcome; nothing: it passes.
struct Verdict {
    rule: String,
    test: String,
    faults: Vec<String>,
}

/// Runs the tests of all rules under `paths`. Fails when one of them does, or rules have errors.
pub fn run(paths: &[PathBuf], json: bool) -> ExitCode {
    let files = match rule_files::load(paths) {
        Ok(files) => files,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    match rule::parse_all(&files, &mut Attributes::default()) {
        Ok(rules) => report(&verdicts(&rules), json),
        Err(errors) => {
            for error in &errors {
                eprintln!("{error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn verdicts(rules: &[Rule]) -> Vec<Verdict> {
    let of_rule = |rule: &Rule| {
        rule.tests
            .iter()
            .map(|test| Verdict {
                rule: rule.id.clone(),
                test: test.name.clone(),
                faults: faults(rule, test),
            })
            .collect::<Vec<_>>()
    };
    rules.iter().flat_map(of_rule).collect()
}

fn report(verdicts: &[Verdict], json: bool) -> ExitCode {
    let failed = verdicts
        .iter()
        .filter(|verdict| !verdict.faults.is_empty())
        .count();
    for Verdict { rule, test, faults } in verdicts {
        if json {
            println!(
                "{}",
                json!({ "rule": rule, "test": test, "faults": faults })
            );
        } else if faults.is_empty() {
            println!("ok      {rule}: {test}");
        } else {
            println!("FAILED  {rule}: {test}");
            for fault in faults {
                println!("        {fault}");
            }
        }
    }
    if !json {
        println!("{} passed, {failed} failed", verdicts.len() - failed);
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What differs between the incidents that the test's events make and those it expects.
pub fn faults(rule: &Rule, test: &RuleTest) -> Vec<String> {
    let mut faults = Vec::new();
    let mut made = incidents(rule, test, &mut faults);
    for expected in &test.incidents {
        let agreeing = made.iter().position(|incident| {
            expected
                .iter()
                .all(|(field, value)| agrees(incident, field, value))
        });
        match agreeing {
            Some(place) => {
                made.remove(place);
            }
            None => faults.push(format!("no incident with {}", stated(expected))),
        }
    }
    faults.extend(
        made.iter()
            .map(|incident| format!("an incident more: {}", brief(incident))),
    );
    faults
}

/// The incidents that the test's events make, as JSON; refused events are faults.
fn incidents(rule: &Rule, test: &RuleTest, faults: &mut Vec<String>) -> Vec<Value> {
    let mut attributes = Attributes::default();
    let plan = rule::parse("rule", &rule.text, &mut attributes)
        .map_err(|errors| format!("{errors:?}"))
        .and_then(|rules| Plan::alone(&rules, &attributes, SETTINGS, Vec::new()));
    let plan = match plan {
        Ok(plan) => plan,
        Err(error) => {
            faults.push(error);
            return Vec::new();
        }
    };
    let mut matcher = Matcher::new(&plan);
    let mut replay = Replay::new(Arc::clone(&plan));
    let topic = replay.topic(&test.name);
    for (offset, event) in (0_i64..).zip(&test.events) {
        matcher.each_record(event.as_bytes(), None, &mut |record| match record.outcome {
            Found::Rejected(reason) => faults.push(format!("event {}: {reason}", offset + 1)),
            Found::Event { matched: None, .. } => {}
            Found::Event {
                matched: Some(found),
                ..
            } => {
                let position = Position {
                    epoch: 0,
                    offset,
                    index: record.index,
                };
                replay.add(
                    &MatchedRecord { position, ..found },
                    Origin {
                        topic,
                        partition: 0,
                    },
                );
            }
        });
    }
    let json = |incident| serde_json::from_slice(&Encoding::Json.encode(incident));
    replay
        .finish()
        .iter()
        .filter_map(|incident| json(incident).ok())
        .collect()
}

/// Whether a field, or an attribute, of the incident has the expected value. Text agrees without
/// regard to ASCII case, as attributes are held in lower case; times agree whatever their digits.
fn agrees(incident: &Value, field: &str, expected: &Value) -> bool {
    let value = incident.get("attributes").and_then(|all| all.get(field));
    match (value.or_else(|| incident.get(field)), expected) {
        (Some(Value::String(ours)), Value::String(theirs)) => {
            let times = (crate::time::parse(ours), crate::time::parse(theirs));
            ours.eq_ignore_ascii_case(theirs) || matches!(times, (Some(a), Some(b)) if a == b)
        }
        (Some(Value::Number(ours)), Value::Number(theirs)) => ours.as_f64() == theirs.as_f64(),
        (Some(ours), theirs) => ours == theirs,
        (None, theirs) => theirs.is_null(),
    }
}

fn stated(expected: &[(String, Value)]) -> String {
    let fields: Vec<String> = expected
        .iter()
        .map(|(field, value)| format!("{field} {value}"))
        .collect();
    fields.join(", ")
}

fn brief(incident: &Value) -> String {
    let field = |name: &str| {
        incident
            .get(name)
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    format!(
        "attributes {}, event_count {}, trigger_count {}, first_seen {}, last_seen {}",
        field("attributes"),
        field("event_count"),
        field("trigger_count"),
        field("first_seen"),
        field("last_seen"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Vec<Rule> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
        let files = rule_files::load(&[folder.into()]).unwrap();
        rule::parse_all(&files, &mut Attributes::default()).unwrap()
    }

    #[test]
    fn the_rules_shipped_pass_their_tests() {
        for Verdict { rule, test, faults } in verdicts(&shipped()) {
            assert!(faults.is_empty(), "{rule}: {test}: {faults:?}");
        }
    }

    #[test]
    fn what_differs_is_a_fault() {
        fn check(change: impl Fn(&mut RuleTest), expected: &[&str]) {
            let rules = shipped();
            let rule = rules.iter().find(|rule| rule.id.ends_with("_8")).unwrap();
            let mut test = rule.tests.first().unwrap().clone();
            change(&mut test);
            let found = faults(rule, &test);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (fault, part) in found.iter().zip(expected) {
                assert!(fault.contains(part), "{part} is not in {fault}");
            }
        }
        check(|_| {}, &[]);
        check(|test| test.incidents.clear(), &["an incident more"]);
        check(
            |test| test.incidents = vec![vec![("event_count".to_owned(), json!(99))]],
            &["no incident with event_count 99", "an incident more"],
        );
        check(|test| test.events.push("{".to_owned()), &["event 4: "]);
    }
}
