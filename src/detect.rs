//! (skeleton of the interface)
use std::sync::Arc;

use crate::plan::Plan;
use crate::time::Millis;

/// A source partition, as the plan numbers topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePartition {
    /// Place of the topic in the plan's sources.
    pub source: u32,
    /// Partition of that topic.
    pub partition: u32,
}

/// A record that could not be used, with what its dead letter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub source: SourcePartition,
    pub offset: i64,
    pub index: u32,
    pub reason: &'static str,
    pub bytes: Vec<u8>,
    /// The bytes were cut at the limit.
    pub cut: bool,
}

/// How much went through since the last [`Detector::take`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub messages: u64,
    pub records: u64,
    pub bytes: u64,
    pub matches: u64,
    pub rejected: u64,
    /// Records whose time lay in the future.
    pub future: u64,
}

/// What is to be written before the offsets read so far may be committed.
#[derive(Debug, Default)]
pub struct Output {
    /// Partition of the matches topic and bytes; within a partition in this order.
    pub messages: Vec<(u32, Vec<u8>)>,
    pub dead_letters: Vec<DeadLetter>,
    pub counts: Counts,
}

/// The first stage: reads source messages, keeps what matched until it is taken.
#[derive(Debug)]
pub struct Detector {
    plan: Arc<Plan>,
}

impl Detector {
    /// `message_bytes_max`: what one message of the matches or dead-letter topic may hold.
    pub fn new(plan: Arc<Plan>, matches_partitions: u32, message_bytes_max: usize) -> Detector {
        let _ = (matches_partitions, message_bytes_max);
        Detector { plan }
    }

    /// Begins to read a source partition at `offset` (the next to be read), forgetting what is
    /// known of it.
    pub fn assign(&mut self, source: SourcePartition, offset: i64) {
        let _ = (source, offset);
    }

    /// Stops reading a source partition; what is not taken yet of it is dropped.
    pub fn revoke(&mut self, source: SourcePartition) {
        let _ = source;
    }

    /// Reads one message of an assigned source partition; in order of offsets.
    pub fn read(
        &mut self,
        source: SourcePartition,
        offset: i64,
        timestamp: Option<Millis>,
        payload: &[u8],
    ) {
        let _ = (source, offset, timestamp, payload);
    }

    /// Has watermark entries written, for all assigned source partitions. `at_end` holds those
    /// that are read to their end, with the clock as it was before the end was asked for.
    pub fn mark(&mut self, at_end: &[(SourcePartition, Millis)]) {
        let _ = at_end;
    }

    /// Bytes waiting to be taken, about.
    pub fn pending_bytes(&self) -> usize {
        0
    }

    /// Takes everything that has to be written now.
    pub fn take(&mut self) -> Output {
        Output::default()
    }
}
