use super::Lint;
use crate::event::Attributes;
use crate::rule::{Rule, parse};
use crate::time::Millis;

/// 2026-06-01.
const NOW: Millis = 1_780_272_000_000;

fn rule(text: &str) -> Rule {
    let rules = parse("r", text, &mut Attributes::default());
    let rules = rules.unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
    rules.into_iter().next().unwrap()
}

/// What is found, each as the name of its lint and words of what is said.
fn check(text: &str, expected: &[(&str, &str)]) {
    let found = rule(text).lints(NOW);
    let agrees = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, (lint, words))| found.lint.name() == *lint && found.text.contains(words));
    assert!(agrees, "{text}\nfound: {found:#?}");
}

/// A rule of one pattern.
fn one(pattern: &str, more: &str) -> String {
    format!(
        "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n  - name: P\n    {}\n{more}\n",
        pattern.replace('\n', "\n    ")
    )
}

/// A rule of a filter, grouped by the user.
fn filter(filter: &str) -> String {
    one(&format!("where: '{filter}'\ngroup_by: [user]"), "")
}

/// A rule of two patterns.
fn two(filters: [&str; 2], group_by: &str, more: &str) -> String {
    let [first, second] = filters;
    format!(
        "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n  - {{name: A, where: '{first}', \
         group_by: [{group_by}]}}\n  - {{name: B, where: '{second}', group_by: [{group_by}]}}\n\
         {more}\n"
    )
}

const FAILED: &str = "eventType = \"MS_EvtHub_Sign-in_activity\" AND eventOutcome = \"Failure\"";
const GOT_IN: &str = "eventType = \"MS_EvtHub_Sign-in_activity\" AND eventOutcome = \"Success\"";

#[test]
fn what_is_as_it_should_be_is_not_found() {
    check(&filter(FAILED), &[]);
    let related = "condition: A FOLLOWED_BY B\nrelations: [A.user = B.user]\n";
    check(&two([FAILED, GOT_IN], "user", related), &[]);
    check(&two([FAILED, GOT_IN], "", "condition: A OR B"), &[]);
}

#[test]
fn event_types_that_no_event_has() {
    let said = |filter: &str, expected: &[(&str, &str)]| check(&self::filter(filter), expected);
    let kind = "event-type";
    said(
        "eventType = \"Microsoft.Compute/virtualMachines/runCommand/action\"",
        &[(
            kind,
            "`MS_EvtHub_compute_virtualmachines_runcommand_action`",
        )],
    );
    said(
        "eventType IN (\"MS_EvtHub_a\", \"Win-Security-4624\") AND user = \"a\"",
        &[(kind, "`win-security-4624`")],
    );
    said(
        "user = \"a\" AND (opName = \"x\" OR eventType = \"MS_EvtHub_Add member to role.\")",
        &[(kind, "`MS_EvtHub_add_member_to_role`")],
    );
    said(
        "user = \"a\" AND eventType != \"MS_EvtHub_a/b\"",
        &[(kind, "`MS_EvtHub_a_b`")],
    );
    said(
        "eventType CONTAIN \"runCommand/action\"",
        &[(kind, "`_` for slashes")],
    );
    said(
        "eventType STARTS_WITH \"Win-\"",
        &[(kind, "begin with MS_EvtHub_")],
    );
    said(
        "eventType STARTS_WITH \"MS_\" OR eventType ENDS_WITH \"_delete\"",
        &[],
    );
    said("eventType CONTAIN \"roleassignments_write\"", &[]);
}

#[test]
fn parts_of_filters_that_never_hold() {
    let said = |filter: &str, expected: &[(&str, &str)]| check(&self::filter(filter), expected);
    let kind = "never-holds";
    said(
        "user = \"a\" AND (user IS NULL OR opName = \"x\")",
        &[(kind, "`user IS NULL`")],
    );
    let types = |filter: &str| {
        filter
            .replace("type", "eventType")
            .replace('#', "MS_EvtHub_")
    };
    said(
        &types(
            "type = \"#a\" AND (type = \"#b\" AND opName = \"x\" OR type != \"#a\" OR type = \
             \"#A\")",
        ),
        &[
            (kind, "= \"ms_evthub_b\" AND opName = \"x\"`"),
            (kind, "`eventType != \"ms_evthub_a\"`"),
        ],
    );
    said(
        &types("user = \"x\" AND (type = \"#a\" AND (opName = \"x\" OR type = \"#b\"))"),
        &[(kind, "`eventType = \"ms_evthub_b\"`")],
    );
    // These may have several values.
    said(
        "record.a = \"a\" AND (record.a = \"b\" OR user = \"x\")",
        &[],
    );
    said("user = \"a\" AND (user = \"b\" OR opName = \"x\")", &[]);
    said(
        "user = \"a\" AND NOT (user = \"b\" AND opName = \"x\")",
        &[],
    );
    let related = "relations: [A.eventType = B.eventType]";
    let of = |name: &str| format!("eventType = \"MS_EvtHub_{name}\" AND user = \"a\"");
    check(
        &two([&of("a"), &of("b")], "eventType", related),
        &[(kind, "A and B can never be of the same eventType")],
    );
    check(&two([&of("a"), &of("A")], "eventType", related), &[]);
    let other = format!("{related}\ncondition: A OR B");
    check(&two([&of("a"), &of("b")], "eventType", &other), &[]);
}

#[test]
fn a_filter_as_long_as_it_may_be_is_soon_done() {
    let above: Vec<String> = (0..2_000).map(|n| format!("opName != \"{n}\"")).collect();
    let choice: Vec<String> = (0..2_000).map(|n| format!("user = \"{n}\"")).collect();
    let filter = format!("{} AND ({})", above.join(" AND "), choice.join(" OR "));
    rule(&self::filter(&filter)).lints(NOW);
}

#[test]
fn filters_that_every_event_meets() {
    let said = |filter: &str, expected: &[(&str, &str)]| check(&self::filter(filter), expected);
    let found = [("every-event", "of the pattern P")];
    said("user != \"a\"", &found);
    said("user = \"a\" OR user IS NULL", &found);
    said("NOT (user = \"a\" AND opName = \"b\")", &found);
    said("user != \"a\" AND opName = \"b\"", &[]);
    said("user IS NOT NULL", &[]);
}

#[test]
fn tests_that_always_hold() {
    let said = |having: &str, expected: &[(&str, &str)]| {
        check(
            &one(&format!("where: user = \"a\"\nhaving: {having}"), ""),
            expected,
        );
    };
    let kind = "always-holds";
    said(
        "COUNT(*) >= 0",
        &[(kind, "`COUNT(*) >= 0` of the pattern P always holds")],
    );
    said(
        "COUNT(*) > 5 OR 0 <= COUNT(user)",
        &[(kind, "`0 <= COUNT(user)` of the pattern P always holds")],
    );
    for having in [
        "COUNT(*) >= 1",
        "COUNT(*) > 0",
        "SUM(record.a) >= 0",
        "STDDEV(record.a) >= 0",
    ] {
        said(having, &[]);
    }
}

#[test]
fn counts_of_what_a_group_has_one_of() {
    let said = |group_by: &str, having: &str, expected: &[(&str, &str)]| {
        let pattern = format!("where: opName = \"a\"\ngroup_by: [{group_by}]\nhaving: {having}");
        check(&one(&pattern, ""), expected);
    };
    let found = [("distinct-of-key", "of the pattern P can never hold")];
    said("user", "COUNT(DISTINCT user) > 1", &found);
    said("user", "2 <= COUNT(DISTINCT user) OR COUNT(*) > 5", &found);
    said(
        "user, srcIpAddr",
        "COUNT(DISTINCT user, srcIpAddr) >= 2",
        &found,
    );
    said("user", "COUNT(DISTINCT user, srcIpAddr) >= 2", &[]);
    said("user", "COUNT(DISTINCT srcIpAddr) > 1", &[]);
    said("user", "COUNT(DISTINCT user) >= 1", &[]);
    said("user", "COUNT(user) > 1", &[]);
}

#[test]
fn patterns_without_relations() {
    let found = [("no-relations", "no relations")];
    check(&two([FAILED, GOT_IN], "user", ""), &found);
    check(&two([FAILED, GOT_IN], "user", "condition: A OR B"), &found);
    check(
        &two([FAILED, GOT_IN], "", "condition: A FOLLOWED_BY B"),
        &found,
    );
}

#[test]
fn names_in_titles_that_are_no_attributes() {
    let said = |title: &str, expected: &[(&str, &str)]| {
        let incident = format!("incident: {{title: '{title}', attributes: {{user: P.user}}}}");
        check(
            &one("where: user = \"a\"\ngroup_by: [user]", &incident),
            expected,
        );
    };
    said("Command by $user. It cost $5 or US$", &[]);
    said(
        "$usr did it",
        &[(
            "title-name",
            "`$usr`, which is no attribute of its incidents: did",
        )],
    );
    said(
        "$user.name at $srcIpAddr.",
        &[("title-name", "`$srcIpAddr`")],
    );
}

#[test]
fn numbers_on_paths() {
    let said = |pattern: &str, expected: &[(&str, &str)]| check(&one(pattern, ""), expected);
    let found = [("index-in-path", "a key `0`")];
    said(
        "where: 'record.properties.targetResources.0.id = \"a\"'",
        &found,
    );
    said("where: user = \"a\"\ngroup_by: [record.a.0]", &found);
    said(
        "where: user = \"a\"\nhaving: COUNT(DISTINCT record.a.0) > 1",
        &found,
    );
    said("where: 'record.a[b = \"c\"].0.d = \"a\"'", &found);
    said("where: 'record.a.0x = \"a\"'", &[]);
}

#[test]
fn a_severity_that_another_peak_decides() {
    let said = |attributes: &str, severity: &str, expected: bool| {
        let text = one(
            "where: user = \"a\"",
            &format!("incident: {{attributes: {{{attributes}}}}}"),
        );
        let severity = format!("severity: [{{when: '{severity}', value: 9}}, {{value: 5}}]");
        let text = text.replace("severity: 5", &severity);
        check(
            &text,
            if expected {
                &[("peak", "its severity asks for")]
            } else {
                &[]
            },
        );
    };
    let one = "n: 'P.COUNT(*)'";
    let two = "n: 'P.COUNT(*)', u: 'P.COUNT(DISTINCT user)'";
    said(one, "n > 3", false);
    said(two, "n > 3", false);
    said(two, "event_count > 3", false);
    said(two, "u > 3", true);
    said(two, "n > 3 OR LEN(u) > 1", true);
}

#[test]
fn rules_and_exceptions_that_have_had_their_time() {
    let pattern = "where: user = \"a\"\ngroup_by: [user]";
    check(
        &one(pattern, "status: deprecated"),
        &[("deprecated", "is to be replaced")],
    );
    check(&one(pattern, "status: test"), &[]);
    let until = |until: &str| {
        let exception =
            format!("exceptions: [{{where: user = \"b\", until: {until}, owner: Ann}}]");
        one(pattern, &exception)
    };
    check(
        &until("2026-06-01T00:00:00Z"),
        &[(
            "expired-exception",
            "since 2026-06-01T00:00:00.000Z it covers nothing",
        )],
    );
    check(&until("2026-06-01T00:00:01Z"), &[]);
}

#[test]
fn a_comment_switches_one_off() {
    let text = |comment: &str| format!("{comment}\n{}", two([FAILED, "user != \"a\""], "user", ""));
    let relations = ("no-relations", "");
    let every = ("every-event", "");
    check(&text(""), &[every, relations]);
    check(
        &text("# lint: off every-event, there are few events"),
        &[relations],
    );
    check(
        &text("  #lint: off every-event, a\n# lint: off no-relations, one tenant, one attacker"),
        &[],
    );
    check(
        &text("# lint: off no-relation, x"),
        &[
            every,
            relations,
            ("lint-comment", "did you mean `no-relations`?"),
        ],
    );
    check(
        &text("# lint: off no-relations"),
        &[every, relations, ("lint-comment", "says no reason")],
    );
    check(
        &text("# lint: on x"),
        &[every, relations, ("lint-comment", "expected")],
    );
    check(&text("# a lint: off no-relations, x"), &[every, relations]);
}

#[test]
fn names_are_different() {
    let mut names = Lint::ALL.map(Lint::name).to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Lint::ALL.len());
}
