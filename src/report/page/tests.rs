use std::time::Duration;

use super::super::tests::row_named;
use super::super::{Change, Comparison, Point, RuleRow, Sweep};
use super::*;
use crate::incident::tests::with_attributes;
use crate::incident::{AttributeValue, Incident};

const EMPTY: Report<'_> = Report {
    made: 1_772_356_502_007,
    inputs: &[],
    records: 0,
    matched: 0,
    rejected: 0,
    bytes: 0,
    took: Duration::ZERO,
    notes: &[],
    rules: &[],
    incidents: &[],
    comparison: None,
    sweep: None,
};

#[test]
fn says_why_nothing_was_found() {
    fn check(report: Report<'_>, expected: &str) {
        let page = html(&report);
        assert_eq!(page.matches(expected).count(), 2, "{expected}");
        assert!(!page.contains("id=\"data\""));
        assert!(!page.contains("id=\"time\""));
    }
    let rows = [row_named("Command on a machine", &[])];
    let read = Report {
        records: 1_200,
        rules: &rows,
        ..EMPTY
    };
    check(EMPTY, "No incident: nothing was read.");
    check(
        Report {
            rejected: 1_200,
            ..read
        },
        "No incident: all of 1,200 records were refused.",
    );
    check(
        Report { rules: &[], ..read },
        "No incident: no rule is in force.",
    );
    check(
        read,
        "No incident: none of 1,200 records matched a filter of 1 rule.",
    );
    check(
        Report { matched: 1, ..read },
        "No incident: 1 record matched, but never enough of them within a window",
    );
}

#[test]
fn has_the_sections_that_there_is_something_for() {
    let incidents = [with_attributes(&[])];
    let rows = [row_named("Command on a machine", &[3])];
    let found = Report {
        records: 10,
        rules: &rows,
        incidents: &incidents,
        ..EMPTY
    };
    let comparison = Comparison::default();
    let sweep = Sweep::default();
    let more = Report {
        comparison: Some(&comparison),
        sweep: Some(&sweep),
        ..found
    };
    fn check(report: &Report<'_>, expected: &[&str]) {
        let page = html(report);
        for id in [
            "rules",
            "comparison",
            "sweep",
            "time",
            "hours",
            "who",
            "attack",
            "incidents",
        ] {
            let is_expected = expected.contains(&id);
            assert_eq!(
                page.contains(&format!("<section id=\"{id}\"")),
                is_expected,
                "{id}"
            );
            assert_eq!(
                page.contains(&format!("href=\"#{id}\"")),
                is_expected,
                "{id}"
            );
        }
    }
    check(&EMPTY, &["rules", "attack", "incidents"]);
    check(
        &found,
        &["rules", "time", "hours", "who", "attack", "incidents"],
    );
    check(
        &more,
        &[
            "rules",
            "comparison",
            "sweep",
            "time",
            "hours",
            "who",
            "attack",
            "incidents",
        ],
    );
}

#[test]
fn says_how_many_more_the_output_has() {
    let incidents = vec![with_attributes(&[]); 2_001];
    let report = Report {
        records: 2_001,
        incidents: &incidents,
        ..EMPTY
    };
    let page = html(&report);
    assert_eq!(page.matches("{\"incident_id\":").count(), 2_000);
    assert!(page.contains("The output file has 1 more"));
    assert!(page.contains("<dd class=\"value\">2,001</dd>"));
}

/// Text of events may be in every place that a report has for texts.
#[test]
fn texts_never_become_markup() {
    const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\" onclick='x'";
    let incident = Incident {
        title: HOSTILE.into(),
        rule_id: HOSTILE.into(),
        rule_name: HOSTILE.into(),
        tactics: vec![HOSTILE.into()],
        ..with_attributes(&[
            ("user", AttributeValue::Text(HOSTILE.into())),
            ("hostName", AttributeValue::Text(HOSTILE.into())),
            (HOSTILE, AttributeValue::Text(HOSTILE.into())),
        ])
    };
    let row = RuleRow {
        rule_id: HOSTILE.into(),
        tactics: vec![HOSTILE.into()],
        techniques: vec![HOSTILE.into()],
        ..row_named(HOSTILE, &[3])
    };
    let comparison = Comparison {
        appeared: vec![incident.clone()],
        vanished: vec![incident.clone()],
        changed: vec![Change {
            before: with_attributes(&[]),
            after: incident.clone(),
        }],
    };
    let sweep = Sweep {
        rule_id: HOSTILE.into(),
        having: HOSTILE.into(),
        points: vec![Point {
            threshold: 1.0,
            incidents: 1,
            groups: 1,
        }],
    };
    let page = html(&Report {
        inputs: &[HOSTILE.to_owned()],
        notes: &[HOSTILE.to_owned()],
        rules: &[row],
        incidents: &[incident],
        comparison: Some(&comparison),
        sweep: Some(&sweep),
        ..EMPTY
    });
    assert!(!page.contains("<img"));
    assert!(!page.contains("onerror=alert(1)>\""));
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(page.matches("&lt;img").count() > 15);
}
