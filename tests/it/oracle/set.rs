//! What one rule and key has matched, as a plain list.

use std::collections::BTreeSet;

use watchfire::matches::{MatchedRecord, PatternMatch};
use watchfire::plan::LoadedRule;
use watchfire::record::{Hash, Position};

/// One record's match of one rule and key.
#[derive(Clone, Debug)]
pub struct Seen {
    pub topic: String,
    pub partition: u32,
    pub record: MatchedRecord,
    pub patterns: Vec<PatternMatch>,
}

impl Seen {
    pub fn second(&self) -> i64 {
        self.record.time.div_euclid(1000)
    }

    /// What tells it from every other event.
    pub fn event(&self) -> (&str, u32, Position) {
        (&self.topic, self.partition, self.record.position)
    }

    /// Its shares of a pattern, if it passed the pattern's filter: one for each group.
    pub fn parts(&self, pattern: usize) -> impl Iterator<Item = &PatternMatch> {
        let parts = self.patterns.iter();
        parts.filter(move |part| part.pattern as usize == pattern)
    }

    /// Whether it passed the pattern's filter.
    pub fn has(&self, pattern: usize) -> bool {
        self.parts(pattern).next().is_some()
    }

    /// Its share of a group of a pattern.
    pub fn part(&self, pattern: usize, group: &[Option<String>]) -> Option<&PatternMatch> {
        self.parts(pattern).find(|part| part.group == group)
    }

    /// Whether it has this combination of the pattern's values at a millisecond in `[from, to)`.
    pub fn shows(&self, pattern: usize, combination: Hash, from: i64, to: i64) -> bool {
        let mut parts = self.parts(pattern);
        (from..to).contains(&self.record.time)
            && parts.any(|part| part.combinations.contains(&combination))
    }
}

/// A match among others.
#[derive(Clone, Debug)]
pub struct Among<'a> {
    pub seen: &'a Seen,
    /// The groups of patterns that it belongs to and for which its values are new, or need not be.
    pub new: BTreeSet<(usize, Vec<Option<String>>)>,
}

/// Matches of one rule and key, looked at together.
pub struct Set<'a> {
    pub rule: &'a LoadedRule,
    pub key: &'a [Option<String>],
    pub all: Vec<Among<'a>>,
}

impl<'a> Set<'a> {
    /// These matches, and no others.
    pub fn of(rule: &'a LoadedRule, key: &'a [Option<String>], all: &'a [Seen]) -> Set<'a> {
        let seen_before = |pattern: usize, combination: Hash, from: i64, to: i64| {
            let mut all = all.iter();
            all.any(|other| other.shows(pattern, combination, from, to))
        };
        let all = all
            .iter()
            .map(|seen| Among {
                seen,
                new: new_for(rule, seen, &|pattern, combination, period| {
                    let time = seen.record.time;
                    !seen_before(pattern, combination, time - period, time)
                }),
            })
            .collect();
        Set { rule, key, all }
    }
}

/// The groups of `seen` that ask for nothing new, or for which `is_new` says so of one of their
/// combinations; it is given the pattern, the combination, and the period in milliseconds.
pub fn new_for(
    rule: &LoadedRule,
    seen: &Seen,
    is_new: &dyn Fn(usize, Hash, i64) -> bool,
) -> BTreeSet<(usize, Vec<Option<String>>)> {
    let parts = seen.patterns.iter().filter(|part| {
        let pattern = part.pattern as usize;
        let new = &rule.rule.patterns[pattern].new;
        let mut combinations = part.combinations.iter();
        new.as_ref().is_none_or(|new| {
            combinations.any(|combination| is_new(pattern, *combination, new.period * 1000))
        })
    });
    let named = parts.map(|part| (part.pattern as usize, part.group.clone()));
    named.collect()
}
