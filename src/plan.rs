//! What the log names: rules and sources by their hashes, as `<app>.rules` holds them.
//!
//! The topic is compacted. Its keys are `rule/<hash>` and `plan/<hash>`, its values JSON: a
//! [`RuleEntry`] or a [`PlanEntry`]. The hash is that of the value's bytes, so an entry never
//! changes; a plan that is taken into use again is written again, which makes it the newest.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::Attributes;
use crate::record::Hash;
use crate::rule::{self, Rule};
use crate::time::Second;

/// Limits that a rule's results depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Events that an incident names for each pattern.
    pub evidence: u32,
    /// Values that COUNT(DISTINCT) counts exactly.
    pub distinct_values: u32,
}

/// What a rule is worth beyond its text: the configuration's values where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Seconds that what can still become false waits.
    pub patience: Second,
    /// Seconds behind the watermark up to which a match is on time.
    pub lateness: Second,
    /// Limits that results depend on.
    pub limits: Limits,
}

/// A rule in `<app>.rules`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleEntry {
    /// The exact text of the rule's YAML document.
    pub text: String,
    /// The settings that apply to it.
    pub settings: Settings,
    /// Hash of its meaning and settings, computed once by whoever wrote the entry.
    pub fingerprint: Hash,
}

/// A source topic in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The topic's name.
    pub topic: String,
    /// The number of its partitions.
    pub partitions: u32,
    /// Raised each time the topic was made anew.
    pub epoch: u32,
}

/// A plan in `<app>.rules`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanEntry {
    /// Its rules, in the order in which messages number them.
    pub rules: Vec<PlannedRule>,
    /// Its source topics, in the order in which messages number them.
    pub sources: Vec<Source>,
}

/// A rule's place in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRule {
    /// Hash of its [`RuleEntry`].
    pub entry: Hash,
    /// The second from which it has been in use; 0: since the beginning.
    pub since: Second,
}

/// A rule that a plan has loaded.
#[derive(Clone, Debug)]
pub struct LoadedRule {
    /// Hash of its entry in `<app>.rules`.
    pub entry: Hash,
    /// Hash of its meaning: what state belongs to.
    pub fingerprint: Hash,
    /// The settings that apply to it.
    pub settings: Settings,
    /// The rule itself; its attributes lie in the [`Plan::attributes`] of the plan it came with.
    pub rule: Rule,
}

/// A plan with its rules read and checked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Hash of its entry.
    pub hash: Hash,
    /// Its rules with `since`, in the order in which messages number them.
    pub rules: Vec<(Arc<LoadedRule>, Second)>,
    /// Its source topics, in the order in which messages number them.
    pub sources: Vec<Source>,
}

/// Everything that `<app>.rules` holds, as far as it was read.
#[derive(Debug, Default)]
pub struct Catalogue {
    plans: BTreeMap<Hash, Arc<Plan>>,
}

/// What must be written to `<app>.rules`, in this order, before a plan may be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Hash of the plan.
    pub plan: Hash,
    /// Keys and values that the topic lacks; empty when it already says all this, newest last.
    pub entries: Vec<(String, Vec<u8>)>,
}

impl Catalogue {
    /// Takes one entry of the topic, in the topic's order; later plans are newer. A deleted or
    /// unknown key is passed over.
    ///
    /// # Errors
    ///
    /// The entry cannot be read, or its rule has an error: says which and why.
    pub fn read(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), String> {
        let _ = (key, value);
        Ok(())
    }

    /// The plan with this hash.
    pub fn plan(&self, hash: Hash) -> Option<&Arc<Plan>> {
        self.plans.get(&hash)
    }

    /// How often `topic` was made anew (`source/<topic>` entries, written by `topics reset`).
    pub fn epoch(&self, topic: &str) -> u32 {
        let _ = topic;
        0
    }

    /// The key and value that raise the epoch of `topic` by one.
    pub fn raise_epoch(&self, topic: &str) -> (String, Vec<u8>) {
        let _ = topic;
        (String::new(), Vec::new())
    }

    /// The plan of these rules and sources. `minute`: the clock, cut to a minute, in seconds; the
    /// `since` of rules that the newest plan does not have.
    pub fn draft(
        &self,
        rules: &[Rule],
        attributes: &Attributes,
        default: Settings,
        sources: Vec<Source>,
        minute: Second,
    ) -> Draft {
        let _ = (rules, attributes, default, sources, minute, rule::parse);
        Draft { plan: Hash::default(), entries: Vec::new() }
    }
}
