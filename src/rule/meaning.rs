//! What a rule means, as text: what its state and its incidents' ids depend on.

use super::metadata::Status;
use super::{Condition, GroupBy, IncidentValue, Pattern, Rule, print};
use crate::event::{AttributeId, Attributes};
use crate::normalise;

impl Rule {
    /// The rule's meaning in canonical form: the same for texts that differ only in layout, in
    /// the order of keys, in the letter case of keywords and compared text, in the order within
    /// `IN`, or in title, description, severity, exceptions and the like. The order of group-by
    /// attributes and of incident attributes counts, since state and incidents keep it. Of what a
    /// rule says of itself only that it is under test counts: what it found then was perhaps never
    /// said, so that nothing said later may build on it.
    ///
    /// Patience, lateness and limits are not in it: they may come from the configuration.
    pub fn meaning(&self, attributes: &Attributes) -> String {
        let of_events = |id: AttributeId| {
            let attribute = attributes.list().get(usize::from(id.0));
            let version = attribute.and_then(normalise::version);
            let own = attribute.map(|attribute| self.lists.own().version(attribute));
            versioned(print::name(attributes, id), version) + &own.unwrap_or_default()
        };
        let name = |id: AttributeId| {
            let mut formulas = self
                .patterns
                .iter()
                .filter_map(|pattern| pattern.formula(id));
            match formulas.next() {
                Some(formula) if formula.name.is_none() => formula.print(&of_events),
                Some(_) | None => of_events(id),
            }
        };
        let mut lines = vec![
            format!("id {}", self.id),
            format!("window {}", self.window),
            format!("quiet {}", self.quiet),
        ];
        if self.metadata.status == Status::Test {
            lines.push("status test".to_owned());
        }
        if let Some(clear) = self.clear {
            lines.push(format!("clear {}", self.pattern(clear)));
        }
        for pattern in &self.patterns {
            lines.extend(pattern_lines(pattern, &name));
        }
        lines.push(format!(
            "condition {}",
            self.condition_text(&self.condition)
        ));
        for part in &self.join_key {
            let places: Vec<String> = part.places.iter().map(usize::to_string).collect();
            lines.push(format!("key {} {}", part.name, places.join(" ")));
        }
        let written = |side: GroupBy| self.group_by_text(side, &name);
        lines.extend(self.differences.iter().map(|it| {
            let (left, right) = (written(it.left), written(it.right));
            format!("differ {left} {right}")
        }));
        for (attribute, value) in &self.attributes {
            lines.push(format!(
                "attribute {attribute} {}",
                self.value_text(value, &name)
            ));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    pub(super) fn pattern(&self, place: usize) -> &str {
        self.patterns
            .get(place)
            .map_or("", |pattern| pattern.name.as_str())
    }

    /// A part of the rule's condition, as rules write it.
    pub fn condition_text(&self, condition: &Condition) -> String {
        match condition {
            Condition::Pattern(place) => self.pattern(*place).to_owned(),
            Condition::Operation(left, operator, right) => {
                let (left, right) = (self.condition_text(left), self.part_text(right));
                format!("{left} {} {right}", operator.word())
            }
            Condition::Unless {
                first,
                then,
                between,
            } => {
                let (first, then) = (self.condition_text(first), self.part_text(then));
                let between = self.part_text(between);
                format!("{first} FOLLOWED_BY {then} UNLESS {between}")
            }
        }
    }

    /// The same to the right of an operator.
    fn part_text(&self, condition: &Condition) -> String {
        let text = self.condition_text(condition);
        match condition {
            Condition::Pattern(_) => text,
            Condition::Operation(..) | Condition::Unless { .. } => format!("({text})"),
        }
    }

    /// A group-by attribute with its pattern, as rules write it.
    pub(super) fn group_by_text(&self, side: GroupBy, name: print::NameOf<'_>) -> String {
        self.value_text(&IncidentValue::GroupBy(side.pattern, side.place), name)
    }

    pub(super) fn value_text(&self, value: &IncidentValue, name: print::NameOf<'_>) -> String {
        let text = match value {
            IncidentValue::GroupBy(pattern, place) => {
                let pattern = self.patterns.get(*pattern);
                pattern
                    .and_then(|pattern| pattern.group_by.get(*place))
                    .map(|id| name(*id))
            }
            IncidentValue::Aggregate(pattern, place) => {
                let pattern = self.patterns.get(*pattern);
                let aggregate = pattern.and_then(|pattern| pattern.aggregates.get(*place));
                aggregate.map(|aggregate| print::aggregate(aggregate, name))
            }
        };
        let (IncidentValue::GroupBy(pattern, _) | IncidentValue::Aggregate(pattern, _)) = value;
        format!("{}.{}", self.pattern(*pattern), text.unwrap_or_default())
    }
}

/// An attribute's name with the version of its meaning, unless that is still the first.
fn versioned(name: String, version: Option<u32>) -> String {
    match version {
        Some(version) => format!("{name}@{version}"),
        None => name,
    }
}

fn pattern_lines(pattern: &Pattern, name: print::NameOf<'_>) -> Vec<String> {
    let grouped = |id: &AttributeId| match pattern.formula(*id) {
        None => name(*id),
        Some(formula) => format!("{}: {}", name(*id), formula.print(name)),
    };
    let group_by: Vec<String> = pattern.group_by.iter().map(grouped).collect();
    let having = print::having(&pattern.having, &pattern.aggregates, name);
    let mut lines = vec![
        format!("pattern {}", pattern.name),
        format!(" where {}", print::filter(&pattern.filter.expression, name)),
        format!(" group_by {}", group_by.join(", ")),
        format!(" having {having}"),
    ];
    if let Some(new) = &pattern.new {
        lines.push(format!(" new {}", print::new(new, name)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::versioned;

    #[test]
    fn a_new_version_of_an_attribute_is_another_meaning() {
        let name = || "user".to_owned();
        assert_eq!(versioned(name(), None), "user");
        assert_eq!(versioned(name(), Some(2)), "user@2");
    }
}
