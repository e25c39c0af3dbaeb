//! One attribute's test in its compiled form.

use std::cmp::Ordering;
use std::net::IpAddr;

use super::literal::{self, Literal, Set};
use super::networks;
use super::number::Number;
use super::operator::Operator;
use super::regexps::{Omitted, Pattern};
use crate::event::Value;

/// A test of one value, ready to run. All text in it is in ASCII lower case.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// `=` and `IN`.
    In(Set),
    /// `>`, for numbers and text that spells one; so for all that compare with a number.
    Greater(Number),
    /// `>=`
    GreaterOrEqual(Number),
    /// `<`
    Less(Number),
    /// `<=`
    LessOrEqual(Number),
    /// `BETWEEN` two numbers, both included.
    Between(Number, Number),
    /// `BETWEEN` two addresses, both included.
    BetweenAddresses(IpAddr, IpAddr),
    /// Has this text in it.
    Contain(String),
    /// Begins with this text.
    StartsWith(String),
    /// Ends with this text.
    EndsWith(String),
    /// A part of the text matches.
    Regexp(Pattern),
    /// There is no value.
    IsNull,
}

impl Check {
    /// Whether it holds for a value, or for the lack of one.
    pub fn holds(&self, value: Option<&Value<'_>>, omitted: &Omitted) -> bool {
        let is_null = || matches!(self, Check::IsNull);
        match value {
            None => is_null(),
            Some(Value::Many(values)) if is_null() => values.is_empty(),
            Some(Value::Many(values)) => {
                values.iter().any(|value| self.holds(Some(value), omitted))
            }
            Some(
                value @ (Value::Text(_) | Value::Integer(_) | Value::Float(_) | Value::Bool(_)),
            ) => self.holds_for(value, omitted),
        }
    }

    fn holds_for(&self, value: &Value<'_>, omitted: &Omitted) -> bool {
        let order = |limit: &Number| Number::of(value)?.compare(*limit);
        match self {
            Check::In(set) => set.has(value),
            Check::Greater(limit) => order(limit).is_some_and(Ordering::is_gt),
            Check::GreaterOrEqual(limit) => order(limit).is_some_and(Ordering::is_ge),
            Check::Less(limit) => order(limit).is_some_and(Ordering::is_lt),
            Check::LessOrEqual(limit) => order(limit).is_some_and(Ordering::is_le),
            Check::Between(low, high) => {
                order(low).is_some_and(Ordering::is_ge) && order(high).is_some_and(Ordering::is_le)
            }
            Check::BetweenAddresses(low, high) => with_text(value, |text| {
                networks::address(text).is_some_and(|found| *low <= found && found <= *high)
            }),
            Check::Contain(part) => with_text(value, |text| literal::contains(text, part)),
            Check::StartsWith(part) => with_text(value, |text| literal::starts_with(text, part)),
            Check::EndsWith(part) => with_text(value, |text| literal::ends_with(text, part)),
            Check::Regexp(pattern) => with_text(value, |text| pattern.is_match(text, omitted)),
            Check::IsNull => false,
        }
    }

    /// The operator it is written with, and its operands, in canonical form.
    pub fn written(&self) -> (Operator, Vec<Literal>) {
        let number = |number: &Number| vec![Literal::Number(*number)];
        let text = |text: &str| vec![Literal::Text(text.to_string())];
        match self {
            Check::In(set) => {
                let literals = set.literals();
                let one = matches!(
                    literals[..],
                    [Literal::Text(_) | Literal::Number(_) | Literal::Network(_)]
                );
                (if one { Operator::Equal } else { Operator::In }, literals)
            }
            Check::Greater(limit) => (Operator::Greater, number(limit)),
            Check::GreaterOrEqual(limit) => (Operator::GreaterOrEqual, number(limit)),
            Check::Less(limit) => (Operator::Less, number(limit)),
            Check::LessOrEqual(limit) => (Operator::LessOrEqual, number(limit)),
            Check::Between(low, high) => (Operator::Between, [number(low), number(high)].concat()),
            Check::BetweenAddresses(low, high) => (
                Operator::Between,
                [text(&low.to_string()), text(&high.to_string())].concat(),
            ),
            Check::Contain(part) => (Operator::Contain, text(part)),
            Check::StartsWith(part) => (Operator::StartsWith, text(part)),
            Check::EndsWith(part) => (Operator::EndsWith, text(part)),
            Check::Regexp(pattern) => (Operator::Regexp, text(pattern.source())),
            Check::IsNull => (Operator::IsNull, Vec::new()),
        }
    }
}

/// Calls `test` with the value as text. Only numbers are written out for it, which is rare.
fn with_text(value: &Value<'_>, test: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Text(text) => test(text),
        Value::Bool(bool) => test(if *bool { "true" } else { "false" }),
        Value::Integer(integer) => test(&integer.to_string()),
        Value::Float(float) => test(&float.to_string()),
        Value::Many(_) => false,
    }
}
