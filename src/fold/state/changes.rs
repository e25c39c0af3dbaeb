//! What of a state is to be written.

use std::vec::IntoIter;

use super::rows::{Change, key_row, timer_row};
use super::{FORMAT, State, StoredCursor};
use crate::bytes::to_bytes;
use crate::canary::{self, Canary};
use crate::fold::key::KeyId;

/// Changes of a state, in the order of their rows. Each is made when it is asked for: together they
/// may take as much memory as the keys do.
#[derive(Debug)]
pub struct Unwritten<'s> {
    state: &'s mut State,
    /// Those that are made.
    made: IntoIter<Change>,
    /// Keys of which they are still to be.
    keys: IntoIter<KeyId>,
    /// The meta row, which comes behind the keys.
    meta: Option<Change>,
    /// Those of timers, which come last.
    timers: Vec<Change>,
}

impl State {
    /// All changes since the last call (the meta row always among them): to be written in one
    /// batch once the Kafka commit has succeeded. They must be taken to the last one, and
    /// [`State::kept`] must follow before the next call.
    pub fn changes(&mut self) -> Unwritten<'_> {
        let had_cursor = std::mem::take(&mut self.has_cursor);
        let cursor = had_cursor.then(|| (State::CURSOR_ROW.to_vec(), None));
        self.changes_with(cursor, self.meta())
    }

    /// The same within a message: its keys up to `key` are folded. `meta`: as [`State::meta`] was
    /// before it.
    pub fn changes_within(&mut self, offset: i64, key: KeyId, meta: &[u8]) -> Unwritten<'_> {
        let cursor = to_bytes(FORMAT, &StoredCursor { offset, key });
        self.has_cursor = true;
        let cursor = (State::CURSOR_ROW.to_vec(), Some(cursor));
        self.changes_with(Some(cursor), meta.to_vec())
    }

    fn changes_with(&mut self, cursor: Option<Change>, meta: Vec<u8>) -> Unwritten<'_> {
        let mut keys = self.keys.leave();
        keys.sort_unstable();
        let first: Vec<Change> = cursor.into_iter().collect();
        Unwritten {
            state: self,
            made: first.into_iter(),
            keys: keys.into_iter(),
            meta: Some((State::META_ROW.to_vec(), Some(meta))),
            timers: Vec::new(),
        }
    }

    fn changes_of(&mut self, id: KeyId, changes: &mut Vec<Change>, timers: &mut Vec<Change>) {
        let Some(cached) = self.keys.get_mut(id) else {
            return;
        };
        if cached.stored_due != cached.key.due() {
            let before = cached.stored_due;
            timers.extend(before.map(|due| (timer_row(due, Some(id)), None)));
            let due = cached.key.due();
            timers.extend(due.map(|due| (timer_row(due, Some(id)), Some(Vec::new()))));
            cached.stored_due = due;
        }
        let is_empty = cached.key.stored.is_empty();
        cached.key.stored.changes(&key_row(id), changes);
        cached.key.rest();
        self.keys.weigh(id);
        if is_empty && canary::is(Canary::EmptiedForgotten) {
            self.keys.remove(id);
        }
    }
}

impl Iterator for Unwritten<'_> {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        loop {
            if let Some(change) = self.made.next() {
                return Some(change);
            }
            let mut made = Vec::new();
            match self.keys.next() {
                Some(id) => self.state.changes_of(id, &mut made, &mut self.timers),
                None => {
                    made.extend(self.meta.take());
                    self.timers.sort_unstable();
                    made.append(&mut self.timers);
                    if made.is_empty() {
                        return None;
                    }
                }
            }
            self.made = made.into_iter();
        }
    }
}
