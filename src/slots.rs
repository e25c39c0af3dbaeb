//! What was found in a record, between the pass over its text and the making of its attributes.

use std::borrow::Cow;

use crate::event::{AttributeId, Element, Lists, Value};

/// The element of a value that was reached through none, beside others.
const NOWHERE: u32 = u32::MAX;

/// What was found in a record, by slot. Emptied and used again for the next one. However many
/// slots there are, a message costs one byte pair for each: most records fill few of them.
pub(crate) struct Slots<'s> {
    /// For each slot, 1 more than the place of what was found; 0: nothing was.
    places: Vec<u16>,
    /// What was found, so many as `count` says; behind them such as have no memory of their own,
    /// to be filled in place.
    found: Vec<Slot<'s>>,
    count: usize,
    /// Bytes looked at within texts that were read as JSON, of all records.
    pub(crate) read_within: usize,
    /// Values of this record that are too deep within such a text.
    pub(crate) hidden: u64,
    /// The elements of the lists that were read.
    pub(crate) elements: Vec<Element>,
    /// Where the list of an answer begins that the record may be.
    pub(crate) answer: Option<usize>,
    /// Where the record begins that this one may be wrapped around.
    pub(crate) data: Option<usize>,
}

struct Slot<'s> {
    slot: u16,
    value: Value<'s>,
    /// The element that each value stands in; empty: it was not reached through a list.
    elements: Vec<u32>,
}

/// What an empty slot holds.
const NOTHING: Value<'static> = Value::Bool(false);

#[inline(never)]
fn make_room(found: &mut Vec<Slot<'_>>) {
    found.push(Slot {
        slot: 0,
        value: NOTHING,
        elements: Vec::new(),
    });
}

impl<'s> Slots<'s> {
    pub(crate) fn new(length: usize) -> Slots<'s> {
        Slots {
            places: vec![0; length],
            found: Vec::with_capacity(length.min(64)),
            count: 0,
            read_within: 0,
            hidden: 0,
            elements: Vec::new(),
            answer: None,
            data: None,
        }
    }

    pub(crate) fn get(&self, slot: u16) -> Option<&Value<'s>> {
        self.slot(slot).map(|found| &found.value)
    }

    /// What was found, each with its slot.
    pub(crate) fn found(&self) -> impl Iterator<Item = (u16, &Value<'s>)> {
        let found = self.found.iter().take(self.count);
        found.map(|found| (found.slot, &found.value))
    }

    /// Whether anything was found for one of the first so many slots.
    pub(crate) fn has_any_of(&self, first: usize) -> bool {
        let places = self.places.get(..first).unwrap_or(&self.places);
        places.iter().fold(0, |all, place| all | place) != 0
    }

    fn slot(&self, slot: u16) -> Option<&Slot<'s>> {
        let place = *self.places.get(usize::from(slot))?;
        self.found.get(usize::from(place.checked_sub(1)?))
    }

    /// Moves where values of these attributes stand, if they were reached through lists.
    pub(crate) fn take_lists(&mut self, paths: &[(AttributeId, u16)], lists: &mut Lists) {
        lists.values.clear();
        if self.elements.is_empty() {
            return;
        }
        for (attribute, slot) in paths {
            if let Some(found) = self.slot(*slot).filter(|found| !found.elements.is_empty()) {
                lists.values.push((*attribute, found.elements.clone()));
            }
        }
        std::mem::swap(&mut lists.elements, &mut self.elements);
    }

    /// The next element of a list, of which `first` is the first one's number if there was one.
    pub(crate) fn enter(&mut self, first: Option<u32>, within: Option<u32>) -> u32 {
        let number = u32::try_from(self.elements.len()).unwrap_or(u32::MAX);
        let list = first.unwrap_or(number);
        self.elements.push(Element { list, within });
        number
    }

    pub(crate) fn clear(&mut self) {
        self.hidden = 0;
        self.elements.clear();
        self.answer = None;
        self.data = None;
        for found in self.found.iter_mut().take(self.count) {
            if let Some(place) = self.places.get_mut(usize::from(found.slot)) {
                *place = 0;
            }
            match &found.value {
                Value::Text(Cow::Owned(_)) | Value::Many(_) => found.value = NOTHING,
                Value::Text(Cow::Borrowed(_))
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Bool(_) => {}
            }
            found.elements.clear();
        }
        self.count = 0;
    }

    /// Puts what was found into a slot. Where something is there already, it counts if both were
    /// reached through lists, or if `all` is wanted. Within its callers, so that the value is made
    /// where it stays: a processor waits for what was just written in parts and is read as a whole.
    #[inline(always)]
    pub(crate) fn put(&mut self, slot: u16, value: Value<'s>, element: Option<u32>, all: bool) {
        let Some(place) = self.places.get_mut(usize::from(slot)) else {
            return;
        };
        if *place != 0 {
            return self.put_beside(slot, value, element, all);
        }
        if self.count == self.found.len() {
            make_room(&mut self.found);
        }
        if let Some(found) = self.found.get_mut(self.count) {
            found.slot = slot;
            // What was there has no memory of its own.
            std::mem::forget(std::mem::replace(&mut found.value, value));
            self.count += 1;
            *place = u16::try_from(self.count).unwrap_or(0);
            if let Some(element) = element {
                found.elements.push(element);
            }
        }
    }

    /// The same where something is there already.
    #[inline(never)]
    fn put_beside(&mut self, slot: u16, value: Value<'s>, element: Option<u32>, all: bool) {
        let place = self.places.get(usize::from(slot)).copied();
        let known = place.and_then(|place| place.checked_sub(1));
        let Some(first) = known.and_then(|known| self.found.get_mut(usize::from(known))) else {
            return;
        };
        match element {
            Some(element) if !first.elements.is_empty() => first.elements.push(element),
            Some(_) | None if !all => return,
            Some(element) => {
                let known = match &first.value {
                    Value::Many(values) => values.len(),
                    Value::Text(_) | Value::Integer(_) | Value::Float(_) | Value::Bool(_) => 1,
                };
                first.elements.resize(known, NOWHERE);
                first.elements.push(element);
            }
            None if !first.elements.is_empty() => first.elements.push(NOWHERE),
            None => {}
        }
        match &mut first.value {
            Value::Many(values) => values.push(value),
            Value::Text(_) | Value::Integer(_) | Value::Float(_) | Value::Bool(_) => {
                let one = std::mem::replace(&mut first.value, Value::Many(Vec::new()));
                first.value = Value::Many(vec![one, value]);
            }
        }
    }
}
