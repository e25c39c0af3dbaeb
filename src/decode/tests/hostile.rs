//! Messages made to cost, to hide or to mislead.

use super::*;
use crate::generate::costly::FAMILIES;

/// Looks at each byte of a message, at most. What a good message takes is about two.
const STEPS_MAX: u64 = 40;

fn everything() -> Decoder {
    let mut attributes = normalise::all();
    for name in ["record.n", "record.properties.a", "record.properties.a.b"] {
        attributes.intern(crate::normalise::attribute(name, &[]).unwrap());
    }
    Decoder::new(&attributes)
}

fn steps(decoder: &Decoder, message: &[u8]) -> u64 {
    work(decoder, message).steps
}

#[test]
fn every_kind_of_message_costs_in_line_with_its_length() {
    let decoder = everything();
    let mut dear = Vec::new();
    for family in FAMILIES {
        let small = family.message(4 << 10);
        let large = family.message(64 << 10);
        let (few, many) = (steps(&decoder, &small), steps(&decoder, &large));
        let a_byte = many as f64 / large.len() as f64;
        println!("{a_byte:6.1} {:?}", family.parts);
        assert!(many > 0, "{:?}", family.parts);
        let lengths = large.len() as f64 / small.len() as f64;
        let growth = many as f64 / few as f64 / lengths;
        if growth > 1.25 || many > STEPS_MAX * large.len() as u64 {
            dear.push((family.parts, growth, a_byte));
        }
    }
    assert!(dear.is_empty(), "{dear:#?}");
}

const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    ",",
    ":",
    "\\",
    "\n",
    " ",
    "x",
    "1",
    "/*",
    "*/",
    "//",
    "{\"a\":",
    "{'a':'b'}",
    "{\"records\":[",
    "'records':[",
    "{\"properties\":\"{'a':",
    "\u{feff}",
    "{}",
    GOOD,
];

proptest! {
    #[test]
    fn whatever_comes_costs_in_line_with_its_length(
        pieces in proptest::collection::vec(
            (proptest::sample::select(&PIECES[..]), 1_usize..200),
            1..12,
        ),
        times in 1_usize..20,
    ) {
        let message: String = pieces.iter().map(|(piece, n)| piece.repeat(*n)).collect();
        let message = message.repeat(times);
        let most = 2 * STEPS_MAX * message.len() as u64 + 1000;
        let steps = steps(&everything(), message.as_bytes());
        prop_assert!(steps <= most, "{steps} steps of {} bytes", message.len());
    }
}

#[test]
fn a_good_message_is_looked_at_about_twice() {
    let good = format!("{{\"records\":[{}]}}", vec![GOOD; 1000].join(","));
    let steps = steps(&everything(), good.as_bytes());
    assert!(steps < 3 * good.len() as u64, "{steps}");
}

#[test]
fn good_records_behind_any_of_them_are_found() {
    let decoder = decoder(&["record.n"]);
    let mut lost = Vec::new();
    for family in FAMILIES {
        let hostile = String::from_utf8(family.message(5000)).unwrap();
        for message in [
            format!("{GOOD}\n{hostile}\n{GOOD}\n"),
            format!("{{\"records\":[{GOOD},{hostile},{GOOD}]}}"),
            format!("[{GOOD},{hostile},{GOOD},{GOOD}]"),
        ] {
            let wanted = message.matches(GOOD).count();
            let lines = decoded_with(&decoder, message.as_bytes());
            let found = lines.iter().filter(|line| line.0 == GOOD).count();
            if found != wanted {
                let form = message.get(..1).unwrap_or_default().to_owned();
                lost.push((family.parts, form, found, wanted));
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn lines_behind_a_cut_envelope_are_found() {
    let envelope = format!("{{\"records\":[{GOOD},\n{GOOD}]}}");
    for cut in [
        "{\"records\":[",
        "{\"records\":[{\"n\":2",
        "{\"records\":[{\"n\":\"2",
        "{\"records\":[{\"n\":[",
        "{'records':[{'n':2",
        "{\"records\":[1",
        "{\"records\":[1]",
        "{\"records\":{\"n\":2",
    ] {
        for behind in [&envelope, GOOD] {
            let message = format!("{envelope}\n{cut}\n{behind}\n{behind}\n");
            let wanted = message.matches(GOOD).count();
            let lines = decoded_with(&decoder(&["record.n"]), message.as_bytes());
            let found = lines.iter().filter(|line| line.0 == GOOD).count();
            // The cut one, and perhaps all of its envelope.
            let refused = (1..=2).contains(&(lines.len() - found));
            assert_eq!((found, refused), (wanted, true), "{message}\n{lines:#?}");
        }
    }
}

#[test]
fn few_dead_letters_come_of_any_of_them() {
    let decoder = decoder(&["record.n"]);
    for family in FAMILIES {
        let message = family.message(20_000);
        let lines = decoded_with(&decoder, &message);
        let good = lines.iter().filter(|line| !line.1.starts_with('!')).count();
        assert!(lines.len() <= 2 * good + 1, "{:?}", family.parts);
        let lost = lines.iter().map(|line| line.0.len()).sum::<usize>();
        assert!(lost <= message.len(), "{:?}", family.parts);
    }
}

#[test]
fn refused_neighbours_are_one() {
    check_message(
        &format!("[1,x,{{\"n\" 2}},{GOOD}, 1 ,{{\"n\":]}},{GOOD}]"),
        &[
            ("1,x,{\"n\" 2}", "!not-json 1, not-an-object 1"),
            (GOOD, "1i"),
            ("1 ,{\"n\":]}", "!not-json 1, not-an-object 1"),
            (GOOD, "1i"),
        ],
    );
    let lines = decoded_with(&decoder(&[]), "x\n".repeat(5000).as_bytes());
    assert_eq!(lines.len(), 1);
}

/// What `record.a.b` and `record.c` are in a record whose `a` is `text`, and which have a value
/// on either side of it.
fn check_text(rows: &[(&str, &str)]) {
    let decoder = decoder(&["record.a.b", "record.c"]);
    for (text, expected) in rows {
        let text = serde_json::Value::from(*text);
        let message = format!(r#"{{"a":{text},"c":7}}"#);
        let lines = decoded_with(&decoder, message.as_bytes());
        assert_eq!(lines, [(message, format!("{expected} 7i"))]);
    }
}

#[test]
fn text_that_other_readers_take_for_json_is_read() {
    check_text(&[
        (r#"{"b":1,}"#, "1i"),
        (r#"{"x":["id"],"b":1,}"#, "1i"),
        (r#"{"x":[1,2,],"b":1}"#, "1i"),
        (r#"{"x":[,1,,2],,"b":1}"#, "1i"),
        (r#"{/**/"b":1}"#, "1i"),
        (r#"/* a */{"b":1}"#, "1i"),
        ("// a\n{\"b\":1}", "1i"),
        ("{\"x\":2, // it's { odd\n\"b\":1}", "1i"),
        (r#"{"x":2/*,*/,"b"/**/:/**/1/**/}/**/"#, "1i"),
        (r#"{"b":true/**/}"#, "true"),
        (r#"{"b":"http://x/*y*/"}"#, "http://x/*y*/"),
        (r#"{'b':'http://x/*y*/',}"#, "http://x/*y*/"),
        (r#"{'u':'http://x','b':1}"#, "1i"),
        ("\u{feff}{\"b\":1}", "1i"),
        ("\u{feff}\u{feff} {'b':1}", "1i"),
        ("\u{0}{\"b\":1}", "1i"),
        ("{'b':'x',}", "x"),
        ("{'b':'it's',/* a */}", "it's"),
        ("{b:'x',c:['y'],}", "x"),
        ("{'x':'y',,'b':1}", "1i"),
        ("{\"b\":1 /* no end", "-"),
        ("/* {\"b\":1} */", "-"),
        ("/subscriptions/a", "-"),
    ]);
}

#[test]
fn depth_in_a_text_hides_what_is_deeper_alone() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = format!("{}1{}", "{\"x\":".repeat(500), "}".repeat(500));
    check_text(&[
        (&format!(r#"{{"b":1,"x":{}}}"#, deep(500)), "1i"),
        (&format!(r#"{{"x":{},"b":1}}"#, deep(500)), "1i"),
        (&format!(r#"{{"x":{},"b":1}}"#, deep(127)), "1i"),
        (&format!(r#"{{"x":{objects},"b":1,}}"#), "1i"),
        (&format!(r#"{{"b":[{},1,[2]]}}"#, deep(500)), "[1i,2i]"),
        (&format!(r#"{{"b":{},"x":1}}"#, deep(500)), "-"),
        (&format!(r#"{{"x":{}],"b":1}}"#, deep(500)), "-"),
        (&"[".repeat(200_000), "-"),
    ]);
    let text = serde_json::Value::from(format!(r#"{{"x":{},"b":1}}"#, deep(500)));
    let message = format!(r#"{{"a":{text}}}"#);
    let decoder = decoder(&["record.a.b"]);
    assert_eq!(work(&decoder, message.as_bytes()).hidden, 1);
}

/// The reason and the explanation of the only record `text`, in a message without timestamp.
fn explained(text: &[u8]) -> String {
    let mut said = Vec::new();
    let decoder = decoder(&[]);
    let message = decoder.message(text, None);
    let mut records = decoder.records(&message);
    while let Some(record) = records.next() {
        let refused = record.outcome.err().unwrap();
        said.push(format!("{}: {refused}", refused.reason));
    }
    said.join("\n")
}

#[test]
fn a_record_without_time_says_what_was_found() {
    let start = "no-time: neither the record nor its message says when it happened";
    for (record, expected) in [
        (r#"{"n":1}"#, ""),
        (r#"{"time":null}"#, ""),
        (
            r#"{"TIME":"2026-02-29T00:00:00Z"}"#,
            r#": time is "2026-02-29T00:00:00Z" (no time in a layout that is read)"#,
        ),
        (
            r#"{"eventTime":17710,"time":"0001-01-01T00:00:00"}"#,
            concat!(
                r#": time is "0001-01-01T00:00:00" (before 1971); "#,
                "eventTime is 17710 (before 1971)"
            ),
        ),
        (
            r#"{"time":{"$date":"2026-02-14T09:58:01Z"}}"#,
            concat!(
                r#": time is "{\"$date\":\"2026-02-14T09:58:01Z\"}" "#,
                "(no time in a layout that is read)"
            ),
        ),
        (
            "{'properties':{'createdDateTime':'x\u{1b}\u{202e}y'}}",
            concat!(
                r#": properties.createdDateTime is "x\u001b\u202ey" "#,
                "(no time in a layout that is read)"
            ),
        ),
        (
            r#"{"time":[true,"x"]}"#,
            ": time is a list, first true (not a text)",
        ),
        (
            r#"[{"time":"x"},{"n":1},7]"#,
            concat!(
                r#": time is "x" (no time in a layout that is read) "#,
                "(3 records refused: not-an-object 1, no-time 2)"
            ),
        ),
    ] {
        assert_eq!(explained(record.as_bytes()), format!("{start}{expected}"));
    }
    let long = format!(r#"{{"time":"{}"}}"#, "é".repeat(100_000));
    assert!(explained(long.as_bytes()).len() < 300);
}

#[test]
fn a_year_before_1971_is_no_time() {
    check_values(&[
        ("record.a", r#"{"time":"0001-01-01T00:00:00Z"}"#, "-"),
        ("record.a", r#"{"time":"1601-01-01T00:00:00Z"}"#, "-"),
        ("record.a", r#"{"time":"1970-12-31T23:59:59Z"}"#, "-"),
        (
            "record.a",
            r#"{"time":"1971-01-01T00:00:00Z"}"#,
            "1971-01-01T00:00:00.000Z -",
        ),
        (
            "record.a",
            r#"{"time":"0001-01-01T00:00:00Z","eventTimestamp":"2026-05-04T02:10:09Z"}"#,
            "2026-05-04T02:10:09.000Z -",
        ),
    ]);
}

#[test]
fn a_year_after_9999_is_no_time() {
    let last = 253_402_300_799_999;
    check_values(&[
        ("record.a", r#"{"time":"9999-12-31T23:59:59-00:01"}"#, "-"),
        (
            "record.a",
            r#"{"time":"9999-12-31T23:59:59.999Z"}"#,
            "9999-12-31T23:59:59.999Z -",
        ),
    ]);
    assert!(explained(br#"{"time":"9999-12-31T23:59:59-00:01"}"#).ends_with("(after 9999)"));
    assert_eq!(crate::normalise::timestamp(Some(last)), Some(last));
    assert_eq!(crate::normalise::timestamp(Some(last + 1)), None);
}

#[test]
fn other_encodings_are_named() {
    let utf16 = "utf-16: the message is UTF-16; only UTF-8 is read";
    let units = |text: &str| text.encode_utf16().collect::<Vec<u16>>();
    for text in [
        "\u{feff}[\r\n{}]",
        "{\"n\":1}",
        "[\n{\"größe\":1}]",
        "\u{feff}",
    ] {
        let little: Vec<u8> = units(text).iter().flat_map(|u| u.to_le_bytes()).collect();
        let big: Vec<u8> = units(text).iter().flat_map(|u| u.to_be_bytes()).collect();
        assert_eq!(explained(&little), utf16);
        assert_eq!(explained(&big), utf16);
    }
    check_message(
        &format!("\u{feff}{GOOD}\r\n\u{feff}{GOOD},\u{feff}[{GOOD}]"),
        &[(GOOD, "1i"), (GOOD, "1i"), (GOOD, "1i")],
    );
}

#[test]
fn odd_values_harm_nobody() {
    let key = "k".repeat(1 << 20);
    let digits = "9".repeat(100_000);
    let lists = "[".repeat(2000);
    let objects = "{\"a\":".repeat(2000);
    for (odd, said) in [
        (format!(r#"{{"{key}":1,"n":2}}"#), "2i"),
        (format!(r#"{{"{key}":{{"{key}":1}},"n":2}}"#), "2i"),
        (format!(r#"{{"x":{digits},"n":2}}"#), "2i"),
        (
            format!(r#"{{"x":-{digits}.{digits}e-{digits},"n":2}}"#),
            "2i",
        ),
        (
            r#"{"x":"\ud800","\udfff":"\udc00\ud800","n":2}"#.into(),
            "2i",
        ),
        (r#"{"x":"\u0000","n":2}"#.into(), "2i"),
        ("{\"x\":\"\u{0}\",\"n\":2}".into(), "2i"),
        ("{\u{0}\"n\":2\u{0}}".into(), "2i"),
        (format!(r#"{{"n":2,"x":{lists}}}"#), "!too-deep"),
        (format!(r#"{{"n":2,"x":{objects}}}"#), "!too-deep"),
        (format!(r#"{{"n":2,"x":{lists}"y"}}"#), "!too-deep"),
    ] {
        for message in [
            format!("{{\"records\":[{GOOD},{odd},{GOOD}]}}"),
            format!("{GOOD}\n{odd}\n{GOOD}"),
        ] {
            let lines = decoded_with(&decoder(&["record.n"]), message.as_bytes());
            let said_of: Vec<&str> = lines.iter().map(|line| line.1.as_str()).collect();
            assert_eq!(said_of, ["1i", said, "1i"], "{:.60}", odd);
        }
    }
}
