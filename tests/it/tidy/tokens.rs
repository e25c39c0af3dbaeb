//! Rust text as tokens: enough to find imports, paths, functions and types without taking a comment
//! or a string for one.

use super::code;

/// A word, a number, a string or a sign. `::`, `->` and `=>` are one sign each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'t> {
    pub text: &'t str,
    /// The line that it stands on, from 1.
    pub line: usize,
}

impl Token<'_> {
    /// Whether it is a word: a name or a keyword.
    pub fn is_word(&self) -> bool {
        self.text
            .starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// The tokens of a text from which comments, strings and inline tests are taken out
/// ([`code::without_tests`]), without the items that only tests see.
pub fn of_code(code: &str) -> Vec<Token<'_>> {
    without_test_items(&all(code))
}

fn all(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut line, mut rest) = (1, code);
    while let Some(first) = rest.chars().next() {
        let (text, after) = rest.split_at(length(rest, first));
        if !first.is_whitespace() {
            tokens.push(Token { text, line });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    tokens
}

/// The bytes of the token, or of the blank, that `rest` begins with.
fn length(rest: &str, first: char) -> usize {
    let word = |from: usize| {
        let end = rest[from..].find(|c: char| !(c.is_alphanumeric() || c == '_'));
        end.map_or(rest.len(), |end| from + end)
    };
    match first {
        // Of quotes nothing but blanks is left within.
        '"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
        '\'' if rest[1..].starts_with(|c: char| c.is_alphabetic() || c == '_') => word(1),
        '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
        'r' if rest.starts_with("r#") => word(2),
        '0'..='9' => {
            let whole = word(0);
            let has_point = rest[whole..].starts_with('.');
            match has_point && rest[whole + 1..].starts_with(|c: char| c.is_ascii_digit()) {
                true => word(whole + 1),
                false => whole,
            }
        }
        c if c.is_alphabetic() || c == '_' => word(0),
        _ => {
            let signs = ["::", "->", "=>", "..=", ".."];
            let sign = signs.iter().find(|sign| rest.starts_with(**sign));
            sign.map_or(first.len_utf8(), |sign| sign.len())
        }
    }
}

/// Leaves out each item that stands behind `#[cfg(test)]`.
fn without_test_items<'t>(tokens: &[Token<'t>]) -> Vec<Token<'t>> {
    const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let is_test = tokens[at..]
            .iter()
            .zip(TEST)
            .all(|(t, test)| t.text == test);
        if is_test && tokens.len() - at > TEST.len() {
            at = end_of_item(tokens, at + TEST.len());
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// The place after the item that begins at `start`: behind its `;` or its last brace.
fn end_of_item(tokens: &[Token<'_>], start: usize) -> usize {
    let mut at = start;
    let is_use = || {
        let words = tokens[start..].iter().filter(|token| token.is_word());
        let mut words = words.skip_while(|word| ["pub", "crate", "super"].contains(&word.text));
        words.next().is_some_and(|word| word.text == "use")
    };
    let is_use = is_use();
    while at < tokens.len() {
        match tokens[at].text {
            ";" => return at + 1,
            "{" => {
                at = closing(tokens, at) + 1;
                if !is_use {
                    return at;
                }
            }
            "(" | "[" => at = closing(tokens, at) + 1,
            _ => at += 1,
        }
    }
    at
}

/// The place of the bracket that closes the one at `open`; the end where none does.
pub fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => (),
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len() - 1
}

/// The place of the `>` that closes the `<` at `open`; brackets within count as one.
pub fn closing_angle(tokens: &[Token<'_>], open: usize) -> usize {
    let (mut depth, mut at) = (0, open);
    while at < tokens.len() {
        match tokens[at].text {
            "<" => depth += 1,
            ">" => depth -= 1,
            "(" | "[" | "{" => at = closing(tokens, at),
            _ => (),
        }
        if depth == 0 {
            return at;
        }
        at += 1;
    }
    tokens.len() - 1
}

/// The parts between commas that stand in no bracket of any kind.
pub fn parts<'a, 't>(tokens: &'a [Token<'t>]) -> Vec<&'a [Token<'t>]> {
    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
    while at < tokens.len() {
        match tokens[at].text {
            "(" | "[" | "{" => at = closing(tokens, at),
            "<" => at = closing_angle(tokens, at),
            "," => {
                parts.push(&tokens[from..at]);
                from = at + 1;
            }
            _ => (),
        }
        at += 1;
    }
    if from < tokens.len() {
        parts.push(&tokens[from..]);
    }
    parts
}

/// The tokens of a whole file.
fn check(text: &str, expected: &[&str]) {
    let code = code::without_tests(text);
    let found: Vec<&str> = of_code(&code).iter().map(|token| token.text).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn tokens_are_found() {
    check(
        "use a::b; // c\nlet x = 'x'; f::<'a>(\"y\", 1..=2.5) -> r#in",
        &[
            "use", "a", "::", "b", ";", "let", "x", "=", "' '", ";", "f", "::", "<", "'a", ">",
            "(", "\" \"", ",", "1", "..=", "2.5", ")", "->", "r#in",
        ],
    );
    check("0..n", &["0", "..", "n"]);
    check("#[cfg(test)]\npub(crate) use a::{b, c};\nd", &["d"]);
    check("#[cfg(test)]\nimpl A { fn b() {} }\nd", &["d"]);
    check("#[cfg(test)]\nmod tests;\nd", &["d"]);
    check(
        "#[cfg(unix)] d",
        &["#", "[", "cfg", "(", "unix", ")", "]", "d"],
    );
}

#[test]
fn parts_are_told_by_commas() {
    let code = "a: B<C, D>, (e, f): G, h: impl Fn(I, J) -> K";
    let tokens = of_code(code);
    let found: Vec<String> = parts(&tokens)
        .iter()
        .map(|part| part.iter().map(|token| token.text).collect())
        .collect();
    assert_eq!(found, ["a:B<C,D>", "(e,f):G", "h:implFn(I,J)->K"]);
}
