use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::rabin::Rabin;
use proptest::prelude::*;

use super::read::Reader;
use super::*;
use crate::correlation::CorrelationId;
use crate::encode::read::IncidentReader;
use crate::encode::{Encoding, Unreadable, field};
use crate::incident::{AttributeValue, CloseReason, Evidence, Status};
use crate::record::Hash;

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 16]>().prop_map(Hash)
}

fn text() -> impl Strategy<Value = String> {
    ".{0,12}"
}

fn attribute() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        Just(AttributeValue::Null),
        text().prop_map(AttributeValue::Text),
        (-1e9..1e9).prop_map(AttributeValue::Number),
    ]
}

prop_compose! {
    fn evidence()(
        names in (text(), text()),
        place in (any::<i32>(), any::<i64>(), any::<u32>(), any::<i64>()),
        optional in prop::array::uniform3(prop::option::of(text())),
        record_hash in hash(),
    ) -> Evidence {
        let correlation_id = optional[1].as_deref().map(CorrelationId::from);
        let [event_type, _, resource_id] = optional.map(|text| text.map(Arc::from));
        let shared = |text: String| Arc::from(text);
        let (pattern, topic) = names;
        let (partition, offset, index, time) = place;
        Evidence {
            pattern: shared(pattern), topic: shared(topic), partition, offset, index, time,
            event_type, correlation_id,
            resource_id, record_hash,
        }
    }
}

prop_compose! {
    fn incident()(
        ids in (hash(), hash(), prop::option::of(hash()), prop::collection::vec(hash(), 0..3)),
        status in prop::sample::select(&Status::ALL[..]),
        close_reason in prop::option::of(prop::sample::select(&CloseReason::ALL[..])),
        category in prop::sample::select(&field::CATEGORIES[..]),
        texts in prop::array::uniform5(text()),
        lists in (prop::collection::vec(text(), 0..3), prop::collection::vec(text(), 0..3)),
        numbers in (any::<i64>(), any::<u8>(), any::<i64>(), 0..i64::MAX as u64, 0..9_u64),
        times in (any::<i64>(), any::<i64>()),
        attributes in prop::collection::btree_map(text(), attribute(), 0..4),
        evidence in prop::collection::vec(evidence(), 0..3),
        flags in any::<(bool, bool, bool)>(),
    ) -> Incident {
        let [rule_id, rule_name, subcategory, impacts, title] = texts;
        let shared = |text: String| Arc::<str>::from(text);
        let all = |texts: Vec<String>| texts.into_iter().map(shared).collect();
        let (incident_id, rule_fingerprint, replaced_by, replaces) = ids;
        let (tactics, techniques) = lists;
        let (revision, severity, window_ms, event_count, trigger_count) = numbers;
        let (first_seen, last_seen) = times;
        let (late, truncated, test) = flags;
        Incident {
            incident_id, revision, status, rule_id: shared(rule_id),
            rule_name: shared(rule_name), rule_fingerprint, severity,
            category: category.into(), subcategory: shared(subcategory), impacts: shared(impacts),
            tactics: all(tactics), techniques: all(techniques), title,
            window_ms, first_seen, last_seen, event_count, trigger_count,
            attributes: attributes.into_iter().map(|(name, value)| (shared(name), value)).collect(),
            evidence, late, close_reason,
            replaced_by, replaces, truncated, test,
        }
    }
}

proptest! {
    #[test]
    fn reads_what_it_wrote(incident in incident()) {
        let reader = Reader::new().expect("the embedded schemas are valid");
        let bytes = Encoding::Avro.encode(&incident);
        prop_assert!(bytes.len() <= incident.bytes());
        prop_assert_eq!(reader.read(&bytes), Ok(incident));
    }

    #[test]
    fn text_is_read_as_well(incident in incident()) {
        let mut incident = incident;
        // What RFC 3339 can say, and JSON's numbers.
        let clamp = |time: i64| time.rem_euclid(250_000_000_000_000);
        incident.first_seen = clamp(incident.first_seen);
        incident.last_seen = clamp(incident.last_seen);
        for evidence in &mut incident.evidence {
            evidence.time = clamp(evidence.time);
        }
        let reader = IncidentReader::new().expect("the embedded schemas are valid");
        for encoding in [Encoding::Avro, Encoding::Json, Encoding::Ocsf] {
            let read = reader.read(&encoding.encode(&incident));
            prop_assert_eq!(read.as_ref(), Ok(&incident), "{:?}", encoding);
        }
    }

    #[test]
    fn json_has_the_same_fields(incident in incident()) {
        let json = Encoding::Json.encode(&incident);
        let parsed: serde_json::Map<_, _> =
            serde_json::from_slice(&json).expect("an incident is valid JSON");
        let fields = field::of_incident(&incident);
        prop_assert_eq!(parsed.len(), fields.len());
        prop_assert!(fields.iter().all(|(name, _)| parsed.contains_key(*name)));
        prop_assert_eq!(&parsed["title"], &serde_json::Value::from(incident.title));
    }
}

/// `schema` without logical types, which the canonical form does not have.
fn strip(schema: &mut serde_json::Value) {
    if let Some(object) = schema.as_object_mut() {
        object.remove("logicalType");
        object.values_mut().for_each(strip);
    }
    schema.as_array_mut().into_iter().flatten().for_each(strip);
}

#[test]
fn fingerprints_are_those_of_the_schemas() {
    for (place, (fingerprint, text)) in SCHEMAS.into_iter().enumerate() {
        let mut json = serde_json::from_str(text).expect("valid JSON");
        strip(&mut json);
        let schema = Schema::parse(&json).expect("valid schema");
        assert_eq!(
            schema.fingerprint::<Rabin>().bytes,
            fingerprint,
            "of SCHEMAS[{place}]"
        );
    }
    assert_eq!(SCHEMAS.last().map(|(_, text)| *text), Some(SCHEMA));
}

#[test]
fn writes_longs_as_avro_does() {
    fn check(number: i64, expected: &[u8]) {
        let mut out = Vec::new();
        long(&mut out, number);
        assert_eq!(out, expected, "{number}");
    }
    check(0, &[0]);
    check(-1, &[1]);
    check(1, &[2]);
    check(-64, &[0x7F]);
    check(64, &[0x80, 0x01]);
    check(
        i64::MAX,
        &[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
    );
    check(
        i64::MIN,
        &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
    );
}

#[test]
fn refuses_what_it_cannot_read() {
    fn check(bytes: &[u8], expected: &str) {
        let reader = Reader::new().expect("valid");
        let error = reader.read(bytes).expect_err("unreadable");
        assert!(error.to_string().contains(expected), "{error}");
    }
    check(b"", "single-object");
    check(b"{\"incident_id\": \"\"}", "single-object");
    check(
        &[0xC3, 1, 1, 2, 3, 4, 5, 6, 7, 8],
        "schema unknown to this version",
    );
    let empty = [&MARK[..], &SCHEMAS[0].0].concat();
    check(&empty, "does not follow its schema");
    let unknown = Unreadable::UnknownSchema([1, 0, 0, 0, 0, 0, 0, 0]);
    assert!(unknown.to_string().contains("0000000000000001"));
}
