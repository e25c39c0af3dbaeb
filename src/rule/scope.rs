//! What the filters of one rule set share while they are read.

use super::lists::Lists;
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
}

impl<'s> Scope<'s> {
    /// That of new filters.
    pub fn of(lists: &'s Lists) -> Scope<'s> {
        Scope {
            lists,
            regexps: Regexps::default(),
            age: Age::New,
        }
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
