//! Messages that are handed to one thread together.

use anyhow::Result;

use crate::io::disk::files::Stamp;
use crate::time::Millis;

/// Bytes of input that one thread is handed at a time, about: what fits into a processor's cache.
const BATCH_BYTES: usize = 256 << 10;

/// A batch with more bytes has a message that is larger than Azure sends.
const LARGE_BYTES: usize = 8 * BATCH_BYTES;

/// Some messages of one partition, or of one file.
pub struct Batch {
    /// The place of the source.
    pub source: usize,
    /// 0 for a file.
    pub partition: u32,
    messages: Vec<Entry>,
    bytes: Vec<u8>,
}

struct Entry {
    offset: i64,
    timestamp: Option<Millis>,
    is_too_large: bool,
    stamp: Option<Stamp>,
    /// Where it ends in the batch's bytes.
    end: usize,
}

/// One message of a batch.
pub struct Message<'b> {
    /// Kafka offset; in a file the line, from 0.
    pub offset: i64,
    /// When the broker got it, where that is known.
    pub timestamp: Option<Millis>,
    /// As it was sent; of one that is too large, how it begins.
    pub bytes: &'b [u8],
    /// It is larger than the limit: the rest of it was skipped.
    pub is_too_large: bool,
    /// What the hub called it, in a file that says so.
    pub stamp: Option<Stamp>,
}

impl Batch {
    /// An empty batch.
    pub fn new(source: usize, partition: u32) -> Batch {
        Batch {
            source,
            partition,
            messages: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Adds a message; whether the batch is now full.
    pub fn push(&mut self, message: &Message<'_>) -> bool {
        if self.bytes.is_empty() {
            self.bytes.reserve(BATCH_BYTES + BATCH_BYTES / 4);
        }
        self.bytes.extend_from_slice(message.bytes);
        self.messages.push(Entry {
            offset: message.offset,
            timestamp: message.timestamp,
            is_too_large: message.is_too_large,
            stamp: message.stamp,
            end: self.bytes.len(),
        });
        self.bytes.len() >= BATCH_BYTES
    }

    /// The batch, and an empty one of the same place instead of it.
    pub fn take(&mut self) -> Batch {
        let next = Batch::new(self.source, self.partition);
        std::mem::replace(self, next)
    }

    /// Takes all messages out.
    pub fn clear(&mut self) {
        self.messages.clear();
        self.bytes.clear();
        self.bytes.shrink_to(LARGE_BYTES);
    }

    /// Whether it should not wait together with others of its size.
    pub fn is_large(&self) -> bool {
        self.bytes.len() > LARGE_BYTES
    }

    /// Whether it has no message.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Its messages.
    pub fn messages(&self) -> impl Iterator<Item = Message<'_>> {
        let ends = self.messages.iter().map(|entry| entry.end);
        let begins = std::iter::once(0).chain(ends);
        self.messages
            .iter()
            .zip(begins)
            .map(|(entry, begin)| Message {
                offset: entry.offset,
                timestamp: entry.timestamp,
                is_too_large: entry.is_too_large,
                stamp: entry.stamp,
                bytes: self.bytes.get(begin..entry.end).unwrap_or_default(),
            })
    }
}

/// Takes what is in a batch, and leaves it empty.
pub type EachBatch<'a> = dyn FnMut(&mut Batch) -> Result<()> + 'a;
