//! The text of a filter to its expression.
//!
//! ```text
//! or     = and { OR and }
//! and    = not { AND not }
//! not    = NOT not | test
//! test   = value operator operands | "(" or ")"
//! ```
//!
//! Values are read by [`super::scalar_parser`].

use super::FilterError;
use super::attribute::{Kind, Names};
use super::bounds::{DEPTH_MAX, ERRORS_MAX, TESTS_MAX, VALUES_MAX};
use super::check::Check;
use super::formula::{Making, Reads};
use super::lists::Lists;
use super::literal::{Literal, Set};
use super::literal_parser::{expected_literal, is_group};
use super::nearest::{self, shown};
use super::number::Number;
use super::operator::Operator;
use super::operators::{OPERATORS, Operands};
use super::parser::{Parsed, Parser, Part};
use super::scope::{Age, Scope};
use super::token::{Cursor, Spanned, Symbol, Token};
use super::tree::{Against, Computed, Expression, Lookup, Scalar, Test};
use super::{contradiction, depth};

/// The expression, or everything that is wrong with the text: the first syntax error, and all
/// unknown names and wrong types before it. With it come those lists that it names.
pub fn parse(
    text: &str,
    names: &mut Names<'_>,
    scope: &mut Scope<'_>,
) -> Result<(Expression, Lists), Vec<FilterError>> {
    let mut cursor = Cursor::new(text).map_err(|error| vec![error])?;
    let mut parser = Parser {
        cursor: &mut cursor,
        names,
        scope,
        formulas: &[],
        used: Lists::default(),
        errors: Vec::new(),
        depth: 0,
        operations: 0,
        tests: 0,
    };
    match parser.whole() {
        Ok(expression) if parser.errors.is_empty() => Ok((expression, parser.used)),
        Ok(_) => Err(parser.errors),
        Err(error) => {
            parser.errors.push(error);
            Err(parser.errors)
        }
    }
}

/// The computed value that `text` says, or everything that is wrong with it; and the lists that it
/// names.
pub fn parse_value(
    text: &str,
    names: &mut Names<'_>,
    scope: &mut Scope<'_>,
) -> Result<(Scalar, Lists), Vec<FilterError>> {
    let mut cursor = Cursor::new(text).map_err(|error| vec![error])?;
    let mut errors = Vec::new();
    let mut making = Making {
        cursor: &mut cursor,
        names,
        scope,
        reads: &mut Reads::default(),
        errors: &mut errors,
    };
    let read = value(&mut making).and_then(|read| {
        making.cursor.expect_end("an operator or the end")?;
        Ok(read)
    });
    match read {
        Ok(read) if errors.is_empty() => Ok(read),
        Ok(_) => Err(errors),
        Err(error) => {
            errors.push(error);
            Err(errors)
        }
    }
}

/// The computed value that begins here, and the lists that it names.
pub fn value(making: &mut Making<'_, '_, '_, '_>) -> Parsed<(Scalar, Lists)> {
    let before = making.errors.len();
    let mut parser = Parser {
        cursor: &mut *making.cursor,
        names: &mut *making.names,
        scope: &mut *making.scope,
        formulas: &making.reads.formulas,
        used: Lists::default(),
        errors: Vec::new(),
        depth: 1,
        operations: 0,
        tests: 0,
    };
    let read = parser.argument();
    let (used, is_new) = (parser.used, parser.scope.age == Age::New);
    making.errors.append(&mut parser.errors);
    let (value, offset) = read?;
    if let Spanned {
        offset,
        token:
            Token::Name(_)
            | Token::Symbol(
                Symbol::Equal
                | Symbol::NotEqual
                | Symbol::Greater
                | Symbol::GreaterOrEqual
                | Symbol::Less
                | Symbol::LessOrEqual,
            ),
    } = *making.cursor.peek()
    {
        let message = "expected a value, found a test: IF(test, 1, 0) makes one of it".to_string();
        return Err(FilterError { offset, message });
    }
    if is_new && depth::of_scalar(&value) >= DEPTH_MAX {
        let FilterError { message, .. } = depth::too_deep();
        return Err(FilterError { offset, message });
    }
    if making.errors.len() == before && !value.reads() {
        let message = "this value reads nothing of the event".to_string();
        making.errors.push(FilterError { offset, message });
    }
    Ok((value, used))
}

impl Parser<'_, '_, '_, '_> {
    /// A test to the end of the text.
    fn all(&mut self) -> Parsed<Expression> {
        let expression = self.or()?;
        let expression = self.as_test(expression)?;
        self.cursor.expect_end("AND, OR or the end")?;
        Ok(expression)
    }

    fn whole(&mut self) -> Parsed<Expression> {
        let expression = self.all()?;
        if self.scope.age == Age::New && depth::of_filter(&expression) > DEPTH_MAX {
            return Err(depth::too_deep());
        }
        Ok(expression)
    }

    pub fn or(&mut self) -> Parsed<Part> {
        let first = self.and()?;
        if !self.at_word("OR") {
            return Ok(first);
        }
        let mut parts = vec![self.as_test(first)?];
        while self.cursor.take_word("OR") {
            let part = self.and()?;
            parts.push(self.as_test(part)?);
        }
        Ok(Part::Test(Expression::or(parts)))
    }

    fn and(&mut self) -> Parsed<Part> {
        let mut offsets = vec![self.cursor.peek().offset];
        let first = self.not()?;
        let mut parts = match first {
            Part::Value(..) if !self.at_word("AND") => return Ok(first),
            Part::Value(..) | Part::Test(_) => vec![self.as_test(first)?],
        };
        while self.cursor.take_word("AND") {
            offsets.push(self.cursor.peek().offset);
            let part = self.not()?;
            parts.push(self.as_test(part)?);
        }
        // What could not be read stands for something else by now.
        if self.scope.age == Age::New && self.errors.is_empty() {
            let placed = parts.iter().zip(offsets);
            let placed: Vec<_> = placed
                .map(|(expression, offset)| contradiction::Part { expression, offset })
                .collect();
            self.errors.extend(contradiction::find(&placed, self.names));
        }
        Ok(Part::Test(Expression::and(parts)))
    }

    fn not(&mut self) -> Parsed<Part> {
        if !self.at_word("NOT") {
            return self.test();
        }
        self.deeper(|parser| {
            parser.cursor.next();
            let inner = parser.not()?;
            Ok(Part::Test(parser.as_test(inner)?.negated()))
        })
    }

    /// Reads something within something else, up to a depth.
    pub fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == DEPTH_MAX {
            let offset = self.cursor.peek().offset;
            let message = format!("nested more than {DEPTH_MAX} deep");
            return Err(FilterError { offset, message });
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn at_word(&self, word: &str) -> bool {
        matches!(self.cursor.peek().token, Token::Name(name) if name.eq_ignore_ascii_case(word))
    }

    /// The test that was read; a value alone lacks an operator, which should be the next token.
    pub fn as_test(&mut self, part: Part) -> Parsed<Expression> {
        match part {
            Part::Test(test) => Ok(test),
            Part::Value(value @ Scalar::Lookup(Lookup { column: None, .. }), _) => {
                let one = Set::new(vec![Literal::Number(Number::Integer(1))]);
                Ok(expression(Computed {
                    value,
                    negated: false,
                    against: Against::Check(Check::In(one)),
                }))
            }
            Part::Value(..) => {
                let Spanned { offset, token } = self.cursor.peek();
                by_word(*offset, token).and(Err(self.cursor.unexpected("an operator")))
            }
        }
    }

    fn test(&mut self) -> Parsed<Part> {
        let start = self.cursor.peek().offset;
        let (value, kind) = match self.sum()? {
            Part::Value(value, kind) if !self.is_over() => (value, kind),
            part @ (Part::Value(..) | Part::Test(_)) => return Ok(part),
        };
        let (operator, negated) = self.operator()?;
        let offset = self.cursor.peek().offset;
        let against = if operator.compares() {
            match self.right()? {
                Right::Literal(literal) => Operand::Literals(vec![literal]),
                Right::Value(value) => Operand::Value(value),
            }
        } else {
            Operand::Literals(self.operands(operator)?)
        };
        let against = match against {
            Operand::Value(other) => Against::Value(operator, other),
            Operand::Literals(literals) => {
                Against::Check(self.check(operator, kind, literals, offset)?)
            }
        };
        let test = Computed {
            value,
            negated,
            against,
        };
        self.count_test(start)?;
        let fault = if !test.reads() {
            Some("this test reads nothing of the event")
        } else if self.scope.age == Age::New && contradiction::is_impossible(&test) {
            Some("this can never hold: the function gives no such number")
        } else {
            None
        };
        self.errors.extend(fault.map(|message| FilterError {
            offset: start,
            message: message.to_string(),
        }));
        Ok(Part::Test(expression(test)))
    }

    /// The filter that macros call `name`, in place of the word at `offset`.
    pub fn shared(&mut self, name: &str, offset: usize) -> Parsed<Expression> {
        self.count_test(offset)?;
        // Of macros within others the innermost is named.
        let placed = |error: FilterError| FilterError {
            offset,
            message: match error.message.starts_with(IN_MACRO) {
                true => error.message,
                false => format!("{IN_MACRO} `{}`: {}", shown(name), error.message),
            },
        };
        let text = self.scope.macro_filter(name);
        let text = text.map_err(|message| FilterError { offset, message })?;
        let mut cursor = Cursor::new(&text).map_err(placed)?;
        self.deeper(|outer| {
            let mut parser = Parser {
                cursor: &mut cursor,
                names: &mut *outer.names,
                scope: &mut *outer.scope,
                formulas: outer.formulas,
                used: Lists::default(),
                errors: Vec::new(),
                depth: outer.depth,
                operations: outer.operations,
                tests: outer.tests,
            };
            let read = parser.all();
            let Parser {
                used,
                errors,
                operations,
                tests,
                ..
            } = parser;
            (outer.operations, outer.tests) = (operations, tests);
            outer.used.extend(&used);
            outer.errors.extend(errors.into_iter().map(placed));
            read.map_err(placed)
        })
    }

    /// One more test, unless there are too many, or more errors than anybody wants to read.
    fn count_test(&mut self, offset: usize) -> Parsed<()> {
        self.tests += 1;
        let message = if self.tests > TESTS_MAX {
            format!("more than {TESTS_MAX} tests in one filter: use IN, or a list (`Group@name`)")
        } else if self.errors.len() >= ERRORS_MAX {
            "there are more errors: correct those before first".to_string()
        } else {
            return Ok(());
        };
        Err(FilterError { offset, message })
    }

    /// The check of a test. What is wrong with it does not keep the rest from being read.
    fn check(
        &mut self,
        operator: Operator,
        kind: Kind,
        literals: Vec<Literal>,
        offset: usize,
    ) -> Parsed<Check> {
        match operator.check(kind, literals, self.scope) {
            Ok(check) => Ok(check),
            Err(message) if self.scope.regexps.is_spent() => Err(FilterError { offset, message }),
            Err(message) => {
                self.errors.push(FilterError { offset, message });
                Ok(Check::IsNull)
            }
        }
    }

    /// Whether what was read must stand alone: nothing that could be an operator follows.
    fn is_over(&self) -> bool {
        match self.cursor.peek().token {
            Token::End | Token::Symbol(Symbol::Close | Symbol::Comma) => true,
            Token::Name(_) => self.at_word("AND") || self.at_word("OR"),
            Token::Text(_) | Token::Number(_) | Token::Symbol(_) => false,
        }
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

    /// What `=`, `>` and the like compare with: a constant, or an attribute or more.
    fn right(&mut self) -> Parsed<Right> {
        let Spanned { offset, token } = self.cursor.peek().clone();
        if let Token::Name(name) = token {
            let called = *self.cursor.peek_second() == Token::Symbol(Symbol::Open);
            if called && name.eq_ignore_ascii_case("cidr") || is_group(name) {
                return self.literal().map(Right::Literal);
            }
            if !called && self.names.resolve(name).is_err() {
                let message = expected_literal(name);
                return Err(FilterError { offset, message });
            }
        }
        match self.sum()? {
            Part::Value(Scalar::Text(text), _) => Ok(Right::Literal(Literal::Text(text))),
            Part::Value(Scalar::Number(number), _) => Ok(Right::Literal(Literal::Number(number))),
            Part::Value(value, _) => Ok(Right::Value(value)),
            Part::Test(_) => {
                let message = "expected a value, found a test".to_string();
                Err(FilterError { offset, message })
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
                    if list.len() == VALUES_MAX {
                        let offset = self.cursor.peek().offset;
                        let message =
                            format!("more than {VALUES_MAX} values: use a list (`Group@name`)");
                        return Err(FilterError { offset, message });
                    }
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
}

/// What errors within macros begin with.
const IN_MACRO: &str = "in the macro";

/// What stands to the right of a comparison.
enum Right {
    Literal(Literal),
    Value(Scalar),
}

enum Operand {
    Literals(Vec<Literal>),
    Value(Scalar),
}

/// A test in its simplest form.
fn expression(test: Computed) -> Expression {
    match test {
        Computed {
            value: Scalar::Attribute(attribute),
            negated,
            against: Against::Check(check),
        } => Expression::Test(Test {
            attribute,
            negated,
            check,
        }),
        test => Expression::Computed(Box::new(test)),
    }
}

fn by_word(offset: usize, token: &Token<'_>) -> Parsed<Operator> {
    let names: Vec<&str> = OPERATORS.iter().map(|doc| doc.name).collect();
    match token {
        Token::Name(word) => Operator::by_name(word).ok_or_else(|| {
            let hint = nearest::hint(word, &names);
            FilterError {
                offset,
                message: format!("unknown operator `{}`{hint}", shown(word)),
            }
        }),
        Token::Text(_) | Token::Number(_) | Token::Symbol(_) | Token::End => {
            let message = format!("expected an operator ({}), found {token}", names.join(", "));
            Err(FilterError { offset, message })
        }
    }
}
