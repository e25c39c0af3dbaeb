//! The values within a filter.
//!
//! ```text
//! sum     = product { ( "+" | "-" ) product }
//! product = primary { ( "*" | "/" ) primary }
//! primary = text | number | attribute | function "(" [ sum { "," sum } ] ")" | "(" or ")"
//! ```

use super::attribute::{Kind, Names};
use super::bounds::{ARGUMENTS_MAX, OPERATIONS_MAX};
use super::clock::{Hand, Zone};
use super::functions::{Callable, ELSEWHERE, FUNCTIONS, FunctionDoc};
use super::nearest::{self, shown};
use super::number::Number;
use super::parser::{Parsed, Parser, Part};
use super::scope::Age;
use super::tables::Asked;
use super::token::{Spanned, Symbol, Token};
use super::tree::{Clock, Lookup, NetLookup, Scalar};
use super::{Arithmetic, FilterError, formula, macros};
use crate::event::AttributeId;
use crate::time;

impl Parser<'_, '_, '_, '_> {
    pub fn sum(&mut self) -> Parsed<Part> {
        let start = self.cursor.peek().offset;
        let mut left = self.product()?;
        while let Some(operator) = self.cursor.take_sum() {
            let offset = self.cursor.peek().offset;
            let right = self.product()?;
            left = self.operation((left, start), operator, (right, offset))?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Parsed<Part> {
        let start = self.cursor.peek().offset;
        let mut left = self.primary()?;
        while let Some(operator) = self.cursor.take_product() {
            let offset = self.cursor.peek().offset;
            let right = self.primary()?;
            left = self.operation((left, start), operator, (right, offset))?;
        }
        Ok(left)
    }

    fn operation(
        &mut self,
        left: (Part, usize),
        operator: Arithmetic,
        right: (Part, usize),
    ) -> Parsed<Part> {
        let offset = right.1;
        let (left, right) = (value(left)?, value(right)?);
        self.operations += 1;
        if self.operations > OPERATIONS_MAX {
            let message = format!("more than {OPERATIONS_MAX} arithmetic operations in one filter");
            return Err(FilterError { offset, message });
        }
        let operation = Scalar::Arithmetic(Box::new(left), operator, Box::new(right));
        Ok(Part::Value(operation, Kind::Any))
    }

    fn primary(&mut self) -> Parsed<Part> {
        let Spanned { offset, token } = self.cursor.peek().clone();
        let plain = |value| Ok(Part::Value(value, Kind::Any));
        match token {
            Token::Text(text) => {
                self.cursor.next();
                plain(Scalar::Text(text))
            }
            Token::Number(number) => {
                self.cursor.next();
                plain(Scalar::Number(number))
            }
            Token::Symbol(Symbol::Minus) => plain(Scalar::Number(self.negative()?)),
            Token::Symbol(Symbol::Open) => self.deeper(|parser| {
                parser.cursor.next();
                let inner = parser.or()?;
                parser.cursor.expect(Symbol::Close).map(|()| inner)
            }),
            Token::Name(name) if *self.cursor.peek_second() == Token::Symbol(Symbol::Open) => {
                let doc = function(name).map_err(|message| FilterError { offset, message })?;
                plain(self.deeper(|parser| parser.call(doc))?)
            }
            Token::Name(name) if macros::name(name).is_some() => {
                self.cursor.next();
                let name = macros::name(name).unwrap_or_default();
                self.shared(name, offset).map(Part::Test)
            }
            Token::Name(name) => {
                self.cursor.next();
                let (attribute, kind) = self.names.resolve(name).unwrap_or_else(|unknown| {
                    let message = match formula::named(self.formulas, name) {
                        Some(_) => format!(
                            "`{name}` is computed in group_by: within a computed value write how"
                        ),
                        None => unknown,
                    };
                    self.errors.push(FilterError { offset, message });
                    (AttributeId(0), Kind::Any)
                });
                Ok(Part::Value(Scalar::Attribute(attribute), kind))
            }
            Token::Symbol(_) | Token::End => {
                Err(self.cursor.unexpected("an attribute, a value, NOT or `(`"))
            }
        }
    }

    /// A number after its minus.
    pub fn negative(&mut self) -> Parsed<Number> {
        let offset = self.cursor.next().offset;
        match self.cursor.next().token {
            Token::Number(number) => Ok(number.negated()),
            Token::Name(_) | Token::Text(_) | Token::Symbol(_) | Token::End => {
                let message = "expected a number after `-`".to_string();
                Err(FilterError { offset, message })
            }
        }
    }

    /// A function with its arguments.
    fn call(&mut self, doc: &FunctionDoc) -> Parsed<Scalar> {
        let Spanned { offset, .. } = self.cursor.next();
        self.cursor.expect(Symbol::Open)?;
        match doc.callable {
            Callable::Plain(_) | Callable::Extract => {}
            Callable::Clock(hand) => return self.clock(hand),
            Callable::If => return self.choice(),
            Callable::Has | Callable::Get => return self.lookup(doc, offset),
            Callable::Net => return self.net_lookup(offset),
        }
        let mut arguments = Vec::new();
        if !self.cursor.take(Symbol::Close) {
            arguments.push(self.argument()?);
            while self.cursor.take(Symbol::Comma) {
                self.one_more(arguments.len())?;
                arguments.push(self.argument()?);
            }
            if !self.cursor.take(Symbol::Close) {
                return Err(self.cursor.unexpected("`,` or `)`"));
            }
        }
        if !(doc.least..=doc.most).contains(&arguments.len()) {
            let found = arguments.len();
            let message = format!(
                "`{0}` is written {0}({1}), found {found} argument{2}",
                doc.name,
                doc.arguments,
                if found == 1 { "" } else { "s" }
            );
            return Err(FilterError { offset, message });
        }
        match doc.callable {
            Callable::Plain(function) => {
                let values = arguments.into_iter().map(|(value, _)| value).collect();
                Ok(Scalar::Call(function, values))
            }
            Callable::Extract
            | Callable::Clock(_)
            | Callable::If
            | Callable::Has
            | Callable::Get
            | Callable::Net => self.extract(arguments),
        }
    }

    /// `time, "zone")`, after `HourOfDay(`: each, or both, or neither.
    fn clock(&mut self, hand: Hand) -> Parsed<Scalar> {
        let mut clock = Clock {
            hand,
            time: None,
            zone: None,
        };
        if self.cursor.take(Symbol::Close) {
            return Ok(Scalar::Clock(clock));
        }
        let after = self.cursor.peek_second();
        let is_alone = matches!(after, Token::Symbol(Symbol::Close | Symbol::Comma));
        if !(is_alone && self.cursor.take_word("time")) {
            match self.argument()? {
                // A time that is known already is nothing to ask about.
                (Scalar::Text(zone), offset) if time::parse(&zone).is_none() => {
                    clock.zone = self.zone(&zone, offset);
                    self.cursor.expect(Symbol::Close)?;
                    return Ok(Scalar::Clock(clock));
                }
                (time, _) => clock.time = Some(Box::new(time)),
            }
        }
        if self.cursor.take(Symbol::Comma) {
            let Spanned { offset, token } = self.cursor.next();
            let Token::Text(zone) = token else {
                let message = format!(
                    "expected a time zone in quotes, such as \"Europe/Berlin\", found {token}"
                );
                return Err(FilterError { offset, message });
            };
            clock.zone = self.zone(&zone, offset);
        }
        if !self.cursor.take(Symbol::Close) {
            return Err(self.cursor.unexpected("`,` or `)`"));
        }
        Ok(Scalar::Clock(clock))
    }

    /// The zone of this name. That there is none does not keep the rest from being read.
    fn zone(&mut self, name: &str, offset: usize) -> Option<Zone> {
        let zone = Zone::named(name);
        zone.map_err(|message| self.errors.push(FilterError { offset, message }))
            .ok()
    }

    /// `"table", key, ..)`, after `LookupTableHas(`; with a column, after `LookupTableGet(`.
    fn lookup(&mut self, doc: &FunctionDoc, offset: usize) -> Parsed<Scalar> {
        let table = self.word("the name of a lookup table")?;
        let table = self.list(&table.1, table.0)?;
        let mut keys = Vec::new();
        let mut column = None;
        while self.cursor.take(Symbol::Comma) {
            let last = *self.cursor.peek_second() == Token::Symbol(Symbol::Close);
            if last && doc.callable == Callable::Get {
                column = Some(self.word("the name of a column")?);
            } else {
                self.one_more(keys.len())?;
                keys.push(self.argument()?.0);
            }
        }
        if !self.cursor.take(Symbol::Close) {
            return Err(self.cursor.unexpected("`,` or `)`"));
        }
        let wrong = |offset, message| Err(FilterError { offset, message });
        let columns: Vec<&str> = table.list.columns().iter().map(String::as_str).collect();
        let most = columns.len().max(1);
        if keys.is_empty() || (doc.callable == Callable::Get && column.is_none()) {
            let message = format!("`{0}` is written {0}({1})", doc.name, doc.arguments);
            return wrong(offset, message);
        }
        if keys.len() > most {
            let message = format!("the list `{}` has at most {most} keys", table.name);
            return wrong(offset, message);
        }
        let place = match &column {
            None => None,
            Some((offset, name)) => {
                let same = |known: &&str| known.eq_ignore_ascii_case(name);
                let place = columns.iter().position(same);
                if place.is_none() {
                    let hint = nearest::hint(name, &columns);
                    let message = format!("`{}` has no column `{name}`{hint}", table.name);
                    return wrong(*offset, message);
                }
                place
            }
        };
        Ok(Scalar::Lookup(Lookup {
            table,
            keys,
            column: place,
        }))
    }

    /// `"table", address, "column")`, after `NetLookup(`.
    fn net_lookup(&mut self, offset: usize) -> Parsed<Scalar> {
        if matches!(self.names, Names::Incident(_)) {
            let message =
                "NetLookup stands in patterns: what it says of an address can be grouped \
                           by, and is then an attribute of incidents"
                    .to_owned();
            return Err(FilterError { offset, message });
        }
        let (place, table) = self.word("the name of a table")?;
        self.cursor.expect(Symbol::Comma)?;
        let key = Box::new(self.argument()?.0);
        self.cursor.expect(Symbol::Comma)?;
        let (_, column) = self.word("the name of a column")?;
        self.cursor.expect(Symbol::Close)?;
        let asked = match self.scope.lists.tables().ask(&table, &column) {
            Ok((asked, alone)) => {
                self.used.extend_tables(&alone);
                asked
            }
            // A rule of the log is folded by those, too, who have no tables.
            Err(_) if self.scope.age == Age::Old => Asked::of_none(&table, &column),
            Err(message) => {
                let offset = place;
                return Err(FilterError { offset, message });
            }
        };
        Ok(Scalar::NetLookup(NetLookup { asked, key }))
    }

    /// A name in quotes or without, and where it stands.
    fn word(&mut self, expected: &str) -> Parsed<(usize, String)> {
        let Spanned { offset, token } = self.cursor.peek().clone();
        let word = match token {
            Token::Text(text) => text,
            Token::Name(name) => name.to_owned(),
            Token::Number(_) | Token::Symbol(_) | Token::End => {
                return Err(self.cursor.unexpected(expected));
            }
        };
        self.cursor.next();
        Ok((offset, word))
    }

    /// Whether a function that has so many arguments may have another.
    fn one_more(&self, arguments: usize) -> Parsed<()> {
        if arguments < ARGUMENTS_MAX {
            return Ok(());
        }
        let offset = self.cursor.peek().offset;
        let message = format!("more than {ARGUMENTS_MAX} arguments");
        Err(FilterError { offset, message })
    }

    /// An argument and where it begins.
    pub fn argument(&mut self) -> Parsed<(Scalar, usize)> {
        let offset = self.cursor.peek().offset;
        let part = self.sum()?;
        Ok((value((part, offset))?, offset))
    }

    /// `filter, a, b)`, after `IF(`.
    fn choice(&mut self) -> Parsed<Scalar> {
        let test = self.or()?;
        let test = self.as_test(test)?;
        self.cursor.expect(Symbol::Comma)?;
        let (then, _) = self.argument()?;
        self.cursor.expect(Symbol::Comma)?;
        let (otherwise, _) = self.argument()?;
        self.cursor.expect(Symbol::Close)?;
        Ok(Scalar::If(
            Box::new(test),
            Box::new(then),
            Box::new(otherwise),
        ))
    }

    fn extract(&mut self, arguments: Vec<(Scalar, usize)>) -> Parsed<Scalar> {
        let mut arguments = arguments.into_iter();
        let (Some((text, _)), Some((source, offset))) = (arguments.next(), arguments.next()) else {
            return Err(self.cursor.unexpected("two arguments"));
        };
        let pattern = match source {
            Scalar::Text(source) => self.scope.regexps.compile(&source),
            Scalar::Attribute(_)
            | Scalar::Number(_)
            | Scalar::Arithmetic(..)
            | Scalar::Call(..)
            | Scalar::Clock(_)
            | Scalar::Extract(..)
            | Scalar::If(..)
            | Scalar::Lookup(_)
            | Scalar::NetLookup(_) => {
                Err("expected a regular expression in double quotes, known at load".to_string())
            }
        };
        let pattern = pattern.map_err(|message| FilterError { offset, message })?;
        Ok(Scalar::Extract(Box::new(text), pattern))
    }
}

fn value((part, offset): (Part, usize)) -> Parsed<Scalar> {
    match part {
        Part::Value(value, _) => Ok(value),
        Part::Test(_) => {
            let message =
                "expected a value, found a test: IF(test, 1, 0) makes one of it".to_string();
            Err(FilterError { offset, message })
        }
    }
}

/// The function written `name`, in any case.
pub fn function(name: &str) -> Result<&'static FunctionDoc, String> {
    let same = |known: &str| known.eq_ignore_ascii_case(name);
    if let Some(doc) = FUNCTIONS.iter().find(|doc| same(doc.name)) {
        return Ok(doc);
    }
    if let Some((name, advice)) = ELSEWHERE.iter().find(|(known, _)| same(known)) {
        return Err(format!("`{name}` is not supported: {advice}"));
    }
    if same("cidr") {
        return Err("`cidr` stands to the right of =, !=, IN or NOT IN".to_string());
    }
    let known: Vec<&str> = FUNCTIONS.iter().map(|doc| doc.name).collect();
    Err(format!(
        "unknown function `{}`{}",
        shown(name),
        nearest::hint(name, &known)
    ))
}
