//! The text of a filter to its expression.
//!
//! ```text
//! or     = and { OR and }
//! and    = not { AND not }
//! not    = NOT not | "(" or ")" | test
//! test   = name operator operands
//! ```

use ipnet::IpNet;

use super::FilterError;
use super::attribute::{Kind, Names};
use super::check::Check;
use super::filter::{Expression, Test};
use super::literal::{self, Literal};
use super::nearest;
use super::operators::{OPERATORS, Operands, Operator};
use super::token::{Cursor, Spanned, Symbol, Token};
use crate::event::AttributeId;

/// Parentheses and NOTs within each other.
const DEPTH_MAX: usize = 64;

/// What filters of later versions may call.
const FUNCTIONS: &[&str] = &[
    "DeviceToCMDBAttr",
    "LOG",
    "TO_DOUBLE",
    "TO_INTEGER",
    "TO_STRING",
    "DayOfWeek",
    "HourOfDay",
    "IF",
    "EXTRACT",
    "LookupTableGet",
    "LookupTableHas",
    "LEN",
    "LTRIM",
    "REPLACE",
    "RTRIM",
    "SUB_STR",
    "TO_LOWER",
    "TO_UPPER",
    "TRIM",
];

/// The expression, or everything that is wrong with the text: the first syntax error, and all
/// unknown names and wrong types before it.
pub fn parse(text: &str, names: &mut Names<'_>) -> Result<Expression, Vec<FilterError>> {
    let cursor = Cursor::new(text).map_err(|error| vec![error])?;
    let mut parser = Parser {
        cursor,
        names,
        errors: Vec::new(),
        depth: 0,
    };
    match parser.whole() {
        Ok(expression) if parser.errors.is_empty() => Ok(expression),
        Ok(_) => Err(parser.errors),
        Err(error) => {
            parser.errors.push(error);
            Err(parser.errors)
        }
    }
}

struct Parser<'t, 'n, 'a> {
    cursor: Cursor<'t>,
    names: &'n mut Names<'a>,
    /// Errors that do not keep the rest from being read.
    errors: Vec<FilterError>,
    depth: usize,
}

type Parsed<T> = Result<T, FilterError>;

impl<'t> Parser<'t, '_, '_> {
    fn whole(&mut self) -> Parsed<Expression> {
        let expression = self.or()?;
        self.cursor.expect_end("AND, OR or the end")?;
        Ok(expression)
    }

    fn or(&mut self) -> Parsed<Expression> {
        let mut parts = vec![self.and()?];
        while self.cursor.take_word("OR") {
            parts.push(self.and()?);
        }
        Ok(Expression::or(parts))
    }

    fn and(&mut self) -> Parsed<Expression> {
        let mut parts = vec![self.not()?];
        while self.cursor.take_word("AND") {
            parts.push(self.not()?);
        }
        Ok(Expression::and(parts))
    }

    fn not(&mut self) -> Parsed<Expression> {
        let offset = self.cursor.peek().offset;
        if self.depth == DEPTH_MAX {
            let message = format!("nested more than {DEPTH_MAX} deep");
            return Err(FilterError { offset, message });
        }
        self.depth += 1;
        let parsed = if self.cursor.take_word("NOT") {
            self.not().map(Expression::negated)
        } else if self.cursor.take(Symbol::Open) {
            let inner = self.or()?;
            self.cursor.expect(Symbol::Close).map(|()| inner)
        } else {
            self.test()
        };
        self.depth -= 1;
        parsed
    }

    fn test(&mut self) -> Parsed<Expression> {
        let Spanned { offset, token } = self.cursor.peek().clone();
        let Token::Name(name) = token else {
            return Err(self.cursor.unexpected("an attribute, NOT or `(`"));
        };
        self.cursor.next();
        if self.cursor.peek().token == Token::Symbol(Symbol::Open) {
            return Err(FilterError {
                offset,
                message: unknown_function(name),
            });
        }
        let (attribute, kind) = match self.names.resolve(name) {
            Ok(resolved) => resolved,
            Err(message) => {
                self.errors.push(FilterError { offset, message });
                (AttributeId(0), Kind::Any)
            }
        };
        let (operator, negated) = self.operator()?;
        let offset = self.cursor.peek().offset;
        let operands = self.operands(operator)?;
        let check = operator.check(kind, operands).unwrap_or_else(|message| {
            self.errors.push(FilterError { offset, message });
            Check::IsNull
        });
        Ok(Expression::Test(Test {
            attribute,
            negated,
            check,
        }))
    }

    /// The operator, and whether it is the negative one of its pair.
    fn operator(&mut self) -> Parsed<(Operator, bool)> {
        let Spanned { offset, token } = self.cursor.next();
        match token {
            Token::Symbol(Symbol::Equal) => Ok((Operator::Equal, false)),
            Token::Symbol(Symbol::NotEqual) => Ok((Operator::Equal, true)),
            Token::Symbol(Symbol::Greater) => Ok((Operator::Greater, false)),
            Token::Symbol(Symbol::GreaterOrEqual) => Ok((Operator::GreaterOrEqual, false)),
            Token::Symbol(Symbol::Less) => Ok((Operator::Less, false)),
            Token::Symbol(Symbol::LessOrEqual) => Ok((Operator::LessOrEqual, false)),
            Token::Name(word) if word.eq_ignore_ascii_case("IS") => {
                let negated = self.cursor.take_word("NOT");
                if self.cursor.take_word("NULL") {
                    return Ok((Operator::IsNull, negated));
                }
                Err(self.cursor.unexpected("NULL or NOT NULL"))
            }
            Token::Name(word) if word.eq_ignore_ascii_case("NOT") => {
                let Spanned { offset, token } = self.cursor.next();
                Ok((by_word(offset, &token)?, true))
            }
            Token::Name(_) | Token::Text(_) | Token::Number(_) | Token::Symbol(_) | Token::End => {
                Ok((by_word(offset, &token)?, false))
            }
        }
    }

    fn operands(&mut self, operator: Operator) -> Parsed<Vec<Literal>> {
        match operator.doc().map_or(Operands::None, |doc| doc.operands) {
            Operands::None => Ok(Vec::new()),
            Operands::One => Ok(vec![self.literal()?]),
            Operands::List => {
                self.cursor.expect(Symbol::Open)?;
                let mut list = vec![self.literal()?];
                while self.cursor.take(Symbol::Comma) {
                    list.push(self.literal()?);
                }
                if !self.cursor.take(Symbol::Close) {
                    return Err(self.cursor.unexpected("`,` or `)`"));
                }
                Ok(list)
            }
            Operands::Pair => {
                self.cursor.expect(Symbol::Open)?;
                let first = self.literal()?;
                self.cursor.expect(Symbol::Comma)?;
                let second = self.literal()?;
                self.cursor.expect(Symbol::Close)?;
                Ok(vec![first, second])
            }
        }
    }

    fn literal(&mut self) -> Parsed<Literal> {
        let Spanned { offset, token } = self.cursor.peek().clone();
        let wrong = |message: String| Err(FilterError { offset, message });
        let expected = "text in double quotes or a number";
        match token {
            Token::Text(text) => {
                self.cursor.next();
                Ok(Literal::Text(text))
            }
            Token::Number(number) => {
                self.cursor.next();
                Ok(Literal::Number(number))
            }
            Token::Symbol(Symbol::Minus) => {
                self.cursor.next();
                match self.cursor.next().token {
                    Token::Number(number) => Ok(Literal::Number(number.negated())),
                    Token::Name(_) | Token::Text(_) | Token::Symbol(_) | Token::End => {
                        wrong("expected a number after `-`".to_string())
                    }
                }
            }
            Token::Name(name) => {
                self.cursor.next();
                if name.to_ascii_lowercase().starts_with("group@") {
                    return wrong(format!(
                        "`{name}`: groups and watch lists are not supported yet"
                    ));
                }
                if self.cursor.peek().token != Token::Symbol(Symbol::Open) {
                    return wrong(format!(
                        "expected {expected}, found `{name}`: text stands in \
                        double quotes, \"{name}\""
                    ));
                }
                if name.eq_ignore_ascii_case("cidr") {
                    return self.network().map(Literal::Network);
                }
                wrong(unknown_function(name))
            }
            Token::Symbol(_) | Token::End => Err(self.cursor.unexpected(expected)),
        }
    }

    /// `("10.0.0.0/8")`, after `cidr`.
    fn network(&mut self) -> Parsed<IpNet> {
        self.cursor.expect(Symbol::Open)?;
        let Spanned { offset, token } = self.cursor.next();
        let network = match &token {
            Token::Text(text) => literal::network(text),
            Token::Name(_) | Token::Number(_) | Token::Symbol(_) | Token::End => None,
        };
        let network = network.ok_or_else(|| FilterError {
            offset,
            message: format!("expected a network such as \"10.0.0.0/8\", found {token}"),
        })?;
        self.cursor.expect(Symbol::Close)?;
        Ok(network.trunc())
    }
}

fn by_word(offset: usize, token: &Token<'_>) -> Parsed<Operator> {
    let names: Vec<&str> = OPERATORS.iter().map(|doc| doc.name).collect();
    match token {
        Token::Name(word) => Operator::by_name(word).ok_or_else(|| {
            let hint = nearest::hint(word, &names);
            FilterError {
                offset,
                message: format!("unknown operator `{word}`{hint}"),
            }
        }),
        Token::Text(_) | Token::Number(_) | Token::Symbol(_) | Token::End => {
            let message = format!("expected an operator ({}), found {token}", names.join(", "));
            Err(FilterError { offset, message })
        }
    }
}

fn unknown_function(name: &str) -> String {
    match FUNCTIONS
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name))
    {
        Some(known) => format!("the function {known} is not supported yet"),
        None => format!("unknown function `{name}`"),
    }
}
