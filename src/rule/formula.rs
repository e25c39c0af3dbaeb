//! Values that a pattern computes of the attributes of an event, for its groups and its aggregates.
//!
//! They have places among the attributes, so that all who count and compare see them as such; only
//! who reads an event asks how they are computed.

use super::attribute::Names;
use super::lists::Lists;
use super::print::{self, NameOf};
use super::scope::Scope;
use super::token::Cursor;
use super::tree::Scalar;
use super::{Aggregate, FilterError, Pattern, attribute};
use crate::event::{Attribute, AttributeId, Attributes};

/// A value that is computed of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    /// Its place among the attributes.
    pub id: AttributeId,
    /// What the pattern calls it; `None`: only one aggregate reads it.
    pub name: Option<String>,
    /// How it is computed. Several parts are a combination, which is absent where one of them is.
    pub parts: Vec<Scalar>,
    /// The attributes that it is computed of.
    pub reads: Vec<AttributeId>,
    /// The lists that it names.
    pub lists: Lists,
}

impl Formula {
    /// How it is computed, as rules write it.
    pub fn print(&self, name: NameOf<'_>) -> String {
        text(&self.parts, name)
    }
}

fn text(parts: &[Scalar], name: NameOf<'_>) -> String {
    let parts: Vec<String> = parts.iter().map(|part| print::scalar(part, name)).collect();
    parts.join(", ")
}

impl Pattern {
    /// How the value at this place is computed; `None`: it is an attribute of events.
    pub fn formula(&self, id: AttributeId) -> Option<&Formula> {
        self.formulas.iter().find(|formula| formula.id == id)
    }
}

/// What a pattern reads of events beside its filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reads {
    /// By their place.
    pub aggregates: Vec<Aggregate>,
    /// What they, and its groups, are computed of.
    pub formulas: Vec<Formula>,
}

impl Reads {
    /// The place of what group_by calls so.
    pub fn named(&self, name: &str) -> Option<AttributeId> {
        named(&self.formulas, name)
    }

    /// Adds a formula, unless it is there. The place of its value.
    ///
    /// # Errors
    ///
    /// There are too many attributes.
    pub fn add(
        &mut self,
        name: Option<&str>,
        parts: Vec<Scalar>,
        lists: Lists,
        attributes: &mut Attributes,
    ) -> Result<AttributeId, String> {
        let text = text(&parts, &|id| print::name(attributes, id));
        let name = name.map(str::to_owned);
        let computed = Attribute::Computed {
            name: name.clone(),
            text,
        };
        let id = attribute::added(computed, attributes)?;
        if self.formulas.iter().all(|known| known.id != id) {
            let reads = self.read_by(&parts);
            self.formulas.push(Formula {
                id,
                name,
                parts,
                reads,
                lists,
            });
        }
        Ok(id)
    }

    /// The attributes of events that these are computed of, each once.
    fn read_by(&self, parts: &[Scalar]) -> Vec<AttributeId> {
        let mut all = Vec::new();
        for id in parts.iter().flat_map(Scalar::attributes) {
            let computed = self.formulas.iter().find(|known| known.id == id);
            let of = computed.map_or_else(|| vec![id], |known| known.reads.clone());
            for id in of {
                if !all.contains(&id) {
                    all.push(id);
                }
            }
        }
        all
    }
}

/// The place of the formula of this name.
pub fn named(formulas: &[Formula], name: &str) -> Option<AttributeId> {
    let is_it = |formula: &&Formula| {
        let own = formula.name.as_ref();
        own.is_some_and(|own| own.eq_ignore_ascii_case(name))
    };
    formulas.iter().find(is_it).map(|formula| formula.id)
}

/// What an aggregate is read from, and into.
pub struct Making<'p, 't, 'a, 's> {
    /// Before what stands in its parentheses.
    pub cursor: &'p mut Cursor<'t>,
    /// The names that it may use.
    pub names: &'p mut Names<'a>,
    /// What it shares with the rest of the rule set.
    pub scope: &'p mut Scope<'s>,
    /// The formulas so far.
    pub reads: &'p mut Reads,
    /// Errors that do not keep the rest from being read.
    pub errors: &'p mut Vec<FilterError>,
}

#[cfg(test)]
#[path = "formula_tests.rs"]
mod tests;
