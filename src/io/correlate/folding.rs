//! Matches partitions that are being folded. They know nothing of each other.

use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Result, anyhow};

use crate::bytes::Unreadable;
use crate::correlate::{LogMessage, advance, fold};
use crate::encode::Encoding;
use crate::io::client::lock;
use crate::io::group::Committed;
use crate::io::sink::Message;
use crate::io::store::Store;
use crate::plan::Plan;
use crate::state::{Counts, Read, State};

/// A matches partition that is being folded.
pub struct Folding {
    /// What was folded.
    pub state: State,
    /// What the group has committed. Below its offset the fold is silent.
    pub committed: Committed,
    /// What the state counted when it was last looked at.
    pub counted: Counts,
    /// What is to be folded next, each message with the plan that it names.
    pub inbox: Vec<(Arc<Plan>, LogMessage)>,
    /// What was said, and no commit has written yet.
    pub outbox: Vec<Message>,
}

/// Where folds find their rows, and what becomes of what they say.
pub struct Surroundings<'s> {
    /// Has the rows.
    pub store: &'s Store,
    /// Where incidents go.
    pub incidents: &'s Arc<str>,
    /// What they are written in.
    pub encoding: Encoding,
}

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
    if threads <= 1 {
        return fold_some();
    }
    thread::scope(|scope| {
        let folds: Vec<_> = (0..threads).map(|_| scope.spawn(fold_some)).collect();
        folds.into_iter().try_for_each(|fold| {
            let folded = fold.join();
            folded.unwrap_or_else(|_| Err(anyhow!("a fold panicked; this is a bug in watchfire")))
        })
    })
}

impl Folding {
    /// A partition about to be folded upon `state`.
    pub fn new(state: State, committed: Committed) -> Folding {
        Folding {
            state,
            committed,
            counted: Counts::default(),
            inbox: Vec::new(),
            outbox: Vec::new(),
        }
    }

    /// Everything that was committed before is folded: from here on, what is news is said.
    pub fn is_live(&self) -> bool {
        self.left() == 0
    }

    /// Offsets below the committed one that are still to be folded.
    pub fn left(&self) -> i64 {
        (self.committed.offset - self.state.applied()).max(0)
    }

    fn fold(&mut self, partition: u32, surroundings: &Surroundings<'_>) -> Result<()> {
        let state = &mut self.state;
        for (plan, message) in std::mem::take(&mut self.inbox) {
            let silent = message.offset < self.committed.offset;
            let mut step = advance(state, &plan, message);
            loop {
                let wanted = state.wants(&mut step);
                if wanted.is_empty() {
                    break;
                }
                load(surroundings.store, partition, state, &wanted)?;
            }
            let said = fold(state, step);
            if !silent {
                self.outbox.extend(said.iter().map(|incident| Message {
                    topic: Arc::clone(surroundings.incidents),
                    key: Some(incident.incident_id.to_string()),
                    payload: surroundings.encoding.encode(incident),
                    ..Message::default()
                }));
            }
        }
        Ok(())
    }
}

/// Hands the rows that a step wants to the state.
fn load(store: &Store, partition: u32, state: &mut State, wanted: &[Read]) -> Result<()> {
    let mut take = |row: &[u8], value: &[u8]| {
        state.load(row, value).map_err(|Unreadable| {
            anyhow!(
                "the state of matches partition {partition} on disk is damaged. Delete the state \
                 directory and start again: the state is made anew from the log"
            )
        })
    };
    for read in wanted {
        match read {
            Read::Row(row) => {
                if let Some(value) = store.get(partition, row)? {
                    take(row, &value)?;
                }
            }
            Read::Range { from, to } => store.range(partition, from, to, &mut take)?,
        }
    }
    Ok(())
}
