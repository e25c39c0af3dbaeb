//! Byte forms with a version in front: of matches on their way, and of the state.

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes that are of another version or damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Most values fit into so many.
const USUAL_BYTES: usize = 512;

/// A version byte and `value` in postcard's encoding.
pub fn to_bytes(version: u8, value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    bytes.push(version);
    // Writing to a vector cannot fail, and no type of ours refuses to be written.
    let bytes = postcard::serialize_with_flavor(value, Bytes(bytes)).unwrap_or_default();
    match bytes.len() < USUAL_BYTES {
        // Many are kept for a while: they take no more room than they need.
        true => bytes.as_slice().to_vec(),
        false => bytes,
    }
}

/// Adds `value` in postcard's encoding.
pub fn append(bytes: &mut Vec<u8>, value: &impl Serialize) {
    let written = postcard::serialize_with_flavor(value, Bytes(std::mem::take(bytes)));
    // As above.
    *bytes = written.unwrap_or_default();
}

/// What is written so far.
struct Bytes(Vec<u8>);

impl Flavor for Bytes {
    type Output = Vec<u8>;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
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
