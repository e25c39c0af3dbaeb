//! The first stage: events against the rules' filters. What passes is a match; all the rest is
//! forgotten at once.

mod index;
mod outbox;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decode::{Decoded, Decoder};
use crate::event::{Attribute, AttributeId, Attributes, Event, Value};
use crate::plan::Plan;
use crate::record::{Hash, Position};
use crate::rule::{self, Aggregate, Function, Pattern, Rule};
use crate::shuffle::{Input, Match, MatchedRecord, PatternMatch};
use crate::time::{FUTURE_MAX, Millis};
use index::Index;
use outbox::Outbox;

/// A source partition, as the plan numbers topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePartition {
    /// Place of the topic in the plan's sources.
    pub source: u32,
    /// Partition of that topic.
    pub partition: u32,
}

/// A record that could not be used, with what its dead letter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it was read.
    pub source: SourcePartition,
    /// Offset of its message.
    pub offset: i64,
    /// Its place in the message.
    pub index: u32,
    /// Why it was refused: a short word, for machines.
    pub reason: &'static str,
    /// Its bytes as received.
    pub bytes: Vec<u8>,
    /// The bytes were cut at the limit.
    pub cut: bool,
}

/// How much went through since the last [`Detector::take`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Source messages.
    pub messages: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of the messages.
    pub bytes: u64,
    /// Matches: one for each rule and join key a record belongs to.
    pub matches: u64,
    /// Records refused.
    pub rejected: u64,
    /// Records whose time lay in the future.
    pub future: u64,
}

/// What is to be written before the offsets read so far may be committed.
#[derive(Debug, Default)]
pub struct Output {
    /// Partition of the matches topic and bytes; within a partition in this order.
    pub messages: Vec<(u32, Vec<u8>)>,
    /// Records refused.
    pub dead_letters: Vec<DeadLetter>,
    /// How much went through.
    pub counts: Counts,
}

/// How far a source partition was read.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// The last position read.
    position: Position,
    /// The greatest event time seen.
    time: Option<Millis>,
}

/// The first stage: reads source messages, keeps what matched until it is taken.
pub struct Detector {
    matcher: Matcher,
    plan: Arc<Plan>,
    readings: BTreeMap<SourcePartition, Reading>,
    outbox: Outbox,
}

impl Detector {
    /// A detector for `plan`. `message_bytes_max`: what one message of the matches or
    /// dead-letter topic may hold.
    pub fn new(plan: Arc<Plan>, matches_partitions: u32, message_bytes_max: usize) -> Detector {
        Detector {
            matcher: Matcher::new(&plan),
            outbox: Outbox::new(&plan, matches_partitions, message_bytes_max),
            readings: BTreeMap::new(),
            plan,
        }
    }

    /// Begins to read a source partition at `offset` (the next to be read), forgetting what is
    /// known of it.
    pub fn assign(&mut self, source: SourcePartition, offset: i64) {
        self.outbox.forget(source);
        let position = Position {
            epoch: self.epoch(source),
            offset: offset - 1,
            index: u32::MAX,
        };
        self.readings.insert(
            source,
            Reading {
                position,
                time: None,
            },
        );
    }

    /// Stops reading a source partition; what is not taken yet of it is dropped.
    pub fn revoke(&mut self, source: SourcePartition) {
        self.outbox.forget(source);
        self.readings.remove(&source);
    }

    /// Reads one message of an assigned source partition; in order of offsets. `timestamp` is the
    /// message's.
    pub fn read(
        &mut self,
        source: SourcePartition,
        offset: i64,
        timestamp: Option<Millis>,
        payload: &[u8],
    ) {
        let epoch = self.epoch(source);
        let mut latest = None;
        let outbox = &mut self.outbox;
        outbox.counts.messages += 1;
        outbox.counts.bytes += payload.len() as u64;
        let matcher = &mut self.matcher;
        matcher.each_record(payload, timestamp, &mut |found| {
            outbox.counts.records += 1;
            let position = Position {
                epoch,
                offset,
                index: found.index,
            };
            match found.outcome {
                Found::Rejected(reason) => {
                    outbox.reject(source, position, reason, found.bytes);
                }
                Found::Event {
                    time,
                    future,
                    matched,
                } => {
                    outbox.counts.future += u64::from(future);
                    latest = latest.max(Some(time));
                    if let Some(record) = matched {
                        outbox.add(source, MatchedRecord { position, ..record }, found.bytes);
                    }
                }
            }
        });
        if let Some(reading) = self.readings.get_mut(&source) {
            reading.position = Position {
                epoch,
                offset,
                index: u32::MAX,
            };
            reading.time = reading.time.max(latest);
        }
    }

    /// Has watermark entries written for all assigned source partitions. `at_end` holds those
    /// that are read to their end, with the clock as it was before the end was asked for.
    pub fn mark(&mut self, at_end: &[(SourcePartition, Millis)]) {
        for (source, clock) in at_end {
            if let Some(reading) = self.readings.get_mut(source) {
                reading.time = reading.time.max(Some(*clock));
            }
        }
        self.outbox.mark();
    }

    /// Bytes waiting to be taken, about.
    pub fn pending_bytes(&self) -> usize {
        self.outbox.pending_bytes()
    }

    /// Takes everything that has to be written now.
    pub fn take(&mut self) -> Output {
        self.outbox.take(&self.readings)
    }

    fn epoch(&self, source: SourcePartition) -> u32 {
        self.plan
            .sources
            .get(source.source as usize)
            .map_or(0, |source| source.epoch)
    }
}

/// One record of a message and what became of it.
pub struct Record<'m> {
    /// Its place in the message.
    pub index: u32,
    /// Its bytes as received.
    pub bytes: &'m [u8],
    /// What became of it.
    pub outcome: Found,
}

/// What became of a record.
pub enum Found {
    /// It was refused, for this reason.
    Rejected(&'static str),
    /// It is an event.
    Event {
        /// Event time, cut to no later than allowed.
        time: Millis,
        /// Its own time lay in the future.
        future: bool,
        /// What matched; its position is still to be filled in.
        matched: Option<MatchedRecord>,
    },
}

/// The rules of a plan, compiled to be tested against records.
pub struct Matcher {
    decoder: Decoder,
    rules: Vec<Rule>,
    index: Index,
    shown: Shown,
}

/// Attributes that every match carries for its incident's evidence.
#[derive(Clone, Copy, Debug)]
struct Shown {
    event_type: AttributeId,
    correlation_id: AttributeId,
    resource_id: AttributeId,
}

impl Matcher {
    /// The rules of `plan`, in its order.
    pub fn new(plan: &Plan) -> Matcher {
        let mut attributes = Attributes::default();
        let shown = Shown {
            event_type: attributes.intern(Attribute::Named("eventType")),
            correlation_id: attributes.intern(Attribute::Named("correlationId")),
            resource_id: attributes.intern(Attribute::Named("resourceId")),
        };
        // The texts are those that made the plan's rules, so they parse, each to one rule.
        let rules: Vec<Rule> = plan
            .rules
            .iter()
            .filter_map(|(loaded, _)| rule::parse("rule", &loaded.rule.text, &mut attributes).ok())
            .flatten()
            .collect();
        debug_assert_eq!(rules.len(), plan.rules.len());
        Matcher {
            decoder: Decoder::new(&attributes),
            index: Index::new(&rules),
            rules,
            shown,
        }
    }

    /// Calls `each` for every record of a message, in order.
    pub fn each_record<'m>(
        &mut self,
        payload: &'m [u8],
        timestamp: Option<Millis>,
        each: &mut dyn FnMut(Record<'m>),
    ) {
        let Matcher {
            decoder,
            rules,
            index,
            shown,
        } = self;
        let rules = &*rules;
        decoder.decode(
            payload,
            timestamp,
            &mut |Decoded {
                      index: place,
                      bytes,
                      outcome,
                  }| {
                let outcome = match outcome {
                    Err(reject) => Found::Rejected(reject.reason()),
                    Ok(event) => {
                        let (time, future) = not_in_future(event.time, timestamp);
                        let matches = matches(rules, index, *shown, event);
                        let matched =
                            (!matches.is_empty()).then(|| record(*shown, event, bytes, matches));
                        let matched = matched.map(|record| MatchedRecord {
                            time,
                            future,
                            ..record
                        });
                        Found::Event {
                            time,
                            future,
                            matched,
                        }
                    }
                };
                each(Record {
                    index: place,
                    bytes,
                    outcome,
                });
            },
        );
    }
}

fn not_in_future(time: Millis, timestamp: Option<Millis>) -> (Millis, bool) {
    match timestamp {
        Some(timestamp) if time > timestamp + FUTURE_MAX => (timestamp, true),
        Some(_) | None => (time, false),
    }
}

fn record(shown: Shown, event: &Event<'_>, bytes: &[u8], matches: Vec<Match>) -> MatchedRecord {
    let text = |id| event.get(id).map(text_of);
    MatchedRecord {
        position: Position::default(),
        time: event.time,
        future: false,
        hash: Hash::of(bytes),
        event_type: text(shown.event_type),
        correlation_id: text(shown.correlation_id),
        resource_id: text(shown.resource_id),
        matches,
    }
}

fn matches(rules: &[Rule], index: &mut Index, shown: Shown, event: &Event<'_>) -> Vec<Match> {
    let mut matches: Vec<Match> = Vec::new();
    for place in index.candidates(event.get(shown.event_type)) {
        let Some(rule) = rules.get(*place) else {
            continue;
        };
        for (number, pattern) in (0_u32..).zip(&rule.patterns) {
            if pattern.filter.matches(event) {
                add_pattern(
                    &mut matches,
                    (*place as u32, rule),
                    (number, pattern),
                    event,
                );
            }
        }
    }
    matches
}

/// Adds a pattern to the match of its rule and join key, which is made if it is the first.
fn add_pattern(
    matches: &mut Vec<Match>,
    (place, rule): (u32, &Rule),
    (number, pattern): (u32, &Pattern),
    event: &Event<'_>,
) {
    let value = |place: usize| {
        pattern
            .group_by
            .get(place)
            .and_then(|id| key_value(event.get(*id)))
    };
    let in_key: Vec<usize> = rule
        .join_key
        .iter()
        .filter_map(|part| part.places.get(number as usize).copied())
        .collect();
    let key: Vec<Option<String>> = in_key.iter().map(|place| value(*place)).collect();
    let beyond = (0..pattern.group_by.len()).filter(|place| !in_key.contains(place));
    let found = PatternMatch {
        pattern: number,
        group: beyond.map(value).collect(),
        inputs: pattern
            .aggregates
            .iter()
            .map(|aggregate| input(aggregate, event))
            .collect(),
    };
    match matches
        .iter_mut()
        .find(|known| known.rule == place && known.key == key)
    {
        Some(known) => known.patterns.push(found),
        None => matches.push(Match {
            rule: place,
            key,
            patterns: vec![found],
        }),
    }
}

/// What an aggregate reads of an event.
fn input(aggregate: &Aggregate, event: &Event<'_>) -> Input {
    let Some(id) = aggregate.input else {
        return Input::Present;
    };
    let Some(value) = event.get(id) else {
        return Input::Absent;
    };
    match aggregate.function {
        Function::Count => Input::Present,
        Function::CountDistinct => {
            let hash = Hash::of(text_of(value).to_ascii_lowercase().as_bytes());
            Input::Distinct(u64::from_be_bytes(
                hash.0.first_chunk().copied().unwrap_or_default(),
            ))
        }
        Function::Sum | Function::Avg | Function::Min | Function::Max => number(value),
    }
}

fn number(value: &Value<'_>) -> Input {
    match value {
        Value::Integer(value) => Input::Integer(*value),
        Value::Float(value) => Input::Float(*value),
        Value::Text(text) => match (text.trim().parse(), text.trim().parse::<f64>()) {
            (Ok(integer), _) => Input::Integer(integer),
            (Err(_), Ok(float)) if float.is_finite() => Input::Float(float),
            (Err(_), Ok(_) | Err(_)) => Input::Absent,
        },
        Value::Bool(_) => Input::Absent,
        Value::Many(values) => values.first().map_or(Input::Absent, number),
    }
}

/// A value as keys hold it: text in ASCII lower case.
fn key_value(value: Option<&Value<'_>>) -> Option<String> {
    value.map(|value| text_of(value).to_ascii_lowercase())
}

/// A value as text; several values are joined by commas.
fn text_of(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => text.clone().into_owned(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Many(values) => values.iter().map(text_of).collect::<Vec<_>>().join(","),
    }
}
