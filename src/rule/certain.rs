//! What is certain of a `having` before there are events: that it never holds, or always.

use super::range::Range;
use super::{Aggregate, Comparison, Function, Having, Term};

/// What each aggregate can be where a `having` is evaluated: in a second with an event, whatever
/// its attributes are.
pub fn ranges(aggregates: &[Aggregate]) -> Vec<Range> {
    aggregates.iter().map(range).collect()
}

fn range(aggregate: &Aggregate) -> Range {
    match (aggregate.function, aggregate.input) {
        (Function::Count, None) => Range::from(1.0).whole(),
        (Function::Count, Some(_)) => Range::from(0.0).whole(),
        (Function::CountDistinct | Function::Stddev | Function::Variance | Function::Span, _) => {
            Range::from(0.0)
        }
        (
            Function::Sum
            | Function::Avg
            | Function::Min
            | Function::Max
            | Function::First
            | Function::Last
            | Function::Mode
            | Function::Median
            | Function::Percentile(_)
            | Function::PctChange,
            _,
        ) => Range::ANY,
    }
}

impl Having {
    /// Whether it may hold where the aggregates are in these ranges.
    pub(super) fn is_possible(&self, ranges: &[Range]) -> bool {
        match self {
            Having::Or(parts) => parts.iter().any(|part| part.is_possible(ranges)),
            Having::And(parts) => {
                let mut narrow = ranges.to_vec();
                for part in parts {
                    part.narrow(&mut narrow);
                }
                parts.iter().all(|part| part.is_possible(&narrow))
            }
            Having::Compare(left, comparison, right) => {
                let (left, right) = (left.range(ranges), right.range(ranges));
                left.can(*comparison, right)
            }
        }
    }

    /// Takes from an aggregate's range what fails this test of it against a number.
    fn narrow(&self, ranges: &mut [Range]) {
        let Having::Compare(left, comparison, right) = self else {
            return;
        };
        let (place, comparison, number) = match (left, right) {
            (Term::Aggregate(place), other) => (place, *comparison, other),
            (other, Term::Aggregate(place)) => (place, comparison.mirrored(), other),
            (Term::Number(_) | Term::Arithmetic(..), Term::Number(_) | Term::Arithmetic(..)) => {
                return;
            }
        };
        if let (Some(range), Some(number)) = (ranges.get_mut(*place), number.constant()) {
            *range = range.narrowed(comparison, number);
        }
    }

    /// The comparisons in it that hold whatever happens.
    pub(super) fn always<'h>(&'h self, aggregates: &[Aggregate], found: &mut Vec<&'h Having>) {
        match self {
            Having::And(parts) | Having::Or(parts) => {
                parts.iter().for_each(|part| part.always(aggregates, found))
            }
            Having::Compare(left, comparison, right) => {
                let counts = |term: &Term| term.is_of_counts(aggregates);
                // That there is an event may be said, as it is said where nothing is.
                let ranges = vec![Range::from(0.0).whole(); aggregates.len()];
                let (left, right) = (counts(left).then(|| left.range(&ranges)), right);
                let right = counts(right).then(|| right.range(&ranges));
                if let (Some(left), Some(right)) = (left, right)
                    && !left.can(comparison.opposite(), right)
                {
                    found.push(self);
                }
            }
        }
    }
}

impl Term {
    fn range(&self, ranges: &[Range]) -> Range {
        match self {
            Term::Number(number) => Range::between(*number, *number),
            Term::Aggregate(place) => ranges.get(*place).copied().unwrap_or(Range::ANY),
            Term::Arithmetic(left, operator, right) => left
                .range(ranges)
                .calculated(*operator, right.range(ranges)),
        }
    }

    /// Whether it is a count or a number, which are never undefined.
    fn is_of_counts(&self, aggregates: &[Aggregate]) -> bool {
        match self {
            Term::Number(_) => true,
            Term::Aggregate(place) => aggregates.get(*place).is_some_and(|found| {
                matches!(found.function, Function::Count | Function::CountDistinct)
            }),
            Term::Arithmetic(..) => false,
        }
    }
}

impl Comparison {
    /// The comparison that holds of two numbers where this one does not.
    fn opposite(self) -> Comparison {
        match self {
            Comparison::Equal => Comparison::NotEqual,
            Comparison::NotEqual => Comparison::Equal,
            Comparison::Greater => Comparison::LessOrEqual,
            Comparison::GreaterOrEqual => Comparison::Less,
            Comparison::Less => Comparison::GreaterOrEqual,
            Comparison::LessOrEqual => Comparison::Greater,
        }
    }
}

#[cfg(test)]
#[path = "certain_tests.rs"]
mod tests;
