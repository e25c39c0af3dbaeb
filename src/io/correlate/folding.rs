//! Matches partitions that are being folded. They know nothing of each other.

use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Error, Result, anyhow};

use crate::bytes::Unreadable;
use crate::correlate::{LogMessage, advance, fold};
use crate::encode::Encoding;
use crate::io::client::lock;
use crate::io::group::Committed;
use crate::io::sink::Message;
use crate::io::store::Store;
use crate::plan::Plan;
use crate::shuffle;
use crate::state::{Counts, State};
use crate::time::Millis;

/// A matches partition that is being folded.
pub struct Folding {
    /// What was folded.
    pub state: State,
    /// What the group has committed. Below its offset the fold is silent.
    pub committed: Committed,
    /// What the state counted when it was last looked at, or what of that is not to be told.
    pub counted: Counts,
    /// What stood in the log at the last look is before this offset.
    pub end: i64,
    /// What is to be folded next.
    pub inbox: Vec<Unfolded>,
    /// What that took in the log.
    pub inbox_bytes: usize,
    /// What was said, and no commit has written yet.
    pub outbox: Vec<Message>,
    /// Bytes of the log that were folded in silence since the state was last kept.
    unkept_bytes: usize,
}

/// A message of the log as it was read.
pub struct Unfolded {
    /// Its offset.
    pub offset: i64,
    /// The broker's time of its arrival.
    pub timestamp: Millis,
    /// The plan that it names.
    pub plan: Arc<Plan>,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// Where folds find their rows, and what becomes of what they say.
pub struct Surroundings<'s> {
    /// Has the rows.
    pub store: &'s Store,
    /// Where incidents go.
    pub incidents: &'s Arc<str>,
    /// What they are written in.
    pub encoding: Encoding,
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
    /// A partition about to be folded upon `state`, whose log ends before `end`.
    pub fn new(state: State, committed: Committed, end: i64) -> Folding {
        Folding {
            state,
            committed,
            counted: Counts::default(),
            end,
            inbox: Vec::new(),
            inbox_bytes: 0,
            outbox: Vec::new(),
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
        let committed = self.committed.offset;
        let is_silent = |message: &Unfolded| message.offset < committed;
        self.inbox_bytes = 0;
        let mut inbox = std::mem::take(&mut self.inbox).into_iter().peekable();
        while let Some(first) = inbox.next() {
            let silent = is_silent(&first);
            let mut bytes = first.payload.len();
            let state = &mut self.state;
            let message = decode(partition, &first)?;
            let mut run = advance(state, &first.plan, message).silent_before(committed);
            while let Some(next) =
                inbox.next_if(|next| is_silent(next) == silent && state.has_only(&next.plan))
            {
                bytes += next.payload.len();
                let message = decode(partition, &next)?;
                run.append(advance(state, &next.plan, message));
            }
            surroundings.store.load(partition, state, &mut run)?;
            let said = fold(state, run);
            self.outbox.extend(said.iter().map(|incident| Message {
                topic: Arc::clone(surroundings.incidents),
                key: Some(incident.incident_id.to_string()),
                payload: surroundings.encoding.encode(incident),
                ..Message::default()
            }));
            if silent {
                // What was told before is not told again; only that it was folded.
                self.counted = Counts {
                    messages: self.counted.messages,
                    ..self.state.counts
                };
                self.unkept_bytes += bytes;
                self.keep(partition, surroundings)?;
            }
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
                left = self.left(),
                "the memory for folding again is used up; keeping what is folded so far"
            );
            self.state.shrink_all(surroundings.recovering_bytes / 4);
        }
        Ok(())
    }
}

fn decode(partition: u32, message: &Unfolded) -> Result<LogMessage> {
    let Unfolded {
        offset,
        timestamp,
        payload,
        ..
    } = message;
    Ok(LogMessage {
        offset: *offset,
        timestamp: *timestamp,
        message: shuffle::decode(payload)
            .map_err(|Unreadable| unreadable(partition as i32, *offset))?,
    })
}

/// A message of the log that is not what it should be.
pub fn unreadable(partition: i32, offset: i64) -> Error {
    anyhow!(
        "matches partition {partition}, offset {offset}: the message cannot be read; was it \
         written by a newer watchfire?"
    )
}
