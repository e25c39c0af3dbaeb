//! A bounded memory that forgets fairly: of many hashes the smallest.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;

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
        let last = self.kept.last_key_value().map(|(last, _)| *last);
        estimate(self.kept.len(), last.filter(|_| self.dropped))
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

/// How many different hashes there were, of which `kept` are known; `last`: the greatest of them,
/// if there were more.
fn estimate(kept: usize, last: Option<u64>) -> f64 {
    let kept = kept as f64;
    let Some(last) = last else { return kept };
    let estimate = (kept - 1.0) / (last as f64 / u64::MAX as f64);
    if estimate.is_finite() {
        estimate.round().max(kept + 1.0)
    } else {
        kept + 1.0
    }
}

/// The different hashes in many sets, which can be taken out again. Its count is that of their
/// merge.
#[derive(Clone, Debug)]
pub struct Distinct {
    max: usize,
    /// In how many sets each hash is.
    hashes: BTreeMap<u64, u32>,
    /// The greatest of those that a merge would keep, once they are as many as it may keep.
    last: Option<u64>,
    /// Sets for which something did not fit.
    capped: usize,
}

impl Distinct {
    /// Nothing, of sets that keep at most `max` hashes.
    pub fn new(max: u32) -> Distinct {
        Distinct {
            max: max as usize,
            hashes: BTreeMap::new(),
            last: None,
            capped: 0,
        }
    }

    /// Adds a set.
    pub fn add(&mut self, set: &Smallest<()>) {
        self.capped += usize::from(set.dropped);
        for hash in set.kept.keys() {
            let sets = self.hashes.entry(*hash).or_default();
            *sets += 1;
            if *sets == 1 {
                self.entered(*hash);
            }
        }
    }

    /// Takes out a set that was added.
    pub fn remove(&mut self, set: &Smallest<()>) {
        self.capped -= usize::from(set.dropped);
        for hash in set.kept.keys() {
            if let Entry::Occupied(mut sets) = self.hashes.entry(*hash) {
                *sets.get_mut() -= 1;
                if *sets.get() == 0 {
                    sets.remove();
                    self.left(*hash);
                }
            }
        }
    }

    /// How many different hashes there were, as [`Smallest::count`] says it.
    pub fn count(&self) -> f64 {
        let dropped = self.capped > 0 || self.hashes.len() > self.max;
        estimate(
            self.hashes.len().min(self.max),
            self.last.filter(|_| dropped),
        )
    }

    fn entered(&mut self, hash: u64) {
        match self.last {
            None if self.hashes.len() == self.max => {
                self.last = self.hashes.last_key_value().map(|(last, _)| *last);
            }
            Some(last) if hash < last => {
                self.last = self.hashes.range(..last).next_back().map(|(new, _)| *new);
            }
            Some(_) | None => {}
        }
    }

    fn left(&mut self, hash: u64) {
        if let Some(last) = self.last.filter(|last| hash <= *last) {
            let above = (Bound::Excluded(last), Bound::Unbounded);
            self.last = self.hashes.range(above).next().map(|(new, _)| *new);
        }
    }
}
