//! The second stage: folds the matches topic into the state, one log message at a time.
//!
//! The unit of the fold is a message, in two halves: [`advance`] takes what it says of plan,
//! positions and time, which tells the keys that it needs; the shell loads them; [`fold`] adds
//! the matches, evaluates and says what is news. Nothing but the log enters: no clock, no
//! configuration, no batch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::condition::{self, Horizon};
use crate::incident::Incident;
use crate::key::{self, Key, KeyId, Origin};
use crate::late;
use crate::plan::{LoadedRule, Plan};
use crate::publish;
use crate::settle;
use crate::shuffle::{self, Match, MatchedRecord, Message};
use crate::state::State;
use crate::time::{FUTURE_MAX, Millis, Second, second_of};
use crate::watermark::Hearing;
use crate::window::Ranges;

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
    Keys,
    TimersKeys,
}

#[derive(Debug)]
struct Accepted {
    record: MatchedRecord,
    origin: Origin,
    found: Vec<(KeyId, Match)>,
}

impl Step {
    /// The message's matches by key.
    fn by_key(&self) -> BTreeMap<KeyId, Vec<(&Accepted, &Match)>> {
        let mut by_key: BTreeMap<KeyId, Vec<(&Accepted, &Match)>> = BTreeMap::new();
        for accepted in &self.matches {
            for (id, found) in &accepted.found {
                by_key.entry(*id).or_default().push((accepted, found));
            }
        }
        by_key
    }

    /// The keys that the message's matches belong to.
    pub(crate) fn touched(&self) -> BTreeSet<KeyId> {
        self.matches
            .iter()
            .flat_map(|m| m.found.iter().map(|(id, _)| *id))
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
    let mut matches: Vec<Accepted> = Vec::new();
    let mut counts = false;
    let mut greatest = None;
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
                greatest = greatest.max(time);
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
        greatest = greatest.max(matches.iter().map(|m| m.record.time).max());
        state.reached(greatest.map(second_of), offset, plan);
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
    let mut added = step.by_key();
    for id in state.due(step.after) {
        added.entry(id).or_default();
    }
    for (id, matches) in added {
        let news = fold_key(state, id, &matches, &step);
        said.entry(id).or_default().extend(news);
    }
    let said: Vec<Incident> = said.into_values().flatten().collect();
    state.forget_log();
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
            state.counts.matches += 1;
            if is_late(rule, record.time, state.watermark()) {
                state.counts.late += 1;
                if rule.rule.condition.has_absence() {
                    return None;
                }
            }
            let rule = rule.fingerprint;
            Some((KeyId { rule, key }, found))
        })
        .collect();
    Accepted {
        record,
        origin,
        found,
    }
}

/// Adds a message's matches of one key, and says what is news of it.
fn fold_key(
    state: &mut State,
    id: KeyId,
    matches: &[(&Accepted, &Match)],
    step: &Step,
) -> Vec<Incident> {
    let Some((rule, since, mut key)) = state.take_key(id) else {
        return Vec::new();
    };
    settle::catch_up(&mut key, &rule, step.before);
    let arrived = add(&mut key, &rule, matches, step.before);
    let horizon = Horizon {
        watermark: step.after,
        since: key.since,
    };
    let mut changed = condition::update(&mut key, &rule, horizon);
    let touched = !arrived.on_time.is_empty() || !arrived.late.is_empty();
    let mut news = Vec::new();
    if touched || !changed.is_empty() || publish::is_over(&key, &rule, step.after) {
        let horizon = Horizon { since, ..horizon };
        if key.since != since {
            key.since = since;
            changed = changed.with(&condition::update(&mut key, &rule, horizon));
        }
        news = evaluate(
            state,
            (id, &mut key, &rule),
            (changed, &arrived),
            (step, horizon),
        );
    }
    settle::settle(&mut key, &rule, step.after);
    let patterns = key.view.iter_mut().flat_map(|view| &mut view.patterns);
    state.counts.capped += patterns
        .map(|view| std::mem::take(&mut view.capped))
        .sum::<u64>();
    let view = key.view.as_ref();
    key.due = view.and_then(|view| publish::due(&key, view, &rule, step.after));
    state.put_key(id, key);
    news
}

/// Says what is news of a key, in which something has changed at these seconds.
fn evaluate(
    state: &State,
    (id, key, rule): (KeyId, &mut Key, &Arc<LoadedRule>),
    (changed, arrived): (Ranges, &Arrived),
    (step, horizon): (&Step, Horizon),
) -> Vec<Incident> {
    let Some(view) = key.view.take() else {
        return Vec::new();
    };
    let reached = 2 * rule.rule.window - 1;
    let shown = arrived.on_time.iter().map(|p| *p..=p + reached);
    let mut changed = changed.with(&Ranges::union(shown));
    if key.entry != rule.entry {
        changed = Ranges::all();
        key.entry = rule.entry;
    }
    let news = state.with_moment(rule, (step.offset, step.after), |moment| {
        let mut news = publish::news(id, key, &view, &changed, moment);
        if let Some(before) = step.before.filter(|_| !arrived.late.is_empty()) {
            news.extend(late::news(
                id,
                key,
                &arrived.late,
                (before, horizon),
                moment,
            ));
        }
        news.sort_by_key(|incident| (incident.incident_id, incident.revision));
        news
    });
    key.view = Some(view);
    news
}

/// The seconds of a message's matches of one key.
#[derive(Default)]
struct Arrived {
    on_time: BTreeSet<Second>,
    late: BTreeSet<Second>,
}

/// Whether a match is further behind the watermark before its message than is on time.
fn is_late(rule: &LoadedRule, time: Millis, before: Option<Second>) -> bool {
    before.is_some_and(|before| second_of(time) < before - rule.settings.lateness)
}

/// Adds matches to a key; `before` is the watermark before their message.
fn add(
    key: &mut Key,
    rule: &LoadedRule,
    matches: &[(&Accepted, &Match)],
    before: Option<Second>,
) -> Arrived {
    let mut arrived = Arrived::default();
    for (Accepted { record, origin, .. }, found) in matches {
        if key.is_empty() {
            key.values.clone_from(&found.key);
        }
        let second = second_of(record.time);
        match before.filter(|_| is_late(rule, record.time, before)) {
            None => {
                key.add(rule, record, found, *origin);
                arrived.on_time.insert(second);
            }
            Some(before) => {
                let hour = key.late.entry(late::hour(before)).or_default();
                let pane = hour.entry(second).or_default();
                let rank = key::rank(record, *origin);
                pane.add(rule, record, found, (*origin, rank));
                arrived.late.insert(second);
            }
        }
    }
    arrived
}

/// Closes the incidents of a rule that is no longer in force, and forgets its keys.
fn close_rule(
    state: &mut State,
    rule: &Arc<LoadedRule>,
    step: &Step,
    said: &mut BTreeMap<KeyId, Vec<Incident>>,
) {
    for (id, mut key) in state.forget_rule(rule.fingerprint) {
        settle::catch_up(&mut key, rule, step.before);
        let Some(view) = key.view.take() else {
            continue;
        };
        let closed = state.with_moment(rule, (step.offset, step.before), |moment| {
            publish::close_all(id, &key, &view, moment)
        });
        said.entry(id).or_default().extend(closed);
    }
}
