//! Panes at which patterns hold, and the triggers that the rule's condition makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::aggregate::Fold;
use crate::key::{GroupPane, Key, Trigger};
use crate::plan::LoadedRule;
use crate::rule::{Condition, Pattern, Rule};
use crate::time::Second;
use crate::window::{self, Sliding};

/// What decides when a trigger is certain.
#[derive(Clone, Copy, Debug)]
pub struct Horizon {
    /// The watermark, in seconds; `None`: not known yet.
    pub watermark: Option<Second>,
    /// The rule's `since`.
    pub since: Second,
}

/// Seconds after its last pane that a trigger of `condition` may still need to wait for what
/// follows, beside patience.
pub fn wait(condition: &Condition) -> Second {
    match condition {
        Condition::Pattern(_) => 0,
    }
}

/// Seconds back from a pane that a trigger of `condition` there depends on.
pub fn back(condition: &Condition, window: Second) -> Second {
    match condition {
        Condition::Pattern(_) => 2 * window,
    }
}

/// The panes whose triggers a match at pane `p` can change.
pub fn reached_by(rule: &Rule, p: Second) -> RangeInclusive<Second> {
    p - wait(&rule.condition)..=*window::reached_by(p, rule.window).end()
}

/// Computes anew the triggers within `ranges`, which do not overlap.
pub fn update(
    key: &mut Key,
    loaded: &LoadedRule,
    horizon: Horizon,
    ranges: &[RangeInclusive<Second>],
) {
    for range in ranges {
        let stale: Vec<Second> = key.triggers.range(range.clone()).map(|(t, _)| *t).collect();
        for t in stale {
            key.triggers.remove(&t);
        }
        key.undecided.retain(|t| !range.contains(t));
        for (t, trigger) in triggers(&loaded.rule.condition, key, loaded, range) {
            match ripe(loaded, horizon, t) {
                Ripe::Now => {
                    key.triggers.insert(t, trigger);
                }
                Ripe::Later => {
                    key.undecided.insert(t);
                }
                Ripe::Never => {}
            }
        }
    }
}

/// The second that the watermark must pass before a trigger at pane `t` is certain.
pub fn decided_after(loaded: &LoadedRule, t: Second) -> Second {
    t + wait(&loaded.rule.condition) + loaded.settings.patience
}

enum Ripe {
    Now,
    Later,
    Never,
}

/// Whether a trigger at `t` counts already. What more matches cannot take away never waits.
fn ripe(loaded: &LoadedRule, horizon: Horizon, t: Second) -> Ripe {
    if !can_be_taken_away(&loaded.rule) {
        return Ripe::Now;
    }
    let condition = &loaded.rule.condition;
    let reach = wait(condition) + back(condition, loaded.rule.window);
    if horizon.since > 0 && t < horizon.since + loaded.settings.patience + reach {
        return Ripe::Never;
    }
    if horizon
        .watermark
        .is_some_and(|watermark| watermark > decided_after(loaded, t))
    {
        Ripe::Now
    } else {
        Ripe::Later
    }
}

fn can_be_taken_away(rule: &Rule) -> bool {
    rule.patterns
        .iter()
        .any(|pattern| pattern.having.can_become_false(&pattern.aggregates))
}

fn triggers(
    condition: &Condition,
    key: &Key,
    loaded: &LoadedRule,
    range: &RangeInclusive<Second>,
) -> BTreeMap<Second, Trigger> {
    match condition {
        Condition::Pattern(place) => match loaded.rule.patterns.get(*place) {
            Some(pattern) => holding(key, loaded, (*place as u32, pattern), range),
            None => BTreeMap::new(),
        },
    }
}

/// The panes in `range` at which one of the pattern's groups has a match and passes its test
/// over the window that ends there.
fn holding(
    key: &Key,
    loaded: &LoadedRule,
    (place, pattern): (u32, &Pattern),
    range: &RangeInclusive<Second>,
) -> BTreeMap<Second, Trigger> {
    let groups: BTreeSet<&Vec<Option<String>>> = key
        .panes
        .range(range.clone())
        .filter_map(|(_, pane)| pane.patterns.get(&place))
        .flat_map(|share| share.groups.keys())
        .collect();
    let mut held: BTreeMap<Second, Trigger> = BTreeMap::new();
    for group in groups {
        let passes = |folds: &[Fold]| {
            pattern
                .having
                .holds(&|aggregate| folds.get(aggregate).and_then(Fold::value))
        };
        slide(key, loaded, (place, group), range, |p, pane, folds| {
            if passes(folds) {
                let trigger = held.entry(p).or_insert(Trigger {
                    first: p,
                    earliest: pane.earliest,
                    latest: pane.latest,
                });
                trigger.earliest = trigger.earliest.min(pane.earliest);
                trigger.latest = trigger.latest.max(pane.latest);
            }
        });
    }
    held
}

/// Calls `each` for every pane in `range` where the group has a match, with what the window
/// ending there holds.
fn slide(
    key: &Key,
    loaded: &LoadedRule,
    (place, group): (u32, &Vec<Option<String>>),
    range: &RangeInclusive<Second>,
    mut each: impl FnMut(Second, &GroupPane, &[Fold]),
) {
    let width = loaded.rule.window;
    let merge = merge_with(loaded.settings.limits.distinct_values);
    let mut window = Sliding::default();
    for (p, pane) in key
        .panes
        .range(*window::ending_at(*range.start(), width).start()..=*range.end())
    {
        let Some(found) = pane
            .patterns
            .get(&place)
            .and_then(|share| share.groups.get(group))
        else {
            continue;
        };
        window.push(*p, found.folds.clone(), &merge);
        if range.contains(p) {
            window.drop_before(*window::ending_at(*p, width).start(), &merge);
            if let Some(folds) = window.merged(&merge) {
                each(*p, found, &folds);
            }
        }
    }
}

/// What a group of a pattern has seen in the window that ends with `t`; `None`: nothing.
pub fn over_window(
    key: &Key,
    loaded: &LoadedRule,
    (place, group): (u32, &Vec<Option<String>>),
    t: Second,
) -> Option<Vec<Fold>> {
    let merge = merge_with(loaded.settings.limits.distinct_values);
    let mut all: Option<Vec<Fold>> = None;
    for (_, pane) in key.panes.range(window::ending_at(t, loaded.rule.window)) {
        let share = pane
            .patterns
            .get(&place)
            .and_then(|share| share.groups.get(group));
        match (&mut all, share) {
            (Some(folds), Some(found)) => merge(folds, &found.folds),
            (None, Some(found)) => all = Some(found.folds.clone()),
            (_, None) => {}
        }
    }
    all
}

fn merge_with(distinct_max: u32) -> impl Fn(&mut Vec<Fold>, &Vec<Fold>) {
    move |all, more| {
        for (fold, other) in all.iter_mut().zip(more) {
            fold.merge(other, distinct_max);
        }
    }
}
