//! Texts with wildcards, and the tests that they are.

use super::condition::{Filter, Is, Operand};
use super::fields::Field;

/// A part of a text to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These characters.
    Text(String),
    /// Any characters, also none.
    Many,
    /// One character.
    One,
}

/// A text with wildcards.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Pieces(pub Vec<Piece>);

impl Pieces {
    /// Without wildcards.
    pub fn plain(text: &str) -> Pieces {
        Pieces(vec![Piece::Text(text.to_owned())])
    }

    /// Adds a character.
    pub fn push(&mut self, c: char) {
        match self.0.last_mut() {
            Some(Piece::Text(text)) => text.push(c),
            Some(Piece::Many | Piece::One) | None => self.0.push(Piece::Text(c.to_string())),
        }
    }

    /// Adds a wildcard.
    pub fn wildcard(&mut self, piece: Piece) {
        if piece != Piece::Many || self.0.last() != Some(&Piece::Many) {
            self.0.push(piece);
        }
    }

    /// Anything before and behind it, as asked for.
    #[must_use]
    pub fn open(mut self, before: bool, behind: bool) -> Pieces {
        self.0
            .retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        if before && self.0.first() != Some(&Piece::Many) {
            self.0.insert(0, Piece::Many);
        }
        if behind {
            self.wildcard(Piece::Many);
        }
        self
    }

    /// The text, if nothing else is in it.
    pub fn text(&self) -> Option<String> {
        match &self.0[..] {
            [] => Some(String::new()),
            [Piece::Text(text)] => Some(text.clone()),
            _ => None,
        }
    }

    /// The test of a field that it is, letter case aside.
    pub fn test(&self, field: &Field) -> Filter {
        match &self.0[..] {
            [] => field.empty(),
            [Piece::Text(text)] if text.is_empty() => field.empty(),
            [Piece::Text(text)] => field.equal(Operand::Text(text.clone())),
            [Piece::Many] => Filter::there(&field.part),
            [Piece::Many, Piece::Text(text), Piece::Many] => {
                Filter::Test(field.part.clone(), Is::Containing(text.clone()))
            }
            [Piece::Text(text), Piece::Many] => {
                Filter::Test(field.part.clone(), Is::Beginning(text.clone()))
            }
            [Piece::Many, Piece::Text(text)] => {
                Filter::Test(field.part.clone(), Is::Ending(text.clone()))
            }
            pieces => Filter::Test(field.part.clone(), Is::Matching(expression(pieces, ""))),
        }
    }

    /// The same with letter case.
    pub fn cased_test(&self, field: &Field) -> Filter {
        match &self.0[..] {
            [] | [Piece::Many] => self.test(field),
            pieces => Filter::Test(field.part.clone(), Is::Matching(expression(pieces, "-i"))),
        }
    }
}

/// The regular expression of a text with wildcards.
fn expression(pieces: &[Piece], flags: &str) -> String {
    let mut text = match flags {
        "" => "(?s)".to_owned(),
        flags => format!("(?s{flags})"),
    };
    let is_open = |piece: Option<&Piece>| piece == Some(&Piece::Many);
    if !is_open(pieces.first()) {
        text.push('^');
    }
    for (place, piece) in pieces.iter().enumerate() {
        let is_end = place == 0 || place + 1 == pieces.len();
        match piece {
            Piece::Text(part) => text += &regex::escape(part),
            Piece::Many if is_end => {}
            Piece::Many => text += ".*",
            Piece::One => text.push('.'),
        }
    }
    if !is_open(pieces.last()) {
        text.push('$');
    }
    text
}
