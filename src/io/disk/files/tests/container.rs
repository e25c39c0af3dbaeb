//! Containers that say what is not so.

use super::*;

/// A container with this schema and these blocks: how many records they say they hold, and bytes.
fn raw_container(schema: &str, codec: &str, blocks: &[(i64, &[u8])]) -> Vec<u8> {
    let mut out = b"Obj\x01".to_vec();
    number(&mut out, 2);
    for (key, value) in [("avro.schema", schema), ("avro.codec", codec)] {
        for text in [key, value] {
            number(&mut out, text.len() as i64);
            out.extend_from_slice(text.as_bytes());
        }
    }
    number(&mut out, 0);
    out.extend_from_slice(&[7; 16]);
    for (count, bytes) in blocks {
        number(&mut out, *count);
        number(&mut out, bytes.len() as i64);
        out.extend_from_slice(bytes);
        out.extend_from_slice(&[7; 16]);
    }
    out
}

/// As Avro writes it.
fn number(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while rest > 0x7F {
        out.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Numbers, one after the other.
fn numbers(all: &[i64]) -> Vec<u8> {
    let mut out = Vec::new();
    all.iter().for_each(|one| number(&mut out, *one));
    out
}

/// Records with a body and something of this type behind it.
fn with_field(kind: &str) -> String {
    format!(
        r#"{{"type": "record", "name": "E", "fields": [
            {{"name": "Body", "type": "bytes"}}, {{"name": "f", "type": {kind}}}]}}"#
    )
}

/// The error of a container whose one record has the body `{}` and these bytes behind it.
fn check_field(kind: &str, bytes: &[u8], parts: &[&str]) {
    let record = [&numbers(&[2]), &b"{}"[..], bytes].concat();
    let content = raw_container(&with_field(kind), "null", &[(1, &record)]);
    match parts {
        [] => check_capture("a.avro", &content, &[(0, "", "{}")]),
        parts => check_error("a.avro", &content, 0, parts),
    }
}

#[test]
fn what_a_container_says_of_itself_is_not_trusted() {
    let huge = 1_i64 << 45;
    let fixed = r#"{"type": "fixed", "name": "F", "size": 35184372088832}"#;
    check_field(fixed, b"abc", &["after 0 records", "it ends within bytes"]);
    for kind in ["\"bytes\"", "\"string\""] {
        check_field(kind, &numbers(&[huge]), &["it ends within bytes"]);
        check_field(kind, &numbers(&[-1]), &["a length is negative: -1"]);
        check_field(kind, &numbers(&[i64::MIN]), &["negative"]);
    }
    check_field("\"long\"", &[0xFF; 11], &["more than 10 bytes"]);
    check_field("\"long\"", &[0xFF; 3], &["it ends within a number"]);
    let list = r#"{"type": "array", "items": "int"}"#;
    check_field(list, &numbers(&[huge, 5]), &["it ends within a number"]);
    check_field(list, &numbers(&[-huge, huge]), &["it ends within bytes"]);
    check_field(list, &numbers(&[i64::MIN, -7]), &["negative"]);
    check_field(list, &numbers(&[-3, 2, 1, 1, 2, 9, 9, 0]), &[]);
    // Values of no bytes: as many as anybody likes.
    check_field(
        r#"{"type": "array", "items": "null"}"#,
        &numbers(&[i64::MAX, 0]),
        &[],
    );
    let names = r#"{"type": "map", "values": "null"}"#;
    check_field(
        names,
        &numbers(&[i64::MAX, 0]),
        &["it ends within a number"],
    );
    check_field(
        r#"["null", "int"]"#,
        &numbers(&[2]),
        &["no type at place 2"],
    );
    check_field(r#"["null", "int"]"#, &numbers(&[-1]), &["negative"]);
}

#[test]
fn values_that_hold_themselves_end_somewhere() {
    check_field(r#"["null", "E"]"#, &numbers(&[0]), &[]);
    let record = [&numbers(&[2])[..], b"{}", &numbers(&[1])].concat();
    let chain = |length: usize| {
        let mut bytes = record.repeat(length);
        bytes.extend([&numbers(&[2])[..], b"{}", &numbers(&[0])].concat());
        raw_container(&with_field(r#"["null", "E"]"#), "null", &[(1, &bytes)])
    };
    check_capture("a.avro", &chain(20), &[(0, "", "{}")]);
    check_error(
        "a.avro",
        &chain(1_000_000),
        0,
        &["nested more than 64 deep"],
    );
    // Without a byte at each step, and without an end.
    check_field("\"E\"", b"", &["a record does not follow the schema"]);
    let lists = r#"{"type": "array", "items": {"type": "record", "name": "L", "fields": [
        {"name": "l", "type": {"type": "array", "items": "L"}}]}}"#;
    check_field(lists, &numbers(&[1; 1_000]), &["nested more than 64 deep"]);
    let itself = r#"{"type": "record", "name": "S", "fields": [{"name": "s", "type": "S"}]}"#;
    check_field(itself, b"", &["nested more than 64 deep"]);
}

#[test]
fn blocks_are_not_taken_at_their_word() {
    let body = [&numbers(&[2])[..], b"{}"].concat();
    let check = |schema: &str, codec: &str, block: (i64, &[u8]), rows: usize, part: &str| {
        let content = raw_container(schema, codec, &[block]);
        let (found, end) = read_within(SMALL, "a.avro", &content);
        let error = format!("{:#}", end.unwrap_err());
        assert_eq!(found.len(), rows, "{error}");
        assert!(error.contains(part), "{error:?} says nothing of {part:?}");
    };
    check(BODIES, "null", (i64::MAX, &body), 1, "holds less");
    check(BODIES, "null", (-1, &body), 0, "negative");
    let nothing = BODIES.replace("bytes", "null");
    check(&nothing, "null", (i64::MAX, b"x"), 0, "have no bytes");
    check(&nothing, "null", (1, b""), 0, "holds less");
    // Snappy says first how much it unpacks to.
    let claims = [0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0, 0, 0, 0];
    check(BODIES, "snappy", (1, &claims), 0, "larger than 100 bytes");
    check(BODIES, "snappy", (1, &[0; 101]), 0, "larger than 100 bytes");
    check(BODIES, "snappy", (1, b"abc"), 0, "no check sum");
    check(BODIES, "deflate", (1, b"\xFF\xFF"), 0, "deflate");
    check(BODIES, "zstandard", (1, b"zzzz"), 0, "after 0 records");
    let mut header = raw_container(&BODIES.replace("Event", &"e".repeat(2_000)), "null", &[]);
    check_header(&header, "larger than 1000 bytes");
    header.truncate(500);
    check_header(&header, "not whole");
}

fn check_header(content: &[u8], part: &str) {
    let (_, end) = read_within(SMALL, "a.avro", content);
    let error = format!("{:#}", end.unwrap_err());
    assert!(error.contains(part), "{error:?} says nothing of {part:?}");
}

/// `content`, as a block of a container that packs with deflate.
fn deflate(content: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), Compression::best());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

#[test]
fn what_unpacks_to_very_much_is_skipped() {
    let length = 30 << 20;
    let large = vec![b'x'; length];
    let good = [&numbers(&[2])[..], b"{}", &numbers(&[0])].concat();
    let field = [
        &numbers(&[2])[..],
        b"{}",
        &numbers(&[length as i64]),
        &large,
    ]
    .concat();
    let body = [&numbers(&[length as i64]), &large[..], &numbers(&[0])].concat();
    let block = [&good[..], &field, &body, &good].concat();
    let shown = format!("{TOO_LARGE}{}", "x".repeat(1 << 10));
    let expected = [(0, "{}"), (1, "{}"), (2, &*shown), (3, "{}")];
    // Some writers leave a part of zlib's check sum behind the block.
    let deflated = [&deflate(&block)[..], b"sum"].concat();
    for (codec, packed) in [("deflate", deflated), ("zstandard", zstd(&block))] {
        assert!(packed.len() < length / 500);
        let content = raw_container(&with_field("\"bytes\""), codec, &[(4, &packed)]);
        check_within(SMALL, "a.avro", &content, &expected);
    }
}

#[test]
fn schemas_that_cannot_be_used() {
    let check = |schema: &str, part: &str| {
        let content = raw_container(schema, "null", &[]);
        check_error("a.avro", &content, 0, &[part]);
        let (_, end) = read("a.avro", &content);
        let error = format!("{:#}", end.unwrap_err());
        assert!(!error.contains(char::is_control), "{error:?}");
    };
    check("{", "is not JSON");
    check(&"[".repeat(100_000), "is not JSON");
    check("[]", "its values are no records");
    check(&with_field("\"G\""), "no type is called \"G\"");
    check(&with_field("\"\\u001b[2J\""), "no type is called");
    check(&with_field("7"), "a type is 7");
    check(&with_field("{}"), "a type has no type");
    check(&with_field(r#"{"type": "fixed", "name": "F"}"#), "no size");
    check(r#"{"type": "record", "name": "E"}"#, "no fields");
    check(r#"{"type": "record", "fields": []}"#, "no name");
    check(
        r#"{"type": "record", "name": "\u001b[2J", "fields": []}"#,
        r#""\u001b[2J" without fields"#,
    );
    check(
        &BODIES.replace("Body", r"\u202e\u001b[31mX"),
        r#"\u001b[31mX"#,
    );
    let long = "e".repeat(2_000);
    check(&BODIES.replace("Event", &long), "longer than 1024 bytes");
}

/// If each record cost what its schema is long, this would not end.
#[test]
fn fields_without_bytes_cost_nothing() {
    let nothing = r#"{"name": "n", "type": "null"},"#.repeat(30_000);
    let schema = BODIES.replace(r#""fields": ["#, &format!(r#""fields": [{nothing}"#));
    let inner = r#"{"type": "array", "items": {"type": "record", "name": "R", "fields": [
        NOTHING {"name": "i", "type": "int"}]}}"#;
    let inner = with_field(&inner.replace("NOTHING", &nothing));
    let records = 200_000_u32;
    let many = [&numbers(&[0, i64::from(records)])[..], &[0; 200_001]].concat();
    for (schema, count, block) in [
        (schema, i64::from(records), vec![0; records as usize]),
        (inner, 1, many),
    ] {
        let content = raw_container(&schema, "null", &[(count, &block)]);
        let (rows, end) = read("a.avro", &content);
        end.unwrap();
        assert_eq!(rows.len() as i64, count);
    }
}

#[test]
fn types_are_found_by_their_names() {
    let schema = r#"{"type": "record", "name": "a.b.E", "fields": [
        {"name": "one", "type": {"type": "enum", "name": "N", "symbols": ["x", "y"]}},
        {"name": "two", "type": "N"},
        {"name": "three", "type": ["a.b.N", {"type": "fixed", "name": "F", "namespace": "c",
            "size": 2}]},
        {"name": "four", "type": {"type": "map", "values": "c.F"}},
        {"name": "five", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "six", "type": {"type": {"type": "array", "items": ["boolean", "double"]}}},
        {"name": "Body", "type": "bytes"}]}"#;
    let record = [
        &numbers(&[0, 1, 1])[..],
        b"ff",
        &numbers(&[1, 1]),
        b"kff",
        &numbers(&[0, -5, 2, 0]),
        b"t",
        &numbers(&[1]),
        &[0; 8],
        &numbers(&[0, 2]),
        b"{}",
    ]
    .concat();
    let content = raw_container(schema, "null", &[(1, &record)]);
    check_capture("a.avro", &content, &[(0, "", "{}")]);
}

#[test]
fn whatever_byte_is_another_something_is_said_or_read() {
    let schema = with_field(r#"{"type": "map", "values": ["null", "string", "bytes"]}"#);
    let record = [
        &numbers(&[2])[..],
        b"{}",
        &numbers(&[1, 1]),
        b"k",
        &numbers(&[1, 2]),
        b"vv",
        &numbers(&[0]),
    ]
    .concat();
    let block = record.repeat(3);
    let snappy = {
        let mut packed = snap::raw::Encoder::new().compress_vec(&block).unwrap();
        let mut sum = flate2::Crc::new();
        sum.update(&block);
        packed.extend(sum.sum().to_be_bytes());
        packed
    };
    let blocks = [
        ("null", block.clone()),
        ("deflate", deflate(&block)),
        ("snappy", snappy),
        ("zstandard", zstd(&block)),
    ];
    let place = Place {
        path: Path::new("a.avro"),
        limits: SMALL,
    };
    for (codec, packed) in blocks {
        let good = raw_container(&schema, codec, &[(3, &packed)]);
        let mut whole = 0;
        for at in 0..good.len() {
            for byte in [0, 1, 0x7F, 0x80, 0xFF, good[at]] {
                let mut content = good.clone();
                content[at] = byte;
                let mut messages = 0_u32;
                let end = capture::messages(place, &mut &content[..], &mut |_| {
                    messages += 1;
                    Ok(())
                });
                assert!(messages < 100, "{codec} at {at}: {byte}");
                whole += u32::from(end.is_ok());
            }
        }
        assert!(whole as usize >= good.len(), "{codec}");
    }
}
