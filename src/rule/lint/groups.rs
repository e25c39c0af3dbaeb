//! Slips in what is grouped by, counted and related.

use std::collections::BTreeSet;

use super::{Finding, Lint, Linted};
use crate::event::AttributeId;
use crate::normalise;
use crate::rule::check::Check;
use crate::rule::range::Range;
use crate::rule::tree::{Expression, Scalar, Test};
use crate::rule::{
    Condition, ConditionOperator, Function, Having, JoinKeyPart, Pattern, certain, print,
};

/// Whether one pattern alone is enough.
pub fn is_choice(condition: &Condition) -> bool {
    match condition {
        Condition::Pattern(_) => true,
        Condition::Operation(left, ConditionOperator::Or, right) => {
            is_choice(left) && is_choice(right)
        }
        Condition::Operation(..) | Condition::Unless { .. } => false,
    }
}

/// Whether it has an OR: not all of its patterns are needed.
fn has_choice(condition: &Condition) -> bool {
    match condition {
        Condition::Pattern(_) => false,
        Condition::Operation(_, ConditionOperator::Or, _) => true,
        Condition::Operation(left, _, right) => has_choice(left) || has_choice(right),
        Condition::Unless { first, then, .. } => has_choice(first) || has_choice(then),
    }
}

impl Pattern {
    /// Whether a value is the same for all events of a group: it is grouped by, or a combination
    /// of such.
    fn is_of_group(&self, input: AttributeId) -> bool {
        let is_grouped = |id: &AttributeId| self.group_by.contains(id);
        let of_parts = |parts: &[Scalar]| {
            parts.iter().all(|part| match part {
                Scalar::Attribute(id) => is_grouped(id),
                Scalar::Text(_)
                | Scalar::Number(_)
                | Scalar::Arithmetic(..)
                | Scalar::Call(..)
                | Scalar::Clock(_)
                | Scalar::Extract(..)
                | Scalar::If(..)
                | Scalar::Lookup(_)
                | Scalar::NetLookup(_) => false,
            })
        };
        is_grouped(&input)
            || self
                .formula(input)
                .is_some_and(|formula| of_parts(&formula.parts))
    }

    /// Comparisons that cannot hold only because a group has one value of what it is grouped by.
    fn tests_of_one(&self) -> Vec<&Having> {
        let usual = certain::ranges(&self.aggregates);
        let mut narrow = usual.clone();
        for (range, aggregate) in narrow.iter_mut().zip(&self.aggregates) {
            let input = aggregate.input.filter(|input| self.is_of_group(*input));
            if aggregate.function == Function::CountDistinct && input.is_some() {
                *range = Range::between(0.0, 1.0).whole();
            }
        }
        let mut all = Vec::new();
        self.having.comparisons(&mut all);
        all.retain(|test| test.is_possible(&usual) && !test.is_possible(&narrow));
        all
    }
}

impl Having {
    fn comparisons<'h>(&'h self, found: &mut Vec<&'h Having>) {
        match self {
            Having::And(parts) | Having::Or(parts) => {
                parts.iter().for_each(|part| part.comparisons(found));
            }
            Having::Compare(..) => found.push(self),
        }
    }
}

impl Linted<'_> {
    pub(super) fn distinct_of_key(&self) -> Vec<Finding> {
        let mut all = Vec::new();
        for pattern in &self.rule.patterns {
            let found = pattern.tests_of_one().into_iter().map(|test| {
                let test = print::having(test, &pattern.aggregates, &|id| self.name(id));
                Finding {
                    lint: Lint::DistinctOfKey,
                    near: "COUNT(DISTINCT".to_owned(),
                    text: format!(
                        "`{test}` of the pattern {} can never hold: it groups by that, and a group \
                         has one value of it. Count another attribute, or do not group by this \
                         one",
                        pattern.name
                    ),
                }
            });
            all.extend(found);
        }
        all
    }

    /// Patterns that are related by what their filters say is different.
    pub(super) fn never_related(&self) -> Vec<Finding> {
        let rule = self.rule;
        if has_choice(&rule.condition) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for part in &rule.join_key {
            let pinned = self.pinned(part);
            let mut pairs = pinned.iter().zip(pinned.iter().skip(1));
            if let Some(((one, first), (other, second))) =
                pairs.find(|((_, first), (_, second))| first.is_disjoint(second))
            {
                let shown = |texts: &BTreeSet<String>| {
                    let first = texts.first().map(String::as_str).unwrap_or_default();
                    crate::rule::nearest::shown(first).into_owned()
                };
                let (name, first, second) = (&part.name, shown(first), shown(second));
                found.push(Finding {
                    lint: Lint::NeverHolds,
                    near: "relations:".to_owned(),
                    text: format!(
                        "{one} and {other} can never be of the same {name}: one asks for \
                         `{first}`, the other for `{second}`"
                    ),
                });
            }
        }
        found
    }

    /// Of the patterns that must all hold: their names, and the texts of which one must be this
    /// part of the key, as far as filters say so.
    fn pinned(&self, part: &JoinKeyPart) -> Vec<(&str, BTreeSet<String>)> {
        let patterns = self.rule.patterns.iter().zip(&part.places).enumerate();
        let pinned = patterns.filter_map(|(place, (pattern, group_by))| {
            let id = *pattern.group_by.get(*group_by)?;
            let attribute = self.attributes.list().get(usize::from(id.0))?;
            let is_certain = self.rule.is_positive(place) && normalise::is_single(attribute);
            let texts = texts(pattern.filter.expression(), id).filter(|_| is_certain)?;
            Some((pattern.name.as_str(), texts))
        });
        pinned.collect()
    }
}

/// The texts of which an attribute must be one for an expression to hold.
fn texts(expression: &Expression, id: AttributeId) -> Option<BTreeSet<String>> {
    match expression {
        Expression::And(parts) => parts.iter().find_map(|part| texts(part, id)),
        Expression::Test(Test {
            attribute,
            negated: false,
            check: Check::In(set),
        }) if *attribute == id => Some(set.texts()?.into_iter().collect()),
        Expression::Or(_) | Expression::Not(_) | Expression::Test(_) | Expression::Computed(_) => {
            None
        }
    }
}
