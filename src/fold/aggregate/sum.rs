//! Sums, means and spreads, exact however their terms come.

use serde::{Deserialize, Serialize};

use super::exact::Exact;

/// An exact sum, and how many terms it has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    terms: u64,
    total: Exact,
}

impl Sum {
    /// Adds a term.
    pub fn add(&mut self, term: &Exact) {
        self.terms += 1;
        self.total.add(term);
    }

    /// Adds all terms of `other`.
    pub fn merge(&mut self, other: &Sum) {
        self.terms += other.terms;
        self.total.add(&other.total);
    }

    /// The sum, rounded once; `None` without terms.
    pub fn value(&self) -> Option<f64> {
        (self.terms > 0).then(|| self.total.rounded())
    }

    /// The mean; `None` without terms.
    pub fn mean(&self) -> Option<f64> {
        self.value().map(|sum| sum / self.terms as f64)
    }
}

/// An exact sum and that of the terms' squares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moments {
    sum: Sum,
    squares: Exact,
}

impl Moments {
    /// Adds a term.
    pub fn add(&mut self, term: &Exact) {
        self.sum.add(term);
        self.squares.add(&term.times(term));
    }

    /// Adds all terms of `other`.
    pub fn merge(&mut self, other: &Moments) {
        self.sum.merge(&other.sum);
        self.squares.add(&other.squares);
    }

    /// The sample variance, which divides by one less than there are terms; `None` with fewer
    /// than two.
    pub fn variance(&self) -> Option<f64> {
        let terms = self.sum.terms;
        if terms < 2 {
            return None;
        }
        // Exact up to here: nothing of a small spread around a large mean is lost.
        let count = Exact::integer(i64::try_from(terms).unwrap_or(i64::MAX));
        let total = &self.sum.total;
        let spread = count.times(&self.squares).minus(&total.times(total));
        Some(spread.rounded() / (terms as f64 * (terms - 1) as f64))
    }
}
