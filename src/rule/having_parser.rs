//! The text of a `having` to its test.
//!
//! ```text
//! or         = and { OR and }
//! and        = comparison { AND comparison }
//! comparison = sum [ ( "=" | "!=" | ">" | ">=" | "<" | "<=" ) sum ]
//! sum        = product { ( "+" | "-" ) product }
//! product    = primary { ( "*" | "/" ) primary }
//! primary    = number | aggregate | "(" or ")"
//! ```

use super::attribute::Names;
use super::bounds::{AGGREGATES_MAX, COMPARISONS_MAX, DEPTH_MAX, ERRORS_MAX, OPERATIONS_MAX};
use super::certain::ranges;
use super::formula::{Making, Reads};
use super::having::{DISTINCT_MAX, place};
use super::lists::Lists;
use super::number::Number;
use super::scope::{Age, Scope};
use super::token::{Cursor, Spanned, Symbol, Token};
use super::{Arithmetic, Comparison, FilterError, Having, Term, aggregates, depth};

impl Having {
    /// The test that `text` says, without lists. Aggregates, and what they are computed of, are
    /// added to `reads` unless they are there.
    pub fn parse(
        text: &str,
        names: &mut Names<'_>,
        reads: &mut Reads,
    ) -> Result<Having, Vec<FilterError>> {
        let lists = Lists::default();
        Having::parse_with(text, names, reads, &mut Scope::of(&lists))
    }

    pub(super) fn parse_with(
        text: &str,
        names: &mut Names<'_>,
        reads: &mut Reads,
        scope: &mut Scope<'_>,
    ) -> Result<Having, Vec<FilterError>> {
        let cursor = Cursor::new(text).map_err(|error| vec![error])?;
        let mut parser = Parser {
            cursor,
            names,
            reads,
            errors: Vec::new(),
            scope,
            depth: 0,
            operations: 0,
            comparisons: 0,
        };
        match parser.whole() {
            Ok(having) if parser.errors.is_empty() => Ok(having),
            Ok(_) => Err(parser.errors),
            Err(error) => {
                parser.errors.push(error);
                Err(parser.errors)
            }
        }
    }
}

struct Parser<'t, 'n, 'a, 's> {
    cursor: Cursor<'t>,
    names: &'n mut Names<'a>,
    reads: &'n mut Reads,
    errors: Vec<FilterError>,
    scope: &'n mut Scope<'s>,
    depth: usize,
    /// Arithmetic, and comparisons, so far.
    operations: usize,
    comparisons: usize,
}

/// A parenthesis may hold a number or a test; which one shows only at its end.
enum Part {
    Term(Term),
    Test(Having),
}

type Parsed<T> = Result<T, FilterError>;

impl Parser<'_, '_, '_, '_> {
    fn whole(&mut self) -> Parsed<Having> {
        let offset = self.cursor.peek().offset;
        let part = self.or()?;
        self.cursor.expect_end("AND, OR or the end")?;
        let test = test(part, offset)?;
        if self.scope.age == Age::New && depth::of_having(&test) > DEPTH_MAX {
            return Err(depth::too_deep());
        }
        Ok(test)
    }

    fn or(&mut self) -> Parsed<Part> {
        let offset = self.cursor.peek().offset;
        let first = self.and()?;
        let mut rest = Vec::new();
        while self.cursor.take_word("OR") {
            let offset = self.cursor.peek().offset;
            rest.push(test(self.and()?, offset)?);
        }
        if rest.is_empty() {
            return Ok(first);
        }
        rest.insert(0, test(first, offset)?);
        Ok(Part::Test(Having::or(rest)))
    }

    fn and(&mut self) -> Parsed<Part> {
        let offset = self.cursor.peek().offset;
        let first = self.comparison()?;
        let mut rest = Vec::new();
        while self.cursor.take_word("AND") {
            let offset = self.cursor.peek().offset;
            rest.push(test(self.comparison()?, offset)?);
        }
        if rest.is_empty() {
            return Ok(first);
        }
        rest.insert(0, test(first, offset)?);
        let together = Having::and(rest);
        if self.scope.age == Age::New && !self.is_possible(&together) {
            let message = "these can never hold together".to_string();
            self.error_once(FilterError { offset, message });
        }
        Ok(Part::Test(together))
    }

    fn is_possible(&self, test: &Having) -> bool {
        test.is_possible(&ranges(&self.reads.aggregates))
    }

    /// Reports an error, unless one was that came of the same.
    fn error_once(&mut self, error: FilterError) {
        let same = |known: &FilterError| known.offset >= error.offset;
        if !self.errors.iter().any(same) {
            self.errors.push(error);
        }
    }

    fn count(&self, offset: usize, found: usize, most: usize, what: &str) -> Parsed<()> {
        if found <= most && self.errors.len() < ERRORS_MAX {
            return Ok(());
        }
        let message = if found > most {
            format!("more than {most} {what}")
        } else {
            "there are more errors: correct those before first".to_string()
        };
        Err(FilterError { offset, message })
    }

    fn comparison(&mut self) -> Parsed<Part> {
        let start = self.cursor.peek().offset;
        let left = self.sum()?;
        let comparison = match self.cursor.peek().token {
            Token::Symbol(symbol) => comparison(symbol),
            Token::Name(_) | Token::Text(_) | Token::Number(_) | Token::End => None,
        };
        let Some(comparison) = comparison else {
            return Ok(left);
        };
        self.cursor.next();
        let left = term(left, start)?;
        let offset = self.cursor.peek().offset;
        let right = term(self.sum()?, offset)?;
        self.comparisons += 1;
        let what = "comparisons in one `having`";
        self.count(start, self.comparisons, COMPARISONS_MAX, what)?;
        let has_aggregate = left.has_aggregate() || right.has_aggregate();
        let test = Having::Compare(left, comparison, right);
        let fault = if !has_aggregate {
            Some("this comparison has no aggregate, such as COUNT(*)".to_string())
        } else if test.is_beyond_counting(&self.reads.aggregates) {
            Some(format!(
                "up to {DISTINCT_MAX} different values are counted, which is too few to tell \
                 whether this comparison holds"
            ))
        } else if self.scope.age == Age::New && !self.is_possible(&test) {
            Some(
                "this can never hold: where it is tested there is at least one event, no count \
                 is less than 0, and a division by 0 has no value"
                    .to_string(),
            )
        } else {
            None
        };
        self.errors.extend(fault.map(|message| FilterError {
            offset: start,
            message,
        }));
        Ok(Part::Test(test))
    }

    fn sum(&mut self) -> Parsed<Part> {
        let start = self.cursor.peek().offset;
        let mut left = self.product()?;
        while let Some(operator) = self.cursor.take_sum() {
            let offset = self.cursor.peek().offset;
            let right = term(self.product()?, offset)?;
            self.operation(offset)?;
            left = join(term(left, start)?, operator, right);
        }
        Ok(left)
    }

    fn product(&mut self) -> Parsed<Part> {
        let start = self.cursor.peek().offset;
        let mut left = self.primary()?;
        while let Some(operator) = self.cursor.take_product() {
            let offset = self.cursor.peek().offset;
            let right = term(self.primary()?, offset)?;
            self.operation(offset)?;
            left = join(term(left, start)?, operator, right);
        }
        Ok(left)
    }

    fn primary(&mut self) -> Parsed<Part> {
        let next = self.cursor.next();
        match next.token {
            Token::Number(number) => Ok(Part::Term(Term::Number(number.as_f64()))),
            Token::Symbol(Symbol::Minus) => match self.cursor.next().token {
                Token::Number(number) => Ok(Part::Term(Term::Number(-Number::as_f64(number)))),
                Token::Name(_) | Token::Text(_) | Token::Symbol(_) | Token::End => {
                    let message = "expected a number after `-`".to_string();
                    Err(FilterError {
                        offset: next.offset,
                        message,
                    })
                }
            },
            Token::Symbol(Symbol::Open) => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    let message = format!("nested more than {DEPTH_MAX} deep");
                    return Err(FilterError {
                        offset: next.offset,
                        message,
                    });
                }
                let inner = self.or()?;
                self.cursor.expect(Symbol::Close)?;
                self.depth -= 1;
                Ok(inner)
            }
            Token::Name(_) | Token::Text(_) | Token::Symbol(_) | Token::End => {
                self.aggregate(&next).map(Part::Term)
            }
        }
    }

    fn operation(&mut self, offset: usize) -> Parsed<()> {
        self.operations += 1;
        let what = "arithmetic operations in one `having`";
        self.count(offset, self.operations, OPERATIONS_MAX, what)
    }

    fn aggregate(&mut self, word: &Spanned<'_>) -> Parsed<Term> {
        let aggregate = aggregates::parse(
            word,
            &mut Making {
                cursor: &mut self.cursor,
                names: self.names,
                scope: self.scope,
                reads: self.reads,
                errors: &mut self.errors,
            },
        )?;
        let place = place(&mut self.reads.aggregates, aggregate);
        place.map(Term::Aggregate).ok_or_else(|| FilterError {
            offset: word.offset,
            message: format!("a pattern has at most {AGGREGATES_MAX} aggregates"),
        })
    }
}

fn join(left: Term, operator: Arithmetic, right: Term) -> Part {
    Part::Term(Term::Arithmetic(Box::new(left), operator, Box::new(right)))
}

fn term(part: Part, offset: usize) -> Parsed<Term> {
    match part {
        Part::Term(term) => Ok(term),
        Part::Test(_) => {
            let message = "expected a number or an aggregate, found a test".to_string();
            Err(FilterError { offset, message })
        }
    }
}

fn test(part: Part, offset: usize) -> Parsed<Having> {
    match part {
        Part::Test(test) => Ok(test),
        Part::Term(_) => {
            let message = "expected a test such as COUNT(*) >= 1, found only a number".to_string();
            Err(FilterError { offset, message })
        }
    }
}

fn comparison(symbol: Symbol) -> Option<Comparison> {
    match symbol {
        Symbol::Equal => Some(Comparison::Equal),
        Symbol::NotEqual => Some(Comparison::NotEqual),
        Symbol::Greater => Some(Comparison::Greater),
        Symbol::GreaterOrEqual => Some(Comparison::GreaterOrEqual),
        Symbol::Less => Some(Comparison::Less),
        Symbol::LessOrEqual => Some(Comparison::LessOrEqual),
        Symbol::Open
        | Symbol::Close
        | Symbol::Comma
        | Symbol::Plus
        | Symbol::Minus
        | Symbol::Star
        | Symbol::Slash => None,
    }
}
