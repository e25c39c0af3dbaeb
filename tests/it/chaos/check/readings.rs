//! What must hold where a source became other logs: what was read of each is in the matches topic
//! and in the incidents, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchfire::config::Delivery;
use watchfire::matches::{Match, Section};
use watchfire::plan::Plan;

use super::incidents::Published;
use super::matches::{Found, Letter, in_sections, letters, records, refused, sections};
use super::{Figures, Kind, Problem, counted};
use crate::chaos::dump::Dump;
use crate::kafka::Message;
use crate::worker::log::{Log, detect};

/// What is said to have been read of a partition in one epoch.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub epoch: u32,
    pub messages: Vec<Message>,
    /// What stood behind it in the same log. Without transactions some of it may have been found
    /// and written, and not committed.
    pub behind: Vec<Message>,
}

impl Reading {
    /// What of it matches.
    pub fn sections(&self, plan: &Arc<Plan>) -> Vec<Section> {
        self.sections_of(plan, &self.messages)
    }

    fn sections_of(&self, plan: &Arc<Plan>, messages: &[Message]) -> Vec<Section> {
        let mut sections = sections(&detect(plan, messages));
        for section in &mut sections {
            for record in &mut section.records {
                record.position.epoch = self.epoch;
            }
        }
        sections
    }

    /// What matches behind it, as far as it is among what was written.
    fn behind(&self, plan: &Arc<Plan>, written: &BTreeMap<Found, usize>) -> Vec<Section> {
        let mut sections = self.sections_of(plan, &self.behind);
        for section in &mut sections {
            let place = section.partition;
            for record in &mut section.records {
                let position = record.position;
                let is_there = |part: &Match| {
                    let found = Found::of(place, position, part, plan);
                    written.contains_key(&found)
                };
                record.matches.retain(is_there);
            }
        }
        sections
    }
}

/// Holds that what was read is what counts, and that nothing else does.
pub fn check(
    dump: &Dump,
    readings: &[Reading],
    delivery: Delivery,
) -> Result<Figures, Vec<Problem>> {
    let mut problems = Vec::new();
    let log = Log::read(&dump.rules, &dump.matches);
    let plan = log.last_plan();
    let messages = log.messages.iter();
    let logged = counted(messages.flat_map(|(_, log_message)| {
        let plan = log.catalogue.plan(log_message.message.plan).unwrap();
        in_sections(&log_message.message.sections, plan)
    }));
    let (mut events, mut records) = (Vec::new(), 0);
    for reading in readings {
        records += detect(&plan, &reading.messages).counts.records;
        events.extend(reading.sections(&plan));
        if delivery == Delivery::AtLeastOnce {
            events.extend(reading.behind(&plan, &logged));
        }
    }
    let found = in_sections(&events, &plan);
    let matched = found.len();
    let expected: BTreeSet<_> = found.into_iter().collect();
    assert_eq!(expected.len(), matched, "what was read was read once");
    for lost in expected.iter().filter(|one| !logged.contains_key(one)) {
        problems.push(Problem::new(Kind::MatchLost, lost.to_string()));
    }
    for (one, times) in &logged {
        if !expected.contains(one) {
            problems.push(Problem::new(Kind::MatchInvented, one.to_string()));
        } else if *times > 1 && delivery == Delivery::ExactlyOnce {
            let what = format!("{one}: {times} times");
            problems.push(Problem::new(Kind::MatchTwice, what));
        }
    }
    let dead_letters = check_letters(dump, readings, &plan, delivery, &mut problems);
    let published = Published::read(dump, &mut problems);
    published.check_against_log(dump, &log, delivery, &mut problems);
    published.check_order(&mut problems);
    let incidents = published.check_against_events(events, &plan, &[], &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Figures {
        records: usize::try_from(records).unwrap(),
        matches: expected.len(),
        dead_letters,
        revisions: published.len(),
        incidents,
    })
}

/// The same of dead letters, which do not say in which epoch a record was read.
fn check_letters(
    dump: &Dump,
    readings: &[Reading],
    plan: &Arc<Plan>,
    delivery: Delivery,
    problems: &mut Vec<Problem>,
) -> usize {
    let all = readings.iter();
    let expected = all.flat_map(|reading| refused(detect(plan, &reading.messages), plan));
    let expected = counted(expected);
    let behind = readings.iter();
    let behind = behind.flat_map(|reading| refused(detect(plan, &reading.behind), plan));
    let behind: BTreeSet<Letter> = behind.collect();
    let may_come = |letter| delivery == Delivery::AtLeastOnce && behind.contains(letter);
    let found = letters(dump);
    let both: BTreeSet<&Letter> = expected.keys().chain(found.keys()).collect();
    for letter in both {
        let times = |of: &BTreeMap<Letter, usize>| of.get(letter).copied().unwrap_or_default();
        let (expected, found) = (times(&expected), times(&found));
        let what = || format!("{expected} expected, {found} there: {:?}", letter.0);
        if found < expected {
            problems.push(Problem::new(Kind::DeadLetterLost, what()));
        } else if expected == 0 && found > 0 && !may_come(letter) {
            problems.push(Problem::new(Kind::DeadLetterInvented, what()));
        } else if found > expected && delivery == Delivery::ExactlyOnce {
            problems.push(Problem::new(Kind::DeadLetterTwice, what()));
        }
    }
    records(found.keys())
}
