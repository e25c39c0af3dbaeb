//! Opening a matches partition: the one way in which a fold begins, whatever came before.

use anyhow::{Result, anyhow, bail};

use super::{Folding, Stage};
use crate::io::group::{Committed, Partition};
use crate::io::rules_topic;
use crate::state::{OpenError, State};

/// Where a fold begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    /// With the state in the store.
    Stored,
    /// Without any state, at this offset.
    Empty(i64),
    /// At this offset, which the log no longer has; it begins later.
    Missing(i64),
}

impl Stage {
    /// The fold of a partition whose log has the offsets `low..high`, ready to go on.
    pub(super) fn open_one(
        &mut self,
        (topic, number): &Partition,
        committed: Option<&Committed>,
        (low, high): (i64, i64),
    ) -> Result<Folding> {
        let partition = u32::try_from(*number)?;
        let place = format!("{topic}/{number}");
        if let Some(committed) = committed.filter(|committed| committed.offset > high) {
            bail!(
                "{place} ends at offset {high}, and was read to {}: the topic was made anew. Give \
                 the application another name, or delete the consumer group {}.correlate",
                committed.offset,
                self.config.app
            );
        }
        let stored = self.stored(partition, &place)?;
        let recovery = committed.map(|committed| recovery_offset(committed, low));
        let applied = stored.as_ref().map(State::applied);
        let offset = committed.map(|committed| committed.offset);
        let state = match (begin(applied, offset, recovery, low), stored) {
            (Beginning::Stored, Some(state)) => state,
            (Beginning::Stored, None) => State::empty(low),
            (Beginning::Empty(first), _) => self.begin_empty(partition, first)?,
            (Beginning::Missing(first), _) if self.config.accept_incomplete_state => {
                tracing::warn!(place, first, low, "the log lacks what the state needs");
                self.begin_empty(partition, low)?
            }
            (Beginning::Missing(first), _) => bail!(
                "{place} begins at offset {low}, and the state needs it from {first}: its \
                 retention is too short, or the worker was down too long. Start with \
                 --accept-incomplete-state to go on with what there is; incidents may then miss \
                 events"
            ),
        };
        let from = state.applied();
        let committed = committed.cloned().unwrap_or_else(|| Committed {
            offset: from,
            metadata: state.recovery_offset().to_string(),
        });
        tracing::debug!(place, from, to = committed.offset, "partition opened");
        Ok(Folding::new(state, committed, high))
    }

    /// The state in the store, if there is one that can be used.
    fn stored(&mut self, partition: u32, place: &str) -> Result<Option<State>> {
        let Some(meta) = self.store.get(partition, State::META_ROW)? else {
            return Ok(None);
        };
        let mut opened = State::open(&meta, &self.catalogue);
        if matches!(
            opened,
            Err(OpenError::UnknownRule(_) | OpenError::UnknownPlan(_))
        ) {
            self.catalogue = rules_topic::read(&self.config, &self.health)?;
            opened = State::open(&meta, &self.catalogue);
        }
        let unknown = |what: &str| {
            anyhow!(
                "the state of {place} names {what}, which the rules topic of {} does not have; \
                 that topic must be compacted, never deleted from",
                self.config.app
            )
        };
        match opened {
            Ok(state) => Ok(Some(state)),
            Err(OpenError::Unreadable) => {
                tracing::warn!(
                    place,
                    "the state on disk is of another version; folding again"
                );
                Ok(None)
            }
            Err(OpenError::UnknownRule(hash)) => Err(unknown(&format!("rule {hash}"))),
            Err(OpenError::UnknownPlan(hash)) => Err(unknown(&format!("plan {hash}"))),
        }
    }

    fn begin_empty(&self, partition: u32, first: i64) -> Result<State> {
        self.store.drop_partition(partition)?;
        Ok(State::empty(first))
    }
}

/// The offset noted with a committed one. Somebody else's commit has no note: then all that the
/// log has must do.
fn recovery_offset(committed: &Committed, low: i64) -> i64 {
    committed.metadata.parse().unwrap_or_else(|_| {
        tracing::warn!(
            offset = committed.offset,
            "a committed offset was not written by watchfire; folding all that the log has"
        );
        low
    })
}

/// Where the fold begins, by the offset that the stored state has reached, the committed offset,
/// the one noted with it, and the log's first.
fn begin(
    applied: Option<i64>,
    committed: Option<i64>,
    recovery: Option<i64>,
    low: i64,
) -> Beginning {
    let first = recovery.unwrap_or(0);
    match (applied, committed) {
        (Some(applied), Some(committed)) if low <= applied && applied <= committed => {
            Beginning::Stored
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
        fn check(
            (applied, committed, recovery): (Option<i64>, Option<i64>, Option<i64>),
            low: i64,
            expected: Beginning,
        ) {
            assert_eq!(begin(applied, committed, recovery, low), expected);
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
    }
}
