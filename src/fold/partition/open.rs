//! Opening a matches partition: the one way in which a fold begins, whatever came before.

use super::note::{Note, NoteError};
use super::{Commit, Partition};
use crate::bookmark::{self, Bookmark, Judgement, KnownBy, LogNow, Sign, There};
use crate::bytes::Unreadable;
use crate::canary::{self, Canary};
use crate::fold::place::{Cursor, Place, Portion};
use crate::fold::state::{OpenError, State};
use crate::plan::{Catalogue, Unusable};

/// What is found of a partition.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The store's row [`State::META_ROW`].
    pub meta: Option<&'a [u8]>,
    /// The store's row [`State::CURSOR_ROW`].
    pub cursor: Option<&'a [u8]>,
    /// What the group has committed.
    pub commit: Option<&'a Commit>,
    /// What stands in the log in the place of the message that `commit` is known by.
    pub committed_there: There,
    /// The same for the one that the store is known by.
    pub stored_there: There,
    /// The log's first offset.
    pub low: i64,
    /// The offset after its last.
    pub high: i64,
    /// The log is written in transactions.
    pub transactions: bool,
    /// Where the log lacks what the state needs, the fold begins with what there is.
    pub accept_incomplete: bool,
}

/// By which messages a log is known again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bookmarks {
    /// By what is committed; `None`: nothing is, or by an older version.
    pub committed: Option<Bookmark>,
    /// By the state in the store.
    pub stored: Option<Bookmark>,
}

impl Bookmarks {
    /// Those of what is found of a partition: `meta` is the store's row [`State::META_ROW`].
    pub fn of(meta: Option<&[u8]>, commit: Option<&Commit>) -> Bookmarks {
        let note = commit.and_then(|commit| Note::parse(&commit.metadata, commit.offset).ok());
        Bookmarks {
            committed: note.and_then(|note| Some(note.last?.bookmark())),
            stored: meta.and_then(State::bookmark_in),
        }
    }
}

/// A partition that is ready to be folded.
#[derive(Debug)]
pub struct Opened {
    /// The partition.
    pub partition: Partition,
    /// Its rows in the store are of no use and must be dropped before anything is loaded.
    pub drop_rows: bool,
    /// What an operator may want to know.
    pub remarks: Vec<Remark>,
}

/// What was met on opening a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// The committed offset was not written by a worker: all that the log has must do.
    Foreign,
    /// The stored state is damaged.
    Damaged,
    /// The stored state is of this other format.
    Format(u8),
    /// The log lacks what the state needs from this offset on.
    Incomplete(i64),
    /// The stored state is that of another log.
    OtherLog,
    /// Whether the log is the one that was folded cannot be told: why.
    Incomparable(&'static str),
}

/// Why a partition cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CannotOpen {
    /// The log ends before what was read of it.
    Shorter,
    /// It is another log than the one that was read.
    Another(Sign),
    /// A newer version has noted the committed offset.
    Later,
    /// The log begins after this offset, from which the state needs it.
    Missing(i64),
    /// The state rests on what the catalogue does not have, or has and cannot be used.
    Unusable(Unusable),
}

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

/// How far the log has come in different places.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// What the stored state has reached.
    stored: Option<Place>,
    /// What is committed.
    committed: Option<Place>,
    /// The recovery offset that is noted with it.
    recovery: Option<i64>,
}

impl Partition {
    /// Opens a partition from what is found of it.
    ///
    /// # Errors
    ///
    /// Going on would lose or repeat something.
    pub fn open(found: Found<'_>, catalogue: &Catalogue) -> Result<Opened, CannotOpen> {
        let mut remarks = Vec::new();
        let noted = found
            .commit
            .map(|commit| note_of(commit, found, &mut remarks));
        let noted = noted.transpose()?;
        let committed = found.commit.map(|commit| Place {
            offset: commit.offset,
            cursor: noted.as_ref().and_then(|note| note.cursor),
        });
        if committed.is_some_and(|committed| committed.untouched() > found.high) {
            return Err(CannotOpen::Shorter);
        }
        let last = noted.as_ref().and_then(|note| note.last.as_ref());
        if let Some(last) = last {
            match judge(last.bookmark(), found, found.committed_there) {
                Judgement::Another(sign) => return Err(CannotOpen::Another(sign)),
                Judgement::EndTooLow => return Err(CannotOpen::Shorter),
                Judgement::Incomparable(why) => remarks.push(Remark::Incomparable(why)),
                Judgement::Same => (),
            }
        }
        let stored = stored(found, catalogue, &mut remarks)?;
        let known = Known {
            stored: stored.as_ref().map(|stored| stored.reached),
            committed,
            recovery: noted.as_ref().map(|note| note.recovery),
        };
        let empty = |first| {
            let state = State::empty(first);
            let reached = Place::at(first);
            (StoredState { state, reached }, true)
        };
        let begin = begin(known, found.low, found.transactions);
        let (StoredState { state, reached }, drop_rows) = match (begin, stored) {
            (Beginning::Stored, Some(stored)) => (stored, false),
            (Beginning::Beyond(first), Some(StoredState { mut state, .. })) => {
                state.begin_at(first);
                let reached = Place::at(first);
                (StoredState { state, reached }, false)
            }
            (Beginning::Stored | Beginning::Beyond(_), None) => empty(found.low),
            (Beginning::Empty(first), _) => empty(first),
            (Beginning::Missing(first), _) if found.accept_incomplete => {
                remarks.push(Remark::Incomplete(first));
                empty(found.low)
            }
            (Beginning::Missing(first), _) => return Err(CannotOpen::Missing(first)),
        };
        let commit = found.commit.cloned().unwrap_or_else(|| Commit {
            offset: state.applied(),
            metadata: state.recovery_offset().to_string(),
        });
        Ok(Opened {
            partition: Partition::new(state, reached, commit, noted.unwrap_or_default()),
            drop_rows,
            remarks,
        })
    }
}

/// A state that was stored.
struct StoredState {
    state: State,
    /// How far its keys are.
    reached: Place,
}

/// The state in the store, if there is one that can be used.
fn stored(
    found: Found<'_>,
    catalogue: &Catalogue,
    remarks: &mut Vec<Remark>,
) -> Result<Option<StoredState>, CannotOpen> {
    let Some(meta) = found.meta else {
        return Ok(None);
    };
    let opened = State::open(meta, catalogue).and_then(|mut state| {
        let cursor = found.cursor.map(|row| state.load_cursor(row)).transpose();
        let cursor = cursor.map_err(|Unreadable| OpenError::Unreadable)?;
        let said = Portion::All;
        let reached = match cursor {
            Some((offset, key)) => Place::within(offset, Cursor { key, said }),
            None => Place::at(state.applied()),
        };
        Ok(StoredState { state, reached })
    });
    let remark = match opened {
        Ok(stored) if is_of_other_log(&stored.state, found) => Remark::OtherLog,
        Ok(stored) => return Ok(Some(stored)),
        Err(OpenError::Unreadable) => Remark::Damaged,
        Err(OpenError::Format(format)) => Remark::Format(format),
        Err(OpenError::Unusable(why)) => return Err(CannotOpen::Unusable(why)),
    };
    remarks.push(remark);
    Ok(None)
}

/// Whether the log has another message where the stored state is known by one.
fn is_of_other_log(state: &State, found: Found<'_>) -> bool {
    let judged = state
        .bookmark()
        .map(|bookmark| judge(bookmark, found, found.stored_there));
    matches!(judged, Some(Judgement::Another(_)))
}

/// Whether the log is the one of this bookmark, in whose place this stands.
fn judge(bookmark: Bookmark, Found { low, high, .. }: Found<'_>, there: There) -> Judgement {
    let now = LogNow { low, high, there };
    bookmark::judge(bookmark.offset + 1, KnownBy::Message(bookmark), now)
}

/// What was noted with a committed offset. Somebody else's commit has no note: then all that the
/// log has must do.
fn note_of(
    commit: &Commit,
    found: Found<'_>,
    remarks: &mut Vec<Remark>,
) -> Result<Note, CannotOpen> {
    match Note::parse(&commit.metadata, commit.offset) {
        Ok(note) => Ok(note),
        Err(NoteError::Later) => Err(CannotOpen::Later),
        Err(NoteError::Foreign) => {
            remarks.push(Remark::Foreign);
            Ok(Note {
                recovery: found.low,
                ..Note::default()
            })
        }
    }
}

/// Where the fold begins, by what is known, and by the log's first offset.
///
/// In a log of transactions each of them ends with an entry that no consumer sees. If the log
/// begins one entry after the last message that was ever folded, what it has lost between them is
/// the end of that message's transaction: the state is whole. (For it to be a message of another
/// transaction, which would have been under way in the same moment, both their ends must still be
/// there, though retention takes what is of one moment together.)
fn begin(known: Known, low: i64, transactions: bool) -> Beginning {
    let first = known.recovery.unwrap_or(0);
    match (known.stored, known.committed) {
        (Some(stored), Some(committed))
            if low <= stored.offset
                && (stored <= committed || canary::is(Canary::StateBeforeKafka)) =>
        {
            Beginning::Stored
        }
        (Some(stored), Some(committed))
            if stored == committed
                && stored.cursor.is_none()
                && low == stored.offset + 1
                && transactions =>
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
    use crate::fold::key::KeyId;
    use crate::record::Hash;

    #[test]
    fn where_a_fold_begins() {
        type Places = (Option<i64>, Option<i64>, Option<i64>);
        fn found((stored, committed, recovery): Places, low: i64, transactions: bool) -> Beginning {
            let known = Known {
                stored: stored.map(Place::at),
                committed: committed.map(Place::at),
                recovery,
            };
            begin(known, low, transactions)
        }
        fn check(places: Places, low: i64, expected: Beginning) {
            assert_eq!(found(places, low, false), expected);
        }
        fn check_transactions(places: Places, low: i64, expected: Beginning) {
            assert_eq!(found(places, low, true), expected);
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
        // Within a message: its other keys are in the log alone.
        let within = |offset, key| {
            let key = KeyId {
                key: Hash([key; 16]),
                ..KeyId::default()
            };
            Some(Place::within(
                offset,
                Cursor {
                    key,
                    said: Portion::All,
                },
            ))
        };
        for (stored, committed, low, expected) in [
            (within(9, 1), within(9, 2), 9, Beginning::Stored),
            (within(9, 2), within(9, 2), 9, Beginning::Stored),
            (within(9, 3), within(9, 2), 9, Beginning::Missing(2)),
            (within(9, 3), within(9, 2), 2, Beginning::Empty(2)),
            (Some(Place::at(9)), within(9, 2), 9, Beginning::Stored),
            (within(9, 2), within(9, 2), 10, Beginning::Missing(2)),
        ] {
            let known = Known {
                stored,
                committed,
                recovery: Some(2),
            };
            assert_eq!(begin(known, low, true), expected, "{known:?}");
        }
        // What was folded last is not in the store: there were messages after it.
        check_transactions((Some(8), Some(9), Some(2)), 9, Beginning::Missing(2));
        check_transactions((None, Some(9), Some(2)), 10, Beginning::Missing(2));
    }
}
