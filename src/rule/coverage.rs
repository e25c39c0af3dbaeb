//! What rules look for: techniques of MITRE ATT&CK, and the categories of records that they need.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::requirement::{Feature, Requirement};
use super::{Rule, RuleTest};
use crate::event::AttributeId;

/// What tags begin with that name a category of records which a rule needs.
pub const CATEGORY_TAG: &str = "category.";

/// The form of a layer, as ATT&CK Navigator calls it.
const LAYER: &str = "4.5";

/// The version of Navigator whose layers have that form.
const NAVIGATOR: &str = "5.1.0";

/// The version of ATT&CK whose ids are meant.
const ATTACK: &str = "17";

/// A layer for ATT&CK Navigator: the techniques of rules that are in force, each with their number
/// as its score and their names.
pub fn layer(rules: &[Rule]) -> Value {
    let mut by_technique: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rule in rules.iter().filter(|rule| rule.enabled) {
        let techniques: BTreeSet<&str> = rule.techniques.iter().map(String::as_str).collect();
        for technique in techniques {
            by_technique.entry(technique).or_default().push(&rule.name);
        }
    }
    let most = by_technique.values().map(Vec::len).max().unwrap_or(0);
    let mut techniques: Vec<Value> = by_technique
        .iter()
        .map(|(technique, names)| {
            json!({
                "techniqueID": technique,
                "score": names.len(),
                "comment": names.join("\n"),
                "enabled": true,
                "showSubtechniques": true,
            })
        })
        .collect();
    techniques.extend(opened(&by_technique));
    json!({
        "name": "Watchfire",
        "versions": { "attack": ATTACK, "navigator": NAVIGATOR, "layer": LAYER },
        "domain": "enterprise-attack",
        "description": "The score is how many rules look for a technique.",
        "sorting": 3,
        "hideDisabled": false,
        "techniques": techniques,
        "gradient": {
            "colors": ["#ffe0b2ff", "#e65100ff"],
            "minValue": 0,
            "maxValue": most.max(1),
        },
        "legendItems": [],
        "showTacticRowBackground": false,
    })
}

/// Techniques of which only sub-techniques are looked for: they are shown opened.
fn opened(by_technique: &BTreeMap<&str, Vec<&str>>) -> Vec<Value> {
    let parents = by_technique.keys();
    let parents = parents.filter_map(|technique| technique.split_once('.').map(|(main, _)| main));
    let parents: BTreeSet<&str> = parents.collect();
    let alone = parents.into_iter();
    let alone = alone.filter(|technique| !by_technique.contains_key(technique));
    alone
        .map(|technique| json!({ "techniqueID": technique, "showSubtechniques": true }))
        .collect()
}

/// The categories of records that a rule needs: those of its tags (`category.SignInLogs`), and
/// those that its filters ask for; in lower case. `category` is the place of that attribute.
pub fn categories(rule: &Rule, category: AttributeId) -> BTreeSet<String> {
    let tags = rule.metadata.tags.iter();
    let tags = tags.filter_map(|tag| tag.strip_prefix(CATEGORY_TAG));
    let mut found: BTreeSet<String> = tags.map(str::to_ascii_lowercase).collect();
    for pattern in &rule.patterns {
        asked(&pattern.filter.requirement(), category, &mut found);
    }
    found
}

fn asked(requirement: &Requirement<'_>, category: AttributeId, found: &mut BTreeSet<String>) {
    match requirement {
        Requirement::Clue(clue) => {
            if let (true, Feature::Text(text)) = (clue.attribute == category, &clue.feature) {
                found.insert((*text).to_ascii_lowercase());
            }
        }
        Requirement::One(parts) | Requirement::All(parts) => {
            for part in parts {
                asked(part, category, found);
            }
        }
        Requirement::Open(_) => {}
    }
}

/// What the tests of a rule leave out; nothing, where there are true and false cases.
pub fn untested(rule: &Rule) -> Option<&'static str> {
    let says_something = |test: &RuleTest| !test.incidents.is_empty();
    let is_found = rule.tests.iter().any(says_something);
    let is_not = rule.tests.iter().any(|test| !says_something(test));
    match (is_found, is_not) {
        (true, true) => None,
        (true, false) => Some("no test without an incident"),
        (false, true) => Some("no test with an incident"),
        (false, false) => Some("no tests"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Attribute, Attributes};
    use crate::rule::parse;

    fn rules(more: &str, attributes: &mut Attributes) -> Vec<Rule> {
        let text = format!(
            "id: R\nname: A rule\nseverity: 5\nwindow: 60s\n{more}\npatterns:\n  - name: P\n    \
             where: category = \"AuditLogs\" AND user = \"a\"\n"
        );
        parse("r.yaml", &text, attributes).expect("a valid rule")
    }

    #[test]
    fn a_layer_has_each_technique_once() {
        fn check(more: &str, expected: &Value) {
            let found = layer(&rules(more, &mut Attributes::default()));
            assert_eq!(found["versions"]["layer"], LAYER);
            let techniques = found["techniques"].as_array().expect("a list");
            let ids: Vec<&Value> = techniques.iter().map(|one| &one["techniqueID"]).collect();
            assert_eq!(json!(ids), *expected, "{more}");
        }
        check("", &json!([]));
        check("techniques: [T1651]", &json!(["T1651"]));
        check("techniques: [T1098.003]", &json!(["T1098.003", "T1098"]));
        check(
            "techniques: [T1098.003, T1098]",
            &json!(["T1098", "T1098.003"]),
        );
        check("techniques: [T1651]\nenabled: false", &json!([]));
    }

    #[test]
    fn categories_are_those_of_tags_and_filters() {
        fn check(more: &str, expected: &[&str]) {
            let mut attributes = Attributes::default();
            let category = attributes.intern(Attribute::Named("category"));
            let rules = rules(more, &mut attributes);
            let found = categories(rules.first().expect("one"), category);
            assert_eq!(
                found.iter().map(String::as_str).collect::<Vec<_>>(),
                expected
            );
        }
        check("", &["auditlogs"]);
        check(
            "tags: [category.SignInLogs, other]",
            &["auditlogs", "signinlogs"],
        );
    }

    #[test]
    fn what_tests_leave_out_is_said() {
        fn check(tests: &str, expected: Option<&str>) {
            let rules = rules(tests, &mut Attributes::default());
            assert_eq!(untested(rules.first().expect("one")), expected);
        }
        let (with, without) = (
            "{ name: a, events: [], incidents: [{ severity: 5 }] }",
            "{ name: b, events: [], incidents: [] }",
        );
        check("", Some("no tests"));
        check(
            &format!("tests: [{with}]"),
            Some("no test without an incident"),
        );
        check(
            &format!("tests: [{without}]"),
            Some("no test with an incident"),
        );
        check(&format!("tests: [{with}, {without}]"), None);
    }
}
