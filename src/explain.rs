//! Why a rule triggers, or does not: what each window held, and what came of it.
//!
//! For the eyes of a person and for few records: everything is worked out, also where nothing
//! depends on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::AttributeId;
use crate::fold::condition::{self, Horizon};
use crate::fold::key::Alive;
use crate::fold::key::derived::Derived;
use crate::fold::key::group::PatternAt;
use crate::fold::key::pane::{Event, Group, Mark, Origin};
use crate::fold::key::stored::{Stored, Trigger};
use crate::fold::window;
use crate::matches::{MatchedRecord, PatternMatch};
use crate::plan::LoadedRule;
use crate::record::Position;
use crate::rule::Rule;
use crate::time::{Second, second_of};

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
    let mut keys: BTreeMap<&[Option<String>], (Alive, Vec<Found<'_>>)> = BTreeMap::new();
    for record in records {
        let mark = Arc::new(Mark::of(record, origin, |text| Arc::from(text)));
        for found in &record.matches {
            let (key, parts) = keys.entry(&found.key).or_default();
            key.stored.head.values.clone_from(&found.key);
            key.add(loaded, Event::of(loaded, &mark), found);
            parts.extend(found.patterns.iter().map(|part| Found { record, part }));
        }
    }
    let explained = |(mut key, mut found): (Alive, Vec<Found<'_>>)| {
        found.sort_by_key(|found| (found.record.time, found.record.position));
        condition::update(&mut key, loaded, Horizon::END);
        let Alive { stored, derived } = key;
        let derived = derived?;
        Some(KeyExplained {
            groups: groups(loaded, &stored, &derived, &found),
            values: stored.head.values,
            triggers: derived.triggers.iter().map(|(t, x)| (t, *x)).collect(),
        })
    };
    keys.into_values().filter_map(explained).collect()
}

fn groups(
    loaded: &LoadedRule,
    stored: &Stored,
    derived: &Derived,
    found: &[Found<'_>],
) -> Vec<GroupExplained> {
    let mut by_group: BTreeMap<(usize, &Group), Vec<Found<'_>>> = BTreeMap::new();
    for one in found {
        let place = (one.part.pattern as usize, &one.part.group);
        by_group.entry(place).or_default().push(*one);
    }
    let explained = |((place, group), own): ((usize, &Group), Vec<Found<'_>>)| {
        let at = PatternAt::of(loaded, place)?;
        let pattern = at.pattern;
        let view = derived.patterns.get(place)?;
        let seconds: BTreeSet<Second> = own
            .iter()
            .map(|found| second_of(found.record.time))
            .collect();
        let pane = |second: Second| {
            let in_window = window::ending_at(second, loaded.rule.window);
            let value = |aggregate: usize| {
                let window = in_window.clone();
                view.accumulated(stored, at, group, aggregate, window)?
                    .value()
            };
            let within = own
                .iter()
                .filter(|f| in_window.contains(&second_of(f.record.time)));
            let found = stored.panes.get(second)?.group(place, group)?;
            let is_new = |_| view.is_new(&stored.seen, at, second, found);
            Some(PaneExplained {
                second,
                events: within.map(|found| found.record.position).collect(),
                having: pattern.having.holds(&value),
                new: pattern.new.as_ref().map(is_new),
                values: (0..pattern.aggregates.len()).map(value).collect(),
            })
        };
        Some(GroupExplained {
            pattern: place,
            group: named(&loaded.rule, place, &stored.head.values, group),
            panes: seconds.into_iter().filter_map(pane).collect(),
        })
    };
    by_group.into_iter().filter_map(explained).collect()
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
    let value = |place: usize| match rule.key_part(pattern, place) {
        Some(part) => key.get(part).cloned().flatten(),
        None => rest.next().cloned().flatten(),
    };
    let attributes = attributes.into_iter().flatten().copied();
    let places: Vec<_> = (0..attributes.clone().count()).map(value).collect();
    attributes.zip(places).collect()
}

#[cfg(test)]
mod tests;
