use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::event::{AttributeId, Attributes};
use crate::rule::attribute::Names;
use crate::rule::lists::Lists;
use crate::rule::metadata::{Metadata, Status};
use crate::rule::print::tests::{NAMES, aggregates, expression, table, test_of_aggregates};
use crate::rule::scope::Scope;
use crate::rule::shown::COUNTS;
use crate::rule::{
    Category, Condition, ConditionOperator, Difference, Exception, Filter, GroupBy, IncidentValue,
    JoinKeyPart, New, Pattern, Rule, RuleTest, Severity, SeverityCase, parse_with, print,
};

fn lists() -> Lists {
    let list = |file: &str, text: &str| (file.to_owned(), text.to_owned());
    let files = [
        list("Admins.txt", "alice"),
        list("Owners.csv", "user,team\na,b\n"),
    ];
    Lists::parse(&files).0
}

/// A filter over attributes of events.
fn filter() -> impl Strategy<Value = Filter> {
    let more = prop::sample::select(vec![
        "",
        " OR user IN (Group@Admins, 5)",
        " AND LookupTableGet(Owners, user, team) = record.a.b",
        " AND NOT LookupTableHas(\"Owners\", user, TO_LOWER(eventType))",
    ]);
    (expression(), more).prop_map(|(expression, more)| {
        let mut table = table();
        let text = print::filter(&expression, &|id| print::name(&table, id));
        let text = format!("({text}){more}");
        Filter::parse_with(
            &text,
            &mut Names::Event(&mut table),
            &mut Scope::of_log(&lists()),
        )
        .unwrap()
    })
}

const SHOWN: [&str; 3] = ["user", "a.b", "hits"];

/// A filter over what incidents show.
fn incident_filter() -> impl Strategy<Value = Filter> {
    let texts = vec![
        "user = \"root\"",
        "hits * 2 > event_count AND NOT (A.B IS NULL OR user CONTAIN \"x\")",
        "trigger_count IN (1, 2) OR user IN (Group@Admins)",
        "HourOfDay() BETWEEN (8, 17) OR user REGEXP \"^a\\\\d \\\"\"",
    ];
    prop::sample::select(texts).prop_map(|text| {
        let names: Vec<String> = SHOWN
            .iter()
            .chain(&COUNTS)
            .map(|name| (*name).to_owned())
            .collect();
        Filter::parse_with(
            text,
            &mut Names::Incident(&names),
            &mut Scope::of_log(&lists()),
        )
        .unwrap()
    })
}

fn pattern(place: usize) -> impl Strategy<Value = Pattern> {
    let group_by = prop::sample::subsequence((0..5_u16).collect::<Vec<_>>(), 2..4);
    let new = prop::option::of(1_i64..31_622_400);
    (filter(), group_by, test_of_aggregates(), new).prop_map(
        move |(filter, group_by, having, new)| {
            let group_by: Vec<AttributeId> = group_by.into_iter().map(AttributeId).collect();
            let all = (0..5).map(AttributeId).rev().collect();
            Pattern {
                name: format!("P{place}"),
                filter,
                group_by,
                aggregates: aggregates(),
                formulas: Vec::new(),
                having,
                new: new.map(|period| New {
                    attributes: all,
                    period,
                }),
            }
        },
    )
}

/// Over patterns 0 to `count` in some order, in some parentheses.
fn condition(count: usize) -> impl Strategy<Value = Condition> {
    let operators = prop::sample::select(ConditionOperator::ALL.to_vec());
    let others = prop::collection::vec((operators, any::<bool>()), count - 1);
    let unless = any::<bool>();
    (others, unless).prop_map(move |(others, unless)| {
        let mut condition = Condition::Pattern(0);
        for (place, (operator, inside)) in (1..count).zip(others) {
            let one = Condition::Pattern(place);
            condition = match condition {
                Condition::Operation(left, ConditionOperator::FollowedBy, right) if unless => {
                    Condition::Unless {
                        first: left,
                        then: right,
                        between: Box::new(one),
                    }
                }
                whole @ Condition::Unless { .. } if inside => Condition::Unless {
                    first: Box::new(Condition::Pattern(0)),
                    then: Box::new(one),
                    between: Box::new(whole),
                },
                Condition::Operation(left, before, right) if inside => {
                    let right = Condition::Operation(right, operator, Box::new(one));
                    Condition::Operation(left, before, Box::new(right))
                }
                whole @ (Condition::Pattern(_)
                | Condition::Operation(..)
                | Condition::Unless { .. }) => {
                    Condition::Operation(Box::new(whole), operator, Box::new(one))
                }
            };
        }
        condition
    })
}

fn text() -> impl Strategy<Value = String> {
    let texts = prop_oneof![any::<String>(), "[ a:#\\n'\"{\\[%@-]{1,9}"];
    texts.prop_map(|text| format!("x{text}").trim_end().to_owned())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec!["true", "5", "null", "", "~"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let fields = prop::collection::vec((any::<String>(), inner.clone()), 0..3);
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(Value::from),
            fields.prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn rule_test() -> impl Strategy<Value = RuleTest> {
    (text(), prop::collection::vec(json_value(), 0..3)).prop_map(|(name, values)| RuleTest {
        name,
        events: values
            .iter()
            .map(|value| json!({ "a": value }).to_string())
            .collect(),
        incidents: values
            .into_iter()
            .map(|value| {
                vec![
                    ("event_count".to_owned(), json!(3)),
                    ("user".to_owned(), value),
                ]
            })
            .collect(),
    })
}

fn severity() -> impl Strategy<Value = Severity> {
    let cases = prop::collection::vec((incident_filter(), 1_u8..=10), 0..3);
    (cases, 1_u8..=10).prop_map(|(cases, otherwise)| Severity {
        cases: cases
            .into_iter()
            .map(|(when, value)| SeverityCase { when, value })
            .collect(),
        otherwise,
    })
}

fn metadata() -> impl Strategy<Value = Metadata> {
    let status = prop::sample::select(Status::ALL.to_vec());
    let texts = || prop::collection::vec(text(), 0..3);
    let parts = (prop::option::of(text()), status, texts(), texts());
    parts.prop_map(|(text, status, tags, references)| Metadata {
        version: "1.20".to_owned(),
        author: text.unwrap_or_default(),
        status,
        tags,
        false_positives: references.clone(),
        references,
    })
}

fn exception() -> impl Strategy<Value = Exception> {
    let time = || prop::option::of(0_i64..4_102_444_800_000);
    let said = prop::option::of(text());
    (incident_filter(), time(), time(), said).prop_map(|(filter, from, length, said)| Exception {
        filter,
        from,
        until: length.map(|length| from.unwrap_or_default() + length + 1),
        owner: said.clone().unwrap_or_default(),
        ticket: "#12".to_owned(),
        reason: said.unwrap_or_default(),
    })
}

/// The parts of the key: the first `related` group-by attributes of every pattern, of a single
/// one all.
fn join_key(patterns: &[Pattern], related: usize) -> Vec<JoinKeyPart> {
    let first = &patterns[0].group_by;
    let parts = if patterns.len() == 1 {
        first.len()
    } else {
        related
    };
    (0..parts)
        .map(|place| JoinKeyPart {
            name: NAMES[usize::from(first[place].0)].to_owned(),
            places: vec![place; patterns.len()],
        })
        .collect()
}

/// The last group-by attributes of two patterns beside an operator, if they are no part of the key.
fn differences(condition: &Condition, related: usize) -> Vec<Difference> {
    let of = |pattern| GroupBy { pattern, place: 1 };
    match condition.operator_between(0, 1) {
        Some((operator, false)) if operator != ConditionOperator::Or && related < 2 => {
            let is_once = [0, 1].iter().all(|place| condition.times(*place) == 1);
            let difference = Difference {
                left: of(0),
                right: of(1),
            };
            is_once.then_some(difference).into_iter().collect()
        }
        Some(_) | None => Vec::new(),
    }
}

fn rule() -> impl Strategy<Value = Rule> {
    let shape = (1_usize..4).prop_flat_map(|count| {
        let patterns: Vec<_> = (0..=count).map(pattern).collect();
        (patterns, condition(count), any::<bool>(), 0_usize..3)
    });
    let texts = (text(), text(), text(), prop::option::of(text()));
    let incidents = (
        severity(),
        prop::collection::vec(exception(), 0..3),
        prop::collection::vec(rule_test(), 0..3),
    );
    let times = (
        1_i64..31_622_400,
        1_i64..31_622_400,
        prop::option::of(0_i64..900),
    );
    let kinds = (
        any::<bool>(),
        prop::sample::select(Category::ALL.to_vec()),
        metadata(),
    );
    (shape, texts, incidents, times, kinds).prop_map(|(shape, texts, incidents, times, kinds)| {
        let (mut patterns, condition, clears, related) = shape;
        let clear = clears.then_some(patterns.len() - 1);
        patterns.truncate(patterns.len() - usize::from(!clears));
        let values = [
            IncidentValue::GroupBy(0, 0),
            IncidentValue::GroupBy(patterns.len() - 1, 1),
            IncidentValue::Aggregate(0, 3),
        ];
        let (name, title, description, subcategory) = texts;
        let (severity, exceptions, tests) = incidents;
        let names = SHOWN.iter().map(|name| (*name).to_owned());
        Rule {
            id: "PH_Rule.1:-".to_owned(),
            name,
            description,
            metadata: kinds.2,
            enabled: kinds.0,
            severity,
            category: kinds.1,
            subcategory: subcategory.unwrap_or_default(),
            impacts: String::new(),
            data_source: "Azure #1".to_owned(),
            tactics: vec!["TA0002".to_owned()],
            techniques: vec!["T1059.006".to_owned(), "T1110".to_owned()],
            window: times.0,
            join_key: join_key(&patterns, related),
            differences: differences(&condition, related),
            patterns,
            condition,
            title,
            attributes: names.zip(values).collect(),
            quiet: times.1,
            clear,
            patience: times.2,
            lateness: times.2.map(|patience| patience + 7),
            exceptions,
            tests,
            lists: Lists::default(),
            text: String::new(),
        }
    })
}

fn read(text: &str, attributes: &mut Attributes) -> Result<Rule, String> {
    let rules = parse_with("rule.yaml", text, &lists(), attributes);
    let rules = rules.map_err(|errors| format!("{errors:#?}"))?;
    let [mut rule] = <[Rule; 1]>::try_from(rules).map_err(|rules| format!("{rules:?}"))?;
    rule.text.clear();
    Ok(rule)
}

proptest! {
    #[test]
    fn a_printed_rule_reads_as_itself(rule in rule()) {
        let mut attributes = table();
        let text = rule.to_yaml(&attributes);
        let first = read(&text, &mut attributes);
        prop_assert!(first.is_ok(), "{}\n{}", text, first.unwrap_err());
        let first = first.unwrap();
        // The rule that was made up says the same; only places within it may differ.
        prop_assert_eq!(first.to_yaml(&attributes), text.clone());
        prop_assert_eq!(first.meaning(&attributes), rule.meaning(&attributes));
        let second = read(&first.to_yaml(&attributes), &mut attributes);
        prop_assert_eq!(second, Ok(first), "{}", text);
    }
}

#[test]
fn it_is_fit_to_be_read() {
    let text = r#"id: R
name: Many refusals
severity: [{ when: hits > 5, value: 9 }, { value: 5 }]
window: 5m
patterns: [{ name: P, where: user = "x", group_by: [user] }]
incident: { attributes: { user: P.user, hits: P.COUNT(*) } }
exceptions: [{ where: event_count < 2, until: 2026-01-01T00:00:00Z, ticket: "5" }]
version: 1.2
status: test
tags: [a b]
references: ["https://example.com"]
tests: [{ name: one, events: [{ a: 5 }], incidents: [] }]
"#;
    let mut attributes = Attributes::default();
    let rule = read(text, &mut attributes).unwrap();
    assert_eq!(
        rule.to_yaml(&attributes),
        r#"id: R
name: Many refusals
version: "1.2"
status: test
severity:
  - { when: "hits > 5", value: 9 }
  - { value: 5 }
category: Security
tags: [a b]
references:
  - "https://example.com"
window: 300s
patterns:
  - name: P
    where: "user = \"x\""
    group_by: [user]
    having: "COUNT(*) >= 1"
condition: P
incident:
  title: Many refusals
  attributes:
    user: P.user
    hits: "P.COUNT(*)"
clear: { quiet: 300s }
exceptions:
  - { where: "event_count < 2", until: 2026-01-01T00:00:00.000Z, ticket: "5" }
tests:
  - name: one
    events:
      - {"a": 5}
    incidents: []
"#
    );
}
