//! Places in the log of a matches partition: how far it is folded, and where something was said.

use crate::fold::key::KeyId;

/// How far the log is folded, or committed. The lesser place is the earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// All messages before this offset are done.
    pub offset: i64,
    /// How far the message at this offset is; `None`: it is still to be begun.
    pub cursor: Option<Cursor>,
}

/// How far one message is: its keys are worked off in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// All keys before this one are done.
    pub key: KeyId,
    /// What is said of this one.
    pub said: Portion,
}

/// How much is said of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Portion {
    /// So many publications; there are more.
    Some(u32),
    /// Everything.
    All,
}

impl Place {
    /// Before the message at this offset.
    pub fn at(offset: i64) -> Place {
        Place {
            offset,
            cursor: None,
        }
    }

    /// Within the message at this offset.
    pub fn within(offset: i64, cursor: Cursor) -> Place {
        Place {
            offset,
            cursor: Some(cursor),
        }
    }

    /// The first offset of which nothing is done.
    pub fn untouched(self) -> i64 {
        self.offset + i64::from(self.cursor.is_some())
    }
}
