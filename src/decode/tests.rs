use proptest::prelude::*;

use super::*;
use crate::event::Value;
use crate::time::rfc3339;

mod differential;
mod hostile;
mod selected;
mod wrapped;

/// 2026-03-01T09:00:00Z: the timestamp of every message.
const TIMESTAMP: Millis = 1_772_355_600_000;

/// A good record, whose time is that of its message.
const GOOD: &str = r#"{"time":"2026-03-01T09:00:00Z","n":1}"#;

/// What it takes to read a message.
fn work(decoder: &Decoder, message: &[u8]) -> Work {
    let message = decoder.message(message, Some(TIMESTAMP));
    let mut records = decoder.records(&message);
    while records.next().is_some() {}
    records.work()
}

/// What becomes of `message`, with a decoder for `names`: a line each of the record's bytes, and
/// its values or the reason. Of several that were refused together, how often for which reason.
fn decoded_with(decoder: &Decoder, message: &[u8]) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut next = 0;
    let message = decoder.message(message, Some(TIMESTAMP));
    let mut records = decoder.records(&message);
    while let Some(record) = records.next() {
        assert_eq!(u64::from(record.index), next);
        let bytes = String::from_utf8_lossy(record.bytes).into_owned();
        next += record
            .outcome
            .as_ref()
            .map_or_else(|refused| refused.count(), |_| 1);
        let outcome = record.outcome.map(Draft::whole);
        let said = outcome.map_or_else(refused_shown, shown);
        lines.push((bytes, said));
    }
    lines
}

fn refused_shown(refused: &Refused) -> String {
    if refused.count() == 1 {
        return format!("!{}", refused.reason);
    }
    let given = refused.counts.given();
    let given = given.map(|(reject, count)| format!("{reject} {count}"));
    format!("!{}", given.collect::<Vec<_>>().join(", "))
}

fn decoder(names: &[&str]) -> Decoder {
    let mut attributes = Attributes::default();
    for name in names {
        attributes.intern(normalise::attribute(name, &[]).unwrap());
    }
    Decoder::new(&attributes)
}

/// The time, unless it is the message's, then the values: `-` is absent.
fn shown(event: &Event<'_>) -> String {
    let mut parts = Vec::new();
    if event.time != TIMESTAMP {
        parts.push(rfc3339(event.time));
    }
    parts.extend(
        event
            .values
            .iter()
            .map(|value| value.as_ref().map_or("-".into(), value_shown)),
    );
    parts.join(" ")
}

fn value_shown(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Integer(number) => format!("{number}i"),
        Value::Float(number) => format!("{number}f"),
        Value::Bool(truth) => truth.to_string(),
        Value::Many(values) => {
            format!(
                "[{}]",
                values.iter().map(value_shown).collect::<Vec<_>>().join(",")
            )
        }
    }
}

/// `names` of the only record `text` are `expected`.
fn check_values(rows: &[(&str, &str, &str)]) {
    for (names, text, expected) in rows {
        let decoder = decoder(&names.split_whitespace().collect::<Vec<_>>());
        let lines = decoded_with(&decoder, text.as_bytes());
        assert_eq!(
            lines,
            [((*text).to_owned(), (*expected).to_owned())],
            "{names}"
        );
    }
}

#[test]
fn values_by_path() {
    check_values(&[
        ("record.a", r#"{"a":"x"}"#, "x"),
        ("record.A record.a", r#"{"a":"x"}"#, "x"),
        ("record.a", r#"{"A":"x"}"#, "x"),
        ("record.a", r#"{ "a" : 12 }"#, "12i"),
        ("record.a", r#"{"a":-0.5e2}"#, "-50f"),
        (
            "record.a",
            r#"{"a":9223372036854775807}"#,
            "9223372036854775807i",
        ),
        (
            "record.a",
            r#"{"a":9223372036854775808}"#,
            "9223372036854776000f",
        ),
        (
            "record.a record.b",
            r#"{"a":1e999,"b":-1e999}"#,
            &format!("{}f {}f", f64::MAX, f64::MIN),
        ),
        (
            "record.a record.b record.c",
            r#"{"a":true,"b":false,"c":null}"#,
            "true false -",
        ),
        (
            "record.a.b record.c",
            r#"{"x":{"a":1},"a":{"c":2,"b":3},"c":4}"#,
            "3i 4i",
        ),
        ("record.a", r#"{"a":{"b":[1, 2]}}"#, r#"{"b":[1, 2]}"#),
        ("record.a record.a.b", r#"{"a":{"b":1}}"#, r#"{"b":1} 1i"#),
        ("record.\"a.b/c\".d", r#"{"a.b/c":{"d":1}}"#, "1i"),
        ("record.a", r#"{"":"","a":1}"#, "1i"),
        ("record.a", r#"{}"#, "-"),
    ]);
}

/// Readers differ in which value of a key that comes twice they take: a path has all of them.
#[test]
fn keys_that_come_twice_hide_nothing() {
    check_values(&[
        ("record.a", r#"{"a":"x","b":1,"A":"y"}"#, "[x,y]"),
        (
            "record.a.b",
            r#"{"a":{"b":1},"a":{"c":2},"a":{"b":3}}"#,
            "[1i,3i]",
        ),
        ("record.a", r#"{"a":null,"a":1}"#, "1i"),
        (
            "record.a",
            r#"{"a":1,"a":2,"a":[3,4],"a":5}"#,
            "[1i,2i,3i,4i,5i]",
        ),
        ("record.a.b", r#"{"a":"{\"b\":1,\"b\":2}"}"#, "[1i,2i]"),
        ("resultType", r#"{"resultType":"x","resultType":"y"}"#, "x"),
    ]);
}

#[test]
fn arrays_give_all_their_values() {
    check_values(&[
        (
            "record.a",
            r#"{"a":[1,"x",true,null,[2]]}"#,
            "[1i,x,true,2i]",
        ),
        ("record.a", r#"{"a":[1]}"#, "1i"),
        ("record.a", r#"{"a":[]}"#, "-"),
        (
            "record.a.b",
            r#"{"a":[{"b":1},{"c":2},{"b":[3,4]}]}"#,
            "[1i,3i,4i]",
        ),
        ("record.a", r#"{"a":[{"b":1},{}]}"#, r#"[{"b":1},{}]"#),
    ]);
}

#[test]
fn of_equal_keys_a_name_takes_the_first_and_a_path_all() {
    check_values(&[
        ("record.a", r#"{"a":1,"a":2}"#, "[1i,2i]"),
        ("record.a", r#"{"a":null,"A":2}"#, "2i"),
        (
            "record.a record.a.b",
            r#"{"a":1,"a":{"b":2}}"#,
            r#"[1i,{"b":2}] 2i"#,
        ),
    ]);
}

#[test]
fn escapes_in_keys_and_values() {
    check_values(&[
        ("record.a", r#"{"\u0061":"x"}"#, "x"),
        (
            "record.a",
            r#"{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}"#,
            "\"\\/\u{8}\u{c}\n\r\té😀",
        ),
        (
            "record.a",
            r#"{"a":"\ud83d x \ude00\ud83d\u0041"}"#,
            "\u{fffd} x \u{fffd}\u{fffd}A",
        ),
        (
            "record.a",
            "{\"a\":\"größer \u{7f} 漢字 of many bytes\"}",
            "größer \u{7f} 漢字 of many bytes",
        ),
    ]);
}

#[test]
fn json_in_strings() {
    check_values(&[
        ("record.a.b", r#"{"a":"{\"b\":\"x\"}"}"#, "x"),
        (
            "record.a.b record.a",
            r#"{"a":"{\"b\":1}"}"#,
            r#"1i {"b":1}"#,
        ),
        ("record.a.b", r#"{"a":" [{\"b\":1},{\"b\":2}]"}"#, "[1i,2i]"),
        ("record.a.b", r#"{"a":"\n{\"b\":1}"}"#, "1i"),
        ("record.a.b", r#"{"a":"{'b':'it\\'s'}"}"#, "it's"),
        ("record.a.b", r#"{"a":"{'b':'don't','c':1}"}"#, "don't"),
        ("record.a.b", r#"{"a":"{\"b\":1"}"#, "-"),
        ("record.a.b", r#"{"a":"{\"b\":1} x"}"#, "-"),
        ("record.a.b", r#"{"a":"plain"}"#, "-"),
        ("record.a.b.c", r#"{"a":"{\"b\":\"{\\\"c\\\":1}\"}"}"#, "1i"),
    ]);
}

#[test]
fn times() {
    check_values(&[
        (
            "record.a",
            r#"{"time":"2026-01-02T03:04:05.6789Z"}"#,
            "2026-01-02T03:04:05.678Z -",
        ),
        (
            "record.a",
            r#"{"timeStamp":"2026-01-02T03:04:05Z"}"#,
            "2026-01-02T03:04:05.000Z -",
        ),
        (
            "record.a",
            r#"{"createdDateTime":"2026-01-02T03:04:06Z","time":"1/2/2026 3:04:05 AM"}"#,
            "2026-01-02T03:04:05.000Z -",
        ),
        (
            "record.a",
            r#"{"time":"rubbish","EventTimeString":"1/2/2026 3:04:05 AM +00:00"}"#,
            "2026-01-02T03:04:05.000Z -",
        ),
        ("record.a", r#"{"time":"rubbish","a":1}"#, "1i"),
    ]);
}

/// What becomes of the records of `message`: their bytes, with `record.n`, or the reason.
fn check_message(message: &str, expected: &[(&str, &str)]) {
    let lines = decoded_with(&decoder(&["record.n"]), message.as_bytes());
    let lines: Vec<_> = lines
        .iter()
        .map(|(bytes, said)| (bytes.as_str(), said.as_str()))
        .collect();
    assert_eq!(lines, expected, "{message}");
}

#[test]
fn envelopes() {
    let two = [(r#"{"n":1}"#, "1i"), (r#"{"n":2}"#, "2i")];
    check_message(r#"{"records":[{"n":1},{"n":2}]}"#, &two);
    check_message(" { \"RECORDS\" : [ {\"n\":1} , {\"n\":2} ] } \n", &two);
    check_message(
        r#"{"at":"x","n":7,"records":[{"n":1},{"n":2}],"more":{"a":[]}}"#,
        &two,
    );
    check_message(r#"[{"n":1},{"n":2}]"#, &two);
    check_message(r#"[{"records":[{"n":1}]},{"records":[{"n":2}]}]"#, &two);
    check_message("{\"n\":1}\n{\"n\":2}\n", &two);
    check_message("{\"n\":1}\r\n\r\n{\"n\":2}", &two);
    check_message(r#"{"n":1} {"n":2}"#, &two);
    check_message(r#"{"n":1},{"n":2}"#, &two);
    check_message("{\"records\":[{\"n\":1}]}\n{\"records\":[{\"n\":2}]}", &two);
    check_message(r#"{"records":[{"n":1}],"Records":[{"n":2}]}"#, &two);
    check_message("\u{feff}[{\"n\":1},{\"n\":2}]", &two);
    check_message(r#"{"records":{"n":1}}"#, &two[..1]);
    check_message(r#"{"n":1}"#, &two[..1]);
    check_message(
        r#"{"records":[{"records":[{"n":3}],"n":1}]}"#,
        &[(r#"{"records":[{"n":3}],"n":1}"#, "1i")],
    );
    check_message(r#"{"records":[]}"#, &[]);
    check_message("[]", &[]);
    check_message(r#"[[[{"n":1}],[]],{"n":2}]"#, &two);
    check_message(" \n", &[("", "!empty")]);
}

#[test]
fn what_is_no_record() {
    check_message(r#"{"records":"text"}"#, &[("\"text\"", "!not-an-object")]);
    check_message(
        r#"{"records":["text",{"n":1},7,[{"n":2}],null]}"#,
        &[
            ("\"text\"", "!not-an-object"),
            (r#"{"n":1}"#, "1i"),
            ("7", "!not-an-object"),
            (r#"{"n":2}"#, "2i"),
            ("null", "!not-an-object"),
        ],
    );
    check_message("Some \"text `", &[("Some \"text `", "!not-json")]);
    check_message(
        "{\"n\":1}\nnoise, noise\n{\"n\":2}",
        &[
            (r#"{"n":1}"#, "1i"),
            ("noise, noise", "!not-json"),
            (r#"{"n":2}"#, "2i"),
        ],
    );
}

/// `broken` becomes `expected`, and its neighbours live, in every envelope.
fn check_broken(rows: &[(&str, &str)]) {
    let good = GOOD;
    for (broken, expected) in rows {
        let expected = [(good, "1i"), (*broken, *expected), (good, "1i")];
        check_message(
            &format!("{{\"records\":[{good},{broken},{good}]}}"),
            &expected,
        );
        check_message(&format!("[ {good} ,\n {broken}, {good} ]"), &expected);
        if !broken.contains('\n') {
            check_message(&format!("{good}\n{broken}\n{good}\n"), &expected);
        }
    }
}

#[test]
fn broken_records_are_mended() {
    check_broken(&[
        (r#"{'n':2}"#, "2i"),
        (r#"{"n":2,"p":{'a':'b','c':''}}"#, "2i"),
        (r#"{"n":2,"p":{'a':'it's {odd','c':"it's"}}"#, "2i"),
        (r#"{"n":2,'p':'say "hi"'}"#, "2i"),
        ("{\"n\":\"a\nb\u{1b}c\"}", "a\nb\u{1b}c"),
        ("{\"n\":2,\u{1}\"p\":1}", "2i"),
        (r#"{"n":2,"p":[ 227 B blob data ]}"#, "2i"),
        (r#"{"n":[ 227 B blob data ]}"#, "227 B blob data"),
        (r#"{"n":2,'p':None,'q':True}"#, "2i"),
        (r#"{"n":"C:\path","p":1}"#, "C:\\path"),
        (r#"{n:2}"#, "2i"),
        (r#"{"n":2,}"#, "2i"),
        (r#"{,"n":[2,,],}"#, "2i"),
        (r#"{/* it's { */"n":2/**/}"#, "2i"),
        (r#"{n:2/**/,'p':'a'/*,*/}"#, "2i"),
    ]);
}

#[test]
fn hopeless_records_are_refused_alone() {
    check_broken(&[
        (r#"{"n":2,"p":"{"a":"b"}","q":1"#, "!not-json"),
        (r#"{"n":2,"p":}"#, "!not-json"),
        (r#"{"n":2"#, "!not-json"),
        (r#"{"n":2]"#, "!not-json"),
        (r#"{"n":2,"p":"odd}"#, "!not-json"),
        (r#"{"n" 2}"#, "!not-json"),
        (r#"{"n":tru"#, "!not-json"),
        (r#"{"#, "!not-json"),
    ]);
}

#[test]
fn cut_and_glued_messages() {
    let one = (r#"{"n":1}"#, "1i");
    check_message(r#"{"n": "x"#, &[(r#"{"n": "x"#, "!truncated")]);
    check_message(
        r#"{"records":[{"n":1},{"n":2"#,
        &[one, (r#"{"n":2"#, "!truncated")],
    );
    let cut = r#"{"records":[{"n":1},"#;
    check_message(
        cut,
        &[one, (cut.strip_suffix(',').unwrap(), "!broken-envelope")],
    );
    check_message(r#"{"records":"#, &[(r#"{"records":"#, "!broken-envelope")]);
    check_message(
        r#"{"records":[{"n":1}]} tail"#,
        &[one, ("tail", "!not-json")],
    );
    check_message(r#"{"records":[{"n":1}}]}"#, &[one, ("}]}", "!not-json")]);
    let broken = r#"{"records":[{"n":1}],"more":}"#;
    check_message(broken, &[one, (broken, "!broken-envelope")]);
    let single = "{'at':'x', 'records': [{'n':1},{\"n\":2}]}";
    check_message(single, &[("{'n':1}", "1i"), (r#"{"n":2}"#, "2i")]);
}

#[test]
fn bytes_that_are_not_utf8() {
    let decoder = decoder(&["record.n"]);
    let message = b"[{\"n\":\"a\xff\xfeb\"},{\"n\":1},{\"n\":\xc3},{\"n\":2}]";
    let said: Vec<String> = decoded_with(&decoder, message)
        .into_iter()
        .map(|line| line.1)
        .collect();
    assert_eq!(said, ["a??b", "1i", "?", "2i"]);
    let said = decoded_with(&decoder, b"\x1f\x8b\x08");
    assert_eq!(said.first().map(|line| line.1.as_str()), Some("!not-utf8"));
}

#[test]
fn limits() {
    let mut attributes = Attributes::default();
    attributes.intern(normalise::attribute("record.n", &[]).unwrap());
    let limits = Limits {
        message_bytes: 60,
        records: 2,
        nesting: 3,
    };
    let decoder = Decoder::with_limits(&attributes, limits);
    let said = |message: &str| -> Vec<String> {
        decoded_with(&decoder, message.as_bytes())
            .into_iter()
            .map(|line| line.1)
            .collect()
    };
    assert_eq!(
        said(r#"[{"n":1},{"n":2},{"n":3},{"n":4}]"#),
        ["1i", "2i", "!too-many-records"]
    );
    assert_eq!(
        said("{\"n\":1}\n{\"n\":2}\n{\"n\":3}"),
        ["1i", "2i", "!too-many-records"]
    );
    assert_eq!(said(&" ".repeat(61)), ["!message-too-large"]);
    assert_eq!(said(r#"{"a":[{"b":1}],"n":1}"#), ["1i"]);
    assert_eq!(
        said(r#"[{"a":[[[1]]],"n":1},{"n":2}]"#),
        ["!too-deep", "2i"]
    );
    assert_eq!(said(r#"[{"n":[[[1]]]},{"n":2}]"#), ["!too-deep", "2i"]);
    let deep = "[".repeat(100_000);
    assert_eq!(
        decoded_with(&self::decoder(&["user"]), deep.as_bytes()).len(),
        1
    );
}

#[test]
fn a_record_without_time_needs_that_of_its_message() {
    let mut said = Vec::new();
    let message = br#"[{"n":1},{"time":"1971-01-01T00:00:01Z"}]"#;
    let decoder = decoder(&[]);
    let message = decoder.message(message, None);
    let mut records = decoder.records(&message);
    while let Some(record) = records.next() {
        let time = record.outcome.map(|event| event.time());
        said.push(time.map_err(|refused| refused.reason));
    }
    assert_eq!(said, [Err(Reject::NoTime), Ok(31_536_001_000)]);
}

#[test]
fn reasons_are_told_apart() {
    let mut reasons: Vec<&str> = Reject::ALL.iter().map(|reject| reject.reason()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    assert_eq!(reasons.len(), Reject::ALL.len());
}
