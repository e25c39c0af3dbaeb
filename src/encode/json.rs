//! Incidents as JSON: the names of the Avro schema in its order, times as RFC 3339 with
//! milliseconds, on one line.

use serde_json::Value;

use super::field::{self, Field};
use crate::escape;
use crate::incident::Incident;
use crate::time::rfc3339;

/// Whole numbers up to this size are exact as floats, and written without a fraction.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// `incident` as one line, without line end.
pub fn line(incident: &Incident) -> String {
    object_line(&field::of_incident(incident))
}

/// An object of these fields as one line.
pub(super) fn object_line(fields: &[(&str, Field<'_>)]) -> String {
    let mut out = String::with_capacity(2048);
    object(&mut out, fields);
    out
}

fn value(out: &mut String, value: &Field<'_>) {
    match value {
        Field::Null => out.push_str("null"),
        Field::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        Field::Integer(integer) => out.push_str(&integer.to_string()),
        Field::Number(float) => number(out, *float),
        Field::Time(millis) => text(out, &rfc3339(*millis)),
        Field::Text(string) => text(out, string),
        Field::Made(string) => text(out, string),
        Field::Symbol(_, name) => text(out, name),
        Field::Branch(_, inner) => self::value(out, inner),
        Field::List(list) => array(out, list),
        Field::Map(entries) => object(out, entries),
        Field::Record(entries) => object(out, entries),
    }
}

fn array(out: &mut String, list: &[Field<'_>]) {
    out.push('[');
    for (place, item) in list.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        value(out, item);
    }
    out.push(']');
}

fn object(out: &mut String, entries: &[(&str, Field<'_>)]) {
    out.push('{');
    for (place, (name, item)) in entries.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        text(out, name);
        out.push(':');
        value(out, item);
    }
    out.push('}');
}

fn text(out: &mut String, text: &str) {
    out.push_str(&escape::lines(&Value::from(text).to_string()));
}

/// Counts are floats inside and whole numbers for people. JSON has no word for what is not
/// finite: null.
fn number(out: &mut String, number: f64) {
    if number.fract() == 0.0 && number.abs() < EXACT_MAX {
        out.push_str(&format!("{number:.0}"));
    } else {
        out.push_str(&Value::from(number).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_values() {
        fn check(field: Field<'_>, expected: &str) {
            let mut out = String::new();
            value(&mut out, &field);
            assert_eq!(out, expected);
        }
        check(Field::Number(3.0), "3");
        check(Field::Number(0.1), "0.1");
        check(Field::Number(-2.5e300), "-2.5e+300");
        check(Field::Number(f64::NAN), "null");
        check(Field::Text("a \"b\"\n\u{1}é"), r#""a \"b\"\n\u0001é""#);
        check(
            Field::Text("\u{7f}\u{9b}2J\u{202e}\u{2028}\u{e0041}"),
            r#""\u007f\u009b2J\u202e\u2028\udb40\udc41""#,
        );
        check(Field::Time(7), r#""1970-01-01T00:00:00.007Z""#);
        check(Field::Symbol(0, "OPEN"), r#""OPEN""#);
        check(Field::Branch(0, Box::new(Field::Null)), "null");
        check(
            Field::List(vec![Field::Integer(-1), Field::Bool(true)]),
            "[-1,true]",
        );
        check(
            Field::Map(vec![("a", Field::Null), ("b", Field::Text(""))]),
            r#"{"a":null,"b":""}"#,
        );
        check(Field::Record(Vec::new()), "{}");
    }
}
