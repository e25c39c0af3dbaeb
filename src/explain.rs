//! Why a rule triggers, or does not: what each window held, and what came of it.
//!
//! For the eyes of a person and for few records: everything is worked out, also where nothing
//! depends on it.

use std::collections::{BTreeMap, BTreeSet};

use crate::aggregate::Fold;
use crate::condition::{self, Horizon};
use crate::event::AttributeId;
use crate::key::{Key, Origin, Trigger, merge_folds};
use crate::plan::LoadedRule;
use crate::record::{Hash, Position};
use crate::rule::{Pattern, Rule};
use crate::shuffle::{MatchedRecord, PatternMatch};
use crate::time::{Millis, Second, second_of};
use crate::window;

/// Later than any event, with room to add to.
const END_OF_TIME: Second = i64::MAX / 8;

/// What a rule makes of one join key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyExplained {
    /// Values of the join key.
    pub values: Vec<Option<String>>,
    /// By pattern, then by group.
    pub groups: Vec<GroupExplained>,
    /// Where the condition triggers in the end, by the last pane of what made it.
    pub triggers: BTreeMap<Second, Trigger>,
}

/// What a pattern makes of one of its groups.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupExplained {
    /// The pattern's place in the rule.
    pub pattern: usize,
    /// The group-by attributes, in the pattern's order, with their values.
    pub group: Vec<(AttributeId, Option<String>)>,
    /// The seconds in which something matched.
    pub panes: Vec<PaneExplained>,
}

/// What a group's window holds that ends with a pane.
#[derive(Clone, Debug, PartialEq)]
pub struct PaneExplained {
    /// The pane.
    pub second: Second,
    /// The matches in the window, by time.
    pub events: Vec<Position>,
    /// The value of each of the pattern's aggregates; `None`: undefined.
    pub values: Vec<Option<f64>>,
    /// Whether `having` is true.
    pub having: bool,
    /// Whether the pane has a match with values that were not seen for the period of `new`;
    /// `None`: the pattern has no `new`.
    pub new: Option<bool>,
}

impl PaneExplained {
    /// Whether the pattern holds here.
    pub fn holds(&self) -> bool {
        self.having && self.new != Some(false)
    }
}

/// One match of a pattern.
#[derive(Clone, Copy)]
struct Found<'r> {
    record: &'r MatchedRecord,
    part: &'r PatternMatch,
}

/// Explains what `loaded`, the only rule of its plan, makes of all the records together.
pub fn explain(loaded: &LoadedRule, records: &[MatchedRecord]) -> Vec<KeyExplained> {
    let origin = Origin {
        topic: 0,
        partition: 0,
    };
    let mut keys: BTreeMap<&[Option<String>], (Key, Vec<Found<'_>>)> = BTreeMap::new();
    for record in records {
        for found in &record.matches {
            let (key, parts) = keys.entry(&found.key).or_default();
            key.values.clone_from(&found.key);
            key.add(loaded, record, found, origin);
            parts.extend(found.patterns.iter().map(|part| Found { record, part }));
        }
    }
    keys.into_values()
        .map(|(key, mut found)| {
            found.sort_by_key(|found| (found.record.time, found.record.position));
            let groups = groups(loaded, &key, &found);
            KeyExplained {
                values: key.values.clone(),
                groups,
                triggers: triggers(loaded, key),
            }
        })
        .collect()
}

fn groups(loaded: &LoadedRule, key: &Key, found: &[Found<'_>]) -> Vec<GroupExplained> {
    let mut by_group: BTreeMap<(u32, &Vec<Option<String>>), Vec<Found<'_>>> = BTreeMap::new();
    for one in found {
        let place = (one.part.pattern, &one.part.group);
        by_group.entry(place).or_default().push(*one);
    }
    let explained = |((place, group), own): (_, Vec<Found<'_>>)| {
        let pattern = loaded.rule.patterns.get(place as usize)?;
        let seconds: BTreeSet<Second> = own
            .iter()
            .map(|found| second_of(found.record.time))
            .collect();
        let fresh = fresh(pattern, place, found);
        let pane = |second: Second| {
            let folds = over_window(loaded, key, (place, group), second);
            let values: Vec<Option<f64>> = folds.iter().map(Fold::value).collect();
            let in_window = window::ending_at(second, loaded.rule.window);
            let within = own
                .iter()
                .filter(|f| in_window.contains(&second_of(f.record.time)));
            let value = |aggregate: usize| values.get(aggregate).copied().flatten();
            PaneExplained {
                second,
                events: within.map(|found| found.record.position).collect(),
                having: pattern.having.holds(&value),
                new: fresh.as_ref().map(|fresh| {
                    let mut here = own.iter().filter(|f| second_of(f.record.time) == second);
                    here.any(|found| fresh.contains(&found.record.position))
                }),
                values,
            }
        };
        Some(GroupExplained {
            pattern: place as usize,
            group: named(&loaded.rule, place as usize, &key.values, group),
            panes: seconds.into_iter().map(pane).collect(),
        })
    };
    by_group.into_iter().filter_map(explained).collect()
}

/// The matches of a pattern whose combination of values was not seen for its period; `None`: it
/// does not ask.
fn fresh(pattern: &Pattern, place: u32, found: &[Found<'_>]) -> Option<BTreeSet<Position>> {
    let period = pattern.new.as_ref()?.period * 1000;
    let own = found.iter().filter(|found| found.part.pattern == place);
    let mut last_seen: BTreeMap<Hash, BTreeSet<Millis>> = BTreeMap::new();
    let mut fresh = BTreeSet::new();
    for Found { record, part } in own {
        let times = last_seen
            .entry(part.combination.unwrap_or_default())
            .or_default();
        if times
            .range(record.time - period..record.time)
            .next()
            .is_none()
        {
            fresh.insert(record.position);
        }
        times.insert(record.time);
    }
    Some(fresh)
}

/// What a group has seen in the window that ends with `second`, by aggregate.
fn over_window(
    loaded: &LoadedRule,
    key: &Key,
    (place, group): (u32, &Vec<Option<String>>),
    second: Second,
) -> Vec<Fold> {
    let caps = loaded.caps_of(place as usize);
    let mut all: Vec<Fold> = Vec::new();
    for (_, pane) in key
        .panes
        .range(window::ending_at(second, loaded.rule.window))
    {
        let share = pane.patterns.get(&place);
        let Some(found) = share.and_then(|share| share.groups.get(group)) else {
            continue;
        };
        if all.is_empty() {
            all.clone_from(&found.folds);
        } else {
            merge_folds(&mut all, &found.folds, caps);
        }
    }
    all
}

/// The values of a pattern's group-by: those of the join key in their places, `group` in the
/// others.
fn named(
    rule: &Rule,
    pattern: usize,
    key: &[Option<String>],
    group: &[Option<String>],
) -> Vec<(AttributeId, Option<String>)> {
    let attributes = rule.patterns.get(pattern).map(|found| &found.group_by);
    let mut rest = group.iter();
    let value = |place: usize| {
        let part = rule
            .join_key
            .iter()
            .position(|part| part.places.get(pattern) == Some(&place));
        match part {
            Some(part) => key.get(part).cloned().flatten(),
            None => rest.next().cloned().flatten(),
        }
    };
    let attributes = attributes.into_iter().flatten().copied();
    let places: Vec<_> = (0..attributes.clone().count()).map(value).collect();
    attributes.zip(places).collect()
}

/// Where the condition triggers once everything is decided.
fn triggers(loaded: &LoadedRule, mut key: Key) -> BTreeMap<Second, Trigger> {
    let horizon = Horizon {
        watermark: Some(END_OF_TIME),
        since: 0,
    };
    condition::update(&mut key, loaded, horizon);
    key.view.map_or_else(BTreeMap::new, |view| view.triggers)
}

#[cfg(test)]
mod tests;
