use std::borrow::Cow;

use super::FUNCTIONS;
use crate::event::{Attribute, Attributes, Event, Value};
use crate::rule::Filter;
use crate::rule::attribute::Names;
use crate::rule::lists::Lists;
use crate::rule::scope::Scope;
use crate::rule::tables::tests::asn;

fn value(json: &serde_json::Value) -> Value<'_> {
    match json {
        serde_json::Value::String(text) => Value::Text(Cow::Borrowed(text)),
        serde_json::Value::Bool(bool) => Value::Bool(*bool),
        serde_json::Value::Array(items) => Value::Many(items.iter().map(value).collect()),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Float(number.as_f64().unwrap()),
        },
        serde_json::Value::Null | serde_json::Value::Object(_) => panic!("no value: {json}"),
    }
}

fn check(filter: &str, json: Option<&str>, expected: bool) {
    let mut attributes = Attributes::default();
    attributes.intern(Attribute::Named("user"));
    let owners = "user,team,limit\nalice,hr,5\nbob,lab,\n10.0.0.0/8,dc,50\n";
    let (lists, _) = Lists::parse(&[("Owners.csv".to_owned(), owners.to_owned())]);
    let lists = lists.with_tables(asn());
    let parsed = Filter::parse_with(
        filter,
        &mut Names::Event(&mut attributes),
        &mut Scope::of(&lists),
    )
    .unwrap();
    let json: Option<serde_json::Value> = json.map(|json| serde_json::from_str(json).unwrap());
    let event = Event {
        time: crate::time::parse("2026-03-02T09:14:05Z").unwrap(),
        values: vec![json.as_ref().map(value)],
        ..Event::default()
    };
    assert_eq!(parsed.matches(&event), expected, "{filter} on {json:?}");
}

#[test]
fn examples_hold() {
    for doc in FUNCTIONS {
        assert!(!doc.examples.is_empty(), "{} has no examples", doc.name);
        for (filter, json, expected) in doc.examples {
            check(filter, *json, *expected);
        }
    }
}

#[test]
fn corner_cases() {
    check(
        "REPLACE(user, \"aa\", \"a\") = \"aa\"",
        Some("\"AAAA\""),
        true,
    );
    check("SUB_STR(user, 2, 0 - 1) IS NULL", Some("\"abc\""), true);
    check("SUB_STR(user, 1.9, 2.9) = \"ab\"", Some("\"abc\""), true);
    check(
        "TO_INTEGER(user) = 9007199254740993",
        Some("9007199254740993"),
        true,
    );
    check("LEN(user) IS NULL", Some("[]"), true);
    check("LEN(user) = 1", Some("[[\"a\"], \"bb\"]"), true);
    check("HourOfDay() = 9 AND DayOfWeek() = 1", None, true);
}
