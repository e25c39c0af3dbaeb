//! One side of an operator: where it triggers.

use std::ops::RangeInclusive;

use super::Sight;
use super::certain::holds_through;
use crate::fold::few::Few;
use crate::fold::key::inner::{Inner, Triggers};
use crate::fold::key::pane::{Group, Held, Order};
use crate::fold::key::stored::Trigger;
use crate::rule::Condition;
use crate::time::Second;

/// One side of an operator.
pub enum Side<'a> {
    /// A pattern.
    Held {
        /// Where it holds.
        panes: Option<&'a Held>,
        /// Later panes are not certain.
        last: Second,
    },
    /// An operation.
    Inner(Option<&'a Inner>),
}

impl<'a> Side<'a> {
    /// The side that `condition` is, at `place` among all operations.
    pub fn of(sight: &Sight<'a>, condition: &Condition, place: usize) -> Side<'a> {
        match condition {
            Condition::Pattern(place) => {
                let last = holds_through(sight.loaded, *place, sight.watermark);
                let panes = sight.derived.patterns.get(*place).map(|view| &view.held);
                Side::Held { panes, last }
            }
            Condition::Operation(..) | Condition::Unless { .. } => {
                Side::Inner(sight.derived.inner.get(place))
            }
        }
    }
}

impl Side<'_> {
    /// Its triggers within `range`.
    pub fn between(&self, range: RangeInclusive<Second>) -> Triggers {
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

    /// Its trigger whose last pane is `t`.
    pub fn at(&self, t: Second) -> Option<Trigger> {
        match self {
            Side::Held { panes, last } => {
                let groups = panes.filter(|_| t <= *last)?.get(t)?;
                held_at(t, groups)
            }
            Side::Inner(inner) => inner.as_ref()?.triggers().get(t).copied(),
        }
    }

    /// The best of all triggers whose last pane lies in `range` and whose first is after `after`.
    pub fn best(&self, range: RangeInclusive<Second>, after: Second) -> Option<Trigger> {
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
    pub fn combines(&self, t: Second, x: Trigger, window: Second) -> bool {
        self.best(t - window + 1..=t, t - window).is_some()
            || self
                .best(t + 1..=x.first + window - 1, Second::MIN / 2)
                .is_some()
    }

    /// Whether a trigger of this side follows `x` at `t` within the window.
    pub fn follows(&self, t: Second, x: Trigger, window: Second) -> bool {
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

/// Adds a way to `t`: of two the better one counts.
pub fn keep(triggers: &mut Triggers, t: Second, trigger: Trigger) {
    if let Some(known) = triggers.get_or_insert_with(t, || trigger) {
        *known = known.better(trigger);
    }
}

/// `x`, and `y` after it.
pub fn pair(x: Trigger, y: Trigger) -> Trigger {
    Trigger {
        first: x.first,
        earliest: x.earliest.later(y.earliest),
        latest: y.latest,
    }
}

/// The better one of two, or the only one.
pub fn better(one: Option<Trigger>, other: Option<Trigger>) -> Option<Trigger> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.better(other)),
        (one, other) => one.or(other),
    }
}
