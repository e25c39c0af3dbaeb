//! YAML values as JSON, by the YAML 1.2 core schema: plain scalars have types, all others are
//! text. Times are text.

use serde_json::{Map, Number, Value};

use super::yaml::{Content, Node, Scalar};

pub fn of(node: &Node) -> Value {
    match &node.content {
        Content::Scalar(scalar) => of_scalar(scalar),
        Content::Sequence(items) => Value::Array(items.iter().map(of).collect()),
        Content::Mapping(entries) => {
            let entries = entries
                .iter()
                .map(|(key, node)| (key.text.clone(), of(node)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

fn of_scalar(scalar: &Scalar) -> Value {
    let text = scalar.text.as_str();
    if !scalar.plain {
        return Value::from(text);
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::from(text), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let unsigned = !digits.starts_with(['+', '-']);
            let number = u64::from_str_radix(digits, radix).ok();
            return number.filter(|_| unsigned).map(Number::from);
        }
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    // Otherwise words such as `inf` and `nan` would be read as numbers.
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let integer = text.parse().map(|integer: i64| Number::from(integer));
    let large = || text.parse().map(|integer: u64| Number::from(integer));
    integer
        .or_else(|_| large())
        .ok()
        .or_else(|| Number::from_f64(text.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn types_plain_scalars_only() {
        let check = |yaml: &str, expected: Value| {
            let (documents, problems) = super::super::yaml::documents(yaml);
            assert!(problems.is_empty(), "{problems:?}");
            let found: Vec<Value> = documents
                .iter()
                .map(|document| super::of(&document.root))
                .collect();
            assert_eq!(found, vec![expected], "{yaml}");
        };
        check(
            "[true, False, 42, -1, +7, 0x1f, 0o17]",
            json!([true, false, 42, -1, 7, 31, 15]),
        );
        check(
            "[1.5, 1e3, .5, ~, null, NULL]",
            json!([1.5, 1000.0, 0.5, null, null, null]),
        );
        check(
            "['true', \"42\", 'null', '']",
            json!(["true", "42", "null", ""]),
        );
        check(
            "[2026-01-01T00:00:00Z, inf, nan, .inf, yes]",
            json!(["2026-01-01T00:00:00Z", "inf", "nan", ".inf", "yes"]),
        );
        check(
            "{\"a\": {b: [1, {c: d}]}, e: }",
            json!({"a": {"b": [1, {"c": "d"}]}, "e": null}),
        );
        check(
            "18446744073709551615",
            json!(18_446_744_073_709_551_615_u64),
        );
        check("1.0.0", json!("1.0.0"));
    }
}
