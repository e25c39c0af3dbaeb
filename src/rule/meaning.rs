//! What a rule means, as text: what its state and its incidents' ids depend on.

use super::{Condition, IncidentValue, Pattern, Rule, print};
use crate::event::{AttributeId, Attributes};

impl Rule {
    /// The rule's meaning in canonical form: the same for texts that differ only in layout, in
    /// the order of keys, in the letter case of keywords and compared text, in the order within
    /// `IN`, or in title, description, severity, exceptions and the like. The order of group-by
    /// attributes and of incident attributes counts, since state and incidents keep it.
    ///
    /// Patience, lateness and limits are not in it: they may come from the configuration.
    pub fn meaning(&self, attributes: &Attributes) -> String {
        let name = |id: AttributeId| print::name(attributes, id);
        let mut lines = vec![
            format!("id {}", self.id),
            format!("window {}", self.window),
            format!("quiet {}", self.quiet),
        ];
        for pattern in &self.patterns {
            lines.extend(pattern_lines(pattern, &name));
        }
        lines.push(format!("condition {}", self.condition_text()));
        for part in &self.join_key {
            let places: Vec<String> = part.places.iter().map(usize::to_string).collect();
            lines.push(format!("key {} {}", part.name, places.join(" ")));
        }
        for (attribute, value) in &self.attributes {
            lines.push(format!(
                "attribute {attribute} {}",
                self.value_text(value, &name)
            ));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn pattern(&self, place: usize) -> &str {
        self.patterns
            .get(place)
            .map_or("", |pattern| pattern.name.as_str())
    }

    fn condition_text(&self) -> &str {
        match &self.condition {
            Condition::Pattern(place) => self.pattern(*place),
        }
    }

    fn value_text(&self, value: &IncidentValue, name: print::NameOf<'_>) -> String {
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

fn pattern_lines(pattern: &Pattern, name: print::NameOf<'_>) -> [String; 4] {
    let group_by: Vec<String> = pattern.group_by.iter().map(|id| name(*id)).collect();
    let having = print::having(&pattern.having, &pattern.aggregates, name);
    [
        format!("pattern {}", pattern.name),
        format!(" where {}", print::filter(&pattern.filter.expression, name)),
        format!(" group_by {}", group_by.join(", ")),
        format!(" having {having}"),
    ]
}
