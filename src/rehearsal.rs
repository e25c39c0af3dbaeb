//! The tests that rules bring along, played: the records of a test through both stages, and what
//! differs from the incidents that it expects.

use std::sync::Arc;

use serde_json::Value;

use crate::bounded;
use crate::detect::{Found, Matcher};
use crate::encode::Encoding;
use crate::event::Attributes;
use crate::fold::key::pane::Origin;
use crate::matches::MatchedRecord;
use crate::plan::{LoadedRule, Plan, Settings};
use crate::record::Position;
use crate::replay::Replay;
use crate::rule::{self, Rule, RuleTest};

/// A test that was played.
pub struct Rehearsal {
    /// The rule, alone; its attributes have their places in `attributes`.
    pub loaded: Arc<LoadedRule>,
    /// The attributes that it uses.
    pub attributes: Attributes,
    /// What matched. A position's offset is the record's place in the test.
    pub matched: Vec<MatchedRecord>,
    /// Records that no event could be made of, by their place in the test, and why.
    pub refused: Vec<Refused>,
    /// What came of it, as JSON, by time.
    pub incidents: Vec<Value>,
}

/// A record of a test that is none.
pub struct Refused {
    /// Its offset is the record's place in the test.
    pub position: Position,
    /// Why.
    pub reason: String,
}

/// A test whose outcome is not what it expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The rule's id.
    pub rule: String,
    /// The test's name.
    pub test: String,
    /// What differs.
    pub faults: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Failure { rule, test, faults } = self;
        write!(f, "{rule}: test `{test}`: {}", faults.join("; "))
    }
}

/// Plays the tests of these rules with these settings. Those that fail come back.
pub fn failures(rules: &[Rule], settings: Settings) -> Vec<Failure> {
    let of_rule = |rule: &Rule| {
        let failure = |test: &RuleTest| {
            let faults = match play(rule, test, settings) {
                Ok(played) => played.faults(test),
                Err(error) => vec![error],
            };
            (!faults.is_empty()).then(|| Failure {
                rule: rule.id.clone(),
                test: test.name.clone(),
                faults,
            })
        };
        rule.tests.iter().filter_map(failure).collect::<Vec<_>>()
    };
    rules.iter().flat_map(of_rule).collect()
}

/// Plays a test of a rule.
///
/// # Errors
///
/// The rule's text is not a valid rule by itself.
pub fn play(rule: &Rule, test: &RuleTest, settings: Settings) -> Result<Rehearsal, String> {
    let mut attributes = Attributes::default();
    let rules = rule::parse_with("rule", &rule.text, &rule.lists, &mut attributes);
    let rules = rules.map_err(|errors| rule::in_one_line(&errors))?;
    let plan = Plan::alone(&rules, &attributes, settings, Vec::new())?;
    let mut replay = Replay::new(Arc::clone(&plan));
    let origin = Origin {
        topic: replay.topic(&test.name),
        partition: 0,
    };
    let (matched, refused) = detect(&plan, test);
    for record in &matched {
        replay.add(record, origin);
    }
    let json = |incident| serde_json::from_slice(&Encoding::Json.encode(incident)).ok();
    let incidents = replay.finish().iter().filter_map(json).collect();
    let loaded = plan.rules.first().map(|(loaded, _)| Arc::clone(loaded));
    Ok(Rehearsal {
        loaded: loaded.ok_or("its text holds no rule")?,
        attributes,
        matched,
        refused,
        incidents,
    })
}

fn detect(plan: &Plan, test: &RuleTest) -> (Vec<MatchedRecord>, Vec<Refused>) {
    let mut matcher = Matcher::new(plan);
    let (mut matched, mut refused) = (Vec::new(), Vec::new());
    for (offset, event) in (0_i64..).zip(&test.events) {
        let message = matcher.message(event.as_bytes(), None);
        let mut records = matcher.records(&message);
        while let Some(record) = records.next() {
            let position = Position {
                epoch: 0,
                offset,
                index: record.index,
            };
            match record.outcome {
                Found::Rejected(why) => refused.push(Refused {
                    position,
                    reason: format!("{}: {why}", why.reason),
                }),
                Found::Event {
                    matched: Some(found),
                    ..
                } => matched.push(MatchedRecord { position, ..found }),
                Found::Event { matched: None, .. } => {}
            }
        }
    }
    (matched, refused)
}

impl Rehearsal {
    /// What differs between the incidents that came of the test and those it expects; refused
    /// records, too.
    pub fn faults(&self, test: &RuleTest) -> Vec<String> {
        let refused = self.refused.iter();
        let mut faults: Vec<String> = refused
            .map(|record| format!("event {}: {}", record.position.offset + 1, record.reason))
            .collect();
        let mut made: Vec<&Value> = self.incidents.iter().collect();
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
}

/// Whether a field, or an attribute, of the incident has the expected value. Text agrees without
/// regard to ASCII case, as attributes are held in lower case; times agree whatever their digits.
fn agrees(incident: &Value, field: &str, expected: &Value) -> bool {
    let value = incident.get("attributes").and_then(|all| all.get(field));
    match (value.or_else(|| incident.get(field)), expected) {
        (Some(Value::String(ours)), Value::String(theirs)) => {
            let times = (crate::time::parse(ours), crate::time::parse(theirs));
            bounded::equal(ours, theirs) || matches!(times, (Some(a), Some(b)) if a == b)
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

/// What tests may state of an incident, in one line.
pub fn brief(incident: &Value) -> String {
    let field = |name: &str| {
        incident
            .get(name)
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    format!(
        "attributes {}, severity {}, event_count {}, trigger_count {}, first_seen {}, last_seen {}",
        field("attributes"),
        field("severity"),
        field("event_count"),
        field("trigger_count"),
        field("first_seen"),
        field("last_seen"),
    )
}

#[cfg(test)]
mod tests {
    use super::failures;
    use crate::event::Attributes;
    use crate::plan::{Limits, Settings};
    use crate::rule::parse;

    #[test]
    fn tests_that_fail_come_back() {
        let settings = Settings {
            patience: 900,
            lateness: 7_200,
            limits: Limits::DEFAULT,
        };
        let check = |incidents: &str, more: &str, expected: &[&str]| {
            let text = format!(
                "id: R\nname: n\nseverity: 5\nwindow: 10s\npatterns: [{{name: P, where: user IS \
                 NOT NULL, group_by: [user]}}]\ntests: [{{name: one, events: [{{time: \
                 2026-01-01T00:00:01Z, Caller: Ann}}{more}], incidents: {incidents}}}]\n"
            );
            let rules = parse("r", &text, &mut Attributes::default()).unwrap();
            let found = failures(&rules, settings);
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found.len(), usize::from(!expected.is_empty()), "{found:?}");
            for part in expected {
                assert!(found[0].contains(part), "{part} is not in {found:?}");
            }
        };
        check("[{user: ANN, event_count: 1}]", "", &[]);
        check(
            "[]",
            "",
            &["R: test `one`: an incident more: attributes {\"user\":\"ann\"}"],
        );
        check(
            "[{user: bob}]",
            "",
            &["no incident with user \"bob\"; an incident more"],
        );
        check("[{user: ann}]", ", {Caller: ann}", &["event 2: no-time"]);
    }
}
