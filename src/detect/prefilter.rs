//! Which messages can hold a record that matches at all, as far as their bytes tell before they are
//! read: those in which a text stands that a filter needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use memchr::memmem;
use serde::Deserialize;

use super::finder::Finder;
use super::raw_texts::Making;
use crate::event::Attributes;
use crate::rule::Rule;
use crate::rule::own::Own;
use crate::rule::requirement::Requirement;

/// Words that most messages have, in lower case.
const ORDINARY: [&str; 24] = [
    "action",
    "administrative",
    "authorization",
    "azure",
    "compute",
    "delete",
    "failure",
    "group",
    "insights",
    "login",
    "microsoft",
    "name",
    "network",
    "providers",
    "read",
    "resource",
    "resourcegroups",
    "resources",
    "signin",
    "storage",
    "subscriptions",
    "success",
    "virtualmachines",
    "write",
];

/// How common a text is that most messages have.
const COMMON: u64 = 1_000_000;

/// What an escape of an ASCII character begins with, behind its backslash.
const ESCAPE: &[u8] = b"u00";

/// Of which messages all records are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validate {
    /// Of all: each record that is broken is noticed.
    #[default]
    All,
    /// Of those in which one may match, as far as can be told before.
    Matching,
}

impl Validate {
    /// As flags write it.
    ///
    /// # Errors
    ///
    /// It is none of the words.
    pub fn parse(text: &str) -> Result<Validate, String> {
        match text {
            "all" => Ok(Validate::All),
            "matching" => Ok(Validate::Matching),
            _ => Err("expected `all` or `matching`".to_owned()),
        }
    }
}

/// Of messages that are passed over the time of one is read in so many bytes.
const UNTIMED_BYTES_MAX: usize = 64 << 10;

/// Of which messages that are passed over the time is read: the first one, and then one now and
/// then. The watermark needs no more.
#[derive(Debug, Default)]
pub struct Untimed {
    /// Bytes of messages since the last of which it was read, if there was one.
    since: Option<usize>,
}

impl Untimed {
    /// Whether it is to be read of a message of so many bytes.
    pub fn is_due(&mut self, bytes: usize) -> bool {
        let since = self.since.map(|since| since + bytes);
        let is_due = since.is_none_or(|since| since > UNTIMED_BYTES_MAX);
        self.since = if is_due { Some(0) } else { since };
        is_due
    }
}

/// Messages by which it is seen whether looking at them before they are read is worth it.
const WATCHED: u32 = 64;

/// Messages that are read unseen where it is not.
const UNSEEN: u32 = 16 * WATCHED;

/// Which messages are to be read.
#[derive(Clone)]
pub struct Prefilter {
    /// Texts, one of which stands in each message with a record that may match.
    texts: Arc<Finder>,
    escapes: memmem::Finder<'static>,
    watched: u32,
    /// How many of those that were watched are to be read.
    to_be_read: u32,
    /// How many are read without a look.
    unseen: u32,
}

/// Filters of whose records nothing can be told before they are read: the rule and the pattern, by
/// their places.
pub type Untold = Vec<(usize, usize)>;

impl Prefilter {
    /// For the filters of these rules, made with `attributes`.
    ///
    /// # Errors
    ///
    /// For some of them nothing is known that must stand in a message: every message is to be read.
    pub fn of(rules: &[&Rule], attributes: &Attributes, own: &Own) -> Result<Prefilter, Untold> {
        let making = Making::of(attributes, own);
        let mut untold = Untold::new();
        let mut found: BTreeSet<String> = BTreeSet::new();
        for (place, rule) in rules.iter().enumerate() {
            for (number, pattern) in rule.patterns.iter().enumerate() {
                match texts(&pattern.filter.requirement(), &making) {
                    Some(texts) => found.extend(texts),
                    None => untold.push((place, number)),
                }
            }
        }
        if !untold.is_empty() {
            return Err(untold);
        }
        let texts: Vec<String> = found.into_iter().collect();
        Ok(Prefilter {
            texts: Arc::new(Finder::new(&texts)),
            escapes: memmem::Finder::new(ESCAPE),
            watched: 0,
            to_be_read: 0,
            unseen: 0,
        })
    }

    /// Whether a record of the message may match. Where that is so of most messages, some are taken
    /// for such as may without a look.
    pub fn may_match(&mut self, message: &[u8]) -> bool {
        if self.unseen > 0 {
            self.unseen -= 1;
            return true;
        }
        let may_match = self.has_text(message);
        self.watched += 1;
        self.to_be_read += u32::from(may_match);
        if self.watched == WATCHED {
            if self.to_be_read > WATCHED / 2 {
                self.unseen = UNSEEN;
            }
            (self.watched, self.to_be_read) = (0, 0);
        }
        may_match
    }

    fn has_text(&self, message: &[u8]) -> bool {
        let has_escape = || {
            self.escapes.find_iter(message).any(|at| {
                let digits = message.get(at + ESCAPE.len()..);
                digits.is_some_and(is_of_run)
            })
        };
        self.texts.hits(message).next().is_some() || has_escape()
    }
}

/// Whether two hexadecimal digits are those of a letter or digit of ASCII.
fn is_of_run(digits: &[u8]) -> bool {
    let digits = digits
        .get(..2)
        .and_then(|digits| str::from_utf8(digits).ok());
    let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
    code.is_some_and(|code| code.is_ascii_alphanumeric())
}

/// Texts one of which stands in a message whose record meets the requirement, such that they seldom
/// do; `None`: nothing must, or only what most messages have.
pub(super) fn texts(requirement: &Requirement<'_>, making: &Making<'_>) -> Option<Vec<String>> {
    let (common, texts) = cheapest(requirement, making)?;
    (common < COMMON).then_some(texts)
}

/// The same, and how common they are, about.
fn cheapest(requirement: &Requirement<'_>, making: &Making<'_>) -> Option<(u64, Vec<String>)> {
    match requirement {
        Requirement::Clue(clue) => {
            let mut all = (0, Vec::new());
            for runs in making.runs(clue)? {
                let rarest = runs.into_iter().min_by_key(|run| commonness(run))?;
                all.0 += commonness(&rarest);
                all.1.push(rarest);
            }
            Some(all)
        }
        Requirement::One(parts) => {
            let mut all = (0, Vec::new());
            for part in parts {
                let (common, texts) = cheapest(part, making)?;
                all.0 += common;
                all.1.extend(texts);
            }
            Some(all)
        }
        Requirement::All(parts) => {
            let known = parts.iter().filter_map(|part| cheapest(part, making));
            known.min_by_key(|(common, _)| *common)
        }
        Requirement::Open(_) => None,
    }
}

/// How many messages have this text, about.
fn commonness(text: &str) -> u64 {
    match text.len() {
        _ if ORDINARY.contains(&text) => COMMON,
        0..=4 => 100,
        5..=7 => 30,
        8..=10 => 10,
        _ => 9,
    }
}

#[cfg(test)]
mod tests;
