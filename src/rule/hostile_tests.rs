//! Every form of the language that can be nested or repeated, many times over: refused in time and
//! within the stack, or valid and then printed, evaluated and dropped within it.

use super::bounds::PATTERNS_MAX;
use super::{Rule, parse, parse_with};
use crate::event::{Attributes, Event, Value};

/// How often a form is nested or repeated.
const MANY: usize = 20_000;

/// Bytes of stack: what threads have.
const STACK: usize = 2 << 20;

/// A rule; each `@key` of it stands for what a form puts there, or for `DEFAULTS`.
const RULE: &str = "id: R\nname: n\nseverity: @severity\nwindow: 5m\ntactics: @tactics\n\
                    patterns:\n  - {name: P, where: '@where', group_by: @group_by, \
                    having: '@having'}\ncondition: '@condition'\nrelations: @relations\n\
                    incident: {attributes: @attributes}\nexceptions: @exceptions\n\
                    tests: @tests\n@more";

const DEFAULTS: &[(&str, &str)] = &[
    ("severity", "5"),
    ("tactics", "[]"),
    ("where", "user = \"a\""),
    ("group_by", "[user]"),
    ("having", "COUNT(*) > 1"),
    ("condition", "P"),
    ("relations", "[]"),
    ("attributes", "{hits: P.COUNT(*)}"),
    ("exceptions", "[]"),
    ("tests", "[]"),
    ("more", ""),
];

fn rule_with(key: &str, text: &str) -> String {
    let mut rule = RULE.to_owned();
    for (known, default) in DEFAULTS {
        let text = if *known == key { text } else { *default };
        rule = rule.replacen(&format!("@{known}"), text, 1);
    }
    rule
}

/// Reads a text as a new rule and as one from the log, and does with it what is done with rules.
/// The first error of the new one, or nothing.
fn outcome(text: String) -> String {
    let all = move || {
        let of_log = parse_with("old", &text, &super::lists::Lists::default(), &mut names());
        of_log.unwrap_or_default().iter().for_each(exercise);
        match parse("new", &text, &mut names()) {
            Ok(rules) => {
                rules.iter().for_each(exercise);
                String::new()
            }
            Err(errors) => errors.first().map(ToString::to_string).unwrap_or_default(),
        }
    };
    let thread = std::thread::Builder::new().stack_size(STACK);
    thread.spawn(all).unwrap().join().unwrap()
}

fn names() -> Attributes {
    Attributes::default()
}

fn exercise(rule: &Rule) {
    let mut attributes = names();
    parse_with("again", &rule.text, &rule.lists, &mut attributes).unwrap();
    let printed = rule.to_yaml(&attributes);
    let again = parse_with("printed", &printed, &rule.lists, &mut names()).unwrap();
    assert_eq!(again.len(), 1);
    assert!(!rule.meaning(&attributes).is_empty());
    let event = Event {
        time: 0,
        values: vec![Some(Value::Text("a".into())); attributes.list().len()],
        ..Event::default()
    };
    for pattern in &rule.patterns {
        pattern.filter.matches(&event);
        pattern.having.holds(&|_| Some(1.0));
        pattern.having.can_become_false(&pattern.aggregates);
        assert!(!pattern.caps(5).is_empty());
    }
    assert!(!rule.condition.is_positive(usize::MAX));
    drop(rule.clone());
}

/// What stands where, so often; and what the first error says, nothing where the rule is valid.
fn check(key: &str, text: &str, expected: &str) {
    let found = outcome(rule_with(key, text));
    let begin: String = text.chars().take(40).collect();
    let is_expected = found.contains(expected) && found.is_empty() == expected.is_empty();
    assert!(is_expected, "{key}: {begin}: {found}");
}

fn nested(open: &str, inner: &str, close: &str, times: usize) -> String {
    format!("{}{inner}{}", open.repeat(times), close.repeat(times))
}

fn chained(first: &str, more: &str, times: usize) -> String {
    format!("{first}{}", more.repeat(times))
}

/// `part` with each number in place of `#`, joined by commas.
fn listed(part: &str, times: usize) -> String {
    let parts = (0..times).map(|number| part.replace('#', &number.to_string()));
    parts.collect::<Vec<_>>().join(", ")
}

const TEST: &str = "user = \"a\"";

#[test]
fn filters_within_filters() {
    let deep = |text: String| check("where", &text, "nested more than 64 deep");
    check("where", &nested("(", TEST, ")", 60), "");
    check("where", &nested("IF(", TEST, ", 1, 2) = 1", 15), "");
    deep(nested("(", TEST, ")", MANY));
    deep(nested("(", "user", ") = 1", MANY));
    deep("(".repeat(MANY));
    deep(nested("NOT ", TEST, "", MANY));
    deep(nested("NOT (", TEST, ")", MANY));
    deep(nested("LEN(", "user", ")", MANY));
    deep(nested("IF(user = 1, 2, ", "3", ")", MANY));
    deep(nested("IF(", TEST, ", 1, 2) = 1", MANY));
    deep(nested("1 + (", "user", ")", MANY));
}

#[test]
fn long_filters() {
    let sums = |text: String| check("where", &text, "more than 256 arithmetic");
    check("where", &format!("{} = 1", chained("user", " + 0", 60)), "");
    sums(format!("{} = 1", chained("user", " + 0", MANY)));
    sums(format!("{} = 1", chained("user", " * 1", MANY)));
    sums(format!("user = {}", chained("1", " - 0", MANY)));
    let tests = |more: &str, times: usize, expected: &str| {
        check("where", &chained(TEST, more, times), expected);
    };
    tests(" AND user = \"a\"", 4_000, "");
    tests(" AND user = \"a\"", MANY, "more than 4096 tests");
    tests(" OR user = \"a\"", MANY, "more than 4096 tests");
    tests(" OR usr = \"a\"", MANY, "no attribute is called `usr`");
    tests(" OR user > \"a\"", MANY, "compares numbers");
    let paths: Vec<String> = (0..4_000).map(|n| format!("record.a{n} IS NULL")).collect();
    check("where", &paths.join(" AND "), "");
    let regexps = (0..400).map(|n| format!("user REGEXP \"\\\\w{{1,40}}{n}\""));
    let regexps = regexps.collect::<Vec<_>>().join(" OR ");
    check(
        "where",
        &regexps,
        "the regular expressions of this rule set",
    );
}

#[test]
fn long_values_in_filters() {
    let values = |count: usize, expected: &str| {
        check(
            "where",
            &format!("user IN ({})", listed("#", count)),
            expected,
        );
    };
    values(9_000, "");
    values(MANY, "more than 10000 values");
    let is_one = |text: String, expected: &str| check("where", &format!("{text} = 1"), expected);
    is_one(
        format!("LEN({})", listed("user", MANY)),
        "more than 64 arguments",
    );
    is_one(format!("record{}", ".a".repeat(60)), "");
    is_one(
        format!("record{}", ".a".repeat(MANY)),
        "a path has at most 64 names",
    );
    is_one("u".repeat(MANY), "no attribute is called");
    check("where", &format!("user = \"{}\"", "a".repeat(MANY)), "");
    let minus = "-".repeat(MANY);
    for text in [format!("user {minus}"), format!("user = {minus}1")] {
        check("where", &text, "expected a number after `-`");
    }
}

#[test]
fn havings() {
    let test = "COUNT(*) > 1";
    check("having", &nested("(", test, ")", 60), "");
    check(
        "having",
        &nested("(", test, ")", MANY),
        "nested more than 64 deep",
    );
    check("having", &"(".repeat(MANY), "nested more than 64 deep");
    check(
        "having",
        &format!("{} > 1", nested("1 + (", "COUNT(*)", ")", MANY)),
        "nested more",
    );
    for operation in [" + 0", " - 0", " * 1", " / 1"] {
        check(
            "having",
            &format!("{} > 1", chained("COUNT(*)", operation, 60)),
            "",
        );
        let many = chained("COUNT(*)", operation, MANY);
        check("having", &format!("{many} > 1"), "more than 256 arithmetic");
        check("having", &format!("2 > {many}"), "more than 256 arithmetic");
    }
    check("having", &chained(test, " AND COUNT(*) > 1", 200), "");
    check(
        "having",
        &chained(test, " AND COUNT(*) > 1", MANY),
        "more than 256 comparisons",
    );
    check(
        "having",
        &chained(test, " OR COUNT(*) > 1", MANY),
        "more than 256 comparisons",
    );
    check(
        "having",
        &chained("1 = 1", " OR 1 = 1", MANY),
        "has no aggregate",
    );
    let sums: Vec<String> = (0..MANY).map(|n| format!("SUM(record.a{n}) > 1")).collect();
    check("having", &sums.join(" OR "), "at most 256 aggregates");
    let deep = |times| format!("SUM({}) > 1", nested("LEN(", "user", ")", times));
    check("having", &deep(60), "");
    check("having", &deep(MANY), "nested more than 64 deep");
    check("having", &nested("(", &deep(60), ")", 60), "");
    let lookup = nested("IF(", TEST, ", 1, 2) = 1", MANY);
    let deep = format!("SUM(IF({lookup}, 1, 0)) > 1");
    check("having", &deep, "nested more than 64 deep");
    let many = format!("COUNT(DISTINCT {}) > 1", listed("record.a#", MANY));
    check("having", &many, "at most 64 parts");
    let sums: Vec<String> = (0..MANY).map(|n| format!("SUM(record.a{n})")).collect();
    check(
        "having",
        &format!("{} > 1", sums.join("+")),
        "at most 256 aggregates",
    );
}

#[test]
fn conditions_patterns_and_relations() {
    check("condition", &nested("(", "P", ")", 60), "");
    check(
        "condition",
        &nested("(", "P", ")", MANY),
        "nested more than 64 deep",
    );
    check("condition", &chained("P", " AND P", 250), "");
    check(
        "condition",
        &chained("P", " AND P", MANY),
        "more than 256 operators",
    );
    check(
        "condition",
        &nested("P FOLLOWED_BY (", "P", ")", MANY),
        "nested more than 64 deep",
    );
    check(
        "condition",
        &chained("P", " AND Q", MANY),
        "unknown pattern `Q`",
    );
    check("group_by", &format!("[{}]", listed("record.a#", 64)), "");
    check(
        "group_by",
        &format!("[{}]", listed("record.a#", MANY)),
        "at most 64 items",
    );
    let computed = |times| format!("[{{d: '{}'}}]", nested("LEN(", "user", ")", times));
    check("group_by", &computed(60), "");
    check("group_by", &computed(MANY), "nested more than 64 deep");
    let computed = |times| format!("[{}]", listed("{d#: 'LEN(user)'}", times));
    check("group_by", &computed(64), "");
    check("group_by", &computed(MANY), "at most 64 items");
    let patterns = |times: usize| {
        let pattern = "  - {name: P#, where: user IS NULL}";
        let all = (0..times).map(|number| pattern.replace('#', &number.to_string()));
        let patterns = all.collect::<Vec<_>>().join("\n");
        format!("id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n{patterns}\n")
    };
    assert_eq!(outcome(patterns(PATTERNS_MAX)), "");
    let relations = |times: usize| {
        let grouped = patterns(3).replace("IS NULL}", "IS NULL, group_by: [user]}");
        format!(
            "{grouped}relations: [P2.user = P1.user, {}]\n",
            listed("P0.user = P1.user", times)
        )
    };
    assert_eq!(outcome(relations(1_000)), "");
    assert!(outcome(relations(MANY)).contains("at most 1024 items"));
    let found = outcome(patterns(MANY));
    assert!(found.contains("at most 256 items, found 20000"), "{found}");
    let new = format!("[user, {}] over 5d", listed("record.a#", MANY));
    let new = rule_with("group_by", &format!("[user], new: '{new}'"));
    assert!(outcome(new).contains("`new` has at most 64 attributes"));
}

mod documents;
