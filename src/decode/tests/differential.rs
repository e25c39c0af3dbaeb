//! The scanner against serde_json: the same documents are accepted, the same values taken out.

use serde_json::Value as Json;

use super::*;
use crate::decode::json::Scanner;

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,20}".prop_map(Json::from),
        "[a-z\"\\\\\u{1}-\u{20}é{}\\[\\]:,']{0,30}".prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            object(inner),
        ]
    })
}

fn object(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    let key = prop_oneof!["[abc]", ".{0,12}"];
    proptest::collection::vec((key, value), 0..6).prop_map(|members| {
        members
            .into_iter()
            .collect::<serde_json::Map<_, _>>()
            .into()
    })
}

/// What `path` should give: as [`value_shown`] writes it.
fn expected(json: &Json, path: &[&str], found: &mut Vec<String>) {
    match (json, path) {
        (Json::Array(elements), _) => {
            elements
                .iter()
                .for_each(|element| expected(element, path, found));
        }
        (Json::Object(members), [first, rest @ ..]) => {
            if let Some(value) = members.get(*first) {
                expected(value, rest, found);
            }
        }
        (Json::Null, _) => (),
        (Json::Bool(truth), []) => found.push(truth.to_string()),
        (Json::Number(number), []) => found.push(match number.as_i64() {
            Some(integer) => format!("{integer}i"),
            None => format!("{}f", number.as_f64().unwrap()),
        }),
        (Json::String(text), []) => found.push(text.clone()),
        (Json::Object(_), []) => found.push(json.to_string()),
        (Json::Bool(_) | Json::Number(_) | Json::String(_), _) => (),
    }
}

/// Without strings that may hold JSON, and keys that differ by case alone: of these ours takes more.
fn tame(json: Json) -> Json {
    match json {
        Json::String(text) if text.trim_start().starts_with(['{', '[']) => {
            format!("x{text}").into()
        }
        Json::Array(elements) => elements.into_iter().map(tame).collect(),
        Json::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key.to_ascii_lowercase(), tame(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => json,
    }
}

const PATHS: [(&str, &[&str]); 4] = [
    ("record.a", &["a"]),
    ("record.b.a", &["b", "a"]),
    ("record.c.b.a", &["c", "b", "a"]),
    ("record.b.c", &["b", "c"]),
];

fn accepts(text: &str) -> bool {
    let mut scanner = Scanner::new(text, 0, json::NESTING_MAX);
    scanner.skip(0).is_ok() && scanner.token().is_none()
}

/// A byte string put in the place of some bytes of `text`.
fn damaged(text: &str, cuts: &[(usize, usize, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (place, length, new) in cuts {
        let start = place % (bytes.len() + 1);
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, new.iter().copied());
    }
    bytes
}

fn cuts() -> impl Strategy<Value = Vec<(usize, usize, Vec<u8>)>> {
    let junk = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..3),
        proptest::sample::select(vec![
            "{", "}", "[", "]", "\"", "'", ",", ":", "\\", "\n", "e", "-"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    proptest::collection::vec((any::<usize>(), 0_usize..4, junk), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn accepts_the_same_documents(json in json(), cuts in cuts()) {
        let compact = json.to_string();
        let pretty = serde_json::to_string_pretty(&json).unwrap();
        prop_assert!(accepts(&compact) && accepts(&pretty));
        if let Ok(text) = String::from_utf8(damaged(&compact, &cuts)) {
            let read = serde_json::from_str::<serde::de::IgnoredAny>(&text);
            prop_assert_eq!(accepts(&text), read.is_ok(), "{}", text);
        }
    }

    #[test]
    fn takes_out_the_same_values(json in object(json()).prop_map(tame)) {
        let text = json.to_string();
        let decoder = decoder(&PATHS.map(|(name, _)| name));
        let parts: Vec<String> = PATHS.iter().map(|(_, path)| {
            let mut found = Vec::new();
            expected(&json, path, &mut found);
            match found.as_slice() {
                [] => "-".to_owned(),
                [one] => one.clone(),
                many => format!("[{}]", many.join(",")),
            }
        }).collect();
        let in_array = format!("[{text}]");
        prop_assert_eq!(decoded_with(&decoder, in_array.as_bytes()), [(text, parts.join(" "))]);
    }

    #[test]
    fn neighbours_of_a_damaged_record_survive(json in object(json()), cuts in cuts()) {
        let decoder = decoder(&["record.n", "user"]);
        let good = |n: u32| format!(r#"{{"time":"2026-01-02T03:04:05Z","n":{n},"pad":"{{}}"}}"#);
        let broken = damaged(&json.to_string(), &cuts);
        let mut message = format!("{{\"records\":[{},", good(1)).into_bytes();
        message.extend(&broken);
        message.extend(format!(",{}]}}", good(2)).into_bytes());
        let lines = decoded_with(&decoder, &message);
        let found = |n| lines.iter().filter(|line| line.0 == good(n)).count();
        prop_assert_eq!(found(1), 1);
        // A lost bracket may make the next record a sound part of the one before.
        let swallowed = lines.iter().any(|(bytes, _)| {
            bytes.contains(&good(2)) && accepts(&repair::repair(bytes))
        });
        let shown = String::from_utf8_lossy(&message);
        prop_assert!(found(2) == 1 || swallowed, "{:?} of {}", lines, shown);
    }

    #[test]
    fn never_panics(json in json(), cuts in cuts(), noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        let decoder = decoder(&["record.a", "record.b.a", "user", "eventType"]);
        decoded_with(&decoder, &noise);
        decoded_with(&decoder, &damaged(&format!(r#"{{"records":[{json},{json}]}}"#), &cuts));
    }
}
