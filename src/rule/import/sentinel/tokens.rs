//! The tokens of a query, and its parts.

use crate::rule::import::found;

/// A piece of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A name, a keyword or a number; also `!in` and the like.
    Word(String),
    /// A text.
    Text(String),
    /// `==`, `|`, ..
    Sign(&'static str),
}

/// Longer ones before their beginnings.
const SIGNS: [&str; 29] = [
    "==", "=~", "!=", "!~", "<=", ">=", "..", "<", ">", "=", "|", "(", ")", "[", "]", "{", "}",
    ",", ";", ".", "+", "-", "*", "/", "%", ":", "?", "!", "~",
];

/// Tokens of one query.
const TOKENS_MAX: usize = 100_000;

/// The tokens of a query, without comments.
///
/// # Errors
///
/// It has something that no query has.
pub fn tokens(query: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = query.trim_start();
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest
                .split_once('\n')
                .map_or("", |(_, rest)| rest)
                .trim_start();
            continue;
        }
        if tokens.len() >= TOKENS_MAX {
            return Err(format!(
                "the query has more than {TOKENS_MAX} words and signs"
            ));
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let raw = rest.strip_prefix(['@', 'h', 'H']);
        let (token, length) = match (first, raw) {
            ('"' | '\'', _) => text(rest, false)?,
            (_, Some(inner)) if inner.starts_with(['"', '\'']) => {
                let (token, length) = text(inner, first == '@')?;
                (token, length + 1)
            }
            ('!', _)
                if rest
                    .get(1..)
                    .is_some_and(|inner| inner.starts_with(char::is_alphabetic)) =>
            {
                let inner = rest.get(1..).unwrap_or_default();
                let length = inner
                    .find(|c| !is_word(c) && c != '~')
                    .unwrap_or(inner.len())
                    + 1;
                (
                    Token::Word(rest.get(..length).unwrap_or_default().to_owned()),
                    length,
                )
            }
            (c, _) if is_word(c) => {
                let mut length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                let word = rest.get(..length).unwrap_or_default();
                if word.eq_ignore_ascii_case("in")
                    && rest.get(length..).is_some_and(|r| r.starts_with('~'))
                {
                    length += 1;
                }
                (
                    Token::Word(rest.get(..length).unwrap_or_default().to_owned()),
                    length,
                )
            }
            _ => {
                let sign = found::sign(rest, &SIGNS)?;
                (Token::Sign(sign), sign.len())
            }
        };
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

fn text(rest: &str, verbatim: bool) -> Result<(Token, usize), String> {
    let end = rest.chars().next().unwrap_or('"');
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((place, c)) = chars.next() {
        match c {
            c if c == end => return Ok((Token::Text(text), place + 1)),
            '\\' if !verbatim => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, other)) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    Err("the query has a text without its closing quote".to_owned())
}

/// The parts of a list between these signs, outside parentheses.
pub fn split<'t>(tokens: &'t [Token], sign: &str) -> Vec<&'t [Token]> {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut begin = 0;
    for (place, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign("(" | "[" | "{") => depth += 1,
            Token::Sign(")" | "]" | "}") => depth = depth.saturating_sub(1),
            Token::Sign(found) if *found == sign && depth == 0 => {
                parts.push(tokens.get(begin..place).unwrap_or_default());
                begin = place + 1;
            }
            Token::Sign(_) | Token::Word(_) | Token::Text(_) => {}
        }
    }
    parts.push(tokens.get(begin..).unwrap_or_default());
    parts
}

/// A word of a part, if there is one at this place.
pub fn word(tokens: &[Token], place: usize) -> &str {
    match tokens.get(place) {
        Some(Token::Word(word)) => word,
        Some(Token::Text(_) | Token::Sign(_)) | None => "",
    }
}
