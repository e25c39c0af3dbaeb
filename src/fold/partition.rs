//! One matches partition, all of it, without a broker and without a disk: what of its log is
//! folded, what that says, what of it is committed, and what the store is to keep.
//!
//! Who drives it hands it messages ([`Partition::push`]), has it go on ([`Partition::step`]), loads
//! the rows that it asks for ([`Partition::load`]), commits what it says
//! ([`Partition::commit_point`], [`Partition::committed`]), and writes what has changed
//! ([`Partition::keep`], [`Partition::kept`]). How much goes into a step and into a commit changes
//! nothing of what is said.

mod admit;
pub mod note;
mod open;
mod outbox;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::bytes::Unreadable;
use crate::canary::{self, Canary};
use crate::fold::admission::Refusal;
use crate::fold::place::Place;
use crate::fold::state::{Change, Counts, Read, State};
use crate::fold::work::{Run, advance, fold};
use crate::plan::Plan;
use crate::record::Hash;
use crate::time::{Millis, Second};
use admit::Admitted;
pub use admit::LostPlan;
use note::Note;
pub use open::{CannotOpen, Found, Opened, Remark};
use outbox::Outbox;
pub use outbox::{CommitPoint, Limit};

/// What keys take in memory for a byte of the log that they are made of, about.
pub const MEMORY_FACTOR: usize = 12;

/// A committed offset with its note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The next offset to be read.
    pub offset: i64,
    /// What was noted with it.
    pub metadata: String,
}

/// A matches partition that is being folded.
#[derive(Debug)]
pub struct Partition {
    state: State,
    /// What the group has committed.
    commit: Commit,
    /// Before this place the fold is silent: it is what is committed.
    live_from: Place,
    /// What is to be noted with the next offset that is committed.
    note: Note,
    inbox: VecDeque<Unfolded>,
    inbox_bytes: usize,
    /// A message that did not join those before it.
    ahead: Option<Admitted>,
    /// Messages that are half folded.
    together: Option<Together>,
    /// How far the log is folded.
    reached: Place,
    outbox: Outbox,
    /// Bytes of the log that were folded in silence since the state was last kept.
    unkept_bytes: usize,
    /// The state is to be kept before more is folded.
    keep_first: bool,
    told: Told,
}

/// What an operator is told, and has been told.
#[derive(Debug, Default)]
struct Told {
    /// What the state counted when it was last asked for, or what of that is not to be told.
    counted: Counts,
    /// Of the messages that were refused, those that were named.
    refused: u64,
    /// The plans that messages have named since it was last asked for, and when they last did.
    named: BTreeMap<Hash, Millis>,
    /// The first message of those that were refused since it was last asked for.
    first_refused: Option<(i64, Refusal)>,
}

/// Messages that were refused, since it was last asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// So many.
    pub count: u64,
    /// The first of those that were not committed before: its offset, and why.
    pub first: Option<(i64, Refusal)>,
}

/// A message of the log as it was read.
#[derive(Debug)]
struct Unfolded {
    offset: i64,
    /// The broker's time of its arrival.
    timestamp: Millis,
    payload: Vec<u8>,
}

/// Messages that are folded together.
#[derive(Debug)]
struct Together {
    run: Run,
    /// Offset of the first.
    first: i64,
    /// The place after the last.
    end: Place,
    /// They come before what is committed.
    silent: bool,
    /// What they take in the log.
    bytes: usize,
}

/// What a partition may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Memory for its keys while it folds what was committed before.
    pub recovering_bytes: usize,
}

/// What is to be done before the fold can go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// These rows are to be loaded, as far as the store has them.
    Load(Vec<Read>),
    /// The state is to be kept.
    Keep,
    /// Messages are to be handed over.
    Read,
}

impl Partition {
    fn new(state: State, commit: Commit, mut note: Note) -> Partition {
        let live_from = Place {
            offset: commit.offset,
            cursor: note.cursor.take(),
        };
        note.needed_from(state.recovery_offset());
        Partition {
            reached: Place::at(state.applied()),
            state,
            commit,
            live_from,
            note,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            ahead: None,
            together: None,
            outbox: Outbox::default(),
            unkept_bytes: 0,
            keep_first: false,
            told: Told::default(),
        }
    }

    /// Takes the next message of the log: its offset, the broker's timestamp and its bytes.
    pub fn push(&mut self, offset: i64, timestamp: Millis, payload: &[u8]) {
        self.inbox_bytes += payload.len();
        self.inbox.push_back(Unfolded {
            offset,
            timestamp,
            payload: payload.to_vec(),
        });
    }

    /// The offset that is to be pushed next.
    pub fn next(&self) -> i64 {
        let last = self.inbox.back().map(|last| last.offset + 1);
        last.unwrap_or(self.reached.untouched())
    }

    /// Bytes of the messages that are still to be folded.
    pub fn inbox_bytes(&self) -> usize {
        self.inbox_bytes
    }

    /// The plans that messages name which are still to be folded.
    pub fn plans_named(&self) -> impl Iterator<Item = Hash> {
        let inbox = self.inbox.iter();
        inbox.filter_map(|message| crate::matches::plan_of(&message.payload).ok())
    }

    /// Goes on with what was pushed; `plans`: those that it names, as far as the rules topic has
    /// them.
    ///
    /// # Errors
    ///
    /// The rules topic has lost a plan.
    pub fn step(
        &mut self,
        plans: &BTreeMap<Hash, Arc<Plan>>,
        budget: Budget,
    ) -> Result<Next, LostPlan> {
        loop {
            if self.keep_first {
                return Ok(Next::Keep);
            }
            if self.together.is_none() {
                self.gather(plans)?;
            }
            let Some(mut together) = self.together.take() else {
                return Ok(Next::Read);
            };
            let wanted = self.state.wants(&mut together.run);
            if !wanted.is_empty() {
                self.together = Some(together);
                return Ok(Next::Load(wanted));
            }
            self.fold(together, budget);
        }
    }

    /// Takes a row that was asked for and that the store has.
    ///
    /// # Errors
    ///
    /// The row is unreadable.
    pub fn load(&mut self, row: &[u8], value: &[u8]) -> Result<(), Unreadable> {
        self.state.load(row, value)
    }

    /// Takes messages that can be folded together.
    fn gather(&mut self, plans: &BTreeMap<Hash, Arc<Plan>>) -> Result<(), LostPlan> {
        loop {
            let admitted = match self.ahead.take() {
                Some(admitted) => admitted,
                None => {
                    let Some(message) = self.inbox.pop_front() else {
                        return Ok(());
                    };
                    self.inbox_bytes -= message.payload.len();
                    match self.admit(message, plans)? {
                        Some(admitted) => admitted,
                        None => continue,
                    }
                }
            };
            let offset = admitted.log.offset;
            let silent = offset < self.live_from.offset;
            let has_only = self.state.has_only(&admitted.plan);
            match self.together.take() {
                Some(mut together) if has_only && together.silent == silent => {
                    let run = advance(&mut self.state, &admitted.plan, admitted.log);
                    together.run.append(run);
                    together.end = Place::at(offset + 1);
                    together.bytes += admitted.bytes;
                    self.together = Some(together);
                }
                Some(together) => {
                    self.together = Some(together);
                    self.ahead = Some(admitted);
                    return Ok(());
                }
                None => {
                    let run = advance(&mut self.state, &admitted.plan, admitted.log);
                    self.together = Some(Together {
                        run: run.silent_before(self.live_from),
                        first: offset,
                        end: Place::at(offset + 1),
                        silent,
                        bytes: admitted.bytes,
                    });
                }
            }
        }
    }

    /// Folds messages whose keys are loaded.
    fn fold(&mut self, together: Together, budget: Budget) {
        let said = fold(&mut self.state, together.run);
        self.outbox.add(together.first, &self.note, said);
        self.note.needed_from(self.state.recovery_offset());
        self.reached = self.reached.max(together.end);
        if together.silent {
            // What was told before is not told again; only that it was folded.
            self.told.counted = Counts {
                messages: self.told.counted.messages,
                ..self.state.counts
            };
            self.unkept_bytes += together.bytes;
            let full = self.unkept_bytes * MEMORY_FACTOR >= budget.recovering_bytes;
            self.keep_first = full || self.is_live();
        }
    }

    /// The next part of what was said, within `limit`, and the place that it comes to. It is
    /// committed, or everything since the last commit is lost.
    pub fn commit_point(&mut self, limit: Limit) -> CommitPoint {
        if !self.is_live() {
            return CommitPoint {
                publications: Vec::new(),
                place: self.live_from,
                metadata: self.commit.metadata.clone(),
            };
        }
        let taken = self.outbox.take(limit);
        let partial = taken.last().and_then(|last| self.outbox.place_after(last));
        let (place, note) = partial.unwrap_or((self.reached, &self.note));
        let note = Note {
            cursor: place.cursor,
            ..note.clone()
        };
        CommitPoint {
            publications: taken.into_iter().map(|said| said.incident).collect(),
            place,
            metadata: note.to_string(),
        }
    }

    /// Everything before `place` is committed, with this note.
    pub fn committed(&mut self, place: Place, metadata: String) {
        self.live_from = place;
        self.commit = Commit {
            offset: place.offset,
            metadata,
        };
    }

    /// What has changed since it was last kept: to be written in one batch. Nothing, while the
    /// store would come to be beyond what is committed.
    pub fn keep(&mut self) -> Vec<Change> {
        let is_committed = self.outbox.is_empty() && self.reached <= self.live_from
            || canary::is(Canary::StateBeforeKafka);
        match is_committed && self.together.is_none() {
            true => self.state.changes(),
            false => Vec::new(),
        }
    }

    /// What has changed is written. What of the keys in memory is more than `bytes_max` is
    /// forgotten.
    pub fn kept(&mut self, bytes_max: usize) {
        self.unkept_bytes = 0;
        match std::mem::take(&mut self.keep_first) && !self.is_live() {
            true => self.state.shrink_all(bytes_max),
            false => self.state.shrink(bytes_max),
        }
    }

    /// What is committed.
    pub fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Everything that was committed before is folded: from here on, what is news is said.
    pub fn is_live(&self) -> bool {
        self.left() == 0
    }

    /// What was read is all that was committed before, or more.
    pub fn is_read(&self) -> bool {
        self.inbox.back().is_some() && self.next() >= self.live_from.untouched()
    }

    /// Offsets that are committed, at least in part, and still to be folded.
    pub fn left(&self) -> i64 {
        match self.reached < self.live_from {
            true => self.live_from.untouched() - self.reached.offset,
            false => 0,
        }
    }

    /// What was said waits to be committed: so many bytes.
    pub fn outbox_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    /// So many publications wait to be committed.
    pub fn outbox_len(&self) -> usize {
        self.outbox.len()
    }

    /// How far the log is folded.
    pub fn reached(&self) -> Place {
        self.reached
    }

    /// Event time, in seconds, up to which the source partitions are thought complete.
    pub fn watermark(&self) -> Option<Second> {
        self.state.watermark()
    }

    /// The source partition that holds the watermark back: topic, partition and its time.
    pub fn held_back_by(&self) -> Option<(&str, u32, Option<Millis>)> {
        self.state.held_back_by()
    }

    /// What was counted since the partition was opened.
    pub fn counts(&self) -> Counts {
        self.state.counts
    }

    /// What was counted since it was last asked for, without what was told before.
    pub fn counted(&mut self) -> Counts {
        let counted = self.state.counts;
        let before = std::mem::replace(&mut self.told.counted, counted);
        counted.since(before)
    }

    /// The plans that messages have named since it was last asked for, and when they last did.
    pub fn named(&mut self) -> BTreeMap<Hash, Millis> {
        std::mem::take(&mut self.told.named)
    }

    /// The messages that were refused since it was last asked for.
    pub fn refusals(&mut self) -> Refusals {
        let refused = self.state.counts.refused;
        let before = std::mem::replace(&mut self.told.refused, refused);
        Refusals {
            count: refused - before,
            first: self.told.first_refused.take(),
        }
    }
}

#[cfg(test)]
mod tests;
