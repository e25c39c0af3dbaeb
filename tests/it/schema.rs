//! The published schema: described for its readers, and compatible with all that went before.

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use serde_json::Value;
use watchfire::encode::{Encoding, avro};
use watchfire::incident::{AttributeValue, CloseReason, Evidence, Incident, Status};
use watchfire::record::Hash;

/// Fields that no incident can be without; all others have a default.
const REQUIRED: [&str; 6] = [
    "incident_id",
    "revision",
    "status",
    "rule_id",
    "first_seen",
    "last_seen",
];

/// All record fields and named types of a schema, as paths and their JSON.
fn described(path: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
    match schema {
        Value::Array(union) => union
            .iter()
            .for_each(|branch| described(path, branch, found)),
        Value::Object(object) => {
            if object.contains_key("symbols") || object.contains_key("fields") {
                found.push((path.to_owned(), schema.clone()));
            }
            for inner in ["items", "values", "type"] {
                object
                    .get(inner)
                    .into_iter()
                    .for_each(|inner| described(path, inner, found));
            }
            for field in object
                .get("fields")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let path = format!("{path}.{}", field["name"].as_str().unwrap_or("?"));
                found.push((path.clone(), field.clone()));
                described(&path, &field["type"], found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}

#[test]
fn every_field_has_a_doc_and_a_default() {
    let schema: Value = serde_json::from_str(avro::SCHEMA).unwrap();
    let mut found = Vec::new();
    described("Incident", &schema, &mut found);
    assert!(found.len() > 38, "{} found", found.len());
    for (path, part) in found {
        assert!(
            part["doc"].as_str().is_some_and(|doc| doc.len() > 10),
            "{path}: no doc"
        );
        let name = path.trim_start_matches("Incident.");
        let needs_default = part.get("fields").is_none() && !REQUIRED.contains(&name);
        let is_enum_of_required = part.get("symbols").is_some();
        if needs_default || is_enum_of_required {
            assert!(part.get("default").is_some(), "{path}: no default");
        }
    }
}

#[test]
fn schema_reads_and_is_read_by_all_before_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/history");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let number = |path: &std::path::PathBuf| {
        path.file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .parse::<usize>()
            .expect("N.avsc")
    };
    paths.sort_by_key(number);
    let texts: Vec<_> = paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let known = avro::SCHEMAS.map(|(_, text)| text);
    assert_eq!(
        texts, known,
        "avro::SCHEMAS must list all of {folder} in order"
    );
    assert_eq!(
        texts.last().unwrap(),
        avro::SCHEMA,
        "the newest in {folder} is the present one"
    );

    let schemas: Vec<_> = texts
        .iter()
        .map(|text| Schema::parse_str(text).unwrap())
        .collect();
    for (place, older) in schemas.iter().enumerate() {
        for newer in &schemas[place..] {
            assert_eq!(
                SchemaCompatibility::can_read(older, newer),
                Ok(Compatibility::Full)
            );
            assert_eq!(
                SchemaCompatibility::can_read(newer, older),
                Ok(Compatibility::Full)
            );
        }
    }
}

/// An incident in which every field says something.
pub fn sample() -> Incident {
    Incident {
        incident_id: Hash([0x11; 16]),
        revision: 83,
        status: Status::Closed,
        rule_id: "PH_Rule_Sample".into(),
        rule_name: "Sample".into(),
        rule_fingerprint: Hash([0x22; 16]),
        severity: 9,
        category: "Security".into(),
        subcategory: "Execution".into(),
        impacts: "Server".into(),
        tactics: vec!["TA0002".into()],
        techniques: vec!["T1059".into(), "T1078".into()],
        title: "Command by \"mara\"".into(),
        window_ms: 300_000,
        first_seen: 1_772_356_502_000,
        last_seen: 1_772_356_560_000,
        event_count: 3,
        trigger_count: 1,
        attributes: vec![
            (
                "user".into(),
                AttributeValue::Text("mara@contoso.com".into()),
            ),
            ("hostName".into(), AttributeValue::Text("vm-1".into())),
            ("count".into(), AttributeValue::Number(3.0)),
            ("opName".into(), AttributeValue::Null),
        ],
        evidence: vec![Evidence {
            pattern: "Filter".into(),
            topic: "activity".into(),
            partition: 2,
            offset: 70,
            index: 1,
            time: 1_772_356_502_007,
            event_type: Some("MS_EvtHub_sample".into()),
            correlation_id: None,
            resource_id: None,
            record_hash: Hash([0x33; 16]),
        }],
        late: false,
        close_reason: Some(CloseReason::Quiet),
        replaced_by: None,
        replaces: vec![Hash([0x44; 16])],
        truncated: false,
        test: false,
    }
}

#[test]
fn json_stays_as_it_is() {
    let ones = "11111111111111111111111111111111";
    let (twos, threes) = (ones.replace('1', "2"), ones.replace('1', "3"));
    let expected = [
        format!(r#"{{"incident_id":"{ones}","revision":83,"status":"CLOSED""#),
        format!(r#""rule_id":"PH_Rule_Sample","rule_name":"Sample","rule_fingerprint":"{twos}""#),
        r#""severity":9,"severity_band":"HIGH","category":"Security","subcategory":"Execution""#
            .to_owned(),
        r#""impacts":"Server","tactics":["TA0002"],"techniques":["T1059","T1078"]"#.to_owned(),
        r#""title":"Command by \"mara\"","window_ms":300000"#.to_owned(),
        r#""first_seen":"2026-03-01T09:15:02.000Z","last_seen":"2026-03-01T09:16:00.000Z""#
            .to_owned(),
        r#""event_count":3,"trigger_count":1"#.to_owned(),
        r#""attributes":{"count":3,"hostName":"vm-1","opName":null,"user":"mara@contoso.com"}"#
            .to_owned(),
        r#""source":{"user":"mara@contoso.com"},"target":{"hostName":"vm-1"}"#.to_owned(),
        r#""detail":{"count":"3"},"evidence":[{"pattern":"Filter","topic":"activity""#.to_owned(),
        r#""partition":2,"offset":70,"index":1,"time":"2026-03-01T09:15:02.007Z""#.to_owned(),
        r#""event_type":"MS_EvtHub_sample","correlation_id":null,"resource_id":null"#.to_owned(),
        format!(r#""record_hash":"{threes}"}}],"late":false,"close_reason":"QUIET""#),
        format!(
            r#""replaced_by":null,"replaces":["{}"],"truncated":false,"test":false}}"#,
            ones.replace('1', "4")
        ),
    ]
    .join(",");
    assert_eq!(
        String::from_utf8(Encoding::Json.encode(&sample())).unwrap(),
        expected
    );
}

#[test]
fn avro_bytes_stay_as_they_are() {
    let bytes = Encoding::Avro.encode(&sample());
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let golden = include_str!("golden_incident.hex");
    assert_eq!(hex, golden.split_whitespace().collect::<String>());
}

/// Bytes of an older schema are read, with what it does not have as the default says.
#[test]
fn older_bytes_are_still_read() {
    check_older(include_str!("golden_incident.1.hex"));
    check_older(include_str!("golden_incident.2.hex"));
    check_older(include_str!("golden_incident.3.hex"));
}

fn check_older(golden: &str) {
    let digits: Vec<char> = golden.split_whitespace().flat_map(str::chars).collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect();
    let mut expected = sample();
    expected.attributes.sort_by(|a, b| a.0.cmp(&b.0));
    let reader = avro::read::Reader::new().unwrap();
    assert_eq!(reader.read(&bytes), Ok(expected));
}
