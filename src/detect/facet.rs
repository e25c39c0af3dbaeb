//! What a pattern reads of an event: its attributes, and what is computed of them.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::value::{self, folded};
use crate::event::{AttributeId, Event, Value};
use crate::matches::Input;
use crate::rule::formula::Formula;
use crate::rule::scalar::{Look, Source};
use crate::rule::tree::Scalar;
use crate::rule::{Aggregate, Pattern};

/// An event as a pattern sees it.
#[derive(Clone, Copy)]
pub struct Facet<'v> {
    /// Who asks.
    pub pattern: &'v Pattern,
    /// What is read.
    pub event: &'v Event<'v>,
    /// What computing goes by besides, and what it left out.
    pub look: &'v Look,
}

/// What gives the value of an attribute of events.
type Get<'g, 't> = &'g dyn Fn(AttributeId) -> Option<&'t Value<'t>>;

impl<'v> Facet<'v> {
    /// What the pattern's groups, or its `new`, tell apart.
    pub fn attributes(&self) -> &'v [AttributeId] {
        match &self.pattern.new {
            Some(new) => &new.attributes,
            None => &self.pattern.group_by,
        }
    }

    /// The value at this place, where what it takes has one value each.
    #[inline]
    pub fn value(&self, id: AttributeId) -> Option<Cow<'v, Value<'v>>> {
        if self.pattern.formulas.is_empty() {
            return self.event.get(id).map(Cow::Borrowed);
        }
        self.value_of(id, &|id| self.event.get(id))
    }

    /// The value at this place where the attributes of events have these.
    pub fn value_of<'t>(&self, id: AttributeId, get: Get<'_, 't>) -> Option<Cow<'t, Value<'t>>>
    where
        'v: 't,
    {
        match self.pattern.formula(id) {
            None => get(id).map(Cow::Borrowed),
            Some(formula) => self.computed(formula, get),
        }
    }

    fn computed<'t>(&self, formula: &'v Formula, get: Get<'_, 't>) -> Option<Cow<'t, Value<'t>>>
    where
        'v: 't,
    {
        let look = self.look;
        let source = Source { get, look };
        if let [one] = &formula.parts[..] {
            return one.value(&source);
        }
        let mut combination = String::new();
        for part in &formula.parts {
            let value = match part {
                Scalar::Attribute(id) => self.value_of(*id, get)?,
                Scalar::Text(_)
                | Scalar::Number(_)
                | Scalar::Arithmetic(..)
                | Scalar::Call(..)
                | Scalar::Clock(_)
                | Scalar::Extract(..)
                | Scalar::If(..)
                | Scalar::Lookup(_)
                | Scalar::NetLookup(_) => part.value(&source)?,
            };
            let text = folded(&value);
            // With its length before it no combination reads as another. Writing to a string
            // cannot fail.
            let written = write!(combination, "{}:{text}", text.len());
            debug_assert!(written.is_ok());
        }
        Some(Cow::Owned(Value::Text(Cow::Owned(combination))))
    }

    /// The attributes of events that these take, each once.
    pub fn taken(&self, ids: &[AttributeId]) -> Vec<AttributeId> {
        let mut taken: Vec<AttributeId> = Vec::with_capacity(ids.len());
        for id in ids {
            let formula = self.pattern.formula(*id);
            let own = formula.map_or(std::slice::from_ref(id), |formula| &formula.reads);
            for id in own {
                if !taken.contains(id) {
                    taken.push(*id);
                }
            }
        }
        taken
    }

    /// Whether the pattern takes an attribute of which the event has several values, or some that
    /// vary together.
    pub fn has_several(&self) -> bool {
        let attributes = self.attributes();
        let grouped = match self.pattern.formulas.is_empty() {
            true => has_several(attributes, self.event),
            false => has_several(&self.taken(attributes), self.event),
        };
        let mut aggregates = self.pattern.aggregates.iter();
        grouped || aggregates.any(|one| one.input.is_some_and(|id| self.is_several(id)))
    }

    /// Whether what stands at this place may have several values.
    pub fn is_several(&self, id: AttributeId) -> bool {
        match self.pattern.formula(id) {
            None => self.event.is_several(id),
            Some(formula) => has_several(&formula.reads, self.event),
        }
    }

    /// What an aggregate reads, where what it takes has one value.
    pub fn input(&self, aggregate: &Aggregate) -> Input {
        match aggregate.input {
            Some(id) => value::input(aggregate, self.value(id).as_deref()),
            None => Input::Present,
        }
    }
}

/// Whether an attribute of these has several values, or one that varies together with another's.
fn has_several(attributes: &[AttributeId], event: &Event<'_>) -> bool {
    let is_many = |id: &&AttributeId| matches!(event.get(**id), Some(Value::Many(_)));
    let mut in_lists = attributes.iter().filter(|id| event.lists.has(**id));
    attributes.iter().any(|id| is_many(&id)) || in_lists.nth(1).is_some()
}
