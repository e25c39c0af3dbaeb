//! Keys of rows.

use super::Read;
use crate::key::KeyId;
use crate::record::Hash;
use crate::time::Second;

/// The row of a key.
pub fn key_row(id: KeyId) -> Vec<u8> {
    [b"k".as_slice(), &id.rule.0, &id.key.0].concat()
}

/// All rows of a rule's keys.
pub fn rows_of(fingerprint: Hash) -> Read {
    let from = [b"k".as_slice(), &fingerprint.0].concat();
    let to = [from.as_slice(), &[0xff; 17]].concat();
    Read::Range { from, to }
}

/// The row of a timer; without a key: before all timers of that second.
pub fn timer_row(due: Second, id: Option<KeyId>) -> Vec<u8> {
    let ordered = due.wrapping_sub(i64::MIN).to_be_bytes();
    let mut row = [b"t".as_slice(), &ordered].concat();
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
