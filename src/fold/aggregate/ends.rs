//! The first and the last of something, by rank.

use serde::{Deserialize, Serialize};

use super::rank::Rank;
use crate::record::Hash;

/// A value and its place among others. Values of the same place come from equal records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Placed<V> {
    order: i64,
    tie: Hash,
    /// What stands there.
    pub value: V,
}

impl<V> Placed<V> {
    /// A value at the place that `rank` gives.
    pub fn at(rank: Rank, value: V) -> Placed<V> {
        Placed {
            order: rank.order,
            tie: rank.tie,
            value,
        }
    }

    fn place(&self) -> (i64, Hash) {
        (self.order, self.tie)
    }
}

/// Puts `new` in the place of what is `kept` if it comes before it.
pub fn keep_first<V>(kept: &mut Option<Placed<V>>, new: Placed<V>) {
    if kept.as_ref().is_none_or(|kept| new.place() < kept.place()) {
        *kept = Some(new);
    }
}

/// Puts `new` in the place of what is `kept` if it comes after it.
pub fn keep_last<V>(kept: &mut Option<Placed<V>>, new: Placed<V>) {
    if kept.as_ref().is_none_or(|kept| new.place() > kept.place()) {
        *kept = Some(new);
    }
}

/// The first and the last number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ends {
    first: Option<Placed<f64>>,
    /// `None`: the first is the last as well.
    last: Option<Placed<f64>>,
}

impl Ends {
    /// Adds a number.
    pub fn add(&mut self, new: Placed<f64>) {
        match self
            .first
            .as_ref()
            .map(|first| first.place().cmp(&new.place()))
        {
            None => self.first = Some(new),
            Some(std::cmp::Ordering::Equal) => {}
            Some(std::cmp::Ordering::Less) => keep_last(&mut self.last, new),
            Some(std::cmp::Ordering::Greater) => {
                if let Some(second) = self.first.replace(new) {
                    keep_last(&mut self.last, second);
                }
            }
        }
    }

    /// Adds all numbers of `other`.
    pub fn merge(&mut self, other: &Ends) {
        for new in other.first.iter().chain(&other.last) {
            self.add(new.clone());
        }
    }

    /// By how many percent of the first number the last one differs; `None` where there is none,
    /// or the first is 0.
    pub fn change(&self) -> Option<f64> {
        let first = self.first.as_ref()?;
        let last = self.last.as_ref().unwrap_or(first);
        (first.value != 0.0).then(|| (last.value - first.value) / first.value * 100.0)
    }
}
