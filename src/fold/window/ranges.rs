//! Sets of seconds, as ranges.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::time::Second;

/// Disjoint ranges that do not touch, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranges {
    ranges: List,
}

/// First and last second of each; mostly there are one or two.
type List = SmallVec<[(Second, Second); 2]>;

/// Before all and after all seconds, with room to add to.
pub const EVER: Second = Second::MAX / 4;

impl Ranges {
    /// All seconds.
    pub fn all() -> Ranges {
        Ranges::union([-EVER..=EVER])
    }

    /// The union of `all`; empty ones are left out.
    pub fn union(all: impl IntoIterator<Item = RangeInclusive<Second>>) -> Ranges {
        let mut ranges: List = all
            .into_iter()
            .filter(|range| !range.is_empty())
            .map(RangeInclusive::into_inner)
            .collect();
        if ranges.len() > 1 {
            ranges.sort_unstable();
            ranges.dedup_by(|(start, end), (_, last)| {
                let is_joined = *start <= *last + 1;
                if is_joined {
                    *last = (*end).max(*last);
                }
                is_joined
            });
        }
        Ranges { ranges }
    }

    /// Ascending.
    pub fn iter(&self) -> impl Iterator<Item = RangeInclusive<Second>> + Clone + '_ {
        self.ranges.iter().map(|(start, end)| *start..=*end)
    }

    /// These ranges with `before` added to their beginning and `after` to their end.
    pub fn widened(&self, before: Second, after: Second) -> Ranges {
        Ranges::union(self.iter().map(|range| {
            let (start, end) = range.into_inner();
            start - before..=end + after
        }))
    }

    /// What of them lies at or after `first`.
    pub fn from(&self, first: Second) -> Ranges {
        Ranges::union(self.iter().map(|range| {
            let (start, end) = range.into_inner();
            start.max(first)..=end
        }))
    }

    /// What of them does not lie in `other`.
    pub fn without(&self, other: &Ranges) -> Ranges {
        let mut left: SmallVec<[RangeInclusive<Second>; 2]> = SmallVec::new();
        for range in self.iter() {
            let (mut start, end) = range.into_inner();
            for (from, to) in &other.ranges {
                if *to < start || *from > end {
                    continue;
                }
                left.push(start..=from - 1);
                start = to + 1;
            }
            left.push(start..=end);
        }
        Ranges::union(left)
    }

    /// Both together.
    pub fn with(&self, other: &Ranges) -> Ranges {
        match (self.is_empty(), other.is_empty()) {
            (_, true) => self.clone(),
            (true, false) => other.clone(),
            (false, false) => Ranges::union(self.iter().chain(other.iter())),
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}
