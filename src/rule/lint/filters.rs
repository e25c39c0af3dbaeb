//! Parts of filters that can never hold, and filters that ask for nothing.

use super::{Finding, Lint, Linted};
use crate::rule::Rule;
use crate::rule::attribute::Names;
use crate::rule::check::Check;
use crate::rule::contradiction::{self, Part};
use crate::rule::nearest::shown;
use crate::rule::print;
use crate::rule::requirement::Requirement;
use crate::rule::tree::Expression;

/// Tests and texts that are held against each other in one filter.
const EFFORT_MAX: usize = 200_000;

/// A part of a pattern's filter that can never hold where it stands.
pub struct Dead {
    /// The pattern's place.
    pattern: usize,
    part: Expression,
}

impl Rule {
    /// The parts of filters that can never hold where they stand.
    pub(super) fn dead(&self, names: &Names<'_>) -> Vec<Dead> {
        let mut all = Vec::new();
        for (place, pattern) in self.patterns.iter().enumerate() {
            let mut walk = Walk {
                names,
                above: Vec::new(),
                left: EFFORT_MAX,
                dead: Vec::new(),
            };
            walk.visit(pattern.filter.expression());
            all.extend(walk.dead.into_iter().map(|part| Dead {
                pattern: place,
                part: part.clone(),
            }));
        }
        all
    }
}

/// A way through a filter.
struct Walk<'e, 'n> {
    names: &'n Names<'n>,
    /// The tests that must all hold where it is.
    above: Vec<&'e Expression>,
    /// What may still be held against each other.
    left: usize,
    dead: Vec<&'e Expression>,
}

impl<'e> Walk<'e, '_> {
    fn visit(&mut self, expression: &'e Expression) {
        match expression {
            Expression::And(parts) => {
                let known = self.above.len();
                let is_test = |part: &&Expression| matches!(part, Expression::Test(_));
                self.above.extend(parts.iter().filter(is_test));
                if self.is_contradictory() {
                    self.dead.push(expression);
                } else {
                    let others = parts.iter().filter(|part| !is_test(part));
                    others.for_each(|part| self.visit(part));
                }
                self.above.truncate(known);
            }
            Expression::Or(parts) => parts.iter().for_each(|part| self.visit(part)),
            Expression::Test(_) => {
                self.above.push(expression);
                if self.is_contradictory() {
                    self.dead.push(expression);
                }
                self.above.pop();
            }
            Expression::Not(_) | Expression::Computed(_) => {}
        }
    }

    fn is_contradictory(&mut self) -> bool {
        let effort: usize = self.above.iter().map(|test| effort(test)).sum();
        let Some(left) = self.left.checked_sub(effort) else {
            self.left = 0;
            return false;
        };
        self.left = left;
        let parts = self.above.iter().map(|expression| Part {
            expression,
            offset: 0,
        });
        contradiction::find(&parts.collect::<Vec<_>>(), self.names).is_some()
    }
}

fn effort(expression: &Expression) -> usize {
    match expression {
        Expression::Test(test) => match &test.check {
            Check::In(set) => 1 + set.spellings().count(),
            Check::Greater(_)
            | Check::GreaterOrEqual(_)
            | Check::Less(_)
            | Check::LessOrEqual(_)
            | Check::Between(..)
            | Check::BetweenAddresses(..)
            | Check::Contain(_)
            | Check::StartsWith(_)
            | Check::EndsWith(_)
            | Check::Regexp(_)
            | Check::IsNull => 1,
        },
        Expression::And(_) | Expression::Or(_) | Expression::Not(_) | Expression::Computed(_) => 1,
    }
}

/// Whether it may hold for events of which nothing is known.
fn is_open(requirement: &Requirement<'_>) -> bool {
    match requirement {
        Requirement::Clue(_) => false,
        Requirement::One(parts) => parts.iter().any(is_open),
        Requirement::All(parts) => parts.iter().all(is_open),
        Requirement::Open(_) => true,
    }
}

impl Linted<'_> {
    pub(super) fn never_holds(&self, dead: &[Dead]) -> Vec<Finding> {
        let finding = |dead: &Dead| {
            let part = print::filter(&dead.part, &|id| self.name(id));
            let pattern = self.rule.patterns.get(dead.pattern)?;
            Some(Finding {
                lint: Lint::NeverHolds,
                near: format!("name: {}", pattern.name),
                text: format!(
                    "`{}` of the pattern {} can never hold where it stands: the tests before it \
                     exclude it",
                    shown(&part),
                    pattern.name
                ),
            })
        };
        dead.iter().filter_map(finding).collect()
    }

    pub(super) fn every_event(&self) -> Vec<Finding> {
        let patterns = self.rule.patterns.iter();
        let open = patterns.filter(|pattern| is_open(&pattern.filter.requirement()));
        let finding = |pattern: &crate::rule::Pattern| Finding {
            lint: Lint::EveryEvent,
            near: format!("name: {}", pattern.name),
            text: format!(
                "the filter of the pattern {} is held against every event, as it asks for nothing \
                 that an event must have: name an eventType or a category",
                pattern.name
            ),
        };
        open.map(finding).collect()
    }
}
