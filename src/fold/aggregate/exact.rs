//! Exact arithmetic on binary floating-point numbers.
//!
//! Rounding after each addition would make a sum depend on the order of its terms. These numbers
//! are as long as they need to be, and are rounded once, when they are read.

use serde::{Deserialize, Serialize};

/// Bits of a digit.
const DIGIT: i32 = 32;

/// A number as digits of 32 bits, the least first. There is no zero at either end, so equal
/// numbers have equal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exact {
    negative: bool,
    /// How many digits stand between the first one and the units; below zero: behind the point.
    place: i32,
    digits: Vec<u32>,
}

impl Exact {
    /// A whole number.
    pub fn integer(value: i64) -> Exact {
        let digits = [0, DIGIT].map(|shift| (value.unsigned_abs() >> shift) as u32);
        Exact::trimmed(value < 0, 0, digits.to_vec())
    }

    /// A finite number.
    pub fn float(value: f64) -> Exact {
        let bits = value.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as i32;
        let fraction = bits & 0xf_ffff_ffff_ffff;
        let (mantissa, power) = match exponent {
            0 => (fraction, -1074),
            _ => (fraction | 1 << 52, exponent - 1075),
        };
        let wide = u128::from(mantissa) << power.rem_euclid(DIGIT);
        let digits = [0, DIGIT, 2 * DIGIT].map(|shift| (wide >> shift) as u32);
        let place = power.div_euclid(DIGIT);
        Exact::trimmed(value.is_sign_negative(), place, digits.to_vec())
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Exact) {
        *self = self.plus(other, other.negative);
    }

    /// The difference.
    pub fn minus(&self, other: &Exact) -> Exact {
        self.plus(other, !other.negative)
    }

    /// The product.
    pub fn times(&self, other: &Exact) -> Exact {
        let mut sums = vec![0_i128; self.digits.len() + other.digits.len()];
        for (skip, one) in self.digits.iter().enumerate() {
            for (sum, digit) in sums.iter_mut().skip(skip).zip(&other.digits) {
                *sum += i128::from(*one) * i128::from(*digit);
            }
        }
        carry(&mut sums);
        let negative = self.negative != other.negative;
        let digits = sums.iter().map(|digit| *digit as u32).collect();
        Exact::trimmed(negative, self.place + other.place, digits)
    }

    /// The nearest float; infinite where none is near.
    pub fn rounded(&self) -> f64 {
        let top = self.digits.iter().rev().take(3);
        let count = top.len();
        let wide = top.fold(0, |wide, digit| wide << DIGIT | u128::from(*digit));
        // The last bit stands for all that is cut off; the last digit is never zero.
        let cut = u128::from(self.digits.len() > count);
        let below = self.place as isize + self.digits.len() as isize - count as isize;
        let magnitude = scaled((wide << 1 | cut) as f64, DIGIT as isize * below - 1);
        if self.negative { -magnitude } else { magnitude }
    }

    /// The sum of this and of `other` with another sign.
    fn plus(&self, other: &Exact, negative: bool) -> Exact {
        if other.digits.is_empty() {
            return self.clone();
        }
        if self.digits.is_empty() {
            return Exact {
                negative,
                ..other.clone()
            };
        }
        let place = self.place.min(other.place);
        let mut sums: Vec<i128> = Vec::new();
        for (number, negative) in [(self, self.negative), (other, negative)] {
            let skip = (number.place - place) as usize;
            let length = skip + number.digits.len() + 1;
            sums.resize(sums.len().max(length), 0);
            for (sum, digit) in sums.iter_mut().skip(skip).zip(&number.digits) {
                let digit = i128::from(*digit);
                *sum += if negative { -digit } else { digit };
            }
        }
        let negative = carry(&mut sums) < 0;
        if negative {
            sums.iter_mut().for_each(|digit| *digit = -*digit);
            carry(&mut sums);
        }
        let digits = sums.iter().map(|digit| *digit as u32).collect();
        Exact::trimmed(negative, place, digits)
    }

    fn trimmed(negative: bool, place: i32, mut digits: Vec<u32>) -> Exact {
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        if zeros == digits.len() {
            return Exact::default();
        }
        digits.drain(..zeros);
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Exact {
            negative,
            place: place + zeros as i32,
            digits,
        }
    }
}

/// Makes every digit one of 32 bits; gives what is beyond the last one.
fn carry(sums: &mut [i128]) -> i128 {
    let mut carry = 0;
    for sum in sums {
        let whole = *sum + carry;
        *sum = whole & 0xffff_ffff;
        carry = whole >> DIGIT;
    }
    carry
}

/// `value` times two to the `power`.
fn scaled(mut value: f64, mut power: isize) -> f64 {
    const STEP: isize = 1000;
    while power != 0 && value != 0.0 && value.is_finite() {
        let step = power.clamp(-STEP, STEP);
        value *= f64::from_bits(((1023 + step) as u64) << 52);
        power -= step;
    }
    value
}
