//! Messages out of files: archives of topics, exports, blobs, captured payloads.
//!
//! A file is text (lines, or JSON documents) or an Avro container of Event Hubs Capture, and either
//! may be packed. Its first bytes say which, not its name: files are renamed, unpacked on the way
//! by whatever serves them, and Azure writes lines into files called `.json`.
//!
//! Nothing that a file says of itself is trusted: what is in memory at a time is bounded, whatever
//! it holds, and what cannot be read of it is an error that names it.

mod list;

mod kind;

mod utf16;

mod lines;

mod schema;

mod datum;

mod container;

mod capture;

#[cfg(test)]
pub(crate) mod tests;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read, Take};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use flate2::bufread::MultiGzDecoder;

use crate::decode;
use crate::time::Millis;

pub use capture::{Identity, Stamp};
pub use list::{Listing, list, note};

use kind::Kind;
use utf16::Utf16;

/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 1 << 18;

/// What a frame of zstd may have its reader remember, as a power of two: 128 MiB, the most that its
/// packers use unless they are told to.
const ZSTD_WINDOW_LOG: u32 = 27;

/// How much of a file is in memory at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message: of a line, a document or a body. A larger one is skipped.
    pub message_bytes: usize,
    /// Bytes of what an Avro container says before its first block.
    pub header_bytes: usize,
    /// Bytes of a block that can only be unpacked as a whole, packed and unpacked.
    pub block_bytes: usize,
}

impl Default for Limits {
    /// As large a message as is decoded; headers and blocks far larger than Event Hubs Capture
    /// writes.
    fn default() -> Limits {
        Limits {
            message_bytes: decode::Limits::default().message_bytes,
            header_bytes: 1 << 20,
            block_bytes: 128 << 20,
        }
    }
}

/// What readers and whoever waits for them know together.
#[derive(Debug, Default)]
pub struct Reading {
    /// How much of a file may be in memory.
    pub limits: Limits,
    /// How much was read: bytes of files as they are packed, messages of topics.
    pub read: AtomicU64,
    /// Reading is to end: what was read is all there is.
    pub stop: AtomicBool,
}

impl Reading {
    /// Whether reading is to end.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// One message of a file.
pub struct Message<'a> {
    /// The file it is in.
    pub path: &'a Path,
    /// From 0: the line it begins at, or in a container which record it is.
    pub line: u64,
    /// When the hub took it, if the file says so.
    pub timestamp: Option<Millis>,
    /// Without the end of the line; of one that is too large, how it begins.
    pub bytes: &'a [u8],
    /// It is larger than the limit: the rest of it was skipped.
    pub is_too_large: bool,
    /// What the hub called it, if the file says so.
    pub stamp: Option<Stamp>,
}

/// Takes the messages of a file, in order.
pub type EachMessage<'e> = dyn FnMut(Message<'_>) -> Result<()> + 'e;

/// Calls `each` for every message of the file at `path`, in order. Of lines one is in memory at a
/// time, of a container one body. Bytes of the file itself, as it is packed, are counted in
/// `reading` while they are read. Gives back why the rest of the file is not read, if that is so:
/// it cannot be read, is damaged or of another kind, or reading was stopped.
///
/// # Errors
///
/// `each` fails, which ends the reading.
pub fn messages(
    path: &Path,
    reading: &Reading,
    each: &mut EachMessage<'_>,
) -> Result<Option<Error>> {
    let mut failed = None;
    let read = read(path, reading, &mut |message| {
        ensure!(!reading.stopped(), STOPPED);
        each(message).map_err(|error| {
            failed = Some(error);
            anyhow!("what was read could not be handed on")
        })
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(read.err()),
    }
}

/// Why reading ends where somebody asked for it.
const STOPPED: &str = "reading was stopped";

fn read(path: &Path, reading: &Reading, each: &mut EachMessage<'_>) -> Result<()> {
    let cannot_read = || format!("cannot read {}", path.display());
    let file = open(path)?;
    let (kind, mut reader) = look(Counted { file, reading }).with_context(cannot_read)?;
    let place = Place {
        path,
        limits: reading.limits,
    };
    match kind {
        Kind::Gzip => unpacked(place, MultiGzDecoder::new(reader), each),
        Kind::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(reader).with_context(cannot_read)?;
            decoder
                .window_log_max(ZSTD_WINDOW_LOG)
                .with_context(cannot_read)?;
            unpacked(place, decoder, each)
        }
        Kind::Avro | Kind::Text | Kind::Utf16(_) | Kind::Foreign(_) => {
            content(place, kind, &mut reader, each)
        }
    }
}

/// The file at `path`, which is opened only if that cannot wait for somebody else. It ends where it
/// ends now: some files of the system have no length, and no end.
fn open(path: &Path) -> Result<Take<File>> {
    let cannot_open = || format!("cannot open {}; does it exist?", path.display());
    let kind = fs::metadata(path).with_context(cannot_open)?;
    ensure!(
        kind.is_file(),
        "{} is not a regular file; only those are read",
        path.display()
    );
    let file = File::open(path).with_context(cannot_open)?;
    let length = file.metadata().with_context(cannot_open)?.len();
    Ok(file.take(length))
}

/// What is read, and how much of it at a time.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a Path,
    limits: Limits,
}

fn unpacked(place: Place<'_>, reader: impl Read, each: &mut EachMessage<'_>) -> Result<()> {
    let path = place.path.display();
    let (kind, mut reader) = look(reader).with_context(|| format!("cannot read {path}"))?;
    match kind {
        Kind::Gzip | Kind::Zstd => bail!("{path} is packed twice; unpack it once"),
        Kind::Avro | Kind::Text | Kind::Utf16(_) | Kind::Foreign(_) => {
            content(place, kind, &mut reader, each)
        }
    }
}

/// The messages of what is not packed.
fn content(
    place: Place<'_>,
    kind: Kind,
    reader: &mut dyn BufRead,
    each: &mut EachMessage<'_>,
) -> Result<()> {
    match kind {
        Kind::Avro => capture::messages(place, reader, each),
        Kind::Utf16(order) => {
            let text = Utf16::new(reader, order);
            let mut reader = BufReader::with_capacity(BUFFER_BYTES, text);
            lines::messages(place, &mut reader, each)
        }
        Kind::Text | Kind::Gzip | Kind::Zstd => lines::messages(place, reader, each),
        Kind::Foreign(foreign) => bail!(
            "{} is {}, which is not read; {}",
            place.path.display(),
            foreign.name,
            foreign.hint
        ),
    }
}

/// What `reader` begins with, and all that it has.
fn look(reader: impl Read) -> io::Result<(Kind, impl BufRead)> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, reader);
    let mut head = Vec::new();
    let looked = (&mut reader).take(Kind::HEAD_BYTES).read_to_end(&mut head);
    let failed = match looked {
        Err(error) if head.is_empty() => return Err(error),
        Err(error) => Some(error),
        Ok(_) => None,
    };
    let kind = Kind::of(&head);
    let looked_at = LookedAt {
        head: Cursor::new(head),
        failed,
        reader,
    };
    Ok((kind, looked_at))
}

/// What was looked at already, and then the rest.
struct LookedAt<R> {
    head: Cursor<Vec<u8>>,
    /// How looking ended.
    failed: Option<io::Error>,
    reader: R,
}

impl<R> LookedAt<R> {
    fn is_in_head(&self) -> bool {
        self.head.position() < self.head.get_ref().len() as u64
    }
}

impl<R: BufRead> BufRead for LookedAt<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.is_in_head() {
            return self.head.fill_buf();
        }
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.reader.fill_buf(),
        }
    }

    fn consume(&mut self, bytes: usize) {
        match self.is_in_head() {
            true => self.head.consume(bytes),
            false => self.reader.consume(bytes),
        }
    }
}

impl<R: BufRead> Read for LookedAt<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.fill_buf()?.read(buffer)?;
        self.consume(taken);
        Ok(taken)
    }
}

/// A file that counts what is read of it, and ends when reading is stopped.
struct Counted<'a> {
    file: Take<File>,
    reading: &'a Reading,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.reading.stopped() {
            return Err(io::Error::other(STOPPED));
        }
        let bytes = self.file.read(buffer)?;
        self.reading.read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}
