use crate::event::{Attribute, Attributes, Event, Value};
use crate::rule::lists::Lists;
use crate::rule::scope::Scope;
use crate::rule::{Filter, print};

/// Canonical form of a filter, or its first error as `offset: message`.
fn canonical(text: &str) -> String {
    let mut attributes = Attributes::default();
    match Filter::parse(text, &mut attributes) {
        Ok(filter) => print::filter(&filter.expression, &|id| print::name(&attributes, id)),
        Err(error) => format!("{}: {}", error.offset, error.message),
    }
}

#[test]
fn reads_computed_values() {
    let check = |text: &str, expected| assert_eq!(canonical(text), expected);
    check("len( USER )>20", "LEN(user) > 20");
    check(
        "not to_integer(user)*2>=record.b",
        "NOT TO_INTEGER(user) * 2 >= record.b",
    );
    check("user != targetUser", "user != targetUser");
    check("\"Bob\" = user", "\"Bob\" = user");
    check("user + 1 - 2 * 3 = 5", "(user + 1) - (2 * 3) = 5");
    check(
        "hourofday() not between (8, 17)",
        "HourOfDay() NOT BETWEEN (8, 17)",
    );
    check(
        "if(user is null or user=5, \"a\", extract(user, \"(\\\\d)\")) = \"A\"",
        "IF(user IS NULL OR user = 5, \"a\", EXTRACT(user, \"(\\\\d)\")) = \"a\"",
    );
    check(
        "LEN(user) = cidr(\"10.1.0.0/8\")",
        "LEN(user) = cidr(\"10.0.0.0/8\")",
    );
    check("user = 5 - 2", "user = 5 - 2");
}

#[test]
fn reads_every_form() {
    let check = |text: &str, expected| assert_eq!(canonical(text), expected);
    check("USER=\"Bob\"", "user = \"bob\"");
    check("user in (\"b\",\"A\",\"B\")", "user IN (\"a\", \"b\")");
    check("user NOT IN (\"b\")", "user != \"b\"");
    check("not user in (1, -2.5)", "user NOT IN (-2.5, 1)");
    check("not not user is null", "user IS NULL");
    check("not user is not null", "user IS NULL");
    check("NOT user >= 5", "NOT user >= 5");
    check("user Not Between (1, 5e1)", "user NOT BETWEEN (1, 50)");
    check("user CONTAINS \"\\\"\\\\\"", "user CONTAIN \"\\\"\\\\\"");
    check(
        "user NOT REGEXP \"^A\\\\.b\"",
        "user NOT REGEXP \"^A\\\\.b\"",
    );
    check(
        "srcIpAddr = \"10.0.0.1\"",
        "srcIpAddr = cidr(\"10.0.0.1/32\")",
    );
    check(
        "record.A.\"odd Key\".b = \"x\"",
        "record.a.\"odd key\".b = \"x\"",
    );
    check(
        "record.A.b[ C=\"X ]\" and \"odd key\" = \"\"].\"d.e\" > 1",
        "record.a.b[c = \"x ]\" AND \"odd key\" = \"\"].\"d.e\" > 1",
    );
    let a = "user = \"a\"";
    let nested = format!("({a} and ({a} AND ({a} or {a})) and not ({a} or {a} AND {a}))");
    let flat = format!("{a} AND {a} AND ({a} OR {a}) AND NOT ({a} OR {a} AND {a})");
    assert_eq!(canonical(&nested), flat);
    check(&format!("{}{a}{}", "(".repeat(63), ")".repeat(63)), a);
}

/// The filter's first error.
fn check_error(text: &str, offset: usize, expected: &str) {
    let found = canonical(text);
    let begin = format!("{offset}: ");
    assert!(
        found.starts_with(&begin) && found.contains(expected),
        "{text}: {found}"
    );
}

#[test]
fn says_where_it_cannot_be_read() {
    let check = check_error;
    check(
        "user = 1 OR record.a[b = \"x\".c = 1",
        20,
        "this `[` has no closing `]`",
    );
    check("record.a[b = \"x].c = 1", 13, "no closing double quote");
    check("record.a[b = 1].c = 1", 0, "is written [name = \"text\"]");
    check("record.a[0].c = 1", 0, "is written [name = \"text\"]");
    check("user[b = \"x\"] = 1", 0, "no attribute is called");
    check(
        "",
        0,
        "expected an attribute, a value, NOT or `(`, found the end",
    );
    check("user", 4, "expected an operator (=, >, >=");
    check("user = ", 7, "found the end");
    check("user = \"a", 7, "no closing double quote");
    check("user = 'a'", 7, "double quotes");
    check("user == \"a\"", 5, "equality is written `=`");
    check("user <> \"a\"", 5, "`!=`");
    check("user = bob", 7, "text stands in double quotes, \"bob\"");
    check(
        "user = \"a\" user = \"b\"",
        11,
        "expected AND, OR or the end",
    );
    check("user LIKE \"a\"", 5, "unknown operator `LIKE`");
    check("user STARTSWITH \"a\"", 5, "did you mean `STARTS_WITH`?");
    check("user IN \"a\"", 8, "expected `(`");
    check("user IN (\"a\" \"b\")", 13, "expected `,` or `)`");
    check("user IS 5", 8, "expected NULL or NOT NULL");
}

#[test]
fn says_what_makes_no_sense() {
    let check = check_error;
    check("user BETWEEN (5, 1)", 13, "no number lies between 5 and 1");
    check("user > \"a\"", 7, "`>` compares numbers, found \"a\"");
    check("user > \"5\"", 7, "write 5 without quotes");
    check("user CONTAIN 5", 13, "takes text in double quotes, found 5");
    check("user CONTAIN \"\"", 13, "holds for every value");
    check(
        "user REGEXP \"(\"",
        12,
        "not a regular expression: unclosed group",
    );
    check("user = \"\\d\"", 8, "a backslash is written");
    check("user = cidr(\"10.0.0.0/8\")", 7, "not an address");
    check(
        "srcIpAddr = cidr(\"10.0.0.0/33\")",
        17,
        "expected a network",
    );
    check(
        "srcIpAddr = \"10.0.0.0/8\"",
        12,
        "write cidr(\"10.0.0.0/8\")",
    );
    check("srcIpAddr = 10.0.0.1", 12, "not a number; addresses");
    check(
        "user IN (Group@PH_SYS_X)",
        9,
        "no list is called `PH_SYS_X` (lists/PH_SYS_X.txt or lists/PH_SYS_X.csv beside the rules); \
         there are no lists yet",
    );
    check("usr = \"a\"", 0, "no attribute is called `usr`");
    check("user = \"a\" § ", 11, "means nothing here");
    check("(user = \"a\"", 11, "expected `)`, found the end");
    check(&"(".repeat(70), 64, "nested more than 64 deep");
    check(&"NOT ".repeat(70), 256, "nested more than 64 deep");
}

#[test]
fn says_what_makes_no_sense_in_computed_values() {
    let check = check_error;
    check("FOO(user) > 5", 0, "unknown function `FOO`");
    check("user = TO_LOW(user)", 7, "did you mean `TO_LOWER`?");
    check(
        "LEN(user, 5) > 5",
        0,
        "`LEN` is written LEN(text), found 2 arguments",
    );
    check(
        "REPLACE() = \"\"",
        0,
        "REPLACE(text, old, new), found 0 arguments",
    );
    check("LEN(user", 8, "expected `,` or `)`, found the end");
    check("LEN(user)", 9, "expected an operator (=, >, >=");
    check("LEN(usr) > 5", 4, "no attribute is called `usr`");
    check("LEN(user = 5) > 5", 9, "expected `,` or `)`, found `=`");
    check(
        "LEN(user) > 5 + alice",
        16,
        "no attribute is called `alice`",
    );
    check(
        "LEN(user) > bob",
        12,
        "text stands in double quotes, \"bob\"",
    );
    check(
        "user IN (LEN(user))",
        9,
        "found the function LEN: functions stand beside =",
    );
    check("user CONTAIN srcIpAddr", 13, "text stands in double quotes");
    check(
        "EXTRACT(user, srcIpAddr) = 5",
        14,
        "a regular expression in double quotes",
    );
    check("EXTRACT(user, \"(\") = 5", 14, "not a regular expression");
    check("IF(user, 1, 2) = 1", 7, "expected an operator (=, >, >=");
    check("5 = 5", 0, "reads nothing of the event");
    check("LEN(\"abc\") = 3", 0, "reads nothing of the event");
    check(
        "cidr(\"10.0.0.0/8\") = srcIpAddr",
        0,
        "stands to the right of",
    );
    check("DeviceToCMDBAttr(user) = 5", 0, "use LookupTableGet");
    check("user = (user = 5)", 7, "expected a value, found a test");
    check(
        &format!("user = 1{}", " + 1".repeat(300)),
        1035,
        "more than 256 arithmetic",
    );
}

#[test]
fn all_unknown_names_come_at_once() {
    let names = &mut crate::rule::attribute::Names::Event(&mut Attributes::default());
    let errors = {
        let text = "usr = 1 AND user > \"x\" OR ip = 2 AND";
        Filter::parse_with(text, names, &mut Scope::of(&Lists::default())).unwrap_err()
    };
    let offsets: Vec<usize> = errors.iter().map(|error| error.offset).collect();
    assert_eq!(offsets, [0, 19, 26, 36]);
}

#[test]
fn knows_the_event_types_it_needs() {
    let check = |text: &str, expected: Option<&[&str]>| {
        let filter = Filter::parse(text, &mut Attributes::default()).expect(text);
        let found = filter.required_event_type();
        let expected = expected.map(|list| list.iter().map(|text| (*text).to_string()).collect());
        assert_eq!(found, expected, "{text}");
    };
    check("eventType = \"MS_A\"", Some(&["ms_a"]));
    check(
        "user = \"x\" AND eventType IN (\"b\", \"A\")",
        Some(&["a", "b"]),
    );
    check(
        "eventType = \"a\" OR eventType = \"b\" AND user = \"x\"",
        Some(&["a", "b"]),
    );
    check("eventType = \"a\" OR user = \"x\"", None);
    check("eventType != \"a\"", None);
    check("eventType CONTAIN \"a\"", None);
    check("eventType IN (\"a\", 5)", None);
    check("NOT (eventType = \"a\" AND user = \"x\")", None);
    check("user = \"x\"", None);
}

#[test]
fn boolean_operators() {
    let check = |text: &str, expected: bool| {
        let mut attributes = Attributes::default();
        attributes.intern(Attribute::Named("user"));
        let filter = Filter::parse(text, &mut attributes).expect(text);
        let event = Event {
            time: 0,
            values: vec![Some(Value::Integer(5))],
            ..Event::default()
        };
        assert_eq!(filter.matches(&event), expected, "{text}");
        let value = Value::Integer(5);
        let get = |id| event.get(id).map(|_| &value);
        assert_eq!(filter.matches_with(&get, 0), expected, "{text}");
    };
    check("user = 5 OR user = 6 AND user = 7", true);
    check("(user = 5 OR user = 6) AND user = 7", false);
    check("NOT (user = 5 AND user = 6)", true);
    check("NOT user = 5 AND user = 6", false);
    check("NOT user = 5 OR NOT user = 6", true);
    check("srcIpAddr = \"10.0.0.1\" OR srcIpAddr IS NULL", true);
}
