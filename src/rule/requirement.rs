//! What an event must have for a filter to hold, as far as that can be looked up: the texts that
//! its values equal or have in them. It is never too much: what holds without is said to be open.

use std::fmt;

use ipnet::IpNet;

use super::Filter;
use super::check::Check;
use super::lists::Named;
use super::literal::{Literal, Set};
use super::number::Number;
use super::print::NameOf;
use super::regexp_texts;
use super::token::quote;
use super::tree::{Against, Computed, Expression, Scalar, Test};
use crate::event::AttributeId;

/// What must be there for an expression to hold.
#[derive(Clone, Debug)]
pub enum Requirement<'f> {
    /// This.
    Clue(Clue<'f>),
    /// One of these at least; of none it never holds.
    One(Vec<Requirement<'f>>),
    /// All of these.
    All(Vec<Requirement<'f>>),
    /// Nothing that is known: this part of it may hold for any event.
    Open(&'f Expression),
}

/// What one of the values of an attribute must be.
#[derive(Clone, Debug)]
pub struct Clue<'f> {
    /// Whose.
    pub attribute: AttributeId,
    /// What it must be.
    pub feature: Feature<'f>,
}

/// What a value must be. All texts are in ASCII lower case.
#[derive(Clone, Debug)]
pub enum Feature<'f> {
    /// This text, or a number that it spells.
    Text(&'f str),
    /// This number, or a text that spells it.
    Number(Number),
    /// An address in this network.
    Network(IpNet),
    /// Something in this list.
    Listed(&'f Named),
    /// A text that has this in it.
    Contains(&'f str),
    /// A text that begins with this.
    Begins(&'f str),
    /// A text that ends with this.
    Ends(&'f str),
    /// A text that has this in it as a regular expression would find it.
    Matches(String),
    /// Anything.
    Present,
}

impl Filter {
    /// What an event must have for it to hold.
    pub fn requirement(&self) -> Requirement<'_> {
        of(self.expression(), false)
    }
}

impl Clue<'_> {
    /// As a person reads it, and different for different ones.
    pub fn text(&self, name: NameOf<'_>) -> String {
        format!("{} {}", name(self.attribute), self.feature)
    }
}

impl fmt::Display for Feature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Feature::Text(text) => write!(f, "= {}", quote(text)),
            Feature::Number(number) => write!(f, "= {number}"),
            Feature::Network(network) => write!(f, "= {}", Literal::Network(*network)),
            Feature::Listed(list) => write!(f, "IN (Group@{})", list.name),
            Feature::Contains(text) => write!(f, "CONTAIN {}", quote(text)),
            Feature::Begins(text) => write!(f, "STARTS_WITH {}", quote(text)),
            Feature::Ends(text) => write!(f, "ENDS_WITH {}", quote(text)),
            Feature::Matches(text) => write!(f, "REGEXP with {}", quote(text)),
            Feature::Present => f.write_str("IS NOT NULL"),
        }
    }
}

/// What must be there for `expression` to hold or, `negated`, not to hold.
fn of(expression: &Expression, negated: bool) -> Requirement<'_> {
    match expression {
        Expression::And(parts) if negated => Requirement::One(of_each(parts, negated)),
        Expression::And(parts) => Requirement::All(of_each(parts, negated)),
        Expression::Or(parts) if negated => Requirement::All(of_each(parts, negated)),
        Expression::Or(parts) => Requirement::One(of_each(parts, negated)),
        Expression::Not(inner) => of(inner, !negated),
        Expression::Test(test) => match of_test(test, test.negated != negated) {
            Some(found) => found,
            None => Requirement::Open(expression),
        },
        Expression::Computed(test) => match of_computed(test, test.negated != negated) {
            Some(attribute) => present(attribute),
            None => Requirement::Open(expression),
        },
    }
}

fn of_each(parts: &[Expression], negated: bool) -> Vec<Requirement<'_>> {
    parts.iter().map(|part| of(part, negated)).collect()
}

fn present<'f>(attribute: AttributeId) -> Requirement<'f> {
    Requirement::Clue(Clue {
        attribute,
        feature: Feature::Present,
    })
}

fn of_test(test: &Test, negated: bool) -> Option<Requirement<'_>> {
    let attribute = test.attribute;
    let clue = |feature| Requirement::Clue(Clue { attribute, feature });
    match (&test.check, negated) {
        (Check::IsNull, true) => Some(present(attribute)),
        // An absent attribute has no value that passes, so the test fails, and this holds.
        (Check::IsNull, false) | (_, true) => None,
        (Check::In(set), false) => Some(Requirement::One(of_set(set).map(clue).collect())),
        (Check::Contain(text), false) => Some(clue(Feature::Contains(text))),
        (Check::StartsWith(text), false) => Some(clue(Feature::Begins(text))),
        (Check::EndsWith(text), false) => Some(clue(Feature::Ends(text))),
        (Check::Regexp(pattern), false) => match regexp_texts::of(pattern.source()) {
            Some(texts) => {
                let clues = texts.into_iter().map(|text| clue(Feature::Matches(text)));
                Some(Requirement::One(clues.collect()))
            }
            None => Some(present(attribute)),
        },
        (
            Check::Greater(_)
            | Check::GreaterOrEqual(_)
            | Check::Less(_)
            | Check::LessOrEqual(_)
            | Check::Between(..)
            | Check::BetweenAddresses(..),
            false,
        ) => Some(present(attribute)),
    }
}

fn of_set(set: &Set) -> impl Iterator<Item = Feature<'_>> {
    let texts = set.spellings().map(Feature::Text);
    let numbers = set.numbers().iter().copied().map(Feature::Number);
    let networks = set.networks().iter().copied().map(Feature::Network);
    let lists = set.lists().iter().map(Feature::Listed);
    texts.chain(numbers).chain(networks).chain(lists)
}

/// The attribute that must be there for the test to hold.
fn of_computed(test: &Computed, negated: bool) -> Option<AttributeId> {
    if negated {
        return None;
    }
    match &test.against {
        Against::Check(Check::IsNull) => None,
        Against::Check(
            Check::In(_)
            | Check::Greater(_)
            | Check::GreaterOrEqual(_)
            | Check::Less(_)
            | Check::LessOrEqual(_)
            | Check::Between(..)
            | Check::BetweenAddresses(..)
            | Check::Contain(_)
            | Check::StartsWith(_)
            | Check::EndsWith(_)
            | Check::Regexp(_),
        ) => read(&test.value),
        Against::Value(_, other) => read(&test.value).or_else(|| read(other)),
    }
}

/// An attribute without which it has no value.
fn read(value: &Scalar) -> Option<AttributeId> {
    match value {
        Scalar::Attribute(id) => Some(*id),
        Scalar::Arithmetic(left, _, right) => read(left).or_else(|| read(right)),
        Scalar::Call(_, arguments) => arguments.iter().find_map(read),
        Scalar::Clock(clock) => read(clock.time.as_deref()?),
        Scalar::Extract(text, _) => read(text),
        Scalar::NetLookup(lookup) => read(&lookup.key),
        Scalar::Text(_) | Scalar::Number(_) | Scalar::If(..) | Scalar::Lookup(_) => None,
    }
}
