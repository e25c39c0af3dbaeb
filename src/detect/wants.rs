//! Which filters ask for a kind of data.

use super::kinds::Kind;
use crate::event::{Attribute, AttributeId, Attributes, Value};
use crate::plan::Plan;
use crate::rule::Rule;

/// The filters of a plan's rules.
pub struct Wants {
    rules: Vec<Rule>,
    event_type: AttributeId,
    category: AttributeId,
}

impl Wants {
    /// Those of `plan`.
    pub fn of(plan: &Plan) -> Wants {
        let mut attributes = Attributes::default();
        let event_type = attributes.intern(Attribute::Named("eventType"));
        let category = attributes.intern(Attribute::Named("category"));
        let rules = plan.rules.iter().map(|(loaded, _)| {
            let (own, contents) = (&loaded.attributes, &plan.contents);
            loaded.rule.moved_with(own, &mut attributes, contents)
        });
        Wants {
            rules: rules.collect(),
            event_type,
            category,
        }
    }

    /// The filters that events of this kind may pass: the place of the rule and that of its
    /// pattern.
    pub fn by(&self, kind: &Kind) -> Vec<(usize, usize)> {
        let text = |text: &Option<String>| text.clone().map(|text| Value::Text(text.into()));
        let (event_type, category) = (text(&kind.event_type), text(&kind.category));
        let known = [
            (self.event_type, event_type.as_ref()),
            (self.category, category.as_ref()),
        ];
        let rules = self.rules.iter().enumerate();
        let wanting = rules.flat_map(|(rule, of_rule)| {
            let patterns = of_rule.patterns.iter().enumerate();
            let wanting = patterns.filter(|(_, pattern)| pattern.filter.may_pass_all(&known));
            wanting.map(move |(pattern, _)| (rule, pattern))
        });
        wanting.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::tests::plan;

    #[test]
    fn kinds_are_wanted_by_type_and_category() {
        let rule = |filter: &str| {
            let head = "id: A\nname: a\nseverity: 1\nwindow: 1s";
            format!("{head}\npatterns: [{{ name: P, where: '{filter}' }}]\n")
        };
        let check = |filter: &str, event_type: Option<&str>, category: Option<&str>, expected| {
            let kind = Kind {
                event_type: event_type.map(str::to_owned),
                category: category.map(str::to_owned),
            };
            let wanting = Wants::of(&plan(&rule(filter))).by(&kind);
            assert_eq!(!wanting.is_empty(), expected, "{filter} {kind:?}");
        };
        check("eventType = \"A\" AND user = \"b\"", Some("a"), None, true);
        check("eventType = \"A\" AND user = \"b\"", Some("c"), None, false);
        check("eventType = \"A\"", None, Some("Audit"), false);
        check(
            "category = \"Audit\" AND user = \"b\"",
            Some("c"),
            Some("Audit"),
            true,
        );
        check(
            "category = \"Audit\" AND user = \"b\"",
            Some("c"),
            Some("Policy"),
            false,
        );
        check("user = \"b\"", Some("c"), None, true);
        check(
            "eventType = \"A\" OR category = \"Audit\"",
            Some("c"),
            Some("audit"),
            true,
        );
    }
}
