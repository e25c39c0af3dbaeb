//! A record as an event of which nothing but its type is made before somebody asks for more: most
//! events match no rule, and most rules say of which types those are that do.

use super::{Decoder, Recipes};
use crate::event::{AttributeId, Event, Value};
use crate::normalise;
use crate::slots::Slots;
use crate::time::Millis;

/// An event in the making.
pub struct Draft<'d, 't> {
    decoder: &'d Decoder,
    recipes: &'d Recipes,
    event: &'d mut Event<'t>,
    slots: &'d mut Slots<'t>,
    /// Its text.
    record: &'t str,
    is_whole: bool,
}

impl<'d, 't> Draft<'d, 't> {
    /// Of the record whose values stand in `slots`, and which happened at the time of `event`. The
    /// rest of it may be of another record.
    pub(super) fn new(
        decoder: &'d Decoder,
        recipes: &'d Recipes,
        event: &'d mut Event<'t>,
        slots: &'d mut Slots<'t>,
        record: &'t str,
    ) -> Draft<'d, 't> {
        event.values.resize(recipes.attributes.len(), None);
        let mut draft = Draft {
            decoder,
            recipes,
            event,
            slots,
            record,
            is_whole: false,
        };
        if let Some(event_type) = decoder.event_type {
            draft.fill(usize::from(event_type.0));
        }
        draft
    }

    fn fill(&mut self, place: usize) {
        let recipe = self.recipes.attributes.get(place);
        if let (Some(recipe), Some(value)) = (recipe, self.event.values.get_mut(place)) {
            normalise::fill(value, recipe, self.slots, self.record);
        }
    }

    /// Makes what is missing.
    fn complete(&mut self) {
        if std::mem::replace(&mut self.is_whole, true) {
            return;
        }
        let made = self.decoder.event_type.map(|id| usize::from(id.0));
        let missing = (0..self.event.values.len()).filter(|place| Some(*place) != made);
        missing.for_each(|place| self.fill(place));
        self.slots
            .take_lists(&self.decoder.paths, &mut self.event.lists);
    }

    /// Whether anything but a time is known of it, among what is asked for.
    pub(super) fn tells(&mut self) -> bool {
        self.event_type().is_some() || {
            self.complete();
            self.decoder.tells(self.event)
        }
    }

    /// Says whether anything but a time is known of it, be it asked for or not.
    pub(super) fn recognise(&mut self, is_recognised: bool) {
        self.event.is_recognised = is_recognised;
    }

    /// Values that were left out of it, for they are nested too deep in a text that was read as
    /// JSON.
    pub(super) fn hidden(&self) -> u64 {
        self.slots.hidden
    }

    /// When it happened.
    pub(crate) fn time(&self) -> Millis {
        self.event.time
    }

    /// Its category as the record names it.
    pub(crate) fn category(&self) -> Option<&str> {
        self.decoder.category(self.slots)
    }

    /// Its type, if that is asked for.
    pub(crate) fn event_type(&self) -> Option<&Value<'t>> {
        self.event.get(self.decoder.event_type?)
    }

    /// The value of an attribute that has a name, which is made if it is not yet.
    pub(crate) fn value(&mut self, id: AttributeId) -> Option<&Value<'t>> {
        if !self.is_whole && self.decoder.event_type != Some(id) {
            self.fill(usize::from(id.0));
        }
        self.event.get(id)
    }

    /// The values at paths into the record that are asked for, as far as there are any.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (AttributeId, &Value<'t>)> {
        let by_slot = &self.decoder.by_slot;
        let found = self.slots.found();
        found.filter_map(|(slot, value)| {
            let id = *by_slot.get(usize::from(slot))?;
            Some((id?, value))
        })
    }

    /// All of it.
    pub fn whole(mut self) -> &'d Event<'t> {
        self.complete();
        self.event
    }
}
