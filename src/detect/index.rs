//! Which filters can hold for an event at all, by what its values are: an event meets only those
//! that ask for something it has. All others are not looked at, however many there are.

mod by_type;
mod chosen;
mod clues;

use std::collections::BTreeMap;
use std::sync::Arc;

use by_type::{ByType, Noted};
pub use chosen::Uses;
use clues::{Builder, Clues, Hits};

use super::kinds::Kinds;
use crate::canary::{self, Canary};
use crate::decode::Draft;
use crate::event::{Attribute, AttributeId, Attributes};
use crate::rule::Rule;
use crate::rule::requirement::Clue;
use crate::time::Millis;

/// A filter, by where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The place of its rule.
    pub rule: u32,
    /// The place of its pattern in the rule.
    pub pattern: u32,
}

/// Filters by what an event must have for them to hold. Clones share what is compiled.
#[derive(Clone)]
pub struct Index {
    /// By number, in the order of rules and of their patterns.
    filters: Arc<[Candidate]>,
    by_type: ByType,
    /// By attributes that have a name.
    named: Vec<(AttributeId, Arc<Clues>)>,
    /// By paths into the record.
    paths: Vec<Arc<Clues>>,
    /// By attribute: 1 more than the place of its clues among those of paths; 0: there are none.
    places: Vec<u32>,
    hits: Hits,
}

impl Index {
    /// The index of the filters of `rules`. `attributes` are those that they were read with, and
    /// `event_type` is that attribute.
    pub fn new(rules: &[&Rule], attributes: &Attributes, event_type: AttributeId) -> Index {
        let all = (0_u32..).zip(rules);
        let all = all.flat_map(|(rule, found)| {
            let patterns = (0_u32..).zip(&found.patterns);
            patterns.map(move |(pattern, found)| (Candidate { rule, pattern }, &found.filter))
        });
        let (filters, found): (Vec<_>, Vec<_>) = all.unzip();
        let requirements: Vec<_> = found.iter().map(|filter| filter.requirement()).collect();
        let uses = Uses::of(&requirements, event_type);
        let mut open = Vec::new();
        let mut builders: BTreeMap<AttributeId, Builder> = BTreeMap::new();
        for ((number, filter), requirement) in (0_u32..).zip(&found).zip(&requirements) {
            match uses.choose(requirement) {
                None => open.push((number, (*filter).clone())),
                Some(clues) => {
                    for clue in all_of(&clues) {
                        let builder = builders.entry(clue.attribute).or_default();
                        builder.add(number, &clue.feature);
                    }
                }
            }
        }
        let of_type = builders.remove(&event_type).unwrap_or_default().build();
        let mut index = Index {
            by_type: ByType::new(event_type, filters.len(), of_type, open),
            hits: Hits::of(filters.len()),
            filters: filters.into(),
            named: Vec::new(),
            paths: Vec::new(),
            places: vec![0; attributes.list().len()],
        };
        for (id, builder) in builders {
            index.add(id, attributes, Arc::new(builder.build()));
        }
        index
    }

    fn add(&mut self, id: AttributeId, attributes: &Attributes, clues: Arc<Clues>) {
        match attributes.list().get(usize::from(id.0)) {
            Some(Attribute::Path(_) | Attribute::Selected(_)) => {
                self.paths.push(clues);
                if let Some(place) = self.places.get_mut(usize::from(id.0)) {
                    *place = self.paths.len() as u32;
                }
            }
            Some(Attribute::Named(_) | Attribute::Own(_) | Attribute::Computed { .. }) | None => {
                self.named.push((id, clues));
            }
        }
    }

    /// What came since that was last taken.
    pub fn take_kinds(&mut self) -> Kinds {
        self.by_type.take_kinds()
    }

    /// The filters that may hold for an event, which happened at `time`.
    pub fn candidates(&mut self, draft: &mut Draft<'_, '_>, time: Millis) -> Candidates<'_> {
        let filters = &self.filters;
        let noted = Noted {
            category: draft.category(),
            time,
        };
        let of_type = self.by_type.candidates(draft.event_type(), noted);
        if self.named.is_empty() && self.paths.is_empty() {
            return Candidates {
                numbers: of_type,
                filters,
            };
        }
        let hits = &mut self.hits;
        hits.clear();
        hits.add(of_type);
        for (id, clues) in &self.named {
            if let Some(value) = draft.value(*id) {
                clues.find(value, hits);
            }
        }
        if !self.paths.is_empty() {
            for (id, value) in draft.paths() {
                let place = self.places.get(usize::from(id.0)).copied();
                let place = place.and_then(|place| place.checked_sub(1));
                if let Some(clues) = place.and_then(|place| self.paths.get(place as usize)) {
                    clues.find(value, hits);
                }
            }
        }
        Candidates {
            numbers: hits.sorted(),
            filters,
        }
    }
}

/// Filters that may hold for an event.
#[derive(Clone, Copy)]
pub struct Candidates<'i> {
    /// In order.
    numbers: &'i [u32],
    filters: &'i [Candidate],
}

impl<'i> Candidates<'i> {
    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.numbers.is_empty()
    }

    /// Each with its number, in the order of rules and of their patterns.
    pub fn each(self) -> impl Iterator<Item = (u32, Candidate)> + 'i {
        let numbers = self.numbers.iter();
        numbers.filter_map(move |number| Some((*number, *self.filters.get(*number as usize)?)))
    }
}

/// All clues; with a deliberate fault all but the last.
fn all_of<'c, 'f>(clues: &'c [&'c Clue<'f>]) -> &'c [&'c Clue<'f>] {
    match clues.split_last() {
        Some((_, others)) if canary::is(Canary::ClueDropped) => others,
        Some(_) | None => clues,
    }
}
