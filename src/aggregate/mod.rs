//! What a pane remembers of its matches for each aggregate: mergeable, and blind to time.
//!
//! Adding values one by one, or merging parts in any order, gives the same value: counts and
//! extremes by nature, sums because they are exact, distinct values because a full set keeps the
//! smallest hashes.

mod distinct;
mod sum;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::rule::Function;
use crate::shuffle::Input;
use distinct::Distinct;
use sum::Sum;

/// The values that one aggregate has seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fold {
    /// How many were present.
    Count(u64),
    /// How many different ones there were.
    CountDistinct(Distinct),
    /// Their sum.
    Sum(Sum),
    /// Their mean.
    Avg(Sum),
    /// The smallest; none yet: `None`.
    Min(Option<f64>),
    /// The greatest; none yet: `None`.
    Max(Option<f64>),
}

impl Fold {
    /// The fold that has seen nothing.
    pub fn empty(function: Function) -> Fold {
        match function {
            Function::Count => Fold::Count(0),
            Function::CountDistinct => Fold::CountDistinct(Distinct::default()),
            Function::Sum => Fold::Sum(Sum::default()),
            Function::Avg => Fold::Avg(Sum::default()),
            Function::Min => Fold::Min(None),
            Function::Max => Fold::Max(None),
        }
    }

    /// Adds what one record gives. A distinct count keeps at most `distinct_max` values.
    pub fn add(&mut self, input: &Input, distinct_max: u32) {
        match self {
            Fold::Count(count) => *count += u64::from(*input != Input::Absent),
            Fold::CountDistinct(set) => {
                if let Input::Distinct(hash) = input {
                    set.add(*hash, distinct_max);
                }
            }
            Fold::Sum(sum) | Fold::Avg(sum) => match input {
                Input::Integer(value) => sum.add_integer(*value),
                Input::Float(value) => sum.add(*value),
                Input::Absent | Input::Present | Input::Distinct(_) => {}
            },
            Fold::Min(least) => *least = extreme(*least, number(input), f64::min),
            Fold::Max(greatest) => *greatest = extreme(*greatest, number(input), f64::max),
        }
    }

    /// Adds all that `other`, a fold of the same function, has seen.
    pub fn merge(&mut self, other: &Fold, distinct_max: u32) {
        match (self, other) {
            (Fold::Count(count), Fold::Count(more)) => *count += more,
            (Fold::CountDistinct(set), Fold::CountDistinct(more)) => set.merge(more, distinct_max),
            (Fold::Sum(sum), Fold::Sum(more)) | (Fold::Avg(sum), Fold::Avg(more)) => {
                sum.merge(more);
            }
            (Fold::Min(least), Fold::Min(other)) => *least = extreme(*least, *other, f64::min),
            (Fold::Max(greatest), Fold::Max(other)) => {
                *greatest = extreme(*greatest, *other, f64::max);
            }
            (
                Fold::Count(_)
                | Fold::CountDistinct(_)
                | Fold::Sum(_)
                | Fold::Avg(_)
                | Fold::Min(_)
                | Fold::Max(_),
                _,
            ) => debug_assert!(false, "folds of two functions merged"),
        }
    }

    /// The aggregate's value; `None` where nothing was seen that it could be made of.
    pub fn value(&self) -> Option<f64> {
        match self {
            Fold::Count(count) => Some(*count as f64),
            Fold::CountDistinct(set) => Some(set.len() as f64),
            Fold::Sum(sum) => sum.value(),
            Fold::Avg(sum) => sum.mean(),
            Fold::Min(value) | Fold::Max(value) => *value,
        }
    }
}

fn number(input: &Input) -> Option<f64> {
    match input {
        Input::Integer(value) => Some(*value as f64),
        Input::Float(value) => Some(*value),
        Input::Absent | Input::Present | Input::Distinct(_) => None,
    }
}

fn extreme(one: Option<f64>, other: Option<f64>, choose: fn(f64, f64) -> f64) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(choose(one, other)),
        (one, other) => one.or(other),
    }
}
