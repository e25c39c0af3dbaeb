//! What the filters of one rule set share while they are read.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::bounds::MACROS_READ_MAX;
use super::lists::Lists;
use super::macros::Macros;
use super::regexps::Regexps;

/// Where a text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// From a file: everything is checked.
    New,
    /// From the log, where an older version put it. What is a slip or in bad taste stays valid, as
    /// a worker must go on with it; what could do harm is refused all the same.
    Old,
}

/// What the filters of one rule set share while they are read.
#[derive(Debug)]
pub struct Scope<'s> {
    /// Those that they may name.
    pub lists: &'s Lists,
    /// What is left for their regular expressions.
    pub regexps: Regexps,
    /// Where they come from.
    pub age: Age,
    /// What they may name beside lists.
    pub macros: Option<&'s Macros>,
    /// The macros that were named since this was emptied.
    pub named: BTreeSet<String>,
    /// Bytes of macros that were read where they are named.
    pub macro_bytes: usize,
}

impl<'s> Scope<'s> {
    /// That of new filters.
    pub fn of(lists: &'s Lists) -> Scope<'s> {
        Scope {
            lists,
            regexps: Regexps::default(),
            age: Age::New,
            macros: None,
            named: BTreeSet::new(),
            macro_bytes: 0,
        }
    }

    /// The text of the filter that macros call `name`.
    ///
    /// # Errors
    ///
    /// There is none, or they are too much.
    pub fn macro_filter(&mut self, name: &str) -> Result<Arc<str>, String> {
        let none = Macros::default();
        let text = self.macros.unwrap_or(&none).filter(name)?;
        self.macro_bytes += text.len();
        if self.macro_bytes > MACROS_READ_MAX {
            return Err(format!(
                "all macros where they are named are more than {MACROS_READ_MAX} bytes: name \
                 fewer, or smaller ones"
            ));
        }
        self.named.insert(name.to_owned());
        Ok(text)
    }

    /// That of filters from the log.
    pub fn of_log(lists: &'s Lists) -> Scope<'s> {
        Scope {
            age: Age::Old,
            regexps: Regexps::of_log(),
            ..Scope::of(lists)
        }
    }
}
