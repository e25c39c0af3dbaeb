//! Elastic's event query language, EQL: what it asks of one event.

use super::names::{Names, Value};
use crate::rule::import::condition::Filter;
use crate::rule::import::found;
use crate::rule::import::pieces::{Piece, Pieces};
use crate::rule::number::Number;

/// Parts within each other.
const DEPTH_MAX: usize = 50;

/// Tokens of one query.
const TOKENS_MAX: usize = 100_000;

/// A piece of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A name or a keyword.
    Name(String),
    /// A text.
    Text(String),
    /// A number.
    Number(String),
    /// `==`, `[`, ..
    Sign(&'static str),
}

/// Longer ones before their beginnings.
const SIGNS: [&str; 24] = [
    "==", "!=", "<=", ">=", "![", "<", ">", ":", "(", ")", "[", "]", ",", "=", "|", "?", "+", "-",
    "*", "/", "%", "~", "!", "}",
];

/// The tokens of a query.
///
/// # Errors
///
/// It is none.
pub fn tokens(query: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = query.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '/' if rest.starts_with("//") => {
                rest = rest
                    .split_once('\n')
                    .map_or("", |(_, rest)| rest)
                    .trim_start();
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = rest
                    .split_once("*/")
                    .map_or("", |(_, rest)| rest)
                    .trim_start();
                continue;
            }
            '"' => text(rest)?,
            '`' => {
                let inner = rest.get(1..).unwrap_or_default();
                let end = inner
                    .find('`')
                    .ok_or("the query has a name without its end")?;
                (
                    Token::Name(inner.get(..end).unwrap_or_default().to_owned()),
                    end + 2,
                )
            }
            c if c.is_ascii_digit() => {
                let length = rest
                    .find(|c: char| !c.is_ascii_digit() && c != '.')
                    .unwrap_or(rest.len());
                let unit = rest.get(length..).unwrap_or_default();
                let unit = unit
                    .find(|c: char| !c.is_ascii_alphabetic())
                    .unwrap_or(unit.len());
                let length = length + unit;
                (
                    Token::Number(rest.get(..length).unwrap_or_default().to_owned()),
                    length,
                )
            }
            c if c.is_alphabetic() || matches!(c, '_' | '@') => name(rest),
            _ => {
                let sign = found::sign(rest, &SIGNS)?;
                (Token::Sign(sign), sign.len())
            }
        };
        tokens.push(token);
        if tokens.len() > TOKENS_MAX {
            return Err(format!(
                "the query has more than {TOKENS_MAX} words and signs"
            ));
        }
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

/// A name, parts of which may stand in backquotes.
fn name(rest: &str) -> (Token, usize) {
    let mut quoted = false;
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '@');
    let mut ends = rest.char_indices().filter(|(_, c)| {
        quoted ^= *c == '`';
        !quoted && *c != '`' && !is_plain(*c)
    });
    let end = ends.next().map_or(rest.len(), |(end, _)| end);
    let text: String = rest.get(..end).unwrap_or_default().replace('`', "");
    (Token::Name(text), end)
}

fn text(rest: &str) -> Result<(Token, usize), String> {
    let broken = || "the query has a text without its closing quote".to_owned();
    if let Some(inner) = rest.strip_prefix("\"\"\"") {
        let end = inner.find("\"\"\"").ok_or_else(broken)?;
        return Ok((
            Token::Text(inner.get(..end).unwrap_or_default().to_owned()),
            end + 6,
        ));
    }
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((place, c)) = chars.next() {
        match c {
            '"' => return Ok((Token::Text(text), place + 1)),
            '\\' => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, 'r')) => text.push('\r'),
                Some((_, other)) => text.push(other),
                None => return Err(broken()),
            },
            other => text.push(other),
        }
    }
    Err(broken())
}

/// Tokens, read one by one.
pub struct Cursor<'t> {
    /// All of them.
    pub tokens: &'t [Token],
    /// The next one.
    pub place: usize,
}

impl<'t> Cursor<'t> {
    /// The next token.
    pub fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.place)
    }

    /// Takes a sign, if it is next.
    pub fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(next)) if *next == sign);
        self.place += usize::from(found);
        found
    }

    /// Takes a keyword, if it is next.
    pub fn take_word(&mut self, word: &str) -> bool {
        let found =
            matches!(self.peek(), Some(Token::Name(next)) if next.eq_ignore_ascii_case(word));
        self.place += usize::from(found);
        found
    }

    /// Takes a name.
    ///
    /// # Errors
    ///
    /// Something else is next.
    pub fn name(&mut self) -> Result<String, String> {
        match self.peek() {
            Some(Token::Name(name)) => {
                self.place += 1;
                Ok(name.clone())
            }
            Some(Token::Text(_) | Token::Number(_) | Token::Sign(_)) | None => {
                Err("the query has something else where a name is expected".to_owned())
            }
        }
    }
}

/// `category where condition`.
///
/// # Errors
///
/// It is none, or says what the language cannot.
pub fn event(cursor: &mut Cursor<'_>, names: &mut Names) -> Result<Filter, String> {
    let category = match cursor.peek() {
        Some(Token::Text(text)) => {
            cursor.place += 1;
            text.clone()
        }
        Some(Token::Name(_) | Token::Number(_) | Token::Sign(_)) | None => cursor.name()?,
    };
    if category != "any" {
        names.warn("event.category is not asked for: what else is asked for says it".to_owned());
    }
    match cursor.take_word("where") {
        true => or(cursor, names, 0),
        false => Err("the query has no `where`".to_owned()),
    }
}

fn or(cursor: &mut Cursor<'_>, names: &mut Names, depth: usize) -> Result<Filter, String> {
    let mut parts = vec![and(cursor, names, depth)?];
    while cursor.take_word("or") {
        parts.push(and(cursor, names, depth)?);
    }
    Ok(Filter::Any(parts))
}

fn and(cursor: &mut Cursor<'_>, names: &mut Names, depth: usize) -> Result<Filter, String> {
    let mut parts = vec![part(cursor, names, depth)?];
    while cursor.take_word("and") {
        parts.push(part(cursor, names, depth)?);
    }
    Ok(Filter::All(parts))
}

fn part(cursor: &mut Cursor<'_>, names: &mut Names, depth: usize) -> Result<Filter, String> {
    if depth > DEPTH_MAX {
        return Err(format!("the query is nested more than {DEPTH_MAX} deep"));
    }
    if cursor.take_word("not") {
        return Ok(part(cursor, names, depth + 1)?.negated());
    }
    if cursor.take("(") {
        let inner = or(cursor, names, depth + 1)?;
        return match cursor.take(")") {
            true => Ok(inner),
            false => Err("the query has a parenthesis that is not closed".to_owned()),
        };
    }
    if cursor.take_word("true") {
        return Ok(Filter::always());
    }
    if cursor.take_word("false") {
        return Ok(Filter::never());
    }
    cursor.take("?");
    let name = cursor.name()?;
    if cursor.take("~") || cursor.peek() == Some(&Token::Sign("(")) {
        return function(&name, cursor, names);
    }
    comparison(&name, cursor, names)
}

fn comparison(name: &str, cursor: &mut Cursor<'_>, names: &mut Names) -> Result<Filter, String> {
    let negated = cursor.take_word("not");
    for (word, wild) in [("in", false), ("like", true)] {
        if cursor.take_word(word) {
            cursor.take("~");
            let filter = any_of(name, wild, cursor, names)?;
            return Ok(if negated { filter.negated() } else { filter });
        }
    }
    if cursor.take_word("regex") {
        let cased = !cursor.take("~");
        let filter = expressions(name, cased, cursor, names)?;
        return Ok(if negated { filter.negated() } else { filter });
    }
    if cursor.take(":") {
        return any_of(name, true, cursor, names);
    }
    for (sign, is_equal) in [("==", true), ("!=", false)] {
        if cursor.take(sign) {
            let filter = equal(name, cursor, names)?;
            return Ok(if is_equal { filter } else { filter.negated() });
        }
    }
    for sign in ["<=", ">=", "<", ">"] {
        if cursor.take(sign) {
            let Some(Token::Number(number)) = cursor.peek() else {
                return Err("a comparison takes a number".to_owned());
            };
            cursor.place += 1;
            return names.test(name, &Value::Compared(sign, number.clone()));
        }
    }
    let name = crate::escape::value(name);
    Err(format!("the query says nothing of `{name}` that is known"))
}

fn equal(name: &str, cursor: &mut Cursor<'_>, names: &mut Names) -> Result<Filter, String> {
    let token = cursor.peek().cloned();
    cursor.place += 1;
    match token {
        Some(Token::Name(word)) if word == "null" => Ok(names.test(name, &Value::There)?.negated()),
        Some(Token::Name(word)) if word == "true" || word == "false" => {
            names.test(name, &Value::Text(Pieces::plain(&word)))
        }
        Some(Token::Name(other)) => names.test(name, &Value::Field(other)),
        Some(Token::Text(text)) => names.test(name, &Value::Text(Pieces::plain(&text))),
        Some(Token::Number(number)) => names.test(name, &Value::Number(number)),
        Some(Token::Sign(_)) | None => {
            Err("the query has something else where a value is expected".to_owned())
        }
    }
}

/// The values that stand in parentheses, or the one without.
fn values(cursor: &mut Cursor<'_>) -> Result<Vec<Token>, String> {
    let is_list = cursor.take("(");
    let mut values = Vec::new();
    loop {
        match cursor.peek() {
            Some(value @ (Token::Text(_) | Token::Number(_) | Token::Name(_))) => {
                values.push(value.clone());
                cursor.place += 1;
            }
            Some(Token::Sign(_)) | None => {
                return Err("the query has something else where a value is expected".to_owned());
            }
        }
        if is_list && cursor.take(",") {
            continue;
        }
        return match !is_list || cursor.take(")") {
            true => Ok(values),
            false => Err("the query has a parenthesis that is not closed".to_owned()),
        };
    }
}

fn any_of(
    name: &str,
    wild: bool,
    cursor: &mut Cursor<'_>,
    names: &mut Names,
) -> Result<Filter, String> {
    let mut any = Vec::new();
    for value in values(cursor)? {
        let value = match value {
            Token::Text(text) if wild => match wildcards(&text) {
                pieces if pieces.0 == [Piece::Many] => Value::There,
                pieces => Value::Text(pieces),
            },
            Token::Text(text) | Token::Name(text) => Value::Text(Pieces::plain(&text)),
            Token::Number(number) => Value::Number(number),
            Token::Sign(_) => continue,
        };
        any.push(names.test(name, &value)?);
    }
    Ok(Filter::Any(any))
}

fn expressions(
    name: &str,
    cased: bool,
    cursor: &mut Cursor<'_>,
    names: &mut Names,
) -> Result<Filter, String> {
    let mut any = Vec::new();
    for value in values(cursor)? {
        let Token::Text(text) = value else {
            return Err("a regular expression is a text".to_owned());
        };
        any.push(names.test(name, &Value::Expression(text, cased))?);
    }
    Ok(Filter::Any(any))
}

/// `wildcard(field, "..", ..)` and the like.
fn function(function: &str, cursor: &mut Cursor<'_>, names: &mut Names) -> Result<Filter, String> {
    if !cursor.take("(") {
        return Err("the query has `~` where it is not known".to_owned());
    }
    cursor.take("?");
    let name = cursor.name()?;
    let mut texts = Vec::new();
    while cursor.take(",") {
        match cursor.peek() {
            Some(Token::Text(text)) => texts.push(text.clone()),
            Some(Token::Name(_) | Token::Number(_) | Token::Sign(_)) | None => {
                return Err(format!("the function {function} is known with texts alone"));
            }
        }
        cursor.place += 1;
    }
    if !cursor.take(")") {
        return Err(format!("the function {function} cannot be said"));
    }
    let function = function.to_ascii_lowercase();
    if function == "length" {
        return length(&name, cursor, names);
    }
    let mut any = Vec::new();
    for text in texts {
        let plain = Pieces::plain(&text);
        let value = match function.as_str() {
            "wildcard" => Value::Text(wildcards(&text)),
            "stringcontains" => Value::Text(plain.open(true, true)),
            "startswith" => Value::Text(plain.open(false, true)),
            "endswith" => Value::Text(plain.open(true, false)),
            "cidrmatch" => Value::Text(plain),
            "match" | "matchlite" => Value::Expression(text, true),
            _ => return Err(format!("the function {function} has no counterpart")),
        };
        any.push(names.test(&name, &value)?);
    }
    Ok(Filter::Any(any))
}

fn length(name: &str, cursor: &mut Cursor<'_>, names: &mut Names) -> Result<Filter, String> {
    let part = names.field(name)?.part;
    for (sign, operator) in [
        ("==", "="),
        ("<=", "<="),
        (">=", ">="),
        ("<", "<"),
        (">", ">"),
    ] {
        if cursor.take(sign) {
            let Some(Token::Number(number)) = cursor.peek() else {
                return Err("a length is compared with a number".to_owned());
            };
            cursor.place += 1;
            Number::parse(number).ok_or("a length is compared with a number")?;
            return Ok(Filter::Native(format!("LEN({part}) {operator} {number}")));
        }
    }
    Err("a length is compared with a number".to_owned())
}

fn wildcards(text: &str) -> Pieces {
    let mut pieces = Pieces::default();
    for c in text.chars() {
        match c {
            '*' => pieces.wildcard(Piece::Many),
            '?' => pieces.wildcard(Piece::One),
            other => pieces.push(other),
        }
    }
    pieces
}
