use super::*;
use crate::event::Attributes;
use crate::incident::tests::with_attributes;

const RULE: &str = "
id: PH_Rule_Test
name: Command on a machine
severity:
  - { when: event_count > 10, value: 9 }
  - { value: 4 }
window: 60s
tactics: [TA0002]
techniques: [T1059]
patterns:
  - { name: A, where: eventType = \"A\", having: COUNT(*) >= 1 }
";

/// A row for the rule called `name`, with incidents of so many events each.
pub fn row_named(name: &str, events: &[u64]) -> RuleRow {
    let rules = crate::rule::parse("test.yaml", RULE, &mut Attributes::default());
    let mut rule = rules.unwrap().remove(0);
    rule.name = name.to_owned();
    let incidents: Vec<Incident> = (0..).zip(events).map(incident).collect();
    let counts = RuleCounts {
        matches: events.iter().sum(),
        groups: events.len().min(2) as u64,
        fold: Duration::from_micros(1_500),
    };
    row(&rule, &counts, &incidents.iter().collect::<Vec<_>>())
}

/// The incident of this hour after the first, with so many events.
fn incident((hour, events): (i64, &u64)) -> Incident {
    let plain = with_attributes(&[]);
    Incident {
        first_seen: plain.first_seen + hour * 3_600_000,
        last_seen: plain.last_seen + hour * 3_600_000,
        severity: if *events > 10 { 9 } else { 4 },
        event_count: *events,
        ..plain
    }
}

#[test]
fn a_row_tells_of_its_rule() {
    let row = row_named("Command on a machine", &[3, 12]);
    let expected = RuleRow {
        rule_id: "PH_Rule_Test".into(),
        rule_name: "Command on a machine".into(),
        severity: 9,
        tactics: vec!["TA0002".into()],
        techniques: vec!["T1059".into()],
        matches: 15,
        incidents: 2,
        groups: 2,
        first: Some(1_772_356_502_000),
        last: Some(1_772_360_160_000),
        events_median: 3,
        events_most: 12,
        fold: Duration::from_micros(1_500),
    };
    assert_eq!(row, expected);
}

#[test]
fn a_row_without_incidents() {
    let row = row_named("Command on a machine", &[]);
    assert_eq!((row.incidents, row.first, row.last), (0, None, None));
    assert_eq!(
        (row.severity, row.events_median, row.events_most),
        (4, 0, 0)
    );
}

#[test]
fn the_median_was_there() {
    fn check(events: &[u64], expected: (u64, u64)) {
        let row = row_named("", events);
        assert_eq!((row.events_median, row.events_most), expected, "{events:?}");
    }
    check(&[7], (7, 7));
    check(&[9, 1], (1, 9));
    check(&[9, 1, 4], (4, 9));
    check(&[100, 1, 4, 9], (4, 100));
}
