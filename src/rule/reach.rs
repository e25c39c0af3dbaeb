//! How far a rule looks, and what of it more matches can take back: what follows from the rule
//! alone.

use crate::rule::{Condition, Function, Pattern, Rule};
use crate::time::Second;

/// Seconds after its last pane that a trigger of `condition` may need to wait for what follows,
/// beside patience.
pub fn wait(condition: &Condition, window: Second) -> Second {
    match condition {
        Condition::Pattern(_) => 0,
        Condition::Operation(left, operator, right) => {
            let (left, right) = (wait(left, window), wait(right, window));
            match operator.is_absence() {
                true => left.max(window + right),
                false => left.max(right),
            }
        }
        Condition::Unless {
            first,
            then,
            between,
        } => {
            let (first, then) = (wait(first, window), wait(then, window));
            first.max(then).max(wait(between, window))
        }
    }
}

/// Seconds back from a pane that a trigger of `condition` there depends on.
pub fn back(condition: &Condition, window: Second) -> Second {
    match condition {
        Condition::Pattern(_) => 2 * window,
        Condition::Operation(left, operator, right) => {
            let (left, right) = (back(left, window), back(right, window));
            match operator.is_absence() {
                true => left.max(window + right),
                false => left.max(right),
            }
        }
        Condition::Unless {
            first,
            then,
            between,
        } => {
            let (first, then) = (back(first, window), back(then, window));
            first.max(then).max(window + back(between, window))
        }
    }
}

/// How far a rule looks, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// See [`wait`].
    pub wait: Second,
    /// `wait` and what a trigger depends on before it.
    pub reach: Second,
    /// The longest period of a `new` pattern; 0: it has none.
    pub new_period: Second,
}

impl Reach {
    /// That of a rule.
    pub fn of(rule: &Rule) -> Reach {
        let wait = wait(&rule.condition, rule.window);
        let periods = rule
            .patterns
            .iter()
            .filter_map(|pattern| pattern.new.as_ref());
        Reach {
            wait,
            reach: wait + back(&rule.condition, rule.window),
            new_period: periods.map(|new| new.period).max().unwrap_or(0),
        }
    }
}

/// Whether what holds for a part of a window holds for all of it.
pub fn is_monotone(pattern: &Pattern) -> bool {
    // A sum can shrink, though it is taken for one that does not where waiting is concerned.
    let mut aggregates = pattern.aggregates.iter();
    let sums = aggregates.any(|aggregate| aggregate.function == Function::Sum);
    pattern.new.is_none() && !sums && !is_falsifiable(pattern)
}

/// Whether more matches can take the pattern's test back.
pub fn is_falsifiable(pattern: &Pattern) -> bool {
    pattern.having.can_become_false(&pattern.aggregates)
}
