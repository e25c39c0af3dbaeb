//! Regular expressions: compiled within bounds, and matched within bounds.
//!
//! A short expression can take megabytes when it is compiled, and one that is compiled reads its
//! text in time that is linear in it but may be slow for each byte. So a rule set has a total for
//! all its expressions, and an expression looks at the beginning of a text only.

use std::cell::Cell;
use std::collections::HashMap;

use regex::{Regex, RegexBuilder};

use super::nearest::shown;

/// Bytes of a value that an expression looks at.
pub const LOOKED_AT_MAX: usize = 64 << 10;

/// Bytes that all expressions of a rule set may take when compiled.
const TOTAL_MAX: usize = 32 << 20;

/// Bytes that one of them may take.
const LARGEST: usize = 2 << 20;

/// The same of rules in the log, where older versions put larger ones.
const OLD_TOTAL_MAX: usize = 128 << 20;
const OLD_LARGEST: usize = 16 << 20;

/// Bytes of one expression as written: parsing takes far more for each of them.
const SOURCE_MAX: usize = 8 << 10;

/// What an expression is charged at least. Others are charged the first double of it that is
/// enough for them: the library takes a limit for what it compiles, but does not say what it took.
const SMALLEST: usize = 4 << 10;

/// Groups and the like within each other in one expression.
pub(super) const NESTING_MAX: u32 = 100;

/// What an expression may take while it matches, for each byte of its compiled size, and at least.
const CACHE_FACTOR: usize = 16;
const CACHE_MIN: usize = 128 << 10;
const CACHE_MAX: usize = 2 << 20;

/// What is left for the regular expressions of a rule set.
#[derive(Debug)]
pub struct Regexps {
    total: usize,
    left: usize,
    largest: usize,
    /// Those that were compiled before, by what is written.
    known: HashMap<String, Pattern>,
}

impl Default for Regexps {
    fn default() -> Regexps {
        Regexps {
            total: TOTAL_MAX,
            left: TOTAL_MAX,
            largest: LARGEST,
            known: HashMap::new(),
        }
    }
}

impl Regexps {
    /// For rules in the log.
    pub fn of_log() -> Regexps {
        Regexps {
            total: OLD_TOTAL_MAX,
            left: OLD_TOTAL_MAX,
            largest: OLD_LARGEST,
            known: HashMap::new(),
        }
    }

    /// Compiles `source`; letter case will be ignored.
    ///
    /// # Errors
    ///
    /// It is no regular expression, or takes more than is left.
    pub fn compile(&mut self, source: &str) -> Result<Pattern, String> {
        if let Some(known) = self.known.get(source) {
            return Ok(known.clone());
        }
        if self.is_spent() {
            return Err(self.spent());
        }
        if source.len() > SOURCE_MAX {
            return Err(format!(
                "a regular expression has at most {SOURCE_MAX} bytes, found {}: use a list, or \
                 several tests",
                source.len()
            ));
        }
        let largest = self.largest;
        let sizes = std::iter::successors(Some(SMALLEST), |size| Some(size * 2));
        for size in sizes.take_while(|size| *size <= largest) {
            let fits = size <= self.left;
            let limit = size.min(self.left);
            match build(source, limit) {
                Ok(regex) => {
                    self.left -= limit;
                    return Ok(Pattern(regex));
                }
                Err(regex::Error::CompiledTooBig(_)) if fits => {}
                Err(regex::Error::CompiledTooBig(_)) => {
                    self.left = 0;
                    return Err(self.spent());
                }
                Err(error) => return Err(not_one(&error)),
            }
        }
        // The attempts cost something, too.
        self.left -= largest;
        Err(format!(
            "this regular expression takes more than {largest} bytes when compiled: repeat less \
             in it, such as `\\w+` for `\\w{{1,40}}`, or write [a-z0-9_] for `\\w`"
        ))
    }

    /// Whether nothing is left.
    pub fn is_spent(&self) -> bool {
        self.left == 0
    }

    fn spent(&self) -> String {
        let total = self.total;
        format!(
            "the regular expressions of this rule set, up to this one, take more than {total} \
             bytes when compiled: have fewer, repeat less in them, or write [a-z0-9_] for `\\w`"
        )
    }
}

fn build(source: &str, size: usize) -> Result<Regex, regex::Error> {
    RegexBuilder::new(source)
        .case_insensitive(true)
        .nest_limit(NESTING_MAX)
        .size_limit(size)
        .dfa_size_limit((size * CACHE_FACTOR).clamp(CACHE_MIN, CACHE_MAX))
        .build()
}

fn not_one(error: &regex::Error) -> String {
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default();
    let reason = reason.trim_start_matches("error: ");
    format!("not a regular expression: {}", shown(reason))
}

/// What an evaluation left out.
#[derive(Clone, Debug, Default)]
pub struct Omitted(Cell<bool>);

impl Omitted {
    /// Whether a regular expression looked at the beginning of a value only.
    pub fn any(&self) -> bool {
        self.0.get()
    }
}

/// A compiled regular expression; equal when written equally.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Whether a part of the text matches, of its first 64 KiB.
    pub fn is_match(&self, text: &str, omitted: &Omitted) -> bool {
        self.0.is_match(looked_at(text, omitted))
    }

    /// What its first group, or without groups all of it, matches in the text's first 64 KiB.
    pub fn extract<'t>(&self, text: &'t str, omitted: &Omitted) -> Option<&'t str> {
        let found = self.0.captures(looked_at(text, omitted))?;
        let place = usize::from(found.len() > 1);
        found.get(place).map(|part| part.as_str())
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

fn looked_at<'t>(text: &'t str, omitted: &Omitted) -> &'t str {
    if text.len() <= LOOKED_AT_MAX {
        return text;
    }
    omitted.0.set(true);
    let mut begins = (0..=LOOKED_AT_MAX).rev();
    let end = begins.find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
#[path = "regexps_tests.rs"]
mod tests;
