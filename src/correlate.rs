//! The second stage: folds the matches topic into the state, one log message at a time.
//!
//! The unit of the fold is a message, in two halves: [`advance`] takes what it says of plan,
//! positions and time, which tells the keys that it needs; the shell loads them; [`fold`] adds
//! the matches, evaluates and says what is news. Nothing but the log enters: no clock, no
//! configuration, no batch.
//!
//! Keys know nothing of each other. So messages that follow one another may go through each half
//! together, as a [`Run`]: then every key is brought through all of them in one go, while it is
//! in the processor's cache. What comes of it is the same.

use std::collections::BTreeSet;
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

/// Messages half folded: positions, plan and watermark are taken, their keys are known. The same
/// rules are in force at all of them.
#[derive(Debug)]
pub struct Run {
    /// Never empty, in the order of the log.
    steps: Vec<Step>,
    /// Rules that are no longer in force with the first message.
    pub(crate) out: Vec<Arc<LoadedRule>>,
    /// What messages before this offset say is not asked for.
    silent_before: i64,
    /// How much of what it needs has been asked for.
    pub(crate) asked: Asked,
}

/// One message of a run.
#[derive(Debug)]
struct Step {
    offset: i64,
    /// The watermark before the message, in seconds.
    before: Option<Second>,
    /// That after it.
    after: Option<Second>,
    matches: Vec<Accepted>,
}

/// How far the loading of a run's keys has come.
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

/// What one message adds to one key.
struct Added<'r> {
    id: KeyId,
    /// The place of the message in its run.
    step: usize,
    accepted: &'r Accepted,
    found: &'r Match,
}

impl Run {
    /// Adds messages that follow. [`State::has_only`] must hold for their plan.
    pub fn append(&mut self, mut next: Run) {
        self.steps.append(&mut next.steps);
    }

    /// What messages before `offset` say has been said before, and is not asked for.
    #[must_use]
    pub fn silent_before(mut self, offset: i64) -> Run {
        self.silent_before = offset;
        self
    }

    /// The watermark after all messages, in seconds.
    pub(crate) fn after(&self) -> Option<Second> {
        self.steps.last().and_then(|step| step.after)
    }

    /// The keys that the messages' matches belong to.
    pub(crate) fn touched(&self) -> BTreeSet<KeyId> {
        let matches = self.steps.iter().flat_map(|step| &step.matches);
        matches
            .flat_map(|m| m.found.iter().map(|(id, _)| *id))
            .collect()
    }

    /// The place of the first message, from `from` on, after which the watermark has passed `due`.
    fn first_after(&self, from: usize, due: Second) -> Option<usize> {
        let steps = self.steps.get(from..).unwrap_or_default();
        let before = steps.partition_point(|step| step.after.is_none_or(|after| after <= due));
        (before < steps.len()).then_some(from + before)
    }

    /// What the messages add, by key and in the order of the log.
    fn added(&self) -> Vec<Added<'_>> {
        let steps = self.steps.iter().enumerate();
        let mut added: Vec<Added<'_>> = steps
            .flat_map(|(step, s)| s.matches.iter().map(move |accepted| (step, accepted)))
            .flat_map(|(step, accepted)| {
                let found = accepted.found.iter();
                found.map(move |(id, found)| Added {
                    id: *id,
                    step,
                    accepted,
                    found,
                })
            })
            .collect();
        added.sort_by_key(|added| (added.id, added.step));
        added
    }
}

/// Takes what `log` says of plan, positions and time. `plan` is the one that it names.
pub fn advance(state: &mut State, plan: &Arc<Plan>, log: LogMessage) -> Run {
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
    state.forget_log();
    state.counts.messages += 1;
    let step = Step {
        offset,
        before,
        after: state.watermark(),
        matches,
    };
    Run {
        steps: vec![step],
        out,
        silent_before: 0,
        asked: Asked::Nothing,
    }
}

/// Adds the matches and evaluates what they touch and what is due; says what is news, by
/// message, rule, key, id and revision. [`State::wants`] must be empty.
pub fn fold(state: &mut State, run: Run) -> Vec<Incident> {
    let mut said = Vec::new();
    for rule in &run.out {
        close_rule(state, rule, &run, &mut said);
    }
    let mut due = state.due(run.after());
    let added = run.added();
    for of_key in added.chunk_by(|one, next| one.id == next.id) {
        if let Some(Added { id, .. }) = of_key.first() {
            due.remove(id);
            fold_key(state, *id, of_key, &run, &mut said);
        }
    }
    for id in due {
        fold_key(state, id, &[], &run, &mut said);
    }
    said.sort_by_key(|news| (news.step, news.id));
    said.into_iter().flat_map(|news| news.said).collect()
}

/// What a message says of one key.
struct News {
    step: usize,
    id: KeyId,
    said: Vec<Incident>,
}

impl News {
    /// Notes what is said, if it is asked for.
    fn note(state: &mut State, news: News, run: &Run, all: &mut Vec<News>) {
        state.counts.publish(&news.said);
        let step = run.steps.get(news.step);
        let silent = step.is_some_and(|step| step.offset < run.silent_before);
        if !silent && !news.said.is_empty() {
            all.push(news);
        }
    }
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

/// Brings a key through the messages of a run: those that add to it, and those with which
/// something of it is due.
fn fold_key(state: &mut State, id: KeyId, added: &[Added<'_>], run: &Run, all: &mut Vec<News>) {
    let Some((rule, since, mut key)) = state.take_key(id) else {
        return;
    };
    let mut added = added.chunk_by(|one, next| one.step == next.step).peekable();
    let mut next = 0;
    loop {
        let matched = added.peek().and_then(|added| Some(added.first()?.step));
        let due = key.due.and_then(|due| run.first_after(next, due));
        let Some(at) = matched.into_iter().chain(due).min() else {
            break;
        };
        let now = added.next_if(|_| matched == Some(at)).unwrap_or_default();
        if let Some(step) = run.steps.get(at) {
            let said = fold_message(state, (id, &mut key), (&rule, since), (now, step));
            News::note(state, News { step: at, id, said }, run, all);
        }
        next = at + 1;
    }
    state.put_key(id, key);
}

/// Adds a message's matches of one key, and says what is news of it.
fn fold_message(
    state: &mut State,
    (id, key): (KeyId, &mut Key),
    (rule, since): (&Arc<LoadedRule>, Second),
    (added, step): (&[Added<'_>], &Step),
) -> Vec<Incident> {
    settle::catch_up(key, rule, step.before);
    let arrived = add(key, rule, added, step.before);
    let horizon = Horizon {
        watermark: step.after,
        since: key.since,
    };
    let mut changed = condition::update(key, rule, horizon);
    let touched = !arrived.on_time.is_empty() || !arrived.late.is_empty();
    let mut news = Vec::new();
    if touched || !changed.is_empty() || publish::is_over(key, rule, step.after) {
        let horizon = Horizon { since, ..horizon };
        if key.since != since {
            key.since = since;
            changed = changed.with(&condition::update(key, rule, horizon));
        }
        news = evaluate(state, (id, key, rule), (changed, &arrived), (step, horizon));
    }
    settle::settle(key, rule, step.after);
    let patterns = key.view.iter_mut().flat_map(|view| &mut view.patterns);
    state.counts.capped += patterns
        .map(|view| std::mem::take(&mut view.capped))
        .sum::<u64>();
    let view = key.view.as_ref();
    key.due = view.and_then(|view| publish::due(key, view, rule, step.after));
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
fn add(key: &mut Key, rule: &LoadedRule, added: &[Added<'_>], before: Option<Second>) -> Arrived {
    let mut arrived = Arrived::default();
    for Added {
        accepted, found, ..
    } in added
    {
        let Accepted { record, origin, .. } = accepted;
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
fn close_rule(state: &mut State, rule: &Arc<LoadedRule>, run: &Run, all: &mut Vec<News>) {
    let Some(first) = run.steps.first() else {
        return;
    };
    for (id, mut key) in state.forget_rule(rule.fingerprint) {
        settle::catch_up(&mut key, rule, first.before);
        let Some(view) = key.view.take() else {
            continue;
        };
        let said = state.with_moment(rule, (first.offset, first.before), |moment| {
            publish::close_all(id, &key, &view, moment)
        });
        News::note(state, News { step: 0, id, said }, run, all);
    }
}
