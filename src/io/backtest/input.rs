//! What a backtest reads: files, and ranges of topics, as batches of messages.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::batch::{Batch, EachBatch, Message};
use super::topic::{self, TopicRange};
use crate::io::disk::files;
pub use crate::io::disk::files::Reading;

/// One of the things that are read.
#[derive(Debug)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Messages of a topic.
    Topic(TopicRange),
}

impl Source {
    /// What evidence from it names as its topic.
    pub fn name(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::Topic(range) => range.topic.clone(),
        }
    }

    /// How much there is to read, as progress counts it: bytes of a file, messages of a topic.
    pub fn size(&self) -> u64 {
        match self {
            Source::File(path) => std::fs::metadata(path).map_or(0, |meta| meta.len()),
            Source::Topic(range) => range.messages(),
        }
    }
}

/// Hands all messages of `source`, which has this place, to `each`. Gives back why the rest of a
/// file cannot be read, if that is so.
///
/// # Errors
///
/// A topic cannot be read, or `each` failed.
pub fn read(
    (place, source): (usize, &Source),
    reading: &Reading,
    each: &mut EachBatch<'_>,
) -> Result<Option<anyhow::Error>> {
    match source {
        Source::File(path) => read_file((place, path), reading, each),
        Source::Topic(range) => topic::read((place, range), reading, each).map(|()| None),
    }
}

fn read_file(
    (place, path): (usize, &Path),
    reading: &Reading,
    each: &mut EachBatch<'_>,
) -> Result<Option<anyhow::Error>> {
    let mut batch = Batch::new(place, 0);
    let unreadable = files::messages(path, reading, &mut |message| {
        let is_full = batch.push(&Message {
            offset: message.line as i64,
            timestamp: message.timestamp,
            bytes: message.bytes,
            is_too_large: message.is_too_large,
            stamp: message.stamp,
        });
        match is_full {
            true => each(&mut batch),
            false => Ok(()),
        }
    })?;
    if !batch.is_empty() {
        each(&mut batch)?;
    }
    Ok(unreadable.filter(|_| !reading.stopped()))
}
