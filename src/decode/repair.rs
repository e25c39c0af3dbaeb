//! What can be done for a record that is not JSON: find where it ends, and mend what Azure
//! services are known to break (single quotes, raw control characters, bare words).

use super::json::{NESTING_MAX, Scanner};

/// Where the object or array that begins at `start` ends, by its brackets, past strings in either
/// kind of quotes. `None`: they do not match, or the text ends before.
pub(super) fn end_by_brackets(text: &[u8], start: usize) -> Option<usize> {
    let mut open = Vec::new();
    let mut at = start;
    let mut previous = b' ';
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => at = double_quoted_end(text, at),
            b'\'' if begins_value(previous) => at = single_quoted_end(text, at),
            b'{' => open.push(b'}'),
            b'[' => open.push(b']'),
            b'}' | b']' => {
                if open.pop() != Some(byte) {
                    return None;
                }
                if open.is_empty() {
                    return Some(at + 1);
                }
            }
            _ => (),
        }
        if !byte.is_ascii_whitespace() {
            previous = byte;
        }
        at += 1;
    }
    None
}

/// The text with what is known to be broken in it mended. Good JSON stays what it means.
pub(super) fn repair(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut mended = String::with_capacity(text.len() + text.len() / 16);
    let mut at = 0;
    let mut previous = b' ';
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        match byte {
            b'"' => {
                at = double_quoted_end(bytes, at);
                push_string(&mut mended, text.get(start + 1..at).unwrap_or_default());
            }
            b'\'' if begins_value(previous) => {
                at = single_quoted_end(bytes, at);
                push_string(&mut mended, text.get(start + 1..at).unwrap_or_default());
            }
            b'{' | b'}' | b'[' | b']' | b',' | b':' => mended.push(char::from(byte)),
            0..=b' ' | 0x7f => mended.push(' '),
            _ => {
                at = word_end(bytes, at);
                push_word(
                    &mut mended,
                    text.get(start..at).unwrap_or_default().trim_end(),
                );
                at -= 1;
            }
        }
        if byte > b' ' {
            previous = byte;
        }
        at += 1;
    }
    mended
}

/// Whether a key or value may follow `previous`, the last byte that is no blank.
fn begins_value(previous: u8) -> bool {
    matches!(previous, b'{' | b'[' | b',' | b':')
}

/// Place of the quote that ends the string that begins at `start`, or the text's end.
fn double_quoted_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// The same for single quotes. An apostrophe within (`'it's'`) is told from the end by what
/// follows: after the end comes a colon, a closing bracket, or a comma and the next value.
fn single_quoted_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\'' if ends_value(text.get(at + 1..).unwrap_or_default()) => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

fn ends_value(rest: &[u8]) -> bool {
    match rest.trim_ascii_start() {
        [] | [b':' | b'}' | b']', ..] => true,
        [b',', after @ ..] => match after.trim_ascii_start() {
            [] | [b'"' | b'\'' | b'{' | b'[' | b'-' | b'0'..=b'9', ..] => true,
            word => BARE_WORDS
                .iter()
                .any(|(bare, _)| word.starts_with(bare.as_bytes())),
        },
        _ => false,
    }
}

/// Words that mean something without quotes, and how JSON writes them.
const BARE_WORDS: [(&str, &str); 6] = [
    ("true", "true"),
    ("false", "false"),
    ("null", "null"),
    ("True", "true"),
    ("False", "false"),
    ("None", "null"),
];

/// Where the bare word that begins at `start` ends.
fn word_end(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let ends = |byte: &u8| {
        matches!(
            byte,
            b',' | b':' | b'{' | b'}' | b'[' | b']' | b'"' | 0..=0x1f
        )
    };
    start + rest.iter().position(ends).unwrap_or(rest.len()).max(1)
}

/// Writes a word that stands without quotes: as it is where JSON has it, else as a string.
fn push_word(mended: &mut String, word: &str) {
    let mut scanner = Scanner::new(word, 0, NESTING_MAX);
    if scanner.skip(0).is_ok() && scanner.token().is_none() {
        mended.push_str(word);
    } else if let Some((_, json)) = BARE_WORDS.iter().find(|(bare, _)| *bare == word) {
        mended.push_str(json);
    } else {
        push_string(mended, &word.replace('\\', "\\\\"));
    }
}

/// Writes what stood between quotes of either kind as a JSON string.
fn push_string(mended: &mut String, raw: &str) {
    mended.push('"');
    let mut chars = raw.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => push_escape(mended, &mut chars),
            '"' => mended.push_str("\\\""),
            '\n' => mended.push_str("\\n"),
            '\r' => mended.push_str("\\r"),
            '\t' => mended.push_str("\\t"),
            '\0'..='\x1f' => mended.push_str(&format!("\\u{:04x}", u32::from(char))),
            other => mended.push(other),
        }
    }
    mended.push('"');
}

/// Writes the escape whose backslash was read, or the backslash itself if it is none.
fn push_escape(mended: &mut String, chars: &mut std::str::Chars<'_>) {
    let rest = chars.as_str();
    let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    match rest.bytes().next() {
        Some(b'\'') => (),
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
            mended.push('\\');
            mended.extend(chars.next());
        }
        Some(b'u') if rest.get(1..5).is_some_and(is_hex) => mended.push('\\'),
        Some(_) | None => mended.push_str("\\\\"),
    }
}
