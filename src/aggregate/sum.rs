//! Exact sums of binary floating-point numbers.
//!
//! Rounding after each addition would make a sum depend on the order of its terms. This one keeps
//! an expansion: numbers that do not overlap and whose exact sum is the exact sum of all terms
//! (J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997). It is rounded once,
//! when it is read.

use serde::{Deserialize, Serialize};

/// Greater terms are not numbers of this world, and could overflow.
const TERM_MAX: f64 = 1e300;

/// An exact sum, and how many terms it has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    terms: u64,
    /// Non-overlapping, in ascending magnitude.
    parts: Vec<f64>,
}

impl Sum {
    /// Adds a number. One that is not finite, or beyond 1e300, is passed over.
    pub fn add(&mut self, value: f64) {
        if value.abs() <= TERM_MAX {
            self.terms += 1;
            self.grow(value);
        }
    }

    /// Adds an integer, exactly, in two halves that a float can hold.
    pub fn add_integer(&mut self, value: i64) {
        self.terms += 1;
        self.grow((value >> 32) as f64 * 4_294_967_296.0);
        self.grow((value & 0xffff_ffff) as f64);
    }

    /// Adds all terms of `other`.
    pub fn merge(&mut self, other: &Sum) {
        self.terms += other.terms;
        for part in &other.parts {
            self.grow(*part);
        }
    }

    /// The sum, rounded once to the nearest float; `None` without terms.
    pub fn value(&self) -> Option<f64> {
        (self.terms > 0).then(|| self.rounded())
    }

    /// The mean; `None` without terms.
    pub fn mean(&self) -> Option<f64> {
        self.value().map(|sum| sum / self.terms as f64)
    }

    fn grow(&mut self, value: f64) {
        let mut carry = value;
        let mut kept = Vec::with_capacity(self.parts.len() + 1);
        for part in &self.parts {
            let (large, small) = if carry.abs() < part.abs() {
                (*part, carry)
            } else {
                (carry, *part)
            };
            let high = large + small;
            let low = small - (high - large);
            if low != 0.0 {
                kept.push(low);
            }
            carry = high;
        }
        if carry != 0.0 {
            kept.push(carry);
        }
        self.parts = kept;
    }

    /// Adds from the greatest part down; the first part that is cut off decides a tie.
    fn rounded(&self) -> f64 {
        let mut parts = self.parts.iter().rev().copied();
        let mut high = parts.next().unwrap_or(0.0);
        while let Some(part) = parts.next() {
            let before = high;
            high = before + part;
            let low = part - (high - before);
            if low != 0.0 {
                let next = parts.next().unwrap_or(0.0);
                if (low < 0.0 && next < 0.0) || (low > 0.0 && next > 0.0) {
                    let twice = low * 2.0;
                    let rounded = high + twice;
                    if twice == rounded - high {
                        high = rounded;
                    }
                }
                break;
            }
        }
        high
    }
}
