//! The fold of one matches partition, and its byte forms.
//!
//! # Rows
//!
//! | key | value |
//! | --- | --- |
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
mod fold;
mod recovery;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bytes::{Unreadable, from_bytes, to_bytes};
use crate::fold::key::form::FORMAT as KEY_FORMAT;
use crate::fold::key::stored::Stored;
use crate::fold::key::{Alive, KeyId};
use crate::fold::sources::Sources;
use crate::fold::work::{Asked, Run};
use crate::incident::Incident;
use crate::plan::{Catalogue, LoadedRule, Plan, Unusable};
use crate::record::Hash;
use crate::time::{Millis, Second};
use cache::Cache;
use recovery::Hours;
use rows::{key_id, key_row, others_of_key, rows_of, timer_row};

/// Version of the rows' values.
pub const FORMAT: u8 = KEY_FORMAT;

/// Rows that the next run needs from the store, all within one matches partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// One row.
    Row(Vec<u8>),
    /// All rows with `from <= key < to`, in order.
    Range {
        /// The first key.
        from: Vec<u8>,
        /// The first key beyond.
        to: Vec<u8>,
    },
}

/// A change of the store; `None` deletes the row.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

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
    pub(crate) fn publish(&mut self, said: &[Incident]) {
        let count = |holds: fn(&&Incident) -> bool| said.iter().filter(holds).count() as u64;
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
    hours: Hours,
    watermark: Option<Second>,
    plan: Option<Hash>,
    sources: Sources,
    /// By fingerprint.
    rules: BTreeMap<Hash, InForce>,
}

/// The fold of one matches partition up to an offset. Keys are loaded as runs need them.
#[derive(Debug)]
pub struct State {
    applied: i64,
    hours: Hours,
    watermark: Option<Second>,
    plan: Option<Arc<Plan>>,
    rules: BTreeMap<Hash, InForce>,
    /// Rules by the hash of their entry, as far as rules in force name them.
    versions: BTreeMap<Hash, Arc<LoadedRule>>,
    keys: Cache,
    /// Keys that a timer row named and that are still to be loaded.
    named_by_timer: BTreeSet<KeyId>,
    /// Keys that were loaded for the run that is being prepared.
    loaded: BTreeSet<KeyId>,
    /// Those of them whose panes are still to be.
    loading: BTreeSet<KeyId>,
    /// Positions and times of the source partitions.
    pub sources: Sources,
    /// What the fold has counted since it was opened.
    pub counts: Counts,
}

impl State {
    /// The key of the row that [`State::open`] needs.
    pub const META_ROW: &'static [u8] = b"m";

    /// The state before the first message of the log, which is at `first_offset`. The store has
    /// no row of it.
    pub fn empty(first_offset: i64) -> State {
        State {
            applied: first_offset,
            hours: Hours::new(first_offset),
            watermark: None,
            plan: None,
            rules: BTreeMap::new(),
            versions: BTreeMap::new(),
            keys: Cache::new(true),
            named_by_timer: BTreeSet::new(),
            loaded: BTreeSet::new(),
            loading: BTreeSet::new(),
            sources: Sources::default(),
            counts: Counts::default(),
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
    }

    /// The source partition that holds the watermark back: topic, partition and its time.
    pub fn held_back_by(&self) -> Option<(&str, u32, Option<Millis>)> {
        self.sources.held_back_by(&self.plan.as_ref()?.sources)
    }

    /// What must be loaded before `run` can be folded; to be asked again after loading, until
    /// it is empty.
    pub fn wants(&mut self, run: &mut Run) -> Vec<Read> {
        let panes = std::mem::take(&mut self.loading);
        let mut reads: Vec<Read> = panes.iter().map(|id| others_of_key(*id)).collect();
        match run.asked {
            Asked::Nothing => {
                run.asked = Asked::Keys;
                self.loaded.clear();
                reads.extend(self.missing(&run.touched()));
                if let Some(watermark) = run.after()
                    && let Some(from) = self.keys.read_timers(watermark)
                {
                    reads.push(Read::Range {
                        from: timer_row(from, None),
                        to: timer_row(watermark, None),
                    });
                }
                if !self.keys.is_whole() {
                    reads.extend(run.out.iter().map(|rule| rows_of(rule.fingerprint)));
                }
            }
            Asked::Keys => {
                run.asked = Asked::TimersKeys;
                let named = std::mem::take(&mut self.named_by_timer);
                reads.extend(self.missing(&named));
            }
            Asked::TimersKeys => {}
        }
        reads
    }

    /// Takes a row that [`State::wants`] asked for and the store has.
    ///
    /// # Errors
    ///
    /// The row is unreadable.
    pub fn load(&mut self, row: &[u8], value: &[u8]) -> Result<(), Unreadable> {
        match row.split_first() {
            Some((b'k', rest)) => self.load_key(rest, value),
            Some((b't', rest)) => {
                let id = rest.get(8..).and_then(key_id).ok_or(Unreadable)?;
                self.named_by_timer.insert(id);
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
                self.keys.weigh(id, suffix.to_vec(), value.len());
            }
        } else if self.keys.get(id).is_none() {
            let stored = Stored::read(value)?;
            let has_rows = stored.has_rows();
            self.keys.load(id, Alive::from(stored), value.len());
            self.loaded.insert(id);
            if has_rows {
                self.loading.insert(id);
            }
        }
        Ok(())
    }

    /// All changes since the last call (the meta row always among them): to be written in one
    /// batch once the Kafka commit has succeeded.
    pub fn changes(&mut self) -> Vec<Change> {
        let mut changes = vec![(State::META_ROW.to_vec(), Some(self.meta()))];
        for id in self.keys.take_dirty() {
            self.changes_of(id, &mut changes);
        }
        changes
    }

    fn changes_of(&mut self, id: KeyId, changes: &mut Vec<Change>) {
        let Some(cached) = self.keys.get_mut(id) else {
            return;
        };
        if cached.stored_due != cached.key.due() {
            let before = cached.stored_due;
            changes.extend(before.map(|due| (timer_row(due, Some(id)), None)));
            let due = cached.key.due();
            changes.extend(due.map(|due| (timer_row(due, Some(id)), Some(Vec::new()))));
            cached.stored_due = due;
        }
        let is_empty = cached.key.stored.is_empty();
        for (suffix, value) in cached.key.stored.changes() {
            let row = [key_row(id).as_slice(), &suffix].concat();
            self.keys
                .weigh(id, suffix, value.as_ref().map_or(0, Vec::len));
            changes.push((row, value));
        }
        if is_empty {
            self.keys.remove(id);
        }
    }

    /// Forgets the loaded keys that were needed longest ago, until all take no more than
    /// `bytes_max`, about; not those that were needed since the last call. Only after
    /// [`State::changes`] was written.
    pub fn shrink(&mut self, bytes_max: usize) {
        self.keys.shrink(bytes_max);
    }

    /// The same; those needed since the last call as well.
    pub fn shrink_all(&mut self, bytes_max: usize) {
        self.keys.begin_round();
        self.keys.shrink(bytes_max);
    }

    fn meta(&self) -> Vec<u8> {
        let meta = Meta {
            applied: self.applied,
            hours: self.hours.clone(),
            watermark: self.watermark,
            plan: self.plan.as_ref().map(|plan| plan.hash),
            sources: self.sources.clone(),
            rules: self.rules.clone(),
        };
        to_bytes(FORMAT, &meta)
    }

    fn missing(&self, ids: &BTreeSet<KeyId>) -> Vec<Read> {
        ids.iter()
            .filter(|id| self.keys.is_missing(**id))
            .map(|id| Read::Row(key_row(*id)))
            .collect()
    }
}
