//! What the check says of a small dump that is right, and of the same with one thing wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use watchfire::config::Delivery;
use watchfire::detect::{Detector, SourcePartition};
use watchfire::encode::avro::read::Reader;
use watchfire::event::Attributes;
use watchfire::matches;
use watchfire::plan::{Catalogue, Limits, Plan, Settings, Source};
use watchfire::rule::Texts;

use super::incidents::seen;
use super::{Figures, Kind, check};
use crate::chaos::dump::Dump;
use crate::chaos::rules::{CHANGING, Version};
use crate::chaos::stream::{PARTITIONS, Sent, envelope};
use crate::kafka::Message;
use crate::rng::Rng;
use crate::worker::log::Log;

const MATCHES_PARTITIONS: u32 = 2;
const START: i64 = 1_767_225_600_000;

/// A dump as an undisturbed worker leaves it, with what was sent.
fn undisturbed() -> (Dump, Sent) {
    undisturbed_with(&[Version::FIRST])
}

/// The same where the worker has used these rules, one after the other for ten seconds each, and
/// the last ones from then on.
fn undisturbed_with(versions: &[Version]) -> (Dump, Sent) {
    let mut dump = Dump::default();
    let mut catalogue = Catalogue::default();
    let plans = versions
        .iter()
        .map(|version| plan(*version, &mut catalogue, &mut dump));
    let plans: Vec<Arc<Plan>> = plans.collect();
    let mut sent = Sent {
        values: vec![Vec::new(); PARTITIONS],
        ..Sent::default()
    };
    let mut random = Rng::new(1);
    let (mut plan, mut detector) = (Arc::clone(&plans[0]), detector(&plans[0], &sent));
    for second in 0..40 {
        let clock = START + second * 1000;
        if second % 10 == 0
            && let Some(next) = plans.get(second as usize / 10)
        {
            (plan, detector) = (Arc::clone(next), self::detector(next, &sent));
        }
        // The last seconds bring nothing but the clock.
        for _ in 0..if second < 20 { 12 } else { 0 } {
            let partition = random.index(PARTITIONS);
            let value = envelope(&mut random, clock, &mut sent);
            let offset = sent.values[partition].len() as i64;
            let number = partition as u32;
            detector.read(source(number), offset, Some(clock), &value);
            let message = message(number, offset, clock, &value);
            dump.source.push(message);
            sent.values[partition].push(value);
        }
        let ends = (0..PARTITIONS as u32).map(|partition| (source(partition), clock));
        detector.mark(&ends.collect::<Vec<_>>());
        let output = detector.take();
        for (partition, bytes) in output.messages {
            let offset = dump.committed.entry(partition.cast_signed()).or_insert(0);
            dump.matches
                .push(message(partition, *offset, clock, &bytes));
            *offset += 1;
        }
        for letter in output.dead_letters {
            let offset = dump.dead_letters.len() as i64;
            let mut dead = message(0, offset, clock, &letter.bytes);
            let headers = letter.headers(&plan.sources[0].topic).into_iter();
            dead.headers = headers
                .map(|(name, value)| (name.to_owned(), Some(value.into_bytes())))
                .collect();
            dump.dead_letters.push(dead);
        }
    }
    for topic in [&mut dump.source, &mut dump.matches] {
        topic.sort_by_key(|message| (message.partition, message.offset));
    }
    publish(&mut dump);
    (dump, sent)
}

/// A detector that goes on after what was sent.
fn detector(plan: &Arc<Plan>, sent: &Sent) -> Detector {
    let mut detector = Detector::new(Arc::clone(plan), MATCHES_PARTITIONS, 900_000);
    for (partition, values) in (0..).zip(&sent.values) {
        detector.assign(source(partition), values.len() as i64);
    }
    detector
}

/// Writes rules, as a worker does before it uses them.
fn plan(version: Version, catalogue: &mut Catalogue, dump: &mut Dump) -> Arc<Plan> {
    let mut attributes = Attributes::default();
    let texts = Texts {
        rules: vec![("rules.yaml".to_owned(), version.text())],
        ..Texts::default()
    };
    let (rules, _) = texts.parse(&mut attributes).unwrap();
    let settings = Settings {
        patience: 2,
        lateness: 120,
        limits: Limits::DEFAULT,
    };
    let sources = vec![Source {
        topic: "source".to_owned(),
        partitions: PARTITIONS as u32,
        epoch: 0,
        epochs: std::collections::BTreeMap::new(),
    }];
    let draft = catalogue.draft(&rules, &attributes, settings, sources, 0);
    for (key, value) in draft.entries {
        catalogue.read(&key, Some(&value)).unwrap();
        let mut entry = message(0, dump.rules.len() as i64, START, &value);
        entry.key = Some(key.into_bytes());
        dump.rules.push(entry);
    }
    Arc::clone(catalogue.plan(draft.plan).unwrap())
}

/// Publishes what the log says.
fn publish(dump: &mut Dump) {
    let reader = Reader::new().unwrap();
    let published = Log::read(&dump.rules, &dump.matches).published(&dump.committed);
    for (offset, bytes) in published.iter().enumerate() {
        let incident = reader.read(bytes).unwrap();
        let mut message = message(0, offset as i64, START, bytes);
        message.key = Some(incident.incident_id.to_string().into_bytes());
        dump.incidents.push(message);
        dump.datums.push(seen(&incident));
    }
}

fn source(partition: u32) -> SourcePartition {
    SourcePartition {
        source: 0,
        partition,
    }
}

fn message(partition: u32, offset: i64, timestamp: i64, value: &[u8]) -> Message {
    Message {
        partition: partition.cast_signed(),
        offset,
        timestamp: Some(timestamp),
        key: None,
        value: Some(value.to_vec()),
        headers: Vec::new(),
    }
}

/// Writes the first record that matched once more, in the next message of its source partition.
fn repeat_match(dump: &mut Dump) {
    let mut first: Option<(i32, u32, u32, matches::MatchedRecord)> = None;
    for message in &mut dump.matches {
        let mut decoded = matches::decode(message.value.as_deref().unwrap()).unwrap();
        for section in &mut decoded.sections {
            let place = (message.partition, section.source, section.partition);
            match &first {
                None => {
                    let record = section.records.first().cloned();
                    first = record.map(|record| (place.0, place.1, place.2, record));
                    if first.is_some() {
                        break;
                    }
                }
                Some((partition, source, of, record)) if place == (*partition, *source, *of) => {
                    section.records.insert(0, record.clone());
                    message.value = Some(matches::encode(&decoded));
                    return;
                }
                Some(_) => (),
            }
        }
    }
}

/// Changes the first records that matched in the log, in a message that the fold is to see.
fn change_match(dump: &mut Dump, change: impl Fn(&mut Vec<matches::MatchedRecord>)) {
    for message in &mut dump.matches {
        let mut decoded = matches::decode(message.value.as_deref().unwrap()).unwrap();
        let mut sections = decoded.sections.iter_mut();
        if let Some(section) = sections.find(|section| !section.records.is_empty()) {
            change(&mut section.records);
            let last = section.records.last().map(|record| record.position);
            section.position = section.position.max(last.unwrap_or_default());
            message.value = Some(matches::encode(&decoded));
            return;
        }
    }
}

#[test]
fn what_is_right_holds() {
    let (dump, sent) = undisturbed();
    for delivery in [Delivery::ExactlyOnce, Delivery::AtLeastOnce] {
        let figures = check(&dump, &sent, delivery, &[]).unwrap();
        assert_eq!(figures.records, sent.records);
        assert_eq!(figures.dead_letters, sent.broken);
        assert!(
            figures.dead_letters > 5 && figures.incidents > 100,
            "{figures:?}"
        );
        assert!(figures.revisions > figures.incidents, "{figures:?}");
    }
}

#[test]
fn what_is_wrong_is_noticed() {
    type Change = fn(&mut Dump);
    let cases: [(Kind, Option<Delivery>, Change); 15] = [
        (Kind::Source, None, |dump| {
            let last = dump.source.last_mut().unwrap();
            last.value = Some(b"[]".to_vec());
        }),
        (Kind::Misread, None, |dump| drop(dump.source.pop())),
        (Kind::MatchLost, None, |dump| {
            change_match(dump, |records| drop(records.remove(0)));
        }),
        (Kind::MatchInvented, None, |dump| {
            change_match(dump, |records| {
                records.last_mut().unwrap().position.offset += 1000
            });
        }),
        (Kind::MatchTwice, Some(Delivery::ExactlyOnce), |dump| {
            repeat_match(dump);
        }),
        (Kind::DeadLetterLost, None, |dump| {
            drop(dump.dead_letters.pop())
        }),
        (Kind::DeadLetterInvented, None, |dump| {
            dump.dead_letters[0].headers.pop();
        }),
        (Kind::DeadLetterTwice, Some(Delivery::ExactlyOnce), |dump| {
            dump.dead_letters.push(dump.dead_letters[0].clone());
        }),
        (Kind::Unfolded, None, |dump| dump.committed.clear()),
        (Kind::RevisionLost, None, |dump| {
            dump.incidents.remove(5);
            dump.datums.remove(5);
        }),
        (Kind::RevisionInvented, None, |dump| {
            let value = dump.incidents[5].value.as_mut().unwrap();
            *value.last_mut().unwrap() ^= 1;
        }),
        (Kind::RevisionTwice, Some(Delivery::ExactlyOnce), |dump| {
            dump.incidents.push(dump.incidents[5].clone());
            dump.datums.push(dump.datums[5].clone());
        }),
        (Kind::Order, None, |dump| {
            dump.incidents.reverse();
            dump.datums.reverse();
        }),
        (Kind::Key, None, |dump| dump.incidents[5].key = None),
        (Kind::Decoded, None, |dump| dump.datums[5].event_count += 1),
    ];
    let (right, sent) = undisturbed();
    for (kind, only, change) in cases {
        let mut dump = right.clone();
        change(&mut dump);
        for delivery in [Delivery::ExactlyOnce, Delivery::AtLeastOnce] {
            let found = check(&dump, &sent, delivery, &[]);
            let noticed = |problems: &Vec<super::Problem>| problems.iter().any(|p| p.kind == kind);
            let is_noticed = found.as_ref().is_err_and(noticed);
            let expected = only.is_none_or(|only| only == delivery);
            assert_eq!(is_noticed, expected, "{kind:?} {delivery:?}: {found:?}");
        }
    }
}

/// An incident that is neither in the log nor published is still missed, since the events have it.
#[test]
fn what_the_log_lost_is_missed() {
    let (right, sent) = undisturbed();
    let kinds = |dump: &Dump| -> BTreeMap<Kind, usize> {
        let problems = check(dump, &sent, Delivery::ExactlyOnce, &[]).unwrap_err();
        super::counted(problems.into_iter().map(|problem| problem.kind))
    };
    let mut dump = right.clone();
    for _ in 0..20 {
        change_match(&mut dump, Vec::clear);
    }
    (dump.incidents, dump.datums) = (Vec::new(), Vec::new());
    publish(&mut dump);
    let found = kinds(&dump);
    assert!(
        found[&Kind::MatchLost] > 20 && found[&Kind::IncidentLost] > 5,
        "{found:?}"
    );
    assert!(!found.contains_key(&Kind::RevisionLost), "{found:?}");

    let mut dump = right;
    let times = dump.matches.iter().filter_map(|message| message.timestamp);
    let end = times.max().unwrap() - 20_000;
    dump.matches.retain(|message| message.timestamp < Some(end));
    (dump.incidents, dump.datums) = (Vec::new(), Vec::new());
    publish(&mut dump);
    assert!(kinds(&dump)[&Kind::Open] > 5);
}

/// A rule goes out of force with a message that brings matches of others.
#[test]
fn what_is_right_holds_while_rules_change() {
    let without = Version {
        removed: true,
        ..Version::FIRST
    };
    let (dump, sent) = undisturbed_with(&[Version::FIRST, without]);
    let removed = [CHANGING[2]];
    let figures = check(&dump, &sent, Delivery::ExactlyOnce, &removed).unwrap();
    assert!(figures.incidents > 100, "{figures:?}");
    let closed = dump
        .datums
        .iter()
        .filter(|datum| datum.rule_id == removed[0]);
    assert!(closed.count() > 0);
}

#[test]
fn rules_that_changed_are_held_against_the_log_alone() {
    let (right, sent) = undisturbed();
    let mut dump = right;
    repeat_match(&mut dump);
    let rules = dump.datums.iter().map(|datum| datum.rule_id.clone());
    let rules: Vec<String> = rules.collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let figures = check(&dump, &sent, Delivery::AtLeastOnce, &rules);
    assert_ne!(figures.unwrap(), Figures::default());
}
