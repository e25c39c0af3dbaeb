//! The operators between two patterns of which an attribute must differ: each value of one side is
//! looked at by itself, with all other values of the other side.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::Sight;
use super::barrier::Barrier;
use super::pattern_side::PatternSide;
use super::side::{Side, keep, pair};
use crate::fold::key::inner::Triggers;
use crate::fold::key::pane::Order;
use crate::fold::key::stored::Trigger;
use crate::rule::{Condition, Difference};
use crate::time::Second;

/// Two patterns on the sides of an operator.
pub struct Differing<'a> {
    left: PatternSide<'a>,
    right: PatternSide<'a>,
    window: Second,
}

impl<'a> Differing<'a> {
    /// The sides of an operator, if an attribute of them must differ.
    pub fn of(sight: &Sight<'a>, left: &Condition, right: &Condition) -> Option<Differing<'a>> {
        let (Condition::Pattern(left), Condition::Pattern(right)) = (left, right) else {
            return None;
        };
        let mut differences = sight.loaded.rule.differences.iter();
        let is_it = |it: &&Difference| it.left.pattern == *left && it.right.pattern == *right;
        let difference = differences.find(is_it)?;
        Some(Differing {
            left: PatternSide::of(sight, difference.left.pattern)?,
            right: PatternSide::of(sight, difference.right.pattern)?,
            window: sight.loaded.rule.window,
        })
    }

    /// Both, in either order.
    pub fn and(&self, range: RangeInclusive<Second>) -> Triggers {
        let mut both = Triggers::default();
        self.add_later(&self.left, &self.right, range.clone(), &mut both);
        self.add_later(&self.right, &self.left, range.clone(), &mut both);
        for t in self.right.seconds(range) {
            let (Some(xs), Some(ys)) = (self.left.at(t), self.right.at(t)) else {
                continue;
            };
            for (value, y) in ys.each() {
                if let Some(x) = xs.without(value) {
                    let trigger = Trigger {
                        first: t,
                        earliest: x.earliest.later(y.earliest),
                        latest: x.latest.later(y.latest),
                    };
                    keep(&mut both, t, trigger);
                }
            }
        }
        both
    }

    /// The right one after the left one.
    pub fn followed_by(&self, range: RangeInclusive<Second>) -> Triggers {
        let mut triggers = Triggers::default();
        self.add_later(&self.right, &self.left, range.clone(), &mut triggers);
        self.add_at_once(range, &mut triggers);
        triggers
    }

    /// The right one after the left one, with nothing of `between` between them.
    pub fn unless(&self, between: &Side<'_>, range: RangeInclusive<Second>) -> Triggers {
        let mut triggers = Triggers::default();
        for t in self.right.seconds(range.clone()) {
            let Some(ys) = self.right.at(t) else { continue };
            let mut at_barriers = BTreeMap::new();
            for (value, y) in ys.each() {
                let barrier = Barrier::before(between, t, y.earliest, self.window);
                let begin = barrier.as_ref().map_or(t - self.window, |b| b.second);
                let at_begin = || {
                    let barrier = barrier.filter(|barrier| barrier.second < t)?;
                    let xs = at_barriers.entry(barrier.second);
                    let xs = xs.or_insert_with(|| self.left.at(barrier.second));
                    let x = xs.as_ref()?.without(value)?;
                    (!barrier.stops(x.latest)).then_some(barrier.second)
                };
                let after = self.left.last_other(begin + 1..=t - 1, value);
                if let Some(first) = after.or_else(at_begin) {
                    keep(&mut triggers, t, trigger(first, y));
                }
            }
        }
        self.add_at_once(range, &mut triggers);
        triggers
    }

    /// The left one without the right one, before or after.
    pub fn and_not(&self, range: RangeInclusive<Second>) -> Triggers {
        let mut triggers = Triggers::default();
        for t in self.left.seconds(range) {
            let Some(xs) = self.left.at(t) else { continue };
            for (value, x) in xs.each() {
                let within = t - self.window + 1..=t + self.window - 1;
                if self.right.last_other(within, value).is_none() {
                    keep(&mut triggers, t, trigger(t, x));
                }
            }
        }
        triggers
    }

    /// The left one without the right one after it.
    pub fn not_followed_by(&self, range: RangeInclusive<Second>) -> Triggers {
        let mut triggers = Triggers::default();
        for t in self.left.seconds(range) {
            let Some(xs) = self.left.at(t) else { continue };
            let ys = self.right.at(t);
            for (value, x) in xs.each() {
                let at_once = ys.as_ref().and_then(|ys| ys.without(value));
                let after = t + 1..=t + self.window - 1;
                if !at_once.is_some_and(|y| x.latest.comes_before(y.latest))
                    && self.right.last_other(after, value).is_none()
                {
                    keep(&mut triggers, t, trigger(t, x));
                }
            }
        }
        triggers
    }

    /// What `later` makes with `earlier` in a pane before its own.
    fn add_later(
        &self,
        later: &PatternSide<'a>,
        earlier: &PatternSide<'a>,
        range: RangeInclusive<Second>,
        triggers: &mut Triggers,
    ) {
        for t in later.seconds(range) {
            let Some(all) = later.at(t) else { continue };
            for (value, order) in all.each() {
                let before = t - self.window + 1..=t - 1;
                if let Some(first) = earlier.last_other(before, value) {
                    keep(triggers, t, trigger(first, order));
                }
            }
        }
    }

    /// What follows within one pane.
    fn add_at_once(&self, range: RangeInclusive<Second>, triggers: &mut Triggers) {
        for t in self.right.seconds(range) {
            let (Some(xs), Some(ys)) = (self.left.at(t), self.right.at(t)) else {
                continue;
            };
            for (value, y) in ys.each() {
                let x = xs.without(value);
                if let Some(x) = x.filter(|x| x.earliest.comes_before(y.latest)) {
                    keep(triggers, t, pair(trigger(t, x), trigger(t, y)));
                }
            }
        }
    }
}

/// What begins at `first`, with the instants of its last pane.
fn trigger(first: Second, last: Order) -> Trigger {
    Trigger {
        first,
        earliest: last.earliest,
        latest: last.latest,
    }
}
