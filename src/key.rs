//! What is remembered for one rule and one join key.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::aggregate::Fold;
use crate::incident::Incident;
use crate::record::{Hash, Position};
use crate::rule::Rule;
use crate::shuffle::{Match, MatchedRecord, PatternMatch};
use crate::time::{Millis, Second};

/// Names a key: the fingerprint of its rule, and the hash of fingerprint and values.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct KeyId {
    /// Fingerprint of the rule.
    pub rule: Hash,
    /// [`crate::shuffle::key_hash`] of the join key's values.
    pub key: Hash,
}

/// The state of one rule and join key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// Values of the join key, in lower case; `None`: absent.
    pub values: Vec<Option<String>>,
    /// What matched, by second of event time.
    pub panes: BTreeMap<Second, Pane>,
    /// Where the condition triggered, by the last pane of what made it.
    pub triggers: BTreeMap<Second, Trigger>,
    /// Panes at which it would trigger if no more came, which is not certain yet.
    pub undecided: BTreeSet<Second>,
    /// What was said of this key's incidents, by UTC day and incident id.
    pub published: BTreeMap<(Second, Hash), Published>,
    /// Hash of the rule's entry with which incidents were last evaluated.
    pub entry: Hash,
    /// When the watermark has passed this second, something is to be decided or closed.
    pub due: Option<Second>,
}

/// What one second of event time has seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pane {
    /// Distinct events that match an un-negated pattern.
    pub events: u64,
    /// By the pattern's place in the rule.
    pub patterns: BTreeMap<u32, PatternPane>,
}

/// One pattern's share of a pane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PatternPane {
    /// By the group-by values beyond the join key.
    pub groups: BTreeMap<Vec<Option<String>>, GroupPane>,
    /// The first events, at most as many as an incident names.
    pub marks: Vec<Mark>,
}

/// One group's share of a pane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupPane {
    /// One for each aggregate of the pattern.
    pub folds: Vec<Fold>,
    /// Earliest match.
    pub earliest: Millis,
    /// Latest match.
    pub latest: Millis,
}

/// What fulfilled a condition; it is kept under the last of its panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// The first of its panes.
    pub first: Second,
    /// The earliest instant that orders it before others.
    pub earliest: Millis,
    /// The latest instant that orders it after others.
    pub latest: Millis,
}

/// An event that may become evidence. Ordered as evidence is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// Event time.
    pub time: Millis,
    /// Hash of the record's bytes.
    pub hash: Hash,
    /// Place of the source topic in the state's list of topics.
    pub topic: u32,
    /// Source partition.
    pub partition: u32,
    /// Position in the source partition.
    pub position: Position,
    /// `eventType`.
    pub event_type: Option<String>,
    /// `correlationId`.
    pub correlation_id: Option<String>,
    /// `resourceId`.
    pub resource_id: Option<String>,
}

/// What was last said of an incident that stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// The publication.
    pub incident: Incident,
    /// Hash of the rule's entry whose exceptions applied when it was first said.
    pub exceptions: Hash,
}

/// Where a matched record was read, as the state numbers topics.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Place of the source topic in the state's list of topics.
    pub topic: u32,
    /// Source partition.
    pub partition: u32,
}

/// Limits on what a pane remembers.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// Marks for each pattern.
    pub evidence: u32,
    /// Values for each distinct count.
    pub distinct_values: u32,
}

impl Key {
    /// Adds one record's match at event time `time`.
    pub fn add(
        &mut self,
        rule: &Rule,
        record: &MatchedRecord,
        found: &Match,
        origin: Origin,
        caps: Caps,
    ) {
        let pane = self
            .panes
            .entry(crate::time::second_of(record.time))
            .or_default();
        pane.events += 1;
        for part in &found.patterns {
            let Some(pattern) = rule.patterns.get(part.pattern as usize) else {
                continue;
            };
            let share = pane.patterns.entry(part.pattern).or_default();
            share.mark(mark(record, origin), caps.evidence);
            let empty = || GroupPane {
                folds: pattern
                    .aggregates
                    .iter()
                    .map(|a| Fold::empty(a.function))
                    .collect(),
                earliest: record.time,
                latest: record.time,
            };
            share
                .groups
                .entry(part.group.clone())
                .or_insert_with(empty)
                .add(record.time, part, caps.distinct_values);
        }
    }

    /// Nothing is remembered: the key needs no place in the store.
    pub fn is_empty(&self) -> bool {
        self.panes.is_empty() && self.published.is_empty()
    }
}

impl PatternPane {
    fn mark(&mut self, mark: Mark, max: u32) {
        if let Err(place) = self.marks.binary_search(&mark) {
            self.marks.insert(place, mark);
            self.marks.truncate(max as usize);
        }
    }
}

impl GroupPane {
    fn add(&mut self, time: Millis, part: &PatternMatch, distinct_max: u32) {
        self.earliest = self.earliest.min(time);
        self.latest = self.latest.max(time);
        for (fold, input) in self.folds.iter_mut().zip(&part.inputs) {
            fold.add(input, distinct_max);
        }
    }
}

fn mark(record: &MatchedRecord, origin: Origin) -> Mark {
    Mark {
        time: record.time,
        hash: record.hash,
        topic: origin.topic,
        partition: origin.partition,
        position: record.position,
        event_type: record.event_type.clone(),
        correlation_id: record.correlation_id.clone(),
        resource_id: record.resource_id.clone(),
    }
}
