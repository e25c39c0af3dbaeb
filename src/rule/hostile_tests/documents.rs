//! The same for what is not an expression: lists, YAML, and what is said of it all.

use super::{MANY, check, listed, names, nested, outcome, rule_with};
use crate::rule::bounds::CASES_MAX;
use crate::rule::parse;

#[test]
fn all_other_lists() {
    let case = "{when: hits > #, value: 5}";
    let cases = |times: usize| format!("[{}, {{value: 5}}]", listed(case, times));
    check("severity", &cases(CASES_MAX - 1), "");
    check("severity", &cases(MANY), "at most 256 cases");
    check(
        "exceptions",
        &format!("[{}]", listed("{where: hits = #}", 1_000)),
        "",
    );
    check(
        "exceptions",
        &format!("[{}]", listed("{where: hits = #}", MANY)),
        "at most 1024 items",
    );
    check(
        "attributes",
        &format!("{{{}}}", listed("a#: P.COUNT(*)", 256)),
        "",
    );
    check(
        "attributes",
        &format!("{{{}}}", listed("a#: P.COUNT(*)", MANY)),
        "at most 256 keys",
    );
    let sums = listed("a#: P.SUM(record.a#)", 256);
    check(
        "attributes",
        &format!("{{{sums}}}"),
        "at most 256 aggregates",
    );
    check(
        "tactics",
        &format!("[{}]", listed("TA0001", MANY)),
        "at most 64 items",
    );
    check("more", &format!("tags: [{}]", listed("a#", 256)), "");
    check(
        "more",
        &format!("references: [{}]", listed("a#", MANY)),
        "at most 256 items",
    );
    let test = "{name: t, events: [], incidents: []}";
    check("tests", &format!("[{}]", listed(test, 1_000)), "");
    check(
        "tests",
        &format!("[{}]", listed(test, MANY)),
        "at most 10000 items",
    );
    let stated = format!(
        "[{{name: t, events: [], incidents: [{{{}}}]}}]",
        listed("x#: 1", 9_000)
    );
    check("tests", &stated, "incidents have no `x0`");
}

#[test]
fn yaml() {
    check(
        "tests",
        &nested("[", "", "]", 100),
        "nested more than 64 deep",
    );
    check("tests", &nested("[", "", "]", MANY), "not YAML");
    check("tests", &"[".repeat(MANY), "not YAML");
    check(
        "tests",
        &nested("{a: ", "", "}", MANY),
        "nested more than 64 deep",
    );
    check("tests", &nested("[{a: ", "", "}]", MANY), "not YAML");
    check(
        "more",
        &format!("x:\n{} a", "- ".repeat(MANY)),
        "nested more than 64 deep",
    );
    check("more", &"? ".repeat(MANY), "nested more than 64 deep");
    check(
        "tactics",
        &format!("&a [{}]", listed("*a", MANY)),
        "anchors and aliases",
    );
    check(
        "tactics",
        &format!("[{}]", listed("&a# TA0001", 64)),
        "anchors and aliases",
    );
    check(
        "tactics",
        &format!("[{}]", listed("!t TA0001", 64)),
        "tags are not supported",
    );
    check(
        "more",
        &"x: 1\n".repeat(MANY),
        "key `x` is already set in line",
    );
    check(
        "more",
        &format!("\"{}\": 1", "x".repeat(1_000)),
        "unknown key `xxx",
    );
    let keys: Vec<String> = (0..10 * MANY)
        .map(|number| format!("x{number}: 1"))
        .collect();
    check("more", &keys.join("\n"), "at most 900000 bytes, found 2");
    let (few, _) = keys.split_at(3 * MANY);
    check("more", &few.join("\n"), "unknown key `x0`");
    let spread = format!("where: {}", "a ".repeat(MANY));
    check("more", &spread, "unknown key `where`");
    let rule = format!("{}---\n", rule_with("", ""));
    assert!(outcome(rule.repeat(500)).contains("the id `R` is already that of new:1"));
}

#[test]
fn errors_stay_few_and_short() {
    let long = "x".repeat(MANY);
    let texts = [
        rule_with("more", &format!("{long}: 1")),
        rule_with("severity", &long),
        rule_with("where", &format!("{long} = 1")),
        rule_with("where", &format!("user {long} 1")),
        rule_with("where", &format!("user = {long}")),
        rule_with("where", &format!("user = \"{long}\" \"{long}\"")),
        rule_with("where", &format!("{long}(user) = 1")),
        rule_with("having", &format!("{long}(user) = 1")),
        rule_with("condition", &long),
        rule_with("condition", &format!("P {long} P")),
        rule_with("tactics", &format!("[{long}]")),
        rule_with("attributes", &format!("{{hits: {long}}}")),
        rule_with("attributes", &format!("{{hits: {long}.user}}")),
        rule_with(
            "exceptions",
            &format!("[{{where: {long} = 1, from: {long}}}]"),
        ),
    ];
    for text in texts {
        let errors = parse("r", &text, &mut names()).unwrap_err();
        for error in errors {
            assert!(error.message.len() < 1_000, "{} bytes", error.message.len());
        }
    }
    let keys: Vec<String> = (0..MANY).map(|number| format!("x{number}: 1")).collect();
    let errors = parse("r", &rule_with("more", &keys.join("\n")), &mut names()).unwrap_err();
    assert_eq!(errors.len(), 1_001);
    assert!(
        errors
            .iter()
            .any(|error| error.message.starts_with("there are more errors"))
    );
}
