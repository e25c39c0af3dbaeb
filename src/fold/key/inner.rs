//! Triggers of the operations within a condition, kept as they change.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::fold::key::stored::Trigger;
use crate::fold::window::Timeline;
use crate::rule::{Condition, ConditionOperator};
use crate::time::Second;

/// Triggers by the last pane of what made them.
pub type Triggers = Timeline<Trigger>;

/// The triggers of one operation.
#[derive(Clone, Debug, Default)]
pub struct Inner {
    triggers: Triggers,
    /// The first pane of each trigger, and its last.
    firsts: BTreeSet<(Second, Second)>,
    /// No trigger begins before one that ends earlier, as is so where no OR is among them.
    rising: bool,
}

impl Inner {
    /// Those of all operations of a condition, without triggers, in the order of [`places`].
    pub fn all(condition: &Condition) -> Vec<Inner> {
        let Condition::Operation(left, operator, right) = condition else {
            return Vec::new();
        };
        let mut all = Inner::all(left);
        all.extend(Inner::all(right));
        let or = *operator == ConditionOperator::Or;
        all.push(Inner {
            rising: !or && all.iter().all(|inner| inner.rising),
            ..Inner::default()
        });
        all
    }

    /// The triggers, by their last pane.
    pub fn triggers(&self) -> &Triggers {
        &self.triggers
    }

    /// Has exactly these triggers within `range`.
    pub fn replace(&mut self, range: RangeInclusive<Second>, now: &Triggers) {
        let before: Vec<Second> = self.triggers.range(range).map(|(t, _)| t).collect();
        for t in before {
            if let Some(trigger) = self.triggers.remove(t) {
                self.firsts.remove(&(trigger.first, t));
            }
        }
        for (t, trigger) in now.iter() {
            self.firsts.insert((trigger.first, t));
            self.triggers.insert(t, *trigger);
        }
    }

    /// Forgets the triggers before `first`.
    pub fn drop_before(&mut self, first: Second) {
        while let Some((t, trigger)) = self.triggers.pop_before(first) {
            self.firsts.remove(&(trigger.first, t));
        }
    }

    /// The best of all triggers whose last pane lies in `range`, which is not empty, and whose
    /// first is after `after`.
    pub fn best(&self, range: RangeInclusive<Second>, after: Second) -> Option<Trigger> {
        let (start, end) = range.into_inner();
        if !self.rising {
            let within = self.triggers.range(start..=end).map(|(_, x)| *x);
            return within.filter(|x| x.first > after).reduce(Trigger::better);
        }
        let (_, t) = self.firsts.range((after + 1, Second::MIN)..).next()?;
        let start = start.max(*t);
        let mut within = self.triggers.range(start..=end.max(start));
        let (_, first) = within.next().filter(|(t, _)| *t <= end)?;
        let last = within.next_back().map_or(*first, |(_, last)| *last);
        Some(first.better(last))
    }
}

/// The places of the operations on both sides of the one at `place`, where they are operations: in
/// the order in which they end.
pub fn places(condition: &Condition, place: usize) -> (usize, usize) {
    match condition {
        Condition::Pattern(_) => (0, 0),
        Condition::Operation(_, _, right) => (
            place.saturating_sub(1 + operations(right)),
            place.saturating_sub(1),
        ),
    }
}

/// How many operations a condition has.
pub fn operations(condition: &Condition) -> usize {
    match condition {
        Condition::Pattern(_) => 0,
        Condition::Operation(left, _, right) => operations(left) + operations(right) + 1,
    }
}
