//! Opening a matches partition: the one way in which a fold begins, whatever came before.

use anyhow::{Result, bail};

use super::{Folding, Stage};
use crate::config::Delivery;
use crate::escape;
use crate::fold::state::{self, OpenError, State};
use crate::io::group::{Committed, Partition};
use crate::plan::Unusable;
use crate::plan::note::{Note, NoteError};

/// Where a fold begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    /// With the state in the store.
    Stored,
    /// With the state in the store, at this offset: what the log has lost before it was the end of
    /// a transaction.
    Beyond(i64),
    /// Without any state, at this offset.
    Empty(i64),
    /// At this offset, which the log no longer has; it begins later.
    Missing(i64),
}

impl Stage {
    /// The fold of a partition whose log has the offsets `low..high`, ready to go on.
    pub(super) fn open_one(
        &mut self,
        place: &Partition,
        committed: Option<&Committed>,
        (low, high): (i64, i64),
    ) -> Result<Folding> {
        let (topic, number) = place;
        let partition = u32::try_from(*number)?;
        if let Some(committed) = committed.filter(|committed| committed.offset > high) {
            bail!(
                "{topic}/{partition} ends at offset {high}, and was read to {}: the topic was made \
                 anew. Give the application another name, or delete the consumer group \
                 {}.correlate",
                committed.offset,
                self.config.app
            );
        }
        let stored = self.stored(topic, partition)?;
        let noted = committed.map(|committed| note_of(committed, low, place));
        let noted = noted.transpose()?;
        let recovery = noted.as_ref().map(|note| note.recovery);
        let applied = stored.as_ref().map(State::applied);
        let offset = committed.map(|committed| committed.offset);
        let delivery = self.sink.delivery();
        let place_in_log = (applied, offset, recovery);
        let state = match (begin(place_in_log, low, delivery), stored) {
            (Beginning::Stored, Some(state)) => state,
            (Beginning::Beyond(first), Some(mut state)) => {
                state.begin_at(first);
                state
            }
            (Beginning::Stored | Beginning::Beyond(_), None) => State::empty(low),
            (Beginning::Empty(first), _) => self.begin_empty(partition, first)?,
            (Beginning::Missing(first), _) if self.config.accept_incomplete_state => {
                tracing::warn!(
                    topic,
                    partition,
                    needed = first,
                    begins = low,
                    "the log lacks what the state needs"
                );
                self.begin_empty(partition, low)?
            }
            (Beginning::Missing(first), _) => bail!(
                "{topic}/{partition} begins at offset {low}, and the state needs it from {first}: \
                 its retention is too short, or the worker was down too long. Start with \
                 --accept-incomplete-state to go on with what there is; incidents may then miss \
                 events"
            ),
        };
        let from = state.applied();
        let committed = committed.cloned().unwrap_or_else(|| Committed {
            offset: from,
            metadata: state.recovery_offset().to_string(),
        });
        let until = committed.offset;
        tracing::debug!(topic, partition, from, until, "partition opened");
        let noted = noted.unwrap_or_default();
        Ok(Folding::new(state, committed, noted, high))
    }

    /// The state in the store, if there is one that can be used.
    fn stored(&mut self, topic: &str, partition: u32) -> Result<Option<State>> {
        let Some(meta) = self.store.get(partition, State::META_ROW)? else {
            return Ok(None);
        };
        let mut opened = State::open(&meta, &self.known.catalogue);
        if matches!(opened, Err(OpenError::Unusable(Unusable::Missing(_)))) {
            self.known.catch_up()?;
            opened = State::open(&meta, &self.known.catalogue);
        }
        match opened {
            Ok(state) => Ok(Some(state)),
            Err(OpenError::Unreadable) => {
                tracing::warn!(
                    topic,
                    partition,
                    "the state on disk is damaged; folding again"
                );
                Ok(None)
            }
            Err(OpenError::Format(found)) => {
                tracing::warn!(
                    topic,
                    partition,
                    found,
                    known = state::FORMAT,
                    "the state on disk is of another version; folding again"
                );
                Ok(None)
            }
            Err(OpenError::Unusable(Unusable::Missing(hash))) => bail!(
                "the state of {topic}/{partition} names {hash}, which the rules topic of {} does \
                 not have; that topic must be compacted, never deleted from",
                self.config.app
            ),
            Err(OpenError::Unusable(why @ Unusable::Unreadable(_))) => {
                bail!("the state of {topic}/{partition} rests on a rule that cannot be used: {why}")
            }
        }
    }

    fn begin_empty(&self, partition: u32, first: i64) -> Result<State> {
        self.store.drop_partition(partition)?;
        Ok(State::empty(first))
    }
}

/// What was noted with a committed offset. Somebody else's commit has no note: then all that the
/// log has must do.
fn note_of(committed: &Committed, low: i64, (topic, partition): &Partition) -> Result<Note> {
    match Note::parse(&committed.metadata, committed.offset) {
        Ok(note) => Ok(note),
        Err(NoteError::Later) => bail!(
            "the committed offset of {topic}/{partition} was noted by a newer version of watchfire \
             ({}); use that one",
            escape::quoted(&committed.metadata)
        ),
        Err(NoteError::Foreign) => {
            tracing::warn!(
                topic,
                partition,
                offset = committed.offset,
                "a committed offset was not written by watchfire; folding all that the log has"
            );
            Ok(Note {
                recovery: low,
                ..Note::default()
            })
        }
    }
}

/// Where the fold begins, by the offset that the stored state has reached, the committed offset
/// and the one noted with it, and by the log's first.
///
/// In a log of transactions each of them ends with an entry that no consumer sees. If the log
/// begins one entry after the last message that was ever folded, what it has lost between them is
/// the end of that message's transaction: the state is whole. (For it to be a message of another
/// transaction, which would have been under way in the same moment, both their ends must still be
/// there, though retention takes what is of one moment together.)
fn begin(
    (applied, committed, recovery): (Option<i64>, Option<i64>, Option<i64>),
    low: i64,
    delivery: Delivery,
) -> Beginning {
    let first = recovery.unwrap_or(0);
    match (applied, committed) {
        (Some(applied), Some(committed)) if low <= applied && applied <= committed => {
            Beginning::Stored
        }
        (Some(applied), Some(committed))
            if applied == committed && low == applied + 1 && delivery == Delivery::ExactlyOnce =>
        {
            Beginning::Beyond(low)
        }
        _ if low <= first => Beginning::Empty(first),
        _ => Beginning::Missing(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_fold_begins() {
        type Place = (Option<i64>, Option<i64>, Option<i64>);
        fn check(place: Place, low: i64, expected: Beginning) {
            let found = begin(place, low, Delivery::AtLeastOnce);
            assert_eq!(found, expected);
        }
        fn check_transactions(place: Place, low: i64, expected: Beginning) {
            let found = begin(place, low, Delivery::ExactlyOnce);
            assert_eq!(found, expected);
        }
        check((None, None, None), 0, Beginning::Empty(0));
        check((None, None, None), 7, Beginning::Missing(0));
        check((Some(5), None, None), 0, Beginning::Empty(0));
        check((Some(5), Some(9), Some(0)), 0, Beginning::Stored);
        check((Some(9), Some(9), Some(2)), 9, Beginning::Stored);
        check((Some(5), Some(9), Some(6)), 6, Beginning::Empty(6));
        check((Some(5), Some(9), Some(2)), 6, Beginning::Missing(2));
        check((Some(10), Some(9), Some(2)), 1, Beginning::Empty(2));
        check((None, Some(9), Some(2)), 2, Beginning::Empty(2));
        check((None, Some(9), Some(2)), 3, Beginning::Missing(2));
        check((Some(9), Some(9), Some(2)), 10, Beginning::Missing(2));
        check_transactions((Some(9), Some(9), Some(2)), 9, Beginning::Stored);
        check_transactions((Some(9), Some(9), Some(2)), 10, Beginning::Beyond(10));
        check_transactions((Some(9), Some(9), Some(2)), 11, Beginning::Missing(2));
        // What was folded last is not in the store: there were messages after it.
        check_transactions((Some(8), Some(9), Some(2)), 9, Beginning::Missing(2));
        check_transactions((None, Some(9), Some(2)), 10, Beginning::Missing(2));
    }
}
