//! What is remembered for one rule and one join key: as it is stored, and what follows from that
//! while the key is in memory.

pub mod derived;
pub mod form;
pub mod group;
pub mod inner;
pub mod moving;
pub mod pane;
pub mod rows;
pub mod runs;
pub mod stored;

use serde::{Deserialize, Serialize};

use crate::fold::key::derived::Derived;
use crate::fold::key::pane::{Event, Panes};
use crate::fold::key::stored::Stored;
use crate::matches::Match;
use crate::plan::LoadedRule;
use crate::record::Hash;
use crate::time::Second;

/// Names a key: the fingerprint of its rule, and the hash of fingerprint and values.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct KeyId {
    /// Fingerprint of the rule.
    pub rule: Hash,
    /// [`crate::matches::key_hash`] of the join key's values.
    pub key: Hash,
}

/// What follows from so many panes is found anew.
const RESTING_PANES: usize = 2;

/// What follows from panes takes so much beside what each pane brings, about.
const DERIVED_BYTES: usize = 700;

/// A key in memory.
#[derive(Clone, Debug, Default)]
pub struct Alive {
    /// What is stored of it.
    pub stored: Stored,
    /// What follows from that; `None`: it was not asked for yet.
    pub derived: Option<Box<Derived>>,
}

impl Alive {
    /// A key that nothing is known of, with these values of the join key.
    pub fn new(values: &[Option<String>]) -> Alive {
        Alive::from(Stored::new(values))
    }

    /// One of these values that has seen nothing but these panes.
    pub fn of_panes(values: &[Option<String>], panes: Panes) -> Alive {
        let mut alive = Alive::new(values);
        alive.stored.panes = panes;
        alive
    }

    /// Adds one record's match; the second that it lies in.
    pub fn add(&mut self, loaded: &LoadedRule, event: Event<'_>, found: &Match) -> Second {
        let second = self.stored.add(loaded, event, found);
        if let Some(derived) = &mut self.derived {
            derived.add(loaded, &self.stored.panes, found, event.rank);
        }
        second
    }

    /// The key is not needed for now: forgets what follows from few panes, which is soon found
    /// again and takes more room than they do.
    pub fn rest(&mut self) {
        if self.stored.panes.len() <= RESTING_PANES {
            self.derived = None;
        }
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.stored.forget();
        self.derived = None;
    }

    /// Bytes of memory that it takes, about.
    pub fn bytes(&self) -> usize {
        self.stored.bytes() + self.derived.as_ref().map_or(0, |_| DERIVED_BYTES)
    }

    /// When the watermark has passed this second, something is to be decided, closed or forgotten.
    pub fn due(&self) -> Option<Second> {
        self.stored.head.due
    }
}

impl From<Stored> for Alive {
    fn from(stored: Stored) -> Alive {
        Alive {
            stored,
            derived: None,
        }
    }
}
