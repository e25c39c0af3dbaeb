//! Which kinds of data have come, and when last. Nothing is decided by that: it is for the
//! operator, whose rules are dead where a diagnostic setting is off.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::time::Millis;

/// So many kinds are told apart.
pub const KINDS_MAX: usize = 1_024;

/// So many categories of one event type are told apart.
const CATEGORIES_MAX: usize = 8;

/// No category of Azure's has a longer name.
const CATEGORY_BYTES_MAX: usize = 64;

/// A kind of data.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// FortiSIEM's eventType; `None`: it has none.
    pub event_type: Option<String>,
    /// Azure's category as the record names it; `None`: it names none, or one of too many.
    pub category: Option<String>,
}

/// What came of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Came {
    /// So many events.
    pub events: u64,
    /// The greatest event time.
    pub latest: Millis,
}

impl Default for Came {
    fn default() -> Came {
        Came {
            events: 0,
            latest: Millis::MIN,
        }
    }
}

impl Came {
    fn add(&mut self, more: Came) {
        self.events += more.events;
        self.latest = self.latest.max(more.latest);
    }
}

/// What came, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    by_kind: BTreeMap<Kind, Came>,
    /// Events of kinds that are not told apart, for there are too many.
    pub others: u64,
}

impl Kinds {
    /// Each kind and what came of it.
    pub fn each(&self) -> impl Iterator<Item = (&Kind, Came)> {
        self.by_kind.iter().map(|(kind, came)| (kind, *came))
    }

    /// Adds what came of a kind.
    pub fn add(&mut self, kind: Kind, came: Came) {
        if let Some(known) = self.by_kind.get_mut(&kind) {
            known.add(came);
        } else if self.by_kind.len() < KINDS_MAX {
            self.by_kind.insert(kind, came);
        } else {
            self.others += came.events;
        }
    }

    /// Adds what came besides.
    pub fn append(&mut self, more: Kinds) {
        self.others += more.others;
        for (kind, came) in more.by_kind {
            self.add(kind, came);
        }
    }
}

/// What came of one event type since that was last taken, by category.
#[derive(Clone, Debug, Default)]
pub(super) struct OfType(SmallVec<[(Option<String>, Came); 1]>);

impl OfType {
    /// Notes one event.
    pub fn note(&mut self, category: Option<&str>, latest: Millis) {
        let came = Came { events: 1, latest };
        let category = category.filter(|text| text.len() <= CATEGORY_BYTES_MAX);
        let mut known = self.0.iter_mut();
        if let Some((_, known)) = known.find(|(known, _)| known.as_deref() == category) {
            known.add(came);
        } else if self.0.len() < CATEGORIES_MAX {
            self.0.push((category.map(str::to_owned), came));
        } else if let Some((_, last)) = self.0.last_mut() {
            last.add(came);
        }
    }

    /// Gives what came. The categories stay known.
    pub fn take_into(&mut self, event_type: Option<&str>, kinds: &mut Kinds) {
        for (category, came) in &mut self.0 {
            let came = std::mem::take(came);
            if came.events > 0 {
                let kind = Kind {
                    event_type: event_type.map(str::to_owned),
                    category: category.clone(),
                };
                kinds.add(kind, came);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_told_apart_and_bounded() {
        let mut of_type = OfType::default();
        for (category, time) in [(Some("Audit"), 7), (None, 3), (Some("Audit"), 5)] {
            of_type.note(category, time);
        }
        let mut kinds = Kinds::default();
        of_type.take_into(Some("a"), &mut kinds);
        of_type.take_into(Some("a"), &mut kinds);
        let found: Vec<_> = kinds
            .each()
            .map(|(kind, came)| (kind.category.clone(), came.events, came.latest))
            .collect();
        assert_eq!(found, [(None, 1, 3), (Some("Audit".to_owned()), 2, 7)]);
        for number in 0..100 {
            of_type.note(Some(&number.to_string()), number);
        }
        assert_eq!(of_type.0.len(), CATEGORIES_MAX);
        for number in 0..2 * KINDS_MAX {
            of_type.take_into(Some(&number.to_string()), &mut kinds);
            of_type.note(None, 1);
        }
        assert_eq!(kinds.each().count(), KINDS_MAX);
        let told: u64 = kinds.each().map(|(_, came)| came.events).sum();
        assert_eq!(told + kinds.others, 3 + 100 + 2 * KINDS_MAX as u64 - 1);
    }
}
