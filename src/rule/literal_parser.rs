//! The constants within a filter: what a value is held against.

use std::sync::Arc;

use ipnet::IpNet;

use super::lists::Named;
use super::literal::Literal;
use super::nearest::shown;
use super::networks::{self, Written};
use super::parser::{Parsed, Parser};
use super::token::{Spanned, Symbol, Token};
use super::{FilterError, scalar_parser};

const EXPECTED: &str = "text in double quotes or a number";

impl Parser<'_, '_, '_, '_> {
    /// The constant that is next.
    pub fn literal(&mut self) -> Parsed<Literal> {
        let Spanned { offset, token } = self.cursor.peek().clone();
        let wrong = |message: String| Err(FilterError { offset, message });
        match token {
            Token::Text(text) => {
                self.cursor.next();
                Ok(Literal::Text(text))
            }
            Token::Number(number) => {
                self.cursor.next();
                Ok(Literal::Number(number))
            }
            Token::Symbol(Symbol::Minus) => self.negative().map(Literal::Number),
            Token::Name(name) => {
                self.cursor.next();
                if is_group(name) {
                    let name = name.get(GROUP.len()..).unwrap_or_default();
                    return self.list(name, offset).map(Literal::List);
                }
                if self.cursor.peek().token != Token::Symbol(Symbol::Open) {
                    return wrong(expected_literal(name));
                }
                if name.eq_ignore_ascii_case("cidr") {
                    return self.network().map(Literal::Network);
                }
                scalar_parser::function(name)
                    .map_err(|message| FilterError { offset, message })
                    .and_then(|doc| {
                        let name = doc.name;
                        wrong(format!(
                            "expected {EXPECTED}, found the function {name}: functions stand \
                             beside =, !=, >, >=, < and <="
                        ))
                    })
            }
            Token::Symbol(_) | Token::End => Err(self.cursor.unexpected(EXPECTED)),
        }
    }

    /// The list of this name, written at `offset`.
    pub fn list(&mut self, name: &str, offset: usize) -> Parsed<Named> {
        let named = self.scope.lists.named(name);
        let named = named.map_err(|message| FilterError { offset, message })?;
        self.used
            .insert(named.name.clone(), Arc::clone(&named.list));
        Ok(named)
    }

    /// `("10.0.0.0/8")`, after `cidr`.
    fn network(&mut self) -> Parsed<IpNet> {
        self.cursor.expect(Symbol::Open)?;
        let Spanned { offset, token } = self.cursor.next();
        let found = match &token {
            Token::Text(text) => networks::read(text),
            Token::Name(_) | Token::Number(_) | Token::Symbol(_) | Token::End => Written::Text,
        };
        let expected = format!("expected a network such as \"10.0.0.0/8\", found {token}");
        let message = match found {
            Written::Network(network) => {
                self.cursor.expect(Symbol::Close)?;
                return Ok(network.trunc());
            }
            Written::Range(first, last) => {
                format!("{expected}, a range: write BETWEEN (\"{first}\", \"{last}\")")
            }
            Written::Wrong(why) => format!("{expected}: {why}"),
            Written::Text => expected,
        };
        Err(FilterError { offset, message })
    }
}

/// What to say of a name where a constant should be.
pub fn expected_literal(name: &str) -> String {
    let name = shown(name);
    format!("expected {EXPECTED}, found `{name}`: text stands in double quotes, \"{name}\"")
}

/// `Group@name`.
pub fn is_group(name: &str) -> bool {
    let prefix = name.get(..GROUP.len());
    prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(GROUP))
}

const GROUP: &str = "Group@";
