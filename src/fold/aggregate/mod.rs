//! What a pane remembers of its matches for each aggregate: mergeable, and blind to time.
//!
//! Adding values one by one, or merging parts in any order, gives the same: counts and
//! extremes by nature, sums because they are exact, first and last by rank. What must remember
//! many values has a cap, beyond which it keeps those with the smallest hashes.

mod ends;
mod exact;
mod percentile;
mod rank;
mod smallest;
mod sum;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::canary::{self, Canary};
use crate::matches::Input;
use crate::record::Hash;
use crate::rule::Function;
use crate::rule::number::Number;
use ends::{Ends, Placed, keep_first, keep_last};
use exact::Exact;
use percentile::percentile;
use sum::{Moments, Sum};

pub use rank::Rank;
pub use smallest::{Distinct, Smallest};

/// The values that one aggregate has seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Accumulator {
    /// How many were present.
    Count(u64),
    /// Which different ones there were; capped.
    CountDistinct(Box<Smallest<()>>),
    /// Their sum.
    Sum(Box<Sum>),
    /// Their mean.
    Avg(Box<Sum>),
    /// The smallest; none yet: `None`.
    Min(Option<f64>),
    /// The greatest; none yet: `None`.
    Max(Option<f64>),
    /// The first; none yet: `None`.
    First(Box<Option<Placed<String>>>),
    /// The last; none yet: `None`.
    Last(Box<Option<Placed<String>>>),
    /// How often each one came; capped.
    Mode(Box<Smallest<Frequency>>),
    /// The percentile in thousandths, and all of them; capped.
    Percentile(u32, Box<Smallest<f64>>),
    /// Their standard deviation.
    Stddev(Box<Moments>),
    /// Their variance.
    Variance(Box<Moments>),
    /// By how many percent the last differs from the first.
    PctChange(Box<Ends>),
    /// From the least to the greatest order; none yet: `None`.
    Span(Option<(i64, i64)>),
}

/// How often one value came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frequency {
    text: String,
    count: u64,
}

/// A value as an incident shows it.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// It is undefined.
    Null,
    /// A finite number.
    Number(f64),
    /// Text that is not the usual spelling of a number.
    Text(String),
}

impl Accumulator {
    /// One that has seen nothing.
    pub fn empty(function: Function) -> Accumulator {
        match function {
            Function::Count => Self::Count(0),
            Function::CountDistinct => Self::CountDistinct(Box::default()),
            Function::Sum => Self::Sum(Box::default()),
            Function::Avg => Self::Avg(Box::default()),
            Function::Min => Self::Min(None),
            Function::Max => Self::Max(None),
            Function::First => Self::First(Box::default()),
            Function::Last => Self::Last(Box::default()),
            Function::Mode => Self::Mode(Box::default()),
            Function::Median => Self::Percentile(50_000, Box::default()),
            Function::Percentile(thousandths) => Self::Percentile(thousandths, Box::default()),
            Function::Stddev => Self::Stddev(Box::default()),
            Function::Variance => Self::Variance(Box::default()),
            Function::PctChange => Self::PctChange(Box::default()),
            Function::Span => Self::Span(None),
        }
    }

    /// Adds what one record gives. What is capped keeps at most `max` values.
    pub fn add(&mut self, input: &Input, rank: Rank, max: u32) {
        match input {
            Input::Several(all) => {
                let most = if canary::is(Canary::OneValue) {
                    1
                } else {
                    all.len()
                };
                for (input, rank) in all.iter().take(most).zip(rank.of_values()) {
                    self.add_one(input, rank, max);
                }
            }
            Input::Absent
            | Input::Present
            | Input::Distinct(_)
            | Input::Integer(_)
            | Input::Float(_)
            | Input::Text(_) => self.add_one(input, rank, max),
        }
    }

    fn add_one(&mut self, input: &Input, rank: Rank, max: u32) {
        match self {
            Self::Count(count) => *count += u64::from(*input != Input::Absent),
            Self::CountDistinct(set) => {
                if let Input::Distinct(hash) = input {
                    set.add(*hash, (), max, same);
                }
            }
            Self::Sum(sum) | Self::Avg(sum) => exact(input).iter().for_each(|term| sum.add(term)),
            Self::Stddev(moments) | Self::Variance(moments) => {
                exact(input).iter().for_each(|term| moments.add(term));
            }
            Self::Min(least) => *least = extreme(*least, number(input), f64::min),
            Self::Max(greatest) => *greatest = extreme(*greatest, number(input), f64::max),
            Self::First(first) => {
                if let Input::Text(text) = input {
                    keep_first(first, Placed::at(rank, text.clone()));
                }
            }
            Self::Last(last) => {
                if let Input::Text(text) = input {
                    keep_last(last, Placed::at(rank, text.clone()));
                }
            }
            Self::Mode(frequencies) => {
                if let Input::Text(text) = input {
                    let hash = Hash::of(text.as_bytes()).first_bytes();
                    let text = text.clone();
                    frequencies.add(hash, Frequency { text, count: 1 }, max, counted);
                }
            }
            Self::Percentile(_, values) => {
                if let Some(value) = number(input) {
                    values.add(rank.event, value, max, least);
                }
            }
            Self::PctChange(ends) => {
                let value = number(input).map(|value| Placed::at(rank, value));
                value.into_iter().for_each(|value| ends.add(value));
            }
            Self::Span(span) => *span = spanning(*span, Some((rank.order, rank.order))),
        }
    }

    /// Adds all that `other`, one of the same function, has seen.
    pub fn merge(&mut self, other: &Accumulator, max: u32) {
        match (self, other) {
            (Self::Count(count), Self::Count(more)) => *count += more,
            (Self::CountDistinct(set), Self::CountDistinct(more)) => set.merge(more, max, same),
            (Self::Sum(sum), Self::Sum(more)) | (Self::Avg(sum), Self::Avg(more)) => {
                sum.merge(more);
            }
            (Self::Stddev(moments), Self::Stddev(more))
            | (Self::Variance(moments), Self::Variance(more)) => moments.merge(more),
            (Self::Min(least), Self::Min(other)) => *least = extreme(*least, *other, f64::min),
            (Self::Max(greatest), Self::Max(other)) => {
                *greatest = extreme(*greatest, *other, f64::max);
            }
            (Self::First(first), Self::First(other)) => {
                other.iter().for_each(|new| keep_first(first, new.clone()));
            }
            (Self::Last(last), Self::Last(other)) => {
                other.iter().for_each(|new| keep_last(last, new.clone()));
            }
            (Self::Mode(frequencies), Self::Mode(more)) => frequencies.merge(more, max, counted),
            (Self::Percentile(_, values), Self::Percentile(_, more)) => {
                values.merge(more, max, least);
            }
            (Self::PctChange(ends), Self::PctChange(more)) => ends.merge(more),
            (Self::Span(span), Self::Span(more)) => *span = spanning(*span, *more),
            (
                Self::Count(_)
                | Self::CountDistinct(_)
                | Self::Sum(_)
                | Self::Avg(_)
                | Self::Min(_)
                | Self::Max(_)
                | Self::First(_)
                | Self::Last(_)
                | Self::Mode(_)
                | Self::Percentile(..)
                | Self::Stddev(_)
                | Self::Variance(_)
                | Self::PctChange(_)
                | Self::Span(_),
                _,
            ) => debug_assert!(false, "accumulators of two functions merged"),
        }
    }

    /// The aggregate's value, finite; `None` where nothing was seen that it could be made of, or
    /// where it is text that does not spell a number.
    pub fn value(&self) -> Option<f64> {
        let value = match self {
            Self::Count(count) => Some(*count as f64),
            Self::CountDistinct(set) => Some(set.count()),
            Self::Sum(sum) => sum.value(),
            Self::Avg(sum) => sum.mean(),
            Self::Min(value) | Self::Max(value) => *value,
            Self::First(_) | Self::Last(_) | Self::Mode(_) => spelled(self.text()?),
            Self::Percentile(thousandths, values) => {
                percentile(values.values().copied().collect(), *thousandths)
            }
            Self::Stddev(moments) => moments.variance().map(f64::sqrt),
            Self::Variance(moments) => moments.variance(),
            Self::PctChange(ends) => ends.change(),
            // Orders are thousandths.
            Self::Span(span) => span.map(|(first, last)| (last - first) as f64 / 1000.0),
        };
        value.filter(|value| value.is_finite())
    }

    /// The aggregate's value for an incident, where text is a value as well.
    pub fn shown(&self) -> Shown {
        let value = self.value();
        match (self.text(), value) {
            // Digits that a number would lose stay, as in 007 or in a long identifier.
            (Some(text), Some(number)) if number.to_string() != text => Shown::Text(text.into()),
            (_, Some(number)) => Shown::Number(number),
            (Some(text), None) => Shown::Text(text.into()),
            (None, None) => Shown::Null,
        }
    }

    /// Whether it saw more than it could keep, so that its value is not exact. It stays so.
    pub fn is_capped(&self) -> bool {
        match self {
            Self::CountDistinct(set) => set.is_capped(),
            Self::Mode(frequencies) => frequencies.is_capped(),
            Self::Percentile(_, values) => values.is_capped(),
            Self::Count(_)
            | Self::Sum(_)
            | Self::Avg(_)
            | Self::Min(_)
            | Self::Max(_)
            | Self::First(_)
            | Self::Last(_)
            | Self::Stddev(_)
            | Self::Variance(_)
            | Self::PctChange(_)
            | Self::Span(_) => false,
        }
    }

    /// The value, where it is one that may be text.
    fn text(&self) -> Option<&str> {
        match self {
            Self::First(placed) | Self::Last(placed) => Some(&(**placed).as_ref()?.value),
            Self::Mode(frequencies) => most_frequent(frequencies),
            Self::Count(_)
            | Self::CountDistinct(_)
            | Self::Sum(_)
            | Self::Avg(_)
            | Self::Min(_)
            | Self::Max(_)
            | Self::Percentile(..)
            | Self::Stddev(_)
            | Self::Variance(_)
            | Self::PctChange(_)
            | Self::Span(_) => None,
        }
    }
}

/// Of the most frequent values the least: numbers by their value, then text by its bytes.
fn most_frequent(frequencies: &Smallest<Frequency>) -> Option<&str> {
    let order = |one: &&Frequency, other: &&Frequency| {
        let number = |frequency: &Frequency| spelled(&frequency.text).unwrap_or(f64::INFINITY);
        other
            .count
            .cmp(&one.count)
            .then_with(|| number(one).total_cmp(&number(other)))
            .then_with(|| one.text.cmp(&other.text))
    };
    frequencies
        .values()
        .min_by(order)
        .map(|frequency| frequency.text.as_str())
}

/// The least and the greatest of both.
fn spanning(one: Option<(i64, i64)>, other: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (one, other) {
        (Some((first, last)), Some((begin, end))) => Some((first.min(begin), last.max(end))),
        (one, other) => one.or(other),
    }
}

fn same((): &mut (), (): ()) {}

fn counted(frequency: &mut Frequency, more: Frequency) {
    frequency.count += more.count;
    // Two texts of one hash: not to be expected, but to be joined alike in any order.
    if more.text < frequency.text {
        frequency.text = more.text;
    }
}

fn least(value: &mut f64, other: f64) {
    *value = value.min(other);
}

/// The finite number that a text spells.
fn spelled(text: &str) -> Option<f64> {
    Number::parse(text.trim()).map(Number::as_f64)
}

fn number(input: &Input) -> Option<f64> {
    match input {
        Input::Integer(value) => Some(*value as f64),
        // Of the two zeros only one is used, so that equal values have equal bytes.
        Input::Float(value) => value.is_finite().then_some(*value + 0.0),
        Input::Absent
        | Input::Present
        | Input::Distinct(_)
        | Input::Text(_)
        | Input::Several(_) => None,
    }
}

fn exact(input: &Input) -> Option<Exact> {
    match input {
        Input::Integer(value) => Some(Exact::integer(*value)),
        Input::Float(value) => value.is_finite().then(|| Exact::float(*value)),
        Input::Absent
        | Input::Present
        | Input::Distinct(_)
        | Input::Text(_)
        | Input::Several(_) => None,
    }
}

fn extreme(one: Option<f64>, other: Option<f64>, choose: fn(f64, f64) -> f64) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(choose(one, other)),
        (one, other) => one.or(other),
    }
}
