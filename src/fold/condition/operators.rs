//! The operators between patterns: from the triggers of two sides to those of both.

use std::ops::RangeInclusive;

use super::Sight;
use super::barrier::Barrier;
use super::certain::certain_through;
use super::differing::Differing;
use super::side::{Side, better, keep, pair};
use crate::fold::key::inner::{self, Triggers};
use crate::fold::key::stored::Trigger;
use crate::rule::reach::wait;
use crate::rule::{Condition, ConditionOperator};
use crate::time::Second;

impl Sight<'_> {
    /// The triggers of `condition` within `range`. Those of the operations within it are up to
    /// date; `place` is its own among them.
    pub fn triggers(
        &self,
        condition: &Condition,
        place: usize,
        range: RangeInclusive<Second>,
    ) -> Triggers {
        let window = self.loaded.rule.window;
        let [first, second, third] = inner::places(condition, place);
        match condition {
            Condition::Pattern(_) => Side::of(self, condition, place).between(range),
            Condition::Operation(left, operator, right) => {
                let certain = || self.certain(condition, range.clone());
                // Nothing differs on the sides of an OR: such a rule is not valid.
                if let Some(sides) = Differing::of(self, left, right) {
                    return match operator {
                        ConditionOperator::And | ConditionOperator::Or => sides.and(range),
                        ConditionOperator::FollowedBy => sides.followed_by(range),
                        ConditionOperator::AndNot => sides.and_not(certain()),
                        ConditionOperator::NotFollowedBy => sides.not_followed_by(certain()),
                    };
                }
                let left = Side::of(self, left, first);
                let right = Side::of(self, right, second);
                match operator {
                    ConditionOperator::And => and(&left, &right, range, window),
                    ConditionOperator::Or => or(&left, &right, range),
                    ConditionOperator::FollowedBy => followed_by(&left, &right, range, window),
                    ConditionOperator::AndNot => and_not(&left, &right, certain(), window),
                    ConditionOperator::NotFollowedBy => {
                        not_followed_by(&left, &right, certain(), window)
                    }
                }
            }
            Condition::Unless {
                first: x,
                then: y,
                between: u,
            } => {
                let range = self.certain(condition, range);
                let u = Side::of(self, u, third);
                if let Some(sides) = Differing::of(self, x, y) {
                    return sides.unless(&u, range);
                }
                let (x, y) = (Side::of(self, x, first), Side::of(self, y, second));
                unless(&x, &y, &u, range, window)
            }
        }
    }

    /// What of `range` is certain of an absence.
    fn certain(
        &self,
        absence: &Condition,
        range: RangeInclusive<Second>,
    ) -> RangeInclusive<Second> {
        let delay = wait(absence, self.loaded.rule.window) + self.loaded.settings.patience;
        let (start, end) = range.into_inner();
        start..=end.min(certain_through(self.watermark, delay))
    }
}

fn and(
    left: &Side<'_>,
    right: &Side<'_>,
    range: RangeInclusive<Second>,
    window: Second,
) -> Triggers {
    let mut both = with_earlier(left, right, range.clone(), window);
    for (t, trigger) in with_earlier(right, left, range, window).iter() {
        keep(&mut both, t, *trigger);
    }
    both
}

/// What `later` in `range` makes together with `earlier` at or before it.
fn with_earlier(
    later: &Side<'_>,
    earlier: &Side<'_>,
    range: RangeInclusive<Second>,
    window: Second,
) -> Triggers {
    let both = |(t, x): (Second, &Trigger)| {
        let y = earlier.best(t - window + 1..=t, t - window)?;
        let both = Trigger {
            first: x.first.min(y.first),
            earliest: x.earliest.later(y.earliest),
            latest: x.latest.later(y.latest),
        };
        (x.first > t - window).then_some((t, both))
    };
    later.between(range).iter().filter_map(both).collect()
}

fn or(left: &Side<'_>, right: &Side<'_>, range: RangeInclusive<Second>) -> Triggers {
    let mut either = left.between(range.clone());
    for (t, trigger) in right.between(range).iter() {
        keep(&mut either, t, *trigger);
    }
    either
}

fn followed_by(
    left: &Side<'_>,
    right: &Side<'_>,
    range: RangeInclusive<Second>,
    window: Second,
) -> Triggers {
    let followed = |(t, y): (Second, &Trigger)| {
        let before = left.best(t - window + 1..=y.first.min(t - 1), t - window);
        let at_once = at_once(left, t, *y, window);
        Some((t, better(before.map(|x| pair(x, *y)), at_once)?))
    };
    right.between(range).iter().filter_map(followed).collect()
}

/// `y` at `t` after a trigger of `left` in the same pane.
fn at_once(left: &Side<'_>, t: Second, y: Trigger, window: Second) -> Option<Trigger> {
    let x = left.at(t).filter(|_| y.first == t)?;
    (x.first > t - window && x.earliest.comes_before(y.latest)).then(|| pair(x, y))
}

fn unless(
    first: &Side<'_>,
    then: &Side<'_>,
    between: &Side<'_>,
    range: RangeInclusive<Second>,
    window: Second,
) -> Triggers {
    let followed = |(t, y): (Second, &Trigger)| {
        let last = y.first.min(t - 1);
        let (begin, at_begin) = match Barrier::before(between, t, y.earliest, window) {
            None => (t - window, None),
            Some(barrier) => {
                let x = first.at(barrier.second).filter(|x| {
                    barrier.second <= last && x.first > t - window && !barrier.stops(x.latest)
                });
                (barrier.second, x)
            }
        };
        let after = first.best(begin + 1..=last, t - window);
        let before = better(after, at_begin).map(|x| pair(x, *y));
        Some((t, better(before, at_once(first, t, *y, window))?))
    };
    then.between(range).iter().filter_map(followed).collect()
}

fn and_not(
    left: &Side<'_>,
    right: &Side<'_>,
    range: RangeInclusive<Second>,
    window: Second,
) -> Triggers {
    let all = left.between(range);
    let lone = all.iter().filter(|(t, x)| !right.combines(*t, **x, window));
    lone.map(|(t, x)| (t, *x)).collect()
}

fn not_followed_by(
    left: &Side<'_>,
    right: &Side<'_>,
    range: RangeInclusive<Second>,
    window: Second,
) -> Triggers {
    let all = left.between(range);
    let lone = all.iter().filter(|(t, x)| !right.follows(*t, **x, window));
    lone.map(|(t, x)| (t, *x)).collect()
}
