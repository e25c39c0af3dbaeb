//! Matches partitions that are being folded. They know nothing of each other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Result, anyhow, bail};

use crate::bytes::Unreadable;
use crate::encode::Encoding;
use crate::fold::admission::{Refusal, admit};
use crate::fold::state::{Counts, State};
use crate::fold::work::{LogMessage, Run, advance, fold};
use crate::io::client::lock;
use crate::io::group::Committed;
use crate::io::sink::Message;
use crate::io::store::Store;
use crate::matches;
use crate::plan::Plan;
use crate::plan::note::Note;
use crate::record::Hash;
use crate::time::Millis;

/// A matches partition that is being folded.
pub struct Folding {
    /// What was folded.
    pub state: State,
    /// What the group has committed. Below its offset the fold is silent.
    pub committed: Committed,
    /// What is to be noted with the next offset that is committed.
    pub note: Note,
    /// What the state counted when it was last looked at, or what of that is not to be told.
    pub counted: Counts,
    /// Of the messages that were refused, those that the log was told of.
    pub counted_refused: u64,
    /// What stood in the log at the last look is before this offset.
    pub end: i64,
    /// What is to be folded next.
    pub inbox: Vec<Unfolded>,
    /// What that took in the log.
    pub inbox_bytes: usize,
    /// What was said, and no commit has written yet.
    pub outbox: Vec<Message>,
    /// The plans that messages have named since it was last asked for, and when they last did.
    pub named: BTreeMap<Hash, Millis>,
    /// The first message of those that were refused since it was last asked for.
    pub refused: Option<(i64, Refusal)>,
    /// Bytes of the log that were folded in silence since the state was last kept.
    unkept_bytes: usize,
}

/// A message of the log as it was read.
pub struct Unfolded {
    /// Its offset.
    pub offset: i64,
    /// The broker's time of its arrival.
    pub timestamp: Millis,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// Messages that are folded together.
struct Together {
    run: Run,
    /// They come before the committed offset.
    silent: bool,
    /// What they take in the log.
    bytes: usize,
}

impl Together {
    fn with(mut self, next: Run, bytes: usize) -> Together {
        self.run.append(next);
        self.bytes += bytes;
        self
    }
}

/// Where folds find their rows, and what becomes of what they say.
pub struct Surroundings<'s> {
    /// Has the rows.
    pub store: &'s Store,
    /// The plans that messages name, as far as the rules topic has them.
    pub plans: &'s BTreeMap<Hash, Arc<Plan>>,
    /// Where incidents go.
    pub incidents: &'s Arc<str>,
    /// What they are written in.
    pub encoding: Encoding,
    /// What the topic takes, should a rule in the log allow more.
    pub message_bytes_max: usize,
    /// What the keys of a partition may take in memory that folds what was committed before.
    pub recovering_bytes: usize,
}

/// What keys take in memory for a byte of the log that they are made of, about.
pub const MEMORY_FACTOR: usize = 12;

/// Folds what has been read of `partitions`, on so many threads.
pub fn fold_all<'f>(
    partitions: impl Iterator<Item = (&'f i32, &'f mut Folding)> + Send,
    surroundings: &Surroundings<'_>,
    threads: usize,
) -> Result<()> {
    let partitions = Mutex::new(partitions);
    let fold_some = || -> Result<()> {
        loop {
            let Some((number, folding)) = lock(&partitions).next() else {
                return Ok(());
            };
            folding.fold(u32::try_from(*number)?, surroundings)?;
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(fold_some)).collect();
        let own = fold_some();
        let others = others.into_iter().map(|fold| {
            let folded = fold.join();
            folded.unwrap_or_else(|_| Err(anyhow!("a fold panicked; this is a bug in watchfire")))
        });
        std::iter::once(own).chain(others).collect()
    })
}

impl Folding {
    /// A partition about to be folded upon `state`, whose log ends before `end`. `note`: what was
    /// noted with the committed offset.
    pub fn new(state: State, committed: Committed, mut note: Note, end: i64) -> Folding {
        note.needed_from(state.recovery_offset());
        Folding {
            state,
            committed,
            note,
            counted: Counts::default(),
            counted_refused: 0,
            end,
            inbox: Vec::new(),
            inbox_bytes: 0,
            outbox: Vec::new(),
            named: BTreeMap::new(),
            refused: None,
            unkept_bytes: 0,
        }
    }

    /// Everything that was committed before is folded: from here on, what is news is said.
    pub fn is_live(&self) -> bool {
        self.left() == 0
    }

    /// What was read is all that was committed before, or more.
    pub fn is_read(&self) -> bool {
        let last = self.inbox.last();
        last.is_some_and(|last| last.offset + 1 >= self.committed.offset)
    }

    /// Offsets below the committed one that are still to be folded.
    pub fn left(&self) -> i64 {
        (self.committed.offset - self.state.applied()).max(0)
    }

    /// The offset to be read next.
    pub fn next(&self) -> i64 {
        let last = self.inbox.last();
        last.map_or(self.state.applied(), |last| last.offset + 1)
    }

    /// Of what stood in the log at the last look: what is still to be folded.
    pub fn lag(&self) -> i64 {
        (self.end - self.state.applied()).max(0)
    }

    fn fold(&mut self, partition: u32, surroundings: &Surroundings<'_>) -> Result<()> {
        self.inbox_bytes = 0;
        let mut together: Option<Together> = None;
        for message in std::mem::take(&mut self.inbox) {
            let silent = message.offset < self.committed.offset;
            let bytes = message.payload.len();
            let Some((plan, log)) = self.admit(partition, message, surroundings)? else {
                continue;
            };
            let joins = |together: &Together| together.silent == silent;
            if together.as_ref().is_some_and(joins) && self.state.has_only(&plan) {
                let run = advance(&mut self.state, &plan, log);
                together = together.map(|together| together.with(run, bytes));
            } else {
                if let Some(before) = together.take() {
                    self.finish(partition, before, surroundings)?;
                }
                let run = advance(&mut self.state, &plan, log);
                let run = run.silent_before(self.committed.offset);
                together = Some(Together { run, silent, bytes });
            }
        }
        if let Some(last) = together {
            self.finish(partition, last, surroundings)?;
        }
        self.note.needed_from(self.state.recovery_offset());
        Ok(())
    }

    /// A message with its plan; `None`: no worker has written it, and it is passed over.
    fn admit(
        &mut self,
        partition: u32,
        message: Unfolded,
        surroundings: &Surroundings<'_>,
    ) -> Result<Option<(Arc<Plan>, LogMessage)>> {
        let Unfolded {
            offset,
            timestamp,
            payload,
        } = message;
        let admitted = match matches::plan_of(&payload) {
            Err(Unreadable) => Err(Refusal::Short),
            Ok(hash) => match surroundings.plans.get(&hash) {
                Some(plan) => admit(&payload, timestamp, plan).map(|message| (plan, message)),
                None if self.note.plans.contains_key(&hash) => bail!(
                    "matches partition {partition}, offset {offset}: the rules topic does not \
                     have plan {hash} any more, with which messages were folded. That topic must \
                     be compacted, never deleted from, and belong to the same application as the \
                     matches"
                ),
                None => Err(Refusal::UnknownPlan(hash)),
            },
        };
        match admitted {
            Ok((plan, message)) => {
                self.note.named(plan.hash, offset);
                self.named.insert(plan.hash, timestamp);
                let log = LogMessage {
                    offset,
                    timestamp,
                    message,
                };
                Ok(Some((Arc::clone(plan), log)))
            }
            Err(refusal) => {
                self.state.pass_over(offset);
                if offset < self.committed.offset {
                    self.counted.refused += 1;
                    self.counted_refused += 1;
                } else {
                    self.refused.get_or_insert((offset, refusal));
                }
                Ok(None)
            }
        }
    }

    /// Folds messages that are half folded.
    fn finish(
        &mut self,
        partition: u32,
        together: Together,
        surroundings: &Surroundings<'_>,
    ) -> Result<()> {
        let Together {
            mut run,
            silent,
            bytes,
        } = together;
        surroundings
            .store
            .load(partition, &mut self.state, &mut run)?;
        for mut incident in fold(&mut self.state, run) {
            incident.fit(surroundings.message_bytes_max);
            self.outbox.push(Message {
                topic: Arc::clone(surroundings.incidents),
                key: Some(incident.incident_id.to_string()),
                payload: surroundings.encoding.encode(&incident),
                ..Message::default()
            });
        }
        if silent {
            // What was told before is not told again; only that it was folded.
            self.counted = Counts {
                messages: self.counted.messages,
                ..self.state.counts
            };
            self.unkept_bytes += bytes;
            self.keep(partition, surroundings)?;
        }
        Ok(())
    }

    /// Writes the state to the store, where all that was committed before is folded, or where its
    /// keys may take no more memory. What is lost before that is folded again.
    fn keep(&mut self, partition: u32, surroundings: &Surroundings<'_>) -> Result<()> {
        let full = self.unkept_bytes * MEMORY_FACTOR >= surroundings.recovering_bytes;
        if self.is_live() || full {
            let changes = self.state.changes();
            surroundings.store.write_much(partition, changes)?;
            self.unkept_bytes = 0;
        }
        if full {
            tracing::info!(
                partition,
                offsets_left = self.left(),
                "the memory for folding again is used up; keeping what is folded so far"
            );
            self.state.shrink_all(surroundings.recovering_bytes / 4);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
