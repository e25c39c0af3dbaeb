//! What one rule and key has matched, as a plain list.

use watchfire::matches::{MatchedRecord, PatternMatch};
use watchfire::plan::LoadedRule;
use watchfire::record::Position;

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

    /// Its share of a pattern, if it passed the pattern's filter.
    pub fn part(&self, pattern: usize) -> Option<&PatternMatch> {
        self.patterns
            .iter()
            .find(|part| part.pattern as usize == pattern)
    }

    /// Whether it has this combination of the pattern's values at a millisecond in `[from, to)`.
    pub fn shows(&self, pattern: usize, like: &PatternMatch, from: i64, to: i64) -> bool {
        (from..to).contains(&self.record.time)
            && self
                .part(pattern)
                .is_some_and(|part| part.combination == like.combination)
    }
}

/// A match among others.
#[derive(Clone, Debug)]
pub struct Among<'a> {
    pub seen: &'a Seen,
    /// The patterns that it matches and for which its values are new, or need not be.
    pub new: Vec<usize>,
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
        let seen_before = |pattern: usize, part: &PatternMatch, from: i64, to: i64| {
            all.iter().any(|other| other.shows(pattern, part, from, to))
        };
        let all = all
            .iter()
            .map(|seen| Among {
                seen,
                new: new_for(rule, seen, &|pattern, part, period| {
                    let time = seen.record.time;
                    !seen_before(pattern, part, time - period, time)
                }),
            })
            .collect();
        Set { rule, key, all }
    }
}

/// The patterns of `seen` that ask for nothing new, or for which `is_new` says so; it is given
/// the pattern, what matched, and the period in milliseconds.
pub fn new_for(
    rule: &LoadedRule,
    seen: &Seen,
    is_new: &dyn Fn(usize, &PatternMatch, i64) -> bool,
) -> Vec<usize> {
    (0..rule.rule.patterns.len())
        .filter(|pattern| {
            let new = &rule.rule.patterns[*pattern].new;
            seen.part(*pattern).is_some_and(|part| {
                new.as_ref()
                    .is_none_or(|new| is_new(*pattern, part, new.period * 1000))
            })
        })
        .collect()
}
