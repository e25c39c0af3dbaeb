//! Computed values within filters: functions, arithmetic, and attributes held against each other.
//!
//! What cannot be computed (an argument is absent or of the wrong type) is undefined, which is to
//! every test what an absent attribute is. Of a list every value is computed; two lists in one
//! operation give nothing, since their combinations have no bound.

use std::borrow::Cow;
use std::cell::RefCell;
use std::cmp::Ordering;

use super::Arithmetic;
use super::networks;
use super::number::Number;
use super::operator::Operator;
use super::plain;
use super::print;
use super::regexps::Omitted;
use super::tree::{Against, Clock, Computed, Lookup, Scalar};
use crate::bounded;
use crate::event::{AttributeId, Value};
use crate::time::{self, Millis, second_of};

/// What values are computed from.
pub struct Source<'s, 'v> {
    /// The values of the attributes.
    pub get: &'s dyn Fn(AttributeId) -> Option<&'v Value<'v>>,
    /// What else it goes by.
    pub look: &'s Look,
}

/// What an evaluation goes by beside values, and what it left out.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// When the event happened, or the incident began.
    pub time: Millis,
    /// What it did not look at.
    pub omitted: Omitted,
}

impl Look {
    /// At what happened at `time`.
    pub fn at(time: Millis) -> Look {
        Look {
            time,
            omitted: Omitted::default(),
        }
    }
}

impl Clock {
    /// Its value at a time given as a value, or, without one, at the event's; `None`: undefined.
    pub fn at(&self, given: Option<&Value<'_>>, event: Millis) -> Option<Value<'static>> {
        let millis = match given {
            None => event,
            Some(value) => time::parse(&plain::text(value)?)?,
        };
        let second = second_of(millis);
        let local = match &self.zone {
            None => second,
            Some(zone) => zone.local(second)?,
        };
        Some(Value::Integer(self.hand.of(local)))
    }
}

impl Computed {
    /// Whether the test holds.
    pub fn holds<'v>(&'v self, source: &Source<'_, 'v>) -> bool {
        let value = self.value.value(source);
        let holds = match &self.against {
            Against::Check(check) => check.holds(value.as_deref(), &source.look.omitted),
            Against::Value(operator, other) => value
                .zip(other.value(source))
                .is_some_and(|(left, right)| related(*operator, &left, &right)),
        };
        holds != self.negated
    }

    /// Whether it depends on the event at all.
    pub fn reads(&self) -> bool {
        self.value.reads()
            || match &self.against {
                Against::Check(_) => false,
                Against::Value(_, other) => other.reads(),
            }
    }
}

impl Scalar {
    /// Its value; `None`: undefined.
    pub fn value<'v>(&'v self, source: &Source<'_, 'v>) -> Option<Cow<'v, Value<'v>>> {
        match self {
            Scalar::Attribute(id) => (source.get)(*id).map(Cow::Borrowed),
            Scalar::Text(text) => Some(Cow::Owned(Value::Text(Cow::Borrowed(text)))),
            Scalar::Number(number) => Some(Cow::Owned(plain::of_number(*number))),
            Scalar::Arithmetic(left, operator, right) => {
                let sides = [left.value(source)?, right.value(source)?];
                each(&sides, &|values| match values {
                    [left, right] => calculate(left, *operator, right),
                    _ => None,
                })
            }
            Scalar::Call(function, arguments) => {
                let values: Option<Vec<_>> =
                    arguments.iter().map(|one| one.value(source)).collect();
                each(&values?, &|values| function.of(values))
            }
            Scalar::Clock(clock) => {
                let event = source.look.time;
                match &clock.time {
                    None => clock.at(None, event).map(Cow::Owned),
                    Some(time) => each(&[time.value(source)?], &|values| {
                        clock.at(Some(values.first()?), event)
                    }),
                }
            }
            Scalar::Extract(text, pattern) => each(&[text.value(source)?], &|values| {
                let text = plain::text(values.first()?)?;
                let found = pattern.extract(&text, &source.look.omitted);
                found.map(plain::of_text)
            }),
            Scalar::If(test, then, otherwise) => {
                let branch = if test.holds(source.get, source.look) {
                    then
                } else {
                    otherwise
                };
                branch.value(source)
            }
            Scalar::Lookup(lookup) => lookup.value(source),
            Scalar::NetLookup(lookup) => each(&[lookup.key.value(source)?], &|values| {
                let address = networks::address(&plain::text(values.first()?)?)?;
                lookup.asked.of(address)
            }),
        }
    }

    /// The attributes that it names, perhaps more than once.
    pub fn attributes(&self) -> Vec<AttributeId> {
        let found = RefCell::new(Vec::new());
        let note = |id: AttributeId| {
            found.borrow_mut().push(id);
            String::new()
        };
        print::scalar(self, &note);
        found.into_inner()
    }

    /// Whether its value depends on the event.
    pub fn reads(&self) -> bool {
        match self {
            Scalar::Attribute(_) | Scalar::If(..) => true,
            Scalar::Text(_) | Scalar::Number(_) => false,
            Scalar::Arithmetic(left, _, right) => left.reads() || right.reads(),
            Scalar::Call(_, arguments) => arguments.iter().any(Scalar::reads),
            Scalar::Clock(clock) => clock.time.as_ref().is_none_or(|time| time.reads()),
            Scalar::Extract(text, _) => text.reads(),
            Scalar::Lookup(lookup) => lookup.keys.iter().any(Scalar::reads),
            Scalar::NetLookup(lookup) => lookup.key.reads(),
        }
    }
}

impl Lookup {
    fn value<'v>(&'v self, source: &Source<'_, 'v>) -> Option<Cow<'v, Value<'v>>> {
        let keys: Option<Vec<_>> = self.keys.iter().map(|key| key.value(source)).collect();
        let none = || Cow::Owned(Value::Integer(0));
        let Some(keys) = keys else {
            // What is absent is in no table.
            return self.column.is_none().then(none);
        };
        each(&keys, &|keys| {
            let keys: Option<Vec<_>> = keys.iter().map(|key| plain::text(key)).collect();
            let row = self.table.list.row(&keys?);
            match self.column {
                None => Some(Value::Integer(i64::from(row.is_some()))),
                Some(column) => {
                    let value = row?.get(column).filter(|value| !value.is_empty())?;
                    Some(Value::Text(Cow::Borrowed(value)))
                }
            }
        })
    }
}

/// What `of` makes of these values; of a list among them, of each of its values.
fn each<'v>(
    values: &[Cow<'_, Value<'_>>],
    of: &dyn Fn(&[&Value<'_>]) -> Option<Value<'v>>,
) -> Option<Cow<'v, Value<'v>>> {
    let plain: Vec<&Value<'_>> = values.iter().map(AsRef::as_ref).collect();
    spread(&plain, of).map(Cow::Owned)
}

fn spread<'v>(
    values: &[&Value<'_>],
    of: &dyn Fn(&[&Value<'_>]) -> Option<Value<'v>>,
) -> Option<Value<'v>> {
    let is_list = |value: &&Value<'_>| matches!(value, Value::Many(_));
    let Some(place) = values.iter().position(is_list) else {
        return of(values);
    };
    let Some(Value::Many(list)) = values.get(place) else {
        return None;
    };
    if values.iter().filter(|value| is_list(value)).count() > 1 {
        return None;
    }
    let mut all = Vec::new();
    let mut bytes = 0;
    for one in list {
        let mut values = values.to_vec();
        *values.get_mut(place)? = one;
        let value = spread(&values, of);
        bytes += value.as_ref().map_or(0, size);
        if bytes > LIST_BYTES_MAX {
            return None;
        }
        all.extend(value);
    }
    Some(Value::Many(all))
}

/// Bytes of what is computed of all values of a list; more is undefined.
const LIST_BYTES_MAX: usize = 16 << 20;

/// Bytes of the texts in a value.
fn size(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Many(values) => values.iter().map(size).sum(),
        Value::Integer(_) | Value::Float(_) | Value::Bool(_) => 0,
    }
}

/// Whole while both sides are and the result fits.
fn calculate(left: &Value<'_>, operator: Arithmetic, right: &Value<'_>) -> Option<Value<'static>> {
    let (left, right) = (Number::of(left)?, Number::of(right)?);
    if let (Number::Integer(a), Number::Integer(b)) = (left, right) {
        let whole = match operator {
            Arithmetic::Add => a.checked_add(b),
            Arithmetic::Subtract => a.checked_sub(b),
            Arithmetic::Multiply => a.checked_mul(b),
            Arithmetic::Divide => (b != 0)
                .then(|| a.checked_rem(b))
                .flatten()
                .and_then(|rest| (rest == 0).then(|| a.checked_div(b)).flatten()),
        };
        if let Some(whole) = whole {
            return Some(Value::Integer(whole));
        }
    }
    let (a, b) = (left.as_f64(), right.as_f64());
    let value = match operator {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide => a / b,
    };
    value.is_finite().then_some(Value::Float(value))
}

/// Whether two values are in a relation; of a list, whether one of its values is.
fn related(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Many(_), Value::Many(_)) => false,
        (Value::Many(list), one) => list.iter().any(|value| related(operator, value, one)),
        (one, Value::Many(list)) => list.iter().any(|value| related(operator, one, value)),
        (left, right) => {
            let order = || Number::of(left)?.compare(Number::of(right)?);
            match operator {
                Operator::Greater => order().is_some_and(Ordering::is_gt),
                Operator::GreaterOrEqual => order().is_some_and(Ordering::is_ge),
                Operator::Less => order().is_some_and(Ordering::is_lt),
                Operator::LessOrEqual => order().is_some_and(Ordering::is_le),
                Operator::Equal
                | Operator::In
                | Operator::Between
                | Operator::Contain
                | Operator::StartsWith
                | Operator::EndsWith
                | Operator::Regexp
                | Operator::IsNull => equal(left, right),
            }
        }
    }
}

/// Two texts by their letters, case aside, or as addresses; a number equals what spells it.
fn equal(left: &Value<'_>, right: &Value<'_>) -> bool {
    let is_number = |value: &Value<'_>| matches!(value, Value::Integer(_) | Value::Float(_));
    if is_number(left) || is_number(right) {
        let numbers = Number::of(left).zip(Number::of(right));
        return numbers.is_some_and(|(left, right)| left == right);
    }
    let texts = plain::text(left).zip(plain::text(right));
    texts.is_some_and(|(left, right)| {
        let addresses = || networks::address(&left).zip(networks::address(&right));
        bounded::equal(&left, &right) || addresses().is_some_and(|(left, right)| left == right)
    })
}

#[cfg(test)]
#[path = "scalar_tests.rs"]
mod tests;
