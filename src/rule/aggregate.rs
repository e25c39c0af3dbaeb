//! What an aggregate of a pattern is.

use crate::event::AttributeId;

/// One aggregate of a `having` or of an incident attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// What is computed.
    pub function: Function,
    /// The attribute or computed value that it reads; `None` for COUNT(*) and SPAN().
    pub input: Option<AttributeId>,
}

/// What an aggregate computes. Absent values are skipped; what has no value at all to compute from
/// is undefined, or 0 for the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// COUNT(*) without input, COUNT(a) with one.
    Count,
    /// Different values, letter case aside.
    CountDistinct,
    /// Sum of the numbers.
    Sum,
    /// Mean of the numbers.
    Avg,
    /// Least number.
    Min,
    /// Greatest number.
    Max,
    /// First value, text or number.
    First,
    /// Last value, text or number.
    Last,
    /// Most frequent value, text or number.
    Mode,
    /// Median of the numbers.
    Median,
    /// Percentile of the numbers, by its thousandths: at most 100,000.
    Percentile(u32),
    /// Sample standard deviation of the numbers.
    Stddev,
    /// Sample variance of the numbers.
    Variance,
    /// By how many percent the last number differs from the first.
    PctChange,
    /// SPAN(): seconds from the first event to the last.
    Span,
}
