//! What can be done for a text that is not JSON: find where it ends, and mend what Azure services
//! are known to break (single quotes, raw control characters, bare words) and what other readers
//! of JSON take (comments, commas too many, a byte order mark).

use super::json::{NESTING_MAX, Scanner};

/// How far a text was read in search of the end of an object or array.
pub(super) struct Brackets {
    /// Where it ends. `None`: the brackets do not match, or the text ends before.
    pub(super) end: Option<usize>,
    /// How far the text was read.
    pub(super) read: usize,
}

/// Brackets that may be open at once: what is nested deeper is not looked through.
const OPEN_MAX: usize = 1 << 17;

/// Where the object or array that begins at `start` ends, by its brackets, past strings in either
/// kind of quotes and past comments. What is left in `open` does not close.
pub(super) fn end_by_brackets(text: &[u8], start: usize, open: &mut Vec<usize>) -> Brackets {
    open.clear();
    let mut at = start;
    let mut previous = b' ';
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => at = double_quoted_end(text, at),
            b'\'' if begins_value(previous) => at = single_quoted_end(text, at),
            b'/' if begins_comment(text, at, previous) => {
                at = comment_end(text, at);
                continue;
            }
            b'{' | b'[' if open.len() >= OPEN_MAX => break,
            b'{' | b'[' => open.push(at),
            b'}' | b']' => {
                let opening = open.last().and_then(|place| text.get(*place));
                if opening != Some(if byte == b'}' { &b'{' } else { &b'[' }) {
                    break;
                }
                open.pop();
                if open.is_empty() {
                    return Brackets {
                        end: Some(at + 1),
                        read: at + 1,
                    };
                }
            }
            _ => (),
        }
        if !byte.is_ascii_whitespace() {
            previous = byte;
        }
        at += 1;
    }
    Brackets {
        end: None,
        read: at.min(text.len()),
    }
}

/// The text with what is known to be broken in it mended. Good JSON stays what it means.
pub(super) fn repair(text: &str) -> String {
    repair_in(String::with_capacity(text.len() + text.len() / 16), text)
}

/// The same, written into `mended`, which is emptied first.
pub(super) fn repair_in(mut mended: String, text: &str) -> String {
    mended.clear();
    let mut mender = Mender {
        bytes: text.as_bytes(),
        text,
        at: 0,
        previous: b' ',
        comma: false,
        mended,
    };
    while let Some(&byte) = mender.bytes.get(mender.at) {
        mender.step(byte);
    }
    mender.mended
}

/// A text that is being mended.
struct Mender<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// The last byte that is neither blank nor comment; of a string or word its first.
    previous: u8,
    /// A comma is to be written before what comes next, unless that closes a bracket.
    comma: bool,
    mended: String,
}

impl Mender<'_> {
    /// Mends what begins with `byte` here.
    fn step(&mut self, byte: u8) {
        let start = self.at;
        match byte {
            b'/' if begins_comment(self.bytes, start, self.previous) => {
                self.at = comment_end(self.bytes, start);
                return self.mended.push(' ');
            }
            0..=b' ' | 0x7f => {
                self.at += 1;
                return self.mended.push(' ');
            }
            0xef if self.rest().starts_with('\u{feff}') => {
                self.at += '\u{feff}'.len_utf8();
                return;
            }
            b',' => {
                self.at += 1;
                self.comma |= !matches!(self.previous, b'{' | b'[' | b',' | b':' | b' ');
                if self.previous == b':' {
                    self.mended.push(',');
                }
            }
            b'}' | b']' => {
                self.at += 1;
                self.comma = false;
                self.mended.push(char::from(byte));
            }
            _ => self.token(byte),
        }
        self.previous = byte;
    }

    /// Mends a string, a word, a colon or an opening bracket.
    fn token(&mut self, byte: u8) {
        if std::mem::take(&mut self.comma) {
            self.mended.push(',');
        }
        let start = self.at;
        self.at = match byte {
            b'{' | b'[' | b':' => {
                self.mended.push(char::from(byte));
                start + 1
            }
            b'"' => self.string(double_quoted_end(self.bytes, start)),
            b'\'' if begins_value(self.previous) => {
                self.string(single_quoted_end(self.bytes, start))
            }
            _ => {
                let end = word_end(self.bytes, start);
                let word = self.text.get(start..end).unwrap_or_default();
                push_word(&mut self.mended, word.trim_end());
                end
            }
        };
    }

    /// Mends the string whose last quote is at `end`.
    fn string(&mut self, end: usize) -> usize {
        let raw = self.text.get(self.at + 1..end).unwrap_or_default();
        push_string(&mut self.mended, raw);
        end + 1
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

/// Whether a key or value may follow `previous`, the last byte that is no blank.
fn begins_value(previous: u8) -> bool {
    matches!(previous, b'{' | b'[' | b',' | b':')
}

/// Whether a comment begins at `at`, behind `previous`. `//` in a word or behind a colon is part
/// of a URL.
fn begins_comment(text: &[u8], at: usize, previous: u8) -> bool {
    match text.get(at + 1) {
        Some(b'*') => true,
        Some(b'/') => matches!(
            previous,
            b' ' | b'{' | b'[' | b',' | b'}' | b']' | b'"' | b'\''
        ),
        Some(_) | None => false,
    }
}

/// Where the comment that begins at `start` ends, or the text.
fn comment_end(text: &[u8], start: usize) -> usize {
    let within = text.get(start + 2..).unwrap_or_default();
    let length = if text.get(start + 1) == Some(&b'*') {
        memchr::memmem::find(within, b"*/").map(|end| end + 2)
    } else {
        memchr::memchr(b'\n', within)
    };
    length.map_or(text.len(), |length| start + 2 + length)
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
        [] | [b':' | b'}' | b']', ..] | [b'/', b'*', ..] => true,
        [b',', after @ ..] => match after.trim_ascii_start() {
            [] => true,
            [b'"' | b'\'' | b'{' | b'[' | b'-' | b'0'..=b'9', ..] => true,
            [b'}' | b']' | b',' | b'/', ..] => true,
            word => begins_word(word),
        },
        _ => false,
    }
}

/// Whether a key without quotes begins here, or a word that means something.
fn begins_word(text: &[u8]) -> bool {
    const KEY_MAX: usize = 64;
    let in_key = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    let length = text.iter().take(KEY_MAX).take_while(in_key).count();
    let is_key = length > 0 && text.get(length) == Some(&b':');
    is_key
        || BARE_WORDS
            .iter()
            .any(|(bare, _)| text.starts_with(bare.as_bytes()))
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
    let ends = |(at, byte): (usize, &u8)| match byte {
        b',' | b':' | b'{' | b'}' | b'[' | b']' | b'"' | 0..=0x1f => true,
        b'/' => rest.get(at + 1) == Some(&b'*'),
        _ => false,
    };
    let length = rest.iter().enumerate().position(ends);
    start + length.unwrap_or(rest.len()).max(1)
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
            '\0'..='\x1f' => push_control(mended, u32::from(char)),
            other => mended.push(other),
        }
    }
    mended.push('"');
}

/// Writes a control character as an escape.
fn push_control(mended: &mut String, code: u32) {
    mended.push_str("\\u00");
    mended.extend(char::from_digit(code >> 4, 16));
    mended.extend(char::from_digit(code & 15, 16));
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
