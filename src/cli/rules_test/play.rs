//! A rule's test, played and explained: what the rule sees in the events, and why the incidents
//! came of them.

use std::collections::BTreeMap;

use crate::cli::backtest::rules::SETTINGS;
use crate::cli::events;
use crate::cli::explanation::{Explanation, Seen, Sight};
use crate::decode::{Decoder, Draft, Limits};
use crate::explain::explain;
use crate::record::Position;
use crate::rehearsal::{self, Rehearsal};
use crate::rule::{Rule, RuleTest};

/// What is wrong with a test's outcome (nothing: it passes), and how that came about.
pub struct Played {
    /// What differs from what it expects.
    pub faults: Vec<String>,
    /// How that came about; `None`: the rule cannot be read by itself.
    pub explanation: Option<Explanation>,
}

/// Plays a test of a rule.
pub fn play(rule: &Rule, test: &RuleTest) -> Played {
    match rehearsal::play(rule, test, SETTINGS) {
        Ok(played) => Played {
            faults: played.faults(test),
            explanation: Some(explained(played, test)),
        },
        Err(error) => Played {
            faults: vec![error],
            explanation: None,
        },
    }
}

fn explained(played: Rehearsal, test: &RuleTest) -> Explanation {
    Explanation {
        events: seen(&played, test),
        keys: explain(&played.loaded, &played.matched),
        rule: played.loaded.rule.clone(),
        attributes: played.attributes,
        incidents: played.incidents,
    }
}

fn seen(played: &Rehearsal, test: &RuleTest) -> Vec<Seen> {
    let matches = played.matched.iter().flat_map(|record| {
        let places = record.matches.iter().flat_map(|found| &found.patterns);
        places.map(|part| (record.position, part.pattern))
    });
    let mut patterns: BTreeMap<Position, Vec<u32>> = BTreeMap::new();
    for (position, pattern) in matches {
        patterns.entry(position).or_default().push(pattern);
    }
    let attributes = &played.attributes;
    let own = played.loaded.rule.lists.own();
    let decoder = Decoder::with_own(attributes, Limits::default(), own);
    let mut all = Vec::new();
    for (offset, event) in (0_i64..).zip(&test.events) {
        let message = decoder.message(event.as_bytes(), None);
        let mut records = decoder.records(&message);
        while let Some(record) = records.next() {
            let position = Position {
                epoch: 0,
                offset,
                index: record.index,
            };
            let outcome = record
                .outcome
                .map_err(|refused| format!("{}: {refused}", refused.reason));
            let outcome = outcome.map(Draft::whole).map(|event| Sight {
                time: event.time,
                values: events::values(event, attributes),
                patterns: patterns.remove(&position).unwrap_or_default(),
            });
            all.push(Seen { position, outcome });
        }
    }
    all
}
