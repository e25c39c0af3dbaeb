//! Paths through certain elements of lists.

use serde_json::Value as Json;

use super::*;
use crate::event::{Only, Segment};

/// The values of these attributes of the only record `text`.
fn check(names: &[&str], text: &str, expected: &[&str]) {
    let lines = decoded_with(&decoder(names), text.as_bytes());
    assert_eq!(lines, [(text.to_owned(), expected.join(" "))], "{names:?}");
}

#[test]
fn name_and_value_are_of_one_element() {
    let check = |text: &str, expected: &str| check(&["record.l[n = \"x\"].v"], text, &[expected]);
    check(r#"{"l":[{"n":"x","v":1},{"n":"y","v":2}]}"#, "1i");
    // The value may stand before the name, and both be written in any case.
    check(r#"{"L":[{"V":1,"N":"y"},{"v":2,"N":"X"}]}"#, "2i");
    check(
        r#"{"l":[{"n":"x","v":1},{"v":2},{"n":"x","v":3}]}"#,
        "[1i,3i]",
    );
    check(r#"{"l":[{"n":"xx","v":1},{"n":"","v":2}]}"#, "-");
    check(r#"{"l":[{"n":"x"},{"v":2}]}"#, "-");
    // One that is in no list is an element, too.
    check(r#"{"l":{"n":"x","v":1}}"#, "1i");
    check(
        r#"{"l":[[{"n":"x","v":1}],"x",null,{"n":"x","v":2}]}"#,
        "[1i,2i]",
    );
    // What is in a list, or there twice, is there.
    check(
        r#"{"l":[{"n":["y",["x"]],"v":1},{"n":"y","v":2,"n":"x"}]}"#,
        "[1i,2i]",
    );
    check(
        r#"{"l":[{"n":"x","v":1,"v":[2,3]}],"l":[{"n":"x","v":4}]}"#,
        "[1i,2i,3i,4i]",
    );
    check(r#"{"l":[{"n":"\u0078","v":"\u0079"}]}"#, "y");
    check(
        r#"{"l":[{"n":{"n":"x"},"v":1},{"n":null,"v":2},{"n":[],"v":3}]}"#,
        "-",
    );
    check(r#"{"l":[{},{"n":"x","v":{}}]}"#, "{}");
    // In text that is JSON, or nearly.
    check(
        r#"{"l":"[{\"v\":1,\"n\":\"x\"},{\"n\":\"y\",\"v\":2}]"}"#,
        "1i",
    );
    check(r#"{"l":["{\"v\":1,\"n\":\"x\"}"]}"#, "1i");
    check(r#"{"l":"[{'n':'x','v':'it\\'s'},{'n':'y'}]"}"#, "it's");
    check("{'l':[{'n':'x','v':1},{'n':'y','v':2}]}", "1i");
}

#[test]
fn what_an_element_has_is_compared_as_text() {
    let text = r#"{"l":[{"n":5,"v":1},{"n":5.0,"v":2},{"n":true,"v":3},{"n":"TRUE","v":4},
        {"n":"","v":5},{"v":6},{"n":"5","v":7}]}"#;
    let names = [
        "record.l[n=\"5\"].v",
        "record.l[n=\"True\"].v",
        "record.l[n=\"\"].v",
    ];
    check(&names, text, &["[1i,7i]", "[3i,4i]", "5i"]);
    let names = ["record.l[\"odd key\"=\"a\\\"]b\"].v"];
    check(
        &names,
        r#"{"l":[{"odd key":"A\"]b","v":1},{"v":2}]}"#,
        &["1i"],
    );
}

#[test]
fn the_element_itself_and_paths_beside_it() {
    check(
        &["record.l[n=\"x\"]", "record.l", "record.l[n=\"x\"].n"],
        r#"{"l":[{"n":"x", "v":1},{"n":"y"}]}"#,
        &[
            r#"{"n":"x", "v":1}"#,
            r#"[{"n":"x", "v":1},{"n":"y"}]"#,
            "x",
        ],
    );
    check(
        &[
            "record.l[n=\"x\" AND m=\"y\"].v",
            "record.l[n=\"x\"].v",
            "record.l.v",
            "record.l[m=\"y\"].v",
        ],
        r#"{"l":[{"n":"x","m":"y","v":1},{"n":"x","v":2},{"m":"y","v":3},{"v":4}]}"#,
        &["1i", "[1i,2i]", "[1i,2i,3i,4i]", "[1i,3i]"],
    );
    check(
        &[
            "record.l[n=\"x\"].l[n=\"y\"].v",
            "record.l.l[n=\"y\"].v",
            "record.l[n=\"x\"].l.v",
        ],
        r#"{"l":[{"l":[{"n":"y","v":1},{"n":"z","v":2}],"n":"x"},{"n":"w","l":{"n":"y","v":3}}]}"#,
        &["1i", "[1i,3i]", "[1i,2i]"],
    );
}

#[test]
fn what_stands_in_one_list_stays_together() {
    let mut attributes = Attributes::default();
    let names = [
        "record.l[n=\"x\"].m.v",
        "record.l.m.w",
        "record.l[k=\"1\"].m[v=\"2\"].w",
    ];
    let ids = names.map(|name| attributes.intern(normalise::attribute(name, &[]).unwrap()));
    let text = r#"{"l":[{"n":"y","m":[{"v":7,"w":7}]},
        {"n":"x","k":1,"m":[{"v":1,"w":"a"},{"v":2,"w":"b"}]}]}"#;
    let mut places = Vec::new();
    let decoder = Decoder::new(&attributes);
    let message = decoder.message(text.as_bytes(), Some(TIMESTAMP));
    let mut records = decoder.records(&message);
    while let Some(record) = records.next() {
        let event = record.outcome.unwrap().whole();
        places = ids
            .map(|id| [0, 1, 2].map(|number| event.lists.place(id, number)))
            .into();
    }
    let [values, words, chosen] = &places[..] else {
        panic!("{places:?}")
    };
    assert_eq!(values[0], words[1]);
    assert_eq!(values[1], words[2]);
    assert_eq!(chosen[0], words[2]);
    assert_eq!(words[2].len(), 2);
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (0_u8..3).prop_map(Json::from),
        proptest::sample::select(vec!["x", "Y", "1", "true", ""]).prop_map(Json::from),
    ];
    leaf.prop_recursive(7, 80, 4, |inner| {
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            3 => object(inner),
        ]
    })
}

fn object(value: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    let key = proptest::sample::select(vec!["a", "b", "n"]);
    proptest::collection::btree_map(key, value, 0..4).prop_map(|members| {
        let members = members
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value));
        members.collect::<serde_json::Map<_, _>>().into()
    })
}

/// What a path gives, read as it is said: what stands here, of elements that have `only`.
fn expected(json: &Json, only: &[Only], rest: &[Segment], found: &mut Vec<String>) {
    match (json, rest) {
        (Json::Array(elements), _) => {
            elements
                .iter()
                .for_each(|element| expected(element, only, rest, found));
        }
        (Json::Object(members), _) => {
            let holds = |only: &Only| {
                let own = members.get(&only.key);
                own.is_some_and(|own| has(own, &only.text))
            };
            if !only.iter().all(holds) {
                return;
            }
            match rest {
                [] => found.push(json.to_string()),
                [first, rest @ ..] => {
                    if let Some(value) = members.get(&first.name) {
                        expected(value, &first.only, rest, found);
                    }
                }
            }
        }
        (Json::Null, _) => (),
        (Json::Bool(_) | Json::Number(_) | Json::String(_), _) if !only.is_empty() => (),
        (Json::Bool(truth), []) => found.push(truth.to_string()),
        (Json::Number(number), []) => found.push(format!("{number}i")),
        (Json::String(text), []) => found.push(text.clone()),
        (Json::Bool(_) | Json::Number(_) | Json::String(_), [_, ..]) => (),
    }
}

fn has(value: &Json, text: &str) -> bool {
    match value {
        Json::Array(elements) => elements.iter().any(|element| has(element, text)),
        Json::Null | Json::Object(_) => false,
        Json::Bool(truth) => truth.to_string() == text,
        Json::Number(number) => number.to_string() == text,
        Json::String(own) => own.eq_ignore_ascii_case(text),
    }
}

const NAMES: [&str; 9] = [
    "record.a[n = \"x\"].b",
    "record.a[n = \"x\"].a.b",
    "record.a[b = \"y\" AND n = \"1\"].a",
    "record.a.b[n = \"true\"].a[n = \"y\"].b",
    "record.a.b",
    "record.a[b = \"x\"].b.a",
    "record.b[n = \"\"]",
    "record.a[n = \"x\"].b[n = \"x\"].b[n = \"x\"].n",
    "record.a.b.b[a = \"1\"].n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn takes_what_a_plain_reading_takes(json in object(json()), quoted in any::<bool>()) {
        // What stands in a text is read like what stands there plainly.
        let inner = &json["a"];
        let text = if quoted && (inner.is_array() || inner.is_object()) {
            let mut text = json.clone();
            text["a"] = inner.to_string().into();
            text.to_string()
        } else {
            json.to_string()
        };
        let parts: Vec<String> = NAMES.iter().map(|name| {
            let path = match normalise::attribute(name, &[]).unwrap() {
                Attribute::Selected(path) => path,
                Attribute::Path(path) => path
                    .into_iter()
                    .map(|name| Segment { name, only: Vec::new() })
                    .collect(),
                Attribute::Named(_) | Attribute::Own(_) | Attribute::Computed { .. } => {
                    panic!("{name}")
                }
            };
            let mut found = Vec::new();
            expected(&json, &[], &path, &mut found);
            match found.as_slice() {
                [] => "-".to_owned(),
                [one] => one.clone(),
                many => format!("[{}]", many.join(",")),
            }
        }).collect();
        let lines = decoded_with(&decoder(&NAMES), text.as_bytes());
        prop_assert_eq!(lines, [(text, parts.join(" "))]);
    }
}

/// Looks at each byte of a message, by its elements.
fn steps(names: &[String], message: &str) -> f64 {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    work(&decoder(&names), message.as_bytes()).steps as f64 / message.len() as f64
}

#[test]
fn whatever_is_selected_costs_in_line_with_the_length() {
    let name = |conditions: usize| -> Vec<String> {
        let path = "[n = \"x\"].l".repeat(conditions);
        vec![format!("record.l{path}.v"), "record.l.l.l.v".to_owned()]
    };
    let wide = |count: usize| {
        let element = r#"{"v":1,"n":"x","l":{}},{"n":"y"},{}"#;
        format!("{{\"l\":[{}]}}", vec![element; count].join(","))
    };
    let deep = |depth: usize| {
        let open = r#"{"n":"x","l":["#.repeat(depth);
        format!("{{\"l\":{open}{}}}", "]}".repeat(depth))
    };
    let texts = |depth: usize| {
        let inner = (0..depth).fold("1".to_owned(), |inner, _| {
            let text = serde_json::json!({ "l": inner, "n": "x" }).to_string();
            serde_json::json!([{ "n": "x", "l": text }]).to_string()
        });
        format!("{{\"l\":{inner}}}")
    };
    let names = name(1);
    let (few, many) = (steps(&names, &wide(100)), steps(&names, &wide(300_000)));
    assert!(many < few * 1.01 && many < 4.0, "{few} {many}");
    for conditions in 1..=6 {
        let found = steps(&name(conditions), &deep(60));
        assert!(
            found < 3.0 + 2.0 * conditions as f64,
            "{conditions}: {found}"
        );
        let found = steps(&name(conditions), &texts(3));
        assert!(found < 20.0, "{conditions}: {found}");
    }
    // Many kinds of elements, and one that is of all kinds.
    let all: Vec<String> = (0..500)
        .map(|n| format!("record.l[n = \"{n}\"].v"))
        .collect();
    let has: Vec<String> = (0..500).map(|n| format!("\"n\":\"{n}\"")).collect();
    let element = format!("{{{},\"v\":1}}", has.join(","));
    let found = steps(
        &all,
        &format!("{{\"l\":[{}]}}", vec![element; 50].join(",")),
    );
    assert!(found < 4.0, "{found}");
}
