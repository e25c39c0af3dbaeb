//! The operators of filters.

/// A FortiSIEM filter operator; negations such as `!=` are not operators of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `IN`: equals a member of a list.
    In,
    /// `BETWEEN`: in a range, both ends included.
    Between,
    /// `CONTAIN`: has a text in it.
    Contain,
    /// `STARTS_WITH`
    StartsWith,
    /// `ENDS_WITH`
    EndsWith,
    /// `REGEXP`: a part of it matches a regular expression.
    Regexp,
    /// `IS NULL`: the event lacks the attribute.
    IsNull,
}
