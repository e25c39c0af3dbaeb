use std::io::Write;

use apache_avro::types::Value;
use apache_avro::{Codec, DeflateSettings, Schema, Writer};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::time;

mod container;
mod limits;
mod listing;

/// What Event Hubs Capture writes its records with.
const CAPTURE: &str = r#"{
    "type": "record", "name": "EventData", "namespace": "Microsoft.ServiceBus.Messaging",
    "fields": [
        {"name": "SequenceNumber", "type": "long"},
        {"name": "Offset", "type": "string"},
        {"name": "EnqueuedTimeUtc", "type": "string"},
        {"name": "SystemProperties",
         "type": {"type": "map", "values": ["long", "double", "string", "bytes"]}},
        {"name": "Properties",
         "type": {"type": "map", "values": ["long", "double", "string", "bytes", "null"]}},
        {"name": "Body", "type": ["null", "bytes"]}
    ]
}"#;

/// When a message was taken, and its body.
pub type Captured<'a> = (&'a str, Option<&'a str>);

/// A container of Event Hubs Capture, with these blocks of messages.
pub fn capture(codec: Codec, blocks: &[&[Captured<'_>]]) -> Vec<u8> {
    let record = |(enqueued, body): &Captured<'_>| {
        let union = |branch, value| Value::Union(branch, Box::new(value));
        let property = |name: &str, value| Value::Map([(name.to_owned(), value)].into());
        let body = match body {
            Some(body) => union(1, Value::Bytes(body.as_bytes().to_vec())),
            None => union(0, Value::Null),
        };
        let fields = [
            ("SequenceNumber", Value::Long(1 << 40)),
            ("Offset", Value::String("4096".to_owned())),
            ("EnqueuedTimeUtc", Value::String((*enqueued).to_owned())),
            (
                "SystemProperties",
                property("partition", union(0, Value::Long(3))),
            ),
            ("Properties", property("none", union(4, Value::Null))),
            ("Body", body),
        ];
        Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
    };
    let blocks: Vec<Vec<Value>> = blocks
        .iter()
        .map(|block| block.iter().map(record).collect())
        .collect();
    container(CAPTURE, codec, &blocks)
}

fn container(schema: &str, codec: Codec, blocks: &[Vec<Value>]) -> Vec<u8> {
    let schema = Schema::parse_str(schema).unwrap();
    let mut writer = Writer::with_codec(&schema, Vec::new(), codec).unwrap();
    for block in blocks {
        writer.extend_from_slice(block).unwrap();
        writer.flush().unwrap();
    }
    writer.into_inner().unwrap()
}

/// `content`, packed.
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

/// `content`, packed.
pub fn zstd(content: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(content, 1).unwrap()
}

/// Line, timestamp and text.
type Row = (u64, Option<String>, String);

/// Before the text of a message that is too large.
const TOO_LARGE: &str = "too large: ";

/// What comes of a file `name` that holds `content`, and how the reading ends.
fn read_within(limits: Limits, name: &str, content: &[u8]) -> (Vec<Row>, Result<()>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    let mut rows = Vec::new();
    let reading = Reading {
        limits,
        ..Reading::default()
    };
    let end = messages(&path, &reading, &mut |message| {
        assert_eq!(message.path, path);
        let prefix = if message.is_too_large { TOO_LARGE } else { "" };
        rows.push((
            message.line,
            message.timestamp.map(time::rfc3339),
            format!("{prefix}{}", String::from_utf8_lossy(message.bytes)),
        ));
        Ok(())
    });
    let end = end.unwrap();
    if end.is_none() {
        let read = reading.read.into_inner();
        assert_eq!(read, content.len() as u64, "{name}");
    }
    (rows, end.map_or(Ok(()), Err))
}

fn read(name: &str, content: &[u8]) -> (Vec<Row>, Result<()>) {
    read_within(Limits::default(), name, content)
}

/// The messages of a file: line and text, no timestamps.
fn check(name: &str, content: &[u8], expected: &[(u64, &str)]) {
    check_within(Limits::default(), name, content, expected);
}

/// The same, with these limits.
fn check_within(limits: Limits, name: &str, content: &[u8], expected: &[(u64, &str)]) {
    let (rows, end) = read_within(limits, name, content);
    end.unwrap();
    let expected: Vec<Row> = expected
        .iter()
        .map(|(line, text)| (*line, None, (*text).to_owned()))
        .collect();
    assert_eq!(rows, expected, "{name}");
}

/// The messages of a file of Capture: place, timestamp ("": none) and text.
fn check_capture(name: &str, content: &[u8], expected: &[(u64, &str, &str)]) {
    let (rows, end) = read(name, content);
    end.unwrap();
    let expected: Vec<Row> = expected
        .iter()
        .map(|(line, time, text)| {
            let time = (!time.is_empty()).then(|| (*time).to_owned());
            (*line, time, (*text).to_owned())
        })
        .collect();
    assert_eq!(rows, expected, "{name}");
}

/// The messages before the error, and what the error says beside the file's name.
fn check_error(name: &str, content: &[u8], messages: usize, parts: &[&str]) {
    let (rows, end) = read(name, content);
    let error = format!("{:#}", end.unwrap_err());
    assert_eq!(rows.len(), messages, "{error}");
    for part in parts.iter().chain([&name]) {
        assert!(error.contains(part), "{error:?} says nothing of {part:?}");
    }
}

const TWO: &[u8] = b"{\"a\":1}\n{\"a\":2}\n";

const TWO_READ: &[(u64, &str)] = &[(0, "{\"a\":1}"), (1, "{\"a\":2}")];

#[test]
fn lines_and_documents() {
    check(
        "a.ndjson",
        b"{\"a\":1}\n\n{\"a\":2}\r\n",
        &[(0, "{\"a\":1}"), (2, "{\"a\":2}")],
    );
    check("a.json", b"{\"a\":1}\n{\"a\":2}", TWO_READ);
    check("a.json", b"{\n\"a\":1}\n", &[(0, "{\n\"a\":1}")]);
    check(
        "a.json",
        b"\n[{\"a\":\"]\"},\n{}]",
        &[(1, "[{\"a\":\"]\"},\n{}]")],
    );
    check(
        "a.txt",
        b"{\"a\": \"trunc\nplain {",
        &[(0, "{\"a\": \"trunc"), (1, "plain {")],
    );
    check(
        "a.json",
        b"{\n\"a\":1}\n\n[\n]\n{\"a\":2}\n[\n]",
        &[
            (0, "{\n\"a\":1}"),
            (3, "[\n]"),
            (5, "{\"a\":2}"),
            (6, "["),
            (7, "]"),
        ],
    );
    check("empty", b"", &[]);
    check("short", b"7", &[(0, "7")]);
}

#[test]
fn packed_files() {
    // Members and frames one after the other are one file.
    let four: &[(u64, &str)] = &[
        (0, "{\"a\":1}"),
        (1, "{\"a\":2}"),
        (2, "{\"a\":1}"),
        (3, "{\"a\":2}"),
    ];
    check("a.json.gz", &[gzip(TWO), gzip(TWO)].concat(), four);
    check("a.json.zst", &[zstd(TWO), zstd(TWO)].concat(), four);
    let skipped = [&[0x5A, 0x2A, 0x4D, 0x18, 2, 0, 0, 0, 1, 1][..], &zstd(TWO)].concat();
    check("a.json.zst", &skipped, TWO_READ);
    check("a.gz", &gzip(b""), &[]);
    check("a.zst", &zstd(b""), &[]);
}

#[test]
fn names_do_not_tell() {
    check("a.gz", TWO, TWO_READ);
    check("a.zst", TWO, TWO_READ);
    check("a.avro", TWO, TWO_READ);
    check("a.json", &gzip(TWO), TWO_READ);
    check("a.gz", &zstd(TWO), TWO_READ);
    check_capture(
        "a.json",
        &capture(Codec::Null, &[&[("3/22/2019 1:02:03 PM", Some("{}"))]]),
        &[(0, "2019-03-22T13:02:03.000Z", "{}")],
    );
}

#[test]
fn captures_with_every_codec() {
    let blocks: &[&[Captured<'_>]] = &[
        &[
            ("3/22/2019 1:02:03 PM", Some("{\"a\":1}")),
            ("12/1/2019 12:02:03.4567 AM", None),
        ],
        &[
            ("2019-03-22T13:02:04.5Z", Some("{\n}\n")),
            ("yesterday", Some("")),
        ],
    ];
    let read: &[(u64, &str, &str)] = &[
        (0, "2019-03-22T13:02:03.000Z", "{\"a\":1}"),
        (2, "2019-03-22T13:02:04.500Z", "{\n}\n"),
        (3, "", ""),
    ];
    for codec in [
        Codec::Null,
        Codec::Deflate(DeflateSettings::default()),
        Codec::Snappy,
    ] {
        let bytes = capture(codec, blocks);
        check_capture("a.avro", &bytes, read);
        check_capture("a.avro.gz", &gzip(&bytes), read);
        check_capture("a.avro.zst", &zstd(&bytes), read);
        check_capture("a.avro", &capture(codec, &[]), &[]);
    }
    let fraction = capture(Codec::Null, &[&[("12/1/2019 12:02:03.4567 AM", Some("7"))]]);
    check_capture("a.avro", &fraction, &[(0, "2019-12-01T00:02:03.456Z", "7")]);
}

/// Just a body, which may not be null.
const BODIES: &str = r#"{"type": "record", "name": "Event", "fields": [
    {"name": "Body", "type": "bytes"}
]}"#;

#[test]
fn containers_that_are_not_of_capture() {
    let body = |value| vec![Value::Record(vec![("Body".to_owned(), value)])];
    let bytes = container(BODIES, Codec::Null, &[body(Value::Bytes(b"{}".to_vec()))]);
    check_capture("a.avro", &bytes, &[(0, "", "{}")]);

    check_error(
        "a.avro",
        &container(r#""string""#, Codec::Null, &[]),
        0,
        &["header of the Avro container", "its values are no records"],
    );
    let others = [
        (
            BODIES.replace("bytes", "string"),
            "\"Event\" with the fields \"Body\"",
        ),
        (
            BODIES.replace("Body", "Payload"),
            "\"Event\" with the fields \"Payload\"",
        ),
    ];
    for (schema, found) in others {
        let bytes = container(&schema, Codec::Null, &[]);
        let expected = "expected records with a field Body of bytes";
        check_error(
            "a.avro",
            &bytes,
            0,
            &["not one of Event Hubs Capture", expected, found],
        );
    }
}

/// So many that the head of their block has two bytes for the number.
const MANY: &[Captured<'_>] = &[("3/22/2019 1:02:03 PM", Some("{}")); 100];

#[test]
fn a_container_may_only_be_cut_between_blocks() {
    let bytes = capture(Codec::Null, &[&MANY[..1], MANY]);
    let header = capture(Codec::Null, &[]).len();
    let first = capture(Codec::Null, &[&MANY[..1]]).len();
    for cut in 4..bytes.len() {
        let (rows, end) = read("a.avro", &bytes[..cut]);
        assert_eq!(end.is_ok(), cut == header || cut == first, "cut at {cut}");
        // What is whole counts, and no more.
        assert!(rows.len() >= usize::from(cut >= first), "cut at {cut}");
        assert!(rows.iter().all(|(_, _, text)| text == "{}"), "cut at {cut}");
    }
    check_error(
        "a.avro",
        &bytes[..header - 1],
        0,
        &["header of the Avro container"],
    );
    check_error(
        "a.avro",
        &bytes[..bytes.len() - 1],
        101,
        &["after 101 records", "not whole"],
    );
    let packed = gzip(&bytes[..first + 1]);
    check_error("a.avro.gz", &packed, 1, &["after 1 records", "not whole"]);
}

#[test]
fn damaged_containers() {
    let header = capture(Codec::Null, &[]);
    let bytes = capture(Codec::Null, &[&MANY[..2], &MANY[..1]]);
    let with = |place: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[place] = byte;
        bytes
    };
    // Numbers are written doubled.
    let count = header.len();
    check_error(
        "a.avro",
        &with(count, 2),
        1,
        &["after 1 records", "holds more"],
    );
    check_error(
        "a.avro",
        &with(count, 6),
        2,
        &["after 2 records", "holds less"],
    );
    check_error(
        "a.avro",
        &with(count, 5),
        0,
        &["after 0 records", "negative: -3"],
    );
    let last = bytes.len() - 1;
    let marker = with(last, !bytes[last]);
    check_error(
        "a.avro",
        &marker,
        3,
        &["after 3 records", "the file's marker"],
    );

    let snappy = capture(Codec::Snappy, &[&MANY[..1]]);
    let name = snappy.windows(6).position(|six| six == b"snappy").unwrap();
    let unknown = [&snappy[..name], b"zippy!", &snappy[name + 6..]].concat();
    check_error("a.avro", &unknown, 0, &["packed with \"zippy!\"", "snappy"]);
    let mut checksum = snappy.clone();
    checksum[snappy.len() - 17] ^= 1;
    check_error(
        "a.avro",
        &checksum,
        0,
        &["after 0 records", "block is damaged"],
    );
}

#[test]
fn an_empty_block_is_not_the_end() {
    let header = capture(Codec::Null, &[]);
    let bytes = capture(Codec::Null, &[MANY]);
    let (head, rest) = bytes.split_at(header.len());
    let marker = &head[head.len() - 16..];
    let (rows, end) = read("a.avro", &[head, &[0, 0], marker, rest].concat());
    end.unwrap();
    assert_eq!(rows.len(), MANY.len());
}

#[test]
fn packed_files_that_are_cut_or_damaged() {
    let (gzipped, zstded) = (gzip(TWO), zstd(TWO));
    for (packed, magic) in [(&gzipped, 2), (&zstded, 4)] {
        for cut in magic..packed.len() {
            let (rows, end) = read("a.json", &packed[..cut]);
            assert!(end.is_err(), "cut at {cut}");
            assert!(rows.len() <= TWO_READ.len(), "cut at {cut}");
        }
    }
    check_error("a.gz", &gzipped[..12], 0, &["cannot read", "incomplete"]);
    check_error("a.zst", &zstded[..12], 0, &["cannot read", "incomplete"]);
    let garbage = [&zstded[..], b"garbage"].concat();
    check_error("a.zst", &garbage, 2, &["cannot read"]);
    check_error("a.gz.zst", &zstd(&gzipped), 0, &["packed twice"]);
}

/// Small enough to be reached.
const SMALL: Limits = Limits {
    message_bytes: 20,
    header_bytes: 1_000,
    block_bytes: 100,
};
