use crate::event::Attributes;
use crate::rule::lists::Lists;
use crate::rule::{Rule, parse_all, parse_with};

fn read(files: &[&str]) -> Result<Vec<Rule>, Vec<String>> {
    let files = files.iter().zip(["a.yaml", "b.yaml", "c.yaml"]);
    let files: Vec<(String, String)> = files
        .map(|(text, name)| (name.to_owned(), (*text).to_owned()))
        .collect();
    let rules = parse_all(&files, &Lists::default(), &mut Attributes::default());
    rules.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// A rule of a filter, at line 1 of its file; the filter is in line 6.
fn rule(filter: &str, more: &str) -> String {
    format!(
        "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n  - {{name: P, where: '{filter}', \
         group_by: [user]}}\n{more}"
    )
}

fn meaning(rule: &Rule) -> String {
    let mut attributes = Attributes::default();
    let again = parse_with("again", &rule.text, &Lists::default(), &mut attributes);
    again.unwrap()[0].meaning(&attributes)
}

const SHARED: &str = "macros:\n  filters:\n    Failed: opName = \"in\" AND eventOutcome = \
                      \"Failure\"\n    Strange: 'Macro@Failed OR user STARTS_WITH \"x\"'\n  \
                      exceptions:\n    Deployments: {where: user = \"deploy\", until: \
                      2026-02-01T00:00:00Z, ticket: \"7\"}\n";

#[test]
fn what_goes_into_the_log_names_none() {
    let named = rule(
        "NOT macro@Strange AND opName = \"a\"",
        "exceptions: [Macro@Deployments, {where: user = \"b\"}]\n# lint: off peak, why\n",
    );
    let found = read(&[&named, SHARED]).unwrap();
    let [found] = &found[..] else {
        panic!("{found:?}")
    };
    let text = &found.text;
    let begin =
        "# Macros are resolved: Deployments, Failed, Strange.\n# lint: off peak, why\nid: R";
    assert!(text.starts_with(begin), "{text}");
    assert!(!text.to_lowercase().contains("macro@"), "{text}");
    let written = rule(
        "NOT (opName = \"in\" AND eventOutcome = \"Failure\" OR user STARTS_WITH \"x\") AND \
         opName = \"a\"",
        "exceptions: [{where: user = \"deploy\", until: 2026-02-01T00:00:00Z, ticket: \"7\"}, \
         {where: user = \"b\"}]\n",
    );
    let written = read(&[&written]).unwrap();
    assert_eq!(meaning(found), meaning(&written[0]));
    assert_eq!(found.exceptions, written[0].exceptions);
    assert_eq!(found.exceptions[0].ticket, "7");
    // Others are as they are written.
    let other = rule("user = \"a\"", "");
    let found = read(&[SHARED, &other]).unwrap();
    assert_eq!(found[0].text, other);
    // In one file, and within a function.
    let both = format!("{SHARED}---\n{}", rule("IF(Macro@Failed, 1, 0) = 1", ""));
    assert_eq!(read(&[&both]).unwrap().len(), 1);
}

#[test]
fn what_is_wrong_is_said_where_it_is() {
    let check = |files: &[&str], expected: &[&str]| {
        let found = read(files).unwrap_err();
        let agrees = found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(one, words)| one.contains(words));
        assert!(agrees, "{files:?}\n{found:#?}");
    };
    let shared = |filters: &str| format!("macros:\n  filters:\n    {filters}\n");
    let usual = rule("user = \"a\"", "");
    check(
        &[&rule("user = \"a\" AND Macro@Faild", ""), SHARED],
        &["a.yaml:6:38: no filter is called `Faild` among the macros: did you mean `Failed`?"],
    );
    check(
        &[&rule("Macro@Failed", "")],
        &["a.yaml:6:23: no filter is called `Failed` among the macros; there are none yet"],
    );
    check(
        &[&rule("user = \"a\"", "exceptions: [Macro@Deploy]")],
        &["a.yaml:7:14: no exception is called `Deploy` among the macros"],
    );
    check(
        &[&rule("user = \"a\"", "exceptions: [Deployments]"), SHARED],
        &["a.yaml:7:14: expected an exception, a mapping, or Macro@Name, found `Deployments`"],
    );
    check(
        &[&usual, &shared("A: usr = \"x\"")],
        &["b.yaml:3:8: no attribute is called `usr`"],
    );
    check(
        &[&rule("Macro@A", ""), &shared("A: usr = \"x\"")],
        &[
            "a.yaml:6:23: the filter `A` has errors: b.yaml:3",
            "b.yaml:3:8: no attribute",
        ],
    );
    check(
        &[&shared("A: user IS NULL"), &shared("A: user IS NULL")],
        &["b.yaml:3:5: `A` is already that of a.yaml:3"],
    );
    check(
        &[&shared("A B: user IS NULL")],
        &["a.yaml:3:5: a macro's name has letters, digits and _ only, found `A B`"],
    );
    check(
        &["macros: {filter: {}}\nid: R\n"],
        &["a.yaml:1:10: unknown key", "a.yaml:2:1: unknown key"],
    );
    check(
        &["macros: []\n"],
        &["a.yaml:1:9: expected a mapping with filters or exceptions"],
    );
    check(
        &[
            &rule("user = \"a\" AND Macro@A", ""),
            &shared("A: user IS NULL"),
        ],
        &["a.yaml:6:38: this can never hold together"],
    );
    let exception = "macros: {exceptions: {E: {where: usr = \"a\"}}}\n";
    check(
        &[&rule("user = \"a\"", "exceptions: [Macro@E]"), exception],
        &["a.yaml:7:14: in `E` of b.yaml:1, at byte 1: `usr` is not an attribute of this rule's"],
    );
}

#[test]
fn macros_of_themselves_are_refused() {
    let macros =
        |filters: &[&str]| format!("macros:\n  filters:\n    {}\n", filters.join("\n    "));
    let check = |filters: &[&str], expected: &[&str]| {
        let found = read(&[&macros(filters)]).unwrap_err();
        assert_eq!(found, expected);
    };
    check(
        &["A: Macro@A"],
        &["a.yaml:3:5: this filter is made of itself: A -> A"],
    );
    check(
        &["A: NOT Macro@B", "B: user IS NULL OR Macro@C", "C: Macro@B"],
        &[
            "a.yaml:3:12: the filter `B` has errors: a.yaml:4",
            "a.yaml:4:5: this filter is made of itself: B -> C -> B",
            "a.yaml:5:5: this filter is made of itself: C -> B -> C",
        ],
    );
}

#[test]
fn they_have_bounds() {
    // Each twice the one before.
    let mut filters = vec!["M0: user = \"a\"".to_owned()];
    filters.extend((1..60).map(|n| format!("M{n}: Macro@M{0} OR Macro@M{0}", n - 1)));
    let text = format!("macros:\n  filters:\n    {}\n", filters.join("\n    "));
    let found = read(&[&text]).unwrap_err();
    assert!(found[0].contains("more than 4096 tests"), "{found:#?}");
    // As deep as they may be, and deeper.
    let mut filters = vec!["M0: user = \"a\"".to_owned()];
    filters.extend((1..80).map(|n| format!("M{n}: Macro@M{}", n - 1)));
    let text = format!("macros:\n  filters:\n    {}\n", filters.join("\n    "));
    let found = read(&[&text]).unwrap_err();
    assert!(found[0].contains("nested more than 64 deep"), "{found:#?}");
    let long = format!(
        "macros: {{filters: {{A: 'user = \"{}\"'}}}}\n",
        "a".repeat(20_000)
    );
    let found = read(&[&long]).unwrap_err();
    assert!(
        found[0].contains("at most 16384 bytes, found 20009"),
        "{found:#?}"
    );
    let many: Vec<String> = (0..1_001).map(|n| format!("A{n}: user IS NULL")).collect();
    let many = format!("macros: {{filters: {{{}}}}}\n", many.join(", "));
    let found = read(&[&many]).unwrap_err();
    assert!(found[0].contains("at most 1000 keys"), "{found:#?}");
}
