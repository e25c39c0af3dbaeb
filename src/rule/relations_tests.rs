use crate::event::Attributes;
use crate::rule::{in_one_line, parse};

/// A rule of four patterns, all of which group by user, address and application.
fn rule(condition: &str, relations: &str) -> String {
    let pattern = |name: &str| {
        format!(
            "  - {{ name: {name}, where: user = \"{name}\", group_by: [user, srcIpAddr, \
             record.app] }}\n"
        )
    };
    let patterns: String = ["A", "B", "C", "Z"].map(pattern).concat();
    format!(
        "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n{patterns}condition: {condition}\n\
         clear: {{ when: Z }}\nrelations: [{relations}]\n"
    )
}

const USERS: &str = "A.user = B.user, A.user = C.user, A.user = Z.user";

/// The relations as they are printed, without those of the user; or the errors.
fn read(condition: &str, relations: &str) -> String {
    let text = rule(condition, &format!("{USERS}{relations}"));
    let mut attributes = Attributes::default();
    match parse("r", &text, &mut attributes) {
        Ok(rules) => {
            let printed = rules[0].to_yaml(&attributes);
            let lines = printed.lines();
            let mut relations = lines.filter_map(|line| line.strip_prefix("relations: "));
            let relations = relations.next().unwrap_or_default();
            let own = relations.trim_matches(['[', ']']).split(", ");
            own.skip(3).collect::<Vec<_>>().join(", ")
        }
        Err(errors) => in_one_line(&errors),
    }
}

#[track_caller]
fn check(condition: &str, relations: &str, expected: &str) {
    let found = read(condition, relations);
    assert!(found.contains(expected), "{condition}: {found}");
}

const DIFFER: &str = ", A.srcIpAddr != B.srcIpAddr";

#[test]
fn the_two_sides_of_an_operator_may_have_to_differ() {
    let printed = "\"A.srcIpAddr != B.srcIpAddr\"";
    for operator in ["AND", "FOLLOWED_BY", "AND_NOT", "NOT_FOLLOWED_BY"] {
        let condition = format!("(A {operator} B) AND C");
        assert_eq!(read(&condition, DIFFER), printed);
    }
    assert_eq!(read("A FOLLOWED_BY B UNLESS C", DIFFER), printed);
    assert_eq!(read("C FOLLOWED_BY (A FOLLOWED_BY B)", DIFFER), printed);
    // As the condition has them, once.
    let turned = "\"B.srcIpAddr != A.srcIpAddr\"";
    assert_eq!(read("(B FOLLOWED_BY A) AND C", DIFFER), turned);
    let twice = format!("{DIFFER}{DIFFER}");
    assert_eq!(read("A FOLLOWED_BY B UNLESS C", &twice), printed);
    let other = ", A.srcIpAddr != B.record.app";
    assert_eq!(
        read("(A AND B) AND C", other),
        "\"A.srcIpAddr != B.record.app\""
    );
}

#[test]
fn what_cannot_be_exact_is_refused_with_what_to_write() {
    let rest = ", A.srcIpAddr != C.srcIpAddr";
    check(
        "A FOLLOWED_BY B FOLLOWED_BY C",
        rest,
        "A and C are not the two sides of one operator. Of a combination one trigger is kept for \
         each second, whatever its values: put the two into parentheses of their own, as in \
         `(A FOLLOWED_BY C)`, or make two rules",
    );
    check(
        "A FOLLOWED_BY B UNLESS C",
        rest,
        "`C` stands behind UNLESS, and `!=` is between the two sides of one operator: say in its \
         `where` which of its events count",
    );
    check(
        "(A OR B) AND C",
        DIFFER,
        "OR asks for one of its sides alone, which differs from nothing: leave the relation out, \
         or write AND",
    );
    check(
        "(A AND B) AND (C OR A)",
        DIFFER,
        "the condition names `A` more than once, and `!=` is between the two sides of one \
         operator: write the pattern a second time, with another name",
    );
    check(
        "A AND B AND C",
        ", A.srcIpAddr != Z.srcIpAddr",
        "`Z` is the clear pattern (`clear.when`), which stands beside no other: `!=` is between \
         the two sides of an operator of the condition",
    );
    check(
        "A AND B AND C",
        &format!("{DIFFER}, B.record.app != A.record.app"),
        "A.srcIpAddr != B.srcIpAddr stands between these patterns already, and each value of it \
         is looked at by itself: make one rule for each attribute that must differ",
    );
}

#[test]
fn what_is_related_cannot_differ() {
    check(
        "A AND B AND C",
        ", A.user != B.user",
        "A.user and B.user are related by `=`, and cannot differ",
    );
    check(
        "A AND B AND C",
        ", A.user != B.srcIpAddr",
        "A.user is related by `=`, so it has one value for all patterns: write `srcIpAddr != user` \
         in the `where` of B",
    );
    check(
        "A AND B AND C",
        ", A.srcIpAddr != A.user",
        "a relation is between two different patterns",
    );
    check(
        "A AND B AND C",
        ", A.srcIpAddr < B.srcIpAddr",
        "expected `=` or `!=`, found `<`",
    );
}

#[test]
fn a_chain_of_relations_is_no_key() {
    check(
        "A AND B AND C",
        ", B.srcIpAddr = C.srcIpAddr",
        "nothing relates B.srcIpAddr = C.srcIpAddr to the pattern `A`: what relates patterns is in \
         the group_by of every one. Relate A by it, too, or make two rules, one of them without A",
    );
}

#[test]
fn what_must_differ_is_part_of_the_meaning() {
    let meaning = |relations: &str| {
        let text = rule("A FOLLOWED_BY B UNLESS C", &format!("{USERS}{relations}"));
        let mut attributes = Attributes::default();
        parse("r", &text, &mut attributes).unwrap()[0].meaning(&attributes)
    };
    let (with, without) = (meaning(DIFFER), meaning(""));
    let line = "differ A.srcIpAddr B.srcIpAddr\n";
    assert_eq!(with.replacen(line, "", 1), without);
    assert!(
        without.contains("\ncondition A FOLLOWED_BY B UNLESS C\n"),
        "{without}"
    );
}
