//! Byte forms with a version in front: of matches on their way, and of the state.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes that are of another version or damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Most values fit into so many.
const USUAL_BYTES: usize = 256;

/// A version byte and `value` in postcard's encoding.
pub fn to_bytes(version: u8, value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    bytes.push(version);
    // Writing to a vector cannot fail, and no type of ours refuses to be written.
    postcard::to_extend(value, bytes).unwrap_or_default()
}

/// The reverse of [`to_bytes`].
///
/// # Errors
///
/// The bytes are of another version or damaged, or there are more.
pub fn from_bytes<T: DeserializeOwned>(version: u8, bytes: &[u8]) -> Result<T, Unreadable> {
    match postcard::take_from_bytes(of_version(version, bytes)?) {
        Ok((value, [])) => Ok(value),
        Ok(_) | Err(_) => Err(Unreadable),
    }
}

/// What follows the version byte, if it is this one.
fn of_version(version: u8, bytes: &[u8]) -> Result<&[u8], Unreadable> {
    match bytes.split_first() {
        Some((first, rest)) if *first == version => Ok(rest),
        Some(_) | None => Err(Unreadable),
    }
}
