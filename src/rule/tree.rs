//! What a filter is made of: tests and values, which hold each other.

use super::Arithmetic;
use super::check::Check;
use super::clock::{Hand, Zone};
use super::lists::Named;
use super::number::Number;
use super::operator::Operator;
use super::plain::Plain;
use super::regexps::Pattern;
use super::tables::Asked;
use crate::event::AttributeId;

/// The expression of a filter. `And` and `Or` have at least two parts, none of which is of the
/// same kind; `Not` holds only an `And` or an `Or`.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// All of them hold.
    And(Vec<Expression>),
    /// One of them holds.
    Or(Vec<Expression>),
    /// It does not hold.
    Not(Box<Expression>),
    /// One attribute passes its test. Nearly all tests are such, so these have the direct path.
    Test(Test),
    /// A computed value passes its test.
    Computed(Box<Computed>),
}

/// A test of one attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// Whose value is tested.
    pub attribute: AttributeId,
    /// Holds when the check does not, as for an absent attribute.
    pub negated: bool,
    /// What the value is held against.
    pub check: Check,
}

/// A test of a computed value.
#[derive(Clone, Debug, PartialEq)]
pub struct Computed {
    /// What is tested.
    pub value: Scalar,
    /// Holds when the test does not, as for an undefined value.
    pub negated: bool,
    /// What the value is held against.
    pub against: Against,
}

/// What a computed value is held against.
#[derive(Clone, Debug, PartialEq)]
pub enum Against {
    /// Constants.
    Check(Check),
    /// Another computed value, by `=`, `>`, `>=`, `<` or `<=`.
    Value(Operator, Scalar),
}

/// Something that has a value for an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// The value of an attribute.
    Attribute(AttributeId),
    /// A text, letter case as written.
    Text(String),
    /// A number.
    Number(Number),
    /// An operation on two numbers.
    Arithmetic(Box<Scalar>, Arithmetic, Box<Scalar>),
    /// A function of values.
    Call(Plain, Vec<Scalar>),
    /// A function of a time.
    Clock(Clock),
    /// The part of a text that a regular expression finds.
    Extract(Box<Scalar>, Pattern),
    /// One of two values, by whether a filter holds.
    If(Box<Expression>, Box<Scalar>, Box<Scalar>),
    /// What a lookup table says.
    Lookup(Lookup),
    /// What a table of networks says.
    NetLookup(NetLookup),
}

/// A function of a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Clock {
    /// What is asked of the time.
    pub hand: Hand,
    /// The time; `None`: the event's own.
    pub time: Option<Box<Scalar>>,
    /// Where the clock hangs; `None`: in UTC.
    pub zone: Option<Zone>,
}

/// A look into a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// The table.
    pub table: Named,
    /// The values of its first columns, at least one.
    pub keys: Vec<Scalar>,
    /// The place of the column that is asked for; `None`: 1 if there is a row, else 0.
    pub column: Option<usize>,
}

/// A look into a table of networks.
#[derive(Clone, Debug, PartialEq)]
pub struct NetLookup {
    /// The table, and the column that is asked for.
    pub asked: Asked,
    /// The address.
    pub key: Box<Scalar>,
}
