use super::Shown;
use crate::event::Attributes;
use crate::incident::AttributeValue;
use crate::rule::{Rule, Texts, parse};

const RULE: &str = r#"
id: R
name: n
window: 5m
patterns: [{ name: P, where: user IS NOT NULL, group_by: [user, record.b] }]
incident: { attributes: { user: P.user, b: P.record.b, hits: P.SUM(record.n) } }
severity:
  - { when: user = "root", value: 10 }
  - { when: hits > 100 OR event_count >= 50, value: 8 }
  - { when: 'trigger_count * 2 > event_count AND b IS NULL', value: 6 }
  - { value: 3 }
exceptions:
  - where: user STARTS_WITH "svc-" AND HITS < 5
    from: 1970-01-01T00:00:10Z
    until: 1970-01-01T00:00:20Z
  - { where: event_count = 13 }
"#;

fn rule() -> Rule {
    parse("rule.yaml", RULE, &mut Attributes::default())
        .unwrap()
        .remove(0)
}

/// What the rule makes of an incident of this user, sum, second and counts.
fn check(user: &str, hits: f64, second: i64, counts: (u64, u64), severity: u8, excepted: bool) {
    let attributes = [
        ("user".into(), AttributeValue::Text(user.to_owned())),
        ("b".into(), AttributeValue::Null),
        ("hits".into(), AttributeValue::Number(hits)),
    ];
    let shown = Shown {
        attributes: &attributes,
        first_seen: second * 1000,
        event_count: counts.0,
        trigger_count: counts.1,
    };
    let rule = rule();
    assert_eq!(rule.severity_of(&shown), severity, "{shown:?}");
    assert_eq!(rule.excepts(&shown), excepted, "{shown:?}");
}

#[test]
fn the_first_case_that_holds_counts() {
    check("root", 101.0, 0, (99, 1), 10, false);
    check("alice", 100.5, 0, (9, 1), 8, false);
    check("alice", 0.0, 0, (50, 1), 8, false);
    check("alice", 0.0, 0, (3, 2), 6, false);
    check("alice", 0.0, 0, (4, 2), 3, false);
}

#[test]
fn exceptions_hold_in_their_time() {
    check("svc-1", 1.0, 9, (9, 1), 3, false);
    check("svc-1", 1.0, 10, (9, 1), 3, true);
    check("svc-1", 1.0, 19, (9, 1), 3, true);
    check("svc-1", 1.0, 20, (9, 1), 3, false);
    check("svc-1", 5.0, 10, (9, 1), 3, false);
    check("alice", 1.0, 0, (13, 1), 3, true);
}

/// Incidents show values of a bounded length; what a rule compares them with may be longer.
#[test]
fn long_literals_are_compared_with_bounded_values() {
    let (long, other) = ("A".repeat(2_000), "A".repeat(2_001));
    let text = format!(
        "id: R\nname: n\nwindow: 5m\npatterns: [{{ name: P, where: user IS NOT NULL, \
         group_by: [user] }}]\nincident: {{ attributes: {{ user: P.user }} }}\nseverity:\n\
         \x20 - {{ when: 'user IN (Group@Known)', value: 2 }}\n\
         \x20 - {{ when: 'LookupTableGet(Twins, user, twin) = user', value: 4 }}\n\
         \x20 - {{ value: 3 }}\n\
         exceptions: [{{ where: 'user = \"{long}\" OR user IN (\"x\", \"{long}b\")' }}]\n"
    );
    let texts = Texts {
        rules: vec![("rule.yaml".to_owned(), text)],
        lists: vec![
            ("lists/Known.txt".to_owned(), format!("x\n{long}\n")),
            (
                "lists/Twins.csv".to_owned(),
                format!("who,twin\n{other},{other}\n"),
            ),
        ],
        ..Texts::default()
    };
    let (rules, _) = texts.parse(&mut Attributes::default()).unwrap();
    let check = |user: &str, severity: u8, excepted: bool| {
        for user in [user.to_lowercase(), user.to_owned()] {
            let user = crate::bounded::value(&user).into_owned();
            let attributes = [("user".into(), AttributeValue::Text(user))];
            let shown = Shown {
                attributes: &attributes,
                first_seen: 0,
                event_count: 1,
                trigger_count: 1,
            };
            assert_eq!(rules[0].severity_of(&shown), severity);
            assert_eq!(rules[0].excepts(&shown), excepted);
        }
    };
    check(&long, 2, true);
    check(&format!("{long}B"), 3, true);
    check(&format!("{long}c"), 3, false);
    check(&other, 4, false);
}
