//! A rule's YAML as a JSON Schema, for editors: which keys there are, and what stands there. What
//! filters, tests and conditions mean only `rules check` knows.

use serde_json::{Value, json};

/// The schema (draft 2020-12) of one document.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A rule of Watchfire, or what rules share",
        "anyOf": [rule(), macros()],
    })
}

/// Filters and exceptions by name.
fn macros() -> Value {
    let named = |values: Value, about: &str| {
        json!({
            "type": "object",
            "additionalProperties": values,
            "description": about,
        })
    };
    let filter = json!({"type": "string"});
    let shared = closed(
        &[],
        &json!({
            "filters": named(filter, "Filters that rules name: Macro@Name."),
            "exceptions": named(exception(), "Exceptions that rules name: Macro@Name."),
        }),
    );
    closed(&["macros"], &json!({"macros": shared}))
}

fn rule() -> Value {
    let shared = json!({"type": "string", "pattern": "^Macro@[A-Za-z0-9_]+$"});
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["id", "name", "severity", "window", "patterns"],
        "properties": {
            "id": text("Unique in the rule set; letters, digits and _-.:"),
            "name": text("What people call it."),
            "description": text("What it finds, and why that matters."),
            "version": {
                "type": ["string", "number"],
                "description": "The authors' own count.",
            },
            "author": text("Who wrote it."),
            "status": {
                "enum": ["stable", "test", "deprecated"],
                "default": "stable",
                "description": "test: what it finds is counted, and published only if asked for.",
            },
            "enabled": {
                "type": "boolean",
                "default": true,
                "description": "false: checked, but not run.",
            },
            "severity": severity(),
            "category": {
                "enum": ["Availability", "Performance", "Change", "Security", "Other"],
                "default": "Security",
            },
            "subcategory": text("Free text."),
            "impacts": text("Free text."),
            "data_source": text("Free text."),
            "tactics": ids("^TA[0-9]{4}$", "Tactics of MITRE ATT&CK."),
            "techniques": ids("^T[0-9]{4}(\\.[0-9]{3})?$", "Techniques of MITRE ATT&CK."),
            "tags": texts("Words to find it by."),
            "references": texts("Where what it rests on is told."),
            "false_positives": texts("What else it may find, that is no trouble."),
            "window": duration("The time over which events count together."),
            "patterns": {"type": "array", "minItems": 1, "items": pattern()},
            "condition": text(
                "The patterns with operators between them: AND, OR, FOLLOWED_BY, AND_NOT, \
                 NOT_FOLLOWED_BY, UNLESS.",
            ),
            "relations": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Which attributes of the patterns must be equal, or must differ: \
                                A.user = B.user.",
            },
            "incident": incident(),
            "clear": clear(),
            "patience": duration("How long a conclusion waits for late events, where it must."),
            "lateness": duration("Up to how late an event still corrects what was said."),
            "exceptions": {"type": "array", "items": {"anyOf": [exception(), shared]}},
            "tests": {"type": "array", "items": test()},
        },
    })
}

fn text(about: &str) -> Value {
    json!({"type": "string", "description": about})
}

fn duration(about: &str) -> Value {
    json!({
        "type": "string",
        "pattern": "^\\s*\\d+\\s*[A-Za-z]",
        "description": format!("{about} A duration: 300s, 15m, 1h 30m."),
    })
}

fn ids(form: &str, about: &str) -> Value {
    let items = json!({"type": "string", "pattern": form});
    json!({"type": "array", "items": items, "description": about})
}

fn texts(about: &str) -> Value {
    json!({"type": "array", "items": {"type": "string"}, "description": about})
}

fn closed(required: &[&str], properties: &Value) -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn severity() -> Value {
    let number = json!({"type": "integer", "minimum": 1, "maximum": 10});
    let when = text("A filter over the incident's attributes; the last case has none.");
    let case = closed(&["value"], &json!({"when": when, "value": number}));
    json!({
        "description": "1 to 10, or a list of cases.",
        "anyOf": [number, {"type": "array", "minItems": 1, "items": case}],
    })
}

fn pattern() -> Value {
    let computed = json!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": {"type": "string"},
    });
    closed(
        &["name", "where"],
        &json!({
            "name": text("By which the condition and the incident name it."),
            "where": text("A filter over an event's attributes."),
            "group_by": {
                "type": "array",
                "items": {"anyOf": [{"type": "string"}, computed]},
                "description": "The attributes whose values make a group; a computed value with a \
                                name.",
            },
            "having": text("A test of the window's events; COUNT(*) >= 1 where it is missing."),
            "new": text("Values that were not seen before: [user, srcIpAddr] over 30d."),
        }),
    )
}

fn incident() -> Value {
    closed(
        &[],
        &json!({
            "title": text("What an incident is called; $name stands for an attribute of it."),
            "attributes": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "What an incident shows: Pattern.attribute, or an aggregate.",
            },
        }),
    )
}

fn clear() -> Value {
    closed(
        &[],
        &json!({
            "quiet": duration("Nothing triggers for so long."),
            "when": text("The pattern that ends incidents where it holds."),
        }),
    )
}

fn exception() -> Value {
    closed(
        &["where"],
        &json!({
            "where": text("A filter over the incident's attributes."),
            "from": text("An RFC 3339 time: incidents that begin before it are said."),
            "until": text("An RFC 3339 time: incidents that begin then or later are said."),
            "owner": text("Who answers for it."),
            "ticket": text("Where it was decided."),
            "reason": text("Why what it covers is no trouble."),
        }),
    )
}

fn test() -> Value {
    let objects = json!({"type": "array", "items": {"type": "object"}});
    closed(
        &["name", "events", "incidents"],
        &json!({
            "name": text("What it shows."),
            "events": objects,
            "incidents": objects,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{document, exceptions, macros_reader, patterns, rule_tests};

    #[test]
    fn it_has_the_keys_that_are_read() {
        fn check(at: &str, expected: &[&str]) {
            let schema = schema();
            let found = schema.pointer(at).and_then(Value::as_object);
            let mut found: Vec<&str> = found.unwrap().keys().map(String::as_str).collect();
            let mut expected = expected.to_vec();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{at}");
        }
        check("/anyOf/0/properties", document::KEYS);
        check(
            "/anyOf/0/properties/patterns/items/properties",
            patterns::KEYS,
        );
        let exception = "/anyOf/0/properties/exceptions/items/anyOf/0/properties";
        check(exception, exceptions::KEYS);
        check("/anyOf/1/properties/macros/properties", macros_reader::KEYS);
        check(
            "/anyOf/0/properties/tests/items/properties",
            rule_tests::KEYS,
        );
    }

    #[test]
    fn the_schema_in_the_repository_is_that_of_the_program() {
        let shipped = include_str!("../../schemas/rule.schema.json");
        let made = serde_json::to_string_pretty(&schema()).unwrap();
        assert!(
            shipped.trim_end() == made,
            "write it anew: watchfire rules schema > schemas/rule.schema.json"
        );
    }
}
