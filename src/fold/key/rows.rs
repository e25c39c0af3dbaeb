//! The rows of a key in the store.
//!
//! A small key is one row. A part that grows gets rows of its own, of which only those that
//! changed are written.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::bytes::Unreadable;
use crate::record::Hash;
use crate::time::Second;

/// Seconds in one row of panes.
const CHUNK: Second = 64;

/// Values that the `new` of a pattern asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Combination {
    /// The pattern's place.
    pub pattern: u32,
    /// The hash of the values.
    pub values: Hash,
}

impl Combination {
    /// That of the pattern at this place.
    pub fn of(place: usize, values: Hash) -> Combination {
        Combination {
            pattern: place as u32,
            values,
        }
    }
}

/// One of a key's rows, beside the first. The first has no suffix. Ordered as their names are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    /// What was said of this incident.
    Said(Hash),
    /// The panes of matches that came too late, by the hour of the watermark in which they came.
    Late(Second, Second),
    /// The panes of so many times 64 seconds.
    Panes(Second),
    /// A combination.
    Seen(Combination),
    /// What is final of the incident that begins here.
    Tally(Second),
}

/// The number of the row that holds a second.
pub fn chunk_of(second: Second) -> Second {
    second.div_euclid(CHUNK)
}

/// The seconds in the row of this number.
pub fn seconds_of(chunk: Second) -> RangeInclusive<Second> {
    chunk * CHUNK..=chunk * CHUNK + CHUNK - 1
}

/// Which parts have rows of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apart {
    /// Panes.
    pub panes: bool,
    /// Late panes.
    pub late: bool,
    /// Combinations.
    pub seen: bool,
    /// What was said.
    pub said: bool,
    /// What is final of incidents.
    pub tallies: bool,
}

impl Apart {
    /// Whether any part has.
    pub fn any(self) -> bool {
        self.panes || self.late || self.seen || self.said || self.tallies
    }

    /// Whether the part that a row belongs to has.
    pub fn has(self, row: &Row) -> bool {
        match row {
            Row::Panes(_) => self.panes,
            Row::Late(..) => self.late,
            Row::Seen(_) => self.seen,
            Row::Said(_) => self.said,
            Row::Tally(_) => self.tallies,
        }
    }
}

impl Row {
    /// Its name: that of the key's first row, `first`, and a suffix.
    pub fn name(&self, first: &[u8]) -> Vec<u8> {
        match self {
            Row::Panes(chunk) => [first, b"p", &ordered(*chunk)].concat(),
            Row::Late(hour, chunk) => [first, b"l", &ordered(*hour), &ordered(*chunk)].concat(),
            Row::Seen(Combination { pattern, values }) => {
                [first, b"s", &pattern.to_be_bytes(), &values.0].concat()
            }
            Row::Said(id) => [first, b"i", &id.0].concat(),
            Row::Tally(start) => [first, b"t", &ordered(*start)].concat(),
        }
    }

    /// The row of a suffix.
    ///
    /// # Errors
    ///
    /// No row ends like that.
    pub fn parse(suffix: &[u8]) -> Result<Row, Unreadable> {
        let (kind, rest) = suffix.split_first().ok_or(Unreadable)?;
        match kind {
            b'p' => Ok(Row::Panes(second(rest)?)),
            b'l' => {
                let (hour, chunk) = rest.split_at_checked(8).ok_or(Unreadable)?;
                Ok(Row::Late(second(hour)?, second(chunk)?))
            }
            b's' => {
                let (pattern, values) = rest.split_first_chunk::<4>().ok_or(Unreadable)?;
                Ok(Row::Seen(Combination {
                    pattern: u32::from_be_bytes(*pattern),
                    values: Hash(values.try_into().map_err(|_| Unreadable)?),
                }))
            }
            b'i' => Ok(Row::Said(Hash(rest.try_into().map_err(|_| Unreadable)?))),
            b't' => Ok(Row::Tally(second(rest)?)),
            _ => Err(Unreadable),
        }
    }
}

/// Big-endian with the sign bit turned, so that rows stand in order of time.
pub fn ordered(second: Second) -> [u8; 8] {
    second.wrapping_sub(i64::MIN).to_be_bytes()
}

fn second(bytes: &[u8]) -> Result<Second, Unreadable> {
    let ordered = i64::from_be_bytes(bytes.try_into().map_err(|_| Unreadable)?);
    Ok(ordered.wrapping_add(i64::MIN))
}
