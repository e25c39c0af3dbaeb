//! The second stage: folds the matches topic into the state, one log message at a time.
//!
//! The unit of the fold is a message, in two halves: [`advance`] takes what it says of plan,
//! positions and time, which tells the keys that it needs; the shell loads them; [`fold`] adds
//! the matches, evaluates and says what is news. Nothing but the log enters: no clock, no
//! configuration, no batch.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::condition::{self, Horizon};
use crate::episode;
use crate::incident::Incident;
use crate::key::{Caps, Key, KeyId, Origin};
use crate::plan::{LoadedRule, Plan};
use crate::publish;
use crate::shuffle::{self, Match, MatchedRecord, Message};
use crate::state::State;
use crate::time::{FUTURE_MAX, Millis, Second, day_start, second_of};
use crate::watermark::Hearing;

/// A message of the matches topic, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct LogMessage {
    /// Kafka offset.
    pub offset: i64,
    /// The broker's timestamp (LogAppendTime).
    pub timestamp: Millis,
    /// What it says.
    pub message: Message,
}

/// A message half folded: positions, plan and watermark are taken, its keys are known.
#[derive(Debug)]
pub struct Step {
    offset: i64,
    before: Option<Second>,
    /// The watermark after the message, in seconds.
    pub(crate) after: Option<Second>,
    matches: Vec<Accepted>,
    /// Rules that are no longer in force.
    pub(crate) out: Vec<Arc<LoadedRule>>,
    /// How much of what it needs has been asked for.
    pub(crate) asked: Asked,
}

/// How far the loading of a step's keys has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Nothing,
    Rows,
    TimersRows,
}

#[derive(Debug)]
struct Accepted {
    record: MatchedRecord,
    origin: Origin,
    found: Vec<(KeyId, Arc<LoadedRule>, Match)>,
}

impl Step {
    /// The keys that the message's matches belong to.
    pub(crate) fn touched(&self) -> BTreeSet<KeyId> {
        self.matches
            .iter()
            .flat_map(|m| m.found.iter().map(|(id, _, _)| *id))
            .collect()
    }
}

/// Takes what `log` says of plan, positions and time. `plan` is the one that it names.
pub fn advance(state: &mut State, plan: &Arc<Plan>, log: LogMessage) -> Step {
    let before = state.watermark();
    let LogMessage {
        offset,
        timestamp,
        message,
    } = log;
    let mut matches = Vec::new();
    let mut counts = false;
    for section in message.sections {
        let Some(source) = plan.sources.get(section.source as usize) else {
            continue;
        };
        let topic = state.sources.topic(&source.topic);
        let origin = Origin {
            topic,
            partition: section.partition,
        };
        let time = section.time.map(|time| time.min(timestamp));
        let place = (topic, section.partition);
        match state.sources.hear(place, section.position, time, offset) {
            Hearing::Stale => state.counts.repeated += section.records.len() as u64,
            Hearing::Counts(beyond) => {
                counts = true;
                for record in section.records {
                    if beyond.is_some_and(|beyond| record.position <= beyond) {
                        state.counts.repeated += 1;
                    } else {
                        matches.push(accept(state, plan, record, origin, timestamp));
                    }
                }
            }
        }
    }
    if counts {
        state.take_plan(plan);
    }
    let out = state.rules_out();
    if counts {
        state.move_watermark(plan);
    }
    state.applied_through(offset);
    Step {
        offset,
        before,
        after: state.watermark(),
        matches,
        out,
        asked: Asked::Nothing,
    }
}

/// Adds the matches and evaluates what they touch and what is due; says what is news, by rule,
/// key, id and revision. [`State::wants`] must be empty.
pub fn fold(state: &mut State, step: Step) -> Vec<Incident> {
    let mut said: BTreeMap<KeyId, Vec<Incident>> = BTreeMap::new();
    for rule in &step.out {
        close_rule(state, rule, &step, &mut said);
    }
    let mut changed = add(state, &step);
    for id in state.due(step.after) {
        changed.entry(id).or_default();
    }
    for (id, seconds) in changed {
        let news = evaluate(state, id, &seconds, &step);
        said.entry(id).or_default().extend(news);
    }
    let said: Vec<Incident> = said.into_values().flatten().collect();
    state.counts.messages += 1;
    state.counts.published += said.len() as u64;
    said
}

fn accept(
    state: &mut State,
    plan: &Plan,
    mut record: MatchedRecord,
    origin: Origin,
    timestamp: Millis,
) -> Accepted {
    if record.time > timestamp + FUTURE_MAX {
        record.time = timestamp;
        state.counts.future += 1;
    }
    let found = std::mem::take(&mut record.matches)
        .into_iter()
        .filter_map(|found| {
            let (rule, _) = plan.rules.get(found.rule as usize)?;
            let key = shuffle::key_hash(rule.fingerprint, &found.key);
            Some((
                KeyId {
                    rule: rule.fingerprint,
                    key,
                },
                Arc::clone(rule),
                found,
            ))
        })
        .collect();
    Accepted {
        record,
        origin,
        found,
    }
}

/// Adds the step's matches; gives the seconds in which each key changed.
fn add(state: &mut State, step: &Step) -> BTreeMap<KeyId, BTreeSet<Second>> {
    let mut changed: BTreeMap<KeyId, BTreeSet<Second>> = BTreeMap::new();
    for Accepted {
        record,
        origin,
        found,
    } in &step.matches
    {
        let second = second_of(record.time);
        for (id, rule, part) in found {
            state.counts.matches += 1;
            let lateness = rule.settings.lateness;
            if step
                .before
                .is_some_and(|watermark| second < watermark - lateness)
            {
                state.counts.late += 1;
            }
            let limits = rule.settings.limits;
            let caps = Caps {
                evidence: limits.evidence,
                distinct_values: limits.distinct_values,
            };
            let key = state.key_mut(*id);
            if key.values.is_empty() {
                key.values.clone_from(&part.key);
            }
            key.add(&rule.rule, record, part, *origin, caps);
            changed.entry(*id).or_default().insert(second);
        }
    }
    changed
}

/// Says what is news of one key whose panes changed at `seconds`, or that is due.
fn evaluate(
    state: &mut State,
    id: KeyId,
    seconds: &BTreeSet<Second>,
    step: &Step,
) -> Vec<Incident> {
    let Some((rule, since, mut key)) = state.take_key(id) else {
        return Vec::new();
    };
    let horizon = Horizon {
        watermark: step.after,
        since,
    };
    let ranges = affected(&key, &rule, seconds);
    let mut days: BTreeSet<Second> = ranges
        .iter()
        .flat_map(|range| [*range.start(), *range.end()])
        .map(day_start)
        .collect();
    days.extend(days_over(&key, &rule, step.after));
    if key.entry != rule.entry {
        days.extend(episode::days(&key));
        days.extend(key.published.keys().map(|(day, _)| *day));
        key.entry = rule.entry;
    }
    condition::update(&mut key, &rule, horizon, &ranges);
    let news = state.with_moment(&rule, step.offset, |moment| {
        publish::news(id, &mut key, &days, moment)
    });
    state.put_key(id, key);
    news
}

/// The panes whose triggers may differ: those that a changed pane reaches, and the undecided.
fn affected(
    key: &Key,
    rule: &LoadedRule,
    seconds: &BTreeSet<Second>,
) -> Vec<RangeInclusive<Second>> {
    let reached = seconds
        .iter()
        .map(|p| condition::reached_by(&rule.rule, *p));
    let undecided = key.undecided.iter().map(|t| *t..=*t);
    let mut all: Vec<RangeInclusive<Second>> = reached.chain(undecided).collect();
    all.sort_by_key(|range| *range.start());
    let mut ranges: Vec<RangeInclusive<Second>> = Vec::with_capacity(all.len());
    for range in all {
        match ranges.last_mut() {
            Some(last) if range.start() <= last.end() => {
                *last = *last.start()..=*last.end().max(range.end());
            }
            Some(_) | None => ranges.push(range),
        }
    }
    ranges
}

/// The days of open incidents that the watermark may have ended.
fn days_over(key: &Key, rule: &LoadedRule, watermark: Option<Second>) -> BTreeSet<Second> {
    let passed = |last: Second| {
        watermark.is_some_and(|watermark| watermark > episode::over_after(last, rule).0)
    };
    key.published
        .iter()
        .filter(|(_, last)| last.incident.close_reason.is_none())
        .filter(|(_, last)| passed(second_of(last.incident.last_seen)))
        .map(|((day, _), _)| *day)
        .collect()
}

/// Closes the incidents of a rule that is no longer in force, and forgets its keys.
fn close_rule(
    state: &mut State,
    rule: &Arc<LoadedRule>,
    step: &Step,
    said: &mut BTreeMap<KeyId, Vec<Incident>>,
) {
    for id in state.keys_of(rule.fingerprint) {
        let Some(key) = state.forget_key(id) else {
            continue;
        };
        let closed = state.with_moment(rule, step.offset, |moment| {
            publish::close_all(id, &key, moment)
        });
        said.entry(id).or_default().extend(closed);
    }
}
