//! Filters: a boolean expression over the attributes of one event.

use super::attribute::Names;
use super::check::Check;
use super::lists::Lists;
use super::scalar::{Look, Source};
use super::scope::Scope;
use super::tree::{Computed, Expression, Test};
use super::{Filter, FilterError, filter_parser};
use crate::event::{AttributeId, Attributes, Event, Value};
use crate::time::Millis;

/// What is certain of an expression before all values are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Holds,
    Fails,
    /// It depends on the others.
    Open,
}

impl Verdict {
    fn of(holds: bool) -> Verdict {
        match holds {
            true => Verdict::Holds,
            false => Verdict::Fails,
        }
    }

    fn turned(self) -> Verdict {
        match self {
            Verdict::Holds => Verdict::Fails,
            Verdict::Fails => Verdict::Holds,
            Verdict::Open => Verdict::Open,
        }
    }
}

impl Test {
    fn holds(&self, value: Option<&Value<'_>>, look: &Look) -> bool {
        self.check.holds(value, &look.omitted) != self.negated
    }
}

impl Expression {
    /// All of `parts` hold.
    pub fn and(parts: Vec<Expression>) -> Expression {
        let flat = parts.into_iter().flat_map(|part| match part {
            Expression::And(parts) => parts,
            Expression::Or(_)
            | Expression::Not(_)
            | Expression::Test(_)
            | Expression::Computed(_) => vec![part],
        });
        single(flat.collect()).unwrap_or_else(Expression::And)
    }

    /// One of `parts` holds.
    pub fn or(parts: Vec<Expression>) -> Expression {
        let flat = parts.into_iter().flat_map(|part| match part {
            Expression::Or(parts) => parts,
            Expression::And(_)
            | Expression::Not(_)
            | Expression::Test(_)
            | Expression::Computed(_) => vec![part],
        });
        single(flat.collect()).unwrap_or_else(Expression::Or)
    }

    /// Holds when this does not.
    pub fn negated(self) -> Expression {
        match self {
            Expression::Test(test) => Expression::Test(Test {
                negated: !test.negated,
                ..test
            }),
            Expression::Computed(test) => Expression::Computed(Box::new(Computed {
                negated: !test.negated,
                ..*test
            })),
            Expression::Not(inner) => *inner,
            Expression::And(_) | Expression::Or(_) => Expression::Not(Box::new(self)),
        }
    }

    /// Whether it holds for what has these values.
    pub fn holds<'v>(
        &'v self,
        get: &(impl Fn(AttributeId) -> Option<&'v Value<'v>> + ?Sized),
        look: &Look,
    ) -> bool {
        match self {
            Expression::And(parts) => parts.iter().all(|part| part.holds(get, look)),
            Expression::Or(parts) => parts.iter().any(|part| part.holds(get, look)),
            Expression::Not(inner) => !inner.holds(get, look),
            Expression::Test(test) => test.holds(get(test.attribute), look),
            Expression::Computed(test) => test.holds(&Source {
                get: &|id| get(id),
                look,
            }),
        }
    }

    /// What is certain of it for all events with these values of some attributes.
    fn verdict(&self, known: &[(AttributeId, Option<&Value<'_>>)], look: &Look) -> Verdict {
        let all = |parts: &[Expression], decides: Verdict| {
            let mut all = decides.turned();
            for part in parts {
                match part.verdict(known, look) {
                    verdict if verdict == decides => return decides,
                    Verdict::Open => all = Verdict::Open,
                    Verdict::Holds | Verdict::Fails => {}
                }
            }
            all
        };
        match self {
            Expression::And(parts) => all(parts, Verdict::Fails),
            Expression::Or(parts) => all(parts, Verdict::Holds),
            Expression::Not(inner) => inner.verdict(known, look).turned(),
            Expression::Test(test) => {
                let mut known = known.iter();
                match known.find(|(attribute, _)| *attribute == test.attribute) {
                    Some((_, value)) => Verdict::of(test.holds(*value, look)),
                    None => Verdict::Open,
                }
            }
            Expression::Computed(_) => Verdict::Open,
        }
    }

    fn required(&self, attribute: AttributeId) -> Option<Vec<String>> {
        match self {
            Expression::And(parts) => parts.iter().find_map(|part| part.required(attribute)),
            Expression::Or(parts) => {
                let all: Option<Vec<_>> =
                    parts.iter().map(|part| part.required(attribute)).collect();
                let mut all = all?.concat();
                all.sort();
                all.dedup();
                Some(all)
            }
            Expression::Test(Test {
                attribute: tested,
                negated: false,
                check: Check::In(set),
            }) if *tested == attribute => set.texts(),
            Expression::Not(_) | Expression::Test(_) | Expression::Computed(_) => None,
        }
    }
}

/// The one element of a list, or the list.
fn single<T>(mut list: Vec<T>) -> Result<T, Vec<T>> {
    match list.pop() {
        Some(only) if list.is_empty() => Ok(only),
        last => {
            list.extend(last);
            Err(list)
        }
    }
}

impl Filter {
    /// The filter that `text` says, or the first thing that is wrong with it.
    pub fn parse(text: &str, attributes: &mut Attributes) -> Result<Filter, FilterError> {
        let lists = Lists::default();
        let scope = &mut Scope::of(&lists);
        Filter::parse_with(text, &mut Names::Event(attributes), scope).map_err(|errors| {
            let none = FilterError {
                offset: 0,
                message: "not a filter".to_string(),
            };
            errors.into_iter().next().unwrap_or(none)
        })
    }

    /// The same over other names, as a part of a rule set, and with everything that is wrong.
    pub fn parse_with(
        text: &str,
        names: &mut Names<'_>,
        scope: &mut Scope<'_>,
    ) -> Result<Filter, Vec<FilterError>> {
        let (expression, lists) = filter_parser::parse(text, names, scope)?;
        let event_types = names.event_type().and_then(|id| expression.required(id));
        Ok(Filter {
            expression,
            event_types,
            lists,
        })
    }

    /// Whether the filter holds for `event`.
    pub fn matches(&self, event: &Event<'_>) -> bool {
        self.passes(event, &Look::at(event.time))
    }

    /// The same, and `look` says what was left out.
    pub fn passes(&self, event: &Event<'_>, look: &Look) -> bool {
        self.expression.holds(&|id| event.get(id), look)
    }

    /// Whether it may hold for an event of which only this attribute is known.
    pub fn may_pass(&self, attribute: AttributeId, value: Option<&Value<'_>>) -> bool {
        self.may_pass_all(&[(attribute, value)])
    }

    /// The same where several are known.
    pub fn may_pass_all(&self, known: &[(AttributeId, Option<&Value<'_>>)]) -> bool {
        let look = Look::default();
        let verdict = self.expression.verdict(known, &look);
        // What was not looked at may say otherwise.
        verdict != Verdict::Fails || look.omitted.any()
    }

    /// The same over any source of values (an incident's) and time.
    pub fn matches_with<'v>(
        &self,
        get: &dyn Fn(AttributeId) -> Option<&'v Value<'v>>,
        time: Millis,
    ) -> bool {
        self.expression.holds(&|id| get(id), &Look::at(time))
    }

    /// What it says.
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// The lists that it names.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// The values of `eventType`, in lower case, of which an event must have one for the filter
    /// to hold; `None` if events of any type may pass.
    pub fn required_event_type(&self) -> Option<Vec<String>> {
        self.event_types.clone()
    }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
