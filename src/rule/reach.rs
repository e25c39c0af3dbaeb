//! How far a rule looks along the time line: how long a trigger waits for what follows it, and how
//! far back it depends on what was before.

use super::{Condition, Rule};
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
