//! From when on something is certain: what more matches can make false, and what is absent, waits.

use crate::plan::LoadedRule;
use crate::rule::Condition;
use crate::rule::reach::{is_falsifiable, wait};
use crate::time::Second;

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
    if condition.is_absence() {
        delays.push(wait(condition, loaded.rule.window) + loaded.settings.patience);
    }
    for side in condition.sides() {
        add_absences(side, loaded, delays);
    }
}
