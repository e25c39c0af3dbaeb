//! Bytes of a Kafka message to records, and each record to an event in the same pass.
//!
//! Skeleton of the interface:

use crate::event::{Attributes, Event};
use crate::time::Millis;

/// Why a record was refused. Goes into the dead letter's `reason` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// The bytes are not JSON, and repair did not help.
    NotJson,
}

/// What became of one record.
pub struct Decoded<'m, 'e> {
    /// Place of the record in its message, from 0.
    pub index: u32,
    /// The record's bytes as received, without outer blanks and before any repair; the whole
    /// message where its envelope fails.
    pub bytes: &'m [u8],
    /// The event, or why there is none.
    pub outcome: Result<&'e Event<'e>, Reject>,
}

/// Compiled from the attributes in use: what to take out of a record, and how.
#[derive(Debug)]
pub struct Decoder {}

impl Decoder {
    /// A decoder that extracts `attributes`, in their order.
    pub fn new(_attributes: &Attributes) -> Decoder {
        Decoder {}
    }

    /// Calls `each` for every record of `message`, in order. `timestamp` is the message's, and
    /// stands in where a record has no time of its own.
    pub fn decode<'m>(
        &self,
        message: &'m [u8],
        timestamp: Option<Millis>,
        each: &mut dyn FnMut(Decoded<'m, '_>),
    ) {
        let _ = (message, timestamp, each);
    }
}

impl Reject { pub fn reason(self) -> &'static str { "not-json" } }
