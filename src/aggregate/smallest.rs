//! A bounded memory that forgets fairly: of many hashes the smallest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Values by 64-bit hashes. When there are more than fit, those with the smallest hashes stay: so
/// what it holds does not depend on the order in which they came, and is a fair sample of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smallest<V> {
    kept: BTreeMap<u64, V>,
    dropped: bool,
}

impl<V> Default for Smallest<V> {
    /// The one that holds nothing.
    fn default() -> Smallest<V> {
        Smallest {
            kept: BTreeMap::new(),
            dropped: false,
        }
    }
}

impl<V: Clone> Smallest<V> {
    /// Adds a value. `combine` joins those of one hash, and must not care which came first.
    pub fn add(&mut self, hash: u64, value: V, max: u32, combine: impl Fn(&mut V, V)) {
        if let Some(known) = self.kept.get_mut(&hash) {
            combine(known, value);
        } else if !self.is_beyond(hash, max) {
            self.kept.insert(hash, value);
            if self.kept.len() > max as usize {
                self.kept.pop_last();
                self.dropped = true;
            }
        } else {
            self.dropped = true;
        }
    }

    /// Adds all values of `other`.
    pub fn merge(&mut self, other: &Smallest<V>, max: u32, combine: impl Fn(&mut V, V)) {
        self.dropped |= other.dropped;
        if other.kept.len() > self.kept.len() {
            let few = std::mem::replace(&mut self.kept, other.kept.clone());
            for (hash, value) in few {
                self.add(hash, value, max, &combine);
            }
            return;
        }
        for (hash, value) in &other.kept {
            self.add(*hash, value.clone(), max, &combine);
            if self.is_beyond(*hash, max) {
                break;
            }
        }
    }

    /// Whether something did not fit.
    pub fn is_capped(&self) -> bool {
        self.dropped
    }

    /// How many different hashes there were: exact while all fit, else estimated from how dense
    /// the smallest are, and more than fit.
    pub fn count(&self) -> f64 {
        let kept = self.kept.len() as f64;
        match self.kept.last_key_value() {
            Some((last, _)) if self.dropped => {
                let estimate = (kept - 1.0) / (*last as f64 / u64::MAX as f64);
                if estimate.is_finite() {
                    estimate.round().max(kept + 1.0)
                } else {
                    kept + 1.0
                }
            }
            Some(_) | None => kept,
        }
    }

    /// The values that it holds.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.kept.values()
    }

    /// Whether it is full and `hash` is greater than all that it holds.
    fn is_beyond(&self, hash: u64, max: u32) -> bool {
        let last = self.kept.last_key_value();
        self.kept.len() >= max as usize && last.is_none_or(|(last, _)| *last < hash)
    }
}
