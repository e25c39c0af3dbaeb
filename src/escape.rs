//! Text that people see: on a terminal, in a log, in JSON that somebody prints.
//!
//! Records, rules, file names and brokers' answers hold whatever their writers liked. Characters
//! that act instead of being seen are written as JSON writes them, `\u001b`, so that JSON stays
//! JSON and everything else says what was there: control characters (which move a cursor or
//! colour a screen), format characters (which turn the direction of writing or cannot be seen),
//! and line separators. So are the beginnings of what build servers take for commands to them.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Format characters that are not seen (Unicode's `Cf` without the signs of Arabic and other
/// scripts that enclose a number, which are), and the separators of lines and paragraphs.
const UNSEEN: [(char, char); 18] = [
    ('\u{7f}', '\u{9f}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Whether a character acts instead of being seen. Line ends and tabs do, too.
pub fn is_unseen(c: char) -> bool {
    c < ' '
        || UNSEEN
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&c))
}

/// A value within a line: nothing of it can end the line, or be seen as something else.
pub fn value(text: &str) -> Cow<'_, str> {
    if is_plain(text, &[]) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    text.chars().for_each(|c| escape(&mut out, c));
    Cow::Owned(disarmed(out))
}

/// [`value`] in quotes, where one could not see its end.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", value(text).replace('"', "\\\""))
}

/// Bytes within a line: what is UTF-8 as in [`value`], each other byte as `\xff`.
pub fn bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| escape(&mut out, c));
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    disarmed(out)
}

/// A whole text of lines: line ends and tabs stay, and all else is as in [`value`].
pub fn lines(text: &str) -> Cow<'_, str> {
    if is_plain(text, b"\n\t") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if rest.peek() == Some(&'\n') => out.push(c),
            _ => escape(&mut out, c),
        }
    }
    Cow::Owned(disarmed(out))
}

/// Whether nothing needs to be done, at a glance. `more`: bytes that may stay besides.
fn is_plain(text: &str, more: &[u8]) -> bool {
    let mut bytes = text.bytes();
    bytes.all(|byte| matches!(byte, b' '..=b'~') || more.contains(&byte))
        && !text.contains("::")
        && !has_mark(text)
}

fn has_mark(text: &str) -> bool {
    text.contains("##[") || text.contains("##v") || text.contains("##V")
}

fn escape(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ if is_unseen(c) => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                if write!(out, "\\u{unit:04x}").is_err() {
                    out.push('?');
                }
            }
        }
        _ => out.push(c),
    }
}

/// Without what a build server takes for a command: `::word ..::` at the beginning of a line,
/// `##[..]` and `##vso[..]` anywhere.
fn disarmed(text: String) -> String {
    if !text.contains("::") && !has_mark(&text) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive('\n') {
        let begins = line.trim_start().strip_prefix("::");
        let command = begins.filter(|rest| {
            let after = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '-');
            let has_end = after.starts_with("::") || after.starts_with(' ') && after.contains("::");
            after.len() < rest.len() && has_end
        });
        let mut rest = line;
        if let Some(command) = command {
            let blanks = line.len() - command.len() - "::".len();
            out.push_str(line.get(..blanks).unwrap_or_default());
            out.push_str("\\u003a:");
            rest = command;
        }
        push_without_marks(&mut out, rest);
    }
    out
}

fn push_without_marks(out: &mut String, line: &str) {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("##") {
        out.push_str(before);
        let word = after.get(..4).unwrap_or_default();
        match after.starts_with('[') || word.eq_ignore_ascii_case("vso[") {
            true => out.push_str("#\\u0023"),
            false => {
                // The second sign may be the first of another pair.
                out.push('#');
                rest = rest.get(before.len() + 1..).unwrap_or_default();
                continue;
            }
        }
        rest = after;
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_within_their_line() {
        fn check(text: &str, expected: &str) {
            assert_eq!(value(text), expected);
        }
        check("plain 'text' é 漢 🙂", "plain 'text' é 漢 🙂");
        check("a\nb\rc\td", "a\\nb\\rc\\td");
        check(
            "\u{1b}[31mred\u{7f}\u{9b}2J",
            "\\u001b[31mred\\u007f\\u009b2J",
        );
        check("user\u{202e}gpj.exe\u{2066}", "user\\u202egpj.exe\\u2066");
        check(
            "a\u{2028}b\u{feff}\u{200b}\u{ad}",
            "a\\u2028b\\ufeff\\u200b\\u00ad",
        );
        check("tag\u{e0041}", "tag\\udb40\\udc41");
        check("::error file=x::bad", "\\u003a:error file=x::bad");
        check("x ::error::bad", "x ::error::bad");
        check("::ffff:10.0.0.1 ::1", "::ffff:10.0.0.1 ::1");
        check(
            "a ##[error]b ###vso[c]",
            "a #\\u0023[error]b ##\\u0023vso[c]",
        );
        check("## heading ##", "## heading ##");
    }

    #[test]
    fn bytes_that_are_no_text_are_told() {
        assert_eq!(
            bytes(b"a\xff\xfe\n\xc3\xa9\x1b"),
            "a\\xff\\xfe\\n\u{e9}\\u001b"
        );
        assert_eq!(bytes(b"::error::x"), "\\u003a:error::x");
    }

    #[test]
    fn quotes_end_where_the_text_does() {
        assert_eq!(quoted("a \"b\"\u{1b}"), "\"a \\\"b\\\"\\u001b\"");
    }

    #[test]
    fn lines_stay_lines() {
        fn check(text: &str, expected: &str) {
            assert_eq!(lines(text), expected);
        }
        check("a\r\n\tb\n", "a\r\n\tb\n");
        check("a\rb\n \u{1b}c\n", "a\\rb\n \\u001bc\n");
        check("x\n  ::warning::y\n", "x\n  \\u003a:warning::y\n");
    }

    #[test]
    fn escaped_json_says_the_same() {
        let all: String = ('\0'..=char::MAX).filter(|c| is_unseen(*c)).collect();
        let text = serde_json::Value::from(format!("{all}##vso[x]##[y]")).to_string();
        let escaped = lines(&text);
        assert!(!escaped.contains(is_unseen), "{escaped}");
        let read = |text: &str| serde_json::from_str::<String>(text).unwrap();
        assert_eq!(read(&escaped), read(&text));
    }

    #[test]
    fn all_that_unicode_calls_unseen_is() {
        let unseen = regex::Regex::new(r"^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]$").unwrap();
        let seen = "\u{600}\u{601}\u{602}\u{603}\u{604}\u{605}\u{6dd}\u{890}\u{891}\u{8e2}";
        for c in '\0'..=char::MAX {
            if unseen.is_match(c.encode_utf8(&mut [0; 4])) && !seen.contains(c) {
                assert!(is_unseen(c), "{:x}", u32::from(c));
            }
        }
    }
}
