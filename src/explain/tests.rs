use super::explain;
use crate::detect::{Found, Matcher};
use crate::event::Attributes;
use crate::matches::MatchedRecord;
use crate::plan::{Limits, Plan, Settings};
use crate::record::Position;
use crate::rule;

/// Explains the rule with `patterns` and a window of 10 s over events at seconds of one minute,
/// given as (second, user, bytes), and writes of each pane: pattern, group, second, events from
/// 1, values, and whether it holds; then the triggers.
#[track_caller]
fn check(patterns: &str, events: &[(u32, &str, u32)], expected: &[&str]) {
    let text = format!("id: R\nname: n\nseverity: 5\nwindow: 10s\n{patterns}\n");
    let mut attributes = Attributes::default();
    let rules = rule::parse("rule.yaml", &text, &mut attributes).unwrap();
    let settings = Settings {
        patience: 900,
        lateness: 7200,
        limits: Limits {
            evidence: 5,
            distinct_values: 100,
            ..Limits::DEFAULT
        },
    };
    let plan = Plan::alone(&rules, &attributes, settings, Vec::new()).unwrap();
    let mut matcher = Matcher::new(&plan);
    let mut matched_records = Vec::new();
    for (offset, (second, user, bytes)) in (1..).zip(events) {
        let record = format!(
            r#"{{"time":"2026-01-01T00:00:{second:02}Z","Caller":"{user}","bytes":{bytes}}}"#
        );
        let message = matcher.message(record.as_bytes(), None);
        let mut records = matcher.records(&message);
        while let Some(record) = records.next() {
            if let Found::Event {
                matched: Some(matched),
                ..
            } = record.outcome
            {
                let position = Position {
                    offset,
                    ..Position::default()
                };
                matched_records.push(MatchedRecord {
                    position,
                    ..matched
                });
            }
        }
    }
    let mut lines = Vec::new();
    for key in explain(&plan.rules[0].0, &matched_records) {
        for group in &key.groups {
            let values: Vec<_> = group.group.iter().map(|(_, v)| v.as_deref()).collect();
            for pane in &group.panes {
                let events: Vec<_> = pane.events.iter().map(|p| p.offset).collect();
                lines.push(format!(
                    "{} {values:?} {}: {events:?} {:?} {}",
                    group.pattern,
                    pane.second.rem_euclid(60),
                    pane.values,
                    pane.holds()
                ));
            }
        }
        let panes = key.triggers.keys().map(|t| t.rem_euclid(60));
        lines.push(format!("triggers {:?}", panes.collect::<Vec<_>>()));
    }
    assert_eq!(lines, expected);
}

#[test]
fn windows_are_counted_by_group() {
    check(
        "patterns: [{name: P, where: record.bytes > 0, group_by: [user], having: COUNT(*) >= 2 \
         AND MAX(record.bytes) > 5}]",
        &[
            (1, "a", 1),
            (9, "a", 7),
            (9, "b", 9),
            (11, "A", 1),
            (12, "a", 0),
        ],
        &[
            r#"0 [Some("a")] 1: [1] [Some(1.0), Some(1.0)] false"#,
            r#"0 [Some("a")] 9: [1, 2] [Some(2.0), Some(7.0)] true"#,
            r#"0 [Some("a")] 11: [2, 4] [Some(2.0), Some(7.0)] true"#,
            "triggers [9, 11]",
            r#"0 [Some("b")] 9: [3] [Some(1.0), Some(9.0)] false"#,
            "triggers []",
        ],
    );
}

#[test]
fn values_are_new_once_in_their_period() {
    check(
        "patterns: [{name: P, where: record.bytes > 0, group_by: [user], \
         new: '[user, record.bytes] over 20s'}]",
        &[(1, "a", 1), (5, "a", 1), (6, "a", 2), (40, "a", 1)],
        &[
            r#"0 [Some("a")] 1: [1] [Some(1.0)] true"#,
            r#"0 [Some("a")] 5: [1, 2] [Some(2.0)] false"#,
            r#"0 [Some("a")] 6: [1, 2, 3] [Some(3.0)] true"#,
            r#"0 [Some("a")] 40: [4] [Some(1.0)] true"#,
            "triggers [1, 6, 40]",
        ],
    );
}

#[test]
fn finer_groups_stand_beside_the_join_key() {
    check(
        "patterns: [{name: P, where: record.bytes > 5, group_by: [record.bytes, user], \
         having: COUNT(*) >= 1}, {name: Q, where: record.bytes <= 5, group_by: [user]}]\n\
         condition: P AND Q\nrelations: [P.user = Q.user]",
        &[(1, "a", 9), (2, "a", 8), (3, "a", 1)],
        &[
            r#"0 [Some("8"), Some("a")] 2: [2] [Some(1.0)] true"#,
            r#"0 [Some("9"), Some("a")] 1: [1] [Some(1.0)] true"#,
            r#"1 [Some("a")] 3: [3] [Some(1.0)] true"#,
            "triggers [3]",
        ],
    );
}
