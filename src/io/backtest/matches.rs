//! The matches of a backtest, brought into order: by key, and within a key by event time.
//!
//! They stay in memory up to a limit. Each time it is reached they become a sorted file of a
//! RocksDB in a temporary directory, which nothing merges: reading it does that once, at the end.

use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context as _, Result, anyhow};
use rocksdb::{
    DB, Direction, IngestExternalFileOptions, IteratorMode, Options, ReadOptions, SstFileWriter,
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::bytes::{self, Unreadable};
use crate::fold::key::pane::Origin;
use crate::io::disk::files::Identity;
use crate::io::kafka::client::lock;
use crate::matches::{self, MatchedRecord};
use crate::record::{Hash, Position};

/// Parts of the key space, by the first byte of a row's key.
pub const PARTS: u16 = 256;

/// Bytes of a [`RowKey`] that all rows of one rule and join key share.
pub const PREFIX_BYTES: usize = 20;

/// Bytes of a [`RowKey`] that the rows of copies of a record share, too.
const COPY_BYTES: usize = 44;

/// Bytes behind them, of the stream that a copy was read in.
const STREAM_BYTES: usize = 8;

/// Hash of the join key, place of the rule, event time, identity of the record, its stream, and
/// where it was read: no two matches have the same, and copies follow each other.
pub type RowKey = [u8; 76];

/// What an entry of memory takes beside its value.
const ROW_BYTES: usize = size_of::<Row>() + 16;

/// Version byte of a row's value; it never outlives the process.
const VALUE: u8 = 0;

/// One rule's match of one record.
pub struct Row {
    key: RowKey,
    value: Box<[u8]>,
}

/// What a row holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Matched {
    /// The place of the input's name.
    topic: u32,
    partition: u32,
    /// With one match, that of the row.
    pub record: MatchedRecord,
}

impl Matched {
    /// Where the record was read.
    pub fn origin(&self) -> Origin {
        Origin {
            topic: self.topic,
            partition: self.partition,
        }
    }
}

/// Takes the key and the value of a row.
pub type EachRow<'a> = dyn FnMut(&[u8], &[u8]) -> Result<()> + 'a;

/// Where a record was read, and what tells its copies.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// Where.
    pub origin: Origin,
    /// `None`: it has no copies.
    pub identity: Option<Identity>,
}

/// The rows of a record that matched, one for each of its matches. `fingerprints`: of the plan's
/// rules, by their place.
pub fn rows(mut record: MatchedRecord, read: Read, fingerprints: &[Hash]) -> Vec<Row> {
    let matches = std::mem::take(&mut record.matches);
    let mut rows = Vec::with_capacity(matches.len());
    let mut matched = Matched {
        topic: read.origin.topic,
        partition: read.origin.partition,
        record,
    };
    for found in matches {
        let Some(fingerprint) = fingerprints.get(found.rule as usize) else {
            continue;
        };
        let hash = matches::key_hash(*fingerprint, &found.key);
        let key = row_key(hash, found.rule, read.identity, &matched);
        matched.record.matches = vec![found];
        rows.push(Row {
            key,
            value: bytes::to_bytes(VALUE, &matched).into_boxed_slice(),
        });
    }
    rows
}

fn row_key(hash: Hash, rule: u32, identity: Option<Identity>, matched: &Matched) -> RowKey {
    let Position {
        epoch,
        offset,
        index,
    } = matched.record.position;
    let mut key = [0; size_of::<RowKey>()];
    let mut rest = &mut key[..];
    let mut put = |bytes: &[u8]| {
        if let Some((place, after)) = std::mem::take(&mut rest).split_at_mut_checked(bytes.len()) {
            place.copy_from_slice(bytes);
            rest = after;
        }
    };
    put(&hash.0);
    put(&rule.to_be_bytes());
    put(&in_order(matched.record.time));
    put(&identity.map_or([0; 16], |identity| identity.record.0));
    put(&identity.map_or(0, |identity| identity.stream).to_be_bytes());
    put(&matched.topic.to_be_bytes());
    put(&matched.partition.to_be_bytes());
    put(&epoch.to_be_bytes());
    put(&in_order(offset));
    put(&index.to_be_bytes());
    key
}

/// Bytes in the order of the numbers, negative ones first.
fn in_order(number: i64) -> [u8; 8] {
    (number ^ i64::MIN).to_be_bytes()
}

/// What of a row's key tells whether the next one is of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyKey {
    record: [u8; COPY_BYTES],
    stream: [u8; STREAM_BYTES],
}

impl CopyKey {
    /// That of a row; `None`: it has no copies.
    pub fn of(key: &[u8]) -> Option<CopyKey> {
        let (record, rest) = key.split_first_chunk::<COPY_BYTES>()?;
        let identity = record.get(PREFIX_BYTES + 8..)?;
        let has_copies = identity.iter().any(|byte| *byte != 0);
        has_copies.then_some(CopyKey {
            record: *record,
            stream: *rest.first_chunk()?,
        })
    }

    /// Whether the row is of a copy of the one before, which has this key. Where one was read in an
    /// unknown stream, it may be any.
    pub fn is_copy_of(&self, before: &CopyKey) -> bool {
        let unknown = [0; STREAM_BYTES];
        self.record == before.record && (self.stream == before.stream || before.stream == unknown)
    }
}

/// The rule's place in a row's key.
pub fn rule_of(key: &[u8]) -> Option<u32> {
    let bytes = key.get(16..PREFIX_BYTES)?;
    bytes.try_into().ok().map(u32::from_be_bytes)
}

/// What a row's value holds.
///
/// # Errors
///
/// The disk gave back something else than was written.
pub fn read(value: &[u8]) -> Result<Matched> {
    bytes::from_bytes(VALUE, value)
        .map_err(|Unreadable| anyhow!("a match that was kept on disk cannot be read again"))
}

/// Matches as they are found.
pub struct Matches<'p> {
    /// By the first byte of their keys.
    parts: Vec<Vec<Row>>,
    bytes: usize,
    bytes_max: usize,
    folder: &'p Path,
    disk: Option<Disk>,
}

impl<'p> Matches<'p> {
    /// None yet. Beyond `bytes_max` bytes they go into a directory made in `folder`.
    pub fn new(bytes_max: usize, folder: &'p Path) -> Matches<'p> {
        Matches {
            parts: (0..PARTS).map(|_| Vec::new()).collect(),
            bytes: 0,
            bytes_max,
            folder,
            disk: None,
        }
    }

    /// Adds some.
    ///
    /// # Errors
    ///
    /// The disk does not take what memory cannot hold.
    pub fn add(&mut self, rows: Vec<Row>) -> Result<()> {
        for row in rows {
            self.bytes += ROW_BYTES + row.value.len();
            let [first, ..] = row.key;
            if let Some(part) = self.parts.get_mut(usize::from(first)) {
                part.push(row);
            }
        }
        if self.bytes > self.bytes_max {
            self.write_out()?;
        }
        Ok(())
    }

    fn write_out(&mut self) -> Result<()> {
        let disk = match self.disk.take() {
            Some(disk) => disk,
            None => Disk::new(self.folder)?,
        };
        let disk = self.disk.insert(disk);
        disk.add(&mut self.parts)?;
        self.bytes = 0;
        Ok(())
    }

    /// All of them, to be read in order.
    ///
    /// # Errors
    ///
    /// The disk does not take the last ones.
    pub fn finish(mut self) -> Result<Ordered> {
        if self.disk.is_some() {
            self.write_out()?;
        }
        Ok(match self.disk {
            Some(disk) => Ordered::OnDisk(disk),
            None => Ordered::InMemory(self.parts.into_iter().map(Mutex::new).collect()),
        })
    }
}

/// All matches of a backtest, to be read part by part.
pub enum Ordered {
    /// Each part is sorted when it is read.
    InMemory(Vec<Mutex<Vec<Row>>>),
    /// In sorted files.
    OnDisk(Disk),
}

impl Ordered {
    /// Whether memory was not enough.
    pub fn is_on_disk(&self) -> bool {
        matches!(self, Ordered::OnDisk(_))
    }

    /// Hands the rows of a part to `each`, in the order of their keys. Memory is given back: a
    /// part is read once.
    pub fn each_of(&self, part: u8, each: &mut EachRow<'_>) -> Result<()> {
        match self {
            Ordered::InMemory(parts) => {
                let Some(rows) = parts.get(usize::from(part)) else {
                    return Ok(());
                };
                let mut rows = std::mem::take(&mut *lock(rows));
                rows.sort_unstable_by_key(|row| row.key);
                rows.into_iter()
                    .try_for_each(|row| each(&row.key, &row.value))
            }
            Ordered::OnDisk(disk) => disk.each_of(part, each),
        }
    }
}

/// Sorted files of matches; they are deleted when it goes away.
pub struct Disk {
    // Closed before its directory is deleted.
    db: DB,
    folder: TempDir,
    files: u64,
}

impl Disk {
    fn new(folder: &Path) -> Result<Disk> {
        let cannot = || {
            format!(
                "cannot keep matches in {}; name another directory with --temp-dir, or give more \
                 --memory",
                folder.display()
            )
        };
        let folder = tempfile::Builder::new()
            .prefix("watchfire-backtest-")
            .tempdir_in(folder)
            .with_context(cannot)?;
        let mut options = Options::default();
        options.create_if_missing(true);
        // Files are written sorted, and read once: merging them in between would be for nothing.
        options.set_disable_auto_compactions(true);
        options.set_level_zero_slowdown_writes_trigger(i32::MAX);
        options.set_level_zero_stop_writes_trigger(i32::MAX);
        let db = DB::open(&options, folder.path().join("matches")).with_context(cannot)?;
        Ok(Disk {
            db,
            folder,
            files: 0,
        })
    }

    /// Moves all rows into a file.
    fn add(&mut self, parts: &mut [Vec<Row>]) -> Result<()> {
        if parts.iter().all(Vec::is_empty) {
            return Ok(());
        }
        self.files += 1;
        let path = self.folder.path().join(format!("{}.sst", self.files));
        let cannot = || {
            format!(
                "cannot write matches to {}; is the disk full? --temp-dir names another directory",
                path.display()
            )
        };
        let options = Options::default();
        let mut file = SstFileWriter::create(&options);
        file.open(&path).with_context(cannot)?;
        for part in parts {
            let mut rows = std::mem::take(part);
            rows.sort_unstable_by_key(|row| row.key);
            for row in rows {
                file.put(row.key, &row.value).with_context(cannot)?;
            }
        }
        file.finish().with_context(cannot)?;
        let mut ingest = IngestExternalFileOptions::default();
        ingest.set_move_files(true);
        let files = vec![&path];
        self.db
            .ingest_external_file_opts(&ingest, files)
            .with_context(cannot)
    }

    fn each_of(&self, part: u8, each: &mut EachRow<'_>) -> Result<()> {
        let Range { start, end } = range_of(part);
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_readahead_size(READ_AHEAD_BYTES);
        if let Some(end) = end.first() {
            options.set_iterate_upper_bound(vec![*end]);
        }
        let mode = IteratorMode::From(&start, Direction::Forward);
        for row in self.db.iterator_opt(mode, options) {
            let (key, value) = row.context("cannot read matches again that were kept on disk")?;
            each(&key, &value)?;
        }
        Ok(())
    }
}

/// Of each file; with hundreds of files still little.
const READ_AHEAD_BYTES: usize = 256 << 10;

/// The keys of a part; without an end for the last.
fn range_of(part: u8) -> Range<Vec<u8>> {
    vec![part]..part.checked_add(1).map_or(Vec::new(), |next| vec![next])
}
