//! Every rule that `<app>.rules` holds, with when it was in use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::catalogue::kind_of;
use super::{LoadedRule, PlanEntry, RuleEntry, Settings};
use crate::record::Hash;
use crate::rule;
use crate::rule::lists::{List, Lists};
use crate::rule::own::{self, Own};
use crate::time::{Millis, Second};

/// One text of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Hash of its entry in the topic.
    pub entry: Hash,
    /// Hash of its meaning; texts that differ in words alone share it.
    pub fingerprint: Hash,
    /// The rule's id; empty where this version of watchfire cannot read the rule.
    pub id: String,
    /// The exact text.
    pub text: String,
    /// The settings that apply to it.
    pub settings: Settings,
    /// When its entry was written.
    pub written: Option<Millis>,
    /// The second from which its meaning has been in use, as the last plan with it says; 0: since
    /// the beginning; `None`: no plan has it.
    pub since: Option<Second>,
    /// Whether the newest plan has it.
    pub in_use: bool,
}

/// The entries of the topic, as far as they were read.
#[derive(Debug, Default)]
pub struct History {
    /// With the place in which they were written.
    rules: BTreeMap<Hash, (usize, RuleEntry, Option<Millis>)>,
    plans: Vec<PlanEntry>,
    lists: BTreeMap<Hash, Arc<List>>,
    attributes: BTreeMap<Hash, own::OwnFile>,
}

/// Why no rule was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// Nothing has this name.
    Unknown,
    /// More than one fingerprint begins like this.
    Ambiguous(BTreeSet<Hash>),
}

impl History {
    /// Takes one entry of the topic, in the topic's order. Other keys than those of rules and
    /// plans are passed over.
    ///
    /// # Errors
    ///
    /// The entry cannot be read: says which and why.
    pub fn read(
        &mut self,
        key: &str,
        value: Option<&[u8]>,
        written: Option<Millis>,
    ) -> Result<(), String> {
        let Some(value) = value else {
            return Ok(());
        };
        let (kind, _) = kind_of(key, value)?;
        let failed = |error: serde_json::Error| error.to_string();
        if kind == "rule" {
            let entry = serde_json::from_slice(value).map_err(failed)?;
            let place = self.rules.len();
            self.rules.insert(Hash::of(value), (place, entry, written));
        } else if kind == "list" {
            let list = List::from_json(value)?;
            self.lists.insert(Hash::of(value), Arc::new(list));
        } else if kind == "attributes" {
            let file = serde_json::from_slice(value).map_err(failed)?;
            self.attributes.insert(Hash::of(value), file);
        } else if kind == "plan" {
            self.plans
                .push(serde_json::from_slice(value).map_err(failed)?);
        }
        Ok(())
    }

    /// All versions of all rules; those that were in use later come later.
    pub fn versions(self) -> Vec<Version> {
        let mut last: BTreeMap<Hash, (usize, Second)> = BTreeMap::new();
        for (number, plan) in (1..).zip(&self.plans) {
            last.extend(plan.rules.iter().map(|r| (r.entry, (number, r.since))));
        }
        let newest = self.plans.len();
        let mut versions: Vec<_> = self
            .rules
            .into_iter()
            .map(|(entry, (place, found, written))| {
                let used = last.get(&entry).copied();
                let lists = lists_of(&found, &self.lists, &self.attributes);
                let rule = lists.and_then(|lists| LoadedRule::new(entry, &found, &lists));
                let id = rule.map(|loaded| loaded.rule.id);
                let version = Version {
                    entry,
                    fingerprint: found.fingerprint,
                    id: id.unwrap_or_default(),
                    text: found.text,
                    settings: found.settings,
                    written,
                    since: used.map(|(_, since)| since),
                    in_use: used.is_some_and(|(number, _)| number == newest),
                };
                (used.map(|(number, _)| number), place, version)
            })
            .collect();
        versions.sort_by_key(|(number, place, _)| (*number, *place));
        versions
            .into_iter()
            .map(|(_, _, version)| version)
            .collect()
    }
}

/// The lists and the files of attributes that a rule's entry names, out of those in the topic.
fn lists_of(
    entry: &RuleEntry,
    known: &BTreeMap<Hash, Arc<List>>,
    files: &BTreeMap<Hash, own::OwnFile>,
) -> Result<Lists, String> {
    let mut lists = Lists::default();
    for (name, hash) in &entry.lists {
        let list = known.get(hash);
        let list = list.ok_or(format!("it names list {hash}, not there"))?;
        lists.insert(name.clone(), Arc::clone(list));
    }
    let file = |hash: &Hash| {
        let file = files.get(hash).cloned();
        file.ok_or(format!("it names attributes {hash}, not there"))
    };
    let files = entry
        .attributes
        .iter()
        .map(file)
        .collect::<Result<_, _>>()?;
    let own = Own::of(files).map_err(|errors| rule::in_one_line(&errors))?;
    Ok(lists.with_own(Arc::new(own)))
}

/// The versions of the rule that `wanted` names, the newest last: by its id, in which case it is
/// the newest meaning, or by its fingerprint or the beginning of it.
///
/// # Errors
///
/// There is none, or more than one.
pub fn find<'v>(versions: &'v [Version], wanted: &str) -> Result<Vec<&'v Version>, NotFound> {
    let by_id = versions
        .iter()
        .rfind(|version| version.id.eq_ignore_ascii_case(wanted));
    let prefix = wanted.to_ascii_lowercase();
    let meanings: BTreeSet<Hash> = match by_id {
        Some(newest) => BTreeSet::from([newest.fingerprint]),
        None => versions
            .iter()
            .map(|version| version.fingerprint)
            .filter(|fingerprint| fingerprint.to_string().starts_with(&prefix))
            .collect(),
    };
    match meanings.len() {
        0 => Err(NotFound::Unknown),
        1 => Ok(versions
            .iter()
            .filter(|version| meanings.contains(&version.fingerprint))
            .collect()),
        _ => Err(NotFound::Ambiguous(meanings)),
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
