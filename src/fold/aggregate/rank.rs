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
