//! What of a state is to be written.

use std::vec::IntoIter;

use super::{Change, State};
use crate::fold::key::KeyId;

/// Changes of a state, in the order of their rows. Each is made when it is asked for: together they
/// may take as much memory as the keys do.
#[derive(Debug)]
pub struct Changes<'s> {
    pub(super) state: &'s mut State,
    /// Those that are made.
    pub(super) made: IntoIter<Change>,
    /// Keys of which they are still to be.
    pub(super) keys: IntoIter<KeyId>,
    /// The meta row, which comes behind the keys.
    pub(super) meta: Option<Change>,
    /// Those of timers, which come last.
    pub(super) timers: Vec<Change>,
}

impl Iterator for Changes<'_> {
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
