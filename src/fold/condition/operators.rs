//! The operators between patterns: from the triggers of two sides to those of both.

use std::ops::RangeInclusive;

use super::Sight;
use super::certain::{certain_through, holds_through};
use crate::fold::few::Few;
use crate::fold::key::derived::Held;
use crate::fold::key::inner::{self, Inner, Triggers};
use crate::fold::key::pane::{Group, Order};
use crate::fold::key::stored::Trigger;
use crate::rule::reach::wait;
use crate::rule::{Condition, ConditionOperator};
use crate::time::Second;

/// One side of an operator.
enum Side<'a> {
    Held {
        panes: Option<&'a Held>,
        /// Later panes are not certain.
        last: Second,
    },
    Inner(Option<&'a Inner>),
}

impl<'a> Sight<'a> {
    /// The triggers of `condition` within `range`. Those of the operations within it are up to
    /// date; `place` is its own among them.
    pub fn triggers(
        &self,
        condition: &Condition,
        place: usize,
        range: RangeInclusive<Second>,
    ) -> Triggers {
        let window = self.loaded.rule.window;
        let Condition::Operation(left, operator, right) = condition else {
            return self.side(condition, place).between(range);
        };
        let places = inner::places(condition, place);
        let (left, right) = (self.side(left, places.0), self.side(right, places.1));
        let certain = || {
            let delay = wait(condition, window) + self.loaded.settings.patience;
            *range.start()..=(*range.end()).min(certain_through(self.watermark, delay))
        };
        match operator {
            ConditionOperator::And => {
                let mut both = with_earlier(&left, &right, range.clone(), window);
                for (t, trigger) in with_earlier(&right, &left, range, window).iter() {
                    keep(&mut both, t, *trigger);
                }
                both
            }
            ConditionOperator::Or => {
                let mut either = left.between(range.clone());
                for (t, trigger) in right.between(range).iter() {
                    keep(&mut either, t, *trigger);
                }
                either
            }
            ConditionOperator::FollowedBy => {
                let followed =
                    |(t, y): (Second, &Trigger)| Some((t, followed(&left, t, *y, window)?));
                right.between(range).iter().filter_map(followed).collect()
            }
            ConditionOperator::AndNot => {
                let all = left.between(certain());
                let lone = all.iter().filter(|(t, x)| !right.combines(*t, **x, window));
                lone.map(|(t, x)| (t, *x)).collect()
            }
            ConditionOperator::NotFollowedBy => {
                let all = left.between(certain());
                let lone = all.iter().filter(|(t, x)| !right.follows(*t, **x, window));
                lone.map(|(t, x)| (t, *x)).collect()
            }
        }
    }

    fn side(&self, condition: &Condition, place: usize) -> Side<'a> {
        match condition {
            Condition::Pattern(place) => {
                let last = holds_through(self.loaded, *place, self.watermark);
                let panes = self.derived.patterns.get(*place).map(|view| &view.held);
                Side::Held { panes, last }
            }
            Condition::Operation(..) => Side::Inner(self.derived.inner.get(place)),
        }
    }
}

impl Side<'_> {
    /// Its triggers within `range`.
    fn between(&self, range: RangeInclusive<Second>) -> Triggers {
        match self {
            Side::Held { panes, last } => {
                let (start, end) = (*range.start(), (*range.end()).min(*last));
                let held = panes.filter(|_| start <= end);
                let held = held.into_iter().flat_map(|panes| panes.range(start..=end));
                held.filter_map(|(t, groups)| Some((t, held_at(t, groups)?)))
                    .collect()
            }
            Side::Inner(inner) => {
                let inner = inner.filter(|_| !range.is_empty()).into_iter();
                let within = inner.flat_map(|inner| inner.triggers().range(range.clone()));
                within.map(|(t, x)| (t, *x)).collect()
            }
        }
    }

    fn at(&self, t: Second) -> Option<Trigger> {
        match self {
            Side::Held { panes, last } => {
                let groups = panes.filter(|_| t <= *last)?.get(t)?;
                held_at(t, groups)
            }
            Side::Inner(inner) => inner.as_ref()?.triggers().get(t).copied(),
        }
    }

    /// The best of all triggers whose last pane lies in `range` and whose first is after `after`.
    fn best(&self, range: RangeInclusive<Second>, after: Second) -> Option<Trigger> {
        let (start, end) = range.into_inner();
        if start > end {
            return None;
        }
        match self {
            Side::Held { panes, last } => {
                let (start, end) = (start.max(after + 1), end.min(*last));
                let panes = panes.filter(|_| start <= end)?;
                let mut within = panes.range(start..=end).filter_map(|(t, g)| held_at(t, g));
                let first = within.next()?;
                let last = within.next_back().unwrap_or(first);
                Some(first.better(last))
            }
            Side::Inner(inner) => inner.as_ref()?.best(start..=end, after),
        }
    }

    /// Whether a trigger of this side and `x` at `t` lie in one window. What ends later lies in
    /// one by itself.
    fn combines(&self, t: Second, x: Trigger, window: Second) -> bool {
        self.best(t - window + 1..=t, t - window).is_some()
            || self
                .best(t + 1..=x.first + window - 1, Second::MIN / 2)
                .is_some()
    }

    /// Whether a trigger of this side follows `x` at `t` within the window.
    fn follows(&self, t: Second, x: Trigger, window: Second) -> bool {
        let end = x.first + window - 1;
        let at_once = self.at(t).filter(|_| t <= end);
        at_once.is_some_and(|y| t <= y.first && x.latest.comes_before(y.latest))
            || self.best(t + 1..=end, t - 1).is_some()
    }
}

/// The trigger of a pattern at a pane; `None`: no group of it holds there.
fn held_at(t: Second, groups: &Few<Group, Order>) -> Option<Trigger> {
    let order = groups.values().copied().reduce(Order::with)?;
    Some(Trigger {
        first: t,
        earliest: order.earliest,
        latest: order.latest,
    })
}

fn keep(triggers: &mut Triggers, t: Second, trigger: Trigger) {
    if let Some(known) = triggers.get_or_insert_with(t, || trigger) {
        *known = known.better(trigger);
    }
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

/// `y` at `t` after a trigger of `left`.
fn followed(left: &Side<'_>, t: Second, y: Trigger, window: Second) -> Option<Trigger> {
    let earlier = left.best(t - window + 1..=y.first.min(t - 1), t - window);
    let same_pane = left
        .at(t)
        .filter(|x| y.first == t && x.first > t - window && x.earliest.comes_before(y.latest));
    let x = match (earlier, same_pane) {
        (Some(one), Some(other)) => one.better(other),
        (one, other) => one.or(other)?,
    };
    Some(Trigger {
        first: x.first,
        earliest: x.earliest.later(y.earliest),
        latest: y.latest,
    })
}
