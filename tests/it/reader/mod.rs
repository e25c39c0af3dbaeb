//! Reads topics with Kafka clients and an Avro library that are not ours: Python's confluent-kafka,
//! kafka-python and fastavro, in the environment that `make test` installs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::cache;

/// A message as the independent reader saw it.
#[derive(Debug, Deserialize)]
pub struct Row {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<String>,
    pub headers: BTreeMap<String, Option<String>>,
    /// The decoded datum; instants are RFC 3339 texts with milliseconds.
    pub value: serde_json::Value,
}

/// Every committed message of a topic of Avro single objects with the schema in `schema_file`.
/// The error is what the reader said of the first message that is not one.
pub fn read(bootstrap: &str, topic: &str, schema_file: &Path) -> Result<Vec<Row>, String> {
    let output = python("read_incidents.py")
        .args([bootstrap, topic])
        .arg(schema_file)
        .output()
        .unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let lines = String::from_utf8(output.stdout).unwrap();
    Ok(lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect())
}

/// A script of the independent reader, ready to get its arguments.
pub fn python(script: &str) -> Command {
    let python = cache().join("reader/bin/python");
    assert!(
        python.is_file(),
        "the independent reader is not installed ({}). Run `make test`, which does it.",
        python.display()
    );
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/reader");
    let mut command = Command::new(python);
    // Nothing is left beside the scripts.
    command.arg("-B").arg(scripts.join(script));
    command
}

mod tests {
    use apache_avro::types::{Record, Value};
    use apache_avro::{Schema, writer::datum::GenericDatumWriter};

    use super::*;
    use crate::kafka::{bootstrap, create_topic, produce, unique};

    const SPARK: &str = r#"{"type": "record", "name": "Spark", "fields": [
        {"name": "user", "type": "string"},
        {"name": "time", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"#;
    /// The same in the parsing canonical form of the Avro specification.
    const SPARK_CANONICAL: &str = concat!(
        r#"{"name":"Spark","type":"record","fields":["#,
        r#"{"name":"user","type":"string"},{"name":"time","type":"long"}]}"#
    );

    /// The bytes of one `Spark` as a single object.
    fn spark(user: &str, time: i64) -> Vec<u8> {
        let schema = Schema::parse_str(SPARK).unwrap();
        let mut record = Record::new(&schema).unwrap();
        record.put("user", user);
        record.put("time", Value::TimestampMillis(time));
        let mut bytes = vec![0xC3, 0x01];
        bytes.extend(crc_64_avro(SPARK_CANONICAL).to_le_bytes());
        let datum = GenericDatumWriter::builder(&schema).build().unwrap();
        bytes.extend(datum.write_value_to_vec(record).unwrap());
        bytes
    }

    /// The fingerprint as the Avro specification defines it, bit by bit.
    fn crc_64_avro(text: &str) -> u64 {
        const EMPTY: u64 = 0xC15D_213A_A4D7_A795;
        text.bytes().fold(EMPTY, |hash, byte| {
            let shift = |hash: u64, _| (hash >> 1) ^ (EMPTY & (hash & 1).wrapping_neg());
            (0..8).fold(hash ^ u64::from(byte), shift)
        })
    }

    fn check(messages: &[Vec<u8>]) -> Result<Vec<Row>, String> {
        let topic = unique("reader");
        create_topic(bootstrap(), &topic, 2, &[]);
        let timed: Vec<_> = messages
            .iter()
            .map(|bytes| (1_700_000_000_000, bytes))
            .collect();
        produce(bootstrap(), &topic, 1, &timed);
        let dir = tempfile::tempdir().unwrap();
        let schema_file = dir.path().join("spark.avsc");
        std::fs::write(&schema_file, SPARK).unwrap();
        read(bootstrap(), &topic, &schema_file)
    }

    #[test]
    fn decodes_single_objects() {
        let rows = check(&[spark("alice", 1_700_000_000_123), spark("bob", 0)]).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(
            (rows[1].partition, rows[1].offset, &rows[1].key),
            (1, 1, &None)
        );
        assert!(rows[1].headers.is_empty());
        let expected = serde_json::json!({"user": "alice", "time": "2023-11-14T22:13:20.123Z"});
        assert_eq!(rows[0].value, expected);
    }

    #[test]
    fn refuses_what_is_not_of_the_schema() {
        let mut other_schema = spark("alice", 0);
        other_schema[5] ^= 1;
        let mut no_marker = spark("alice", 0);
        no_marker[1] = 2;
        let mut longer = spark("alice", 0);
        longer.push(0);
        let cases = [
            (other_schema, "expected"),
            (no_marker, "not an Avro single object"),
            (longer, "bytes are left"),
        ];
        for (bytes, complaint) in cases {
            let said = check(&[bytes]).unwrap_err();
            assert!(said.contains(complaint), "{said}");
        }
    }
}
