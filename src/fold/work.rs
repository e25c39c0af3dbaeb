//! What a message does to the state.
//!
//! The unit of the fold is a message, in two halves: [`advance`] takes what it says of plan,
//! positions and time, which tells the keys that it needs; then these are brought through it, in
//! [`slices`](super::slices), and say what is news. Nothing but the log enters: no clock, no
//! configuration, no batch.
//!
//! Keys know nothing of each other. So messages that follow one another may go through each half
//! together, as a [`Run`]: then every key is brought through all of them in one go, while it is
//! in the processor's cache. What comes of it is the same.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::canary::{self, Canary};
use crate::fold::context::Moment;
use crate::fold::episode::say::Sayings;
use crate::fold::evaluate::{self, Accepted, Evaluated, is_late};
use crate::fold::key::KeyId;
use crate::fold::key::pane::{Mark, Origin};
use crate::fold::place::{Cursor, Place, Portion};
use crate::fold::sources::Hearing;
use crate::fold::state::{Counts, Evaluation, Outgoing, State};
use crate::incident::Incident;
use crate::matches::{self, LogMessage, MatchedRecord};
use crate::plan::Plan;
use crate::record::Hash;
use crate::time::{FUTURE_MAX, Millis, Second, second_of};

/// Messages half folded: positions, plan and watermark are taken, their keys are known. The same
/// rules are in force at all of them.
#[derive(Debug)]
pub struct Run {
    /// Never empty, in the order of the log.
    steps: Vec<Step>,
    /// Rules that are no longer in force with the first message.
    out: Vec<Outgoing>,
    /// What is said before this place is not asked for.
    silent_before: Place,
}

/// One message of a run.
#[derive(Debug)]
struct Step {
    moment: Moment,
    matches: Vec<Accepted>,
}

impl Run {
    /// Adds messages that follow. [`State::has_only`] must hold for their plan.
    pub fn append(&mut self, next: Run) {
        let mut next = next.silent_before(self.silent_before);
        self.steps.append(&mut next.steps);
    }

    /// What is said before `place` has been said before, and is not asked for.
    #[must_use]
    pub fn silent_before(mut self, place: Place) -> Run {
        self.silent_before = place;
        for Step { moment, .. } in &mut self.steps {
            moment.silent = moment.offset < place.offset;
        }
        self
    }

    /// The watermark after all messages, in seconds.
    pub(crate) fn after(&self) -> Option<Second> {
        self.steps.last().and_then(|step| step.moment.after)
    }

    /// The rules that are no longer in force, by their fingerprints.
    pub(crate) fn out(&self) -> impl Iterator<Item = Hash> {
        self.out.iter().map(|out| out.rule.fingerprint)
    }

    /// The place of the first message, from `from` on, after which the watermark has passed `due`.
    fn first_after(&self, from: usize, due: Second) -> Option<usize> {
        let steps = self.steps.get(from..).unwrap_or_default();
        let before =
            steps.partition_point(|step| step.moment.after.is_none_or(|after| after <= due));
        (before < steps.len()).then_some(from + before)
    }

    /// What the messages add, by key and in the order of the log.
    pub(crate) fn adds(&self) -> Vec<Add> {
        let mut adds = Vec::new();
        for (step, of_step) in self.steps.iter().enumerate() {
            for (accepted, of_record) in of_step.matches.iter().enumerate() {
                let found = of_record.found.iter().enumerate();
                adds.extend(found.map(|(found, (id, _))| Add {
                    id: *id,
                    step,
                    accepted,
                    found,
                }));
            }
        }
        adds.sort_unstable_by_key(|add| (add.id, add.step, add.accepted, add.found));
        adds
    }

    fn added(&self, add: &Add) -> Option<evaluate::Added<'_>> {
        let accepted = self.steps.get(add.step)?.matches.get(add.accepted)?;
        let (_, found) = accepted.found.get(add.found)?;
        Some(evaluate::Added { accepted, found })
    }
}

/// One match that a run adds to a key: its places in the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Add {
    pub id: KeyId,
    step: usize,
    accepted: usize,
    found: usize,
}

/// What a message brings.
#[derive(Default)]
struct Brought {
    /// Records that count.
    matches: Vec<Accepted>,
    /// Something of it counts.
    counts: bool,
    /// It says how far time has come in a source partition.
    says_times: bool,
    /// The latest time that it says or has a match of.
    latest: Option<Millis>,
}

/// Takes what `log` says of plan, positions and time. `plan` is the one that it names.
pub fn advance(state: &mut State, plan: &Arc<Plan>, log: LogMessage) -> Run {
    let before = state.watermark();
    let offset = log.offset;
    // Then it changes nothing of the rules, and seldom what is needed of the log.
    let is_same_plan = state.has_only(plan);
    let Brought {
        matches,
        counts,
        says_times,
        latest,
    } = hear(state, plan, log);
    if counts && !is_same_plan {
        state.take_plan(plan);
    }
    let out = match counts && is_same_plan {
        true => Vec::new(),
        false => state.rules_out(),
    };
    if counts {
        if says_times || !is_same_plan {
            state.move_watermark(plan);
        }
        state.name_rules(plan);
    }
    let is_new_hour = counts && state.reached(latest.map(second_of), offset, plan);
    state.applied_through(offset);
    if !is_same_plan || is_new_hour || state.watermark() != before || !out.is_empty() {
        state.forget_log();
    }
    state.counts.messages += 1;
    let moment = Moment {
        offset,
        before,
        after: state.watermark(),
        silent: false,
    };
    let step = Step { moment, matches };
    Run {
        steps: vec![step],
        out,
        silent_before: Place::at(0),
    }
}

/// Takes what a message says of source partitions.
fn hear(state: &mut State, plan: &Plan, log: LogMessage) -> Brought {
    let LogMessage {
        offset,
        timestamp,
        message,
    } = log;
    let mut brought = Brought::default();
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
        match state.sources.hear(origin, section.position, time, offset) {
            Hearing::Stale => state.counts.repeated += section.records.len() as u64,
            Hearing::Counts(beyond) => {
                brought.counts = true;
                brought.says_times |= time.is_some();
                brought.latest = brought.latest.max(time);
                for record in section.records {
                    if beyond.is_some_and(|beyond| record.position <= beyond) {
                        state.counts.repeated += 1;
                    } else {
                        let accepted = accept(state, plan, record, origin, timestamp);
                        brought.latest = brought.latest.max(Some(accepted.mark.time));
                        brought.matches.push(accepted);
                    }
                }
            }
        }
    }
    brought
}

/// What a message says of an incident, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// Offset of the message.
    pub offset: i64,
    /// Of which key.
    pub key: KeyId,
    /// Publications of the same key and message that come before.
    pub number: u32,
    /// What is said.
    pub incident: Box<Incident>,
}

impl Publication {
    /// Whether it has been said where everything before `place` has.
    pub fn is_before(&self, place: Place) -> bool {
        let slip = u32::from(canary::is(Canary::CursorOffByOne));
        let said = Portion::Some(self.number + slip);
        let key = self.key;
        Place::within(self.offset, Cursor { key, said }) < place
    }
}

/// What a message says of one key.
struct News {
    offset: i64,
    key: KeyId,
    said: Sayings,
}

impl News {
    /// Notes what is said, as far as it is asked for.
    fn note(self, counts: &mut Counts, run: &Run, all: &mut Vec<Publication>) {
        counts.publish(&self.said);
        let News { offset, key, said } = self;
        let said = (0..).zip(said).map(|(number, incident)| Publication {
            offset,
            key,
            number,
            incident,
        });
        all.extend(said.filter(|publication| !publication.is_before(run.silent_before)));
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
            let key = matches::key_hash(rule.fingerprint, &found.key);
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
    let names = &mut state.names;
    let mark = Mark::of(&record, origin, |text| names.share(text));
    Accepted {
        mark: Arc::new(mark),
        found,
    }
}

/// Brings a key through the messages of a run: those that add to it, and those with which
/// something of it is due. One whose rule is no longer in force is closed.
pub(crate) fn fold_key(
    state: &mut State,
    id: KeyId,
    adds: &[Add],
    run: &Run,
    all: &mut Vec<Publication>,
) {
    let mut outgoing = run.out.iter();
    if let Some(out) = outgoing.find(|out| out.rule.fingerprint == id.rule) {
        close_key(state, id, out, run, all);
        return;
    }
    let Some(Evaluation {
        key,
        context,
        counts,
        excepted,
    }) = state.evaluation(id)
    else {
        return;
    };
    let mut adds = adds.chunk_by(|one, next| one.step == next.step).peekable();
    let mut next = 0;
    loop {
        let matched = adds.peek().and_then(|adds| Some(adds.first()?.step));
        let due = key.due().and_then(|due| run.first_after(next, due));
        let Some(at) = matched.into_iter().chain(due).min() else {
            break;
        };
        let now = adds.next_if(|_| matched == Some(at)).unwrap_or_default();
        if let Some(step) = run.steps.get(at) {
            let added = now.iter().filter_map(|add| run.added(add));
            let added: SmallVec<[evaluate::Added<'_>; 4]> = added.collect();
            let Evaluated {
                said,
                covered,
                capped,
            } = evaluate::fold(key, context, &added, step.moment);
            counts.capped += capped;
            if !step.moment.silent {
                excepted.note(&context.rule.labels.rule_id, &covered);
            }
            let news = News {
                offset: step.moment.offset,
                key: id,
                said,
            };
            news.note(counts, run, all);
        }
        next = at + 1;
    }
    state.changed(id);
}

/// Closes the incidents of a key whose rule is no longer in force, and forgets it.
fn close_key(state: &mut State, id: KeyId, out: &Outgoing, run: &Run, all: &mut Vec<Publication>) {
    let (Some(first), Some(evaluation)) = (run.steps.first(), state.last_evaluation(id, &out.rule))
    else {
        return;
    };
    let Evaluation {
        key,
        context,
        counts,
        excepted: _,
    } = evaluation;
    let said = evaluate::close(key, context, out.reason, first.moment);
    key.forget();
    let news = News {
        offset: first.moment.offset,
        key: id,
        said,
    };
    news.note(counts, run, all);
    state.changed(id);
}
