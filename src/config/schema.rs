//! The configuration as a JSON Schema, for editors.

use serde_json::{Map, Value, json};

use super::keys::{KEYS, Key, Kind, Usual};

/// The schema (draft 2020-12).
pub fn schema() -> Value {
    let mut top = Map::new();
    let mut sections: Map<String, Value> = Map::new();
    for key in KEYS {
        match key.name.split_once('.') {
            None => {
                top.insert(key.name.to_owned(), of(key));
            }
            Some((section, name)) => {
                let known = sections.entry(section).or_insert_with(
                    || json!({"type": "object", "additionalProperties": false, "properties": {}}),
                );
                if let Some(properties) = known.get_mut("properties").and_then(Value::as_object_mut)
                {
                    properties.insert(name.to_owned(), of(key));
                }
            }
        }
    }
    top.extend(sections);
    top.insert(
        "kafka".to_owned(),
        json!({
            "type": "object",
            "description": "Any property of librdkafka; \"bootstrap.servers\" is the one it needs. \
                            Secrets do not stand here.",
        }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Watchfire's configuration",
        "type": "object",
        "additionalProperties": false,
        "properties": top,
    })
}

fn of(key: Key) -> Value {
    let mut schema = match key.kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Duration => json!({"type": "string", "pattern": "^\\s*\\d+\\s*[A-Za-z]"}),
        Kind::Size => json!({"anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": "^[0-9]+ *(B|kB|KB|MB|GB|KiB|MiB|GiB)?$"},
        ]}),
        Kind::Number => json!({"type": "integer", "minimum": 0}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::OneOf(words) => json!({"enum": words}),
    };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), key.about.into());
        if let Usual::Is(text) = key.default {
            schema.insert("default".to_owned(), typed(text, key.kind));
        }
    }
    schema
}

/// A default as the file would have it.
fn typed(text: &str, kind: Kind) -> Value {
    match kind {
        Kind::Number => text.parse::<u64>().map_or(Value::Null, Value::from),
        Kind::Bool => (text == "true").into(),
        Kind::Text | Kind::Texts | Kind::Duration | Kind::Size | Kind::OneOf(_) => text.into(),
    }
}
