//! What was said and is not committed yet.

use std::collections::VecDeque;

use super::note::Note;
use crate::fold::place::{Cursor, Place, Portion};
use crate::fold::state::Change;
use crate::fold::work::Publication;
use crate::incident::Incident;

/// What one commit may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// So many bytes, or one publication if that alone is more.
    pub bytes: usize,
    /// So many publications.
    pub publications: usize,
}

impl Limit {
    /// As much as there is.
    pub const NONE: Limit = Limit {
        bytes: usize::MAX,
        publications: usize::MAX,
    };
}

/// What is to be committed at once.
#[derive(Clone, Debug, PartialEq)]
pub struct CommitPoint {
    /// What is to be written, in order.
    pub publications: Vec<Incident>,
    /// How far that comes.
    pub place: Place,
    /// What is to be noted with it.
    pub metadata: String,
    /// What is to be kept once it is committed, in one batch; nothing, while the store would come
    /// to be beyond that.
    pub changes: Vec<Change>,
}

/// Publications in order, each with its place.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<(Publication, usize)>,
    bytes: usize,
    /// By the first offset of messages that were folded together: what was noted before them.
    noted: VecDeque<(i64, Note)>,
}

impl Outbox {
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// There is more than this.
    pub fn is_over(&self, limit: Limit) -> bool {
        self.bytes > limit.bytes || self.waiting.len() > limit.publications
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds what messages from `first` on say; `note`: what was noted before them.
    pub fn add(&mut self, first: i64, note: &Note, said: Vec<Publication>) {
        if said.is_empty() {
            return;
        }
        if self.noted.back().is_none_or(|(last, _)| *last != first) {
            self.noted.push_back((first, note.clone()));
        }
        for publication in said {
            let bytes = publication.incident.bytes();
            self.bytes += bytes;
            self.waiting.push_back((publication, bytes));
        }
    }

    /// Takes what fits; at least one, if there is any.
    pub fn take(&mut self, limit: Limit) -> Vec<Publication> {
        let mut taken = Vec::new();
        let mut left = limit.bytes;
        while let Some((_, bytes)) = self.waiting.front()
            && (taken.is_empty() || *bytes <= left && taken.len() < limit.publications)
            && let Some((publication, bytes)) = self.waiting.pop_front()
        {
            left = left.saturating_sub(bytes);
            self.bytes -= bytes;
            taken.push(publication);
        }
        let next = self.waiting.front().map(|(next, _)| next.offset);
        while let Some((_, _)) = self.noted.front()
            && self.is_behind(next)
        {
            self.noted.pop_front();
        }
        taken
    }

    /// Whether the first note is of no more use when the message at `next` is to be said next.
    fn is_behind(&self, next: Option<i64>) -> bool {
        let Some(next) = next else {
            return true;
        };
        self.noted.get(1).is_some_and(|(first, _)| *first <= next)
    }

    /// Where to go on after `last`, while there is more to be said, and what is noted with that.
    pub fn place_after(&self, last: &Publication) -> Option<(Place, &Note)> {
        let (next, _) = self.waiting.front()?;
        let (_, note) = self.noted.front()?;
        let place = if next.offset > last.offset {
            Place::at(next.offset)
        } else if next.key > last.key {
            let said = Portion::All;
            Place::within(
                last.offset,
                Cursor {
                    key: last.key,
                    said,
                },
            )
        } else {
            let (key, said) = (next.key, Portion::Some(next.number));
            Place::within(next.offset, Cursor { key, said })
        };
        Some((place, note))
    }
}
