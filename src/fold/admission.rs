//! Which messages of the matches topic are folded: those that a worker can have written.
//!
//! Whoever may write to the topic can write anything there. What no worker writes is refused: it
//! changes nothing, wherever and however often the log is folded. Whether a message is refused
//! follows from its bytes, its timestamp and the plan that it names, and from nothing else.
//!
//! Everything that is reckoned with later is checked here, so that a fold need not fear numbers.

use std::collections::BTreeSet;

use crate::matches::{self, Input, Match, MatchedRecord, Message, PatternMatch, Section};
use crate::plan::{LoadedRule, Plan, Source};
use crate::record::{Hash, Position};
use crate::time::{self, Millis};

/// No source partition has come so far.
const OFFSET_MAX: i64 = 1 << 62;

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is too short to name a plan.
    Short,
    /// The rules topic, read to its end, does not have its plan.
    UnknownPlan(Hash),
    /// It is of another format than its plan.
    Format {
        /// Its own.
        found: u8,
        /// That of its plan.
        plan: u32,
    },
    /// It cannot be read, or goes on after its end.
    Damaged,
    /// It says what cannot be.
    Impossible(&'static str),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Short => write!(f, "it is too short to be one"),
            Refusal::UnknownPlan(plan) => {
                write!(
                    f,
                    "it names plan {plan}, which the rules topic does not have"
                )
            }
            Refusal::Format { found, plan } => {
                write!(f, "it is of format {found}, its plan of format {plan}")
            }
            Refusal::Damaged => write!(f, "it cannot be read"),
            Refusal::Impossible(what) => write!(f, "it has {what}"),
        }
    }
}

/// The message in `bytes`, which names `plan`; `timestamp`: the broker's.
///
/// # Errors
///
/// No worker has written it.
pub fn admit(bytes: &[u8], timestamp: Millis, plan: &Plan) -> Result<Message, Refusal> {
    match bytes.first() {
        Some(format) if u32::from(*format) != plan.format => {
            return Err(Refusal::Format {
                found: *format,
                plan: plan.format,
            });
        }
        Some(_) | None => (),
    }
    let message = matches::decode(bytes).map_err(|_| Refusal::Damaged)?;
    check(&message, timestamp, plan).map_err(Refusal::Impossible)?;
    Ok(message)
}

fn check(message: &Message, timestamp: Millis, plan: &Plan) -> Result<(), &'static str> {
    hold(message.plan == plan.hash, "another plan")?;
    hold(time::is_usual(timestamp), "a timestamp that is none")?;
    let mut seen = BTreeSet::new();
    for section in &message.sections {
        let source = plan.sources.get(section.source as usize);
        let source = source.ok_or("a source that its plan does not have")?;
        let is_first = seen.insert((section.source, section.partition));
        hold(is_first, "two parts of one source partition")?;
        check_section(section, source, plan)?;
    }
    Ok(())
}

fn check_section(section: &Section, source: &Source, plan: &Plan) -> Result<(), &'static str> {
    let is_there = section.partition < source.partitions;
    hold(is_there, "a partition that its plan does not have")?;
    // Who has read nothing yet says the place before the first offset.
    let epoch = source.epoch_of(section.partition);
    check_position(section.position, epoch, -1)?;
    hold(
        section.time.is_none_or(time::is_usual),
        "a time that is none",
    )?;
    let mut last = None;
    for record in &section.records {
        check_position(record.position, epoch, 0)?;
        let is_next = last < Some(record.position) && record.position <= section.position;
        hold(is_next, "records out of order")?;
        last = Some(record.position);
        check_record(record, plan)?;
    }
    Ok(())
}

fn check_position(position: Position, epoch: u32, least: i64) -> Result<(), &'static str> {
    let is_known = position.epoch == epoch;
    hold(is_known, "an epoch that its plan does not have")?;
    let can_be = (least..OFFSET_MAX).contains(&position.offset);
    hold(can_be, "an offset that cannot be")
}

fn check_record(record: &MatchedRecord, plan: &Plan) -> Result<(), &'static str> {
    hold(
        time::is_usual(record.time),
        "an event at a time that is none",
    )?;
    for found in &record.matches {
        let rule = plan.rules.get(found.rule as usize);
        let (rule, _) = rule.ok_or("a rule that its plan does not have")?;
        check_match(found, rule)?;
    }
    Ok(())
}

fn check_match(found: &Match, rule: &LoadedRule) -> Result<(), &'static str> {
    let rule = &rule.rule;
    hold(
        found.key.len() == rule.join_key.len(),
        "a key that is not of its rule",
    )?;
    for part in &found.patterns {
        let place = part.pattern as usize;
        let pattern = rule.patterns.get(place);
        let pattern = pattern.ok_or("a pattern that its rule does not have")?;
        let places = 0..pattern.group_by.len();
        let beyond = places.filter(|at| rule.key_part(place, *at).is_none());
        let fits = part.group.len() == beyond.count()
            && part.inputs.len() == pattern.aggregates.len()
            && part.combinations.is_empty() == pattern.new.is_none();
        hold(
            fits && are_finite(part),
            "values that its rule does not have",
        )?;
    }
    Ok(())
}

fn are_finite(part: &PatternMatch) -> bool {
    part.inputs.iter().all(|input| match input {
        Input::Several(all) => all.iter().all(is_one),
        Input::Float(_)
        | Input::Absent
        | Input::Present
        | Input::Distinct(_)
        | Input::Integer(_)
        | Input::Text(_) => is_one(input),
    })
}

/// One value, which is finite where it is a number.
fn is_one(input: &Input) -> bool {
    match input {
        Input::Several(_) => false,
        Input::Float(number) => number.is_finite(),
        Input::Absent
        | Input::Present
        | Input::Distinct(_)
        | Input::Integer(_)
        | Input::Text(_) => true,
    }
}

fn hold(holds: bool, what: &'static str) -> Result<(), &'static str> {
    match holds {
        true => Ok(()),
        false => Err(what),
    }
}

#[cfg(test)]
mod tests;
