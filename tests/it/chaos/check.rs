//! What must hold of an application's topics, whatever was done to its workers and brokers.
//!
//! A pure function of what stands in them. Nothing that a fenced worker wrote may have been
//! published: it would be a match, a dead letter or a revision that comes twice, or one that does
//! not follow from the log, and each of these is looked for.

mod incidents;
pub mod matches;
pub mod readings;
mod tests;

use std::collections::BTreeMap;

use watchfire::config::Delivery;

use super::dump::Dump;
use super::stream::Sent;
use crate::worker::log::{Log, detect};

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The source topic does not hold what was sent, once each, in order.
    Source,
    /// The detector makes something else of a record than the sender meant.
    Misread,
    MatchLost,
    MatchInvented,
    MatchTwice,
    DeadLetterLost,
    DeadLetterInvented,
    DeadLetterTwice,
    /// A match that was not folded.
    Unfolded,
    RevisionLost,
    RevisionInvented,
    RevisionTwice,
    /// A revision of an incident after a later one.
    Order,
    /// The message's key is not the incident's id.
    Key,
    /// An independent reader decodes something else.
    Decoded,
    /// An incident that was not closed.
    Open,
    IncidentLost,
    IncidentInvented,
}

/// Something that does not hold, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub kind: Kind,
    pub what: String,
}

impl Problem {
    fn new(kind: Kind, what: impl Into<String>) -> Problem {
        let what = what.into();
        Problem { kind, what }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

/// How much was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub records: usize,
    pub matches: usize,
    pub dead_letters: usize,
    pub revisions: usize,
    /// Incidents that stand at the end.
    pub incidents: usize,
}

/// Holds all that must hold. `changing`: the ids of rules that were not always in use, or not
/// always the same, so that the events alone do not say what their incidents are.
pub fn check(
    dump: &Dump,
    sent: &Sent,
    delivery: Delivery,
    changing: &[&str],
) -> Result<Figures, Vec<Problem>> {
    let mut problems = Vec::new();
    source(dump, sent, &mut problems);
    let log = Log::read(&dump.rules, &dump.matches);
    if log.messages.is_empty() {
        problems.push(Problem::new(Kind::MatchLost, "the log is empty"));
        return Err(problems);
    }
    let matches = matches::check(dump, &log, sent, delivery, &mut problems);
    let dead_letters = matches::check_dead_letters(dump, &log, sent, delivery, &mut problems);
    let published = incidents::Published::read(dump, &mut problems);
    published.check_against_log(dump, &log, delivery, &mut problems);
    published.check_order(&mut problems);
    let plan = log.last_plan();
    let events = matches::sections(&detect(&plan, &dump.source));
    let incidents = published.check_against_events(events, &plan, changing, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Figures {
        records: sent.records,
        matches,
        dead_letters,
        revisions: published.len(),
        incidents,
    })
}

fn source(dump: &Dump, sent: &Sent, problems: &mut Vec<Problem>) {
    let mut found: BTreeMap<usize, Vec<&[u8]>> = BTreeMap::new();
    for message in &dump.source {
        let partition = usize::try_from(message.partition).unwrap();
        let values = found.entry(partition).or_default();
        values.push(message.value.as_deref().unwrap_or_default());
    }
    for (partition, values) in sent.values.iter().enumerate() {
        let found = found.remove(&partition).unwrap_or_default();
        if found != *values {
            let there = found.len();
            let mut found = found.into_iter().peekable();
            let places = values.iter().enumerate();
            let missing = places.filter(|(_, value)| found.next_if_eq(&value.as_slice()).is_none());
            let offsets = sent.offsets.get(partition);
            let missing: Vec<Option<&i64>> = missing
                .map(|(place, _)| offsets.and_then(|offsets| offsets.get(place)))
                .collect();
            let sent = values.len();
            let what = format!(
                "partition {partition}: {sent} messages sent, {there} there; missing, by the \
                 offsets that the brokers gave them: {missing:?}"
            );
            problems.push(Problem::new(Kind::Source, what));
        }
    }
}

/// How often each comes.
fn counted<T: Ord>(all: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_insert(0) += 1;
    }
    counts
}
