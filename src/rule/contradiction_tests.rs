use crate::event::Attributes;
use crate::rule::attribute::Names;
use crate::rule::lists::Lists;
use crate::rule::scope::Scope;
use crate::rule::{Filter, FilterError};

/// Where a filter over events, and one over incidents with a `user`, can never hold.
fn places(text: &str, of_incidents: bool) -> Vec<usize> {
    let mut attributes = Attributes::default();
    let names = ["user", "hits", "event_count", "trigger_count"].map(str::to_owned);
    let mut names = match of_incidents {
        true => Names::Incident(&names),
        false => Names::Event(&mut attributes),
    };
    let lists = [("Admins.txt".to_owned(), "alice\n".to_owned())];
    let (lists, _) = Lists::parse(&lists);
    let parsed = Filter::parse_with(text, &mut names, &mut Scope::of(&lists));
    let errors = parsed.err().unwrap_or_default();
    let is_never = |error: &FilterError| error.message.contains("can never hold");
    assert!(errors.iter().all(is_never), "{text}: {errors:?}");
    errors.iter().map(|error| error.offset).collect()
}

#[test]
fn tests_of_one_value_contradict_each_other() {
    let check = |text: &str, place: usize| {
        assert_eq!(
            places(&text.replace("@", "eventType"), false),
            [place],
            "{text}"
        );
        let moved = place - ("eventType".len() - "user".len());
        assert_eq!(places(&text.replace("@", "user"), true), [moved], "{text}");
    };
    check("@ = \"a\" AND @ = \"b\"", 20);
    check("@ = \"a\" AND @ IN (\"b\", \"c\")", 20);
    check("@ IN (\"a\", \"b\") AND @ NOT IN (\"B\", \"A\")", 28);
    check("@ = \"a\" AND @ STARTS_WITH \"b\"", 20);
    check("@ STARTS_WITH \"b\" AND @ = \"a\"", 30);
    check("@ = \"a\" AND @ NOT REGEXP \"^[a-z]$\"", 20);
    check("@ = \"a\" AND @ > 5", 20);
    check("@ > 5 AND @ < 5", 18);
    check("@ BETWEEN (1, 5) AND @ BETWEEN (6, 9)", 29);
    check("@ = 5 AND @ = 6", 18);
    check("@ = 5 AND @ > 5", 18);
}

#[test]
fn tests_of_any_number_of_values_do() {
    let check = |text: &str, expected: &[usize]| {
        assert_eq!(places(text, false), expected, "{text}");
    };
    check("user IS NULL AND user = \"a\"", &[17]);
    check("user = \"a\" AND user IS NULL", &[15]);
    check("user IS NULL AND user IS NOT NULL", &[17]);
    check("user = \"a\" AND user != \"a\"", &[15]);
    check(
        "record.a CONTAIN \"x\" AND (record.b = 1 AND record.a NOT CONTAIN \"X\")",
        &[25],
    );
    check("user = \"x\" OR user IS NULL AND user = \"a\"", &[31]);
    check("NOT (user IS NULL AND user = \"a\")", &[22]);
    check("LEN(user) < 0", &[0]);
    check("HourOfDay() > 23", &[0]);
    check("HourOfDay() IN (24, 25)", &[0]);
    check("DayOfWeek() = 7", &[0]);
    check("LookupTableHas(Admins, user) = 2", &[0]);
}

#[test]
fn counts_of_incidents_are_at_least_one() {
    let check = |text: &str, expected: &[usize]| assert_eq!(places(text, true), expected, "{text}");
    check("event_count < 1", &[0]);
    check("trigger_count = 0", &[0]);
    check("event_count IN (0, 0.5)", &[0]);
    check("user = \"a\" AND event_count <= 0", &[15]);
    check("event_count = 1", &[]);
    check("hits < 1", &[]);
}

#[test]
fn what_may_hold_is_left_alone() {
    for text in [
        // One of several users may be the one, another the other.
        "user = \"a\" AND user = \"b\"",
        "user = \"a\" AND user STARTS_WITH \"b\"",
        "record.a = 1 AND record.a = 2",
        "record.a > 5 AND record.a < 5",
        "srcIpAddr = \"10.0.0.1\" AND srcIpAddr = \"10.0.0.2\"",
        "eventType = \"a\" AND (eventType = \"b\" OR user = \"c\")",
        "eventType = \"a\" OR eventType = \"b\"",
        "eventType IN (\"a\", \"b\") AND eventType != \"a\"",
        "eventType IN (\"a\", \"b\") AND eventType IN (\"B\", \"c\")",
        "eventType = \"a\" AND eventType IN (Group@Admins)",
        "eventType = 5 AND eventType CONTAIN \"00\"",
        "eventType = \"5\" AND eventType < 6",
        "eventType = 5 AND eventType = \"5.0\"",
        "eventType > 9007199254740992 AND eventType <= 9007199254740993",
        "user IS NULL AND user != \"a\"",
        "user IS NULL AND NOT user > 5",
        "user IS NULL OR user = \"a\"",
        "NOT (user IS NULL OR user = \"a\")",
        "LEN(user) > 5",
        "HourOfDay() IN (23, 24)",
        "LEN(user) != 0 - 1",
    ] {
        assert!(places(text, false).is_empty(), "{text}");
    }
}
