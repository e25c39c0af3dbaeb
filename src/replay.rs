//! Backtesting: the same detection, keys and conditions as live, over an input that ends.
//!
//! The end of the input is the end of time: everything is decided and closed, and the order in
//! which records came does not matter. What a live application says last of each incident, if
//! every match was on time, is what this says.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fold::condition::Horizon;
use crate::fold::episode::late::{self, Complete};
use crate::fold::episode::{self, say};
use crate::fold::key::pane::{Event, Mark, Origin};
use crate::fold::key::{Alive, KeyId};
use crate::incident::{Incident, Status};
use crate::matches::{self, MatchedRecord};
use crate::plan::{LoadedRule, Plan};
use crate::time::{self, DAY, Millis};

/// The incidents that are asked for: those first seen from `from` on, and before `to`. Which they
/// are and what they hold also depends on events around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Within {
    /// `None`: no bound.
    pub from: Option<Millis>,
    /// `None`: no bound.
    pub to: Option<Millis>,
}

impl Within {
    /// Whether a time is.
    pub fn contains(self, time: Millis) -> bool {
        self.from.is_none_or(|from| from <= time) && self.to.is_none_or(|to| time < to)
    }

    /// Whether an incident began before, and goes on within.
    pub fn begins_before(self, incident: &Incident) -> bool {
        self.from
            .is_some_and(|from| incident.first_seen < from && from <= incident.last_seen)
    }

    /// The events from which the rule says all that it says of them without bounds.
    ///
    /// An incident that begins at or after `from` does so because the rule did not trigger in the
    /// time of `quiet` before; it may go on to the end of its day.
    pub fn around(self, loaded: &LoadedRule) -> Within {
        let end_of_day = |to: Millis| {
            let last = time::second_of(to.saturating_sub(1));
            time::day_start(last).saturating_add(DAY)
        };
        let after = loaded.reach.reach.saturating_add(loaded.rule.quiet);
        let to = self.to.map(|to| end_of_day(to).saturating_add(after));
        Within {
            from: self.needed_from(loaded),
            to: to.map(|second| second.saturating_mul(1000)),
        }
    }

    /// From when on events may matter to the first of the rule's incidents.
    pub fn needed_from(self, loaded: &LoadedRule) -> Option<Millis> {
        let reach = loaded.reach;
        let before = reach.reach + reach.new_period + loaded.rule.quiet;
        let from = self.from.map(|from| time::second_of(from) - before);
        from.map(|second| second.saturating_mul(1000))
    }

    /// Until when events may take back the last of the rule's incidents; `None`: none can, or there
    /// is no bound.
    pub fn needed_to(self, loaded: &LoadedRule) -> Option<Millis> {
        let wait = loaded.reach.wait.saturating_mul(1000);
        self.to
            .filter(|_| wait > 0)
            .map(|to| to.saturating_add(wait))
    }
}

/// The matches of a backtest, by key.
#[derive(Debug)]
pub struct Replay {
    plan: Arc<Plan>,
    /// Names of the inputs; origins name them by their place.
    topics: Vec<Arc<str>>,
    keys: BTreeMap<KeyId, (Arc<LoadedRule>, Alive)>,
}

impl Replay {
    /// A backtest of the rules of `plan`.
    pub fn new(plan: Arc<Plan>) -> Replay {
        Replay {
            plan,
            topics: Vec::new(),
            keys: BTreeMap::new(),
        }
    }

    /// The place of an input's name, added if it is new.
    pub fn topic(&mut self, name: &str) -> u32 {
        let place = self
            .topics
            .iter()
            .position(|known| **known == *name)
            .unwrap_or_else(|| {
                self.topics.push(name.into());
                self.topics.len() - 1
            });
        place as u32
    }

    /// Adds a record that matched.
    pub fn add(&mut self, record: &MatchedRecord, origin: Origin) {
        let mark = Arc::new(Mark::of(record, origin, |text| Arc::from(text)));
        for found in &record.matches {
            let Some((rule, _)) = self.plan.rules.get(found.rule as usize) else {
                continue;
            };
            let id = KeyId {
                rule: rule.fingerprint,
                key: matches::key_hash(rule.fingerprint, &found.key),
            };
            let (_, key) = self
                .keys
                .entry(id)
                .or_insert_with(|| (Arc::clone(rule), Alive::new(&found.key)));
            key.add(rule, Event::of(rule, &mark), found);
        }
    }

    /// The incidents that stand at the end, by first_seen and id; all are closed.
    pub fn finish(self) -> Vec<Incident> {
        let mut incidents: Vec<Incident> = Vec::new();
        for (rule, key) in self.keys.into_values() {
            incidents.extend(close(&rule, key, &self.topics));
        }
        incidents.sort_by_key(|incident| (incident.first_seen, incident.incident_id));
        incidents
    }
}

/// The incidents of a key that has all its matches, by time; all are closed. `topics`: the names of
/// the inputs, by their places.
pub fn close(rule: &LoadedRule, mut key: Alive, topics: &[Arc<str>]) -> Vec<Incident> {
    let found = late::complete(&mut key, rule, Horizon::END);
    let describe = |found: &Complete| Incident {
        status: Status::Closed,
        close_reason: Some(found.over),
        ..episode::describe(found.id, rule, &found.facts, topics)
    };
    let mut incidents: Vec<Incident> = found.iter().map(describe).collect();
    incidents.retain(|incident| !say::excepted(rule, incident));
    let cut = incidents.iter_mut();
    cut.for_each(|incident| incident.fit(rule.incident_bytes()));
    incidents
}
