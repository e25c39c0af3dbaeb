//! Kibana's query language, KQL.

use super::names::{Names, Value};
use crate::rule::import::condition::Filter;
use crate::rule::import::pieces::{Piece, Pieces};
use crate::rule::number::Number;

/// Parts within each other.
const DEPTH_MAX: usize = 50;

/// Tokens of one query.
const TOKENS_MAX: usize = 100_000;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Brace,
    Colon,
    Sign(&'static str),
    /// Whether in quotes, as it is with wildcards, and as written without escapes.
    Word {
        quoted: bool,
        pieces: Pieces,
        text: String,
    },
}

/// The filter of a query.
///
/// # Errors
///
/// It is no query, or says what the language cannot.
pub fn filter(query: &str, names: &mut Names) -> Result<Filter, String> {
    let tokens = tokens(query)?;
    let mut parser = Parser {
        tokens: &tokens,
        place: 0,
        names,
    };
    let filter = parser.or(None, 0)?;
    match parser.peek() {
        None => Ok(filter),
        Some(_) => Err("the query has something behind its end".to_owned()),
    }
}

fn tokens(query: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = query.chars().peekable();
    while let Some(c) = chars.next() {
        let token = match c {
            c if c.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '{' | '}' => Token::Brace,
            ':' => Token::Colon,
            '<' | '>' => {
                let equal = chars.next_if_eq(&'=').is_some();
                Token::Sign(match (c, equal) {
                    ('<', false) => "<",
                    ('<', true) => "<=",
                    (_, false) => ">",
                    (_, true) => ">=",
                })
            }
            '"' => quoted(&mut chars)?,
            first => word(first, &mut chars),
        };
        tokens.push(token);
        if tokens.len() > TOKENS_MAX {
            return Err(format!(
                "the query has more than {TOKENS_MAX} words and signs"
            ));
        }
    }
    Ok(tokens)
}

type Chars<'q> = std::iter::Peekable<std::str::Chars<'q>>;

fn quoted(chars: &mut Chars<'_>) -> Result<Token, String> {
    let mut pieces = Pieces::default();
    let mut text = String::new();
    loop {
        let c = match chars.next() {
            None => return Err("the query has a text without its closing quote".to_owned()),
            Some('"') => break,
            Some('\\') => match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            },
            Some(other) => other,
        };
        pieces.push(c);
        text.push(c);
    }
    Ok(Token::Word {
        quoted: true,
        pieces,
        text,
    })
}

fn word(first: char, chars: &mut Chars<'_>) -> Token {
    let mut pieces = Pieces::default();
    let mut text = String::new();
    let mut next = Some(first);
    while let Some(c) = next {
        match c {
            '\\' => {
                let escaped = chars.next().unwrap_or('\\');
                pieces.push(escaped);
                text.push(escaped);
            }
            '*' => {
                pieces.wildcard(Piece::Many);
                text.push('*');
            }
            other => {
                pieces.push(other);
                text.push(other);
            }
        }
        let ends = |c: &char| {
            c.is_whitespace() || matches!(c, '(' | ')' | ':' | '<' | '>' | '"' | '{' | '}')
        };
        next = chars.next_if(|c| !ends(c));
    }
    Token::Word {
        quoted: false,
        pieces,
        text,
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    place: usize,
    names: &'t mut Names,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.place)
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.place += usize::from(found);
        found
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let found = matches!(
            self.peek(),
            Some(Token::Word { quoted: false, text, .. }) if text.eq_ignore_ascii_case(wanted)
        );
        self.place += usize::from(found);
        found
    }

    /// Parts of which one is enough: of a query or, where a field is given, of its values.
    fn or(&mut self, field: Option<&str>, depth: usize) -> Result<Filter, String> {
        let mut parts = vec![self.and(field, depth)?];
        while self.take_word("or") {
            parts.push(self.and(field, depth)?);
        }
        Ok(Filter::Any(parts))
    }

    fn and(&mut self, field: Option<&str>, depth: usize) -> Result<Filter, String> {
        let mut parts = vec![self.part(field, depth)?];
        while self.take_word("and") {
            parts.push(self.part(field, depth)?);
        }
        Ok(Filter::All(parts))
    }

    fn part(&mut self, field: Option<&str>, depth: usize) -> Result<Filter, String> {
        if depth > DEPTH_MAX {
            return Err(format!("the query is nested more than {DEPTH_MAX} deep"));
        }
        if self.take_word("not") {
            return Ok(self.part(field, depth + 1)?.negated());
        }
        if self.take(&Token::Open) {
            let inner = self.or(field, depth + 1)?;
            return match self.take(&Token::Close) {
                true => Ok(inner),
                false => Err("the query has a parenthesis that is not closed".to_owned()),
            };
        }
        match field {
            Some(field) => {
                let value = self.value()?;
                self.names.test(field, &value)
            }
            None => self.comparison(depth),
        }
    }

    fn comparison(&mut self, depth: usize) -> Result<Filter, String> {
        let Some(Token::Word { text: name, .. }) = self.peek() else {
            return Err("the query has something else where a field is expected".to_owned());
        };
        self.place += 1;
        if self.take(&Token::Colon) {
            if self.peek() == Some(&Token::Brace) {
                return Err("nested queries, `field: { .. }`, have no counterpart".to_owned());
            }
            if self.take(&Token::Open) {
                let inner = self.or(Some(name), depth + 1)?;
                return match self.take(&Token::Close) {
                    true => Ok(inner),
                    false => Err("the query has a parenthesis that is not closed".to_owned()),
                };
            }
            let value = self.value()?;
            return self.names.test(name, &value);
        }
        if let Some(Token::Sign(sign)) = self.peek() {
            self.place += 1;
            let Value::Number(number) = self.value()? else {
                return Err("a comparison takes a number".to_owned());
            };
            return self.names.test(name, &Value::Compared(sign, number));
        }
        let name = crate::escape::value(name);
        Err(format!(
            "the query looks for `{name}` in all fields, which cannot be asked for"
        ))
    }

    fn value(&mut self) -> Result<Value, String> {
        let Some(Token::Word {
            quoted,
            pieces,
            text,
        }) = self.peek()
        else {
            return Err("the query has something else where a value is expected".to_owned());
        };
        self.place += 1;
        let mut pieces = pieces.clone();
        // Words without quotes, one behind the other, are one value.
        while let (
            false,
            Some(Token::Word {
                quoted: false,
                pieces: more,
                text,
            }),
        ) = (*quoted, self.peek())
        {
            let is_word = ["and", "or", "not"]
                .iter()
                .any(|word| text.eq_ignore_ascii_case(word));
            let is_field = matches!(
                self.tokens.get(self.place + 1),
                Some(Token::Colon | Token::Sign(_))
            );
            if is_word || is_field {
                break;
            }
            self.place += 1;
            pieces.push(' ');
            for piece in more.0.clone() {
                match piece {
                    Piece::Text(text) => text.chars().for_each(|c| pieces.push(c)),
                    Piece::Many | Piece::One => pieces.wildcard(piece),
                }
            }
        }
        if pieces.0 == [Piece::Many] {
            return Ok(Value::There);
        }
        match (
            quoted,
            Number::parse(text),
            pieces.text().as_ref() == Some(text),
        ) {
            (false, Some(_), true) => Ok(Value::Number(text.clone())),
            _ => Ok(Value::Text(pieces)),
        }
    }
}
