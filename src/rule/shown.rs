//! An incident as the filters of its rule see it: for its severity and its exceptions.

use std::sync::Arc;

use super::{Filter, Rule};
use crate::event::Value;
use crate::incident::{AttributeValue, Incident};
use crate::time::Millis;

/// What such a filter may name besides the incident's attributes, and after them.
pub const COUNTS: [&str; 2] = ["event_count", "trigger_count"];

/// What an incident's severity and exceptions depend on.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'i> {
    /// In the rule's order.
    pub attributes: &'i [(Arc<str>, AttributeValue)],
    /// Its start: `HourOfDay()` and the range of an exception are about this time.
    pub first_seen: Millis,
    /// Distinct events that it rests on.
    pub event_count: u64,
    /// Windows in which the rule triggered.
    pub trigger_count: u64,
}

impl<'i> Shown<'i> {
    /// What `incident` shows.
    pub fn of(incident: &'i Incident) -> Shown<'i> {
        Shown {
            attributes: &incident.attributes,
            first_seen: incident.first_seen,
            event_count: incident.event_count,
            trigger_count: incident.trigger_count,
        }
    }

    /// The attributes and then [`COUNTS`], by their place.
    fn values(&self) -> Vec<Option<Value<'i>>> {
        let attributes = self.attributes.iter().map(|(_, value)| match value {
            AttributeValue::Null => None,
            AttributeValue::Text(text) => Some(Value::Text(text.as_str().into())),
            AttributeValue::Number(number) => Some(Value::Float(*number)),
        });
        let count = |count: u64| Some(Value::Integer(i64::try_from(count).unwrap_or(i64::MAX)));
        let counts = [count(self.event_count), count(self.trigger_count)];
        attributes.chain(counts).collect()
    }

    fn passes(&self, filter: &Filter, values: &[Option<Value<'_>>]) -> bool {
        filter.matches_with(
            &|id| values.get(usize::from(id.0)).and_then(Option::as_ref),
            self.first_seen,
        )
    }
}

impl Rule {
    /// The severity of an incident of this rule, 1 to 10: that of the first case that holds.
    pub fn severity_of(&self, shown: &Shown<'_>) -> u8 {
        if self.severity.cases.is_empty() {
            return self.severity.otherwise;
        }
        let values = shown.values();
        let case = self
            .severity
            .cases
            .iter()
            .find(|case| shown.passes(&case.when, &values));
        case.map_or(self.severity.otherwise, |case| case.value)
    }

    /// Whether one of the rule's exceptions covers an incident of it.
    pub fn excepts(&self, shown: &Shown<'_>) -> bool {
        if self.exceptions.is_empty() {
            return false;
        }
        let values = shown.values();
        self.exceptions.iter().any(|exception| {
            exception.from.is_none_or(|from| from <= shown.first_seen)
                && exception.until.is_none_or(|until| shown.first_seen < until)
                && shown.passes(&exception.filter, &values)
        })
    }
}

#[cfg(test)]
#[path = "shown_tests.rs"]
mod tests;
