//! What is seen of rules while events are read; for the operator.

use std::collections::BTreeMap;

use super::kinds::Kinds;
use crate::stopwatch::Nanos;
use crate::time::Millis;

/// What was seen of rules and of kinds of data since that was last taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// By place of the rule in the plan.
    pub rules: Vec<OfRule>,
    /// By kind of data.
    pub kinds: Kinds,
}

/// What was seen of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfRule {
    /// Its matches.
    pub matches: u64,
    /// The greatest event time of one.
    pub latest: Option<Millis>,
    /// How long its filters took, about.
    pub filter: Nanos,
}

impl OfRule {
    /// Adds what was seen since.
    pub fn add(&mut self, more: OfRule) {
        self.matches += more.matches;
        self.latest = self.latest.max(more.latest);
        self.filter += more.filter;
    }
}

impl Watched {
    /// Of so many rules nothing.
    pub fn of(rules: usize) -> Watched {
        Watched {
            rules: vec![OfRule::default(); rules],
            kinds: Kinds::default(),
        }
    }

    /// Adds a match of the rule at this place.
    pub fn add_match(&mut self, rule: u32, time: Millis) {
        if let Some(of_rule) = self.rules.get_mut(rule as usize) {
            of_rule.matches += 1;
            of_rule.latest = of_rule.latest.max(Some(time));
        }
    }

    /// Adds how long filters took, by place of the rule.
    pub fn add_times(&mut self, times: &BTreeMap<u32, Nanos>) {
        for (rule, filter) in times {
            if let Some(of_rule) = self.rules.get_mut(*rule as usize) {
                of_rule.filter += filter;
            }
        }
    }

    /// Takes what another one has seen, under the same plan.
    pub fn append(&mut self, more: &mut Watched) {
        for (of_rule, more) in self.rules.iter_mut().zip(&mut more.rules) {
            of_rule.add(std::mem::take(more));
        }
        self.kinds.append(std::mem::take(&mut more.kinds));
    }

    /// Takes what was seen.
    pub fn take(&mut self) -> Watched {
        let none = Watched::of(self.rules.len());
        std::mem::replace(self, none)
    }
}
