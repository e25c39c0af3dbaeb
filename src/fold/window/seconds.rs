//! Sets of a few seconds: what a message touches, what is to be looked at again.

use std::ops::RangeInclusive;

use smallvec::SmallVec;

use crate::time::Second;

/// Seconds, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seconds {
    seconds: SmallVec<[Second; 4]>,
}

impl Seconds {
    /// Adds one.
    pub fn insert(&mut self, second: Second) {
        match self.seconds.last() {
            Some(last) if *last >= second => {
                if let Err(place) = self.seconds.binary_search(&second) {
                    self.seconds.insert(place, second);
                }
            }
            Some(_) | None => self.seconds.push(second),
        }
    }

    /// Whether one is among them.
    pub fn contains(&self, second: Second) -> bool {
        self.seconds.binary_search(&second).is_ok()
    }

    /// All, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Second> + Clone + '_ {
        self.seconds.iter().copied()
    }

    /// Whether one of them lies in a range.
    pub fn any_in(&self, range: RangeInclusive<Second>) -> bool {
        let from = self
            .seconds
            .partition_point(|second| second < range.start());
        let first = self.seconds.get(from);
        first.is_some_and(|first| first <= range.end())
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.seconds.is_empty()
    }
}

impl FromIterator<Second> for Seconds {
    fn from_iter<I: IntoIterator<Item = Second>>(seconds: I) -> Seconds {
        let mut all = Seconds::default();
        for second in seconds {
            all.insert(second);
        }
        all
    }
}
