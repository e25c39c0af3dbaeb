//! Every record is accounted for: as a match in the log, as a dead letter, or as neither.

use std::collections::{BTreeMap, BTreeSet};

use watchfire::config::Delivery;
use watchfire::detect::Output;
use watchfire::matches::{self, Match, Section};
use watchfire::plan::Plan;
use watchfire::record::{Hash, Position};

use super::{Kind, Problem, Sent, counted};
use crate::chaos::dump::Dump;
use crate::worker::log::{Log, detect};

/// A record's match with a rule, whichever version of the rule it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    partition: u32,
    position: Position,
    rule: String,
    key: Vec<Option<String>>,
}

impl Found {
    /// A part of what was found at a position.
    pub fn of(partition: u32, position: Position, part: &Match, plan: &Plan) -> Found {
        Found {
            partition,
            position,
            rule: plan.rules[part.rule as usize].0.rule.id.clone(),
            key: part.key.clone(),
        }
    }

    /// Whether it was read of this partition in this epoch.
    pub fn is_of(&self, partition: i32, epoch: u32) -> bool {
        (self.partition.cast_signed(), self.position.epoch) == (partition, epoch)
    }

    /// That of its message.
    pub fn offset(&self) -> i64 {
        self.position.offset
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Position { offset, index, .. } = self.position;
        let (partition, rule, key) = (self.partition, &self.rule, &self.key);
        write!(f, "{partition}/{offset}/{index} {rule} {key:?}")
    }
}

/// Holds that the log has every match once, under the plan that finds it. A plan that all workers
/// had in use finds what must be there; where plans took turns, that is what all of them find.
pub fn check(
    dump: &Dump,
    log: &Log,
    sent: &Sent,
    delivery: Delivery,
    problems: &mut Vec<Problem>,
) -> usize {
    let plans: BTreeSet<Hash> = log.messages.iter().map(|(_, m)| m.message.plan).collect();
    let found: BTreeMap<Hash, BTreeSet<Found>> = plans
        .into_iter()
        .map(|hash| {
            let plan = log.catalogue.plan(hash).unwrap();
            let output = detect(plan, &dump.source);
            let messages = output.messages.iter();
            let found = messages.flat_map(|(_, bytes)| in_message(bytes, plan));
            (hash, found.collect())
        })
        .collect();
    let mut certain = found.values().next().cloned().unwrap_or_default();
    for other in found.values() {
        certain.retain(|one| other.contains(one));
    }
    let certain_records: BTreeSet<_> = certain.iter().map(|m| (m.partition, m.position)).collect();
    if certain_records.len() != sent.matching {
        let (found, sent) = (certain_records.len(), sent.matching);
        let what = format!("{sent} records were sent that match, {found} are found");
        problems.push(Problem::new(Kind::Misread, what));
    }

    let mut logged = Vec::new();
    for (partition, message) in &log.messages {
        let folded = dump.committed.get(partition).copied().unwrap_or(0);
        let plan = log.catalogue.plan(message.message.plan).unwrap();
        let here = in_sections(&message.message.sections, plan);
        if message.offset >= folded && !here.is_empty() {
            let what = format!("{} at {partition}/{}", here[0], message.offset);
            problems.push(Problem::new(Kind::Unfolded, what));
        }
        for one in &here {
            if !found[&message.message.plan].contains(one) {
                problems.push(Problem::new(Kind::MatchInvented, one.to_string()));
            }
        }
        logged.extend(here);
    }
    let logged = counted(logged);
    for lost in certain.iter().filter(|one| !logged.contains_key(one)) {
        problems.push(Problem::new(Kind::MatchLost, lost.to_string()));
    }
    for (twice, times) in logged.iter().filter(|(_, times)| **times > 1) {
        if delivery == Delivery::ExactlyOnce {
            let what = format!("{twice}: {times} times");
            problems.push(Problem::new(Kind::MatchTwice, what));
        }
    }
    logged.len()
}

fn in_message(bytes: &[u8], plan: &Plan) -> Vec<Found> {
    in_sections(&matches::decode(bytes).unwrap().sections, plan)
}

/// All that was found.
pub fn sections(found: &Output) -> Vec<Section> {
    let messages = found.messages.iter();
    messages
        .flat_map(|(_, bytes)| matches::decode(bytes).unwrap().sections)
        .collect()
}

pub fn in_sections(sections: &[Section], plan: &Plan) -> Vec<Found> {
    let mut found = Vec::new();
    for section in sections {
        for record in &section.records {
            let parts = record.matches.iter();
            found.extend(parts.map(|part| {
                let (partition, position) = (section.partition, record.position);
                Found::of(partition, position, part, plan)
            }));
        }
    }
    found
}

/// A dead letter: what is said of it, and its bytes.
pub type Letter = (BTreeMap<String, String>, Vec<u8>);

/// Holds that every record that cannot be read is in a dead letter, and nothing else is. Returns
/// how many there are.
pub fn check_dead_letters(
    dump: &Dump,
    log: &Log,
    sent: &Sent,
    delivery: Delivery,
    problems: &mut Vec<Problem>,
) -> usize {
    let plan = log.last_plan();
    let expected = refused(detect(&plan, &dump.source), &plan);
    let refused = records(&expected);
    if refused != sent.broken {
        let (found, sent) = (refused, sent.broken);
        let what = format!("{sent} records were sent that cannot be read, {found} are found");
        problems.push(Problem::new(Kind::Misread, what));
    }
    let found = letters(dump);
    for (headers, _) in expected.iter().filter(|letter| !found.contains_key(letter)) {
        problems.push(Problem::new(Kind::DeadLetterLost, format!("{headers:?}")));
    }
    for (letter, times) in &found {
        if !expected.contains(letter) {
            problems.push(Problem::new(
                Kind::DeadLetterInvented,
                format!("{:?}", letter.0),
            ));
        } else if *times > 1 && delivery == Delivery::ExactlyOnce {
            let what = format!("{:?}: {times} times", letter.0);
            problems.push(Problem::new(Kind::DeadLetterTwice, what));
        }
    }
    records(found.keys())
}

/// The dead letters, and how often each is there.
pub fn letters(dump: &Dump) -> BTreeMap<Letter, usize> {
    counted(dump.dead_letters.iter().map(|message| -> Letter {
        let text = |bytes: &Option<Vec<u8>>| {
            String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
        };
        let headers = message.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), text(value)));
        (headers.collect(), message.value.clone().unwrap_or_default())
    }))
}

/// How many records these dead letters carry.
pub fn records<'l>(letters: impl IntoIterator<Item = &'l Letter>) -> usize {
    let letters = letters.into_iter();
    letters
        .filter_map(|(headers, _)| headers.get("records")?.parse::<usize>().ok())
        .sum()
}

/// The dead letters that are made of what was refused.
pub fn refused(output: Output, plan: &Plan) -> BTreeSet<Letter> {
    let letters = output.dead_letters.into_iter().map(|letter| {
        let topic = &plan.sources[letter.source.source as usize].topic;
        let headers = letter.headers(topic).into_iter();
        let headers = headers.map(|(name, value)| (name.to_owned(), value));
        (headers.collect(), letter.bytes)
    });
    letters.collect()
}
