//! The peak of an incident: the trigger at which the aggregates that it shows are greatest.

use std::cell::Cell;
use std::cmp::Ordering;

use super::{Comparison, Filter, Having, IncidentValue, Rule, Term, print};
use crate::event::AttributeId;
use crate::incident::AttributeValue;

/// An aggregate that incidents show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Place of the incident attribute.
    pub attribute: usize,
    /// Place of the pattern.
    pub pattern: usize,
    /// Place in the pattern's aggregates.
    pub aggregate: usize,
    /// What is least counts most, since the pattern's test asks for little.
    pub least: bool,
}

impl Measure {
    /// How one value is held against another: greater is more of a peak.
    pub fn order(&self, one: &AttributeValue, other: &AttributeValue) -> Ordering {
        let order = order(one, other);
        match self.least {
            true => order.reverse(),
            false => order,
        }
    }
}

/// Null before numbers before text.
fn order(one: &AttributeValue, other: &AttributeValue) -> Ordering {
    use AttributeValue::{Null, Number, Text};
    match (one, other) {
        (Null, Null) => Ordering::Equal,
        (Null, Number(_) | Text(_)) | (Number(_), Text(_)) => Ordering::Less,
        (Number(_) | Text(_), Null) | (Text(_), Number(_)) => Ordering::Greater,
        (Number(one), Number(other)) => one.partial_cmp(other).unwrap_or(Ordering::Equal),
        (Text(one), Text(other)) => one.cmp(other),
    }
}

impl Rule {
    /// The aggregates that its incidents show, in the order of the file.
    pub fn measures(&self) -> Vec<Measure> {
        let attributes = self.attributes.iter().enumerate();
        let measures = attributes.filter_map(|(attribute, (_, value))| match value {
            IncidentValue::GroupBy(..) => None,
            IncidentValue::Aggregate(pattern, aggregate) => {
                let having = &self.patterns.get(*pattern)?.having;
                Some(Measure {
                    attribute,
                    pattern: *pattern,
                    aggregate: *aggregate,
                    least: having.asks_for_little(*aggregate),
                })
            }
        });
        measures.collect()
    }

    /// Of aggregates that severity asks for, those that do not choose the peak.
    pub(super) fn peak_advice(&self) -> Option<String> {
        let measures = self.measures();
        let (first, others) = measures.split_first()?;
        let name = |measure: &Measure| self.attributes.get(measure.attribute);
        let (chosen, _) = name(first)?;
        let mut asked = others.iter().filter(|measure| {
            let mut cases = self.severity.cases.iter();
            cases.any(|case| names(&case.when, measure.attribute))
        });
        let (attribute, _) = name(asked.next()?)?;
        Some(format!(
            "its severity asks for `{attribute}`, which incidents show as it is where `{chosen}` \
             is greatest, the first aggregate among their attributes: put `{attribute}` first if \
             its own peak is to decide"
        ))
    }
}

/// Whether a filter over incident attributes names the one at this place.
fn names(filter: &Filter, attribute: usize) -> bool {
    let found = Cell::new(false);
    let note = |id: AttributeId| {
        found.set(found.get() || usize::from(id.0) == attribute);
        String::new()
    };
    print::filter(&filter.expression, &note);
    found.get()
}

impl Having {
    /// Whether it compares an aggregate with `<` or `<=`.
    fn asks_for_little(&self, aggregate: usize) -> bool {
        let is_it = |term: &Term| *term == Term::Aggregate(aggregate);
        let less = |comparison| matches!(comparison, Comparison::Less | Comparison::LessOrEqual);
        match self {
            Having::And(parts) | Having::Or(parts) => {
                parts.iter().any(|part| part.asks_for_little(aggregate))
            }
            Having::Compare(left, comparison, right) => {
                is_it(left) && less(*comparison) || is_it(right) && less(comparison.mirrored())
            }
        }
    }
}
