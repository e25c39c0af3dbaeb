//! What each filter costs: by what an event must have it is found, and which filters every event is
//! held against.

use super::index::Uses;
use super::prefilter;
use super::raw_texts::Making;
use crate::event::{Attribute, Attributes};
use crate::rule::own::Own;
use crate::rule::print;
use crate::rule::requirement::{Feature, Requirement};
use crate::rule::tree::Expression;
use crate::rule::{Pattern, Rule};

/// What the filter of a pattern is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Id of the rule.
    pub rule: String,
    /// Name of the pattern.
    pub pattern: String,
    /// Which events it is held against.
    pub met_by: MetBy,
    /// Texts one of which stands in each message with a record that may match; `None`: any message
    /// may have one.
    pub in_messages: Option<Vec<String>>,
}

/// Which events a filter is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetBy {
    /// Those that have one of these; none: no event can pass it.
    Some(Vec<String>),
    /// All that have one of these attributes: what is asked of them has no text to look for.
    Present(Vec<String>),
    /// All, because these parts of it may hold for any of them.
    All(Vec<String>),
}

/// What the filters of these rules cost together; `attributes` are those that they were read with.
pub fn of(rules: &[Rule], attributes: &mut Attributes, own: &Own) -> Vec<Cost> {
    let event_type = attributes.intern(Attribute::Named("eventType"));
    let patterns = rules
        .iter()
        .flat_map(|rule| rule.patterns.iter().map(move |pattern| (rule, pattern)));
    let patterns: Vec<(&Rule, &Pattern)> = patterns.collect();
    let requirements = patterns.iter();
    let requirements = requirements.map(|(_, pattern)| pattern.filter.requirement());
    let requirements: Vec<Requirement<'_>> = requirements.collect();
    let uses = Uses::of(&requirements, event_type);
    let each = patterns.iter().zip(&requirements);
    let each = each.map(|((rule, pattern), requirement)| Cost {
        rule: rule.id.clone(),
        pattern: pattern.name.clone(),
        met_by: met_by(requirement, &uses, attributes),
        in_messages: prefilter::texts(requirement, &Making::of(attributes, own)),
    });
    each.collect()
}

fn met_by(requirement: &Requirement<'_>, uses: &Uses, attributes: &Attributes) -> MetBy {
    let name = |id| print::name(attributes, id);
    let Some(clues) = uses.choose(requirement) else {
        let mut parts = Vec::new();
        open(requirement, uses, &mut parts);
        let parts = parts.iter().map(|part| print::filter(part, &name));
        return MetBy::All(parts.collect());
    };
    let is_present = |feature: &Feature<'_>| matches!(feature, Feature::Present);
    let present = clues.iter().filter(|clue| is_present(&clue.feature));
    let mut present: Vec<String> = present.map(|clue| name(clue.attribute)).collect();
    present.dedup();
    match present.is_empty() {
        true => MetBy::Some(clues.iter().map(|clue| clue.text(&name)).collect()),
        false => MetBy::Present(present),
    }
}

/// The parts of what every event meets that ask for nothing to look for.
fn open<'f>(requirement: &Requirement<'f>, uses: &Uses, parts: &mut Vec<&'f Expression>) {
    match requirement {
        Requirement::Clue(_) => {}
        Requirement::Open(part) => parts.push(part),
        Requirement::One(all) | Requirement::All(all) => {
            let all = all.iter().filter(|part| uses.choose(part).is_none());
            all.for_each(|part| open(part, uses, parts));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule;

    #[test]
    fn says_by_what_filters_are_found() {
        let present = |name: &str| MetBy::Present(vec![name.to_owned()]);
        let by = |texts: &[&str]| MetBy::Some(texts.iter().map(|&text| text.to_owned()).collect());
        let all = |texts: &[&str]| MetBy::All(texts.iter().map(|&text| text.to_owned()).collect());
        for (filter, expected) in [
            (
                "eventType = \"A\" AND user != \"b\"",
                by(&["eventType = \"a\""]),
            ),
            (
                "record.m CONTAIN \"Mimi\" AND record.n CONTAIN \"Mimikatz\"",
                by(&["record.n CONTAIN \"mimikatz\""]),
            ),
            (
                "user = \"a\" OR user REGEXP \"^svc-(one|two)$\"",
                by(&[
                    "user = \"a\"",
                    "user REGEXP with \"svc-one\"",
                    "user REGEXP with \"svc-two\"",
                ]),
            ),
            (
                "NOT (user != \"a\" OR record.m IS NULL)",
                by(&["user = \"a\""]),
            ),
            (
                "srcIpAddr = cidr(\"10.0.0.0/8\")",
                by(&["srcIpAddr = cidr(\"10.0.0.0/8\")"]),
            ),
            ("record.n = 5 AND record.m > 2", by(&["record.n = 5"])),
            ("record.m REGEXP \"^[a-z]+$\"", present("record.m")),
            ("record.m > 5 AND user IS NULL", present("record.m")),
            ("LEN(user) > 3", present("user")),
            (
                "user = \"a\" OR record.m IS NULL OR eventType != \"b\"",
                all(&["record.m IS NULL", "eventType != \"b\""]),
            ),
            (
                "user NOT CONTAIN \"a\" AND IF(user = \"a\", 1, 0) = 1",
                all(&["user NOT CONTAIN \"a\"", "IF(user = \"a\", 1, 0) = 1"]),
            ),
        ] {
            let text = format!(
                "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n  - {{ name: A, \
                 where: \
                 '{filter}' }}\n"
            );
            let mut attributes = Attributes::default();
            let rules = rule::parse("r", &text, &mut attributes).expect("a valid rule");
            let found = of(&rules, &mut attributes, &Own::default());
            assert_eq!(found[0].met_by, expected, "{filter}");
        }
    }

    #[test]
    fn what_many_rules_ask_for_is_not_what_one_is_found_by() {
        let rules = (0..200).map(|number| {
            format!(
                "id: R{number}\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n  - {{ name: A, \
                 where: \
                 'eventType = \"a\" AND record.m = \"text {number}\"' }}\n"
            )
        });
        let text = rules.collect::<Vec<_>>().join("---\n");
        let mut attributes = Attributes::default();
        let rules = rule::parse("r", &text, &mut attributes).expect("valid rules");
        let found = of(&rules, &mut attributes, &Own::default());
        let expected = MetBy::Some(vec!["record.m = \"text 7\"".to_owned()]);
        assert_eq!(found[7].met_by, expected);
        let alone = of(&rules[..1], &mut attributes, &Own::default());
        let expected = MetBy::Some(vec!["eventType = \"a\"".to_owned()]);
        assert_eq!(alone[0].met_by, expected);
    }
}
