//! FortiSIEM's filters, tests and lists of attributes in our words.

use crate::event::Attributes;
use crate::rule::attribute;
use crate::rule::import::fields::{Source, Table};
use crate::rule::token::quote;

/// What is no attribute, in any case.
const WORDS: [&str; 17] = [
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "CONTAIN",
    "CONTAINS",
    "STARTS_WITH",
    "ENDS_WITH",
    "REGEXP",
    "IS",
    "NULL",
    "DISTINCT",
    "cidr",
    "time",
    "true",
    "false",
];

/// Functions that need what a stream does not have.
const BASELINE: [&str; 3] = ["STAT_AVG", "STAT_STDDEV", "PH_FUNC_"];

/// The attributes of a rule.
pub struct Names {
    table: Table,
    source: Source,
    known: Attributes,
    /// What is to be said of it.
    pub warnings: Vec<String>,
    /// Lists that it asks for.
    pub lists: Vec<(String, String)>,
}

impl Names {
    /// Those of FortiSIEM.
    pub fn new() -> Names {
        let table = Table::of(crate::rule::import::dialect::Dialect::FortiSiem);
        let source = table.source(&[]).cloned().unwrap_or_default();
        Names {
            table,
            source,
            known: Attributes::default(),
            warnings: Vec::new(),
            lists: Vec::new(),
        }
    }

    fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// An attribute as rules of ours name it.
    ///
    /// # Errors
    ///
    /// It cannot be one.
    pub fn attribute(&mut self, name: &str) -> Result<String, String> {
        let name = name.trim();
        if let Ok(known) = attribute::parse(name, &self.known) {
            return Ok(attribute::print(&known));
        }
        let field = self.table.field(&self.source, name)?;
        self.warnings.extend(field.warning.clone());
        if field.part.starts_with("record.") {
            self.warn(format!(
                "{name} is no attribute here: it is read as {}",
                field.part
            ));
        }
        Ok(field.part)
    }

    /// A filter or a test over aggregates.
    ///
    /// # Errors
    ///
    /// It says what the language cannot.
    pub fn expression(&mut self, text: &str) -> Result<String, String> {
        let mut written = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '"' | '\'' => {
                    let (quoted, length) = quoted(rest, first)?;
                    written += &quoted;
                    length
                }
                c if c.is_alphanumeric() || c == '_' => {
                    let length = word_length(rest);
                    let word = rest.get(..length).unwrap_or_default();
                    let behind = rest.get(length..).unwrap_or_default().trim_start();
                    written += &self.word(word, behind)?;
                    length
                }
                other => {
                    written.push(if other.is_whitespace() { ' ' } else { other });
                    other.len_utf8()
                }
            };
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(written.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn word(&mut self, word: &str, behind: &str) -> Result<String, String> {
        if BASELINE
            .iter()
            .any(|name| word.to_ascii_uppercase().starts_with(name))
        {
            return Err(format!(
                "{word}: what is usual for an hour of the day (a profile) is not kept; compare \
                 with a number"
            ));
        }
        if let Some(name) = word.strip_prefix("Group@") {
            return Ok(self.group(name));
        }
        if WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)) || behind.starts_with('(') {
            return Ok(word.to_owned());
        }
        if word.starts_with(|c: char| c.is_ascii_digit()) || word.contains(':') {
            return Ok(value(word));
        }
        self.attribute(word)
    }

    /// A group, whose members a list is to have.
    fn group(&mut self, name: &str) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name: String = name.chars().map(letter).collect();
        if !self.lists.iter().any(|(known, _)| *known == name) {
            let about =
                format!("{name}: fill it in, one value a line; a FortiSIEM rule asks for it");
            self.lists.push((name.clone(), about));
            self.warn(format!(
                "fill in lists/{name}.txt: it stands for the group {name}"
            ));
        }
        format!("Group@{name}")
    }
}

/// A number as it is, anything else as an address, a network or a text.
fn value(word: &str) -> String {
    let number = crate::rule::number::Number::parse(word);
    match (number, word.contains('/')) {
        (Some(_), _) => word.to_owned(),
        (None, true) => format!("cidr({})", quote(word)),
        (None, false) => quote(word),
    }
}

/// A text in quotes as ours, and its length.
fn quoted(text: &str, quote_sign: char) -> Result<(String, usize), String> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((place, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, next)) if next == quote_sign || next == '\\' => value.push(next),
                Some((_, next)) => value.extend(['\\', next]),
                None => value.push('\\'),
            },
            end if end == quote_sign => return Ok((quote(&value), place + 1)),
            other => value.push(other),
        }
    }
    Err("a text has no closing quote".to_owned())
}

/// Bytes of a word: an attribute, a number, an address, or a path into the record with its quotes
/// and brackets.
fn word_length(text: &str) -> usize {
    let is_path = text
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("record."));
    let begins_with_digit = text.starts_with(|c: char| c.is_ascii_digit());
    let (mut is_hex, mut has_points) = (true, false);
    let mut depth = 0_usize;
    let mut in_quotes = false;
    let mut escaped = false;
    for (place, c) in text.char_indices() {
        let plain = c.is_alphanumeric() || matches!(c, '_' | '.' | '@');
        let of_value = match c {
            ':' => is_hex,
            // Of a network; without points it is a division.
            '/' => has_points,
            _ => false,
        };
        is_hex &= c.is_ascii_hexdigit() || c == ':';
        has_points |= (c == '.' && begins_with_digit) || (c == ':' && is_hex);
        if in_quotes {
            in_quotes = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '"' if is_path => in_quotes = true,
            '[' if is_path => depth += 1,
            ']' if is_path => depth = depth.saturating_sub(1),
            _ if depth > 0 || plain || of_value => {}
            _ => return place,
        }
    }
    text.len()
}

/// The parts of a list between these signs, outside quotes, brackets and parentheses.
pub fn parts(text: &str, sign: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut in_quotes = false;
    let mut escaped = false;
    let mut begin = 0;
    for (place, c) in text.char_indices() {
        if in_quotes {
            in_quotes = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '"' => in_quotes = true,
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            c if c == sign && depth == 0 => {
                parts.push(text.get(begin..place).unwrap_or_default().trim());
                begin = place + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text.get(begin..).unwrap_or_default().trim());
    parts.retain(|part| !part.is_empty());
    parts
}
