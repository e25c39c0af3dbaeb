//! Which filters may hold by the type of an event: there are few types, so what each comes to is
//! remembered.

use std::sync::Arc;

use super::clues::{Clues, Hits};
use crate::detect::kinds::{Kinds, OfType};
use crate::event::{AttributeId, Value};
use crate::rule::Filter;
use crate::spread::place_of;
use crate::time::Millis;

/// How many event types are remembered with the filters that may hold for them.
const REMEMBERED: usize = 512;

/// Longer event types are not remembered.
const REMEMBERED_BYTES: usize = 256;

/// Filters by the event types that they ask for, and those that ask for nothing.
#[derive(Clone)]
pub struct ByType {
    event_type: AttributeId,
    clues: Arc<Clues>,
    /// Filters that are found by nothing else.
    open: Arc<[(u32, Filter)]>,
    /// Event types that were looked up, each at a place that follows from it.
    remembered: Vec<Option<Remembered>>,
    /// What may hold for an event without a type.
    untyped: Vec<u32>,
    untyped_came: OfType,
    /// What came of event types that are no longer remembered.
    forgotten: Kinds,
    hits: Hits,
}

/// What is noted of an event besides its type.
#[derive(Clone, Copy)]
pub struct Noted<'e> {
    /// Azure's category.
    pub category: Option<&'e str>,
    /// When it happened.
    pub time: Millis,
}

#[derive(Clone)]
struct Remembered {
    event_type: String,
    numbers: Vec<u32>,
    came: OfType,
}

impl Remembered {
    fn take_into(&mut self, kinds: &mut Kinds) {
        self.came.take_into(Some(&self.event_type), kinds);
    }
}

impl ByType {
    /// Of `filters` filters in all, those that are found by `clues`, and those that are `open`.
    /// `event_type` is that attribute.
    pub fn new(
        event_type: AttributeId,
        filters: usize,
        clues: Clues,
        open: Vec<(u32, Filter)>,
    ) -> ByType {
        let mut by_type = ByType {
            event_type,
            clues: Arc::new(clues),
            open: open.into(),
            remembered: std::iter::repeat_with(|| None).take(REMEMBERED).collect(),
            untyped: Vec::new(),
            untyped_came: OfType::default(),
            forgotten: Kinds::default(),
            hits: Hits::of(filters),
        };
        by_type.untyped = by_type.find(None).to_vec();
        by_type
    }

    /// The filters that may hold for an event of this type, in order.
    pub fn candidates(&mut self, event_type: Option<&Value<'_>>, noted: Noted<'_>) -> &[u32] {
        let Noted { category, time } = noted;
        let name = match event_type {
            None => {
                self.untyped_came.note(category, time);
                return &self.untyped;
            }
            Some(Value::Text(name)) if name.len() <= REMEMBERED_BYTES => name,
            Some(_) => {
                self.forgotten.others += 1;
                return self.find(event_type);
            }
        };
        let place = place_of(name.as_bytes(), REMEMBERED);
        let is_known = |known: &Option<Remembered>| {
            known
                .as_ref()
                .is_some_and(|known| known.event_type == **name)
        };
        if !self.remembered.get(place).is_some_and(is_known) {
            let new = Remembered {
                event_type: name.to_string(),
                numbers: self.find(event_type).to_vec(),
                came: OfType::default(),
            };
            let place = self.remembered.get_mut(place);
            if let Some(mut before) = place.and_then(|known| known.replace(new)) {
                before.take_into(&mut self.forgotten);
            }
        }
        let known = self.remembered.get_mut(place).and_then(Option::as_mut);
        known.map_or(&[], |known| {
            known.came.note(category, time);
            &known.numbers
        })
    }

    /// What came since that was last taken.
    pub fn take_kinds(&mut self) -> Kinds {
        let mut kinds = std::mem::take(&mut self.forgotten);
        self.untyped_came.take_into(None, &mut kinds);
        for known in self.remembered.iter_mut().flatten() {
            known.take_into(&mut kinds);
        }
        kinds
    }

    fn find(&mut self, event_type: Option<&Value<'_>>) -> &[u32] {
        self.hits.clear();
        if let Some(event_type) = event_type {
            self.clues.find(event_type, &mut self.hits);
        }
        for (number, filter) in self.open.iter() {
            if filter.may_pass(self.event_type, event_type) {
                self.hits.add(&[*number]);
            }
        }
        self.hits.sorted()
    }
}
