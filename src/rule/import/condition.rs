//! What a foreign rule asks of one event, and the filter that it is.

use crate::rule::characters;
use crate::rule::number::Number;
use crate::rule::token::quote;

/// Parts within each other that are still written; the language takes no more.
const DEPTH_MAX: usize = 60;

/// Parts of a list that are held against each other: the language takes no more anyway.
const LOOKED_AT_MAX: usize = 500;

/// A filter. All of none holds always, one of none never.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of them hold.
    All(Vec<Filter>),
    /// One of them holds.
    Any(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// An attribute, a path or a computed value passes a test.
    Test(String, Is),
    /// A filter as the language writes it.
    Native(String),
}

/// What a value is held against. Text is compared without regard to ASCII case.
#[derive(Clone, Debug, PartialEq)]
pub enum Is {
    /// It is one of these.
    One(Vec<Operand>),
    /// It has this text in it.
    Containing(String),
    /// It begins with this text.
    Beginning(String),
    /// It ends with this text.
    Ending(String),
    /// A part of it matches; letter case is ignored.
    Matching(String),
    /// It stands in this relation to a number.
    Compared(&'static str, String),
    /// It equals that of another attribute.
    Same(String),
    /// It is there.
    There,
}

/// What a value may equal.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A text.
    Text(String),
    /// A number, also as text.
    Number(String),
    /// A network.
    Network(String),
    /// All that is in a list.
    List(String),
}

impl Filter {
    /// Holds always.
    pub fn always() -> Filter {
        Filter::All(Vec::new())
    }

    /// Holds never.
    pub fn never() -> Filter {
        Filter::Any(Vec::new())
    }

    /// Holds where this does not.
    pub fn negated(self) -> Filter {
        match self {
            Filter::Not(inner) => *inner,
            Filter::All(_) | Filter::Any(_) | Filter::Test(..) | Filter::Native(_) => {
                Filter::Not(Box::new(self))
            }
        }
    }

    /// An attribute is there.
    pub fn there(attribute: &str) -> Filter {
        Filter::Test(attribute.to_owned(), Is::There)
    }

    /// The same without parts that change nothing, and with equal tests of one attribute as one.
    pub fn simple(self) -> Filter {
        match self {
            Filter::All(parts) => joined(parts, true),
            Filter::Any(parts) => joined(parts, false),
            Filter::Not(inner) => match inner.simple() {
                Filter::All(parts) if parts.is_empty() => Filter::never(),
                Filter::Any(parts) if parts.is_empty() => Filter::always(),
                simple @ (Filter::All(_)
                | Filter::Any(_)
                | Filter::Not(_)
                | Filter::Test(..)
                | Filter::Native(_)) => simple.negated(),
            },
            Filter::Test(..) | Filter::Native(_) => self,
        }
    }

    /// The attributes that it asks for.
    pub fn attributes(&self) -> Vec<&str> {
        match self {
            Filter::All(parts) | Filter::Any(parts) => {
                parts.iter().flat_map(Filter::attributes).collect()
            }
            Filter::Not(inner) => inner.attributes(),
            Filter::Test(attribute, _) => vec![attribute],
            Filter::Native(_) => Vec::new(),
        }
    }
}

/// All, or one, of these parts.
fn joined(parts: Vec<Filter>, all: bool) -> Filter {
    let mut flat: Vec<Filter> = Vec::new();
    for part in parts {
        match (part.simple(), all) {
            (Filter::All(parts), false) | (Filter::Any(parts), true) if parts.is_empty() => {
                return if all {
                    Filter::never()
                } else {
                    Filter::always()
                };
            }
            (Filter::All(parts), true) | (Filter::Any(parts), false) => flat.extend(parts),
            (Filter::Test(attribute, Is::One(more)), false) => one_more(&mut flat, attribute, more),
            (
                part @ (Filter::All(_)
                | Filter::Any(_)
                | Filter::Not(_)
                | Filter::Test(..)
                | Filter::Native(_)),
                _,
            ) => {
                if flat.len() > LOOKED_AT_MAX || !flat.contains(&part) {
                    flat.push(part);
                }
            }
        }
    }
    let mut only = flat.iter();
    match (only.next(), only.next(), all) {
        (Some(only), None, _) => only.clone(),
        (_, _, true) => Filter::All(flat),
        (_, _, false) => Filter::Any(flat),
    }
}

/// Adds a test of equality to those that one of is enough, to one of the same attribute.
fn one_more(flat: &mut Vec<Filter>, attribute: String, more: Vec<Operand>) {
    let known = flat
        .iter_mut()
        .take(LOOKED_AT_MAX)
        .find_map(|part| match part {
            Filter::Test(name, Is::One(operands)) if *name == attribute => Some(operands),
            Filter::All(_)
            | Filter::Any(_)
            | Filter::Not(_)
            | Filter::Test(..)
            | Filter::Native(_) => None,
        });
    match known {
        None => flat.push(Filter::Test(attribute, Is::One(more))),
        Some(operands) => {
            for operand in more {
                if operands.len() > LOOKED_AT_MAX || !operands.contains(&operand) {
                    operands.push(operand);
                }
            }
        }
    }
}

/// The filter as the language writes it.
///
/// # Errors
///
/// It holds always or never, or is nested too deep.
pub fn text(filter: &Filter) -> Result<String, String> {
    match filter.clone().simple() {
        Filter::All(parts) if parts.is_empty() => {
            Err("it matches every event: a filter asks for something".to_owned())
        }
        Filter::Any(parts) if parts.is_empty() => Err("it can never match an event".to_owned()),
        simple @ (Filter::All(_)
        | Filter::Any(_)
        | Filter::Not(_)
        | Filter::Test(..)
        | Filter::Native(_)) => written(&simple, 0),
    }
}

fn written(filter: &Filter, depth: usize) -> Result<String, String> {
    if depth > DEPTH_MAX {
        return Err(format!(
            "its condition is nested more than {DEPTH_MAX} deep"
        ));
    }
    let list = |parts: &[Filter], word: &str| {
        let parts = parts.iter().map(|part| within(part, depth + 1));
        parts
            .collect::<Result<Vec<String>, String>>()
            .map(|parts| parts.join(word))
    };
    match filter {
        Filter::All(parts) => list(parts, " AND "),
        Filter::Any(parts) => list(parts, " OR "),
        Filter::Not(inner) => match &**inner {
            Filter::Test(attribute, is) => Ok(test(attribute, is, true)),
            Filter::All(_) | Filter::Any(_) | Filter::Not(_) | Filter::Native(_) => {
                Ok(format!("NOT ({})", written(inner, depth + 1)?))
            }
        },
        Filter::Test(attribute, is) => Ok(test(attribute, is, false)),
        Filter::Native(text) => Ok(text.clone()),
    }
}

/// A part of a list: in parentheses, unless nothing can be taken for something else.
fn within(part: &Filter, depth: usize) -> Result<String, String> {
    let text = written(part, depth)?;
    match part {
        Filter::Test(..) | Filter::Not(_) => Ok(text),
        Filter::All(_) | Filter::Any(_) | Filter::Native(_) => Ok(format!("({text})")),
    }
}

fn test(attribute: &str, is: &Is, negated: bool) -> String {
    let word = |plain: &'static str, turned: &'static str| if negated { turned } else { plain };
    let not = word("", "NOT ");
    match is {
        Is::One(operands) => match &operands[..] {
            [one] if !matches!(one, Operand::List(_)) => {
                format!("{attribute} {} {}", word("=", "!="), operand(one))
            }
            all => {
                let all: Vec<String> = all.iter().map(operand).collect();
                format!("{attribute} {not}IN ({})", all.join(", "))
            }
        },
        Is::Containing(text) => textual(attribute, (not, "CONTAIN"), ("", text, "")),
        Is::Beginning(text) => textual(attribute, (not, "STARTS_WITH"), ("^", text, "")),
        Is::Ending(text) => textual(attribute, (not, "ENDS_WITH"), ("", text, "$")),
        Is::Matching(text) => format!("{attribute} {not}REGEXP {}", quote(&seen(text))),
        Is::Compared(operator, number) => format!("{not}{attribute} {operator} {number}"),
        Is::Same(other) => format!("{attribute} {} {other}", word("=", "!=")),
        Is::There => format!("{attribute} IS {}", word("NOT NULL", "NULL")),
    }
}

/// A test of a part of a text: as a regular expression, where the text has characters that rules
/// must not have.
fn textual(attribute: &str, operator: (&str, &str), text: (&str, &str, &str)) -> String {
    let ((not, word), (before, part, behind)) = (operator, text);
    match characters::first(part) {
        None => format!("{attribute} {not}{word} {}", quote(part)),
        Some(_) => {
            let part = seen(&regex::escape(part));
            format!(
                "{attribute} {not}REGEXP {}",
                quote(&format!("{before}{part}{behind}"))
            )
        }
    }
}

/// A regular expression, with the characters that rules must not have by their code points.
fn seen(expression: &str) -> String {
    let mut text = String::with_capacity(expression.len());
    for c in expression.chars() {
        match characters::is_refused(c) || c == '\t' || c == '\n' {
            true => text += &format!("\\x{{{:x}}}", u32::from(c)),
            false => text.push(c),
        }
    }
    text
}

fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Text(text) => quote(text),
        Operand::Number(text) => match Number::parse(text) {
            Some(number) => number.to_string(),
            None => quote(text),
        },
        Operand::Network(network) => format!("cidr({})", quote(network)),
        Operand::List(name) => format!("Group@{name}"),
    }
}
