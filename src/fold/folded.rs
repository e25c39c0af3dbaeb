//! The message by which a log is known again, kept until somebody asks for its bookmark: most are
//! followed by the next one before that.

use std::sync::Arc;

use crate::bookmark::Bookmark;
use crate::time::Millis;

/// Larger messages are hashed at once: what is kept stays small.
const KEPT_MAX: usize = 1 << 10;

/// A message that was folded.
#[derive(Clone, Debug)]
pub enum FoldedMessage {
    /// It was hashed.
    Hashed(Bookmark),
    /// It is as it was.
    Whole {
        /// Its place.
        offset: i64,
        /// The broker's time of its arrival.
        timestamp: Millis,
        /// What it holds.
        payload: Arc<Vec<u8>>,
    },
}

impl FoldedMessage {
    /// That of a message.
    pub fn of(offset: i64, timestamp: Millis, payload: Vec<u8>) -> FoldedMessage {
        match payload.len() > KEPT_MAX {
            true => FoldedMessage::Hashed(Bookmark::of(offset, Some(timestamp), &payload)),
            false => FoldedMessage::Whole {
                offset,
                timestamp,
                payload: Arc::new(payload),
            },
        }
    }

    /// Its bookmark.
    pub fn bookmark(&self) -> Bookmark {
        match self {
            FoldedMessage::Hashed(bookmark) => *bookmark,
            FoldedMessage::Whole {
                offset,
                timestamp,
                payload,
            } => Bookmark::of(*offset, Some(*timestamp), payload),
        }
    }
}

impl PartialEq for FoldedMessage {
    fn eq(&self, other: &FoldedMessage) -> bool {
        self.bookmark() == other.bookmark()
    }
}

impl Eq for FoldedMessage {}
