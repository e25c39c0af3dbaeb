//! Which rules can match an event at all: most ask for certain event types.

use std::collections::HashMap;

use crate::event::{AttributeId, Value};
use crate::rule::{Filter, Rule};
use crate::spread::place_of;

/// How many event types are remembered with the rules that may match them.
const REMEMBERED: usize = 512;

/// Longer event types are not remembered.
const REMEMBERED_BYTES: usize = 256;

/// Rules by the event types that their filters ask for.
pub struct Index {
    event_type: AttributeId,
    /// Places of rules that need this event type (lower case), with those that need none.
    by_type: HashMap<String, Vec<usize>>,
    /// Places of rules that need no certain type, with the filters of their patterns.
    any_type: Vec<(usize, Vec<Filter>)>,
    /// Event types that were looked up, each at a place that follows from it.
    remembered: Vec<Option<Remembered>>,
    /// What was found last, if it is not remembered.
    found: Vec<usize>,
}

struct Remembered {
    event_type: String,
    places: Vec<usize>,
}

impl Index {
    /// The index of `rules`, by their place; `event_type` is that attribute's.
    pub fn new<'r>(rules: impl Iterator<Item = &'r Rule>, event_type: AttributeId) -> Index {
        let mut any_type = Vec::new();
        let mut needed: Vec<Vec<String>> = Vec::new();
        for (place, rule) in rules.enumerate() {
            let types = types(rule);
            if types.is_none() {
                let filters = rule.patterns.iter().map(|pattern| pattern.filter.clone());
                any_type.push((place, filters.collect()));
            }
            needed.push(types.unwrap_or_default());
        }
        let mut by_type: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, names) in needed.into_iter().enumerate() {
            for name in names {
                let places = by_type.entry(name).or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        Index {
            event_type,
            by_type,
            any_type,
            remembered: std::iter::repeat_with(|| None).take(REMEMBERED).collect(),
            found: Vec::new(),
        }
    }

    /// The places of the rules that may match an event of this type, ascending.
    pub fn candidates(&mut self, event_type: Option<&Value<'_>>) -> &[usize] {
        let name = match event_type {
            Some(Value::Text(name)) if name.len() <= REMEMBERED_BYTES => name,
            Some(_) | None => {
                self.found = self.find(event_type);
                return &self.found;
            }
        };
        let place = place_of(name.as_bytes(), REMEMBERED);
        let is_known = |known: &Option<Remembered>| {
            known
                .as_ref()
                .is_some_and(|known| known.event_type == **name)
        };
        if !self.remembered.get(place).is_some_and(is_known) {
            let new = Remembered {
                event_type: name.to_string(),
                places: self.find(event_type),
            };
            self.remembered
                .get_mut(place)
                .map(|known| known.insert(new));
        }
        let known = self.remembered.get(place).and_then(Option::as_ref);
        known.map_or(&[], |known| &known.places)
    }

    fn find(&self, event_type: Option<&Value<'_>>) -> Vec<usize> {
        let mut places = match event_type {
            Some(Value::Text(name)) => {
                let named = self.by_type.get(&name.to_ascii_lowercase());
                named.cloned().unwrap_or_default()
            }
            Some(_) | None => Vec::new(),
        };
        let may_pass = |filter: &Filter| filter.may_pass(self.event_type, event_type);
        let others = self.any_type.iter();
        let others = others.filter(|(_, filters)| filters.iter().any(may_pass));
        places.extend(others.map(|(place, _)| *place));
        places.sort_unstable();
        places
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Attribute, Attributes, Event};
    use crate::rule;

    const FILTERS: [&str; 12] = [
        "eventType = \"a_write\"",
        "eventType IN (\"A_Write\", \"a_delete\") AND user = \"bob\"",
        "eventType STARTS_WITH \"a_\" AND eventType ENDS_WITH \"_delete\" AND user = \"bob\"",
        "user = \"bob\" OR eventType CONTAIN \"writ\"",
        "NOT (eventType CONTAIN \"writ\" AND user = \"bob\")",
        "NOT (eventType CONTAIN \"writ\" OR user = \"bob\")",
        "eventType != \"a_write\" AND user IS NULL",
        "eventType IS NULL",
        "eventType IS NOT NULL AND user IS NOT NULL",
        "eventType REGEXP \"^A_\" OR eventType REGEXP \"e$\" AND user = \"bob\"",
        "user = \"bob\"",
        "LEN(eventType) > 8 AND user IS NULL",
    ];

    /// The rules that may match, and those that do, of an event of this type and user.
    fn check(index: &mut Index, rules: &[Rule], values: [Option<&str>; 2]) {
        let values = values.map(|value| value.map(|text| Value::Text(text.into())));
        let candidates = index.candidates(values[0].as_ref()).to_vec();
        let event = Event {
            values: values.to_vec(),
            ..Event::default()
        };
        for (place, rule) in rules.iter().enumerate() {
            let matches = rule.patterns[0].filter.matches(&event);
            assert!(
                candidates.contains(&place) || !matches,
                "{place} {values:?}"
            );
        }
        assert!(candidates.is_sorted());
    }

    #[test]
    fn all_rules_that_match_are_candidates() {
        let mut attributes = Attributes::default();
        let event_type = attributes.intern(Attribute::Named("eventType"));
        attributes.intern(Attribute::Named("user"));
        let mut rules = Vec::new();
        for filter in FILTERS {
            let text = format!(
                "id: r\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n  \
                 - {{ name: A, where: '{filter}', group_by: [user] }}\n"
            );
            rules.extend(rule::parse("r", &text, &mut attributes).expect("valid rules"));
        }
        let mut index = Index::new(rules.iter(), event_type);
        let long = "a_".repeat(REMEMBERED_BYTES);
        let types = [
            "a_write", "A_WRITE", "b_write", "a_delete", "A_delete", "c", "", &long,
        ];
        let types = types.into_iter().map(Some).chain([None]);
        // Twice: also what is remembered is right.
        for event_type in types.clone().chain(types) {
            for user in [Some("bob"), Some("ann"), None] {
                check(&mut index, &rules, [event_type, user]);
            }
        }
        let mut places = |name: &str| index.candidates(Some(&Value::Text(name.into()))).to_vec();
        assert_eq!(places("c"), [3, 4, 5, 6, 8, 10, 11]);
        assert_eq!(places("a_delete"), [1, 2, 3, 4, 5, 6, 8, 9, 10, 11]);
    }

    #[test]
    fn many_event_types_are_told_apart() {
        let mut attributes = Attributes::default();
        let event_type = attributes.intern(Attribute::Named("eventType"));
        let text = "id: r\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n  \
                    - { name: A, where: eventType ENDS_WITH \"7\" }\n";
        let rules = rule::parse("r", text, &mut attributes).expect("valid rules");
        let mut index = Index::new(rules.iter(), event_type);
        for number in 0..10 * REMEMBERED {
            let name = format!("type {number}");
            let found = !index.candidates(Some(&Value::Text(name.into()))).is_empty();
            assert_eq!(found, number % 10 == 7, "{number}");
        }
    }
}
