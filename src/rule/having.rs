//! `having`: a boolean test over the aggregates of a pattern's group.

use super::bounds::AGGREGATES_MAX;
use super::{Aggregate, Arithmetic, Comparison, Function, Having, Pattern, Term};

/// The most different values that are ever counted exactly.
pub const DISTINCT_MAX: u32 = 1_000_000;

impl Pattern {
    /// How many values each aggregate is to keep, where `limit` is configured: enough to count
    /// one more than each number that its having compares it with, so that the limit decides no
    /// comparison. What is compared with another aggregate is beyond the limit an estimate.
    pub fn caps(&self, limit: u32) -> Vec<u32> {
        let mut caps = vec![limit; self.aggregates.len()];
        self.having.for_each_threshold(&mut |place, threshold| {
            let distinct = |found: &Aggregate| found.function == Function::CountDistinct;
            if self.aggregates.get(place).is_some_and(distinct)
                && let Some(cap) = caps.get_mut(place)
            {
                *cap = (*cap).max(needed(threshold).min(DISTINCT_MAX));
            }
        });
        caps
    }
}

/// The values that must be kept to tell whether a count exceeds `threshold`, at most
/// [`u32::MAX`]. One more allows for rounding on the way to it.
fn needed(threshold: f64) -> u32 {
    (threshold.ceil() + 2.0) as u32
}

impl Having {
    /// All of `parts` hold.
    pub fn and(parts: Vec<Having>) -> Having {
        let flat = parts.into_iter().flat_map(|part| match part {
            Having::And(parts) => parts,
            Having::Or(_) | Having::Compare(..) => vec![part],
        });
        Having::And(flat.collect())
    }

    /// One of `parts` holds.
    pub fn or(parts: Vec<Having>) -> Having {
        let flat = parts.into_iter().flat_map(|part| match part {
            Having::Or(parts) => parts,
            Having::And(_) | Having::Compare(..) => vec![part],
        });
        Having::Or(flat.collect())
    }

    /// Whether the test holds. `value` gives each aggregate by its place, `None` where it is
    /// undefined; a comparison with something undefined does not hold.
    pub fn holds(&self, value: &dyn Fn(usize) -> Option<f64>) -> bool {
        match self {
            Having::And(parts) => parts.iter().all(|part| part.holds(value)),
            Having::Or(parts) => parts.iter().any(|part| part.holds(value)),
            Having::Compare(left, comparison, right) => {
                let sides = left.value(value).zip(right.value(value));
                sides.is_some_and(|(left, right)| comparison.holds(left, right))
            }
        }
    }

    /// Whether it compares a count of different values with more than can be counted.
    pub(super) fn is_beyond_counting(&self, aggregates: &[Aggregate]) -> bool {
        let mut beyond = false;
        self.for_each_threshold(&mut |place, threshold| {
            let found = aggregates.get(place).map(|found| found.function);
            let distinct = found == Some(Function::CountDistinct);
            beyond |= distinct && needed(threshold) > DISTINCT_MAX;
        });
        beyond
    }

    /// Calls `each` for every aggregate that a comparison sets against numbers alone, with the
    /// value of the aggregate at which the two sides are equal.
    fn for_each_threshold(&self, each: &mut dyn FnMut(usize, f64)) {
        match self {
            Having::And(parts) | Having::Or(parts) => {
                parts.iter().for_each(|part| part.for_each_threshold(each));
            }
            Having::Compare(left, _, right) => {
                for (side, other) in [(left, right), (right, left)] {
                    if let Some(number) = other.constant() {
                        side.threshold(number, each);
                    }
                }
            }
        }
    }

    /// Whether one more event can make a test that holds fail.
    ///
    /// Sums count as growing: `SUM(a) > 5` is treated as one that cannot become false.
    pub fn can_become_false(&self, aggregates: &[Aggregate]) -> bool {
        match self {
            Having::And(parts) | Having::Or(parts) => {
                parts.iter().any(|part| part.can_become_false(aggregates))
            }
            Having::Compare(Term::Aggregate(place), comparison, Term::Number(_)) => {
                !is_lasting(aggregates.get(*place), *comparison)
            }
            Having::Compare(Term::Number(_), comparison, Term::Aggregate(place)) => {
                !is_lasting(aggregates.get(*place), comparison.mirrored())
            }
            Having::Compare(..) => true,
        }
    }
}

fn is_lasting(aggregate: Option<&Aggregate>, comparison: Comparison) -> bool {
    let grows = matches!(comparison, Comparison::Greater | Comparison::GreaterOrEqual);
    let shrinks = matches!(comparison, Comparison::Less | Comparison::LessOrEqual);
    aggregate.is_some_and(|aggregate| match aggregate.function {
        Function::Count
        | Function::CountDistinct
        | Function::Sum
        | Function::Max
        | Function::Span => grows,
        Function::Min => shrinks,
        Function::Avg
        | Function::First
        | Function::Last
        | Function::Mode
        | Function::Median
        | Function::Percentile(_)
        | Function::Stddev
        | Function::Variance
        | Function::PctChange => false,
    })
}

impl Term {
    pub(super) fn value(&self, aggregate: &dyn Fn(usize) -> Option<f64>) -> Option<f64> {
        let value = match self {
            Term::Number(number) => *number,
            Term::Aggregate(place) => aggregate(*place)?,
            Term::Arithmetic(left, operator, right) => {
                let (left, right) = (left.value(aggregate)?, right.value(aggregate)?);
                match operator {
                    Arithmetic::Add => left + right,
                    Arithmetic::Subtract => left - right,
                    Arithmetic::Multiply => left * right,
                    Arithmetic::Divide => left / right,
                }
            }
        };
        // A division by zero is undefined.
        value.is_finite().then_some(value)
    }

    /// Its value, where it is made of numbers alone.
    pub(super) fn constant(&self) -> Option<f64> {
        self.value(&|_| None)
    }

    /// Calls `each` with the aggregate that it is made of, beside numbers, and with the value at
    /// which that gives the term the value `number`.
    fn threshold(&self, number: f64, each: &mut dyn FnMut(usize, f64)) {
        match self {
            Term::Number(_) => {}
            // At infinity there is nothing to be told apart.
            Term::Aggregate(place) if number.is_finite() => each(*place, number),
            Term::Aggregate(_) => {}
            Term::Arithmetic(left, operator, right) => {
                if let Some(right) = right.constant() {
                    let number = match operator {
                        Arithmetic::Add => number - right,
                        Arithmetic::Subtract => number + right,
                        Arithmetic::Multiply => number / right,
                        Arithmetic::Divide => number * right,
                    };
                    left.threshold(number, each);
                } else if let Some(left) = left.constant() {
                    let number = match operator {
                        Arithmetic::Add => number - left,
                        Arithmetic::Subtract => left - number,
                        Arithmetic::Multiply => number / left,
                        Arithmetic::Divide => left / number,
                    };
                    right.threshold(number, each);
                }
            }
        }
    }

    /// Whether it is more than numbers.
    pub(super) fn has_aggregate(&self) -> bool {
        match self {
            Term::Number(_) => false,
            Term::Aggregate(_) => true,
            Term::Arithmetic(left, _, right) => left.has_aggregate() || right.has_aggregate(),
        }
    }
}

impl Comparison {
    #[expect(clippy::float_cmp, reason = "`=` means equal")]
    pub(super) fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
            Comparison::Greater => left > right,
            Comparison::GreaterOrEqual => left >= right,
            Comparison::Less => left < right,
            Comparison::LessOrEqual => left <= right,
        }
    }

    /// The comparison that says the same when its sides change places.
    pub(super) fn mirrored(self) -> Comparison {
        match self {
            Comparison::Equal | Comparison::NotEqual => self,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        }
    }
}

/// The place of `aggregate` in the list, to which it is added if it is new; `None`: the list is
/// full.
pub fn place(aggregates: &mut Vec<Aggregate>, aggregate: Aggregate) -> Option<usize> {
    let place = aggregates.iter().position(|known| *known == aggregate);
    place.or_else(|| {
        let next = aggregates.len();
        (next < AGGREGATES_MAX).then(|| {
            aggregates.push(aggregate);
            next
        })
    })
}

#[cfg(test)]
#[path = "having_tests.rs"]
mod tests;
