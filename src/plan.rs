//! What the log names: rules and sources by their hashes, as `<app>.rules` holds them.
//!
//! The topic is compacted. Its keys are `list/<hash>`, `rule/<hash>` and `plan/<hash>`, its values
//! JSON: a [`List`], a [`RuleEntry`] or a [`PlanEntry`]. The hash is that of the value's bytes, so
//! an entry never changes; a plan that is taken into use again is written again, which makes it
//! the newest. Besides them, `source/<topic>` holds a topic's epoch, and `topic/matches` the
//! number of partitions that the matches topic has for good.

pub mod changes;

mod limits;

mod reading;

pub mod retention;

pub mod history;

use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use limits::Limits;
pub use reading::Reading;

use crate::condition::Reach;
use crate::decode;
use crate::event::Attributes;
use crate::record::Hash;
use crate::rule::lists::{List, Lists};
use crate::rule::{self, Rule};
use crate::time::Second;

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
    /// Hash of its meaning and settings, computed once by whoever wrote the entry. What is in the
    /// lists is no part of it: a rule keeps its state when they change.
    pub fingerprint: Hash,
    /// The hashes of the lists that it names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lists: BTreeMap<String, Hash>,
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
    /// How much their messages may ask for.
    #[serde(default, skip_serializing_if = "reading::is_usual")]
    pub decoding: decode::Limits,
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
    /// The rule itself. Its attribute places are its own, not those of a table in use.
    pub rule: Rule,
    /// How far the rule looks.
    pub reach: Reach,
    /// By pattern: how many values each of its aggregates keeps.
    pub caps: Vec<Vec<u32>>,
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
    /// How much their messages may ask for.
    pub decoding: decode::Limits,
}

/// A plan that is detected with.
#[derive(Clone, Debug)]
pub struct InUse {
    /// The plan.
    pub plan: Arc<Plan>,
    /// By source: how many partitions it had when the application began to read it. Those above
    /// came later, so that all that is in them came while it was read.
    pub first_partitions: Vec<u32>,
}

/// Everything that `<app>.rules` holds, as far as it was read.
#[derive(Debug, Default)]
pub struct Catalogue {
    lists: BTreeMap<Hash, Arc<List>>,
    rules: BTreeMap<Hash, Arc<LoadedRule>>,
    plans: BTreeMap<Hash, Arc<Plan>>,
    newest: Option<Hash>,
    epochs: BTreeMap<String, u32>,
    matches_partitions: Option<u32>,
}

/// What must be written to `<app>.rules`, in this order, before a plan may be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Hash of the plan.
    pub plan: Hash,
    /// Keys and values that the topic lacks; empty when it already says all this, newest last.
    pub entries: Vec<(String, Vec<u8>)>,
}

#[derive(Serialize, Deserialize)]
struct EpochEntry {
    epoch: u32,
}

#[derive(Serialize, Deserialize)]
struct TopicEntry {
    partitions: u32,
}

/// The key of the entry that holds the matches topic's number of partitions.
const MATCHES: &str = "topic/matches";

impl Catalogue {
    /// Takes one entry of the topic, in the topic's order; later plans are newer. A deleted or
    /// unknown key is passed over.
    ///
    /// # Errors
    ///
    /// The entry cannot be read, or its rule has an error: says which and why.
    pub fn read(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), String> {
        let (Some((kind, name)), Some(value)) = (key.split_once('/'), value) else {
            return Ok(());
        };
        match kind {
            "list" => List::from_json(value).map(|list| {
                self.lists.insert(Hash::of(value), Arc::new(list));
            }),
            "rule" => self.read_rule(Hash::of(value), value),
            "plan" => self.read_plan(Hash::of(value), value),
            "source" => serde_json::from_slice(value)
                .map(|EpochEntry { epoch }| {
                    self.epochs.insert(name.to_owned(), epoch);
                })
                .map_err(|error| error.to_string()),
            "topic" if key == MATCHES => serde_json::from_slice(value)
                .map(|TopicEntry { partitions }| self.matches_partitions = Some(partitions))
                .map_err(|error| error.to_string()),
            _ => Ok(()),
        }
        .map_err(|error| format!("entry {key}: {error}"))
    }

    /// The plan with this hash.
    pub fn plan(&self, hash: Hash) -> Option<&Arc<Plan>> {
        self.plans.get(&hash)
    }

    /// The rule whose entry has this hash.
    pub fn rule(&self, entry: Hash) -> Option<&Arc<LoadedRule>> {
        self.rules.get(&entry)
    }

    /// How often `topic` was made anew (`source/<topic>` entries, written by `topics reset`).
    pub fn epoch(&self, topic: &str) -> u32 {
        self.epochs.get(topic).copied().unwrap_or(0)
    }

    /// The key and value that raise the epoch of `topic` by one.
    pub fn raise_epoch(&self, topic: &str) -> (String, Vec<u8>) {
        let entry = EpochEntry {
            epoch: self.epoch(topic) + 1,
        };
        (format!("source/{topic}"), json(&entry))
    }

    /// The number of partitions of the matches topic, which never changes; `None`: the
    /// application has never run.
    pub fn matches_partitions(&self) -> Option<u32> {
        self.matches_partitions
    }

    /// The key and value that fix the number of partitions of the matches topic.
    pub fn fix_matches_partitions(partitions: u32) -> (String, Vec<u8>) {
        (MATCHES.to_owned(), json(&TopicEntry { partitions }))
    }

    /// A plan of this catalogue, with what detecting with it needs besides.
    pub fn in_use(&self, plan: Arc<Plan>) -> InUse {
        let first = |source: &Source| {
            let all = self.plans.values().flat_map(|plan| &plan.sources);
            let same = all.filter(|s| s.topic == source.topic && s.epoch == source.epoch);
            same.map(|source| source.partitions)
                .min()
                .unwrap_or(source.partitions)
        };
        InUse {
            first_partitions: plan.sources.iter().map(first).collect(),
            plan,
        }
    }

    /// The plan of these rules and sources. `minute`: the clock, cut to a minute, in seconds; the
    /// `since` of rules that the newest plan does not have.
    pub fn draft(
        &self,
        rules: &[Rule],
        attributes: &Attributes,
        default: Settings,
        reading: impl Into<Reading>,
        minute: Second,
    ) -> Draft {
        let Reading { sources, decoding } = reading.into();
        let mut entries = Vec::new();
        let mut planned = Vec::new();
        for rule in rules {
            let entry = RuleEntry::new(rule, attributes, default);
            let value = json(&entry);
            let hash = Hash::of(&value);
            planned.push(PlannedRule {
                entry: hash,
                since: self.since(entry.fingerprint, minute),
            });
            if !self.rules.contains_key(&hash) {
                self.draft_lists(rule, &mut entries);
                entries.push((format!("rule/{hash}"), value));
            }
        }
        let value = json(&PlanEntry {
            rules: planned,
            sources,
            decoding,
        });
        let plan = Hash::of(&value);
        if self.newest != Some(plan) {
            entries.push((format!("plan/{plan}"), value));
        }
        Draft { plan, entries }
    }

    /// The lists that a rule names, where neither the topic nor these entries have them.
    fn draft_lists(&self, rule: &Rule, entries: &mut Vec<(String, Vec<u8>)>) {
        for (_, list) in rule.lists.iter() {
            let value = list.to_json();
            let hash = Hash::of(&value);
            let key = format!("list/{hash}");
            if !self.lists.contains_key(&hash) && entries.iter().all(|(known, _)| *known != key) {
                entries.push((key, value));
            }
        }
    }

    /// What the newest plan says of a rule of this meaning, else `minute`; 0 without any plan.
    fn since(&self, fingerprint: Hash, minute: Second) -> Second {
        match self.newest.and_then(|newest| self.plans.get(&newest)) {
            None => 0,
            Some(newest) => newest
                .rules
                .iter()
                .find(|(rule, _)| rule.fingerprint == fingerprint)
                .map_or(minute, |(_, since)| *since),
        }
    }

    fn read_rule(&mut self, hash: Hash, value: &[u8]) -> Result<(), String> {
        if let btree_map::Entry::Vacant(place) = self.rules.entry(hash) {
            let entry: RuleEntry = serde_json::from_slice(value).map_err(|e| e.to_string())?;
            let lists = lists_of(&entry, &self.lists)?;
            place.insert(Arc::new(LoadedRule::new(hash, &entry, &lists)?));
        }
        Ok(())
    }

    fn read_plan(&mut self, hash: Hash, value: &[u8]) -> Result<(), String> {
        let entry: PlanEntry = serde_json::from_slice(value).map_err(|e| e.to_string())?;
        let rules = entry
            .rules
            .iter()
            .map(|planned| {
                let rule = self.rules.get(&planned.entry);
                let rule = rule.ok_or(format!("it names rule {}, not there", planned.entry))?;
                Ok((Arc::clone(rule), planned.since))
            })
            .collect::<Result<_, String>>()?;
        self.plans.insert(
            hash,
            Arc::new(Plan {
                hash,
                rules,
                sources: entry.sources,
                decoding: entry.decoding,
            }),
        );
        self.newest = Some(hash);
        Ok(())
    }
}

impl Plan {
    /// The plan of these rules that no topic holds: for backtests and tests of rules.
    ///
    /// # Errors
    ///
    /// A rule's text is not exactly one valid rule, as those that were parsed are.
    pub fn alone(
        rules: &[Rule],
        attributes: &Attributes,
        settings: Settings,
        reading: impl Into<Reading>,
    ) -> Result<Arc<Plan>, String> {
        let mut catalogue = Catalogue::default();
        let draft = catalogue.draft(rules, attributes, settings, reading, 0);
        for (key, value) in &draft.entries {
            catalogue.read(key, Some(value))?;
        }
        catalogue
            .plan(draft.plan)
            .cloned()
            .ok_or_else(|| "the plan was not made".to_owned())
    }
}

impl RuleEntry {
    /// The entry of a rule; where it sets no patience or lateness of its own, `default` applies.
    pub fn new(rule: &Rule, attributes: &Attributes, default: Settings) -> RuleEntry {
        let patience = rule.patience.unwrap_or(default.patience);
        let lateness = rule.lateness.unwrap_or(default.lateness).max(patience);
        let settings = Settings {
            patience,
            lateness,
            limits: default.limits,
        };
        let meaning = format!(
            "{}\npatience {patience}\nlateness {lateness}\nevidence {}\ndistinct values {}\n",
            rule.meaning(attributes),
            settings.limits.evidence,
            settings.limits.distinct_values,
        );
        RuleEntry {
            text: rule.text.clone(),
            settings,
            fingerprint: Hash::of(meaning.as_bytes()),
            lists: rule
                .lists
                .iter()
                .map(|(name, list)| (name.to_owned(), Hash::of(&list.to_json())))
                .collect(),
        }
    }
}

impl LoadedRule {
    /// Bytes of the largest incident.
    pub fn incident_bytes(&self) -> usize {
        self.settings.limits.message_bytes as usize
    }

    /// How many values each aggregate of a pattern keeps.
    pub fn caps_of(&self, pattern: usize) -> &[u32] {
        self.caps.get(pattern).map_or(&[], Vec::as_slice)
    }

    /// The rule of an entry whose bytes have the hash `entry_hash`, with the lists it names.
    ///
    /// # Errors
    ///
    /// The text is not exactly one valid rule: says where and why.
    pub fn new(entry_hash: Hash, entry: &RuleEntry, lists: &Lists) -> Result<LoadedRule, String> {
        let rules = rule::parse_with("rule", &entry.text, lists, &mut Attributes::default());
        let rules = rules.map_err(|errors| rule::in_one_line(&errors))?;
        let [rule]: [Rule; 1] = rules
            .try_into()
            .map_err(|rules: Vec<Rule>| format!("{} rules in one", rules.len()))?;
        let limit = entry.settings.limits.distinct_values;
        Ok(LoadedRule {
            entry: entry_hash,
            fingerprint: entry.fingerprint,
            settings: entry.settings,
            caps: rule
                .patterns
                .iter()
                .map(|pattern| pattern.caps(limit))
                .collect(),
            reach: Reach::of(&rule),
            rule,
        })
    }
}

/// The lists that a rule's entry names, out of those in the topic.
fn lists_of(entry: &RuleEntry, known: &BTreeMap<Hash, Arc<List>>) -> Result<Lists, String> {
    let mut lists = Lists::default();
    for (name, hash) in &entry.lists {
        let list = known.get(hash);
        let list = list.ok_or(format!("it names list {hash}, not there"))?;
        lists.insert(name.clone(), Arc::clone(list));
    }
    Ok(lists)
}

fn json(entry: &impl Serialize) -> Vec<u8> {
    // Entries are plain structures of text and numbers, which JSON can always hold.
    serde_json::to_vec(entry).unwrap_or_default()
}

#[cfg(test)]
mod tests;
