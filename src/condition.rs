//! Where a rule's condition triggers, of where its patterns hold.

mod clears;
mod evaluate;
mod inner;
mod operators;

pub use clears::Clears;
pub use evaluate::update;
pub use inner::Inner;
pub use operators::Sight;

use crate::plan::LoadedRule;
use crate::rule::{Condition, Pattern, Rule};
use crate::time::Second;
use crate::view;

/// What decides when a trigger is certain.
#[derive(Clone, Copy, Debug)]
pub struct Horizon {
    /// The watermark, in seconds; `None`: not known yet.
    pub watermark: Option<Second>,
    /// The rule's `since`.
    pub since: Second,
}

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

/// The second that the watermark must pass before a trigger at pane `t` is certain.
pub fn decided_after(loaded: &LoadedRule, t: Second) -> Second {
    t + Reach::of(&loaded.rule).wait + loaded.settings.patience
}

/// Whether more matches can take the pattern's test back.
pub fn is_falsifiable(pattern: &Pattern) -> bool {
    pattern.having.can_become_false(&pattern.aggregates)
}

/// Whether a trigger of the rule can never be taken back.
pub fn is_lasting(rule: &Rule) -> bool {
    let mut patterns = rule.patterns.iter();
    !rule.condition.has_absence() && patterns.all(view::is_lasting)
}

/// The delays, beside which the watermark must pass a pane, of all that is not certain at once:
/// tests that more matches can take back, and absences.
pub fn delays(loaded: &LoadedRule) -> Vec<Second> {
    let patience = loaded.settings.patience;
    let mut delays: Vec<Second> = Vec::new();
    if loaded.rule.patterns.iter().any(is_falsifiable) {
        delays.push(patience);
    }
    add_absences(&loaded.rule.condition, loaded, &mut delays);
    delays.sort_unstable();
    delays.dedup();
    delays
}

fn add_absences(condition: &Condition, loaded: &LoadedRule, delays: &mut Vec<Second>) {
    if let Condition::Operation(left, operator, right) = condition {
        if operator.is_absence() {
            delays.push(wait(condition, loaded.rule.window) + loaded.settings.patience);
        }
        add_absences(left, loaded, delays);
        add_absences(right, loaded, delays);
    }
}
