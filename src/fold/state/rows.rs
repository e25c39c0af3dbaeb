//! Keys of rows.

use std::ops::RangeInclusive;

use super::Read;
use crate::fold::key::KeyId;
use crate::record::Hash;
use crate::time::Second;

/// Seconds in one row of panes.
const CHUNK: Second = 64;

/// The row of a key.
pub fn key_row(id: KeyId) -> Vec<u8> {
    [b"k".as_slice(), &id.rule.0, &id.key.0].concat()
}

/// The row of a key's panes in the 64 seconds of this number.
pub fn chunk_row(id: KeyId, chunk: Second) -> Vec<u8> {
    [key_row(id).as_slice(), &ordered(chunk)].concat()
}

/// The number of a row of panes, from what follows the key's name in it.
pub fn chunk_number(bytes: &[u8]) -> Option<Second> {
    let ordered = i64::from_be_bytes(bytes.try_into().ok()?);
    Some(ordered.wrapping_add(i64::MIN))
}

/// The number of the row that holds a second.
pub fn chunk_of(second: &Second) -> Second {
    second.div_euclid(CHUNK)
}

/// The seconds in the row of this number.
pub fn seconds_of(chunk: Second) -> RangeInclusive<Second> {
    chunk * CHUNK..=chunk * CHUNK + CHUNK - 1
}

/// The rows of a key's panes.
pub fn panes_of_key(id: KeyId) -> Read {
    let from = [key_row(id).as_slice(), &[0]].concat();
    let to = [key_row(id).as_slice(), &[0xff; 9]].concat();
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

fn ordered(second: Second) -> [u8; 8] {
    second.wrapping_sub(i64::MIN).to_be_bytes()
}

/// The key that the end of a row names.
pub fn key_id(bytes: &[u8]) -> Option<KeyId> {
    let (rule, key) = bytes.split_first_chunk::<16>()?;
    Some(KeyId {
        rule: Hash(*rule),
        key: Hash(key.try_into().ok()?),
    })
}
