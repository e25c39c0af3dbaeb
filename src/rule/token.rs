//! Words, strings, numbers and signs of a filter, a `having`, a condition or an incident value.

use super::nearest::shown;
use super::number::Number;
use super::{Arithmetic, FilterError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Open,
    Close,
    Comma,
    Plus,
    Minus,
    Star,
    Slash,
}

/// Longer spellings stand before their own beginnings.
const SYMBOLS: &[(&str, Symbol)] = &[
    ("!=", Symbol::NotEqual),
    (">=", Symbol::GreaterOrEqual),
    ("<=", Symbol::LessOrEqual),
    ("=", Symbol::Equal),
    (">", Symbol::Greater),
    ("<", Symbol::Less),
    ("(", Symbol::Open),
    (")", Symbol::Close),
    (",", Symbol::Comma),
    ("+", Symbol::Plus),
    ("-", Symbol::Minus),
    ("*", Symbol::Star),
    ("/", Symbol::Slash),
];

/// What people write out of habit, and what it is called here.
const FOREIGN: &[(&str, &str)] = &[
    ("==", "equality is written `=`"),
    ("<>", "inequality is written `!=`"),
    ("&&", "write AND"),
    ("||", "write OR"),
    ("!", "write NOT, or `!=`"),
    ("'", "text stands in double quotes: \"..\""),
    ("`", "text stands in double quotes: \"..\""),
];

#[derive(Clone, Debug, PartialEq)]
pub enum Token<'t> {
    /// A keyword, an attribute, a function or a pattern, as written: `user`,
    /// `record.a."odd key"`, `record.a[b = "x"].c`, `Filter.user`.
    Name(&'t str),
    /// A string without its quotes, escapes resolved.
    Text(String),
    Number(Number),
    Symbol(Symbol),
    End,
}

#[derive(Clone, Debug)]
pub struct Spanned<'t> {
    /// Of its first byte in the text.
    pub offset: usize,
    pub token: Token<'t>,
}

impl std::fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::Name(name) => write!(f, "`{}`", shown(name)),
            Token::Text(text) => write!(f, "the text \"{}\"", shown(text)),
            Token::Number(number) => write!(f, "the number {number}"),
            Token::Symbol(symbol) => {
                let spelling = SYMBOLS.iter().find(|(_, known)| known == symbol);
                write!(f, "`{}`", spelling.map_or("", |(spelling, _)| spelling))
            }
            Token::End => write!(f, "the end"),
        }
    }
}

/// The tokens of a text, read one by one.
pub struct Cursor<'t> {
    tokens: Vec<Spanned<'t>>,
    place: usize,
    end: Spanned<'t>,
}

impl<'t> Cursor<'t> {
    /// Takes `+` or `-`, if it is next.
    pub fn take_sum(&mut self) -> Option<Arithmetic> {
        if self.take(Symbol::Plus) {
            Some(Arithmetic::Add)
        } else {
            self.take(Symbol::Minus).then_some(Arithmetic::Subtract)
        }
    }

    /// Takes `*` or `/`, if it is next.
    pub fn take_product(&mut self) -> Option<Arithmetic> {
        if self.take(Symbol::Star) {
            Some(Arithmetic::Multiply)
        } else {
            self.take(Symbol::Slash).then_some(Arithmetic::Divide)
        }
    }

    pub fn new(text: &'t str) -> Result<Cursor<'t>, FilterError> {
        let mut tokens = Vec::new();
        let mut offset = 0;
        loop {
            let rest = text.get(offset..).unwrap_or_default();
            let blank = rest.len() - rest.trim_start().len();
            offset += blank;
            let rest = rest.trim_start();
            if rest.is_empty() {
                let end = Spanned {
                    offset: text.len(),
                    token: Token::End,
                };
                return Ok(Cursor {
                    tokens,
                    place: 0,
                    end,
                });
            }
            let (token, length) = token(rest).map_err(|(at, message)| FilterError {
                offset: offset + at,
                message,
            })?;
            tokens.push(Spanned { offset, token });
            offset += length;
        }
    }

    pub fn peek(&self) -> &Spanned<'t> {
        self.tokens.get(self.place).unwrap_or(&self.end)
    }

    /// The token after the next one.
    pub fn peek_second(&self) -> &Token<'t> {
        let second = self.tokens.get(self.place + 1).unwrap_or(&self.end);
        &second.token
    }

    pub fn next(&mut self) -> Spanned<'t> {
        let next = self.peek().clone();
        self.place += 1;
        next
    }

    /// Takes the next token if it is `symbol`.
    pub fn take(&mut self, symbol: Symbol) -> bool {
        let found = self.peek().token == Token::Symbol(symbol);
        self.place += usize::from(found);
        found
    }

    /// Takes the next token if it is the keyword `word`, in any case.
    pub fn take_word(&mut self, word: &str) -> bool {
        let found =
            matches!(self.peek().token, Token::Name(name) if name.eq_ignore_ascii_case(word));
        self.place += usize::from(found);
        found
    }

    pub fn expect(&mut self, symbol: Symbol) -> Result<(), FilterError> {
        if self.take(symbol) {
            return Ok(());
        }
        Err(self.unexpected(&Token::Symbol(symbol).to_string()))
    }

    pub fn expect_end(&self, expected: &str) -> Result<(), FilterError> {
        if self.peek().token == Token::End {
            Ok(())
        } else {
            Err(self.unexpected(expected))
        }
    }

    /// The error that here stands something else than `expected`.
    pub fn unexpected(&self, expected: &str) -> FilterError {
        let Spanned { offset, token } = self.peek();
        FilterError {
            offset: *offset,
            message: format!("expected {expected}, found {token}"),
        }
    }
}

/// The token at the beginning of `rest`, and its length in bytes.
fn token(rest: &str) -> Result<(Token<'_>, usize), (usize, String)> {
    let first = rest.chars().next().unwrap_or_default();
    if first == '"' {
        let (text, length) = quoted(rest)?;
        return Ok((Token::Text(text), length));
    }
    if first.is_ascii_digit() {
        return number(rest);
    }
    if is_name(first) {
        let length = name(rest)?;
        return Ok((Token::Name(rest.get(..length).unwrap_or(rest)), length));
    }
    let spelled = |(spelling, _): &&(&str, Symbol)| rest.starts_with(spelling);
    let symbol = SYMBOLS.iter().find(spelled);
    let foreign = FOREIGN
        .iter()
        .find(|(spelling, _)| rest.starts_with(spelling));
    match (symbol, foreign) {
        (Some((spelling, symbol)), None) => Ok((Token::Symbol(*symbol), spelling.len())),
        (Some((spelling, symbol)), Some(_)) if *spelling == "!=" => {
            Ok((Token::Symbol(*symbol), spelling.len()))
        }
        (_, Some((spelling, advice))) => Err((0, format!("found `{spelling}`: {advice}"))),
        (None, None) => Err((0, format!("found `{first}`, which means nothing here"))),
    }
}

fn is_name(c: char) -> bool {
    // `@` occurs in `Group@name`.
    c.is_alphanumeric() || c == '_' || c == '@'
}

fn number(rest: &str) -> Result<(Token<'_>, usize), (usize, String)> {
    let mut before = ' ';
    let is_part = |c: &char| {
        let sign_of_exponent = matches!(c, '+' | '-') && matches!(before, 'e' | 'E');
        before = *c;
        is_name(*c) || *c == '.' || sign_of_exponent
    };
    let length = rest.chars().take_while(is_part).map(char::len_utf8).sum();
    let written = rest.get(..length).unwrap_or(rest);
    let number = Number::parse(written).ok_or_else(|| {
        (
            0,
            format!(
                "`{}` is not a number; addresses and other text stand in double quotes",
                shown(written)
            ),
        )
    })?;
    Ok((Token::Number(number), length))
}

/// The length of a name with its dots and quoted segments.
fn name(rest: &str) -> Result<usize, (usize, String)> {
    let plain = |at: usize| -> usize {
        let rest = rest.get(at..).unwrap_or_default();
        rest.chars()
            .take_while(|c| is_name(*c))
            .map(char::len_utf8)
            .sum()
    };
    let behind = |at: usize| rest.get(at..).unwrap_or_default();
    let at = |place: usize| move |(at, message): (usize, String)| (place + at, message);
    let mut length = plain(0);
    loop {
        length += if behind(length).starts_with('[') {
            brackets(behind(length)).map_err(at(length))?
        } else if let Some(segment) = behind(length).strip_prefix('.') {
            let quoted = segment.starts_with('"').then(|| quoted(segment));
            match quoted.transpose().map_err(at(length + 1))? {
                Some((_, length)) => 1 + length,
                None => 1 + plain(length + 1),
            }
        } else {
            return Ok(length);
        };
    }
}

/// The length of what stands in brackets within a name, with them.
fn brackets(rest: &str) -> Result<usize, (usize, String)> {
    let mut at = 1;
    while let Some(next) = rest.get(at..).and_then(|rest| rest.chars().next()) {
        at += match next {
            ']' => return Ok(at + 1),
            '"' => {
                let text = rest.get(at..).unwrap_or_default();
                quoted(text)
                    .map_err(|(within, message)| (at + within, message))?
                    .1
            }
            other => other.len_utf8(),
        };
    }
    Err((0, "this `[` has no closing `]`".to_string()))
}

/// A string in double quotes without them, and its length with them.
fn quoted(rest: &str) -> Result<(String, usize), (usize, String)> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((text, at + 1)),
            '\\' => match chars.next() {
                Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                Some((_, other)) => {
                    let advice = "in a string a backslash is written `\\\\`, a quote `\\\"`";
                    return Err((at, format!("found `\\{other}`: {advice}")));
                }
                None => break,
            },
            _ => text.push(c),
        }
    }
    Err((0, "this string has no closing double quote".to_string()))
}

/// `text` as a string of the language, in quotes.
pub fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
