//! Where a rule's condition triggers, of where its patterns hold.

mod clears;
mod evaluate;
mod inner;
mod operators;

pub use clears::Clears;
pub use evaluate::update;
pub use inner::Inner;

use crate::plan::LoadedRule;
use crate::rule::reach::wait;
use crate::rule::{Condition, Function, Pattern, Rule};
use crate::time::Second;

/// What decides when a trigger is certain.
#[derive(Clone, Copy, Debug)]
pub struct Horizon {
    /// The watermark, in seconds; `None`: not known yet.
    pub watermark: Option<Second>,
    /// The rule's `since`.
    pub since: Second,
}

impl Horizon {
    /// At the end of an input that ends: later than any event, with room to add to.
    pub const END: Horizon = Horizon {
        watermark: Some(Second::MAX / 8),
        since: 0,
    };
}

/// The second that the watermark must pass before a trigger at pane `t` is certain.
pub fn decided_after(loaded: &LoadedRule, t: Second) -> Second {
    t + loaded.reach.wait + loaded.settings.patience
}

/// The last pane of which a watermark makes certain what waits for `delay` beside.
pub fn certain_through(watermark: Option<Second>, delay: Second) -> Second {
    watermark.map_or(Second::MIN / 2, |watermark| watermark - delay - 1)
}

/// The last pane at which the pattern at this place can be said to hold.
pub fn holds_through(loaded: &LoadedRule, place: usize, watermark: Option<Second>) -> Second {
    match loaded.rule.patterns.get(place).is_some_and(is_falsifiable) {
        true => certain_through(watermark, loaded.settings.patience),
        false => Second::MAX,
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

/// Whether a trigger of the rule can never be taken back.
pub fn is_lasting(rule: &Rule) -> bool {
    let mut patterns = rule.patterns.iter();
    !rule.condition.has_absence() && patterns.all(is_monotone)
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
