//! A strict JSON scanner that allocates nothing: it finds where values end and leaves them there.
//!
//! It reads text that is already known to be UTF-8, in one pass, several bytes at a time within
//! strings. What is not wanted is checked and skipped; it never becomes a tree.

use std::borrow::Cow;

use super::plain;

/// How deep values may be nested: one bit of a `u128` each.
pub(super) const NESTING_MAX: u32 = 128;

/// Why a value cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The text ended within the value.
    End,
    /// It breaks JSON's grammar.
    Syntax,
    /// It is nested too deep.
    Depth,
}

/// A string as it stands between its quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quoted<'t> {
    pub(super) raw: &'t str,
    /// Whether it holds a backslash.
    pub(super) escaped: bool,
}

impl<'t> Quoted<'t> {
    /// The string that is meant.
    pub(super) fn text(self) -> Cow<'t, str> {
        if self.escaped {
            Cow::Owned(unescape(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }
}

/// The key of a member, as it stands between its quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'t> {
    /// UTF-8.
    pub(super) raw: &'t [u8],
    /// Whether it holds a backslash.
    pub(super) escaped: bool,
}

impl<'t> Key<'t> {
    /// The bytes of the key that is meant.
    #[inline]
    pub(super) fn bytes(self) -> Cow<'t, [u8]> {
        if self.escaped {
            let raw = str::from_utf8(self.raw).unwrap_or_default();
            Cow::Owned(unescape(raw).into_bytes())
        } else {
            Cow::Borrowed(self.raw)
        }
    }
}

/// A place in a text.
#[derive(Clone)]
pub(super) struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    pub(super) at: usize,
    nesting_max: u32,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str, at: usize, nesting_max: u32) -> Scanner<'t> {
        let nesting_max = nesting_max.min(NESTING_MAX);
        Scanner {
            text,
            bytes: text.as_bytes(),
            at,
            nesting_max,
        }
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    pub(super) fn nesting_max(&self) -> u32 {
        self.nesting_max
    }

    /// The text from `start` to here.
    pub(super) fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Skips blanks; the byte that follows them, which stays unread.
    #[inline]
    pub(super) fn token(&mut self) -> Option<u8> {
        match self.bytes.get(self.at) {
            Some(byte) if *byte > b' ' => Some(*byte),
            Some(_) | None => self.token_behind_blanks(),
        }
    }

    fn token_behind_blanks(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Reads `wanted` after blanks.
    #[inline]
    pub(super) fn expect(&mut self, wanted: u8) -> Result<(), Fault> {
        match self.token() {
            Some(byte) if byte == wanted => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(Fault::Syntax),
            None => Err(Fault::End),
        }
    }

    /// Reads the string that begins here, after blanks. Within its callers, as what it gives back
    /// would be written and read again.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Result<Quoted<'t>, Fault> {
        self.expect(b'"')?;
        self.quoted()
    }

    /// Reads the string whose first quote was read.
    #[inline(always)]
    fn quoted(&mut self) -> Result<Quoted<'t>, Fault> {
        let start = self.at;
        let escaped = self.rest_of_string()?;
        let raw = self.text.get(start..self.at - 1).unwrap_or_default();
        Ok(Quoted { raw, escaped })
    }

    /// Reads the key that begins here, after blanks, and its colon.
    #[inline(always)]
    pub(super) fn key(&mut self) -> Result<Key<'t>, Fault> {
        match self.short_key() {
            Some(key) => Ok(key),
            None => self.any_key(),
        }
    }

    /// The same of a key that is seen at one look, as most are; else nothing is read.
    #[inline(always)]
    fn short_key(&mut self) -> Option<Key<'t>> {
        let (b'"', rest) = self.bytes.get(self.at..)?.split_first()? else {
            return None;
        };
        let length = plain::length_within(rest.first_chunk()?);
        let (raw, rest) = rest.split_at_checked(length)?;
        let [b'"', b':', ..] = rest else {
            return None;
        };
        self.at += length + 3;
        Some(Key {
            raw,
            escaped: false,
        })
    }

    #[inline(always)]
    fn any_key(&mut self) -> Result<Key<'t>, Fault> {
        self.expect(b'"')?;
        let start = self.at;
        let escaped = self.rest_of_string()?;
        let raw = self.bytes.get(start..self.at - 1).unwrap_or_default();
        self.expect(b':')?;
        Ok(Key { raw, escaped })
    }

    /// Reads to the end of a string whose first quote was read; whether it holds a backslash.
    #[inline(never)]
    fn rest_of_string(&mut self) -> Result<bool, Fault> {
        self.at += plain::length(self.bytes, self.at);
        if self.bytes.get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(false);
        }
        self.rest_with_escapes()
    }

    /// Reads to the end of a string that has no end here.
    #[inline(never)]
    fn rest_with_escapes(&mut self) -> Result<bool, Fault> {
        let mut escaped = false;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(Fault::Syntax),
                None => return Err(Fault::End),
            }
            self.at += plain::length(self.bytes, self.at);
        }
    }

    /// Skips an escape sequence.
    fn escape(&mut self) -> Result<(), Fault> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                for place in self.at + 2..self.at + 6 {
                    match self.bytes.get(place) {
                        Some(byte) if byte.is_ascii_hexdigit() => (),
                        Some(_) => return Err(Fault::Syntax),
                        None => return Err(Fault::End),
                    }
                }
                self.at += 6;
            }
            Some(_) => return Err(Fault::Syntax),
            None => return Err(Fault::End),
        }
        Ok(())
    }

    /// Skips a number; whether it has neither fraction nor exponent.
    pub(super) fn number(&mut self) -> Result<bool, Fault> {
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let mut integer = true;
        if self.bytes.get(self.at) == Some(&b'.') {
            integer = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            integer = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(integer)
    }

    /// Skips one digit or more.
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            _ if self.at > start => Ok(()),
            Some(_) => Err(Fault::Syntax),
            None => Err(Fault::End),
        }
    }

    /// Reads the word `word`.
    pub(super) fn word(&mut self, word: &str) -> Result<(), Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(())
        } else if word.as_bytes().starts_with(rest) {
            Err(Fault::End)
        } else {
            Err(Fault::Syntax)
        }
    }

    /// Skips the value that begins here, after blanks, at nesting `depth`.
    #[inline]
    pub(super) fn skip(&mut self, depth: u32) -> Result<(), Fault> {
        match self.token() {
            Some(b'{' | b'[') => self.skip_nested(depth),
            other => self.skip_scalar(other),
        }
    }

    /// Skips the string, number or word that begins here with `first`.
    #[inline]
    pub(super) fn skip_scalar(&mut self, first: Option<u8>) -> Result<(), Fault> {
        match first {
            Some(b'"') => {
                self.at += 1;
                self.rest_of_string().map(|_| ())
            }
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'-' | b'0'..=b'9') => self.number().map(|_| ()),
            Some(_) => Err(Fault::Syntax),
            None => Err(Fault::End),
        }
    }

    /// Skips the object or array that begins here. A stack of bits remembers which brackets are
    /// open: 1 an object, 0 an array.
    fn skip_nested(&mut self, depth: u32) -> Result<(), Fault> {
        let mut brackets: u128 = 0;
        let mut open: u32 = 0;
        loop {
            let first = self.token();
            let opens = matches!(first, Some(b'{' | b'['));
            if opens {
                open += 1;
                if depth.saturating_add(open) > self.nesting_max {
                    return Err(Fault::Depth);
                }
                brackets = brackets << 1 | u128::from(first == Some(b'{'));
                self.at += 1;
            } else {
                self.skip_scalar(first)?;
            }
            if opens && !self.closes(brackets) {
                if brackets & 1 == 1 {
                    self.key()?;
                }
                continue;
            }
            while self.closes(brackets) {
                self.at += 1;
                brackets >>= 1;
                open -= 1;
                if open == 0 {
                    return Ok(());
                }
            }
            self.expect(b',')?;
            if brackets & 1 == 1 {
                self.key()?;
            }
        }
    }

    /// Skips the value that begins here, after blanks, however deep it is nested.
    pub(super) fn skip_at_any_depth(&mut self) -> Result<(), Fault> {
        // Which brackets are open: true an object, false an array.
        let mut open: Vec<bool> = Vec::new();
        loop {
            let first = self.token();
            let opens = matches!(first, Some(b'{' | b'['));
            if opens {
                self.at += 1;
                open.push(first == Some(b'{'));
            } else {
                self.skip_scalar(first)?;
            }
            let mut closed = false;
            while let Some(object) = open.last()
                && self.token() == Some(if *object { b'}' } else { b']' })
            {
                self.at += 1;
                open.pop();
                closed = true;
            }
            let Some(object) = open.last() else {
                return Ok(());
            };
            if !opens || closed {
                self.expect(b',')?;
            }
            if *object {
                self.key()?;
            }
        }
    }

    /// Whether the innermost open bracket closes here.
    #[inline]
    fn closes(&mut self, brackets: u128) -> bool {
        self.token() == Some(if brackets & 1 == 1 { b'}' } else { b']' })
    }
}

/// The text that a checked string means. Half of a surrogate pair becomes U+FFFD.
pub(super) fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let mut chars = after.chars();
        let escape = chars.next().unwrap_or('\\');
        rest = chars.as_str();
        match escape {
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'u' => {
                let (decoded, after) = unicode_escape(rest);
                text.push(decoded);
                rest = after;
            }
            other => text.push(other),
        }
    }
    text.push_str(rest);
    text
}

/// The character of four hexadecimal digits, or of a pair of such escapes, and what follows it.
fn unicode_escape(text: &str) -> (char, &str) {
    let (first, rest) = hex_unit(text);
    if let 0xd800..=0xdbff = first
        && let Some(after) = rest.strip_prefix("\\u")
        && let (second @ 0xdc00..=0xdfff, rest) = hex_unit(after)
    {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
            rest,
        );
    }
    (
        char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER),
        rest,
    )
}

fn hex_unit(text: &str) -> (u32, &str) {
    let (digits, rest) = text.split_at_checked(4).unwrap_or((text, ""));
    (u32::from_str_radix(digits, 16).unwrap_or(0xfffd), rest)
}
