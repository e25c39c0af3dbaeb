//! A rule over another table of attributes: its text once more, but without compiling its regular
//! expressions again, which takes most of the time and the memory.

use super::check::Check;
use super::filter::Expression;
use super::lists::Lists;
use super::regexps::Pattern;
use super::scalar::{Against, Scalar};
use super::{Rule, RuleError, texts};
use crate::event::Attributes;

impl Rule {
    /// The same rule, its attributes at their places in `attributes`.
    ///
    /// # Errors
    ///
    /// Its text is not what it was made of.
    pub fn again(&self, attributes: &mut Attributes) -> Result<Rule, Vec<RuleError>> {
        let lists: &Lists = &self.lists;
        let mut known = Vec::new();
        for pattern in &self.patterns {
            of_expression(pattern.filter.expression(), &mut known);
            let formulas = pattern.formulas.iter();
            let parts = formulas.flat_map(|formula| &formula.parts);
            parts.for_each(|part| of_scalar(part, &mut known));
        }
        texts::parse_again(&self.text, lists, known, attributes)
    }
}

fn of_expression(expression: &Expression, known: &mut Vec<Pattern>) {
    match expression {
        Expression::And(parts) | Expression::Or(parts) => {
            parts.iter().for_each(|part| of_expression(part, known));
        }
        Expression::Not(inner) => of_expression(inner, known),
        Expression::Test(test) => of_check(&test.check, known),
        Expression::Computed(test) => {
            of_scalar(&test.value, known);
            match &test.against {
                Against::Check(check) => of_check(check, known),
                Against::Value(_, value) => of_scalar(value, known),
            }
        }
    }
}

fn of_check(check: &Check, known: &mut Vec<Pattern>) {
    match check {
        Check::Regexp(pattern) => known.push(pattern.clone()),
        Check::In(_)
        | Check::Greater(_)
        | Check::GreaterOrEqual(_)
        | Check::Less(_)
        | Check::LessOrEqual(_)
        | Check::Between(..)
        | Check::BetweenAddresses(..)
        | Check::Contain(_)
        | Check::StartsWith(_)
        | Check::EndsWith(_)
        | Check::IsNull => {}
    }
}

fn of_scalar(value: &Scalar, known: &mut Vec<Pattern>) {
    match value {
        Scalar::Attribute(_) | Scalar::Text(_) | Scalar::Number(_) => {}
        Scalar::Arithmetic(left, _, right) => {
            of_scalar(left, known);
            of_scalar(right, known);
        }
        Scalar::Call(_, values) => values.iter().for_each(|value| of_scalar(value, known)),
        Scalar::Clock(clock) => {
            let time = clock.time.iter();
            time.for_each(|time| of_scalar(time, known));
        }
        Scalar::Extract(text, pattern) => {
            of_scalar(text, known);
            known.push(pattern.clone());
        }
        Scalar::If(test, then, otherwise) => {
            of_expression(test, known);
            of_scalar(then, known);
            of_scalar(otherwise, known);
        }
        Scalar::Lookup(lookup) => lookup.keys.iter().for_each(|key| of_scalar(key, known)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Attribute;
    use crate::rule::parse;

    #[test]
    fn a_rule_is_the_same_over_another_table() {
        let text = "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n  - name: A\n    \
                    where: 'NOT (user REGEXP \"^a+$\" OR EXTRACT(record.m, \"(x)\") = \"x\") AND \
                    IF(user REGEXP \"b\", 1, 2) = 1'\n    \
                    group_by: [user, { d: 'EXTRACT(user, \"@(.*)\")' }]\n";
        let mut attributes = Attributes::default();
        let rule = parse("r", text, &mut attributes)
            .expect("a valid rule")
            .remove(0);
        let mut others = Attributes::default();
        others.intern(Attribute::Named("srcIpAddr"));
        let again = rule.again(&mut others).expect("the same text");
        assert_eq!(again.meaning(&others), rule.meaning(&attributes));
        assert_ne!(again.patterns[0].group_by, rule.patterns[0].group_by);
    }
}
