use std::sync::Arc;

use super::*;
use crate::decode::Reject;
use crate::event::Attributes;
use crate::fold::admission;
use crate::plan::{Limits, Settings, Source};
use crate::rule;

const RULE: &str = "
id: r
name: R
severity: 5
window: 60s
patterns:
  - name: P
    where: record.properties.body.a = 1
    having: SUM(record.n) > 1
";

const SETTINGS: Settings = Settings {
    patience: 60,
    lateness: 60,
    limits: Limits {
        evidence: 1,
        distinct_values: 1,
        message_bytes: 10_000,
    },
};

/// 2026-03-01T09:00:00Z.
const TIME: Millis = 1_772_355_600_000;

pub(super) fn plan(rule: &str) -> Arc<Plan> {
    let mut attributes = Attributes::default();
    let rules = rule::parse("r", rule, &mut attributes).unwrap();
    let topic = Source {
        topic: "t".to_owned(),
        partitions: 3,
        epoch: 0,
        epochs: std::collections::BTreeMap::new(),
    };
    Plan::alone(&rules, &attributes, SETTINGS, vec![topic]).unwrap()
}

/// What comes of one message.
fn read(payload: &str) -> Output {
    read_with(RULE, payload)
}

fn read_with(rule: &str, payload: &str) -> Output {
    read_at(rule, payload, TIME)
}

/// What comes of one message with a timestamp. What it gives is what correlating workers take.
fn read_at(rule: &str, payload: &str, timestamp: Millis) -> Output {
    let plan = plan(rule);
    let mut detector = Detector::new(Arc::clone(&plan), 1, 10_000);
    let source = SourcePartition {
        source: 0,
        partition: 0,
    };
    detector.assign(source, 0);
    detector.read(source, 0, Some(timestamp), payload.as_bytes());
    let output = detector.take();
    for (_, message) in &output.messages {
        assert_eq!(admission::admit(message, TIME, &plan).map(|_| ()), Ok(()));
    }
    output
}

/// How many records `payload` holds, and how many of them are refused for which reason.
fn check_refused(payload: &str, records: u64, expected: &[(&str, u64)]) -> Output {
    let output = read(payload);
    let given = output.counts.by_reason.given();
    let given: Vec<(&str, u64)> = given.map(|(reject, n)| (reject.reason(), n)).collect();
    assert_eq!(given, expected);
    let rejected = expected.iter().map(|(_, n)| n).sum();
    assert_eq!(
        (output.counts.records, output.counts.rejected),
        (records, rejected)
    );
    let said: u64 = output.dead_letters.iter().map(DeadLetter::records).sum();
    assert_eq!(said, rejected);
    output
}

#[test]
fn each_limit_that_is_hit_is_counted() {
    let large = " ".repeat((64 << 20) + 1);
    check_refused(&large, 1, &[("message-too-large", 1)]);
    let many = format!("[{}]", "{},".repeat(100_002));
    check_refused(&many, 100_001, &[("too-many-records", 1)]);
    let deep = format!("[{{\"a\":{}{}}},{{}}]", "[".repeat(200), "]".repeat(200));
    check_refused(&deep, 2, &[("too-deep", 1)]);

    let body = format!("{{\"x\":{}{},\"a\":1}}", "[".repeat(200), "]".repeat(200));
    let body = serde_json::Value::from(body);
    let counts = read(&format!("{{\"properties\":{{\"body\":{body}}}}}")).counts;
    assert_eq!((counts.hidden, counts.matches, counts.rejected), (1, 1, 0));

    let counts = read(&"{x\n{'a':1},".repeat(200)).counts;
    assert_eq!(counts.unmended, 0);
    let nested = "{x\n".repeat(2000) + &"}\n".repeat(2000);
    assert!(read(&nested).counts.unmended > 0);
}

#[test]
fn neighbours_share_a_dead_letter_that_says_how_many_they_are() {
    let payload = r#"[7,{"n" 1},{"n":2},"x"]"#;
    let output = check_refused(payload, 4, &[("not-json", 1), ("not-an-object", 2)]);
    let letters = output.dead_letters.iter().map(|letter| {
        let headers = letter.headers("t");
        let ours = headers.iter().filter(|(name, _)| !name.starts_with("__"));
        let headers = ours.map(|(name, value)| format!("{name}={value}"));
        let text = String::from_utf8_lossy(&letter.bytes);
        format!("{text} {}", headers.collect::<Vec<_>>().join(" "))
    });
    let letters: Vec<String> = letters.collect();
    let words = "explanation=a record must be a JSON object; this is another value";
    assert_eq!(
        letters,
        [
            format!(
                "7,{{\"n\" 1}} reason=not-an-object {words} \
                 (2 records refused: not-json 1, not-an-object 1) \
                 topic=t partition=0 offset=0 index=0 records=2"
            ),
            format!(
                "\"x\" reason=not-an-object {words} \
                 topic=t partition=0 offset=0 index=3 records=1"
            ),
        ]
    );
}

#[test]
fn records_of_which_an_expression_saw_a_part_are_counted() {
    let check = |filter: &str, expected: u64, matches: u64| {
        let rule = RULE.replace("record.properties.body.a = 1", filter);
        let long = "x".repeat(64 << 10);
        let payload =
            format!(r#"[{{"a":"{long}","b":"y"}},{{"a":"{long}y","b":"{long}y"}},{{"a":"y"}}]"#);
        let counts = read_with(&rule, &payload).counts;
        assert_eq!(
            (counts.partly_matched, counts.matches),
            (expected, matches),
            "{filter}"
        );
    };
    check("record.a REGEXP \"y$\"", 1, 1);
    check("record.a REGEXP \"y$\" OR record.b REGEXP \"y$\"", 1, 2);
    check("record.a NOT REGEXP \"y\"", 1, 2);
    check("EXTRACT(record.a, \"(y)\") = \"y\"", 1, 1);
    check("IF(record.a REGEXP \"^y\", 1, 2) = 1", 1, 1);
    check("record.a ENDS_WITH \"y\"", 0, 2);
}

#[test]
fn numbers_and_timestamps_that_are_none_spoil_no_message() {
    let body = |more: &str| format!("{{\"properties\":{{\"body\":{{\"a\":1}}}}{more}}}");
    for number in ["1e999", "-1e999", "1e308", "\"1e999\"", "[1e999]"] {
        let output = read(&body(&format!(",\"n\":{number}")));
        assert_eq!(output.messages.len(), 1, "{number}");
    }
    for timestamp in [i64::MIN, -1, 0, 1 << 54, i64::MAX] {
        let output = read_at(RULE, &body(""), timestamp);
        assert_eq!(output.counts.by_reason, ByReason::one(Reject::NoTime));
        let output = read_at(RULE, &body(",\"time\":\"2026-03-01T09:00:00Z\""), timestamp);
        assert_eq!((output.messages.len(), output.counts.future), (1, 0));
    }
}

/// What comes of messages that so many lanes read side by side, in batches.
fn read_in_lanes(lanes: usize, batches: &[Vec<(u32, i64, String)>]) -> Vec<Output> {
    let mut detector = Detector::new(plan(RULE), 2, 10_000).with_lanes(lanes);
    let source = |partition| SourcePartition {
        source: 0,
        partition,
    };
    (0..3).for_each(|partition| detector.assign(source(partition), 0));
    let outputs = batches.iter().map(|batch| {
        let messages = batch.iter().map(|(partition, offset, payload)| Incoming {
            source: source(*partition),
            offset: *offset,
            timestamp: Some(TIME),
            payload: payload.as_bytes(),
        });
        let messages: Vec<Incoming<'_>> = messages.collect();
        let mut shares = detector.shares(&messages);
        // The last one is read first: they do not wait for each other.
        while let Some(share) = shares.pop() {
            share.read();
        }
        detector.gather();
        detector.mark(&[]);
        detector.take()
    });
    outputs.collect()
}

#[test]
fn what_is_read_side_by_side_is_as_read_one_by_one() {
    let mut offsets = [0; 3];
    let mut message = |number: usize| {
        let partition = number * 7 % 3;
        let offset = offsets[partition];
        offsets[partition] += 1;
        let record = match number % 5 {
            0 => r#"{"n" 1}"#.to_owned(),
            1 => format!(r#"{{"properties":{{"body":{{"a":2}}}},"n":{number}}}"#),
            _ => format!(r#"{{"properties":{{"body":{{"a":1}}}},"n":{number}}}"#),
        };
        let filler = "x".repeat(number * 131 % 3_000);
        let payload = format!("[{record},{{\"filler\":\"{filler}\"}}]");
        (partition as u32, offset, payload)
    };
    let counts = [0, 1, 200, 3, 500, 60];
    let batches = counts.map(|count| (0..count).map(&mut message).collect());
    let expected = read_in_lanes(1, &batches);
    assert!(expected.iter().any(|output| output.messages.len() > 2));
    for lanes in [2, 3, 7] {
        for (one, other) in expected.iter().zip(read_in_lanes(lanes, &batches)) {
            assert_eq!(one.messages, other.messages);
            assert_eq!(one.dead_letters, other.dead_letters);
            assert_eq!(one.counts, other.counts);
        }
    }
}
