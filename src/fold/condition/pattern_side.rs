//! A pattern beside an operator where an attribute must differ: each value of it by itself.

use std::ops::RangeInclusive;

use super::Sight;
use super::certain::holds_through;
use crate::fold::few::Few;
use crate::fold::key::derived::PatternView;
use crate::fold::key::pane::{Group, Order};
use crate::fold::key::runs::{GroupValue, Runs, differ};
use crate::time::Second;

/// Where a pattern holds, with the values of one attribute.
#[derive(Clone, Copy)]
pub struct PatternSide<'a> {
    view: &'a PatternView,
    runs: &'a Runs,
    /// Later panes are not certain.
    last: Second,
}

impl<'a> PatternSide<'a> {
    /// The pattern at this place.
    pub fn of(sight: &Sight<'a>, pattern: usize) -> Option<PatternSide<'a>> {
        let view = sight.derived.patterns.get(pattern)?;
        Some(PatternSide {
            view,
            runs: view.runs.as_ref()?,
            last: holds_through(sight.loaded, pattern, sight.watermark),
        })
    }

    fn certain(&self, range: RangeInclusive<Second>) -> RangeInclusive<Second> {
        let (start, end) = range.into_inner();
        start..=end.min(self.last)
    }

    /// The panes in `range` at which it holds, ascending.
    pub fn seconds(
        &self,
        range: RangeInclusive<Second>,
    ) -> impl DoubleEndedIterator<Item = Second> + 'a {
        let held = self.view.held.range(self.certain(range));
        held.map(|(second, _)| second)
    }

    /// What holds at a pane; `None`: nothing does.
    pub fn at(&self, second: Second) -> Option<ByValue<'a>> {
        let groups = self.groups(second)?;
        Some(ByValue::of(groups, self.runs))
    }

    fn groups(&self, second: Second) -> Option<&'a Few<Group, Order>> {
        self.view.held.get(second).filter(|_| second <= self.last)
    }

    /// The last pane in `range` at which it holds with another value.
    pub fn last_other(&self, range: RangeInclusive<Second>, value: &GroupValue) -> Option<Second> {
        let range = self.certain(range);
        self.runs.last_other(&self.view.held, range, value)
    }

    /// The least group at the first pane in `range` at which it holds with another value.
    pub fn first_other_group(
        &self,
        range: RangeInclusive<Second>,
        value: &GroupValue,
    ) -> Option<&'a Group> {
        let range = self.certain(range);
        let first = self.runs.first_other(&self.view.held, range, value)?;
        let mut groups = self.groups(first)?.iter().map(|(group, _)| group);
        groups.find(|group| self.runs.differs(group, value))
    }

    /// The least group at the last pane in `range` that has one whose value is another than one of
    /// `other` in `range`.
    pub fn last_group_beside(
        &self,
        other: &PatternSide<'_>,
        range: RangeInclusive<Second>,
    ) -> Option<&'a Group> {
        let beside = |second: Second| {
            let mut groups = self.groups(second)?.iter().map(|(group, _)| group);
            groups.find(|group| {
                let value = self.runs.value(group);
                value.is_some_and(|value| other.last_other(range.clone(), value).is_some())
            })
        };
        let last = self.seconds(range.clone()).next_back()?;
        beside(last).or_else(|| {
            // All of the other's values there are this one, and those of this pane as well.
            let (group, _) = self.groups(last)?.iter().next()?;
            beside(self.last_other(range.clone(), self.runs.value(group)?)?)
        })
    }

    /// The value of a group.
    pub fn value<'g>(&self, group: &'g Group) -> Option<&'g GroupValue> {
        self.runs.value(group)
    }
}

/// What holds at a pane, by the value of one attribute.
pub struct ByValue<'a> {
    /// Ascending by value.
    values: Vec<OfValue<'a>>,
}

struct OfValue<'a> {
    value: &'a GroupValue,
    order: Order,
    /// Of all other values.
    others: Option<Order>,
}

impl<'a> ByValue<'a> {
    fn of(groups: &'a Few<Group, Order>, runs: &Runs) -> ByValue<'a> {
        let all = groups.iter();
        let mut all: Vec<(&GroupValue, Order)> = all
            .filter_map(|(group, order)| Some((runs.value(group)?, *order)))
            .collect();
        all.sort_by_key(|(value, _)| *value);
        let mut values: Vec<OfValue<'_>> = Vec::with_capacity(all.len());
        for (value, order) in all {
            match values.last_mut().filter(|last| last.value == value) {
                Some(last) => last.order = last.order.with(order),
                None => values.push(OfValue {
                    value,
                    order,
                    others: None,
                }),
            }
        }
        let mut before: Option<Order> = None;
        for of in &mut values {
            of.others = before;
            before = with(before, Some(of.order));
        }
        let mut after: Option<Order> = None;
        for of in values.iter_mut().rev() {
            of.others = with(of.others, after);
            after = with(after, Some(of.order));
        }
        ByValue { values }
    }

    /// Each value, with the matches of its groups.
    pub fn each(&self) -> impl Iterator<Item = (&'a GroupValue, Order)> {
        self.values.iter().map(|of| (of.value, of.order))
    }

    /// The matches of all groups with another value; `None`: there are none.
    pub fn without(&self, value: &GroupValue) -> Option<Order> {
        let place = self.values.binary_search_by_key(&value, |of| of.value);
        let found = place.ok().and_then(|place| self.values.get(place));
        match found {
            Some(of) if !differ(of.value, value) => of.others,
            Some(_) | None => {
                let first = self.values.first()?;
                with(first.others, Some(first.order))
            }
        }
    }
}

fn with(one: Option<Order>, other: Option<Order>) -> Option<Order> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.with(other)),
        (one, other) => one.or(other),
    }
}
