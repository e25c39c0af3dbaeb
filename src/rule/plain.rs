//! What the functions of values compute.

use std::borrow::Cow;

use super::number::Number;
use crate::event::Value;

/// A function of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// `LOG`: the natural logarithm.
    Log,
    /// `TO_DOUBLE`
    ToDouble,
    /// `TO_INTEGER`
    ToInteger,
    /// `TO_STRING`
    ToString,
    /// `LEN`
    Len,
    /// `LTRIM`
    LeftTrim,
    /// `RTRIM`
    RightTrim,
    /// `TRIM`
    Trim,
    /// `REPLACE`
    Replace,
    /// `SUB_STR`
    SubStr,
    /// `TO_LOWER`
    ToLower,
    /// `TO_UPPER`
    ToUpper,
}

impl Plain {
    /// Its value for these arguments, none of which is a list; `None`: undefined.
    pub fn of(self, values: &[&Value<'_>]) -> Option<Value<'static>> {
        let mut values = values.iter().copied();
        let first = values.next();
        let of_text = |change: &dyn Fn(&str) -> String| Some(self::of_text(change(&text(first?)?)));
        match self {
            Plain::Log => {
                let log = Number::of(first?)?.as_f64().ln();
                log.is_finite().then_some(Value::Float(log))
            }
            Plain::ToDouble => Some(Value::Float(Number::of(first?)?.as_f64())),
            Plain::ToInteger => whole(Number::of(first?)?).map(Value::Integer),
            Plain::ToString => of_text(&str::to_owned),
            Plain::Len => {
                let length = text(first?)?.chars().count();
                i64::try_from(length).ok().map(Value::Integer)
            }
            Plain::LeftTrim => of_text(&|text| text.trim_start().to_owned()),
            Plain::RightTrim => of_text(&|text| text.trim_end().to_owned()),
            Plain::Trim => of_text(&|text| text.trim().to_owned()),
            Plain::ToLower => of_text(&str::to_ascii_lowercase),
            Plain::ToUpper => of_text(&str::to_ascii_uppercase),
            Plain::Replace => {
                let (old, new) = (text(values.next()?)?, text(values.next()?)?);
                replaced(&text(first?)?, &old, &new).map(self::of_text)
            }
            Plain::SubStr => {
                let start = whole(Number::of(values.next()?)?)?.checked_sub(1)?;
                let start = usize::try_from(start).ok()?;
                let length = values.next().map_or(Some(usize::MAX), |value| {
                    usize::try_from(whole(Number::of(value)?)?).ok()
                })?;
                of_text(&|text| text.chars().skip(start).take(length).collect())
            }
        }
    }
}

/// A value as text; a list has none.
pub fn text<'v>(value: &'v Value<'_>) -> Option<Cow<'v, str>> {
    match value {
        Value::Text(text) => Some(Cow::Borrowed(text)),
        Value::Integer(integer) => Some(Cow::Owned(integer.to_string())),
        Value::Float(float) => Some(Cow::Owned(float.to_string())),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        Value::Many(_) => None,
    }
}

/// A text as a value.
pub fn of_text(text: impl Into<String>) -> Value<'static> {
    Value::Text(Cow::Owned(text.into()))
}

/// A number as a value.
pub fn of_number(number: Number) -> Value<'static> {
    match number {
        Number::Integer(integer) => Value::Integer(integer),
        Number::Float(float) => Value::Float(float),
    }
}

fn whole(number: Number) -> Option<i64> {
    match number {
        Number::Integer(integer) => Some(integer),
        // Beyond this, floats are no whole numbers that fit.
        Number::Float(float) if float.abs() < 9.2e18 =>
        {
            #[expect(clippy::cast_possible_truncation, reason = "it fits, and is to be cut")]
            Some(float as i64)
        }
        Number::Float(_) => None,
    }
}

/// Bytes by which REPLACE makes a text longer, at most: within each other, a few would fill any
/// memory.
const GROWTH_MAX: usize = 64 << 10;

/// `None`: it would become too long.
fn replaced(text: &str, old: &str, new: &str) -> Option<String> {
    // Only ASCII letters change, so places are the same in both.
    let (lower, old) = (text.to_ascii_lowercase(), old.to_ascii_lowercase());
    let mut result = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in lower.match_indices(&old).filter(|_| !old.is_empty()) {
        result.push_str(text.get(done..at).unwrap_or_default());
        result.push_str(new);
        done = at + old.len();
        if result.len() > text.len() + GROWTH_MAX {
            return None;
        }
    }
    result.push_str(text.get(done..).unwrap_or_default());
    (result.len() <= text.len() + GROWTH_MAX).then_some(result)
}
