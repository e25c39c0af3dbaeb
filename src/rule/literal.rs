//! What an attribute is compared with, prepared at load so that a comparison allocates nothing.

use std::cmp::Ordering;

use ipnet::IpNet;

use super::lists::Named;
use super::networks::address;
use super::number::Number;
use crate::bounded;
use crate::event::Value;

/// One operand as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// In quotes, letter case as written.
    Text(String),
    /// A decimal number.
    Number(Number),
    /// `cidr("10.0.0.0/8")`, or an address compared with an address attribute.
    Network(IpNet),
    /// `Group@name`: all that is in a list.
    List(Named),
}

impl std::fmt::Display for Literal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Literal::Text(text) => f.write_str(&super::token::quote(text)),
            Literal::Number(number) => number.fmt(f),
            Literal::Network(network) => write!(f, "cidr(\"{network}\")"),
            Literal::List(list) => write!(f, "Group@{}", list.name),
        }
    }
}

/// Text in ASCII lower case.
#[derive(Clone, Debug)]
struct Text {
    lower: String,
    /// What it spells, for values that are JSON numbers.
    number: Option<Number>,
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.lower == other.lower
    }
}

/// The operands of `=` and `IN`, sorted: their order means nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    texts: Vec<Text>,
    /// What the longest of them are as incidents show values, sorted.
    bounded: Vec<String>,
    numbers: Vec<Number>,
    networks: Vec<IpNet>,
    lists: Vec<Named>,
}

impl Set {
    /// The set of these; text is kept in lower case and what is said twice once.
    pub fn new(literals: Vec<Literal>) -> Set {
        let mut set = Set {
            texts: Vec::new(),
            bounded: Vec::new(),
            numbers: Vec::new(),
            networks: Vec::new(),
            lists: Vec::new(),
        };
        for literal in literals {
            match literal {
                Literal::Text(text) => {
                    let number = Number::parse(&text);
                    set.texts.push(Text {
                        lower: text.to_ascii_lowercase(),
                        number,
                    });
                }
                Literal::Number(number) => set.numbers.push(number),
                Literal::Network(network) => set.networks.push(network.trunc()),
                Literal::List(list) => set.lists.push(list),
            }
        }
        set.lists.sort_by(|a, b| a.name.cmp(&b.name));
        set.lists.dedup_by(|a, b| a.name == b.name);
        set.texts.sort_by(|a, b| a.lower.cmp(&b.lower));
        set.texts.dedup();
        let long = |text: &&Text| text.lower.len() > bounded::VALUE_MAX;
        let bounded = set.texts.iter().filter(long);
        set.bounded = bounded
            .map(|text| bounded::value(&text.lower).into_owned())
            .collect();
        set.bounded.sort();
        set.numbers
            .sort_by(|a, b| a.compare(*b).unwrap_or(Ordering::Equal));
        set.numbers.dedup();
        set.networks.sort();
        set.networks.dedup();
        set
    }

    /// Whether one of them equals `value`, which is not [`Value::Many`].
    pub fn has(&self, value: &Value<'_>) -> bool {
        self.has_said(value) || self.lists.iter().any(|named| named.list.has(value))
    }

    fn has_said(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Text(text) => self.has_text(text),
            Value::Bool(bool) => self.has_text(if *bool { "true" } else { "false" }),
            Value::Integer(integer) => self.has_number(Number::Integer(*integer)),
            Value::Float(float) => self.has_number(Number::Float(*float)),
            Value::Many(_) => false,
        }
    }

    fn has_text(&self, text: &str) -> bool {
        let lower = |known: &str| {
            let value = text.bytes().map(|byte| byte.to_ascii_lowercase());
            known.bytes().cmp(value)
        };
        let of_text = |known: &Text| lower(&known.lower);
        if self.texts.binary_search_by(of_text).is_ok()
            || self.bounded.binary_search_by(|known| lower(known)).is_ok()
        {
            return true;
        }
        let number = || Number::parse(text);
        if !self.numbers.is_empty() && number().is_some_and(|value| self.numbers.contains(&value)) {
            return true;
        }
        let inside = |address| {
            self.networks
                .iter()
                .any(|network| network.contains(&address))
        };
        !self.networks.is_empty() && address(text).is_some_and(inside)
    }

    fn has_number(&self, value: Number) -> bool {
        self.numbers.contains(&value) || self.texts.iter().any(|text| text.number == Some(value))
    }

    /// Whether some of them are lists.
    pub fn has_lists(&self) -> bool {
        !self.lists.is_empty()
    }

    /// What a text must be to equal one of those that are not in lists, in ASCII lower case.
    pub fn spellings(&self) -> impl Iterator<Item = &str> {
        let texts = self.texts.iter().map(|text| text.lower.as_str());
        texts.chain(self.bounded.iter().map(String::as_str))
    }

    /// Its numbers.
    pub fn numbers(&self) -> &[Number] {
        &self.numbers
    }

    /// Its networks.
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }

    /// Its lists.
    pub fn lists(&self) -> &[Named] {
        &self.lists
    }

    /// All operands, in canonical form and order.
    pub fn literals(&self) -> Vec<Literal> {
        let texts = self
            .texts
            .iter()
            .map(|text| Literal::Text(text.lower.clone()));
        let numbers = self.numbers.iter().map(|number| Literal::Number(*number));
        let networks = self
            .networks
            .iter()
            .map(|network| Literal::Network(*network));
        let lists = self.lists.iter().cloned().map(Literal::List);
        texts.chain(numbers).chain(networks).chain(lists).collect()
    }

    /// The operands and what is in the lists, in ASCII lower case, if all are text.
    pub fn texts(&self) -> Option<Vec<String>> {
        if !self.numbers.is_empty() || !self.networks.is_empty() {
            return None;
        }
        let mut texts: Vec<String> = self.texts.iter().map(|text| text.lower.clone()).collect();
        for named in &self.lists {
            texts.extend(named.list.all_texts()?);
        }
        texts.sort();
        texts.dedup();
        Some(texts)
    }
}

/// Whether `text` contains `lower`, which is in lower case, without regard to ASCII case.
pub fn contains(text: &str, lower: &str) -> bool {
    let (text, lower) = (text.as_bytes(), lower.as_bytes());
    let Some(&first) = lower.first() else {
        return true;
    };
    let begins = memchr::memchr2_iter(first, first.to_ascii_uppercase(), text);
    for (tried, at) in begins.enumerate() {
        // Where many places look alike, comparing each of them is not linear.
        if tried * lower.len() > COMPARED_MAX * text.len() {
            return memchr::memmem::find(&text.to_ascii_lowercase(), lower).is_some();
        }
        let part = text.get(at..at + lower.len());
        if part.is_some_and(|part| part.eq_ignore_ascii_case(lower)) {
            return true;
        }
    }
    false
}

/// How often each byte of a text is compared, about, before it is searched in another way.
const COMPARED_MAX: usize = 8;

/// Whether `text` begins with `lower`, which is in lower case, without regard to ASCII case.
pub fn starts_with(text: &str, lower: &str) -> bool {
    let beginning = text.as_bytes().get(..lower.len());
    beginning.is_some_and(|part| part.eq_ignore_ascii_case(lower.as_bytes()))
}

/// Whether `text` ends with `lower`, which is in lower case, without regard to ASCII case.
pub fn ends_with(text: &str, lower: &str) -> bool {
    let begin = text.len().checked_sub(lower.len());
    let end = begin.and_then(|begin| text.as_bytes().get(begin..));
    end.is_some_and(|part| part.eq_ignore_ascii_case(lower.as_bytes()))
}
