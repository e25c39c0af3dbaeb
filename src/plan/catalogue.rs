//! Everything that `<app>.rules` holds.
//!
//! Whoever may write to the topic can write anything there. So an entry counts only if its key is
//! the hash of its value, if it has the form of its kind, and if its numbers are such that one can
//! reckon with them. What does not count is refused, and the rest of the topic stays as good as it
//! was. What an entry names may stand behind it: compaction keeps the last copy of each.
//!
//! The rules themselves are parsed when somebody asks for them: one that this version cannot read
//! harms nobody as long as nothing names it.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::epochs::{EPOCH_MAX, Epochs};
use super::noted::{Noted, NotedEntry};
use super::{
    Draft, FORMAT, InUse, LoadedRule, MEANING, OFFSET_END, Plan, PlanEntry, PlannedRule, Reading,
    RuleEntry, Settings, Source, json,
};
use crate::event::Attributes;
use crate::record::Hash;
use crate::rule::lists::{List, Lists};
use crate::rule::own::{self, Own};
use crate::rule::tables::Tables;
use crate::rule::{self, Rule};
use crate::time::Second;

/// The key of the entry that holds the matches topic's number of partitions.
const MATCHES: &str = "topic/matches";

/// More partitions than any cluster has; a plan's are counted one by one.
const PARTITIONS_MAX: u32 = 100_000;

/// More seconds than any rule waits: a thousand years.
const SPAN_MAX: Second = 1_000 * 366 * 86_400;

/// Seconds from which a rule can be in use.
const TIMES: RangeInclusive<Second> = 0..=10 * SPAN_MAX;

/// Everything that `<app>.rules` holds, as far as it was read.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// `Err`: a later version has written it.
    lists: BTreeMap<Hash, Result<Arc<List>, Later>>,
    /// Files of attributes.
    attributes: BTreeMap<Hash, own::OwnFile>,
    /// What they come to together, by those that rules name together: most rules name the same.
    owns: RefCell<BTreeMap<Vec<Hash>, Arc<Own>>>,
    rules: BTreeMap<Hash, Kept<RuleEntry, LoadedRule>>,
    plans: BTreeMap<Hash, Kept<PlanEntry, Plan>>,
    /// Plans as they stand in the topic, the newest last.
    order: Vec<Hash>,
    epochs: Epochs,
    matches_partitions: Option<u32>,
    /// Losses that were accepted, by topic and partition.
    losses: BTreeMap<String, LossEntry>,
    noted: Noted,
}

/// An entry as it stands in the topic.
#[derive(Debug)]
struct Kept<E, L> {
    /// `Err`: a later version has written it.
    entry: Result<E, Later>,
    /// What it is loaded as, or why this version cannot; empty until somebody asks.
    loaded: OnceCell<Result<Arc<L>, String>>,
}

/// Why a plan, a rule or a list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The topic does not have it.
    Missing(Hash),
    /// It is there, and this version cannot read it: which it is, and why.
    Unreadable(String),
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unusable::Missing(hash) => write!(f, "{hash} is not there"),
            Unusable::Unreadable(why) => write!(
                f,
                "{why}. Another version of watchfire has written it: use that one, or a newer"
            ),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct TopicEntry {
    partitions: u32,
}

/// An accepted loss: it holds as long as nothing was committed since.
#[derive(Debug, Serialize, Deserialize)]
struct LossEntry {
    /// The offset that was committed then; 0: none was.
    committed: i64,
    /// The first that the log still had.
    begins: i64,
}

/// What every entry may say, whatever else it says.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    format: Option<u32>,
    #[serde(default)]
    meaning: Option<u32>,
}

/// What a version does not know of an entry that a later one has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Later {
    /// Its format.
    Format(u32),
    /// What rules mean to that version.
    Meaning(u32),
}

/// An application whose rules mean something else than to this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherMeaning {
    /// They were written by a version to which they mean what they meant before, by its number.
    Earlier(u32),
    /// They were written by a later version.
    Later(u32),
}

impl<E: DeserializeOwned, L> Kept<E, L> {
    fn read(value: &[u8]) -> Result<Kept<E, L>, String> {
        let entry = match later(value)? {
            Some(later) => Err(later),
            None => Ok(serde_json::from_slice(value).map_err(|error| error.to_string())?),
        };
        Ok(Kept {
            entry,
            loaded: OnceCell::new(),
        })
    }
}

impl<E, L> Kept<E, L> {
    /// What the entry is loaded as; `load` is called where nobody has asked before.
    fn load(
        &self,
        what: &str,
        hash: Hash,
        load: impl FnOnce(&E) -> Result<L, Unusable>,
    ) -> Result<&Arc<L>, Unusable> {
        if self.loaded.get().is_none() {
            let loaded = match &self.entry {
                Ok(entry) => load(entry),
                Err(later) => Err(unknown(*later)),
            };
            let loaded = match loaded {
                Ok(loaded) => Ok(Arc::new(loaded)),
                Err(missing @ Unusable::Missing(_)) => return Err(missing),
                Err(Unusable::Unreadable(why)) => Err(format!("{what} {hash}: {why}")),
            };
            self.loaded.get_or_init(|| loaded);
        }
        match self.loaded.get() {
            Some(Ok(loaded)) => Ok(loaded),
            Some(Err(why)) => Err(Unusable::Unreadable(why.clone())),
            None => Err(Unusable::Missing(hash)),
        }
    }
}

fn unknown(later: Later) -> Unusable {
    Unusable::Unreadable(match later {
        Later::Format(later) => {
            format!("it is of format {later}, and this version knows none after {FORMAT}")
        }
        Later::Meaning(later) => {
            format!("its rules are of meaning {later}, and this version knows none after {MEANING}")
        }
    })
}

/// What an entry says that this version does not know.
fn later(value: &[u8]) -> Result<Option<Later>, String> {
    let head: Head = serde_json::from_slice(value).map_err(|error| error.to_string())?;
    let format = head.format.filter(|format| *format > FORMAT);
    let meaning = head.meaning.filter(|meaning| *meaning > MEANING);
    let meaning = meaning.map(Later::Meaning);
    Ok(format.map(Later::Format).or(meaning))
}

/// The kind and the name of an entry of the topic with this key.
///
/// # Errors
///
/// The name should be the hash of the value, and is not.
pub(super) fn kind_of<'k>(key: &'k str, value: &[u8]) -> Result<(&'k str, &'k str), String> {
    let Some((kind, name)) = key.split_once('/') else {
        return Ok(("", key));
    };
    let is_hashed = matches!(kind, "list" | "attributes" | "rule" | "plan");
    match is_hashed && Hash::parse(name) != Some(Hash::of(value)) {
        true => Err("its key is not the hash of its value".to_owned()),
        false => Ok((kind, name)),
    }
}

impl Catalogue {
    /// Takes one entry of the topic, in the topic's order; later plans are newer. A deleted or
    /// unknown key is passed over.
    ///
    /// # Errors
    ///
    /// The entry is none that a worker writes: says why. All else stays as it was.
    pub fn read(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), String> {
        let Some(value) = value else {
            return Ok(());
        };
        let (kind, name) = kind_of(key, value)?;
        match kind {
            "list" => self.read_list(Hash::of(value), value),
            "attributes" => {
                let file = serde_json::from_slice(value).map_err(|error| error.to_string())?;
                self.attributes.insert(Hash::of(value), file);
                Ok(())
            }
            "rule" => self.read_rule(Hash::of(value), value),
            "plan" => self.read_plan(Hash::of(value), value),
            "source" => self.epochs.read_topic(name, value),
            "epoch" => self.epochs.read_partition(name, value),
            "read" => self.noted.read(name, value),
            "loss" => self.read_loss(name, value),
            "topic" if key == MATCHES => self.read_matches(value),
            _ => Ok(()),
        }
    }

    fn read_list(&mut self, hash: Hash, value: &[u8]) -> Result<(), String> {
        let list = match later(value)? {
            Some(later) => Err(later),
            None => Ok(Arc::new(List::from_json(value)?)),
        };
        self.lists.insert(hash, list);
        Ok(())
    }

    fn read_rule(&mut self, hash: Hash, value: &[u8]) -> Result<(), String> {
        if self.rules.contains_key(&hash) {
            return Ok(());
        }
        let kept: Kept<RuleEntry, LoadedRule> = Kept::read(value)?;
        if let Ok(entry) = &kept.entry {
            let Settings {
                patience, lateness, ..
            } = entry.settings;
            if !(0..=SPAN_MAX).contains(&patience) || !(patience..=SPAN_MAX).contains(&lateness) {
                return Err(format!("patience {patience} and lateness {lateness}"));
            }
        }
        self.rules.insert(hash, kept);
        Ok(())
    }

    fn read_plan(&mut self, hash: Hash, value: &[u8]) -> Result<(), String> {
        let kept: Kept<PlanEntry, Plan> = Kept::read(value)?;
        if let Ok(entry) = &kept.entry {
            if entry.rules.iter().any(|r| !TIMES.contains(&r.since)) {
                return Err("it has a rule since a time that is none".to_owned());
            }
            let epochs = entry.sources.iter();
            let epochs = epochs.flat_map(|s| s.epochs.values().copied().chain([s.epoch]));
            if let Some(epoch) = epochs.filter(|epoch| *epoch > EPOCH_MAX).max() {
                return Err(format!("epoch {epoch} is more than {EPOCH_MAX}"));
            }
            let partitions = entry.sources.iter().map(|s| u64::from(s.partitions));
            if partitions.sum::<u64>() > u64::from(PARTITIONS_MAX) {
                return Err(format!("it has more than {PARTITIONS_MAX} partitions"));
            }
        }
        self.plans.entry(hash).or_insert(kept);
        self.order.push(hash);
        Ok(())
    }

    /// The last one counts.
    fn read_loss(&mut self, place: &str, value: &[u8]) -> Result<(), String> {
        let entry: LossEntry = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        let LossEntry { committed, begins } = entry;
        if !(0..OFFSET_END).contains(&committed) || !(committed..OFFSET_END).contains(&begins) {
            return Err(format!("offsets {committed} and {begins}"));
        }
        self.losses.insert(place.to_owned(), entry);
        Ok(())
    }

    /// How far a partition was read when that was last noted; `None`: it never was.
    pub fn noted(&self, topic: &str, partition: u32) -> Option<&NotedEntry> {
        self.noted.of(topic, partition)
    }

    /// Whether it was accepted that messages of a partition are gone, while this offset was the
    /// committed one (0: none was).
    pub fn accepts_loss(&self, topic: &str, partition: u32, committed: i64) -> bool {
        let entry = self.losses.get(&format!("{topic}/{partition}"));
        entry.is_some_and(|entry| entry.committed == committed)
    }

    /// The key and value that accept that a partition begins at `begins`, while `committed` is its
    /// committed offset.
    pub fn accept_loss(
        topic: &str,
        partition: u32,
        committed: i64,
        begins: i64,
    ) -> (String, Vec<u8>) {
        let begins = begins.max(committed);
        let value = json(&LossEntry { committed, begins });
        (format!("loss/{topic}/{partition}"), value)
    }

    /// The number is for good: the first one counts.
    fn read_matches(&mut self, value: &[u8]) -> Result<(), String> {
        let entry: TopicEntry = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        let partitions = entry.partitions;
        if !(1..=PARTITIONS_MAX).contains(&partitions) {
            return Err(format!("{partitions} partitions"));
        }
        match *self.matches_partitions.get_or_insert(partitions) {
            known if known == partitions => Ok(()),
            known => Err(format!(
                "{partitions} partitions, and the application has begun with {known}"
            )),
        }
    }

    /// The plan with this hash, its rules parsed.
    ///
    /// # Errors
    ///
    /// It is not there, or this version cannot read it or one of its rules.
    pub fn plan(&self, hash: Hash) -> Result<&Arc<Plan>, Unusable> {
        let kept = self.plans.get(&hash).ok_or(Unusable::Missing(hash))?;
        kept.load("plan", hash, |entry| {
            let rules = entry.rules.iter();
            let rules = rules.map(|planned| Ok((self.rule(planned.entry)?.clone(), planned.since)));
            Ok(Plan {
                hash,
                format: entry.format,
                rules: rules.collect::<Result<_, Unusable>>()?,
                sources: entry.sources.clone(),
                decoding: entry.decoding,
                tables: entry.tables.clone(),
                contents: Tables::default(),
            })
        })
    }

    /// The rule whose entry has this hash, parsed.
    ///
    /// # Errors
    ///
    /// It is not there, or this version cannot read it.
    pub fn rule(&self, entry: Hash) -> Result<&Arc<LoadedRule>, Unusable> {
        let kept = self.rules.get(&entry).ok_or(Unusable::Missing(entry))?;
        kept.load("rule", entry, |found| {
            let mut lists = Lists::default();
            for (name, hash) in &found.lists {
                lists.insert(name.clone(), Arc::clone(self.list(*hash)?));
            }
            let own = self.own(found)?;
            LoadedRule::new(entry, found, &lists.with_own(own)).map_err(Unusable::Unreadable)
        })
    }

    /// The attributes that users brought, of the files that a rule's entry names.
    fn own(&self, entry: &RuleEntry) -> Result<Arc<Own>, Unusable> {
        if let Some(known) = self.owns.borrow().get(&entry.attributes) {
            return Ok(Arc::clone(known));
        }
        let known = |hash: &Hash| self.attributes.get(hash).cloned();
        let file = |hash: &Hash| known(hash).ok_or(Unusable::Missing(*hash));
        let files = entry
            .attributes
            .iter()
            .map(file)
            .collect::<Result<_, _>>()?;
        let own = Own::of(files).map_err(|errors| rule::in_one_line(&errors));
        let own = own.map(Arc::new).map_err(Unusable::Unreadable)?;
        let mut owns = self.owns.borrow_mut();
        owns.insert(entry.attributes.clone(), Arc::clone(&own));
        Ok(own)
    }

    fn list(&self, hash: Hash) -> Result<&Arc<List>, Unusable> {
        let list = self.lists.get(&hash).ok_or(Unusable::Missing(hash))?;
        list.as_ref().map_err(|later| unknown(*later))
    }

    /// The plan that was taken into use last, of those of which all is there; `None`: the
    /// application has never run.
    pub fn newest(&self) -> Option<Hash> {
        let newest_first = self.order.iter().rev();
        newest_first.copied().find(|plan| self.is_whole(*plan))
    }

    /// What the rules of the newest plan mean, where that is not what they mean to this version.
    /// Once an application has rules of its meaning, an older plan is no worker's any more.
    pub fn other_meaning(&self) -> Option<OtherMeaning> {
        let newest = self.plans.get(&self.newest()?)?.entry.as_ref().ok()?;
        let kept = newest.rules.iter().filter_map(|r| self.rules.get(&r.entry));
        let mut others = kept.filter_map(|kept| match &kept.entry {
            Ok(entry) => (entry.meaning < MEANING).then_some(OtherMeaning::Earlier(entry.meaning)),
            Err(Later::Meaning(later)) => Some(OtherMeaning::Later(*later)),
            Err(Later::Format(_)) => None,
        });
        match others.next()? {
            OtherMeaning::Earlier(_) if self.has_begun() => None,
            other @ (OtherMeaning::Earlier(_) | OtherMeaning::Later(_)) => Some(other),
        }
    }

    /// Whether a worker of this meaning has taken rules into use.
    fn has_begun(&self) -> bool {
        let mut entries = self
            .rules
            .values()
            .filter_map(|kept| kept.entry.as_ref().ok());
        entries.any(|entry| entry.meaning == MEANING)
    }

    /// Whether all that a plan names is there.
    fn is_whole(&self, plan: Hash) -> bool {
        let entry = self.plans.get(&plan).map(|kept| kept.entry.as_ref());
        let Some(Ok(entry)) = entry else {
            return entry.is_some();
        };
        entry.rules.iter().all(|planned| {
            let rule = self.rules.get(&planned.entry);
            rule.is_some_and(|kept| match &kept.entry {
                Ok(rule) => {
                    let mut lists = rule.lists.values();
                    let mut files = rule.attributes.iter();
                    lists.all(|list| self.lists.contains_key(list))
                        && files.all(|file| self.attributes.contains_key(file))
                }
                Err(_) => true,
            })
        })
    }

    /// The epochs of the source partitions.
    pub fn epochs(&self) -> &Epochs {
        &self.epochs
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
        let plans = self
            .plans
            .values()
            .filter_map(|kept| kept.entry.as_ref().ok());
        let all: Vec<&Source> = plans.flat_map(|entry| &entry.sources).collect();
        let first = |source: &Source| {
            let same = all
                .iter()
                .filter(|s| s.topic == source.topic && s.epoch == source.epoch);
            same.map(|source| source.partitions)
                .min()
                .unwrap_or(source.partitions)
        };
        let begin_at = |source: &Source| {
            let partitions = 0..source.partitions;
            let begin = |number| (number, self.epochs.begin_at(&source.topic, number));
            partitions.map(begin).collect()
        };
        InUse {
            first_partitions: plan.sources.iter().map(first).collect(),
            begin_at: plan.sources.iter().map(begin_at).collect(),
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
        let newest = self.newest();
        let mut entries = Vec::new();
        let mut planned = Vec::new();
        for rule in rules {
            let entry = RuleEntry::new(rule, attributes, default);
            let value = json(&entry);
            let hash = Hash::of(&value);
            planned.push(PlannedRule {
                entry: hash,
                since: self.since(newest, entry.fingerprint, minute),
            });
            self.draft_beside(rule, &mut entries);
            if !self.rules.contains_key(&hash) {
                entries.push((format!("rule/{hash}"), value));
            }
        }
        let value = json(&PlanEntry {
            format: FORMAT,
            rules: planned,
            sources,
            decoding,
            tables: super::tables_of(rules).hashes(),
        });
        let plan = Hash::of(&value);
        if newest != Some(plan) {
            entries.push((format!("plan/{plan}"), value));
        }
        Draft { plan, entries }
    }

    /// The lists that a rule names, and the files of attributes that it is read with, where neither
    /// the topic nor these entries have them.
    fn draft_beside(&self, rule: &Rule, entries: &mut Vec<(String, Vec<u8>)>) {
        let lists = rule.lists.iter();
        let lists = lists.map(|(_, list)| ("list", list.to_json()));
        let files = rule.lists.own().files().iter();
        let files = files.map(|file| ("attributes", json(file)));
        for (kind, value) in lists.chain(files) {
            let hash = Hash::of(&value);
            let key = format!("{kind}/{hash}");
            let is_known = self.lists.contains_key(&hash) || self.attributes.contains_key(&hash);
            if !is_known && entries.iter().all(|(known, _)| *known != key) {
                entries.push((key, value));
            }
        }
    }

    /// What the newest plan says of a rule of this meaning, else `minute`; 0 without any plan.
    fn since(&self, newest: Option<Hash>, fingerprint: Hash, minute: Second) -> Second {
        let Some(newest) = newest.and_then(|newest| self.plans.get(&newest)) else {
            return 0;
        };
        let is_it = |planned: &&PlannedRule| {
            let kept = self.rules.get(&planned.entry);
            let entry = kept.and_then(|kept| kept.entry.as_ref().ok());
            entry.is_some_and(|entry| entry.fingerprint == fingerprint)
        };
        let planned = newest.entry.as_ref().ok();
        let planned = planned.and_then(|entry| entry.rules.iter().find(is_it));
        planned.map_or(minute, |planned| planned.since)
    }
}

#[cfg(test)]
mod tests;
