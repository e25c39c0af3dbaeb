//! Where a pattern's values of one attribute change from one pane at which it holds to the next: so
//! that the nearest pane with another value is found without a look at all between.

use std::ops::RangeInclusive;

use crate::canary::{self, Canary};
use crate::fold::few::Few;
use crate::fold::key::pane::{Group, Held, Order};
use crate::fold::window::Timeline;
use crate::time::Second;

/// A value of a group; `None`: the attribute is absent.
pub type GroupValue = Option<String>;

/// Runs of panes at which all that holds has one value, and that the same.
#[derive(Clone, Debug)]
pub struct Runs {
    /// Which of a group's values it is.
    place: usize,
    /// Panes that are not like the one before, or have several values.
    begins: Timeline<()>,
}

impl Runs {
    /// Those of the value at this place of the groups, of a pattern that holds nowhere.
    pub fn new(place: usize) -> Runs {
        Runs {
            place,
            begins: Timeline::default(),
        }
    }

    /// Follows what has changed at a pane.
    pub fn changed(&mut self, held: &Held, second: Second) {
        self.note(held, second);
        if let Some((next, _)) = held.first_from(second + 1) {
            self.note(held, next);
        }
    }

    fn note(&mut self, held: &Held, second: Second) {
        let one = held.get(second).map(|groups| self.only(groups));
        let before = held.last_before(second);
        let before = before.map(|(_, groups)| self.only(groups));
        match one {
            Some(None) => self.begins.insert(second, ()),
            Some(one) if before.is_some_and(|before| before != one) => {
                self.begins.insert(second, ())
            }
            Some(_) | None => self.begins.remove(second),
        };
    }

    /// Forgets the panes before `first`.
    pub fn drop_before(&mut self, first: Second) {
        self.begins.drop_before(first);
    }

    /// The value of a group.
    pub fn value<'g>(&self, group: &'g Group) -> Option<&'g GroupValue> {
        group.get(self.place)
    }

    /// The value that all groups have, if it is one.
    fn only<'g>(&self, groups: &'g Few<Group, Order>) -> Option<&'g GroupValue> {
        let mut values = groups.iter().filter_map(|(group, _)| self.value(group));
        let first = values.next()?;
        values.all(|value| value == first).then_some(first)
    }

    /// Whether the value of a group is another than `value`.
    pub fn differs(&self, group: &Group, value: &GroupValue) -> bool {
        self.value(group).is_some_and(|own| differ(own, value))
    }

    fn has_other(&self, groups: &Few<Group, Order>, value: &GroupValue) -> bool {
        groups.iter().any(|(group, _)| self.differs(group, value))
    }

    /// The last pane in `range` at which something holds with another value.
    pub fn last_other(
        &self,
        held: &Held,
        range: RangeInclusive<Second>,
        value: &GroupValue,
    ) -> Option<Second> {
        let start = *range.start();
        let (last, groups) = held.range(range).next_back()?;
        if self.has_other(groups, value) {
            return Some(last);
        }
        // It has this value alone, and so have all from the beginning of its run on.
        let (begin, ()) = self.begins.range(start..=last).next_back()?;
        let before = held.range(start..=begin - 1).next_back();
        before.map(|(second, _)| second)
    }

    /// The first pane in `range` at which something holds with another value.
    pub fn first_other(
        &self,
        held: &Held,
        range: RangeInclusive<Second>,
        value: &GroupValue,
    ) -> Option<Second> {
        let end = *range.end();
        let (first, groups) = held.range(range).next()?;
        if self.has_other(groups, value) {
            return Some(first);
        }
        let next = self.begins.range(first + 1..=end).next();
        next.map(|(second, ())| second)
    }
}

/// Whether two values are different; absent ones are the same.
pub fn differ(one: &GroupValue, other: &GroupValue) -> bool {
    one != other
        || canary::is(Canary::AnyValueDiffers)
        || one.is_none() && canary::is(Canary::AbsentDiffers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fold::key::pane::End;

    fn order() -> Order {
        let end = End {
            time: 0,
            only: None,
        };
        Order {
            earliest: end,
            latest: end,
        }
    }

    /// A pane, the values that hold there, in groups that have another attribute beside.
    fn steps() -> impl Strategy<Value = Vec<(Second, Vec<(u8, u8)>)>> {
        let groups = prop::collection::vec((0_u8..3, 0_u8..2), 0..3);
        prop::collection::vec((0_i64..12, groups), 0..40)
    }

    fn text(value: u8) -> GroupValue {
        (value > 0).then(|| value.to_string())
    }

    proptest! {
        #[test]
        fn the_nearest_other_value_is_found(
            steps in steps(),
            (start, end, value) in (0_i64..12, 0_i64..12, 0_u8..4),
            dropped in 0_i64..6,
        ) {
            let (mut held, mut runs) = (Held::default(), Runs::new(1));
            for (second, groups) in steps {
                let groups = groups.into_iter();
                let groups: Few<Group, Order> = groups
                    .map(|(value, other)| (vec![text(other), text(value)], order()))
                    .collect();
                match groups.is_empty() {
                    true => held.remove(second),
                    false => held.insert(second, groups),
                };
                runs.changed(&held, second);
            }
            held.drop_before(dropped);
            runs.drop_before(dropped);
            let value = text(value);
            let has_other = |groups: &Few<Group, Order>| {
                groups.iter().any(|(group, _)| group[1] != value)
            };
            let others = held.range(start..=end).filter(|(_, groups)| has_other(groups));
            let mut others = others.map(|(second, _)| second);
            let found = runs.last_other(&held, start..=end, &value);
            prop_assert_eq!(found, others.clone().next_back());
            prop_assert_eq!(runs.first_other(&held, start..=end, &value), others.next());
        }
    }
}
