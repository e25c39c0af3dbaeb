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
  attributes: { user: Refused.user, hits: Refused.COUNT(*), all: Refused.COUNT(DISTINCT user) }
clear: { quiet: 10m }
patience: 15m
lateness: 2h
exceptions:
  - { where: 'user = "dev@contoso.com"', from: 2026-01-01T00:00:00Z, until: 2026-02-01T00:00:00Z }
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
    let deploy = Value::Text("Dev@contoso.com".into());
    assert!(
        exception
            .filter
            .matches_with(&|id| (id == AttributeId(0)).then_some(&deploy), 0)
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
         attribute all Refused.COUNT(DISTINCT user)\n"
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
    check("dev@contoso.com", "other@contoso.com", true);
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
    let found = errors_of(text);
    assert!(!found.is_empty(), "{text}");
    found
}

/// The same; nothing for a text without errors.
fn errors_of(text: &str) -> String {
    let parsed = parse("rule.yaml", text, &mut Attributes::default());
    let errors = parsed.err().unwrap_or_default();
    for error in &errors {
        let place = (error.file.as_str(), error.line > 0, error.column > 0);
        assert_eq!(place, ("rule.yaml", true, true), "{error}");
    }
    errors
        .iter()
        .map(|error| format!("{error}\n").replacen("rule.yaml:", "", 1))
        .collect()
}

/// Every case of error_cases.txt: the rule with one part changed has these errors.
#[test]
fn says_what_is_wrong() {
    let unescape = |line: &str| {
        line.trim_start()
            .replace("\\n", "\n")
            .replace("(nothing)", "")
    };
    let cases = include_str!("error_cases.txt").split("\n\n").skip(1);
    let mut count = 0;
    for case in cases {
        let lines: Vec<String> = case.lines().map(unescape).collect();
        let [from, to, expected] = &lines[..] else {
            panic!("not three lines:\n{case}")
        };
        assert!(RULE.contains(from), "{from}");
        assert_eq!(
            errors(&RULE.replacen(from, to, 1)),
            format!("{expected}\n"),
            "{from} -> {to}"
        );
        count += 1;
    }
    assert!(count > 30);
    let unknown = errors(&RULE.replacen("AND srcIpAddr", "AND srcIp", 1));
    assert!(
        unknown.starts_with("18:35: no attribute is called `srcIp`"),
        "{unknown}"
    );
}

#[test]
fn says_what_is_wrong_with_several_patterns() {
    let with = |patterns: &str, condition: &str, rest: &str| {
        let changed = format!("{patterns}condition: {condition}\n{rest}\n");
        errors_of(&RULE.replacen("condition: Refused\nrelations: []\n", &changed, 1))
    };
    let second = "  - name: Ok\n    where: user = \"x\"\n    group_by: [user]\n";
    let check = |condition: &str, rest: &str, expected: &str| {
        assert_eq!(
            with(second, condition, rest),
            expected,
            "{condition} {rest}"
        );
    };
    check("Refused AND Ok", "relations: [Refused.user = Ok.user]", "");
    check("Refused AND Ok", "", "");
    check("Refused and_not (Ok OR Ok)", "", "");
    check(
        "Refused",
        "",
        "24:12: the condition does not name the pattern `Ok`\n",
    );
    check(
        "Refused AND Ok",
        "relations: [Refused.user = Ok.user, Ok.user = Refused.record.properties.\"odd key\"]",
        "25:12: Refused.user and Refused.record.properties.\"odd key\" are both related to the \
         same attribute of another pattern: what relates patterns is one attribute of each\n",
    );
    check(
        "Refused AND Ok",
        "relations: [Refused.user = Ok.srcIpAddr]",
        "25:28: `srcIpAddr` is not in the group_by of the pattern Ok\n",
    );
    let third = format!("{second}  - name: More\n    where: user = \"y\"\n");
    assert_eq!(
        with(
            &third,
            "Refused AND Ok",
            "relations: [Refused.user = Ok.user]"
        ),
        "26:12: the condition does not name the pattern `More`\n27:12: nothing relates \
         Refused.user = Ok.user to the pattern `More`: what relates patterns is in the group_by \
         of every one. Relate More by it, too, or make two rules, one of them without More\n"
    );
    let chain = vec!["Refused"; 300].join(" AND ");
    let found = with("", &chain, "");
    assert!(found.contains("more than 256 operators"), "{found}");
    let same = errors(&RULE.replacen(
        "condition: Refused\n",
        "  - name: REFUSED\n    where: user = 1\n",
        1,
    ));
    assert_eq!(same, "21:11: pattern `REFUSED` is already in line 17\n");
}

/// The three patterns of a rule that uses the whole language between them.
const SEVERAL: &str = r#"
id: PH_Rule_Test_2
name: Guessed
severity: 7
window: 10m
patterns:
  - name: Failed
    where: eventType = "MS_A"
    group_by: [user, srcIpAddr]
    having: COUNT(*) >= 5
  - { name: Worked, where: eventType = "MS_B", group_by: [targetUser, resourceId] }
  - name: Fresh
    where: eventType = "MS_C"
    new: "[ user , resourceId ] over 5d"
  - { name: Reset, where: eventType = "MS_D", group_by: [targetUser] }
condition: Failed FOLLOWED_BY (Worked OR Fresh) NOT_FOLLOWED_BY Worked
relations:
  - Failed.user = Worked.targetUser
  - Worked.targetUser = Fresh.user
  - Reset.targetUser = Fresh.user
clear: { when: Reset, quiet: 1h }
"#;

#[test]
fn reads_several_patterns() {
    let (rule, attributes) = rule(SEVERAL);
    assert_eq!(rule.clear, Some(3));
    let part = &rule.join_key[..];
    assert_eq!((part.len(), part[0].name.as_str()), (1, "user"));
    assert_eq!(part[0].places, [0, 0, 0, 0]);
    assert_eq!(
        rule.meaning(&attributes),
        "id PH_Rule_Test_2\nwindow 600\nquiet 3600\nclear Reset\npattern Failed\n \
         where eventType = \"ms_a\"\n group_by user, srcIpAddr\n having COUNT(*) >= 5\n\
         pattern Worked\n where eventType = \"ms_b\"\n group_by targetUser, resourceId\n \
         having COUNT(*) >= 1\npattern Fresh\n where eventType = \"ms_c\"\n \
         group_by user, resourceId\n having COUNT(*) >= 1\n \
         new [user, resourceId] over 432000s\npattern Reset\n where eventType = \"ms_d\"\n \
         group_by targetUser\n having COUNT(*) >= 1\n\
         condition Failed FOLLOWED_BY (Worked OR Fresh) NOT_FOLLOWED_BY Worked\n\
         key user 0 0 0 0\nattribute user Failed.user\nattribute srcIpAddr Failed.srcIpAddr\n\
         attribute targetUser Worked.targetUser\nattribute resourceId Worked.resourceId\n"
    );
    let relations: Vec<&str> = SEVERAL.lines().skip(16).take(4).collect();
    assert_eq!(relations[0], "relations:");
    let shown = |change: (&str, &str)| {
        let (rule, _) = self::rule(&SEVERAL.replacen(change.0, change.1, 1));
        let names = rule.attributes.into_iter().map(|(name, _)| name);
        names.collect::<Vec<String>>().join(" ")
    };
    assert_eq!(
        shown((
            "(Worked OR Fresh) NOT_FOLLOWED_BY Worked",
            "Fresh AND_NOT Worked"
        )),
        "user srcIpAddr resourceId"
    );
    assert_eq!(
        shown((relations.join("\n").as_str(), "")),
        "user srcIpAddr targetUser resourceId"
    );
}

#[test]
fn patterns_without_condition_are_joined_by_and() {
    let text = SEVERAL
        .lines()
        .filter(|line| !line.starts_with("condition"));
    let (rule, attributes) = rule(&text.collect::<Vec<_>>().join("\n"));
    let meaning = rule.meaning(&attributes);
    assert!(
        meaning.contains("\ncondition Failed AND Worked AND Fresh\n"),
        "{meaning}"
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
    let errors = parse_all(
        &files,
        &super::lists::Lists::default(),
        &mut Attributes::default(),
    )
    .unwrap_err();
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

mod words;
