//! The fold of one matches partition, and its byte forms.
//!
//! # Rows
//!
//! | key | value |
//! | --- | --- |
//! | `c` | how far the message is folded at which that stands: [`FORMAT`], then postcard |
//! | `m` | all but the keys (plan, positions, rules): [`FORMAT`], then postcard |
//! | `k` fingerprint key-hash | the first row of a key ([`crate::fold::key::form`]) |
//! | `k` fingerprint key-hash suffix | another of its rows ([`crate::fold::key::rows`]) |
//! | `t` due fingerprint key-hash | empty |
//!
//! Numbers are written big-endian with their sign bit turned, so that rows stand in order of
//! time. A `t` row says that its key has something to decide once the watermark has passed `due`.
//! Keys are loaded as messages need them, and written back in one batch with the offset that
//! they stand for.

mod cache;
mod changes;
mod fold;
mod hours;
mod recovery;
mod rows;
mod scan;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bookmark::Bookmark;
use crate::bytes::{Unreadable, from_bytes, to_bytes};
use crate::fold::excepted::Excepted;
use crate::fold::folded::FoldedMessage;
use crate::fold::key::form::FORMAT as KEY_FORMAT;
use crate::fold::key::stored::Stored;
use crate::fold::key::{Alive, KeyId};
use crate::fold::names::Names;
use crate::fold::sources::Sources;
use crate::incident::Incident;
use crate::plan::{Catalogue, LoadedRule, Plan, Unusable};
use crate::record::Hash;
use crate::time::{Millis, Second};
use cache::Cache;
pub use changes::Unwritten;
pub(crate) use fold::{Evaluation, Outgoing};
use hours::Hours;
use rows::key_id;
pub use rows::{Change, Read};
pub(crate) use scan::Due;
use scan::{Listed, Scan};

/// Version of the rows' values.
pub const FORMAT: u8 = KEY_FORMAT;

/// Why a state cannot be opened from its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The rows are damaged.
    Unreadable,
    /// The rows are of this other format.
    Format(u8),
    /// It names a rule or plan that the catalogue does not have, or has and cannot load.
    Unusable(Unusable),
}

/// What the fold has counted since it was opened; for the operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Log messages.
    pub messages: u64,
    /// Matches taken.
    pub matches: u64,
    /// Matched records dropped because their position had been passed.
    pub repeated: u64,
    /// Matches further behind the watermark than lateness.
    pub late: u64,
    /// Matched records whose time lay after the message's timestamp.
    pub future: u64,
    /// Tests of windows that held more different values than are counted exactly.
    pub capped: u64,
    /// Publications.
    pub published: u64,
    /// Publications that name fewer events than they rest on.
    pub evidence_full: u64,
    /// Publications of which something is cut.
    pub truncated: u64,
    /// Log messages that no worker has written, passed over.
    pub refused: u64,
}

impl Counts {
    /// What was counted since `before`.
    pub fn since(self, before: Counts) -> Counts {
        Counts {
            messages: self.messages - before.messages,
            matches: self.matches - before.matches,
            repeated: self.repeated - before.repeated,
            late: self.late - before.late,
            capped: self.capped - before.capped,
            future: self.future - before.future,
            published: self.published - before.published,
            evidence_full: self.evidence_full - before.evidence_full,
            truncated: self.truncated - before.truncated,
            refused: self.refused - before.refused,
        }
    }

    /// Counts what is said of incidents.
    pub(crate) fn publish(&mut self, said: &[Box<Incident>]) {
        let count = |holds: fn(&&Box<Incident>) -> bool| said.iter().filter(holds).count() as u64;
        self.published += said.len() as u64;
        self.evidence_full += count(|one| (one.evidence.len() as u64) < one.event_count);
        self.truncated += count(|one| one.truncated);
    }
}

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct InForce {
    /// Hash of the entry that the latest plan has.
    entry: Hash,
    /// Hashes of all entries since it came into force.
    versions: BTreeSet<Hash>,
    /// The watermark at the last counting message whose plan has it; `None`: it had none yet.
    named: Option<Second>,
    /// The greatest `since` of the plans it came with.
    since: Second,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Meta {
    applied: i64,
    last: Option<Bookmark>,
    hours: Hours,
    watermark: Option<Second>,
    plan: Option<Hash>,
    sources: Sources,
    /// By fingerprint.
    rules: BTreeMap<Hash, InForce>,
}

/// How far a message is folded: what the store has of keys up to `key` comes after it, everything
/// else before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StoredCursor {
    offset: i64,
    key: KeyId,
}

/// The fold of one matches partition up to an offset. Keys are loaded as runs need them.
#[derive(Debug)]
pub struct State {
    applied: i64,
    /// The last message that is folded, as far as is known.
    last: Option<FoldedMessage>,
    hours: Hours,
    watermark: Option<Second>,
    plan: Option<Arc<Plan>>,
    rules: BTreeMap<Hash, InForce>,
    /// Rules by the hash of their entry, as far as rules in force name them.
    versions: BTreeMap<Hash, Arc<LoadedRule>>,
    keys: Cache,
    /// Keys of which the store has timers, as far as they were looked at.
    scan: Scan,
    /// Of some keys that are not in memory something is due.
    named: BTreeSet<KeyId>,
    /// What was read of the rows of a rule.
    listed: Listed,
    /// The store has a cursor.
    has_cursor: bool,
    /// Keys that were loaded for the slice that is being prepared.
    loaded: BTreeSet<KeyId>,
    /// Those of them whose panes are still to be.
    loading: BTreeSet<KeyId>,
    /// Positions and times of the source partitions.
    pub sources: Sources,
    /// What the fold has counted since it was opened.
    pub counts: Counts,
    /// Incidents that exceptions cover.
    pub excepted: Excepted,
    /// Names that many events have.
    pub(crate) names: Names,
}

impl State {
    /// The key of the row that [`State::open`] needs.
    pub const META_ROW: &'static [u8] = b"m";

    /// The key of the row that says how far a message is folded; there is none where the last one
    /// is folded to its end.
    pub const CURSOR_ROW: &'static [u8] = b"c";

    /// The state before the first message of the log, which is at `first_offset`. The store has
    /// no row of it.
    pub fn empty(first_offset: i64) -> State {
        State {
            applied: first_offset,
            last: None,
            hours: Hours::new(first_offset),
            watermark: None,
            plan: None,
            rules: BTreeMap::new(),
            versions: BTreeMap::new(),
            keys: Cache::new(true),
            scan: Scan::default(),
            named: BTreeSet::new(),
            listed: Listed::default(),
            has_cursor: false,
            loaded: BTreeSet::new(),
            loading: BTreeSet::new(),
            sources: Sources::default(),
            counts: Counts::default(),
            excepted: Excepted::default(),
            names: Names::default(),
        }
    }

    /// The state as its meta row says; keys follow by [`State::load`].
    ///
    /// # Errors
    ///
    /// The row is unreadable, or names a rule or plan that the catalogue does not have.
    pub fn open(meta: &[u8], catalogue: &Catalogue) -> Result<State, OpenError> {
        if let Some(other) = meta.first().filter(|format| **format != FORMAT) {
            return Err(OpenError::Format(*other));
        }
        let meta: Meta = from_bytes(FORMAT, meta).map_err(|Unreadable| OpenError::Unreadable)?;
        let mut state = State::empty(meta.applied);
        state.keys = Cache::new(false);
        for hash in meta.rules.values().flat_map(|rule| &rule.versions) {
            let rule = catalogue.rule(*hash).map_err(OpenError::Unusable)?;
            state.versions.insert(*hash, Arc::clone(rule));
        }
        if let Some(hash) = meta.plan {
            let plan = catalogue.plan(hash).map_err(OpenError::Unusable)?;
            state.plan = Some(Arc::clone(plan));
        }
        state.last = meta.last.map(FoldedMessage::Hashed);
        state.hours = meta.hours;
        state.watermark = meta.watermark;
        state.rules = meta.rules;
        state.sources = meta.sources;
        Ok(state)
    }

    /// The log goes on at `offset`; before it there is nothing that is still to be folded.
    pub fn begin_at(&mut self, offset: i64) {
        self.applied = offset;
    }

    /// Offset of the next message to be folded.
    pub fn applied(&self) -> i64 {
        self.applied
    }

    /// This message is the last one that is folded.
    pub fn set_last(&mut self, last: FoldedMessage) {
        self.last = Some(last);
    }

    /// The message by which the log that was folded is known again, as far as is known.
    pub fn bookmark(&self) -> Option<Bookmark> {
        self.last.as_ref().map(FoldedMessage::bookmark)
    }

    /// The same as a meta row says it.
    pub fn bookmark_in(meta: &[u8]) -> Option<Bookmark> {
        let meta: Meta = from_bytes(FORMAT, meta).ok()?;
        meta.last
    }

    /// Passes over the message at `offset`, which no worker has written. Messages before it may
    /// still be half folded.
    pub fn pass_over(&mut self, offset: i64) {
        self.applied_through(offset);
        self.counts.messages += 1;
        self.counts.refused += 1;
    }

    /// The offset from which a fold must begin to give this state; goes into the metadata of the
    /// committed offset.
    pub fn recovery_offset(&self) -> i64 {
        self.hours.offset(self.needed_from())
    }

    /// Event time, in seconds, up to which the source partitions are thought complete.
    pub fn watermark(&self) -> Option<Second> {
        self.watermark
    }

    /// Whether the rules of `plan`, the latest, are in force and no others: then messages that
    /// name it change nothing of that, and can be folded together with those before.
    pub fn has_only(&self, plan: &Plan) -> bool {
        let latest = self.plan.as_ref();
        latest.is_some_and(|latest| latest.hash == plan.hash)
            && self.rules.len() == plan.rules.len()
            && plan
                .rules
                .iter()
                .all(|(rule, _)| self.rules.contains_key(&rule.fingerprint))
    }

    /// The source partition that holds the watermark back: topic, partition and its time.
    pub fn held_back_by(&self) -> Option<(&str, u32, Option<Millis>)> {
        self.sources.held_back_by(&self.plan.as_ref()?.sources)
    }

    /// Takes a row that was asked for and that the store has.
    ///
    /// # Errors
    ///
    /// The row is unreadable.
    pub fn load(&mut self, row: &[u8], value: &[u8]) -> Result<(), Unreadable> {
        match row.split_first() {
            Some((b'k', rest)) => {
                self.listed.rows += 1;
                self.listed.last = row.to_vec();
                self.load_key(rest, value)
            }
            Some((b't', rest)) => {
                let id = rest.get(8..).and_then(key_id).ok_or(Unreadable)?;
                self.scan.rows += 1;
                if self.keys.get(id).is_none() {
                    self.scan.add(id);
                }
                Ok(())
            }
            Some(_) | None => Err(Unreadable),
        }
    }

    fn load_key(&mut self, row: &[u8], value: &[u8]) -> Result<(), Unreadable> {
        let (name, suffix) = row.split_at_checked(32).ok_or(Unreadable)?;
        let id = key_id(name).ok_or(Unreadable)?;
        if !suffix.is_empty() {
            // Of a key that was here before, more is known than its rows say.
            if self.loaded.contains(&id) {
                let cached = self.keys.get_mut(id).ok_or(Unreadable)?;
                cached.key.stored.load(suffix, value)?;
                self.keys.weigh(id);
            }
        } else if self.keys.get(id).is_none() {
            let stored = Stored::read(value)?;
            let has_rows = stored.has_rows();
            self.keys.load(id, Box::new(Alive::from(stored)));
            self.loaded.insert(id);
            if has_rows {
                self.loading.insert(id);
            }
        }
        Ok(())
    }

    /// Takes the row that says how far a message is folded: its offset, and the last key.
    ///
    /// # Errors
    ///
    /// The row is unreadable, or of a message that is folded.
    pub fn load_cursor(&mut self, row: &[u8]) -> Result<(i64, KeyId), Unreadable> {
        let StoredCursor { offset, key } = from_bytes(FORMAT, row)?;
        self.has_cursor = true;
        match offset >= self.applied {
            true => Ok((offset, key)),
            false => Err(Unreadable),
        }
    }

    /// The changes that were given last are written.
    pub fn kept(&mut self) {
        self.keys.arrived();
    }

    /// Bytes that the keys in memory take, about.
    pub fn bytes(&self) -> usize {
        self.keys.bytes()
    }

    /// Bytes of those that differ from what the store has.
    pub fn differing_bytes(&self) -> usize {
        self.keys.differing_bytes()
    }

    /// Forgets the loaded keys that were needed longest ago, until all take no more than
    /// `bytes_max`, about; not those that differ from what the store has.
    pub fn shrink(&mut self, bytes_max: usize) {
        self.keys.shrink(bytes_max);
    }

    /// The row [`State::META_ROW`] as it is now.
    pub fn meta(&self) -> Vec<u8> {
        let meta = Meta {
            applied: self.applied,
            last: self.last.as_ref().map(FoldedMessage::bookmark),
            hours: self.hours.clone(),
            watermark: self.watermark,
            plan: self.plan.as_ref().map(|plan| plan.hash),
            sources: self.sources.clone(),
            rules: self.rules.clone(),
        };
        to_bytes(FORMAT, &meta)
    }
}
