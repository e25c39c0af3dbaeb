//! Filters and exceptions that several rules share, by name. They are resolved while rules are
//! read: what goes into the log names none.
//!
//! A document of a rule file that has the key `macros`, and no other, holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::nearest::{self, shown};
use super::terms::Terms;

/// What stands before a macro's name.
const PREFIX: &str = "Macro@";

/// The macros of a rule set, by name.
#[derive(Debug, Default)]
pub struct Macros {
    pub(super) filters: BTreeMap<String, SharedFilter>,
    pub(super) exceptions: BTreeMap<String, SharedException>,
    /// Filters that are made of themselves, or have errors of their own.
    pub(super) broken: BTreeSet<String>,
    /// By filter, those that it names.
    pub(super) uses: BTreeMap<String, BTreeSet<String>>,
    /// So many times it is looked for how a filter comes back to itself.
    pub(super) searches: usize,
}

/// A filter with a name.
#[derive(Debug)]
pub(super) struct SharedFilter {
    pub(super) text: Arc<str>,
    pub(super) place: String,
}

/// An exception with a name.
#[derive(Debug)]
pub struct SharedException {
    /// Its filter.
    pub filter: String,
    /// What else it says.
    pub terms: Terms,
    /// The file and line where it stands.
    pub place: String,
}

/// The name of `Macro@name`.
pub fn name(word: &str) -> Option<&str> {
    let (prefix, name) = word.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then_some(name)
}

impl Macros {
    /// The text of the filter called `name`.
    ///
    /// # Errors
    ///
    /// There is none, or it has errors.
    pub fn filter(&self, name: &str) -> Result<Arc<str>, String> {
        let Some(shared) = self.filters.get(name) else {
            return Err(unknown("filter", name, self.filters.keys()));
        };
        match self.broken.contains(name) {
            true => Err(format!("the filter `{name}` has errors: {}", shared.place)),
            false => Ok(Arc::clone(&shared.text)),
        }
    }

    /// The exception called `name`.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn exception(&self, name: &str) -> Result<&SharedException, String> {
        let found = self.exceptions.get(name);
        found.ok_or_else(|| unknown("exception", name, self.exceptions.keys()))
    }
}

fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n String>) -> String {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let hint = match known.is_empty() {
        true => format!("; there are none yet: `macros: {{ {what}s: .. }}` in a rule file"),
        false => nearest::hint(name, &known),
    };
    format!(
        "no {what} is called `{}` among the macros{hint}",
        shown(name)
    )
}
