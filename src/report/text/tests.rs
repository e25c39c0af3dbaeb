use super::super::Change;
use super::super::tests::row_named;
use super::*;
use crate::incident::tests::with_attributes;

/// Compares without the line end that the expected text begins with.
#[track_caller]
fn same(found: &str, expected: &str) {
    assert_eq!(found, expected.trim_start_matches('\n'), "\n{found}");
}

#[test]
fn a_table_of_rules() {
    let rows = [
        row_named("Command on a machine", &[3, 12, 4]),
        row_named("Somebody\u{1b}[2J who was never seen before 日本語", &[]),
    ];
    same(
        &summary_table(&rows, 80),
        "
LEVEL MATCHES INCIDENTS GROUPS MEDIAN MOST   FOLD RULE
    9      19         3      2      4   12 1.5 ms Command on a machine
    4       0         0      0      0    0 1.5 ms Somebody\\u001b[2J who was nev…
3 incidents of 2 rules, 1 of which found none
",
    );
    same(
        &summary_table(&[row_named("Command", &[3, 12, 4])], 110),
        "
LEVEL MATCHES INCIDENTS GROUPS MEDIAN MOST       FIRST SEEN        LAST SEEN   FOLD RULE
    9      19         3      2      4   12 2026-03-01 09:15 2026-03-01 11:16 1.5 ms Command
3 incidents of 1 rule
",
    );
    same(
        &summary_table(&[], 20),
        "
LEVEL MATCHES INCIDENTS GROUPS MEDIAN MOST FOLD RULE
0 incidents of 0 rules
",
    );
}

#[test]
fn a_line_for_each_difference() {
    let plain = with_attributes(&[]);
    let later = Incident {
        first_seen: plain.first_seen + 60_000,
        severity: 9,
        title: "One\nmore".into(),
        ..plain.clone()
    };
    let comparison = Comparison {
        appeared: vec![later.clone()],
        vanished: vec![plain.clone()],
        changed: vec![Change {
            before: plain,
            after: Incident {
                event_count: 7,
                ..later
            },
        }],
    };
    let changes = [
        "severity: 5 → 9",
        "title: Command run by mara@contoso.com → One\\nmore",
        "first_seen: 2026-03-01 09:15:02 → 2026-03-01 09:16:02",
        "event_count: 3 → 7",
    ];
    let expected = "
+ 2026-03-01 09:16:02 HIGH   PH_Rule_Test One\\nmore
- 2026-03-01 09:15:02 MEDIUM PH_Rule_Test Command run by mara@contoso.com
~ 2026-03-01 09:16:02 HIGH   PH_Rule_Test One\\nmore | CHANGES
Against the old rules 1 appear, 1 vanish, 1 change.
";
    let expected = expected.replace("CHANGES", &changes.join("; "));
    same(&comparison_text(&comparison), &expected);
    same(
        &comparison_text(&Comparison::default()),
        "No incident differs from those of the old rules.\n",
    );
}

#[test]
fn a_plot_of_thresholds() {
    let point = |(threshold, incidents, groups)| Point {
        threshold,
        incidents,
        groups,
    };
    let sweep = |points: &[(f64, u64, u64)]| Sweep {
        rule_id: "PH_Rule_Test".into(),
        having: "COUNT(*) >= 1..6".into(),
        points: points.iter().copied().map(point).collect(),
    };
    let points = [
        (1.0, 400, 12),
        (2.0, 130, 9),
        (3.0, 130, 9),
        (4.5, 1, 1),
        (5.0, 0, 0),
        (6.0, 0, 0),
    ];
    same(
        &sweep_text(&sweep(&points), 50),
        "
PH_Rule_Test: COUNT(*) >= 1..6
THRESHOLD INCIDENTS GROUPS
        1       400     12 ███████████████████████
     2..3       130      9 ███████▌
      4.5         1      1 ▏
     5..6         0      0
",
    );
    same(
        &sweep_text(&sweep(&points[4..]), 50),
        "
PH_Rule_Test: COUNT(*) >= 1..6
THRESHOLD INCIDENTS GROUPS
     5..6         0      0
",
    );
}
