//! What is remembered for one rule and one join key.

pub mod view;

use std::collections::{BTreeMap, BTreeSet};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::bytes::{Unreadable, from_bytes, to_bytes};
use crate::canary::{self, Canary};
use crate::fold::aggregate::{Fold, Rank};
use crate::fold::episode::tally::Tally;
use crate::fold::few::Few;
use crate::fold::key::view::View;
use crate::incident::{Incident, Status};
use crate::matches::{Match, MatchedRecord, PatternMatch};
use crate::plan::LoadedRule;
use crate::record::{Hash, Position};
use crate::rule::Pattern;
use crate::time::{Millis, Second, second_of};

/// Names a key: the fingerprint of its rule, and the hash of fingerprint and values.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct KeyId {
    /// Fingerprint of the rule.
    pub rule: Hash,
    /// [`crate::matches::key_hash`] of the join key's values.
    pub key: Hash,
}

/// The state of one rule and join key. Its panes have rows of their own in the store, and
/// [`View`] follows from them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Key {
    /// Values of the join key, in lower case; `None`: absent.
    pub values: Vec<Option<String>>,
    /// What matched, by second of event time.
    #[serde(skip)]
    pub panes: BTreeMap<Second, Pane>,
    /// Triggers before this second are final, and no longer remembered one by one.
    pub settled: Option<Second>,
    /// Incidents that have final triggers and may still be told of, as far as they are final, by
    /// their first trigger.
    pub settled_incidents: BTreeMap<Second, Tally>,
    /// The last pane before `settled` at which the clear pattern held, while it ends an incident
    /// that may still be told of, or one to come may be named by it.
    pub settled_clear: Option<Second>,
    /// Of each combination that a `new` pattern asks for, by the pattern's place: when it was last
    /// seen before the panes that are kept.
    pub seen_before: BTreeMap<(u32, Hash), Millis>,
    /// Matches that came too late, by the hour of the watermark at which they came.
    pub late: BTreeMap<Second, BTreeMap<Second, Pane>>,
    /// What was said of incidents that are not final, by id.
    pub published: BTreeMap<Hash, Published>,
    /// Hash of the rule's entry with which incidents were last evaluated.
    pub entry: Hash,
    /// The rule's `since` with which they were.
    pub since: Second,
    /// When the watermark has passed this second, something is to be decided, closed or forgotten.
    pub due: Option<Second>,
    /// Panes changed since they were last written.
    #[serde(skip)]
    pub changed: BTreeSet<Second>,
    /// What follows from the panes; `None`: to be made.
    #[serde(skip)]
    pub view: Option<View>,
}

/// Group-by values of a pattern beyond the join key, in lower case; `None`: absent.
pub type Group = Vec<Option<String>>;

/// What one second of event time has seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pane {
    /// Distinct events that match a pattern of the condition that is not negated.
    pub events: u64,
    /// By the pattern's place in the rule.
    pub patterns: Few<u32, PatternPane>,
}

/// One pattern's share of a pane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PatternPane {
    /// By the group-by values beyond the join key.
    pub groups: Few<Group, GroupPane>,
    /// The first events, at most as many as an incident names; none where the pattern gives no
    /// evidence.
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
    /// Of each combination that `new` asks for: its earliest and its latest match.
    pub combinations: BTreeMap<Hash, (Millis, Millis)>,
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

impl Trigger {
    /// Of two ways to the same pane: the greatest first, the least earliest, the greatest latest.
    pub fn better(self, other: Trigger) -> Trigger {
        Trigger {
            first: self.first.max(other.first),
            earliest: self.earliest.min(other.earliest),
            latest: self.latest.max(other.latest),
        }
    }
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
    /// What the publication said of it.
    pub status: Status,
    /// See [`Incident`].
    pub first_seen: Millis,
    /// See [`Incident`].
    pub trigger_count: u64,
    /// See [`Incident`].
    pub severity: u8,
    /// See [`content`]. Most incidents are never told of again as they were, and in bytes they take
    /// a fraction of the room and of the time.
    #[serde(serialize_with = "serde_bytes::serialize")]
    #[serde(deserialize_with = "read_content")]
    content: Vec<u8>,
    /// Hash of the rule's entry whose exceptions applied when it was first said.
    pub exceptions: Hash,
}

impl Published {
    /// What is remembered of an incident that was said. `incident`: as [`content`] wants it.
    pub fn new(incident: &Incident, status: Status, exceptions: Hash) -> Published {
        Published {
            status,
            first_seen: incident.first_seen,
            trigger_count: incident.trigger_count,
            severity: incident.severity,
            content: content(incident),
            exceptions,
        }
    }

    /// Whether an incident shows what this one showed.
    pub fn has_content(&self, incident: &Incident) -> bool {
        self.content == content(incident)
    }

    /// The incident that was said, with neutral values in place of what depends on when that was.
    ///
    /// # Errors
    ///
    /// The bytes are damaged; those of a key that was loaded are not.
    pub fn incident(&self) -> Result<Incident, Unreadable> {
        from_bytes(CONTENT, &self.content)
    }
}

/// Reads [`content`] that is one.
fn read_content<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<u8>, D::Error> {
    let bytes: Vec<u8> = serde_bytes::deserialize(reader)?;
    match from_bytes::<Incident>(CONTENT, &bytes) {
        Ok(_) => Ok(bytes),
        Err(Unreadable) => Err(D::Error::custom("no incident")),
    }
}

/// Version byte of [`content`]; the state's version says what it is.
const CONTENT: u8 = 0;

/// All that an incident shows that follows from the events and the rule, in bytes. `incident`: with
/// neutral values in place of what depends on when it is said, as
/// [`crate::fold::episode::describe`] gives it.
fn content(incident: &Incident) -> Vec<u8> {
    let mut bytes = to_bytes(CONTENT, incident);
    bytes.shrink_to_fit();
    bytes
}

/// Where a matched record was read, as the state numbers topics.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Place of the source topic in the state's list of topics.
    pub topic: u32,
    /// Source partition.
    pub partition: u32,
}

impl Key {
    /// Adds one record's match.
    pub fn add(
        &mut self,
        loaded: &LoadedRule,
        record: &MatchedRecord,
        found: &Match,
        origin: Origin,
    ) {
        let second = second_of(record.time);
        let pane = self.panes.entry(second).or_default();
        let rank = rank(record, origin);
        pane.add(loaded, record, found, (origin, rank));
        self.changed.insert(second);
        if let Some(view) = &mut self.view {
            view.add(loaded, found, rank);
        }
    }

    /// Nothing is remembered: the key needs no place in the store.
    pub fn is_empty(&self) -> bool {
        self.panes.is_empty()
            && self.published.is_empty()
            && self.settled_incidents.is_empty()
            && self.seen_before.is_empty()
            && self.late.is_empty()
            && (self.settled_clear.is_none() || canary::is(Canary::ClearForgotten))
    }
}

impl Pane {
    /// What a group of the pattern at `place` has.
    pub fn group(&self, place: usize, group: &Group) -> Option<&GroupPane> {
        self.patterns.get(&(place as u32))?.groups.get(group)
    }

    /// Adds one record's match; with where the record was read, and its rank.
    pub fn add(
        &mut self,
        loaded: &LoadedRule,
        record: &MatchedRecord,
        found: &Match,
        (origin, rank): (Origin, Rank),
    ) {
        let rule = &loaded.rule;
        let mut counts = false;
        for part in &found.patterns {
            let place = part.pattern as usize;
            let Some(pattern) = rule.patterns.get(place) else {
                continue;
            };
            let is_positive = rule.is_positive(place);
            counts |= is_positive;
            let add = |share: &mut PatternPane| {
                if is_positive {
                    share.mark(mark(record, origin), loaded.settings.limits.evidence);
                }
                let empty = || GroupPane::empty(pattern, record.time);
                let add = |known: &mut GroupPane| known.add(rank, part, loaded.caps_of(place));
                share.groups.change(&part.group, empty, add);
            };
            self.patterns
                .change(&part.pattern, PatternPane::default, add);
        }
        self.events += u64::from(counts);
    }

    /// Adds all that `other` has seen.
    pub fn merge(&mut self, other: &Pane, loaded: &LoadedRule) {
        self.events += other.events;
        for (place, theirs) in other.patterns.iter() {
            let merge = |ours: &mut PatternPane| {
                for mark in &theirs.marks {
                    ours.mark(mark.clone(), loaded.settings.limits.evidence);
                }
                let caps = loaded.caps_of(*place as usize);
                for (group, more) in theirs.groups.iter() {
                    let known = ours.groups.get(group).is_some();
                    let merge = |ours: &mut GroupPane| {
                        if known {
                            ours.merge(more, caps);
                        }
                    };
                    ours.groups.change(group, || more.clone(), merge);
                }
            };
            self.patterns.change(place, PatternPane::default, merge);
        }
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
    fn empty(pattern: &Pattern, time: Millis) -> GroupPane {
        GroupPane {
            folds: empty_folds(pattern),
            earliest: time,
            latest: time,
            combinations: BTreeMap::new(),
        }
    }

    fn add(&mut self, rank: Rank, part: &PatternMatch, caps: &[u32]) {
        self.earliest = self.earliest.min(rank.order);
        self.latest = self.latest.max(rank.order);
        add_inputs(&mut self.folds, part, rank, caps);
        if let Some(combination) = part.combination {
            self.seen(combination, (rank.order, rank.order));
        }
    }

    fn merge(&mut self, other: &GroupPane, caps: &[u32]) {
        self.earliest = self.earliest.min(other.earliest);
        self.latest = self.latest.max(other.latest);
        merge_folds(&mut self.folds, &other.folds, caps);
        for (combination, times) in &other.combinations {
            self.seen(*combination, *times);
        }
    }

    fn seen(&mut self, combination: Hash, (earliest, latest): (Millis, Millis)) {
        let times = self
            .combinations
            .entry(combination)
            .or_insert((earliest, latest));
        *times = (times.0.min(earliest), times.1.max(latest));
    }
}

/// Adds to each fold what a match gives it.
pub fn add_inputs(folds: &mut [Fold], part: &PatternMatch, rank: Rank, caps: &[u32]) {
    for ((fold, input), cap) in folds.iter_mut().zip(&part.inputs).zip(caps) {
        fold.add(input, rank, *cap);
    }
}

/// Adds to each fold what another of its aggregate has seen.
pub fn merge_folds(folds: &mut [Fold], others: &[Fold], caps: &[u32]) {
    for ((fold, other), cap) in folds.iter_mut().zip(others).zip(caps) {
        fold.merge(other, *cap);
    }
}

/// The folds of a pattern's aggregates that have seen nothing.
pub fn empty_folds(pattern: &Pattern) -> Vec<Fold> {
    let aggregates = pattern.aggregates.iter();
    aggregates.map(|a| Fold::empty(a.function)).collect()
}

/// The place of a record among all others, whatever the order in which they came.
pub fn rank(record: &MatchedRecord, origin: Origin) -> Rank {
    let Position {
        epoch,
        offset,
        index,
    } = record.position;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&origin.partition.to_be_bytes());
    hasher.update(&epoch.to_be_bytes());
    hasher.update(&offset.to_be_bytes());
    hasher.update(&index.to_be_bytes());
    hasher.update(&record.hash.0);
    Rank {
        order: record.time,
        tie: record.hash,
        event: Hash::finish(&hasher).first_bytes(),
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
