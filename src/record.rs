//! Where a record was read, and why one was refused.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

/// A BLAKE3 hash, its first 128 bits.
///
/// JSON shows it as 32 hexadecimal digits, compact formats as 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Hash(pub [u8; 16]);

impl Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash::first_of(blake3::hash(bytes))
    }

    /// The hash of what `hasher` was given.
    pub fn finish(hasher: &blake3::Hasher) -> Hash {
        Hash::first_of(hasher.finalize())
    }

    fn first_of(hash: blake3::Hash) -> Hash {
        Hash(hash.as_bytes().first_chunk().copied().unwrap_or_default())
    }

    /// The first 64 bits, as a number.
    pub fn first_bytes(self) -> u64 {
        u64::from_be_bytes(self.0.first_chunk().copied().unwrap_or_default())
    }

    /// Its first 8 hexadecimal digits: enough for people to tell a few apart.
    pub fn short(self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }

    /// The hash written as 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Hash> {
        let mut hash = Hash::default();
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        for (byte, digits) in hash.0.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(hash)
    }
}

/// Most of what is hashed in parts fits into so many bytes.
const PARTS_BYTES: usize = 256;

/// A few short parts that are hashed together: faster than a hasher that is ready for gigabytes.
#[derive(Debug, Default)]
pub struct Parts {
    bytes: SmallVec<[u8; PARTS_BYTES]>,
}

impl Parts {
    /// Adds a part.
    pub fn add(&mut self, part: &[u8]) {
        self.bytes.extend_from_slice(part);
    }

    /// The hash of all.
    pub fn hash(&self) -> Hash {
        Hash::of(&self.bytes)
    }
}

/// In the order of its bytes, compared as one number.
impl Ord for Hash {
    fn cmp(&self, other: &Hash) -> std::cmp::Ordering {
        u128::from_be_bytes(self.0).cmp(&u128::from_be_bytes(other.0))
    }
}

impl PartialOrd for Hash {
    fn partial_cmp(&self, other: &Hash) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            Hash::parse(&text).ok_or_else(|| D::Error::custom("expected 32 hexadecimal digits"))
        } else {
            <[u8; 16]>::deserialize(deserializer).map(Hash)
        }
    }
}

/// Where in its source partition a record stands. Ordered as the partition is read.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct Position {
    /// Raised when the source topic is made anew under the same name.
    pub epoch: u32,
    /// Kafka offset of the message; for a file the number of its line, from 0.
    pub offset: i64,
    /// Place of the record within its message, from 0.
    pub index: u32,
}
