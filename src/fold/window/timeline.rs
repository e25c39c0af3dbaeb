//! Something for each of many seconds, in their order: what matched, where a pattern holds, where
//! a rule triggers.
//!
//! Time goes on: nearly all is added at the end and forgotten from the beginning, and what comes
//! out of order comes near the end. So it is a list, which takes no more room than what is in it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Second;

/// A sorted map by seconds. Its byte form is that of any map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline<V> {
    /// Ascending.
    entries: VecDeque<(Second, V)>,
}

impl<V> Default for Timeline<V> {
    fn default() -> Timeline<V> {
        Timeline {
            entries: VecDeque::new(),
        }
    }
}

impl<V> Timeline<V> {
    /// What stands at a second.
    pub fn get(&self, second: Second) -> Option<&V> {
        let place = self.find(second).ok()?;
        self.entries.get(place).map(|(_, value)| value)
    }

    /// What stands at a second, to be changed.
    pub fn get_mut(&mut self, second: Second) -> Option<&mut V> {
        let place = self.find(second).ok()?;
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    /// Whether something stands at a second.
    pub fn contains(&self, second: Second) -> bool {
        self.find(second).is_ok()
    }

    /// Puts something at a second; what stood there before.
    pub fn insert(&mut self, second: Second, value: V) -> Option<V> {
        match self.find(second) {
            Ok(place) => {
                let (_, known) = self.entries.get_mut(place)?;
                Some(std::mem::replace(known, value))
            }
            Err(place) => {
                self.put(place, second, value);
                None
            }
        }
    }

    /// What stands at a second; if nothing does, what `make` makes.
    pub fn get_or_insert_with(
        &mut self,
        second: Second,
        make: impl FnOnce() -> V,
    ) -> Option<&mut V> {
        let place = match self.find(second) {
            Ok(place) => place,
            Err(place) => {
                self.put(place, second, make());
                place
            }
        };
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    /// Takes out what stands at a second.
    pub fn remove(&mut self, second: Second) -> Option<V> {
        let place = self.find(second).ok()?;
        self.entries.remove(place).map(|(_, value)| value)
    }

    /// What stands at the seconds of a range, ascending; nothing does in an empty one.
    pub fn range(
        &self,
        range: RangeInclusive<Second>,
    ) -> impl DoubleEndedIterator<Item = (Second, &V)> + Clone {
        let (start, end) = range.into_inner();
        let from = self.entries.partition_point(|(second, _)| *second < start);
        let to = match self.entries.back() {
            Some((last, _)) if *last <= end => self.entries.len(),
            Some(_) | None => self.entries.partition_point(|(second, _)| *second <= end),
        };
        let entries = self.entries.range(from..to.max(from));
        entries.map(|(second, value)| (*second, value))
    }

    /// The first of all.
    pub fn first(&self) -> Option<(Second, &V)> {
        self.entries.front().map(|(second, value)| (*second, value))
    }

    /// The last of all.
    pub fn last(&self) -> Option<(Second, &V)> {
        self.entries.back().map(|(second, value)| (*second, value))
    }

    /// The last one before a second.
    pub fn last_before(&self, second: Second) -> Option<(Second, &V)> {
        let place = self.entries.partition_point(|(known, _)| *known < second);
        let (known, value) = self.entries.get(place.checked_sub(1)?)?;
        Some((*known, value))
    }

    /// The first one at or after a second.
    pub fn first_from(&self, second: Second) -> Option<(Second, &V)> {
        let place = self.entries.partition_point(|(known, _)| *known < second);
        let (known, value) = self.entries.get(place)?;
        Some((*known, value))
    }

    /// Takes out the first of all, if it lies before a second.
    pub fn pop_before(&mut self, second: Second) -> Option<(Second, V)> {
        match self.entries.front() {
            Some((first, _)) if *first < second => self.entries.pop_front(),
            Some(_) | None => None,
        }
    }

    /// Forgets all before a second.
    pub fn drop_before(&mut self, second: Second) {
        while self.pop_before(second).is_some() {}
    }

    /// All, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Second, &V)> + Clone {
        self.entries.iter().map(|(second, value)| (*second, value))
    }

    /// All, ascending, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Second, &mut V)> {
        let entries = self.entries.iter_mut();
        entries.map(|(second, value)| (*second, value))
    }

    /// The seconds at which something stands, ascending.
    pub fn seconds(&self) -> impl DoubleEndedIterator<Item = Second> + Clone + '_ {
        self.entries.iter().map(|(second, _)| *second)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn find(&self, second: Second) -> Result<usize, usize> {
        match self.entries.back() {
            None => Err(0),
            Some((last, _)) if *last < second => Err(self.entries.len()),
            Some((last, _)) if *last == second => Ok(self.entries.len() - 1),
            Some(_) => self
                .entries
                .binary_search_by_key(&second, |(known, _)| *known),
        }
    }

    fn put(&mut self, place: usize, second: Second, value: V) {
        if self.entries.is_empty() {
            self.entries.reserve_exact(1);
        }
        self.entries.insert(place, (second, value));
    }
}

impl<V> FromIterator<(Second, V)> for Timeline<V> {
    fn from_iter<I: IntoIterator<Item = (Second, V)>>(entries: I) -> Timeline<V> {
        let mut timeline = Timeline::default();
        for (second, value) in entries {
            timeline.insert(second, value);
        }
        timeline
    }
}

impl<V: Serialize> Serialize for Timeline<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Timeline<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timeline<V>, D::Error> {
        Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0_i64..30, 0_u8..5), 0..120)) {
            let (mut line, mut map) = (Timeline::default(), BTreeMap::new());
            for (second, step) in steps {
                match step {
                    0 | 1 => {
                        *line.get_or_insert_with(second, || 0_u32).unwrap() += 1;
                        *map.entry(second).or_insert(0) += 1;
                    }
                    2 => prop_assert_eq!(line.remove(second), map.remove(&second)),
                    3 => prop_assert_eq!(line.insert(second, 7), map.insert(second, 7)),
                    _ => {
                        line.drop_before(second / 3);
                        map = map.split_off(&(second / 3));
                    }
                }
                prop_assert!(line.iter().eq(map.iter().map(|(at, value)| (*at, value))));
                prop_assert_eq!(line.get(second), map.get(&second));
                let within = map.range(second..=second + 5).map(|(at, value)| (*at, value));
                prop_assert!(line.range(second..=second + 5).eq(within));
                let last = map.range(..second).next_back().map(|(at, value)| (*at, value));
                prop_assert_eq!(line.last_before(second), last);
                let first = map.range(second..).next().map(|(at, value)| (*at, value));
                prop_assert_eq!(line.first_from(second), first);
            }
        }
    }
}
