//! Numbers of filters.

use std::cmp::Ordering;

use crate::event::Value;

/// A number, exact while it is whole.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// A whole number that fits 64 bits.
    Integer(i64),
    /// Any other finite number.
    Float(f64),
}

impl Number {
    /// A decimal number with optional sign, fraction and exponent.
    pub fn parse(text: &str) -> Option<Number> {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        // Otherwise `inf`, `nan` and the like would be numbers.
        if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        if let Ok(integer) = text.parse() {
            return Some(Number::Integer(integer));
        }
        text.parse()
            .ok()
            .filter(|float: &f64| float.is_finite())
            .map(Number::Float)
    }

    /// The nearest float.
    pub fn as_f64(self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "nearest is what is asked for")]
            Number::Integer(integer) => integer as f64,
            Number::Float(float) => float,
        }
    }

    /// The order of two numbers; `None` if one is not a number.
    pub fn compare(self, other: Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => Some(a.cmp(&b)),
            (a, b) => a.as_f64().partial_cmp(&b.as_f64()),
        }
    }

    /// The number that a value is, or that its text spells.
    pub fn of(value: &Value<'_>) -> Option<Number> {
        match value {
            Value::Text(text) => Number::parse(text),
            Value::Integer(integer) => Some(Number::Integer(*integer)),
            Value::Float(float) => Some(Number::Float(*float)),
            Value::Bool(_) | Value::Many(_) => None,
        }
    }

    /// The same with the other sign.
    pub fn negated(self) -> Number {
        match self {
            Number::Integer(integer) => integer
                .checked_neg()
                .map_or(Number::Float(-self.as_f64()), Number::Integer),
            Number::Float(float) => Number::Float(-float),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.compare(*other) == Some(Ordering::Equal)
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Integer(integer) => integer.fmt(f),
            // Zero has no sign: `-0` reads as the integer.
            Number::Float(float) => (float + 0.0).fmt(f),
        }
    }
}
