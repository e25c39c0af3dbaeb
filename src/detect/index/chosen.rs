//! What a filter is found by, of all that an event must have for it to hold: the rarest.

use std::collections::HashMap;

use crate::event::AttributeId;
use crate::rule::requirement::{Clue, Feature, Requirement};

/// What nearly all event types of Azure begin with, in lower case.
const TYPE_PREFIX: &str = "ms_evthub_";

/// What it costs to look at one attribute more of each event.
const LOOK: u64 = 500;

/// How common a value's presence is.
const PRESENT: u64 = 200_000;

/// How often features are asked for, among all filters.
pub struct Uses {
    event_type: AttributeId,
    uses: HashMap<String, u64>,
}

impl Uses {
    /// In all of these; `event_type` is that attribute.
    pub fn of(requirements: &[Requirement<'_>], event_type: AttributeId) -> Uses {
        let mut all = Uses {
            event_type,
            uses: HashMap::new(),
        };
        requirements.iter().for_each(|one| all.count(one));
        all
    }

    fn count(&mut self, requirement: &Requirement<'_>) {
        match requirement {
            Requirement::Clue(clue) => *self.uses.entry(text(clue)).or_default() += 1,
            Requirement::One(parts) | Requirement::All(parts) => {
                parts.iter().for_each(|part| self.count(part));
            }
            Requirement::Open(_) => {}
        }
    }

    /// The rarest features of which an event must have one; `None`: it may have none.
    pub fn choose<'r, 'f>(&self, requirement: &'r Requirement<'f>) -> Option<Vec<&'r Clue<'f>>> {
        self.cheapest(requirement).map(|(_, clues)| clues)
    }

    fn cheapest<'r, 'f>(
        &self,
        requirement: &'r Requirement<'f>,
    ) -> Option<(u64, Vec<&'r Clue<'f>>)> {
        match requirement {
            Requirement::Clue(clue) => Some((self.cost(clue), vec![clue])),
            Requirement::One(parts) => {
                let mut all = (0, Vec::new());
                for part in parts {
                    let (cost, clues) = self.cheapest(part)?;
                    all.0 += cost;
                    all.1.extend(clues);
                }
                Some(all)
            }
            Requirement::All(parts) => {
                let known = parts.iter().filter_map(|part| self.cheapest(part));
                known.min_by_key(|(cost, _)| *cost)
            }
            Requirement::Open(_) => None,
        }
    }

    /// How much is looked at for nothing, about, where filters are found by this.
    fn cost(&self, clue: &Clue<'_>) -> u64 {
        let uses = self.uses.get(&text(clue)).copied().unwrap_or(1);
        let is_type = clue.attribute == self.event_type;
        let commonness = commonness(&clue.feature, is_type).saturating_mul(uses);
        // What an event type tells is remembered.
        commonness + if is_type { 0 } else { LOOK }
    }
}

fn text(clue: &Clue<'_>) -> String {
    clue.text(&|id| id.0.to_string())
}

/// How common what has this is, about.
fn commonness(feature: &Feature<'_>, is_type: bool) -> u64 {
    match feature {
        Feature::Text("true" | "false" | "") => 5_000,
        Feature::Text(_) => 10,
        Feature::Number(_) => 50,
        Feature::Network(network) if network.prefix_len() == network.max_prefix_len() => 10,
        Feature::Network(_) => 500,
        Feature::Listed(_) => 200,
        Feature::Contains(text) | Feature::Begins(text) | Feature::Ends(text) => {
            of_part(text, is_type)
        }
        Feature::Matches(text) => of_part(text, is_type),
        Feature::Present => PRESENT,
    }
}

/// How common values are with this text in them.
fn of_part(text: &str, is_type: bool) -> u64 {
    let text = match text.strip_prefix(TYPE_PREFIX) {
        Some(rest) if is_type => rest,
        Some(_) | None => text,
    };
    match text.len() {
        _ if is_type && TYPE_PREFIX.contains(text) => PRESENT,
        0 | 1 => 20_000,
        2 => 8_000,
        3 => 2_000,
        4 => 800,
        5 => 300,
        6 | 7 => 150,
        _ => 60,
    }
}
