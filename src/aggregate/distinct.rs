//! Different values, by their 64-bit hashes.

use serde::{Deserialize, Serialize};

/// A set of hashes in ascending order. When it is full, the smallest stay: so what it holds does
/// not depend on the order in which values came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distinct {
    hashes: Vec<u64>,
}

impl Distinct {
    /// Adds a value.
    pub fn add(&mut self, hash: u64, max: u32) {
        if let Err(place) = self.hashes.binary_search(&hash) {
            self.hashes.insert(place, hash);
            self.hashes.truncate(max as usize);
        }
    }

    /// Adds all values of `other`.
    pub fn merge(&mut self, other: &Distinct, max: u32) {
        if other.hashes.is_empty() {
            return;
        }
        let mut merged = Vec::with_capacity(self.hashes.len() + other.hashes.len());
        let mut ours = self.hashes.iter().copied().peekable();
        let mut theirs = other.hashes.iter().copied().peekable();
        while merged.len() < max as usize {
            let next = match (ours.peek(), theirs.peek()) {
                (Some(one), Some(other)) => *one.min(other),
                (Some(one), None) => *one,
                (None, Some(other)) => *other,
                (None, None) => break,
            };
            ours.next_if_eq(&next);
            theirs.next_if_eq(&next);
            merged.push(next);
        }
        self.hashes = merged;
    }

    /// How many values it holds.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }
}
