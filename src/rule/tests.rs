use super::{Condition, IncidentValue, Rule, parse, parse_all};
use crate::event::{AttributeId, Attributes, Value};

const RULE: &str = r#"
id: PH_Rule_Test_1
name: Many refusals
description: >
  Someone tries
  again and again.
enabled: true
severity: 7
category: Security
subcategory: Execution
impacts: Server
data_source: Azure
tactics: [TA0002]
techniques: [T1059.006, T1110]
window: 5m
patterns:
  - name: Refused
    where: eventType = "MS_A" AND srcIpAddr != cidr("10.0.0.0/8")
    group_by: [user, record.properties."odd key"]
    having: COUNT(*) >= 3
condition: Refused
relations: []
incident:
  title: "Refusals of $user: $hits"
  attributes: { user: Refused.user, hits: Refused.COUNT(*), addresses: Refused.COUNT(DISTINCT srcIpAddr) }
clear: { quiet: 10m }
patience: 15m
lateness: 2h
exceptions:
  - { where: 'user = "deploy@contoso.com"', from: 2026-01-01T00:00:00Z, until: 2026-02-01T00:00:00Z }
tests:
  - name: three
    events: [ { operationName: "Microsoft.A", level: 4, ok: true, time: 2026-01-01T00:00:00Z } ]
    incidents: [ { user: alice, event_count: 3 } ]
"#;

fn rule(text: &str) -> (Rule, Attributes) {
    let mut attributes = Attributes::default();
    let rules = parse("rule.yaml", text, &mut attributes).unwrap();
    (rules.into_iter().next().unwrap(), attributes)
}

#[test]
fn reads_a_rule() {
    let (rule, attributes) = rule(RULE);
    assert_eq!(rule.description, "Someone tries again and again.");
    assert_eq!((rule.window, rule.quiet), (300, 600));
    assert_eq!((rule.patience, rule.lateness), (Some(900), Some(7200)));
    assert_eq!(rule.condition, Condition::Pattern(0));
    let keys: Vec<_> = rule
        .join_key
        .iter()
        .map(|part| (part.name.as_str(), &part.places))
        .collect();
    assert_eq!(
        keys,
        [
            ("user", &vec![0]),
            ("record.properties.\"odd key\"", &vec![1])
        ]
    );
    let values: Vec<&IncidentValue> = rule.attributes.iter().map(|(_, value)| value).collect();
    let (user, hits) = (IncidentValue::GroupBy(0, 0), IncidentValue::Aggregate(0, 0));
    assert_eq!(values, [&user, &hits, &IncidentValue::Aggregate(0, 1)]);
    assert_eq!(rule.patterns[0].aggregates.len(), 2);
    assert_eq!(
        rule.patterns[0].filter.required_event_type(),
        Some(vec!["ms_a".to_string()])
    );
    let exception = &rule.exceptions[0];
    assert_eq!(exception.from, Some(1_767_225_600_000));
    let deploy = Value::Text("Deploy@contoso.com".into());
    assert!(
        exception
            .filter
            .matches_with(&|id| (id == AttributeId(0)).then_some(&deploy))
    );
    let event =
        r#"{"level":4,"ok":true,"operationName":"Microsoft.A","time":"2026-01-01T00:00:00Z"}"#;
    assert_eq!(rule.tests[0].events, [event]);
    assert_eq!(
        rule.tests[0].incidents[0][1],
        ("event_count".to_string(), 3.into())
    );
    assert_eq!(rule.text, RULE);
    let again = self::rule(&format!("--- # first\n{}", rule.text));
    assert_eq!(again.0.meaning(&again.1), rule.meaning(&attributes));
    assert_eq!(
        rule.meaning(&attributes),
        "id PH_Rule_Test_1\nwindow 300\nquiet 600\npattern Refused\n \
         where eventType = \"ms_a\" AND srcIpAddr != cidr(\"10.0.0.0/8\")\n \
         group_by user, record.properties.\"odd key\"\n \
         having COUNT(*) >= 3\ncondition Refused\nkey user 0\n\
         key record.properties.\"odd key\" 1\nattribute user Refused.user\n\
         attribute hits Refused.COUNT(*)\n\
         attribute addresses Refused.COUNT(DISTINCT srcIpAddr)\n"
    );
}

#[test]
fn has_defaults() {
    let (rule, _) = rule(
        "id: R\nname: A name\nseverity: 1\nwindow: 300s\npatterns:\n  - name: P\n    where: user = \
         \"x\"\n    group_by: [user, record.a]\n",
    );
    assert_eq!(
        (rule.title.as_str(), rule.quiet, rule.enabled),
        ("A name", 300, true)
    );
    assert_eq!(rule.category, super::Category::Security);
    assert!(
        rule.patterns[0]
            .having
            .holds(&|place| (place == 0).then_some(1.0))
    );
    let names: Vec<&str> = rule
        .attributes
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["user", "record.a"]);
}

#[test]
fn meaning_changes_with_meaning_only() {
    let meaning = |text: &str| {
        let (rule, attributes) = rule(text);
        rule.meaning(&attributes)
    };
    let check = |from: &str, to: &str, same: bool| {
        assert!(RULE.contains(from), "{from}");
        let found = meaning(&RULE.replace(from, to)) == meaning(RULE);
        assert_eq!(found, same, "{from} -> {to}");
    };
    check("severity: 7", "severity: 8", true);
    check("name: Many refusals", "name: Other", true);
    check("title: \"Refusals of", "title: \"No to", true);
    check("deploy@contoso.com", "other@contoso.com", true);
    check(
        "eventType = \"MS_A\" AND",
        "EVENTTYPE   =   \"ms_a\"  and",
        true,
    );
    check("window: 5m", "window: 300s", true);
    check("having: COUNT(*) >= 3", "having: count( * )>=3.0", true);
    check("[user, record", "[USER, Record", true);
    check("patience: 15m", "patience: 16m", true);
    check("id: PH_Rule_Test_1", "id: PH_Rule_Test_2", false);
    check("window: 5m", "window: 6m", false);
    check("quiet: 10m", "quiet: 11m", false);
    check("MS_A", "MS_B", false);
    check(">= 3", ">= 4", false);
    check(", record.properties.\"odd key\"", "", false);
    check("hits: Refused.COUNT(*)", "hits: Refused.COUNT(user)", false);
}

/// Every error as `line:column: message`, one a line.
fn errors(text: &str) -> String {
    let errors = parse("rule.yaml", text, &mut Attributes::default()).unwrap_err();
    errors
        .iter()
        .map(|error| format!("{error}\n").replacen("rule.yaml:", "", 1))
        .collect()
}

/// The rule with one part changed has this one error.
fn check(from: &str, to: &str, expected: &str) {
    assert!(RULE.contains(from), "{from}");
    assert_eq!(
        errors(&RULE.replacen(from, to, 1)),
        format!("{expected}\n"),
        "{from} -> {to}"
    );
}

#[test]
fn says_what_is_wrong_with_fields() {
    check(
        "window: 5m",
        "windows: 5m\nwindow: 5m",
        "15:1: unknown key `windows`: did you mean `window`?",
    );
    check("window: 5m\n", "", "2:1: the key `window` is missing");
    check("id: PH_Rule_Test_1\n", "", "2:1: the key `id` is missing");
    check(
        "PH_Rule_Test_1",
        "a b",
        "2:5: an id has letters, digits and _-.: only, found ` `",
    );
    check(
        "name: Many refusals",
        "name:",
        "3:1: expected text, found nothing",
    );
    check(
        "enabled: true",
        "enabled: 'true'",
        "7:10: expected true or false, found `true`",
    );
    check(
        "severity: 7",
        "severity: 11",
        "8:11: expected a severity, a whole number from 1 to 10, found `11`",
    );
    check(
        "severity: 7",
        "severity: [5, 7]",
        "8:11: a severity that depends on the incident (a list) is not supported yet: write a number from 1 to 10",
    );
    check(
        "category: Security",
        "category: Securty",
        "9:11: unknown category `Securty`: did you mean `Security`?",
    );
    check(
        "[TA0002]",
        "[T0002]",
        "13:11: expected a tactic such as TA0002, found `T0002`",
    );
    check(
        "T1110]",
        "T110]",
        "14:25: expected a technique such as T1059.006, found `T110`",
    );
    check(
        "[TA0002]",
        "TA0002",
        "13:10: expected a list of tactics, found `TA0002`",
    );
    check(
        "window: 5m",
        "window: 300",
        "15:9: expected a duration such as 300s, 15m or 2h, found `300`",
    );
    check(
        "window: 5m",
        "window: 1500ms",
        "15:9: expected whole seconds, found `1500ms`",
    );
    check(
        "window: 5m",
        "window: 0s",
        "15:9: expected a duration from 1s to 366d, found `0s`",
    );
    check(
        "lateness: 2h",
        "lateness: 2m",
        "28:11: lateness must be at least patience, 900s",
    );
    check(
        "quiet: 10m",
        "when: X",
        "26:16: clear patterns (`when`) are not supported yet",
    );
    check(
        "until: 2026-02",
        "until: 2025-02",
        "30:80: `until` must be after `from`",
    );
    check(
        "2026-02-01T00:00:00Z",
        "tomorrow",
        "30:80: expected a time such as 2026-01-01T00:00:00Z, found `tomorrow`",
    );
    check(
        "[ { operationName:",
        "[ 5, { operationName:",
        "33:15: expected a record as Azure sends it, a mapping",
    );
}

#[test]
fn says_what_is_wrong_with_expressions() {
    let unknown = errors(&RULE.replacen("AND srcIpAddr", "AND srcIp", 1));
    assert!(unknown.starts_with("18:35: no attribute is called `srcIp`"), "{unknown}");
    check(
        "AND srcIpAddr",
        "AND\n      srcIpAddr LIKE \"x\" OR srcIpAddr",
        "19:17: unknown operator `LIKE`; known are =, >, >=, <, <=, IN, BETWEEN, CONTAIN, STARTS_WITH, ENDS_WITH, REGEXP, IS NULL",
    );
    check(
        "COUNT(*) >= 3",
        "1 = 1",
        "20:13: this comparison has no aggregate, such as COUNT(*)",
    );
    check(
        "[user, record",
        "[user, User, record",
        "19:22: `User` is in this list twice",
    );
    check(
        "having: COUNT(*) >= 3",
        "new: '[user] over 7d'",
        "20:10: `new` (values not seen before) is not supported yet",
    );
    check(
        "condition: Refused",
        "condition: Refuse",
        "21:12: unknown pattern `Refuse`: did you mean `Refused`?\n21:12: the condition does not name the pattern `Refused`",
    );
    check(
        "condition: Refused",
        "condition: (Refused FOLLOWED_BY Refused)",
        "21:21: `FOLLOWED_BY` between patterns is not supported yet",
    );
    check(
        "relations: []",
        "relations: [Refused.user = Refused.user]",
        "22:28: a relation is between two different patterns",
    );
    check(
        "relations: []",
        "relations: [A.user = Refused.user]",
        "22:13: unknown pattern `A`; known are Refused",
    );
    check(
        "user: Refused.user",
        "user: Refused.srcIpAddr",
        "25:23: `srcIpAddr` is not in the group_by of the pattern Refused",
    );
    check(
        "user: Refused.user",
        "user: user",
        "25:23: `user` names no pattern: write Pattern.user",
    );
    check(
        "Refused.COUNT(*)",
        "Refused.MEDIAN(user)",
        "25:51: the aggregate MEDIAN is not supported yet",
    );
    check(
        "{ user: Refused.user",
        "{ title: Refused.user, user: Refused.user",
        "25:17: `title` is a field of every incident: choose another",
    );
    check(
        "'user = ",
        "'usr = ",
        "30:15: `usr` is not an attribute of this rule's incidents: did you mean `user`?",
    );
    check(
        "event_count: 3",
        "events: 3",
        "34:33: incidents have no `events`; known are title, severity, severity_band, first_seen, last_seen, event_count, trigger_count, user, hits, addresses",
    );
}

#[test]
fn says_what_is_wrong_with_several_patterns() {
    let second = "  - name: Ok\n    where: user = \"x\"\n    group_by: [user]\ncondition: Refused AND Ok\nrelations: ";
    let relations = |relations: &str| {
        let changed = format!("{second}{relations}\n");
        errors(&RULE.replacen("condition: Refused\nrelations: []\n", &changed, 1))
    };
    let operator = "24:20: `AND` between patterns is not supported yet\n";
    assert_eq!(relations("[Refused.user = Ok.user]"), operator);
    assert_eq!(relations("[]"), operator);
    assert_eq!(
        relations("[Refused.user = Ok.user, Ok.user = Refused.record.properties.\"odd key\"]"),
        format!(
            "{operator}25:12: each group of related attributes needs exactly one of every pattern\n"
        )
    );
    let without = RULE.replacen(
        "condition: Refused\n",
        "  - name: REFUSED\n    where: user = 1\n",
        1,
    );
    assert_eq!(
        errors(&without),
        "21:11: pattern `REFUSED` is already in line 17\n21:11: several patterns in a rule are not \
         supported yet; without `condition` they would be joined by AND\n"
    );
}

#[test]
fn all_errors_of_all_files_come_at_once() {
    let broken = RULE
        .replace("severity: 7", "severity: x")
        .replace("window: 5m", "window: y");
    let files = [
        ("b.yaml".to_string(), format!("{broken}---\n{broken}")),
        ("a.yaml".to_string(), "a: b: c".to_string()),
    ];
    let errors = parse_all(&files, &mut Attributes::default()).unwrap_err();
    let found: Vec<String> = errors
        .iter()
        .map(|error| format!("{}:{}:{}", error.file, error.line, error.column))
        .collect();
    let expected = [
        "a.yaml:1:5",
        "b.yaml:8:11",
        "b.yaml:15:9",
        "b.yaml:37:5",
        "b.yaml:43:11",
        "b.yaml:50:9",
    ];
    assert_eq!(found, expected);
}
