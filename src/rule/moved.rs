//! A rule over another table of attributes: the same, but for the places of what it reads.

use super::tables::Tables;
use super::tree::{Against, Expression, Scalar};
use super::{Filter, Pattern, Rule};
use crate::event::{AttributeId, Attributes};

/// The place in one table of each attribute of another.
struct Places<'t> {
    places: Vec<AttributeId>,
    /// What tables of networks hold, if that is to be known.
    tables: &'t Tables,
}

impl Rule {
    /// The same rule, which was read with `from`, with its attributes at their places in `to`.
    #[must_use]
    pub fn moved(&self, from: &Attributes, to: &mut Attributes) -> Rule {
        self.moved_with(from, to, &Tables::default())
    }

    /// The same, and with what these tables of networks hold: a rule of the log does not know it.
    #[must_use]
    pub fn moved_with(&self, from: &Attributes, to: &mut Attributes, tables: &Tables) -> Rule {
        to.know(self.lists.own().names());
        let all = from.list().iter();
        let places = Places {
            places: all.map(|attribute| to.intern(attribute.clone())).collect(),
            tables,
        };
        let mut rule = self.clone();
        for pattern in &mut rule.patterns {
            places.pattern(pattern);
        }
        rule
    }
}

impl Places<'_> {
    fn id(&self, id: &mut AttributeId) {
        if let Some(place) = self.places.get(usize::from(id.0)) {
            *id = *place;
        }
    }

    fn ids(&self, ids: &mut [AttributeId]) {
        ids.iter_mut().for_each(|id| self.id(id));
    }

    fn pattern(&self, pattern: &mut Pattern) {
        self.filter(&mut pattern.filter);
        self.ids(&mut pattern.group_by);
        let aggregates = pattern.aggregates.iter_mut();
        aggregates.for_each(|aggregate| self.ids(aggregate.input.as_mut_slice()));
        for formula in &mut pattern.formulas {
            self.id(&mut formula.id);
            self.ids(&mut formula.reads);
            self.scalars(&mut formula.parts);
        }
        if let Some(new) = &mut pattern.new {
            self.ids(&mut new.attributes);
        }
    }

    fn filter(&self, filter: &mut Filter) {
        self.expression(&mut filter.expression);
    }

    fn expression(&self, expression: &mut Expression) {
        match expression {
            Expression::And(parts) | Expression::Or(parts) => {
                parts.iter_mut().for_each(|part| self.expression(part));
            }
            Expression::Not(inner) => self.expression(inner),
            Expression::Test(test) => self.id(&mut test.attribute),
            Expression::Computed(test) => {
                self.scalar(&mut test.value);
                match &mut test.against {
                    Against::Check(_) => {}
                    Against::Value(_, value) => self.scalar(value),
                }
            }
        }
    }

    fn scalars(&self, values: &mut [Scalar]) {
        values.iter_mut().for_each(|value| self.scalar(value));
    }

    fn scalar(&self, value: &mut Scalar) {
        match value {
            Scalar::Attribute(id) => self.id(id),
            Scalar::Text(_) | Scalar::Number(_) => {}
            Scalar::Arithmetic(left, _, right) => {
                self.scalar(left);
                self.scalar(right);
            }
            Scalar::Call(_, values) => self.scalars(values),
            Scalar::Clock(clock) => {
                let time = clock.time.iter_mut();
                time.for_each(|time| self.scalar(time));
            }
            Scalar::Extract(text, _) => self.scalar(text),
            Scalar::If(test, then, otherwise) => {
                self.expression(test);
                self.scalar(then);
                self.scalar(otherwise);
            }
            Scalar::Lookup(lookup) => self.scalars(&mut lookup.keys),
            Scalar::NetLookup(lookup) => {
                self.scalar(&mut lookup.key);
                lookup.asked.look_in(self.tables);
            }
        }
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
                    IF(user REGEXP \"b\", 1, 2) = 1 AND TO_LOWER(user) = \
                    TRIM(opName)'\n    \
                    group_by: [user, { d: 'EXTRACT(user, \"@(.*)\")' }]\n    \
                    having: SUM(IF(record.n = \"x\", record.a, record.b)) > 1 AND COUNT(*) > 2\n";
        let mut attributes = Attributes::default();
        let rule = parse("r", text, &mut attributes)
            .expect("a valid rule")
            .remove(0);
        let mut others = Attributes::default();
        others.intern(Attribute::Named("srcIpAddr"));
        let moved = rule.moved(&attributes, &mut others);
        assert_eq!(moved.meaning(&others), rule.meaning(&attributes));
        assert_ne!(moved.patterns[0].group_by, rule.patterns[0].group_by);
        // What is read of its text with that table is the same.
        let read = parse("r", text, &mut others).expect("a valid rule");
        assert_eq!(read, [moved]);
    }
}
