//! Keys of rows.

use super::Read;
use crate::fold::key::KeyId;
use crate::fold::key::rows::ordered;
use crate::record::Hash;
use crate::time::Second;

/// The row of a key.
pub fn key_row(id: KeyId) -> Vec<u8> {
    [b"k".as_slice(), &id.rule.0, &id.key.0].concat()
}

/// The rows of a key beside the first.
pub fn others_of_key(id: KeyId) -> Read {
    let from = [key_row(id).as_slice(), &[0]].concat();
    let to = [key_row(id).as_slice(), &[0xff; 25]].concat();
    Read::Range { from, to }
}

/// All rows of a rule's keys.
pub fn rows_of(fingerprint: Hash) -> Read {
    let from = [b"k".as_slice(), &fingerprint.0].concat();
    let to = [from.as_slice(), &[0xff; 25]].concat();
    Read::Range { from, to }
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
