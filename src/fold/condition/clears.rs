//! Where a rule's clear pattern ends incidents.

use super::certain::holds_through;
use crate::fold::key::derived::PatternView;
use crate::fold::key::pane::Held;
use crate::fold::key::stored::Head;
use crate::fold::window;
use crate::plan::LoadedRule;
use crate::time::Second;

/// The panes at which the rule's clear pattern holds.
#[derive(Clone, Copy)]
pub struct Clears<'a> {
    held: Option<&'a Held>,
    /// Earlier ones are final.
    from: Second,
    /// Later ones are not certain.
    through: Second,
    settled: Option<Second>,
    quiet: Second,
}

impl<'a> Clears<'a> {
    /// Those of a key as they are at a watermark.
    pub fn new(
        head: &Head,
        patterns: &'a [PatternView],
        loaded: &LoadedRule,
        watermark: Option<Second>,
    ) -> Clears<'a> {
        let rule = &loaded.rule;
        let through = rule
            .clear
            .map(|place| holds_through(loaded, place, watermark));
        let view = rule.clear.and_then(|place| patterns.get(place));
        Clears {
            held: view.map(|view| &view.held),
            from: head.settled.unwrap_or(Second::MIN),
            through: through.unwrap_or(Second::MAX),
            settled: head.settled_clear,
            quiet: rule.quiet,
        }
    }

    /// The last one before `t`.
    pub fn last_before(&self, t: Second) -> Option<Second> {
        let end = t.saturating_sub(1).min(self.through);
        let held = self.held.filter(|_| self.from <= end);
        let held = held.and_then(|held| held.range(self.from..=end).next_back());
        let held = held.map(|(c, _)| c);
        held.or(self.settled.filter(|settled| *settled < t))
    }

    /// Whether a trigger at `next` continues the incident that last triggered at `last`.
    pub fn link(&self, last: Second, next: Second) -> bool {
        window::same_episode(last, next, self.quiet)
            && self.last_before(next).is_none_or(|clear| clear < last)
    }
}
