//! What of an attribute's value goes into a match: its text in keys, and what aggregates read.

use std::borrow::Cow;

use crate::bounded;
use crate::canonical;
use crate::event::Value;
use crate::matches::Input;
use crate::record::Hash;
use crate::rule::{Aggregate, Function};

/// What an aggregate reads of one value.
pub fn input(aggregate: &Aggregate, value: Option<&Value<'_>>) -> Input {
    let Some(value) = value else {
        return Input::Absent;
    };
    match aggregate.function {
        Function::Count | Function::Span => Input::Present,
        Function::CountDistinct => {
            let text = text_of(value);
            let spelled = canonical::address(&text);
            let text = spelled.unwrap_or_else(|| text.to_ascii_lowercase());
            let hash = Hash::of(text.as_bytes());
            Input::Distinct(hash.first_bytes())
        }
        Function::First | Function::Last | Function::Mode => Input::Text(folded(value)),
        Function::Sum
        | Function::Avg
        | Function::Min
        | Function::Max
        | Function::Median
        | Function::Percentile(_)
        | Function::Stddev
        | Function::Variance
        | Function::PctChange => number(value),
    }
}

fn number(value: &Value<'_>) -> Input {
    match value {
        Value::Integer(value) => Input::Integer(*value),
        Value::Float(value) => Input::Float(*value),
        Value::Text(text) => match (text.trim().parse(), text.trim().parse::<f64>()) {
            (Ok(integer), _) => Input::Integer(integer),
            (Err(_), Ok(float)) if float.is_finite() => Input::Float(float),
            (Err(_), Ok(_) | Err(_)) => Input::Absent,
        },
        Value::Bool(_) => Input::Absent,
        // Each of several is read by itself.
        Value::Many(_) => Input::Absent,
    }
}

/// A value as keys hold it: as text in ASCII lower case, bounded; addresses in one spelling.
pub fn folded(value: &Value<'_>) -> String {
    let text = text_of(value);
    if let Some(spelled) = canonical::address(&text) {
        return spelled;
    }
    let mut text = bounded::value(&text).into_owned();
    text.make_ascii_lowercase();
    text
}

/// A value as text; several values are joined by commas.
pub fn text_of<'v>(value: &'v Value<'_>) -> Cow<'v, str> {
    match value {
        Value::Text(text) => Cow::Borrowed(text),
        Value::Integer(value) => Cow::Owned(value.to_string()),
        Value::Float(value) => Cow::Owned(value.to_string()),
        Value::Bool(value) => Cow::Owned(value.to_string()),
        Value::Many(values) => {
            let texts: Vec<_> = values.iter().map(text_of).collect();
            Cow::Owned(texts.join(","))
        }
    }
}
