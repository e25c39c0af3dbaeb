//! What the parsers of filters, values and constants have in common.

use super::FilterError;
use super::attribute::{Kind, Names};
use super::formula::Formula;
use super::lists::Lists;
use super::scope::Scope;
use super::token::Cursor;
use super::tree::{Expression, Scalar};

/// What is read, or why it cannot be.
pub type Parsed<T> = Result<T, FilterError>;

/// The text of a filter that is being read.
pub struct Parser<'t, 'n, 'a, 's> {
    pub cursor: &'n mut Cursor<'t>,
    pub names: &'n mut Names<'a>,
    pub scope: &'n mut Scope<'s>,
    /// Those that have names beside the attributes of events.
    pub formulas: &'n [Formula],
    /// Those that were named so far.
    pub used: Lists,
    /// Errors that do not keep the rest from being read.
    pub errors: Vec<FilterError>,
    pub depth: usize,
    /// Arithmetic, and tests, so far.
    pub operations: usize,
    pub tests: usize,
}

/// A parenthesis may hold a value or a test; which one shows only at its end.
pub enum Part {
    /// A value, and what it can be compared with.
    Value(Scalar, Kind),
    Test(Expression),
}
