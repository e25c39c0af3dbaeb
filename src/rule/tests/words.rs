//! Names and characters that a rule may have, and those that it may not.

use super::{RULE, errors_of, rule};
use crate::event::Attributes;
use crate::rule::lists::Lists;
use crate::rule::{parse, parse_with};

/// Words of filters, `having`s, conditions and YAML, and names of fields.
const WORDS: &[&str] = &[
    "In",
    "Is",
    "Null",
    "IN",
    "NULL",
    "true",
    "Yes",
    "Between",
    "Contain",
    "Regexp",
    "Starts_With",
    "Count",
    "Distinct",
    "Sum",
    "If",
    "Len",
    "Cidr",
    "Record",
    "Group",
    "Over",
    "User",
    "Clear",
    "When",
    "Quiet",
    "Filter",
    "Unless",
];

#[test]
fn patterns_and_attributes_may_be_called_like_other_words() {
    for word in WORDS {
        let text = format!(
            "id: R\nname: n\nseverity: [{{when: '{word} > 1 AND NOT {word} IS NULL', value: 9}}, \
             {{value: 5}}]\nwindow: 5m\npatterns:\n  - {{name: {word}, where: user IS NOT NULL, \
             group_by: [user]}}\n  - {{name: B, where: user IS NOT NULL, group_by: [user]}}\n  \
             - {{name: C, where: user IS NOT NULL, group_by: [user]}}\ncondition: ({word} \
             FOLLOWED_BY B) AND {word}\nrelations: [{word}.user = B.user, C.user = \
             {word}.user]\nclear: {{when: C}}\nincident: {{title: ${word}, attributes: \
             {{{word}: {word}.COUNT(*), who: {word}.user}}}}\nexceptions: [{{where: '{word} IN \
             (1, 2) OR 5 < {word}'}}]\ntests: [{{name: t, events: [], incidents: [{{{word}: \
             1}}]}}]\n"
        );
        assert_eq!(errors_of(&text), "", "{word}");
        let (read, attributes) = rule(&text);
        let printed = read.to_yaml(&attributes);
        let (again, names) = rule(&printed);
        assert_eq!(
            again.meaning(&names),
            read.meaning(&attributes),
            "{printed}"
        );
        let clear = text.replace(&format!("name: {word}"), "name: A");
        let clear = clear
            .replace(&format!("{word}."), "A.")
            .replace(&format!("({word}"), "(A");
        let clear = clear.replace(&format!("AND {word}\n"), "AND A\n");
        let clear = clear.replace("name: C", &format!("name: {word}"));
        let clear = clear.replace("when: C", &format!("when: {word}"));
        let clear = clear.replace("C.user", &format!("{word}.user"));
        assert_eq!(errors_of(&clear), "", "{clear}");
    }
}

#[test]
fn control_characters_are_refused_where_they_stand() {
    let check = |from: &str, to: &str, expected: &str| {
        let found = errors_of(&RULE.replacen(from, to, 1));
        assert!(found.starts_with(expected), "{to:?}: {found:?}");
        assert!(
            found.chars().all(|c| c == '\n' || !c.is_control()),
            "{found:?}"
        );
        if expected.is_empty() {
            assert_eq!(found, "", "{to:?}");
        }
    };
    check(
        "Many refusals",
        "Many \u{1b}[31mrefusals",
        "3:12: found the control",
    );
    check(
        "window: 5m",
        "window: 5m # \u{1b}]0;x\u{7}",
        "15:14: found the control",
    );
    check(
        "window: 5m",
        "window: 5m\r# x",
        "15:11: found the control or format character U+000D",
    );
    check("window: 5m", "window: 5m\r\n# x\r", "");
    check(
        "id: PH",
        "\u{9b}id: PH",
        "2:1: found the control or format character U+009B",
    );
    check(
        "\"MS_A\"",
        "\"MS_\u{202e}A\"",
        "18:28: found the control or format character U+202E",
    );
    check("\nid", "\u{feff}\nid", "");
    check(
        "category: Security",
        "category: \"\\x7f\"",
        "9:11: found the control",
    );
    check(
        "description: >",
        "description: \"a\\tb\\nc\"\nx: >",
        "5:1: unknown key `x`",
    );
    check("level: 4", "level: \"\\e[2J\"", "");
    check("user: alice", "user: \"\\e\"", "");
    check(
        "- name: three",
        "- name: \"\\e\"",
        "32:11: found the control",
    );
    let hostile = "id: X\n\"\\e[2J\\e[31mPWN\\n::error file=a::injected\": 1\n";
    let found = errors_of(hostile);
    assert_eq!(found.lines().count(), 1, "{found:?}");
    assert!(
        found.starts_with("2:1: found the control or format character U+001B"),
        "{found:?}"
    );
}

/// What an older version took goes on being read, unless it could do harm.
#[test]
fn rules_of_the_log_stay_valid() {
    let check = |from: &str, to: &str| {
        let text = RULE.replacen(from, to, 1);
        assert!(
            parse("new", &text, &mut Attributes::default()).is_err(),
            "{to}"
        );
        let lists = Lists::default();
        let old = parse_with("old", &text, &lists, &mut Attributes::default());
        assert!(old.is_ok(), "{to}: {old:?}");
    };
    check("COUNT(*) >= 3", "COUNT(*) < 1");
    check("AND srcIpAddr", "AND eventType = \"b\" AND srcIpAddr");
    check("cidr(\"10.0.0.0/8\")", "\"10.0.0.0/33\"");
    check("Many refusals", "Many \u{1b}refusals");
    check("Many refusals", &"x".repeat(2_000));
    check(
        "{ user: Refused.user",
        "{ and: Refused.user, user: Refused.user",
    );
}
