//! A key as it is stored: what the log has said of it and time has not yet taken.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::canary::{self, Canary};
use crate::fold::few::Few;
use crate::fold::key::pane::{End, Event, Group, Marks, Pane, Panes};
use crate::fold::key::rows::{Apart, Combination, Row, chunk_of};
use crate::fold::window::{Ranges, Timeline};
use crate::incident::{AttributeValue, Status};
use crate::matches::Match;
use crate::plan::LoadedRule;
use crate::record::Hash;
use crate::time::{Millis, Second, second_of};

/// What a key takes in memory without panes and incidents, about.
const KEY_BYTES: usize = 600;

/// What a pane of one group takes, with what follows from it, about.
const PANE_BYTES: usize = 600;

/// What is remembered of an incident takes, about.
const INCIDENT_BYTES: usize = 700;

/// What a combination takes that was seen, about.
const SEEN_BYTES: usize = 120;

/// The state of one rule and join key.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// All but the parts.
    pub head: Head,
    /// What matched, by second of event time.
    pub panes: Panes,
    /// Incidents that have final triggers and may still be told of, as far as they are final, by
    /// their first trigger.
    pub tallies: Timeline<Tally>,
    /// What was said of incidents that are not final, by id.
    pub said: Few<Hash, Said>,
    /// Combinations that `new` patterns ask for, as last seen before the panes that are kept.
    pub seen: Seen,
    /// Matches that came too late, by the hour of the watermark at which they came.
    pub late: Timeline<Panes>,
    /// Bytes of memory that panes take beyond those of usual ones, about.
    pub(super) extra: usize,
    /// Which of these have rows of their own.
    pub(super) apart: Apart,
    /// Rows that differ from what they were when last written, perhaps more than once.
    pub(super) touched: Vec<Row>,
}

/// What is short of a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Values of the join key, in lower case; `None`: absent.
    pub values: Vec<Option<String>>,
    /// Triggers before this second are final, and no longer remembered one by one.
    pub settled: Option<Second>,
    /// The last pane before `settled` at which the clear pattern held, while it ends an incident
    /// that may still be told of, or one to come may be named by it.
    pub settled_clear: Option<Second>,
    /// Hash of the rule's entry with which incidents were last evaluated.
    pub entry: Hash,
    /// The rule's `since` with which they were.
    pub since: Second,
    /// When the watermark has passed this second, something is to be decided, closed or forgotten.
    pub due: Option<Second>,
}

/// What fulfilled a condition; it is kept under the last of its panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// The first of its panes.
    pub first: Second,
    /// The earliest instant that orders it before others.
    pub earliest: End,
    /// The latest instant that orders it after others.
    pub latest: End,
}

impl Trigger {
    /// Of two ways to the same pane: the greatest first, the least earliest, the greatest latest.
    pub fn better(self, other: Trigger) -> Trigger {
        Trigger {
            first: self.first.max(other.first),
            earliest: self.earliest.earlier(other.earliest),
            latest: self.latest.later(other.latest),
        }
    }
}

/// What an incident shows that follows from the events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The last pane of the first trigger.
    pub first: Second,
    /// The last pane of the last trigger.
    pub last: Second,
    /// The last clear pane before `first` that its id names; 0: none.
    pub clear: Second,
    /// Windows that triggered.
    pub windows: u64,
    /// Distinct events.
    pub events: u64,
    /// By pattern: the first events.
    pub evidence: SmallVec<[Marks; 1]>,
    /// By incident attribute: its value, for aggregates at the peak.
    pub values: Vec<AttributeValue>,
}

/// Triggers of one incident, from its first on, and what follows from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// What they come to.
    pub facts: Facts,
    /// Number of the last window that triggered; -1: none did.
    pub last_window: Second,
    /// Panes whose events are counted.
    pub counted: Ranges,
    /// By pattern: the least group that held at the first trigger.
    pub groups: Vec<Option<Group>>,
}

/// What was last said of an incident that stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// What the publication said of it.
    pub status: Status,
    /// What it showed.
    pub facts: Facts,
    /// The severity that it showed.
    pub severity: u8,
    /// Hash of the rule's entry with which it was said.
    pub entry: Hash,
    /// Hash of the rule's entry whose exceptions applied when it was first said.
    pub exceptions: Hash,
}

/// When combinations were last seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    last: BTreeMap<Combination, Millis>,
    by_time: BTreeSet<(Millis, Combination)>,
}

impl Seen {
    /// When a combination was last seen.
    pub fn last(&self, combination: &Combination) -> Option<Millis> {
        self.last.get(combination).copied()
    }

    /// A combination was seen; whether that is later than what was known.
    pub fn see(&mut self, combination: Combination, time: Millis) -> bool {
        let known = self.last.get(&combination).copied();
        if known.is_some_and(|known| time <= known) {
            return false;
        }
        if let Some(known) = known {
            self.by_time.remove(&(known, combination));
        }
        self.last.insert(combination, time);
        self.by_time.insert((time, combination));
        true
    }

    /// Takes out the one that was seen longest ago, if that was before `time`.
    pub fn pop_before(&mut self, time: Millis) -> Option<Combination> {
        let (first, _) = self.by_time.first()?;
        if *first >= time {
            return None;
        }
        let (_, combination) = self.by_time.pop_first()?;
        self.last.remove(&combination);
        Some(combination)
    }

    /// When the last of all was seen.
    pub fn latest(&self) -> Option<Millis> {
        self.by_time.last().map(|(time, _)| *time)
    }

    /// All, by pattern and hash.
    pub fn iter(&self) -> impl Iterator<Item = (Combination, Millis)> {
        self.last
            .iter()
            .map(|(combination, time)| (*combination, *time))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.last.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }
}

impl Stored {
    /// Nothing of a key with these values of the join key.
    pub fn new(values: &[Option<String>]) -> Stored {
        let mut stored = Stored::default();
        stored.head.values = values.to_vec();
        stored
    }

    /// Adds one record's match; the second that it lies in.
    pub fn add(&mut self, loaded: &LoadedRule, event: Event<'_>, found: &Match) -> Second {
        let second = second_of(event.mark.time);
        if let Some(pane) = self.panes.get_or_insert_with(second, Box::default) {
            let before = pane.extra.0;
            pane.add(loaded, event, found);
            self.extra += (pane.extra.0 - before) as usize;
        }
        self.touch(Row::Panes(chunk_of(second)));
        second
    }

    /// Adds one that came too late, in this hour of the watermark.
    pub fn add_late(
        &mut self,
        loaded: &LoadedRule,
        event: Event<'_>,
        found: &Match,
        hour: Second,
    ) -> Second {
        let second = second_of(event.mark.time);
        let panes = self.late.get_or_insert_with(hour, Timeline::default);
        let pane = panes.and_then(|panes| panes.get_or_insert_with(second, Box::default));
        if let Some(pane) = pane {
            let before = pane.extra.0;
            pane.add(loaded, event, found);
            self.extra += (pane.extra.0 - before) as usize;
        }
        self.touch(Row::Late(hour, chunk_of(second)));
        second
    }

    /// A pane is there no more.
    pub fn dropped(&mut self, pane: &Pane) {
        self.extra = self.extra.saturating_sub(pane.extra.0 as usize);
    }

    /// Bytes of memory that the key takes, with what follows from it, about.
    pub fn bytes(&self) -> usize {
        let late = self.late.iter().map(|(_, panes)| panes.len());
        let panes = self.panes.len() + late.sum::<usize>();
        let incidents = self.said.len() + self.tallies.len();
        KEY_BYTES
            + PANE_BYTES * panes
            + INCIDENT_BYTES * incidents
            + SEEN_BYTES * self.seen.len()
            + self.extra
    }

    /// Notes that a row differs from what was written; what lies in the first row is written with
    /// that.
    pub fn touch(&mut self, row: Row) {
        if self.apart.has(&row) && self.touched.last() != Some(&row) {
            self.touched.push(row);
        }
    }

    /// Nothing is remembered: the key needs no place in the store.
    pub fn is_empty(&self) -> bool {
        self.panes.is_empty()
            && self.said.is_empty()
            && self.tallies.is_empty()
            && self.seen.is_empty()
            && self.late.is_empty()
            && (self.head.settled_clear.is_none() || canary::is(Canary::ClearForgotten))
    }

    /// Forgets everything, and all rows.
    pub fn forget(&mut self) {
        let panes = self
            .panes
            .seconds()
            .map(|second| Row::Panes(chunk_of(second)));
        self.touched.extend(panes);
        for (hour, panes) in self.late.iter() {
            let panes = panes.seconds();
            self.touched
                .extend(panes.map(|second| Row::Late(hour, chunk_of(second))));
        }
        let seen = self
            .seen
            .iter()
            .map(|(combination, _)| Row::Seen(combination));
        self.touched.extend(seen);
        let said = self.said.iter().map(|(id, _)| Row::Said(*id));
        self.touched.extend(said);
        self.touched.extend(self.tallies.seconds().map(Row::Tally));
        *self = Stored {
            apart: self.apart,
            touched: std::mem::take(&mut self.touched),
            ..Stored::default()
        };
    }
}
