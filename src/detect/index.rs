//! Which rules can match an event at all: most ask for one event type.

use std::collections::HashMap;

use crate::event::Value;
use crate::rule::Rule;

/// Rules by the event types that their filters ask for.
#[derive(Debug)]
pub struct Index {
    /// Places of rules that need this event type (lower case), with those that need none.
    by_type: HashMap<String, Vec<usize>>,
    /// Places of rules that may match whatever the type.
    any_type: Vec<usize>,
    /// Holds the lower-case form of the type looked up.
    lower: String,
}

impl Index {
    /// The index of `rules`, by their place.
    pub fn new<'r>(rules: impl Iterator<Item = &'r Rule>) -> Index {
        let needed: Vec<Option<Vec<String>>> = rules.map(types).collect();
        let places = |wanted: &dyn Fn(&Option<Vec<String>>) -> bool| {
            needed
                .iter()
                .enumerate()
                .filter(|(_, n)| wanted(n))
                .map(|(place, _)| place)
                .collect()
        };
        let by_type = needed
            .iter()
            .flatten()
            .flatten()
            .map(|name| {
                let fits = |n: &Option<Vec<String>>| n.as_ref().is_none_or(|n| n.contains(name));
                (name.clone(), places(&fits))
            })
            .collect();
        Index {
            by_type,
            any_type: places(&Option::is_none),
            lower: String::new(),
        }
    }

    /// The places of the rules that may match an event of this type, ascending.
    pub fn candidates(&mut self, event_type: Option<&Value<'_>>) -> &[usize] {
        let Some(Value::Text(name)) = event_type else {
            return &self.any_type;
        };
        self.lower.clear();
        self.lower.push_str(name);
        self.lower.make_ascii_lowercase();
        self.by_type.get(&self.lower).unwrap_or(&self.any_type)
    }
}

/// The event types of which a record must have one for any pattern of the rule to match.
fn types(rule: &Rule) -> Option<Vec<String>> {
    let needed: Option<Vec<Vec<String>>> = rule
        .patterns
        .iter()
        .map(|pattern| pattern.filter.required_event_type())
        .collect();
    needed.map(|needed| needed.into_iter().flatten().collect())
}
