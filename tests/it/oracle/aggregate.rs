//! Tests over aggregates, each computed from the list of matches.

use watchfire::fold::aggregate::Rank;
use watchfire::fold::key::pane::{Mark, Origin, rank};
use watchfire::incident::AttributeValue;
use watchfire::matches::Input;
use watchfire::plan::LoadedRule;
use watchfire::rule::{Aggregate, Arithmetic, Comparison, Function, Having, Term};

use super::set::Seen;
use crate::aggregates;

/// In one.
const UNITS: i128 = 1 << 40;

/// The matches of one group of a pattern within one window.
pub struct Group<'a> {
    pub rule: &'a LoadedRule,
    pub pattern: usize,
    pub group: &'a [Option<String>],
    pub within: Vec<&'a Seen>,
}

impl Group<'_> {
    /// Whether the pattern's test is true.
    pub fn passes(&self) -> bool {
        self.holds(&self.rule.rule.patterns[self.pattern].having)
    }

    fn holds(&self, having: &Having) -> bool {
        match having {
            Having::And(all) => all.iter().all(|part| self.holds(part)),
            Having::Or(any) => any.iter().any(|part| self.holds(part)),
            Having::Compare(left, comparison, right) => {
                let (Some(left), Some(right)) = (self.term(left), self.term(right)) else {
                    return false;
                };
                match comparison {
                    Comparison::Equal => left == right,
                    Comparison::NotEqual => left != right,
                    Comparison::Greater => left > right,
                    Comparison::GreaterOrEqual => left >= right,
                    Comparison::Less => left < right,
                    Comparison::LessOrEqual => left <= right,
                }
            }
        }
    }

    fn term(&self, term: &Term) -> Option<f64> {
        match term {
            Term::Number(number) => Some(*number),
            Term::Aggregate(place) => self.value(*place),
            Term::Arithmetic(left, operator, right) => {
                let (left, right) = (self.term(left)?, self.term(right)?);
                let value = match operator {
                    Arithmetic::Add => left + right,
                    Arithmetic::Subtract => left - right,
                    Arithmetic::Multiply => left * right,
                    Arithmetic::Divide => left / right,
                };
                value.is_finite().then_some(value)
            }
        }
    }

    /// The pattern's aggregate at this place.
    pub fn value(&self, place: usize) -> Option<f64> {
        let pattern = &self.rule.rule.patterns[self.pattern];
        let Aggregate { function, .. } = &pattern.aggregates[place];
        let ranked = self.ranked(place);
        let inputs: Vec<Input> = ranked.iter().map(|(_, input)| input.clone()).collect();
        let most = pattern.caps(self.rule.settings.limits.distinct_values)[place];
        let numbers: Vec<i128> = inputs.iter().filter_map(number).collect();
        let sum = float(numbers.iter().sum());
        let some = !numbers.is_empty();
        match function {
            Function::Count => {
                let present = inputs.iter().filter(|input| **input != Input::Absent);
                Some(present.count() as f64)
            }
            Function::Sum => some.then_some(sum),
            Function::Avg => some.then(|| sum / numbers.len() as f64),
            Function::Min => numbers.iter().min().copied().map(float),
            Function::Max => numbers.iter().max().copied().map(float),
            Function::CountDistinct
            | Function::First
            | Function::Last
            | Function::Mode
            | Function::Median
            | Function::Percentile(_)
            | Function::Stddev
            | Function::Variance
            | Function::PctChange
            | Function::Span => aggregates::value(*function, &ranked, most),
        }
    }

    /// The pattern's aggregate at this place, as an incident shows it.
    pub fn shown(&self, place: usize) -> AttributeValue {
        let pattern = &self.rule.rule.patterns[self.pattern];
        let Aggregate { function, .. } = &pattern.aggregates[place];
        let most = pattern.caps(self.rule.settings.limits.distinct_values)[place];
        let number = self.value(place).map(AttributeValue::Number);
        let text = aggregates::text_value(*function, &self.ranked(place), most);
        match (number, text) {
            (Some(number), Some(text)) if number.to_string() != text => AttributeValue::Text(text),
            (Some(number), _) => number,
            (None, Some(text)) => AttributeValue::Text(text),
            (None, None) => AttributeValue::Null,
        }
    }

    fn ranked(&self, place: usize) -> Vec<(Rank, Input)> {
        let ranked = self.within.iter().flat_map(|seen| {
            let origin = Origin {
                topic: 0,
                partition: seen.partition,
            };
            let part = seen.part(self.pattern, self.group);
            let mark = Mark::of(&seen.record, origin, |text| text.into());
            match &part.expect("of the group").inputs[place] {
                Input::Several(all) => rank(&mark).of_values().zip(all.clone()).collect(),
                one => vec![(rank(&mark), one.clone())],
            }
        });
        ranked.collect()
    }
}

/// Whether one more match can make a test false that is true.
pub fn can_become_false(having: &Having, aggregates: &[Aggregate]) -> bool {
    let grows = |place: usize| {
        matches!(
            aggregates[place].function,
            Function::Count
                | Function::CountDistinct
                | Function::Sum
                | Function::Max
                | Function::Span
        )
    };
    let shrinks = |place: usize| matches!(aggregates[place].function, Function::Min);
    let (greater, less) = (
        [Comparison::Greater, Comparison::GreaterOrEqual],
        [Comparison::Less, Comparison::LessOrEqual],
    );
    match having {
        Having::And(parts) | Having::Or(parts) => {
            parts.iter().any(|part| can_become_false(part, aggregates))
        }
        Having::Compare(Term::Aggregate(place), comparison, Term::Number(_)) => {
            !(grows(*place) && greater.contains(comparison)
                || shrinks(*place) && less.contains(comparison))
        }
        Having::Compare(Term::Number(_), comparison, Term::Aggregate(place)) => {
            !(grows(*place) && less.contains(comparison)
                || shrinks(*place) && greater.contains(comparison))
        }
        Having::Compare(..) => true,
    }
}

/// A number counted in units of 2^-40, so that sums are exact; the tests use no finer ones.
fn number(input: &Input) -> Option<i128> {
    match input {
        Input::Integer(value) => Some(i128::from(*value) * UNITS),
        Input::Float(value) => {
            let units = value * UNITS as f64;
            assert!(units.trunc() == units && units.abs() < 1e30, "too fine");
            Some(units as i128)
        }
        _ => None,
    }
}

fn float(units: i128) -> f64 {
    units as f64 / UNITS as f64
}
