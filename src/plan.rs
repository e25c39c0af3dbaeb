//! What the log names: rules and sources by their hashes, as `<app>.rules` holds them.
//!
//! The topic is compacted. Its keys are `list/<hash>`, `rule/<hash>` and `plan/<hash>`, its values
//! JSON: a [`List`], a [`RuleEntry`] or a [`PlanEntry`]. The hash is that of the value's bytes, so
//! an entry never changes; a plan that is taken into use again is written again, which makes it
//! the newest. Besides them, `source/<topic>` and `epoch/<topic>/<partition>` hold epochs,
//! `topic/matches` the number of partitions that the matches topic has for good,
//! `loss/<topic>/<partition>` that it was accepted that messages are gone, and
//! `read/<topic>/<partition>` how far a partition was read.

pub mod catalogue;

pub mod changes;

pub mod claim;

pub mod epochs;

mod limits;

pub mod noted;

mod reading;

pub mod retention;

pub mod history;

pub mod hubs;

pub mod others;

pub mod tiers;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use epochs::BeginAt;
pub use limits::Limits;
pub use reading::Reading;

use crate::bounded;
use crate::decode;
use crate::event::Attributes;
use crate::record::Hash;
use crate::rule::lists::Lists;
use crate::rule::metadata::Status;
use crate::rule::peak::Measure;
use crate::rule::reach::Reach;
use crate::rule::tables::Tables;
use crate::rule::{self, Function, Pattern, Rule};
use crate::time::Second;
pub use catalogue::{Catalogue, Unusable};

/// What rules mean, as a number: it is raised when the same rule and the same events come to other
/// incidents. It is part of every fingerprint, so that state and ids of two meanings never meet.
pub const MEANING: u32 = 2;

/// The meaning of rules whose entries do not say one.
const MEANING_FIRST: u32 = 1;

/// No offset is as great.
const OFFSET_END: i64 = 1 << 62;

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
    /// The hashes of the files of attributes that it is read with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Hash>,
    /// What rules meant to whoever wrote it: [`MEANING`].
    #[serde(default = "first_meaning")]
    pub meaning: u32,
}

fn first_meaning() -> u32 {
    MEANING_FIRST
}

/// A source topic in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The topic's name.
    pub topic: String,
    /// The number of its partitions.
    pub partitions: u32,
    /// The epoch of its partitions: raised when they became another log.
    pub epoch: u32,
    /// Of those partitions that are in a later one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub epochs: BTreeMap<u32, u32>,
}

impl Source {
    /// The epoch of a partition.
    pub fn epoch_of(&self, partition: u32) -> u32 {
        let own = self.epochs.get(&partition).copied();
        own.map_or(self.epoch, |own| own.max(self.epoch))
    }
}

/// A plan in `<app>.rules`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanEntry {
    /// [`FORMAT`]; entries of the first one do not say it.
    #[serde(default = "first_format")]
    pub format: u32,
    /// Its rules, in the order in which messages number them.
    pub rules: Vec<PlannedRule>,
    /// Its source topics, in the order in which messages number them.
    pub sources: Vec<Source>,
    /// How much their messages may ask for.
    #[serde(default, skip_serializing_if = "reading::is_usual")]
    pub decoding: decode::Limits,
    /// The hashes of the tables of networks that its rules are detected with. What they hold is
    /// with the workers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, Hash>,
}

/// The format of plans, and of the messages of those who detect with them. A version that knows
/// only earlier ones leaves both alone.
pub const FORMAT: u32 = 2;

fn first_format() -> u32 {
    1
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
    /// What rules meant to whoever wrote its entry.
    pub meaning: u32,
    /// The settings that apply to it.
    pub settings: Settings,
    /// The rule itself.
    pub rule: Rule,
    /// What it reads of events: the table that its attribute places are of.
    pub attributes: Attributes,
    /// How far the rule looks.
    pub reach: Reach,
    /// By pattern: how many values each of its aggregates keeps.
    pub caps: Vec<Vec<u32>>,
    /// The aggregates that its incidents show.
    pub measures: Vec<Measure>,
    /// It tells events apart, by a hash of where they were read: an aggregate does, or an operator.
    pub tells_events_apart: bool,
    /// What each of its incidents says.
    pub labels: Labels,
}

/// What all incidents of a rule say alike, shared by them.
#[derive(Clone, Debug)]
pub struct Labels {
    /// The rule's id.
    pub rule_id: Arc<str>,
    /// Its name.
    pub rule_name: Arc<str>,
    /// Name of its category.
    pub category: Arc<str>,
    /// Its subcategory.
    pub subcategory: Arc<str>,
    /// What is affected.
    pub impacts: Arc<str>,
    /// ATT&CK tactics.
    pub tactics: Vec<Arc<str>>,
    /// ATT&CK techniques.
    pub techniques: Vec<Arc<str>>,
    /// Names of the incident's attributes.
    pub attributes: Vec<Arc<str>>,
    /// Names of the patterns.
    pub patterns: Vec<Arc<str>>,
    /// The rule is under test.
    pub test: bool,
}

impl Labels {
    fn of(rule: &Rule) -> Labels {
        let bounded = |text: &str| Arc::from(&*bounded::value(text));
        let whole = |texts: &[String]| texts.iter().map(|text| Arc::from(text.as_str())).collect();
        let attributes = rule.attributes.iter();
        let patterns = rule.patterns.iter();
        Labels {
            rule_id: bounded(&rule.id),
            rule_name: bounded(&rule.name),
            category: rule.category.name().into(),
            subcategory: bounded(&rule.subcategory),
            impacts: bounded(&rule.impacts),
            tactics: whole(&rule.tactics),
            techniques: whole(&rule.techniques),
            attributes: attributes.map(|(name, _)| name.as_str().into()).collect(),
            patterns: patterns.map(|pattern| bounded(&pattern.name)).collect(),
            test: rule.metadata.status == Status::Test,
        }
    }
}

/// A plan with its rules read and checked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Hash of its entry.
    pub hash: Hash,
    /// The format of its entry, and of the messages that name it.
    pub format: u32,
    /// Its rules with `since`, in the order in which messages number them.
    pub rules: Vec<(Arc<LoadedRule>, Second)>,
    /// Its source topics, in the order in which messages number them.
    pub sources: Vec<Source>,
    /// How much their messages may ask for.
    pub decoding: decode::Limits,
    /// The hashes of the tables that its rules are detected with.
    pub tables: BTreeMap<String, Hash>,
    /// What these tables hold, where it is detected with.
    pub contents: Tables,
}

/// The tables that these rules name.
pub fn tables_of(rules: &[Rule]) -> Tables {
    let mut tables = Tables::default();
    for rule in rules {
        tables.extend(rule.lists.tables());
    }
    tables
}

/// A plan that is detected with.
#[derive(Clone, Debug)]
pub struct InUse {
    /// The plan.
    pub plan: Arc<Plan>,
    /// By source: how many partitions it had when the application began to read it. Those above
    /// came later, so that all that is in them came while it was read.
    pub first_partitions: Vec<u32>,
    /// By source and partition: where a partition begins that was committed in an epoch before.
    pub begin_at: Vec<BTreeMap<u32, BeginAt>>,
}

impl InUse {
    /// Where a partition begins that was committed in an epoch before.
    pub fn begin_at(&self, source: u32, partition: u32) -> BeginAt {
        let of_source = self.begin_at.get(source as usize);
        let own = of_source.and_then(|partitions| partitions.get(&partition));
        own.copied().unwrap_or_default()
    }
}

/// What must be written to `<app>.rules`, in this order, before a plan may be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Hash of the plan.
    pub plan: Hash,
    /// Keys and values that the topic lacks; empty when it already says all this, newest last.
    pub entries: Vec<(String, Vec<u8>)>,
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
        let plan = catalogue.plan(draft.plan);
        let plan = plan.map_err(|unusable| unusable.to_string())?;
        Ok(plan.with_contents(tables_of(rules)))
    }

    /// The same plan, to be detected with.
    pub fn with_contents(self: &Arc<Plan>, contents: Tables) -> Arc<Plan> {
        match contents == Tables::default() {
            true => Arc::clone(self),
            false => Arc::new(Plan {
                contents,
                ..Plan::clone(self)
            }),
        }
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
            "meaning {MEANING}\n{}\npatience {patience}\nlateness {lateness}\nevidence {}\n\
             distinct values {}\n",
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
            attributes: rule
                .lists
                .own()
                .files()
                .iter()
                .map(|file| Hash::of(&json(file)))
                .collect(),
            meaning: MEANING,
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
        let mut attributes = Attributes::default();
        let rules = rule::parse_with("rule", &entry.text, lists, &mut attributes);
        let rules = rules.map_err(|errors| rule::in_one_line(&errors))?;
        let [rule]: [Rule; 1] = rules
            .try_into()
            .map_err(|rules: Vec<Rule>| format!("{} rules in one", rules.len()))?;
        let limit = entry.settings.limits.distinct_values;
        Ok(LoadedRule {
            entry: entry_hash,
            fingerprint: entry.fingerprint,
            meaning: entry.meaning,
            settings: entry.settings,
            caps: rule
                .patterns
                .iter()
                .map(|pattern| pattern.caps(limit))
                .collect(),
            reach: Reach::of(&rule),
            measures: rule.measures(),
            tells_events_apart: rule.patterns.iter().any(keeps_some)
                || rule.condition.needs_two_events(),
            labels: Labels::of(&rule),
            attributes,
            rule,
        })
    }
}

/// Of more values than are kept, percentiles keep those of the events with the smallest hashes.
fn keeps_some(pattern: &Pattern) -> bool {
    let mut functions = pattern.aggregates.iter().map(|a| a.function);
    functions.any(|function| matches!(function, Function::Median | Function::Percentile(_)))
}

fn json(entry: &impl Serialize) -> Vec<u8> {
    // Entries are plain structures of text and numbers, which JSON can always hold.
    serde_json::to_vec(entry).unwrap_or_default()
}

#[cfg(test)]
mod tests;
