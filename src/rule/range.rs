//! The numbers that a value can be: for what can be told of a test before there are events.
//!
//! A range may be wider than the truth, never narrower: what is outside is certainly impossible.

use super::{Arithmetic, Comparison};

/// The numbers between two ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    low: f64,
    high: f64,
    /// The end itself is outside.
    low_open: bool,
    high_open: bool,
    /// Only whole numbers.
    whole: bool,
}

impl Range {
    /// Any number.
    pub const ANY: Range = Range {
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
        low_open: false,
        high_open: false,
        whole: false,
    };

    /// No number.
    const NONE: Range = Range {
        low: f64::INFINITY,
        high: f64::NEG_INFINITY,
        ..Range::ANY
    };

    /// This number and greater ones.
    pub fn from(low: f64) -> Range {
        Range { low, ..Range::ANY }
    }

    /// These two and what is between them.
    pub fn between(low: f64, high: f64) -> Range {
        Range {
            low,
            high,
            ..Range::ANY
        }
    }

    /// The whole numbers of it.
    pub fn whole(self) -> Range {
        Range {
            whole: true,
            ..self
        }
    }

    /// Whether no number is in it.
    pub fn is_empty(self) -> bool {
        self.low > self.high || self.low == self.high && (self.low_open || self.high_open)
    }

    /// Those of its numbers of which the comparison with `number` holds.
    pub fn narrowed(self, comparison: Comparison, number: f64) -> Range {
        match comparison {
            Comparison::NotEqual => self,
            Comparison::Equal if self.whole && number.fract() != 0.0 => Range::NONE,
            Comparison::Equal => self.at_least(number, false).at_most(number, false),
            Comparison::Greater => self.at_least(number, true),
            Comparison::GreaterOrEqual => self.at_least(number, false),
            Comparison::Less => self.at_most(number, true),
            Comparison::LessOrEqual => self.at_most(number, false),
        }
    }

    fn at_least(self, number: f64, open: bool) -> Range {
        let (low, low_open) = match (self.whole, open) {
            (false, _) => (number, open),
            (true, false) => (number.ceil(), false),
            (true, true) => (number.floor() + 1.0, false),
        };
        if low < self.low || low == self.low && self.low_open {
            return self;
        }
        Range {
            low,
            low_open,
            ..self
        }
    }

    fn at_most(self, number: f64, open: bool) -> Range {
        let (high, high_open) = match (self.whole, open) {
            (false, _) => (number, open),
            (true, false) => (number.floor(), false),
            (true, true) => (number.ceil() - 1.0, false),
        };
        if high > self.high || high == self.high && self.high_open {
            return self;
        }
        Range {
            high,
            high_open,
            ..self
        }
    }

    /// The one number that it is.
    fn only(self) -> Option<f64> {
        (self.low == self.high).then_some(self.low)
    }

    /// Whether a number of it may be in this relation with one of `other`.
    pub fn can(self, comparison: Comparison, other: Range) -> bool {
        if self.is_empty() || other.is_empty() {
            return false;
        }
        match comparison {
            Comparison::Less => self.low < other.high,
            Comparison::LessOrEqual => {
                self.low < other.high
                    || self.low == other.high && !self.low_open && !other.high_open
            }
            Comparison::Greater | Comparison::GreaterOrEqual => {
                other.can(comparison.mirrored(), self)
            }
            Comparison::Equal => match (self.only(), other.only()) {
                (_, Some(number)) => !self.narrowed(Comparison::Equal, number).is_empty(),
                (Some(number), None) => !other.narrowed(Comparison::Equal, number).is_empty(),
                (None, None) => {
                    self.can(Comparison::LessOrEqual, other)
                        && self.can(Comparison::GreaterOrEqual, other)
                }
            },
            Comparison::NotEqual => match (self.only(), other.only()) {
                (Some(one), Some(another)) => one != another,
                (Some(_) | None, None) | (None, Some(_)) => true,
            },
        }
    }

    /// What an operation on a number of it and one of `other` gives; a division by zero gives none.
    pub fn calculated(self, operator: Arithmetic, other: Range) -> Range {
        let by_zero = operator == Arithmetic::Divide && other.only() == Some(0.0);
        if by_zero || self.is_empty() || other.is_empty() {
            return Range::NONE;
        }
        let has_zero = other.low <= 0.0 && other.high >= 0.0;
        let of = |one: f64, another: f64| match operator {
            Arithmetic::Add => one + another,
            Arithmetic::Subtract => one - another,
            Arithmetic::Multiply if one == 0.0 || another == 0.0 => 0.0,
            Arithmetic::Multiply => one * another,
            Arithmetic::Divide => one / another,
        };
        let ends = [
            of(self.low, other.low),
            of(self.low, other.high),
            of(self.high, other.low),
            of(self.high, other.high),
        ];
        let is_any = operator == Arithmetic::Divide && has_zero;
        if is_any || ends.iter().any(|end| end.is_nan()) {
            return Range::ANY;
        }
        let low = ends.iter().copied().fold(f64::INFINITY, f64::min);
        let high = ends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Range::between(low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::Range;
    use crate::rule::{Arithmetic, Comparison};

    /// Whatever numbers are tried: what a range says is impossible does not happen.
    #[test]
    fn never_rules_out_what_happens() {
        let numbers = [-3.0, -1.5, -1.0, 0.0, 0.1, 1.0, 2.0, 2.5, 3.0, 10.0];
        let comparisons = [
            Comparison::Equal,
            Comparison::NotEqual,
            Comparison::Greater,
            Comparison::GreaterOrEqual,
            Comparison::Less,
            Comparison::LessOrEqual,
        ];
        let operators = [
            Arithmetic::Add,
            Arithmetic::Subtract,
            Arithmetic::Multiply,
            Arithmetic::Divide,
        ];
        for (a, b, c) in triples(&numbers) {
            for comparison in comparisons {
                let of_a = Range::ANY.narrowed(comparison, b);
                assert!(!of_a.is_empty());
                if comparison.holds(a, b) {
                    assert!(!of_a.narrowed(Comparison::Equal, a).is_empty());
                    for other in comparisons.into_iter().filter(|other| other.holds(a, c)) {
                        let both = of_a.narrowed(other, c);
                        assert!(!both.is_empty(), "{a} {comparison:?} {b} and {other:?} {c}");
                    }
                    let whole = Range::from(-3.0).whole().narrowed(comparison, b);
                    assert!(a.fract() != 0.0 || !whole.is_empty());
                }
            }
            let near = |number: f64| Range::between(number - 1.0, number + 1.0);
            for operator in operators {
                let value = match operator {
                    Arithmetic::Add => a + b,
                    Arithmetic::Subtract => a - b,
                    Arithmetic::Multiply => a * b,
                    Arithmetic::Divide => a / b,
                };
                let range = near(a).calculated(operator, near(b));
                for comparison in comparisons.into_iter().filter(|one| one.holds(value, c)) {
                    let one = Range::between(c, c);
                    assert!(!value.is_finite() || range.can(comparison, one));
                }
            }
        }
    }

    fn triples(numbers: &[f64]) -> impl Iterator<Item = (f64, f64, f64)> {
        numbers.iter().flat_map(move |a| {
            let with = move |b: &f64| {
                let b = *b;
                numbers.iter().map(move |c| (*a, b, *c))
            };
            numbers.iter().flat_map(with)
        })
    }
}
