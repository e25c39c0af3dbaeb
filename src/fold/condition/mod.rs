//! Where a rule's condition triggers, of where its patterns hold.

mod barrier;
mod certain;
mod clears;
mod differing;
mod evaluate;
mod operators;
mod pattern_side;
mod side;

pub use certain::{decided_after, delays, holds_through};
pub use clears::Clears;
pub use evaluate::update;
pub use pattern_side::PatternSide;

use crate::fold::key::Alive;
use crate::fold::key::derived::Derived;
use crate::fold::key::stored::Stored;
use crate::plan::LoadedRule;
use crate::time::Second;

/// What a key is evaluated with: what is known of it, its rule, and what time it is.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    /// The key as it is stored.
    pub stored: &'a Stored,
    /// What follows from that.
    pub derived: &'a Derived,
    /// Its rule.
    pub loaded: &'a LoadedRule,
    /// The watermark, which says what is certain.
    pub watermark: Option<Second>,
}

impl<'a> Sight<'a> {
    /// That of a key; `None`: what follows from it was not asked for yet.
    pub fn of(
        key: &'a Alive,
        loaded: &'a LoadedRule,
        watermark: Option<Second>,
    ) -> Option<Sight<'a>> {
        Some(Sight {
            stored: &key.stored,
            derived: key.derived.as_deref()?,
            loaded,
            watermark,
        })
    }

    /// Where the rule's clear pattern ends incidents.
    pub fn clears(&self) -> Clears<'a> {
        let patterns = &self.derived.patterns;
        Clears::new(&self.stored.head, patterns, self.loaded, self.watermark)
    }
}

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
