use std::sync::Arc;

use super::{OFFSET_MAX, Refusal, admit};
use crate::event::Attributes;
use crate::matches::{self, Input, Match, MatchedRecord, Message, PatternMatch, Section};
use crate::plan::{Limits, Plan, Settings, Source};
use crate::record::{Hash, Position};
use crate::rule;

const RULE: &str = "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns: [{name: P, where: user = 1, \
                    group_by: [user, srcIpAddr], having: SUM(record.n) > 1 AND COUNT(*) > 1}, \
                    {name: Q, where: user = 2, group_by: [user]}]\nrelations: [P.user = Q.user]\n";

const TIME: i64 = 1_767_225_600_000;

fn plan() -> Arc<Plan> {
    let mut attributes = Attributes::default();
    let rules = rule::parse("r", RULE, &mut attributes).unwrap();
    let settings = Settings {
        patience: 900,
        lateness: 7200,
        limits: Limits::DEFAULT,
    };
    let source = Source {
        topic: "s".to_owned(),
        partitions: 3,
        epoch: 2,
        epochs: std::collections::BTreeMap::new(),
    };
    Plan::alone(&rules, &attributes, settings, vec![source]).unwrap()
}

fn position(offset: i64) -> Position {
    Position {
        epoch: 2,
        offset,
        index: 0,
    }
}

fn record(offset: i64) -> MatchedRecord {
    MatchedRecord {
        position: position(offset),
        time: TIME,
        future: false,
        hash: Hash([1; 16]),
        event_type: Some("e".to_owned()),
        correlation_id: None,
        resource_id: None,
        matches: vec![Match {
            rule: 0,
            key: vec![None],
            patterns: vec![PatternMatch {
                pattern: 0,
                group: vec![Some("192.0.2.1".to_owned())],
                inputs: vec![Input::Float(1.5), Input::Present],
                combinations: smallvec::SmallVec::new(),
            }],
        }],
    }
}

fn message(plan: &Plan) -> Message {
    Message {
        plan: plan.hash,
        sections: vec![Section {
            source: 0,
            partition: 2,
            position: position(9),
            time: Some(TIME),
            records: vec![record(3), record(8)],
        }],
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let plan = plan();
    assert!(admit(&matches::encode(&message(&plan)), TIME, &plan).is_ok());
    let check = |expected: Option<&'static str>, change: &dyn Fn(&mut Section)| {
        let mut message = message(&plan);
        change(&mut message.sections[0]);
        let found = admit(&matches::encode(&message), TIME, &plan).err();
        assert_eq!(found, expected.map(Refusal::Impossible));
    };
    let source = Some("a source that its plan does not have");
    check(source, &|section| section.source = 1);
    check(source, &|section| section.source = u32::MAX);
    let partition = Some("a partition that its plan does not have");
    check(partition, &|section| section.partition = 3);
    let epoch = Some("an epoch that its plan does not have");
    check(epoch, &|section| section.position.epoch = 3);
    check(epoch, &|section| section.records[0].position.epoch = 1);
    let offset = Some("an offset that cannot be");
    for cannot_be in [i64::MIN, -2, OFFSET_MAX, i64::MAX] {
        check(offset, &|section| section.position.offset = cannot_be);
    }
    check(offset, &|section| section.records[0].position.offset = -1);
    check(None, &|section| section.position.offset = OFFSET_MAX - 1);
    check(None, &|section| {
        section.position.offset = -1;
        section.records.clear();
    });
    let order = Some("records out of order");
    check(order, &|section| section.position.offset = 7);
    check(order, &|section| section.records.swap(0, 1));
    check(order, &|section| section.records[0] = record(8));
    for time in [i64::MIN, i64::MAX, -(1 << 54)] {
        check(Some("a time that is none"), &|section| {
            section.time = Some(time)
        });
        let event = Some("an event at a time that is none");
        check(event, &|section| section.records[1].time = time);
    }
    let check = |expected: &'static str, change: &dyn Fn(&mut Match)| {
        check(Some(expected), &|section| {
            change(&mut section.records[1].matches[0])
        });
    };
    check("a rule that its plan does not have", &|found| {
        found.rule = 1
    });
    check("a key that is not of its rule", &|found| found.key.clear());
    let pattern = "a pattern that its rule does not have";
    check(pattern, &|found| found.patterns[0].pattern = 2);
    let values = "values that its rule does not have";
    check(values, &|found| found.patterns[0].pattern = 1);
    check(values, &|found| found.patterns[0].group.push(None));
    check(values, &|found| found.patterns[0].inputs.clear());
    check(values, &|found| {
        found.patterns[0].combinations.push(Hash::default())
    });
    check(values, &|found| {
        found.patterns[0].inputs[0] = Input::Float(f64::NAN)
    });
}

#[test]
fn bytes_that_are_no_message_are_refused() {
    let plan = plan();
    let bytes = matches::encode(&message(&plan));
    let check = |bytes: &[u8], timestamp, expected| {
        assert_eq!(admit(bytes, timestamp, &plan).err(), Some(expected));
    };
    for length in 1..bytes.len() {
        check(&bytes[..length], TIME, Refusal::Damaged);
    }
    check(b"", TIME, Refusal::Damaged);
    check(&[bytes.as_slice(), &[0]].concat(), TIME, Refusal::Damaged);
    let mut later = bytes.clone();
    later[0] = 3;
    let other = Refusal::Format { found: 3, plan: 2 };
    check(&later, TIME, other);
    let timestamp = Refusal::Impossible("a timestamp that is none");
    check(&bytes, i64::MAX, timestamp);
    check(&bytes, i64::MIN, timestamp);
    let mut twice = message(&plan);
    twice.sections.push(twice.sections[0].clone());
    let expected = Refusal::Impossible("two parts of one source partition");
    check(&matches::encode(&twice), TIME, expected);
    // A list that says it is longer than memory.
    let claims = [&bytes[..17], &[0xff; 9], &[1]].concat();
    check(&claims, TIME, Refusal::Damaged);
}
