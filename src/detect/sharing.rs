//! What several filters have in common, worked out once an event.

use std::collections::HashMap;
use std::sync::Arc;

use crate::event::Event;
use crate::record::Hash;
use crate::rule::scalar::Look;
use crate::rule::tree::Expression;
use crate::rule::{Filter, print};

/// What filters have in common, and how it came out for an event.
#[derive(Clone)]
pub struct Sharing {
    /// By number of the filter.
    filters: Arc<[Subtree]>,
    known: Known,
}

/// An expression, by what of it others have as well.
enum Subtree {
    /// Nothing.
    Own,
    /// Some of its parts.
    Parts(Vec<Subtree>),
    /// All of it, under this number; and perhaps some of its parts.
    Shared(usize, Vec<Subtree>),
}

/// How shared expressions came out.
#[derive(Clone)]
struct Known {
    /// By number: the turn in which it was worked out last, and what came out.
    results: Vec<(u64, bool)>,
    turn: u64,
}

/// How often expressions occur.
#[derive(Default)]
struct Occurrences {
    /// By the hash of their text.
    known: HashMap<Hash, Occurrence>,
    /// How many occur more than once, as far as they are numbered.
    shared: usize,
}

#[derive(Default)]
struct Occurrence {
    times: usize,
    number: Option<usize>,
}

impl Sharing {
    /// Of these filters, by their number.
    pub fn of<'f>(filters: impl Iterator<Item = &'f Filter> + Clone) -> Sharing {
        let mut occurrences = Occurrences::default();
        for filter in filters.clone() {
            let lists = named_lists(filter);
            occurrences.count(filter.expression(), &lists);
        }
        let filters = filters.map(|filter| {
            let lists = named_lists(filter);
            occurrences.subtree(filter.expression(), &lists)
        });
        let filters: Vec<Subtree> = filters.collect();
        Sharing {
            filters: filters.into(),
            known: Known {
                results: vec![(0, false); occurrences.shared],
                turn: 0,
            },
        }
    }

    /// Begins with another event.
    pub fn clear(&mut self) {
        self.known.turn += 1;
    }

    /// Whether the filter of this number holds for the event.
    pub fn passes(&mut self, number: u32, filter: &Filter, event: &Event<'_>, look: &Look) -> bool {
        match self.filters.get(number as usize) {
            Some(subtree) => self.known.holds(filter.expression(), subtree, event, look),
            None => filter.passes(event, look),
        }
    }
}

impl Known {
    fn holds(
        &mut self,
        expression: &Expression,
        subtree: &Subtree,
        event: &Event<'_>,
        look: &Look,
    ) -> bool {
        match subtree {
            Subtree::Own => expression.holds(&|id| event.get(id), look),
            Subtree::Parts(parts) => self.combined(expression, parts, event, look),
            Subtree::Shared(number, parts) => {
                let known = self.results.get(*number).copied();
                if let Some((turn, holds)) = known
                    && turn == self.turn
                {
                    return holds;
                }
                let holds = self.combined(expression, parts, event, look);
                if let Some(result) = self.results.get_mut(*number) {
                    *result = (self.turn, holds);
                }
                holds
            }
        }
    }

    fn combined(
        &mut self,
        expression: &Expression,
        subtrees: &[Subtree],
        event: &Event<'_>,
        look: &Look,
    ) -> bool {
        let mut each = |part: &Expression, subtree| self.holds(part, subtree, event, look);
        match expression {
            Expression::And(parts) if !subtrees.is_empty() => {
                let mut parts = parts.iter().zip(subtrees);
                parts.all(|(part, subtree)| each(part, subtree))
            }
            Expression::Or(parts) if !subtrees.is_empty() => {
                let mut parts = parts.iter().zip(subtrees);
                parts.any(|(part, subtree)| each(part, subtree))
            }
            Expression::Not(inner) if !subtrees.is_empty() => {
                !subtrees.iter().any(|subtree| each(inner, subtree))
            }
            Expression::And(_)
            | Expression::Or(_)
            | Expression::Not(_)
            | Expression::Test(_)
            | Expression::Computed(_) => expression.holds(&|id| event.get(id), look),
        }
    }
}

/// The parts of an expression that are expressions.
fn parts(expression: &Expression) -> &[Expression] {
    match expression {
        Expression::And(parts) | Expression::Or(parts) => parts,
        Expression::Not(inner) => std::slice::from_ref(inner),
        Expression::Test(_) | Expression::Computed(_) => &[],
    }
}

/// Tells lists apart that have one name: rules of different times may name them.
fn named_lists(filter: &Filter) -> String {
    let lists = filter.lists().iter();
    let lists = lists.map(|(_, list)| format!(" {:p}", Arc::as_ptr(list)));
    lists.collect()
}

fn hash(expression: &Expression, lists: &str) -> Hash {
    let text = print::filter(expression, &|id| id.0.to_string());
    Hash::of((text + lists).as_bytes())
}

impl Occurrences {
    fn count(&mut self, expression: &Expression, lists: &str) {
        let known = self.known.entry(hash(expression, lists)).or_default();
        known.times += 1;
        if known.times == 1 {
            let parts = parts(expression).iter();
            parts.for_each(|part| self.count(part, lists));
        }
    }

    fn subtree(&mut self, expression: &Expression, lists: &str) -> Subtree {
        let parts = parts(expression).iter();
        let parts: Vec<Subtree> = parts.map(|part| self.subtree(part, lists)).collect();
        let is_own = parts.iter().all(|part| matches!(part, Subtree::Own));
        let parts = if is_own { Vec::new() } else { parts };
        match self.known.get_mut(&hash(expression, lists)) {
            Some(known) if known.times > 1 => {
                let number = *known.number.get_or_insert(self.shared);
                self.shared = self.shared.max(number + 1);
                Subtree::Shared(number, parts)
            }
            Some(_) | None if is_own => Subtree::Own,
            Some(_) | None => Subtree::Parts(parts),
        }
    }
}
