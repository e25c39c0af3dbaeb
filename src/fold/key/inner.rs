//! Triggers of the operations within a condition, kept as they change.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::fold::key::stored::Trigger;
use crate::fold::window::Timeline;
use crate::rule::{Condition, ConditionOperator, Rule};
use crate::time::Second;

/// Triggers by the last pane of what made them.
pub type Triggers = Timeline<Trigger>;

/// The triggers of one operation.
#[derive(Clone, Debug, Default)]
pub struct Inner {
    triggers: Triggers,
    /// The first pane of each trigger, and its last.
    firsts: BTreeSet<(Second, Second)>,
    /// No trigger begins before one that ends earlier, as is so where no OR is among them, and
    /// nothing must differ: what lies next to one value may be far from another.
    rising: bool,
}

impl Inner {
    /// Those of all operations of a rule's condition, without triggers, in the order of [`places`].
    pub fn all(rule: &Rule) -> Vec<Inner> {
        let rising = rule.differences.is_empty();
        Inner::within(&rule.condition, rising)
    }

    fn within(condition: &Condition, rising: bool) -> Vec<Inner> {
        let is_or = match condition {
            Condition::Pattern(_) => return Vec::new(),
            Condition::Operation(_, operator, _) => *operator == ConditionOperator::Or,
            Condition::Unless { .. } => false,
        };
        let sides = condition.sides().into_iter();
        let mut all: Vec<Inner> = sides.flat_map(|side| Inner::within(side, rising)).collect();
        all.push(Inner {
            rising: rising && !is_or && all.iter().all(|inner| inner.rising),
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

/// The places of the sides of the operation at `place`, where they are operations, too: in the
/// order in which they end.
pub fn places(condition: &Condition, place: usize) -> [usize; 3] {
    let before = |place: usize, side: &Condition| place.saturating_sub(operations(side));
    let last = place.saturating_sub(1);
    match condition {
        Condition::Pattern(_) => [0; 3],
        Condition::Operation(_, _, right) => [before(last, right), last, 0],
        Condition::Unless { then, between, .. } => {
            let middle = before(last, between);
            [before(middle, then), middle, last]
        }
    }
}

/// How many operations a condition has.
pub fn operations(condition: &Condition) -> usize {
    let sides = condition.sides();
    let within: usize = sides.iter().map(|side| operations(side)).sum();
    within + usize::from(!sides.is_empty())
}
