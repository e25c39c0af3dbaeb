//! Tests of one attribute that cannot hold together: `user IS NULL AND user = "a"`.
//!
//! Only what is certain counts. An attribute may have several values, of which one is enough for
//! each test: what needs them to be one is asked of attributes that have one only.

use std::collections::BTreeMap;

use super::attribute::Names;
use super::check::Check;
use super::clock::Hand;
use super::literal::Literal;
use super::number::Number;
use super::plain::{self, Plain};
use super::range::Range;
use super::regexps::Omitted;
use super::tree::{Against, Clock, Computed, Expression, Lookup, Scalar, Test};
use super::{Comparison, FilterError};
use crate::event::{AttributeId, Value};

/// Tests of one attribute that are held against each other.
const TESTS_MAX: usize = 64;

/// A part of a conjunction, and where it stands.
pub struct Part<'e> {
    pub expression: &'e Expression,
    pub offset: usize,
}

/// The first of these parts, all of which are to hold, that cannot hold with those before it.
pub fn find(parts: &[Part<'_>], names: &Names<'_>) -> Option<FilterError> {
    let mut facts: BTreeMap<AttributeId, Facts<'_>> = BTreeMap::new();
    let tests = parts.iter().flat_map(|part| {
        let offset = part.offset;
        tests(part.expression).map(move |test| (test, offset))
    });
    for (test, offset) in tests {
        let id = test.attribute;
        let known = facts.entry(id).or_insert_with(|| Facts::of(names, id));
        let alone = known.tests.is_empty();
        if !known.add(test) {
            let message = if alone {
                "this can never hold: the number is at least 1"
            } else {
                "this can never hold together with the tests of the same attribute before it"
            };
            return Some(FilterError {
                offset,
                message: message.to_owned(),
            });
        }
    }
    None
}

/// The tests that must hold where this does.
fn tests(expression: &Expression) -> impl Iterator<Item = &Test> {
    let parts = match expression {
        Expression::And(parts) => parts.as_slice(),
        Expression::Or(_) | Expression::Not(_) | Expression::Test(_) | Expression::Computed(_) => {
            std::slice::from_ref(expression)
        }
    };
    parts.iter().filter_map(|part| match part {
        Expression::Test(test) => Some(test),
        Expression::And(_) | Expression::Or(_) | Expression::Not(_) | Expression::Computed(_) => {
            None
        }
    })
}

/// What follows from the tests of one attribute so far.
struct Facts<'e> {
    tests: Vec<&'e Test>,
    /// It has one value at most.
    single: bool,
    /// What it can be as a number, where a test asks for one.
    range: Range,
    is_number: bool,
    /// What it can be, where a test says so.
    values: Option<Vec<Value<'e>>>,
}

impl<'e> Facts<'e> {
    fn of(names: &Names<'_>, id: AttributeId) -> Facts<'e> {
        let range = names.range(id);
        Facts {
            tests: Vec::new(),
            single: names.is_single(id),
            range: range.unwrap_or(Range::ANY),
            is_number: range.is_some(),
            values: None,
        }
    }

    /// Takes one more test; `false` if they cannot all hold.
    fn add(&mut self, test: &'e Test) -> bool {
        if self.tests.len() >= TESTS_MAX {
            return true;
        }
        let opposite = |known: &&Test| known.negated != test.negated && known.check == test.check;
        let wants_value = |test: &Test| matches!(test.check, Check::IsNull) == test.negated;
        let wants_none = |test: &Test| matches!(test.check, Check::IsNull) && !test.negated;
        let against = |known: &&Test| {
            wants_none(known) && wants_value(test) || wants_none(test) && wants_value(known)
        };
        let mut known = self.tests.iter().copied();
        if known.any(|known| opposite(&known) || against(&known)) {
            return false;
        }
        self.tests.push(test);
        !self.single || self.narrow(test)
    }

    /// The same for an attribute with one value.
    fn narrow(&mut self, test: &'e Test) -> bool {
        if !test.negated {
            self.range = narrowed(self.range, &test.check);
            if self.range.is_empty() {
                return false;
            }
        }
        if let (Check::In(set), false, true) = (&test.check, test.negated, self.values.is_none()) {
            self.values = values(set.literals());
            let before = std::mem::take(&mut self.tests);
            let is_possible = before.iter().all(|test| self.keep(test));
            self.tests = before;
            return is_possible && self.keep_in_range();
        }
        self.keep(test) && self.keep_in_range()
    }

    /// Keeps the values that pass a test.
    fn keep(&mut self, test: &Test) -> bool {
        let Some(values) = &mut self.values else {
            return true;
        };
        values.retain(|value| {
            is_open(value, &test.check)
                || test.check.holds(Some(value), &Omitted::default()) != test.negated
        });
        !values.is_empty()
    }

    fn keep_in_range(&mut self) -> bool {
        let (range, is_number) = (self.range, self.is_number);
        let Some(values) = self.values.as_mut().filter(|_| is_number) else {
            return true;
        };
        values.retain(|value| {
            let number = Number::of(value).map(Number::as_f64);
            number.is_some_and(|number| !range.narrowed(Comparison::Equal, number).is_empty())
        });
        !values.is_empty()
    }
}

/// Whether it is open if the check holds: a number stands for all texts that spell it, and what is
/// in a list changes without the rule.
fn is_open(value: &Value<'_>, check: &Check) -> bool {
    match check {
        Check::Contain(_) | Check::StartsWith(_) | Check::EndsWith(_) | Check::Regexp(_) => {
            matches!(value, Value::Integer(_) | Value::Float(_))
        }
        Check::In(set) => set.has_lists(),
        Check::Greater(_)
        | Check::GreaterOrEqual(_)
        | Check::Less(_)
        | Check::LessOrEqual(_)
        | Check::Between(..)
        | Check::BetweenAddresses(..)
        | Check::IsNull => false,
    }
}

/// All values that equal one of these; `None` where they cannot be listed.
fn values<'e>(literals: Vec<Literal>) -> Option<Vec<Value<'e>>> {
    let mut values = Vec::new();
    for literal in literals {
        match literal {
            Literal::Number(number) => values.push(plain::of_number(number)),
            Literal::Text(text) => {
                values.extend(Number::parse(&text).map(plain::of_number));
                values.push(plain::of_text(text));
            }
            Literal::Network(_) | Literal::List(_) => return None,
        }
    }
    Some(values)
}

/// Beyond this, whole numbers are not exact as ends of a range.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

fn narrowed(range: Range, check: &Check) -> Range {
    let with = |range: Range, comparison, limit: &Number| {
        let limit = limit.as_f64();
        let exact = limit.abs() < EXACT_MAX;
        if exact {
            range.narrowed(comparison, limit)
        } else {
            range
        }
    };
    match check {
        Check::Greater(limit) => with(range, Comparison::Greater, limit),
        Check::GreaterOrEqual(limit) => with(range, Comparison::GreaterOrEqual, limit),
        Check::Less(limit) => with(range, Comparison::Less, limit),
        Check::LessOrEqual(limit) => with(range, Comparison::LessOrEqual, limit),
        Check::Between(low, high) => {
            let range = with(range, Comparison::GreaterOrEqual, low);
            with(range, Comparison::LessOrEqual, high)
        }
        Check::In(_)
        | Check::BetweenAddresses(..)
        | Check::Contain(_)
        | Check::StartsWith(_)
        | Check::EndsWith(_)
        | Check::Regexp(_)
        | Check::IsNull => range,
    }
}

/// Whether a test of a computed value can never hold, whatever it is computed from.
pub fn is_impossible(test: &Computed) -> bool {
    let (Some(range), Against::Check(check), false) =
        (range_of(&test.value), &test.against, test.negated)
    else {
        return false;
    };
    let is_out = |literal: &Literal| match literal {
        Literal::Number(number) => {
            let number = number.as_f64();
            range.narrowed(Comparison::Equal, number).is_empty()
        }
        Literal::Text(_) | Literal::Network(_) | Literal::List(_) => false,
    };
    match check {
        Check::In(set) => set.literals().iter().all(is_out),
        Check::Greater(_)
        | Check::GreaterOrEqual(_)
        | Check::Less(_)
        | Check::LessOrEqual(_)
        | Check::Between(..) => narrowed(range, check).is_empty(),
        Check::BetweenAddresses(..)
        | Check::Contain(_)
        | Check::StartsWith(_)
        | Check::EndsWith(_)
        | Check::Regexp(_)
        | Check::IsNull => false,
    }
}

/// The numbers that a function can give.
fn range_of(value: &Scalar) -> Option<Range> {
    match value {
        Scalar::Call(Plain::Len, _) => Some(Range::from(0.0).whole()),
        Scalar::Clock(Clock { hand, .. }) => Some(match hand {
            Hand::HourOfDay => Range::between(0.0, 23.0).whole(),
            Hand::DayOfWeek => Range::between(0.0, 6.0).whole(),
        }),
        Scalar::Lookup(Lookup { column: None, .. }) => Some(Range::between(0.0, 1.0).whole()),
        Scalar::Call(..)
        | Scalar::Attribute(_)
        | Scalar::Text(_)
        | Scalar::Number(_)
        | Scalar::Arithmetic(..)
        | Scalar::Extract(..)
        | Scalar::If(..)
        | Scalar::Lookup(_)
        | Scalar::NetLookup(_) => None,
    }
}

#[cfg(test)]
#[path = "contradiction_tests.rs"]
mod tests;
