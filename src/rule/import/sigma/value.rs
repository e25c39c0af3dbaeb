//! A field of a search with its modifiers and values.

use crate::rule::import::condition::{Filter, Is, Operand};
use crate::rule::import::fields::{Field, Source, Table};
use crate::rule::import::foreign::items;
use crate::rule::import::pieces::{Piece, Pieces};
use crate::rule::number::Number;
use crate::rule::yaml::{Content, Node};

/// Dashes that Windows programs take for one another.
const DASHES: [char; 5] = ['-', '/', '–', '—', '―'];

/// Dashes of one value that are looked at.
const DASHES_MAX: usize = 3;

/// What is needed for, and comes of, the fields of a rule.
pub struct Reading<'r> {
    /// Names of fields.
    pub table: &'r Table,
    /// Where the events come from.
    pub source: &'r Source,
    /// What to say of it.
    pub warnings: Vec<String>,
    /// Lists that placeholders stand for.
    pub lists: Vec<(String, String)>,
}

impl Reading<'_> {
    /// A field, with what is to be said of it.
    ///
    /// # Errors
    ///
    /// It has no name that can be.
    pub fn field(&mut self, name: &str) -> Result<Field, String> {
        let field = self.table.field(self.source, name)?;
        self.warnings.extend(field.warning.clone());
        Ok(field)
    }
}

/// How values are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    #[default]
    Text,
    Expression,
    Network,
    Exists,
    Reference,
    Number(&'static str),
}

/// What stands behind a field's name.
#[derive(Clone, Debug, Default)]
struct Modifiers {
    way: Way,
    before: bool,
    behind: bool,
    all: bool,
    cased: bool,
    negated: bool,
    expand: bool,
    dashes: bool,
    /// Of an expression.
    flags: String,
    /// In their order.
    encodings: Vec<Encoding>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf16Le,
    Utf16Be,
    Utf16,
    Base64,
    Base64Offset,
}

/// A value, as YAML has it.
#[derive(Clone, Debug, PartialEq)]
enum Given {
    Text(String),
    Number(String),
    Truth(bool),
    Null,
}

/// The filter of `field|modifiers: values`. Without a field it is about the whole record.
///
/// # Errors
///
/// It says what the language cannot.
pub fn item(key: &str, node: &Node, reading: &mut Reading<'_>) -> Result<Filter, String> {
    let mut parts = key.split('|');
    let name = parts.next().unwrap_or_default().trim();
    let mut modifiers = Modifiers::default();
    for word in parts {
        modifiers.read(word.trim())?;
    }
    let field = match name {
        "" => {
            (modifiers.before, modifiers.behind) = (true, true);
            Field::named("rawEventMsg")
        }
        name => reading.field(name)?,
    };
    if items(node).is_empty() {
        return Err(format!(
            "`{}` has an empty list of values",
            crate::escape::value(key)
        ));
    }
    let mut tests = Vec::new();
    for value in items(node) {
        tests.push(modifiers.test(&field, &given(value)?, reading)?);
    }
    let joined = if modifiers.all {
        Filter::All(tests)
    } else {
        Filter::Any(tests)
    };
    Ok(if modifiers.negated {
        joined.negated()
    } else {
        joined
    })
}

fn given(node: &Node) -> Result<Given, String> {
    let Content::Scalar(scalar) = &node.content else {
        return Err("a value of its detection is a list or a mapping".to_owned());
    };
    let text = scalar.text.as_str();
    Ok(match (scalar.plain, text) {
        (true, "" | "~" | "null" | "Null" | "NULL") => Given::Null,
        (true, "true" | "True" | "TRUE") => Given::Truth(true),
        (true, "false" | "False" | "FALSE") => Given::Truth(false),
        (true, number) if Number::parse(number).is_some() => Given::Number(number.to_owned()),
        _ => Given::Text(text.to_owned()),
    })
}

impl Modifiers {
    fn read(&mut self, word: &str) -> Result<(), String> {
        match word {
            "contains" => (self.before, self.behind) = (true, true),
            "startswith" => self.behind = true,
            "endswith" => self.before = true,
            "all" => self.all = true,
            "cased" => self.cased = true,
            "neq" => self.negated = !self.negated,
            "expand" => self.expand = true,
            "windash" => self.dashes = true,
            "re" => self.way = Way::Expression,
            "i" | "ignorecase" => self.flags.push('i'),
            "m" | "multiline" => self.flags.push('m'),
            "s" | "dotall" => self.flags.push('s'),
            "cidr" => self.way = Way::Network,
            "exists" => self.way = Way::Exists,
            "fieldref" => self.way = Way::Reference,
            "gt" => self.way = Way::Number(">"),
            "gte" => self.way = Way::Number(">="),
            "lt" => self.way = Way::Number("<"),
            "lte" => self.way = Way::Number("<="),
            "wide" | "utf16le" => self.encodings.push(Encoding::Utf16Le),
            "utf16be" => self.encodings.push(Encoding::Utf16Be),
            "utf16" => self.encodings.push(Encoding::Utf16),
            "base64" => self.encodings.push(Encoding::Base64),
            "base64offset" => self.encodings.push(Encoding::Base64Offset),
            other => {
                let other: String = other.chars().take(40).collect();
                return Err(format!(
                    "the modifier `{}` is not known",
                    crate::escape::value(&other)
                ));
            }
        }
        Ok(())
    }

    fn test(
        &self,
        field: &Field,
        given: &Given,
        reading: &mut Reading<'_>,
    ) -> Result<Filter, String> {
        match (self.way, given) {
            (_, Given::Null) => Ok(Filter::there(&field.part).negated()),
            (Way::Exists, Given::Truth(true)) => Ok(Filter::there(&field.part)),
            (Way::Exists, Given::Truth(false)) => Ok(Filter::there(&field.part).negated()),
            (Way::Exists, _) => Err("`exists` takes true or false".to_owned()),
            (Way::Number(operator), Given::Number(number)) => {
                let compared = Is::Compared(operator, number.clone());
                Ok(Filter::Test(field.part.clone(), compared))
            }
            (Way::Number(_), given) => Err(format!(
                "a comparison takes a number, found {}",
                given.shown()
            )),
            (Way::Network, given) => {
                let network = vec![Operand::Network(given.text())];
                Ok(Filter::Test(field.part.clone(), Is::One(network)))
            }
            (Way::Reference, given) => self.reference(field, &given.text(), reading),
            (Way::Expression, given) => self.expression(field, &given.text()),
            (Way::Text, given) => self.textual(field, given, reading),
        }
    }

    fn reference(
        &self,
        field: &Field,
        other: &str,
        reading: &mut Reading<'_>,
    ) -> Result<Filter, String> {
        if self.before || self.behind {
            let message = "two fields can be equal; whether one contains the other cannot be asked";
            return Err(message.to_owned());
        }
        let other = reading.field(other)?;
        let both = Filter::Test(field.part.clone(), Is::Same(other.part));
        Ok(both)
    }

    fn expression(&self, field: &Field, text: &str) -> Result<Filter, String> {
        if !self.encodings.is_empty() || self.expand {
            return Err("a regular expression is neither encoded nor expanded".to_owned());
        }
        let turned_off = if self.flags.contains('i') { "" } else { "-i" };
        let flags: String = self.flags.chars().filter(|flag| *flag != 'i').collect();
        let prefix = match (flags.as_str(), turned_off) {
            ("", "") => String::new(),
            (flags, turned_off) => format!("(?{flags}{turned_off})"),
        };
        let (before, behind) = match (self.before, self.behind) {
            (true, false) => ("(?:", ")$"),
            (false, true) => ("^(?:", ")"),
            (true, true) | (false, false) => ("", ""),
        };
        let text = format!("{prefix}{before}{text}{behind}");
        Ok(Filter::Test(field.part.clone(), Is::Matching(text)))
    }

    fn textual(
        &self,
        field: &Field,
        given: &Given,
        reading: &mut Reading<'_>,
    ) -> Result<Filter, String> {
        if let (Given::Number(number), false) = (given, self.before || self.behind) {
            return Ok(field.equal(Operand::Number(number.clone())));
        }
        let text = given.text();
        if self.expand && text.matches('%').count() > 1 {
            return self.placeholder(field, &text, reading);
        }
        if text == "[]" && !(self.before || self.behind) {
            let warning = format!("an empty list is read as an absent value: {}", field.part);
            reading.warnings.push(warning);
            let absent = Filter::there(&field.part).negated();
            return Ok(Filter::Any(vec![field.equal(Operand::Text(text)), absent]));
        }
        let any = self.alternatives(&text)?.into_iter().map(|pieces| {
            let offset = self.encodings.contains(&Encoding::Base64Offset);
            let pieces = pieces.open(self.before || offset, self.behind || offset);
            match self.cased {
                true => pieces.cased_test(field),
                false => pieces.test(field),
            }
        });
        Ok(Filter::Any(any.collect()))
    }

    /// All texts that a value stands for.
    fn alternatives(&self, text: &str) -> Result<Vec<Pieces>, String> {
        let texts = if self.dashes {
            dashed(text)?
        } else {
            vec![text.to_owned()]
        };
        if self.encodings.is_empty() {
            return Ok(texts.iter().map(|text| pieces(text)).collect());
        }
        let mut all = Vec::new();
        for text in texts {
            let Some(plain) = pieces(&text).text() else {
                return Err("a text with wildcards cannot be encoded".to_owned());
            };
            all.extend(encoded(&plain, &self.encodings)?);
        }
        Ok(all.iter().map(|text| Pieces::plain(text)).collect())
    }

    /// All that is in a list.
    fn placeholder(
        &self,
        field: &Field,
        text: &str,
        reading: &mut Reading<'_>,
    ) -> Result<Filter, String> {
        let inner = text
            .strip_prefix('%')
            .and_then(|text| text.strip_suffix('%'));
        let Some(inner) = inner.filter(|inner| !inner.contains('%') && !inner.is_empty()) else {
            return Err("a placeholder that is a part of a text cannot be a list".to_owned());
        };
        let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name: String = inner.chars().map(letter).take(60).collect();
        let about = format!("{name}: fill it in, one value a line; a Sigma rule asks for it");
        if !reading.lists.iter().any(|(known, _)| *known == name) {
            reading.lists.push((name.clone(), about));
        }
        reading
            .warnings
            .push(format!("fill in lists/{name}.txt: it stands for %{name}%"));
        if self.before || self.behind {
            let warning = format!("values of lists/{name}.txt are compared as a whole");
            reading.warnings.push(warning);
        }
        Ok(Filter::Test(
            field.part.clone(),
            Is::One(vec![Operand::List(name)]),
        ))
    }
}

impl Given {
    fn text(&self) -> String {
        match self {
            Given::Text(text) | Given::Number(text) => text.clone(),
            Given::Truth(truth) => truth.to_string(),
            Given::Null => String::new(),
        }
    }

    fn shown(&self) -> String {
        let text: String = self.text().chars().take(60).collect();
        format!("`{}`", crate::escape::value(&text))
    }
}

/// A text with `*` and `?`; a backslash before one of them, or before another, takes its meaning.
pub fn pieces(text: &str) -> Pieces {
    let mut pieces = Pieces::default();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next_if(|next| matches!(next, '*' | '?' | '\\')) {
                Some(next) => pieces.push(next),
                None => pieces.push('\\'),
            },
            '*' => pieces.wildcard(Piece::Many),
            '?' => pieces.wildcard(Piece::One),
            other => pieces.push(other),
        }
    }
    pieces
}

/// A text with every dash before a word as each of those that are taken for one another.
fn dashed(text: &str) -> Result<Vec<String>, String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut texts = vec![String::new()];
    let mut before: Option<char> = None;
    let mut found = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_dash = DASHES.contains(&c)
            && !before.is_some_and(is_word)
            && chars.peek().copied().is_some_and(is_word);
        found += usize::from(is_dash);
        if found > DASHES_MAX {
            return Err(format!(
                "`windash` with more than {DASHES_MAX} dashes in one value"
            ));
        }
        match is_dash {
            false => texts.iter_mut().for_each(|text| text.push(c)),
            true => {
                let each = |text: &String| DASHES.map(|dash| format!("{text}{dash}"));
                texts = texts.iter().flat_map(each).collect();
            }
        }
        before = Some(c);
    }
    Ok(texts)
}

/// A text after all encodings, one after the other.
fn encoded(text: &str, encodings: &[Encoding]) -> Result<Vec<String>, String> {
    let mut all = vec![text.as_bytes().to_vec()];
    for encoding in encodings {
        let mut next = Vec::new();
        for bytes in &all {
            let text = || String::from_utf8_lossy(bytes).into_owned();
            match encoding {
                Encoding::Utf16Le => next.push(utf16(&text(), u16::to_le_bytes)),
                Encoding::Utf16Be => next.push(utf16(&text(), u16::to_be_bytes)),
                Encoding::Utf16 => {
                    let marked = format!("\u{feff}{}", text());
                    next.push(utf16(&marked, u16::to_le_bytes));
                }
                Encoding::Base64 => next.push(base64(bytes).into_bytes()),
                Encoding::Base64Offset => next.extend(offsets(bytes)),
            }
        }
        all = next;
    }
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| "it is no text".to_owned());
    all.into_iter().map(text).collect()
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

/// The text within a longer one, in base64, wherever it begins there.
fn offsets(bytes: &[u8]) -> Vec<Vec<u8>> {
    let at = |offset: usize| {
        let padded: Vec<u8> = std::iter::repeat_n(b' ', offset)
            .chain(bytes.iter().copied())
            .collect();
        let text = base64(&padded).into_bytes();
        let start = [0, 2, 3].get(offset).copied().unwrap_or_default();
        let cut = [0, 3, 2].get(padded.len() % 3).copied().unwrap_or_default();
        let end = text.len().saturating_sub(cut);
        text.get(start..end).unwrap_or_default().to_vec()
    };
    (0..3).map(at).collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |place: usize| u32::from(group.get(place).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let index = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or_default();
            let letter = LETTERS.get(index).copied().map_or('=', char::from);
            text.push(if place > group.len() { '=' } else { letter });
        }
    }
    text
}
