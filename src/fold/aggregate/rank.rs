//! The order of events, whatever the order in which they came.

use serde::{Deserialize, Serialize};

use crate::record::Hash;

/// The place of an event among others, for aggregates that depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rank {
    /// What comes first: for events their time, in milliseconds.
    pub order: i64,
    /// Decides between those of the same order: for events the hash of the record's bytes.
    pub tie: Hash,
    /// Tells events apart that are equal otherwise: a hash of where the event was read.
    pub event: u64,
}

impl Rank {
    /// The places of several values of one event, in their order.
    pub fn of_values(self) -> impl Iterator<Item = Rank> {
        (0_u32..).map(move |number| {
            let mut tie = self.tie;
            if let Some(last) = tie.0.last_chunk_mut() {
                *last = number.to_be_bytes();
            }
            Rank {
                tie,
                event: self.event ^ u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15),
                ..self
            }
        })
    }
}
