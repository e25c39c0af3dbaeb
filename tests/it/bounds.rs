//! Records with huge values: what comes of them fits, and no incident is lost.

use watchfire::encode::Encoding;
use watchfire::incident::{AttributeValue, Incident};
use watchfire::matches::{self, Input, Match, MatchedRecord, Message, PatternMatch, Section};
use watchfire::time::rfc3339;

use crate::oracle::bounded::value;
use crate::world::{CorrelateWorker, DetectWorker, World};

/// 2026-03-02T10:00:00Z.
const BEGIN: i64 = 1_772_445_600_000;

/// What the client of the brokers takes in one message unless it is told otherwise.
const CLIENT_MAX: usize = 1_000_000;

const RULE: &str = "
id: R
name: R
severity: 5
window: 5m
patterns:
  - { name: P, where: user IS NOT NULL, group_by: [user] }
incident:
  title: $user $user $user $first
  attributes: { user: P.user, first: P.FIRST(record.properties.text), hits: P.COUNT(*) }
";

fn record(second: i64, user: &str, more: &str) -> String {
    let time = rfc3339(BEGIN + second * 1000);
    format!(
        r#"{{"time":"{time}","operationName":"MICROSOFT.TEST/A",{more}"identity":{{"claims":{{
        "upn":"{user}"}}}}}}"#
    )
}

/// What comes of the records under the usual limits, and how many were refused.
fn run(rule: &str, records: &[String]) -> (Vec<Incident>, u64) {
    run_within(900_000, rule, records)
}

/// The same with incidents of so many bytes at most.
fn run_within(most: u32, rule: &str, records: &[String]) -> (Vec<Incident>, u64) {
    let mut world = World::new(BEGIN + 600_000, 1, 1);
    world.settings.limits.evidence = 5;
    world.settings.limits.message_bytes = most;
    world.message_bytes = 900_000;
    let plan = world.plan(rule);
    let mut detect = DetectWorker::new(&world, plan.clone());
    detect.assign(&world, 0);
    for record in records {
        world.produce(0, record.clone().into_bytes());
    }
    while detect.read(&world, 0) {}
    detect.mark(&world);
    let refused = detect.commit(&mut world, true);
    let mut correlate = CorrelateWorker::default();
    correlate.assign(&world, 0);
    correlate.read(&world, 0, usize::MAX);
    correlate.commit_kafka(&mut world, 0);
    let said = world.incidents.concat();
    for incident in said.iter().chain(&world.replay(&plan)) {
        let bytes = Encoding::Avro.encode(incident).len();
        assert!(bytes <= most as usize, "{bytes} bytes");
        assert!(incident.title.chars().count() <= 1_000);
    }
    (said, refused)
}

fn text(incident: &Incident, name: &str) -> String {
    let mut attributes = incident.attributes.iter();
    let found = attributes.find(|(known, _)| **known == *name);
    match found {
        Some((_, AttributeValue::Text(text))) => text.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_record_with_a_huge_user_is_an_incident() {
    let long = format!("M{}@contoso.com", "x".repeat(335_000));
    for user in [&long, &"x".repeat(899_900 - 200)] {
        let (said, refused) = run(RULE, &[record(0, user, ""), record(1, "bob", "")]);
        assert_eq!((said.len(), refused), (2, 0));
        let of_user = said.iter().find(|one| text(one, "user") != "bob").unwrap();
        assert_eq!(text(of_user, "user"), value(&user.to_lowercase()));
        assert!(of_user.truncated);
        assert!(said.iter().any(|one| !one.truncated));
    }
    // One letter that differs makes another user, another case does not.
    let other = format!("{long}x");
    let users = [long.to_uppercase(), long, other];
    let records: Vec<String> = users.iter().map(|user| record(0, user, "")).collect();
    let (said, _) = run(RULE, &records);
    let mut events: Vec<u64> = said.iter().map(|one| one.event_count).collect();
    events.sort_unstable();
    assert_eq!(events, [1, 2]);
}

#[test]
fn evidence_and_titles_with_huge_values_fit() {
    let records: Vec<String> = (0..5)
        .map(|number| {
            let id = format!("/SUBSCRIPTIONS/{number}{}", "R".repeat(210_000));
            let text = "t".repeat(210_000);
            let more = format!(
                r#""resourceId":"{id}","correlationId":"{id}","properties":{{"text":"{text}"}},"#
            );
            record(number, "alice", &more)
        })
        .collect();
    let (said, refused) = run(RULE, &records);
    assert_eq!((said.len(), refused), (1, 0));
    let ids: Vec<String> = said[0]
        .evidence
        .iter()
        .map(|evidence| evidence.resource_id.clone().unwrap().to_string())
        .collect();
    assert_eq!(ids.len(), 5);
    for (number, id) in ids.iter().enumerate() {
        let whole = format!("/SUBSCRIPTIONS/{number}{}", "R".repeat(210_000));
        assert_eq!(*id, value(&whole));
    }
    assert_eq!(text(&said[0], "first"), value(&"t".repeat(210_000)));
    assert!(said[0].truncated);
}

/// A rule whose incidents have more attributes than fit: they are said without the last ones.
#[test]
fn an_incident_with_too_many_attributes_is_said() {
    let names: Vec<String> = (0..200).map(|n| format!("a{n}: P.user")).collect();
    let rule = RULE.replace("hits: P.COUNT(*)", &names.join(", "));
    let records = [record(0, &"x".repeat(100_000), "")];
    let (said, _) = run_within(300_000, &rule, &records);
    let [incident] = &said[..] else {
        panic!("{} incidents", said.len());
    };
    assert!(incident.truncated && incident.evidence.is_empty());
    assert!((140..160).contains(&incident.attributes.len()));
}

/// What one record gives one partition is one message, and is refused where that is too large.
#[test]
fn matches_beyond_a_message_are_refused_and_counted() {
    let rules: Vec<String> = (0..1_000)
        .map(|number| RULE.replace("id: R", &format!("id: R{number}")))
        .collect();
    let user = "x".repeat(5_000);
    let (said, refused) = run(
        &rules.join("---"),
        &[record(0, &user, ""), record(1, "bob", "")],
    );
    assert_eq!((said.len(), refused), (1_000, 1));
}

/// Messages of an older version, or of somebody else, hold what is longer.
#[test]
fn long_texts_of_others_are_bounded_when_they_are_read() {
    let long = "L".repeat(400_000);
    let text = Some(long.clone());
    let found = PatternMatch {
        pattern: 0,
        group: vec![text.clone(), None],
        inputs: vec![Input::Text(long.clone()), Input::Present],
        combinations: smallvec::SmallVec::new(),
    };
    let record = MatchedRecord {
        position: watchfire::record::Position::default(),
        time: 7,
        future: false,
        hash: watchfire::record::Hash::default(),
        event_type: text.clone(),
        correlation_id: text.clone(),
        resource_id: text.clone(),
        matches: vec![Match {
            rule: 0,
            key: vec![text],
            patterns: vec![found],
        }],
    };
    let message = Message {
        plan: watchfire::record::Hash::default(),
        sections: vec![Section {
            source: 0,
            partition: 0,
            position: watchfire::record::Position::default(),
            time: None,
            records: vec![record],
        }],
    };
    let bytes = matches::encode(&message);
    assert!(bytes.len() > CLIENT_MAX);
    let read = matches::decode(&bytes).unwrap();
    assert!(matches::encode(&read).len() < 7_000);
    let record = &read.sections[0].records[0];
    assert_eq!(record.matches[0].key, [Some(value(&long))]);
    assert_eq!(record.resource_id, Some(value(&long)));
    let found = &record.matches[0].patterns[0];
    assert_eq!(found.inputs[0], Input::Text(value(&long)));
    assert_eq!(found.group[0], Some(value(&long)));
}

/// A log in which an older version has written such a value: the worker that could not go on from
/// it does, and what comes after is said, too.
#[test]
fn a_log_with_a_long_key_is_folded() {
    let mut world = World::new(BEGIN + 600_000, 1, 1);
    let plan = world.plan(RULE);
    let mut detect = DetectWorker::new(&world, plan);
    detect.assign(&world, 0);
    for user in ["alice", "bob"] {
        world.produce(0, record(0, user, "").into_bytes());
        detect.read(&world, 0);
        detect.commit(&mut world, true);
    }
    let long = "l".repeat(335_000);
    let mut message = matches::decode(&world.logs[0][0].1).unwrap();
    let found = &mut message.sections[0].records[0];
    found.resource_id = Some(long.clone());
    found.matches[0].key = vec![Some(long.clone())];
    world.logs[0][0].1 = matches::encode(&message);
    let mut correlate = CorrelateWorker::default();
    correlate.assign(&world, 0);
    correlate.read(&world, 0, usize::MAX);
    correlate.commit_kafka(&mut world, 0);
    let users: Vec<String> = world.incidents[0]
        .iter()
        .map(|incident| {
            assert!(Encoding::Avro.encode(incident).len() < 10_000);
            text(incident, "user")
        })
        .collect();
    assert_eq!(users, [value(&long), "bob".to_owned()]);
}
