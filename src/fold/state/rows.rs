//! Rows of the store: how they are named, and how they are asked for.

use crate::fold::key::KeyId;
use crate::fold::key::rows::ordered;
use crate::record::Hash;
use crate::time::Second;

/// Rows that the next run needs from the store, all within one matches partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// One row.
    Row(Vec<u8>),
    /// The rows with `from <= key < to`, in order.
    Range {
        /// The first key.
        from: Vec<u8>,
        /// The first key beyond.
        to: Vec<u8>,
        /// So many of them at most.
        most: usize,
    },
}

/// A change of the store; `None` deletes the row.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// The row of a key.
pub fn key_row(id: KeyId) -> Vec<u8> {
    [b"k".as_slice(), &id.rule.0, &id.key.0].concat()
}

/// The rows of a key beside the first.
pub fn others_of_key(id: KeyId) -> Read {
    let from = [key_row(id).as_slice(), &[0]].concat();
    let to = after_key(id);
    let most = usize::MAX;
    Read::Range { from, to, most }
}

/// After all rows of a key.
pub fn after_key(id: KeyId) -> Vec<u8> {
    [key_row(id).as_slice(), &[0xff; 25]].concat()
}

/// The rows of a rule's keys, those after `beyond`; so many at most.
pub fn rows_of(fingerprint: Hash, beyond: Option<KeyId>, most: usize) -> Read {
    let first = [b"k".as_slice(), &fingerprint.0].concat();
    let to = [first.as_slice(), &[0xff; 25]].concat();
    let from = first.max(beyond.map(after_key).unwrap_or_default());
    Read::Range { from, to, most }
}

/// The row of a timer; without a key: before all timers of that second.
pub fn timer_row(due: Second, id: Option<KeyId>) -> Vec<u8> {
    let mut row = [b"t".as_slice(), &ordered(due)].concat();
    if let Some(id) = id {
        row.extend(id.rule.0);
        row.extend(id.key.0);
    }
    row
}

/// The key that the end of a row names.
pub fn key_id(bytes: &[u8]) -> Option<KeyId> {
    let (rule, key) = bytes.split_first_chunk::<16>()?;
    Some(KeyId {
        rule: Hash(*rule),
        key: Hash(key.try_into().ok()?),
    })
}
