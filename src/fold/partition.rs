//! One matches partition, all of it, without a broker and without a disk: what of its log is
//! folded, what that says, what of it is committed, and what the store is to keep.
//!
//! Who drives it hands it messages ([`Partition::push`]), has it go on ([`Partition::step`]), loads
//! the rows that it asks for ([`Partition::load`]), commits what it says
//! ([`Partition::commit_point`], [`Partition::committed`]), and then writes what has changed
//! ([`Partition::kept`]). While that is on its way the fold may go on. How much goes into a step
//! and into a commit changes nothing of what is said.

mod admit;
mod gather;
pub mod note;
mod open;
mod outbox;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::bytes::Unreadable;
use crate::canary::{self, Canary};
use crate::fold::admission::Refusal;
use crate::fold::folded::FoldedMessage;
use crate::fold::place::{Cursor, Place, Portion};
use crate::fold::slices::{SliceLimit, Slices};
use crate::fold::state::{Change, Counts, Read, State, Unwritten};
use crate::fold::work::Run;
use crate::matches::LogMessage;
use crate::plan::Plan;
use crate::record::Hash;
use crate::stopwatch::{Clock, Nanos, Stopwatch};
use crate::time::{Millis, Second};
use note::Note;
pub use open::{Bookmarks, CannotOpen, Found, Opened, Remark};
use outbox::Outbox;
pub use outbox::{CommitPoint, Limit};

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
    /// The offset of the message that comes next.
    next: i64,
    /// A message of which it is not known yet what it joins.
    ahead: Option<Admitted>,
    /// Messages that are half folded, to which more may be added.
    gathered: Option<Gathered>,
    /// Messages whose keys are worked off.
    working: Option<Working>,
    /// How far the log is folded.
    reached: Place,
    outbox: Outbox,
    /// The state is to be kept before more is folded.
    keep_first: bool,
    /// Changes are on their way to the store.
    leaving: bool,
    told: Told,
    /// By the fingerprint of the rule.
    stopwatch: Stopwatch<Hash>,
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

/// A message that is folded.
#[derive(Debug)]
struct Admitted {
    plan: Arc<Plan>,
    log: LogMessage,
    /// By which the log is known once it is folded.
    last: FoldedMessage,
    /// Matches that it brings.
    matches: usize,
    /// The timers were read that tell how many keys it makes due.
    looked: bool,
}

/// The rules topic does not have a plan any more with which messages were folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostPlan {
    /// Offset of the message that names it.
    pub offset: i64,
    /// The plan.
    pub plan: Hash,
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
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// Offset of the first.
    first: i64,
    /// The offset after the last.
    end: i64,
    /// They come before what is committed.
    silent: bool,
    /// Matches that they bring.
    matches: usize,
}

/// Messages that are half folded.
#[derive(Debug)]
struct Gathered {
    run: Run,
    span: Stretch,
    /// Of the last one.
    last: FoldedMessage,
    /// It is one whose work may be large: the meta row as it was before it.
    alone: Option<Vec<u8>>,
}

/// Messages whose keys are worked off.
#[derive(Debug)]
struct Working {
    work: Slices,
    span: Stretch,
    /// Of the last one.
    last: FoldedMessage,
    /// See [`Gathered`]. Without, they are worked off in one go.
    alone: Option<Vec<u8>>,
}

/// What a partition may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Memory for its keys, in bytes.
    pub live_bytes: usize,
    /// The same while it folds what was committed before.
    pub recovering_bytes: usize,
    /// What is worked off at once of a message whose work is large.
    pub slice: SliceLimit,
    /// Messages that are folded together make so many keys due at most.
    pub together_due: usize,
    /// What may wait to be committed before more is folded.
    pub outbox: Limit,
}

impl Budget {
    /// As much as there is.
    pub const NONE: Budget = Budget {
        live_bytes: usize::MAX,
        recovering_bytes: usize::MAX,
        slice: SliceLimit::NONE,
        together_due: usize::MAX / 2,
        outbox: Limit::NONE,
    };
}

/// Whether what has changed is kept with a commit. Keys change again and again: the more seldom
/// they are written, the less there is to write, and the more is folded again after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It is.
    Now,
    /// Only if it must be before more is folded.
    IfItMust,
}

/// What is to be done before the fold can go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// These rows are to be loaded, as far as the store has them.
    Load(Vec<Read>),
    /// The state is to be kept.
    Keep,
    /// What was said is to be committed, and the state to be kept.
    Commit,
    /// Nothing: a part of a large message is done, and there is more of it.
    Slice,
    /// Messages are to be handed over.
    Read,
}

impl Partition {
    fn new(state: State, reached: Place, commit: Commit, mut note: Note) -> Partition {
        let live_from = Place {
            offset: commit.offset,
            cursor: note.cursor.take(),
        };
        note.needed_from(state.recovery_offset());
        Partition {
            reached,
            next: reached.offset,
            state,
            commit,
            live_from,
            note,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            ahead: None,
            gathered: None,
            working: None,
            outbox: Outbox::default(),
            keep_first: false,
            leaving: false,
            told: Told::default(),
            stopwatch: Stopwatch::default(),
        }
    }

    /// Takes the next message of the log: its offset, the broker's timestamp and its bytes.
    pub fn push(&mut self, offset: i64, timestamp: Millis, payload: &[u8]) {
        self.next = offset + 1;
        self.inbox_bytes += payload.len();
        self.inbox.push_back(Unfolded {
            offset,
            timestamp,
            payload: payload.to_vec(),
        });
    }

    /// The offset that is to be pushed next.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// Something that was pushed is still to be folded.
    pub fn is_busy(&self) -> bool {
        self.working.is_some() || self.ahead.is_some() || !self.inbox.is_empty()
    }

    /// Bytes of the messages that are still to be folded.
    pub fn inbox_bytes(&self) -> usize {
        self.inbox_bytes
    }

    /// A message is folded in part.
    pub fn is_within(&self) -> bool {
        self.working.is_some()
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
        budget: &Budget,
    ) -> Result<Next, LostPlan> {
        loop {
            if self.keep_first {
                return Ok(match self.may_keep() {
                    true => Next::Keep,
                    false => Next::Commit,
                });
            }
            if self.outbox.is_over(budget.outbox) {
                return Ok(Next::Commit);
            }
            if self.working.is_none()
                && let Some(look) = self.gather(plans, budget)?
            {
                return Ok(Next::Load(vec![look]));
            }
            let Some(mut working) = self.working.take() else {
                return Ok(Next::Read);
            };
            let limit = match working.alone {
                Some(_) => budget.slice,
                None => SliceLimit::NONE,
            };
            let wanted = working.work.wants(&mut self.state, limit);
            if !wanted.is_empty() {
                self.working = Some(working);
                return Ok(Next::Load(wanted));
            }
            self.fold(working, budget);
            if self.working.is_some() {
                return Ok(Next::Slice);
            }
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

    /// Folds a slice of messages whose keys are loaded.
    fn fold(&mut self, mut working: Working, budget: &Budget) {
        let said = working.work.fold(&mut self.state, &mut self.stopwatch);
        let span = working.span;
        self.outbox.add(span.first, &self.note, said);
        let beyond = working.work.beyond();
        let within = beyond.filter(|_| !working.work.is_done());
        match within {
            Some(key) => {
                let said = Portion::All;
                self.reached = Place::within(span.first, Cursor { key, said });
                self.working = Some(working);
            }
            None => {
                self.reached = Place::at(span.end);
                self.state.set_last(working.last.clone());
                self.note.last = Some(working.last);
                self.note.needed_from(self.state.recovery_offset());
            }
        }
        if span.silent {
            // What was told before is not told again; only that it was folded.
            self.told.counted = Counts {
                messages: self.told.counted.messages,
                ..self.state.counts
            };
        }
        self.hold_memory(budget);
        self.keep_first |= span.silent && self.is_live();
    }

    /// What keys may take in memory.
    fn bytes_max(&self, budget: &Budget) -> usize {
        match self.is_live() {
            true => budget.live_bytes,
            false => budget.recovering_bytes,
        }
    }

    /// Keys take no more memory than they may. Those that differ from what the store has must be
    /// kept before they can be forgotten.
    fn hold_memory(&mut self, budget: &Budget) {
        let most = self.bytes_max(budget);
        if self.shrink(most) {
            self.keep_first = self.state.differing_bytes() > most / 2;
        }
    }

    /// Forgets keys if there are too many; whether there were.
    fn shrink(&mut self, most: usize) -> bool {
        let is_over = self.state.bytes() > most;
        if is_over {
            // Some more, so that it is not to be done for every slice.
            self.state.shrink(most - most / 8);
        }
        is_over
    }

    /// The next part of what was said, within `limit`, the place that it comes to, and what is to
    /// be kept with that, as `keep` says. It is committed, and then kept, or everything since the
    /// last commit is lost. Before the next one [`Partition::kept`] must be called.
    pub fn commit_point(&mut self, limit: Limit, keep: Keep) -> CommitPoint {
        if !self.is_live() {
            return CommitPoint {
                publications: Vec::new(),
                place: self.live_from,
                metadata: self.commit.metadata.clone(),
                changes: Vec::new(),
            };
        }
        let taken = self.outbox.take(limit);
        let partial = taken.last().and_then(|last| self.outbox.place_after(last));
        let is_all = partial.is_none() || canary::is(Canary::StateBeforeKafka);
        let keeps = is_all && self.is_whole() && (keep == Keep::Now || self.keep_first);
        let (place, note) = partial.unwrap_or((self.reached, &self.note));
        let note = Note {
            cursor: place.cursor,
            ..note.clone()
        };
        CommitPoint {
            publications: taken.into_iter().map(|said| *said.incident).collect(),
            place,
            metadata: note.to_string(),
            changes: match keeps {
                true => self.changes().into_iter().flatten().collect(),
                false => Vec::new(),
            },
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

    /// Whether the state could be kept at once: the store would not come to be beyond what is
    /// committed, and nothing is on its way to it.
    fn may_keep(&self) -> bool {
        let is_committed = self.outbox.is_empty() && self.reached <= self.live_from
            || canary::is(Canary::StateBeforeKafka);
        is_committed && !self.leaving && self.is_whole()
    }

    /// Whether the state is that of a place in the log.
    fn is_whole(&self) -> bool {
        match &self.working {
            Some(working) => working.alone.is_some(),
            None => self.gathered.is_none() && self.reached.cursor.is_none(),
        }
    }

    /// What has changed since it was last kept, in the order of its rows: to be taken to the last
    /// of it, and written in one batch. Nothing, while the store would come to be beyond what is
    /// committed.
    pub fn keep(&mut self) -> impl Iterator<Item = Change> {
        let changes = match self.may_keep() {
            true => self.changes(),
            false => None,
        };
        changes.into_iter().flatten()
    }

    /// What has changed since it was last kept. It is on its way to the store until it is kept.
    fn changes(&mut self) -> Option<Unwritten<'_>> {
        let changes = match &self.working {
            None => self.state.changes(),
            Some(Working {
                work, span, alone, ..
            }) => match (work.beyond(), alone) {
                (Some(key), Some(meta)) => self.state.changes_within(span.first, key, meta),
                (_, _) => return None,
            },
        };
        self.leaving = true;
        Some(changes)
    }

    /// The changes that were given last are written.
    pub fn kept(&mut self, budget: &Budget) {
        if std::mem::take(&mut self.leaving) {
            self.state.kept();
            self.keep_first = false;
        }
        self.shrink(self.bytes_max(budget));
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
        self.is_busy() && self.next >= self.live_from.untouched()
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

    /// Bytes that its keys take in memory, about.
    pub fn keys_bytes(&self) -> usize {
        self.state.bytes()
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

    /// How many incidents exceptions covered since it was last asked for, by the rule's id.
    pub fn excepted(&mut self) -> BTreeMap<Arc<str>, u64> {
        self.state.excepted.take()
    }

    /// Some of what is done is timed by this clock.
    pub fn time_by(&mut self, clock: Clock) {
        self.stopwatch.go_by(clock);
    }

    /// About how long keys took since that was last asked for, by the fingerprint of their rule.
    pub fn times(&mut self) -> BTreeMap<Hash, Nanos> {
        self.stopwatch.take()
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
