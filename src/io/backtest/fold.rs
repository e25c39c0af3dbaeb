//! The matches of a backtest to incidents, key by key, on several threads.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::matches::{self, CopyKey, Matched, Ordered, PARTS, PREFIX_BYTES};
use crate::explain::{self, KeyExplained};
use crate::fold::key::Alive;
use crate::fold::key::pane::{Event, Mark};
use crate::incident::Incident;
use crate::io::clock;
use crate::io::kafka::client::lock;
use crate::io::progress::{Progress, Unit};
use crate::matches::MatchedRecord;
use crate::plan::{LoadedRule, Plan};
use crate::record::{Hash, Position};
use crate::replay::{self, Within};

/// What is to be made of the matches.
pub struct Wanted<'w> {
    /// The rules that matched.
    pub plan: &'w Plan,
    /// The incidents that are asked for.
    pub within: Within,
    /// Names of the inputs; origins name them by their place.
    pub topics: &'w [Arc<str>],
    /// A rule, by its place, and what it is tried with instead: with the same filters and
    /// aggregates, so that the matches are the same.
    pub sweep: Option<(u32, &'w [LoadedRule])>,
    /// The incident that is to be explained.
    pub explain: Option<Hash>,
    /// So many threads fold.
    pub threads: usize,
}

/// An incident of a backtest.
#[derive(Clone, Debug)]
pub struct Found {
    /// The place of its rule in the plan.
    pub rule: u32,
    /// The values of its join key.
    pub key: Vec<Option<String>>,
    /// It.
    pub incident: Incident,
}

/// What a rule had to do and found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Records that matched, once for each join key, of the times asked for.
    pub matches: u64,
    /// Matches that were read twice: of copies of one record.
    pub copies: u64,
    /// Incidents that began before the times asked for, and went on within.
    pub began_before: u64,
    /// Join keys with an incident.
    pub groups: u64,
    /// Incidents.
    pub incidents: u64,
    /// Time spent on folding.
    pub fold: Duration,
}

/// An incident with what made it.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The place of its rule in the plan.
    pub rule: u32,
    /// It.
    pub incident: Incident,
    /// The matches of its join key, by time.
    pub matches: Vec<Matched>,
    /// What the rule makes of them; it calls each by its place among them.
    pub keys: Vec<KeyExplained>,
}

/// What came of the matches.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    /// By first_seen and id.
    pub incidents: Vec<Found>,
    /// By the place of the rule.
    pub counts: Vec<Counts>,
    /// By what the rule is tried with.
    pub sweep: Vec<Counts>,
    /// The incident that was to be explained, if it was found.
    pub explained: Option<Explained>,
}

/// Folds all matches.
///
/// # Errors
///
/// The disk does not give back what it took.
pub fn fold(ordered: &Ordered, wanted: &Wanted<'_>) -> Result<Folded> {
    let parts = Mutex::new(0..PARTS);
    let progress = Progress::start("folding", Unit::Parts, Some(u64::from(PARTS)));
    let progress = Mutex::new(progress);
    let fold_some = || -> Result<Folded> {
        let mut folding = Folding::new(wanted);
        loop {
            let Some(part) = lock(&parts).next() else {
                return Ok(folding.folded);
            };
            ordered.each_of(part as u8, &mut |key, value| folding.take(key, value))?;
            folding.close();
            lock(&progress).advance(1);
        }
    };
    let mut all = std::thread::scope(|scope| {
        let others: Vec<_> = (1..wanted.threads)
            .map(|_| scope.spawn(fold_some))
            .collect();
        let own = fold_some();
        let others = others.into_iter().map(|other| {
            let folded = other.join();
            folded.unwrap_or_else(|_| Err(anyhow!("a fold panicked; this is a bug in watchfire")))
        });
        let mut all = Folded::default();
        for folded in std::iter::once(own).chain(others) {
            all.add(folded?);
        }
        Ok::<_, anyhow::Error>(all)
    })?;
    progress
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .finish();
    let order = |found: &Found| {
        (
            found.incident.first_seen,
            found.incident.incident_id,
            found.rule,
        )
    };
    all.incidents.sort_by_key(order);
    Ok(all)
}

/// One thread's work.
struct Folding<'w> {
    wanted: &'w Wanted<'w>,
    open: Option<Open>,
    folded: Folded,
}

/// The key whose matches are coming.
struct Open {
    prefix: [u8; PREFIX_BYTES],
    rule: u32,
    since: Instant,
    matches: u64,
    copies: u64,
    began_before: u64,
    /// That of the row before.
    before: Option<CopyKey>,
    /// By the rule itself, then by each that it is tried with.
    keys: Vec<Alive>,
    /// The matches themselves, where something is to be explained.
    kept: Vec<Matched>,
}

impl<'w> Folding<'w> {
    fn new(wanted: &'w Wanted<'w>) -> Folding<'w> {
        let tried = wanted.sweep.as_ref().map_or(0, |(_, tried)| tried.len());
        Folding {
            wanted,
            open: None,
            folded: Folded {
                counts: vec![Counts::default(); wanted.plan.rules.len()],
                sweep: vec![Counts::default(); tried],
                ..Folded::default()
            },
        }
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let prefix = key.first_chunk::<PREFIX_BYTES>();
        let (Some(prefix), Some(rule)) = (prefix, matches::rule_of(key)) else {
            return Err(anyhow!("a match without a key; this is a bug in watchfire"));
        };
        if self.open.as_ref().is_none_or(|open| open.prefix != *prefix) {
            self.close();
        }
        let wanted = self.wanted;
        let open = self.open.get_or_insert_with(|| Open {
            prefix: *prefix,
            rule,
            since: clock::instant(),
            matches: 0,
            copies: 0,
            began_before: 0,
            before: None,
            keys: wanted.rules(rule).map(|_| Alive::default()).collect(),
            kept: Vec::new(),
        });
        let copy = CopyKey::of(key);
        let before = std::mem::replace(&mut open.before, copy);
        if copy.is_some_and(|copy| before.is_some_and(|before| copy.is_copy_of(&before))) {
            open.copies += 1;
            return Ok(());
        }
        let matched = matches::read(value)?;
        open.matches += u64::from(wanted.within.contains(matched.record.time));
        for (key, loaded) in open.keys.iter_mut().zip(wanted.rules(rule)) {
            add(key, loaded, &matched);
        }
        if wanted.explain.is_some() {
            open.kept.push(matched);
        }
        Ok(())
    }

    /// All matches of the open key have come.
    fn close(&mut self) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        let wanted = self.wanted;
        let keys = std::mem::take(&mut open.keys);
        for (number, (key, loaded)) in keys.into_iter().zip(wanted.rules(open.rule)).enumerate() {
            let values = key.stored.head.values.clone();
            let mut incidents = replay::close(loaded, key, wanted.topics);
            let begun = incidents.iter();
            let begun = begun.filter(|incident| wanted.within.begins_before(incident));
            open.began_before = begun.count() as u64;
            incidents.retain(|incident| wanted.within.contains(incident.first_seen));
            match number.checked_sub(1) {
                None => self.found(&mut open, values, incidents),
                Some(tried) => {
                    if let Some(counts) = self.folded.sweep.get_mut(tried) {
                        counts.found(incidents.len());
                    }
                }
            }
        }
    }

    fn found(&mut self, open: &mut Open, key: Vec<Option<String>>, incidents: Vec<Incident>) {
        if let Some(counts) = self.folded.counts.get_mut(open.rule as usize) {
            counts.found(incidents.len());
            counts.matches += open.matches;
            counts.copies += open.copies;
            counts.began_before += open.began_before;
            counts.fold += open.since.elapsed();
        }
        let explain = self.wanted.explain;
        let asked = incidents
            .iter()
            .find(|found| Some(found.incident_id) == explain);
        if let (Some(incident), Some(loaded)) = (asked, self.wanted.rules(open.rule).next()) {
            let matches = std::mem::take(&mut open.kept);
            self.folded.explained = Some(Explained {
                rule: open.rule,
                incident: incident.clone(),
                keys: explain::explain(loaded, &numbered(&matches)),
                matches,
            });
        }
        let found = incidents.into_iter().map(|incident| Found {
            rule: open.rule,
            key: key.clone(),
            incident,
        });
        self.folded.incidents.extend(found);
    }
}

/// The records, each with its place among them as its position.
fn numbered(matches: &[Matched]) -> Vec<MatchedRecord> {
    let numbered = (0_i64..)
        .zip(matches)
        .map(|(offset, matched)| MatchedRecord {
            position: Position {
                offset,
                ..Position::default()
            },
            ..matched.record.clone()
        });
    numbered.collect()
}

fn add(key: &mut Alive, loaded: &LoadedRule, matched: &Matched) {
    let mark = Mark::of(&matched.record, matched.origin(), |text| Arc::from(text));
    let mark = Arc::new(mark);
    for found in &matched.record.matches {
        if key.stored.panes.is_empty() {
            key.stored.head.values.clone_from(&found.key);
        }
        let event = Event::of(loaded, &mark);
        key.add(loaded, event, found);
    }
}

impl Wanted<'_> {
    /// The rule at this place, and what it is tried with.
    fn rules(&self, place: u32) -> impl Iterator<Item = &LoadedRule> {
        let own = self
            .plan
            .rules
            .get(place as usize)
            .map(|(loaded, _)| &**loaded);
        let tried = self.sweep.filter(|(swept, _)| *swept == place);
        own.into_iter()
            .chain(tried.into_iter().flat_map(|(_, tried)| tried))
    }
}

impl Counts {
    /// A key had so many incidents.
    fn found(&mut self, incidents: usize) {
        self.incidents += incidents as u64;
        self.groups += u64::from(incidents > 0);
    }

    fn add(&mut self, more: &Counts) {
        self.matches += more.matches;
        self.copies += more.copies;
        self.began_before += more.began_before;
        self.groups += more.groups;
        self.incidents += more.incidents;
        self.fold += more.fold;
    }
}

impl Folded {
    fn add(&mut self, more: Folded) {
        self.incidents.extend(more.incidents);
        add_counts(&mut self.counts, more.counts);
        add_counts(&mut self.sweep, more.sweep);
        self.explained = self.explained.take().or(more.explained);
    }
}

fn add_counts(counts: &mut Vec<Counts>, more: Vec<Counts>) {
    counts.resize(counts.len().max(more.len()), Counts::default());
    for (known, more) in counts.iter_mut().zip(&more) {
        known.add(more);
    }
}
