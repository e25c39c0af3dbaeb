//! One attribute's test in its compiled form.

use std::cmp::Ordering;
use std::net::IpAddr;

use regex::Regex;

use super::literal::{self, Literal, Number, Set};
use super::operators::Operator;
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

/// A compiled regular expression; equal when written equally.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles `source`; letter case will be ignored.
    pub fn new(source: &str) -> Result<Pattern, String> {
        let built = regex::RegexBuilder::new(source)
            .case_insensitive(true)
            .build();
        built.map(Pattern).map_err(|error| {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            format!(
                "not a regular expression: {}",
                reason.trim_start_matches("error: ")
            )
        })
    }
}

impl Pattern {
    /// What its first group, or without groups all of it, matches in `text`.
    pub fn extract<'t>(&self, text: &'t str) -> Option<&'t str> {
        let found = self.0.captures(text)?;
        let place = usize::from(found.len() > 1);
        found.get(place).map(|part| part.as_str())
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Check {
    /// Whether it holds for a value, or for the lack of one.
    pub fn holds(&self, value: Option<&Value<'_>>) -> bool {
        match value {
            None => *self == Check::IsNull,
            Some(Value::Many(values)) if *self == Check::IsNull => values.is_empty(),
            Some(Value::Many(values)) => values.iter().any(|value| self.holds(Some(value))),
            Some(
                value @ (Value::Text(_) | Value::Integer(_) | Value::Float(_) | Value::Bool(_)),
            ) => self.holds_for(value),
        }
    }

    fn holds_for(&self, value: &Value<'_>) -> bool {
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
                literal::address(text).is_some_and(|found| *low <= found && found <= *high)
            }),
            Check::Contain(part) => with_text(value, |text| literal::contains(text, part)),
            Check::StartsWith(part) => with_text(value, |text| literal::starts_with(text, part)),
            Check::EndsWith(part) => with_text(value, |text| literal::ends_with(text, part)),
            Check::Regexp(pattern) => with_text(value, |text| pattern.0.is_match(text)),
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
            Check::Regexp(pattern) => (Operator::Regexp, text(pattern.0.as_str())),
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
