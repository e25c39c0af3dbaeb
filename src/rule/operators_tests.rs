use std::borrow::Cow;

use super::OPERATORS;
use crate::event::{Attributes, Event, Value};
use crate::rule::Filter;

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

/// The filter is over one attribute, which therefore has the first place.
fn check(filter: &str, json: Option<&str>, expected: bool) {
    let parsed = Filter::parse(filter, &mut Attributes::default()).expect(filter);
    let json: Option<serde_json::Value> = json.map(|json| serde_json::from_str(json).unwrap());
    let event = Event {
        time: 0,
        values: vec![json.as_ref().map(value)],
        ..Event::default()
    };
    assert_eq!(parsed.matches(&event), expected, "{filter} on {json:?}");
}

#[test]
fn examples_hold() {
    for doc in OPERATORS {
        assert!(!doc.examples.is_empty(), "{} has no examples", doc.name);
        for (filter, json, expected) in doc.examples {
            check(filter, *json, *expected);
        }
    }
}

#[test]
fn corner_cases() {
    // A number beyond the exact range of floats.
    check("user = 9007199254740993", Some("9007199254740993"), true);
    check("user = 9007199254740993", Some("9007199254740992"), false);
    // Words that a float parser takes for numbers.
    check("user > 0", Some("\"inf\""), false);
    check("user < 0", Some("\"-nan\""), false);
    // ASCII case only.
    check("user = \"ÄLICE\"", Some("\"äLICE\""), false);
    check("user CONTAIN \"é\"", Some("\"café\""), true);
    check("user STARTS_WITH \"é\"", Some("\"e\""), false);
    check("user ENDS_WITH \"é\"", Some("\"CAFé\""), true);
    // Lists.
    check("user IS NULL", Some("[]"), true);
    check("user IS NOT NULL", Some("[1]"), true);
    check("user NOT CONTAIN \"b\"", Some("[\"a\", \"b\"]"), false);
    check("user > 5", Some("[1, [2, 6]]"), true);
    check("user NOT BETWEEN (1, 2)", Some("[]"), true);
    // Long IN lists are searched, not scanned.
    check(
        "user IN (\"d\", \"B\", \"a\", \"c\", \"e\")",
        Some("\"C\""),
        true,
    );
    check(
        "user IN (\"d\", \"B\", \"a\", \"c\", \"e\")",
        Some("\"f\""),
        false,
    );
    // Addresses.
    check(
        "srcIpAddr = \"10.0.0.1\"",
        Some("\"::ffff:10.0.0.1\""),
        true,
    );
    check(
        "srcIpAddr NOT IN (cidr(\"10.1.2.3/8\"))",
        Some("\"10.9.9.9\""),
        false,
    );
    check(
        "srcIpAddr = cidr(\"2001:db8::/32\")",
        Some("\"2001:DB8:1::\""),
        true,
    );
    check(
        "record.ip = cidr(\"10.0.0.0/8\")",
        Some("\"10.0.0.1\""),
        true,
    );
    check("srcIpAddr CONTAIN \"10.\"", Some("\"10.0.0.1\""), true);
}

/// Where each place of a value looks like the beginning of what is looked for: comparing them all
/// would take hours.
#[test]
fn contain_is_linear() {
    let wanted = format!("{}b", "a".repeat(200_000));
    let filter = format!("user CONTAIN \"{wanted}\"");
    let value = |end: &str| format!("\"{}{end}\"", "aA".repeat(200_000));
    check(&filter, Some(&value("")), false);
    check(&filter, Some(&value("B")), true);
    check("user CONTAIN \"ab\"", Some(&value("b")), true);
}
