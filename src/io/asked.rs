//! Which rules ask for which kinds of data, and how far rules are.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::detect::kinds::{Kind, Kinds};
use crate::detect::wants::Wants;
use crate::fold::condition::delays;
use crate::plan::{LoadedRule, Plan};
use crate::record::Hash;
use crate::time::Millis;

/// Which filters ask for which kind of data, by place of the rule and of the pattern.
#[derive(Default)]
pub struct Asked {
    wants: Option<(Hash, Wants)>,
    by_kind: BTreeMap<Kind, Vec<(usize, usize)>>,
    /// When data last came that may pass.
    latest: BTreeMap<(usize, usize), Millis>,
}

impl Asked {
    /// Goes by this plan, and what has come so far.
    pub fn follow(&mut self, plan: Option<&Arc<Plan>>, kinds: &Kinds) {
        let Some(plan) = plan else {
            return;
        };
        if self
            .wants
            .as_ref()
            .is_none_or(|(hash, _)| *hash != plan.hash)
        {
            self.by_kind.clear();
            self.wants = Some((plan.hash, Wants::of(plan)));
        }
        let Some((_, wants)) = &self.wants else {
            return;
        };
        self.latest.clear();
        for (kind, came) in kinds.each() {
            if !self.by_kind.contains_key(kind) {
                self.by_kind.insert(kind.clone(), wants.by(kind));
            }
            for filter in self.by_kind.get(kind).into_iter().flatten() {
                let latest = self.latest.entry(*filter).or_insert(Millis::MIN);
                *latest = came.latest.max(*latest);
            }
        }
    }

    /// When data last came that the pattern may match; `None`: none has come.
    pub fn latest(&self, rule: usize, pattern: usize) -> Option<Millis> {
        self.latest.get(&(rule, pattern)).copied()
    }

    /// How many rules ask for a kind.
    pub fn rules_of(&self, kind: &Kind) -> usize {
        let filters = self.by_kind.get(kind).map_or(&[][..], Vec::as_slice);
        let mut rules: Vec<usize> = filters.iter().map(|(rule, _)| *rule).collect();
        rules.dedup();
        rules.len()
    }
}

/// The second up to which all that a rule can say is said, with this watermark.
pub fn evaluated_through(loaded: &LoadedRule, watermark: Option<i64>) -> Option<i64> {
    let waits = delays(loaded).into_iter().max().unwrap_or(0);
    watermark.map(|watermark| watermark - waits - 1)
}
