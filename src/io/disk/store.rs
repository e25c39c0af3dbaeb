//! The state on disk: one RocksDB for all matches partitions of a process.
//!
//! A row's key is the partition (four bytes, big endian) and the state's own key. The row
//! [`FORMAT_ROW`] says what the store holds; a store of anything else is thrown away, since the
//! log can always be folded again.
//!
//! Writes go through RocksDB's log without a sync: a killed process loses nothing, a power
//! failure the last moments, which are folded again.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use rocksdb::{
    BlockBasedOptions, Cache, DB, Direction, ErrorKind, IngestExternalFileOptions, IteratorMode,
    Options, ReadOptions, SstFileWriter, WriteBatch, WriteBufferManager, WriteOptions,
};

use crate::bytes::Unreadable;
use crate::escape;
use crate::fold::partition::Partition;
use crate::fold::state::{Change, Read};

/// Raised when rows are laid out in another way.
const FORMAT: u32 = 1;

/// So many changes of one partition are written to a file of their own.
const FILE_CHANGES_MIN: usize = 10_000;

/// Before the name of each row stands its partition, in so many bytes.
const PARTITION_BYTES: usize = 4;

/// Beyond the rows of every partition.
const FORMAT_ROW: &[u8] = b"\xff\xff\xff\xffformat";

/// Whose fold a store holds: offsets of another application or cluster mean nothing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The application.
    pub app: String,
    /// The cluster's id; `None`: its brokers have none.
    pub cluster: Option<String>,
}

/// What is to be done with a store that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    /// It is ours.
    Ours,
    /// It is ours, and does not say so yet.
    Unclaimed,
    /// It is of no use here: why.
    Useless(String),
    /// Nobody can tell: why.
    Unknown(String),
}

impl Owner {
    fn row(&self) -> String {
        let cluster = self.cluster.as_deref().unwrap_or_default();
        format!("{FORMAT}\n{}\n{cluster}", self.app)
    }

    /// What a store is to this owner that has `row` in its first place.
    fn judge(&self, row: &[u8]) -> Found {
        let row = String::from_utf8_lossy(row);
        let mut lines = row.splitn(3, '\n');
        let mut next = || lines.next().unwrap_or_default().to_owned();
        let (format, app, cluster) = (next(), next(), next());
        if format != FORMAT.to_string() {
            let format = escape::quoted(&format);
            return Found::Useless(format!(
                "it is of format {format}, and this version writes {FORMAT}"
            ));
        }
        if app != self.app {
            let app = escape::quoted(&app);
            return Found::Useless(format!("it is of the application {app}"));
        }
        match &self.cluster {
            _ if cluster == self.cluster.as_deref().unwrap_or_default() => Found::Ours,
            Some(_) if cluster.is_empty() => Found::Unclaimed,
            Some(ours) => Found::Useless(format!(
                "it is of cluster {}, and this is {}",
                escape::quoted(&cluster),
                escape::quoted(ours)
            )),
            None => Found::Unknown(format!(
                "it is of cluster {}, and the brokers do not say which theirs is",
                escape::quoted(&cluster)
            )),
        }
    }
}

/// How much memory the store may take.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// For blocks read, with their indexes and filters.
    pub block_cache_bytes: usize,
    /// For what is not yet in files. Not charged to the cache, which it would starve.
    pub write_buffer_bytes: usize,
}

/// Takes the key and the value of a row.
pub type EachRow<'a> = dyn FnMut(&[u8], &[u8]) -> Result<()> + 'a;

/// The state of all matches partitions.
pub struct Store {
    db: DB,
    path: PathBuf,
}

impl Store {
    /// Opens the store at `path`, made if it is missing. `owner` names the log whose fold it
    /// holds; a store that is known to be another owner's, of another format or beyond repair is
    /// made anew.
    ///
    /// # Errors
    ///
    /// Another process has it open, the disk fails, or nobody can tell whose it is.
    pub fn open(path: &Path, owner: &Owner, budget: Budget) -> Result<Store> {
        std::fs::create_dir_all(path)
            .with_context(|| format!("the state directory {} cannot be made", path.display()))?;
        match Store::open_db(path, budget) {
            Ok(store) => match store.found(owner) {
                Ok(Found::Ours) => return Ok(store),
                Ok(Found::Unclaimed) => return store.claim(owner),
                Ok(Found::Useless(why)) => tracing::warn!(
                    path = %path.display(),
                    reason = why,
                    "the state on disk is dropped and made anew from the log"
                ),
                Ok(Found::Unknown(why)) => bail!(
                    "the state at {} cannot be used: {why}. If it is not the same cluster, \
                     delete that directory and start again: the state is made anew from the log",
                    path.display()
                ),
                Err(error) => log_damage(path, &error),
            },
            Err(error) if error.kind() == ErrorKind::Corruption => log_damage(path, &error),
            Err(error) => return Err(explain(path, &error)),
        }
        DB::destroy(&Options::default(), path).map_err(|error| explain(path, &error))?;
        let store = Store::open_db(path, budget).map_err(|error| explain(path, &error))?;
        store.claim(owner)
    }

    /// What the store is to this owner.
    fn found(&self, owner: &Owner) -> Result<Found, rocksdb::Error> {
        Ok(match self.db.get(FORMAT_ROW)? {
            Some(row) => owner.judge(&row),
            None if self.is_empty() => Found::Unclaimed,
            None => Found::Useless("it does not say what it holds".to_owned()),
        })
    }

    fn open_db(path: &Path, budget: Budget) -> Result<Store, rocksdb::Error> {
        let db = DB::open(&options(budget), path)?;
        Ok(Store {
            db,
            path: path.to_owned(),
        })
    }

    fn claim(self, owner: &Owner) -> Result<Store> {
        self.db
            .put(FORMAT_ROW, owner.row())
            .map_err(|error| explain(&self.path, &error))?;
        Ok(self)
    }

    fn is_empty(&self) -> bool {
        self.db.iterator(IteratorMode::Start).next().is_none()
    }

    /// One row of a partition.
    pub fn get(&self, partition: u32, row: &[u8]) -> Result<Option<Vec<u8>>> {
        self.db
            .get(key(partition, row))
            .map_err(|error| explain(&self.path, &error))
    }

    /// Hands all rows of a partition with `from <= row < to` to `each`, in order.
    pub fn range(
        &self,
        partition: u32,
        from: &[u8],
        to: &[u8],
        each: &mut EachRow<'_>,
    ) -> Result<()> {
        self.range_of(partition, from, to, usize::MAX, each)
    }

    /// The same with so many rows at most.
    fn range_of(
        &self,
        partition: u32,
        from: &[u8],
        to: &[u8],
        most: usize,
        each: &mut EachRow<'_>,
    ) -> Result<()> {
        let start = key(partition, from);
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(key(partition, to));
        let mode = IteratorMode::From(&start, Direction::Forward);
        for row in self.db.iterator_opt(mode, options).take(most) {
            let (key, value) = row.map_err(|error| explain(&self.path, &error))?;
            each(key.get(PARTITION_BYTES..).unwrap_or_default(), &value)?;
        }
        Ok(())
    }

    /// Hands a partition, the one of this number, the rows that it wants.
    pub fn load(&self, number: u32, partition: &mut Partition, wanted: &[Read]) -> Result<()> {
        let mut take = |row: &[u8], value: &[u8]| {
            partition
                .load(row, value)
                .map_err(|Unreadable| damaged(&self.path, "a row cannot be read"))
        };
        for read in wanted {
            match read {
                Read::Row(row) => {
                    if let Some(value) = self.get(number, row)? {
                        take(row, &value)?;
                    }
                }
                Read::Range { from, to, most } => {
                    self.range_of(number, from, to, *most, &mut take)?;
                }
            }
        }
        Ok(())
    }

    /// Writes the changes of several partitions: all of them, or on a failure none.
    pub fn write(&self, changes: &[(u32, Vec<Change>)]) -> Result<()> {
        let mut batch = WriteBatch::default();
        for (partition, changes) in changes {
            for (row, value) in changes {
                match value {
                    Some(value) => batch.put(key(*partition, row), value),
                    None => batch.delete(key(*partition, row)),
                }
            }
        }
        self.apply(batch)
    }

    /// Writes the changes of one partition, in the order of their rows, like [`Store::write`]. Many
    /// of them become a file of the store at once, without its log, its memory, and the merging of
    /// what comes from there.
    pub fn write_much(
        &self,
        partition: u32,
        mut changes: impl Iterator<Item = Change>,
    ) -> Result<()> {
        let first: Vec<Change> = changes.by_ref().take(FILE_CHANGES_MIN).collect();
        if first.len() < FILE_CHANGES_MIN {
            return self.write(&[(partition, first)]);
        }
        let path = self.path.join(format!("changes-{partition}.sst"));
        let rows = first.into_iter().chain(changes);
        let added = write_file(&path, partition, rows).and_then(|()| {
            let mut options = IngestExternalFileOptions::default();
            options.set_move_files(true);
            self.db.ingest_external_file_opts(&options, vec![&path])
        });
        added.map_err(|error| {
            // What is left of it would only take room.
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::debug!(path = %path.display(), %error, "nothing to remove");
            }
            explain(&self.path, &error)
        })
    }

    /// Removes all rows of a partition.
    pub fn drop_partition(&self, partition: u32) -> Result<()> {
        // What says that rows are gone would lie over those that come.
        if !self.has_rows(partition)? {
            return Ok(());
        }
        let mut batch = WriteBatch::default();
        batch.delete_range(key(partition, b""), key(partition + 1, b""));
        self.apply(batch)
    }

    fn has_rows(&self, partition: u32) -> Result<bool> {
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(key(partition + 1, b""));
        let start = key(partition, b"");
        let mode = IteratorMode::From(&start, Direction::Forward);
        let first = self.db.iterator_opt(mode, options).next().transpose();
        first
            .map(|row| row.is_some())
            .map_err(|error| explain(&self.path, &error))
    }

    fn apply(&self, batch: WriteBatch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        self.db
            .write_opt(batch, &WriteOptions::default())
            .map_err(|error| explain(&self.path, &error))
    }
}

fn key(partition: u32, row: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(PARTITION_BYTES + row.len());
    key.extend_from_slice(&partition.to_be_bytes());
    key.extend_from_slice(row);
    key
}

/// Writes a file of the store that has `rows` of a partition, in order; `None`: there is none any
/// more.
fn write_file(
    path: &Path,
    partition: u32,
    rows: impl Iterator<Item = Change>,
) -> Result<(), rocksdb::Error> {
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks());
    let mut file = SstFileWriter::create(&options);
    file.open(path)?;
    let mut name = key(partition, b"");
    for (row, value) in rows {
        name.truncate(PARTITION_BYTES);
        name.extend_from_slice(&row);
        match value {
            Some(value) => file.put(&name, value)?,
            None => file.delete(&name)?,
        }
    }
    file.finish()
}

fn blocks() -> BlockBasedOptions {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_bloom_filter(10.0, false);
    blocks
}

fn options(budget: Budget) -> Options {
    let cache = Cache::new_lru_cache(budget.block_cache_bytes);
    let mut blocks = blocks();
    blocks.set_block_cache(&cache);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_block_based_table_factory(&blocks);
    options.set_write_buffer_manager(&WriteBufferManager::new_write_buffer_manager(
        budget.write_buffer_bytes,
        false,
    ));
    options.set_write_buffer_size(budget.write_buffer_bytes / 2);
    options.set_max_total_wal_size(4 * budget.write_buffer_bytes as u64);
    options.set_max_background_jobs(2);
    options.set_max_open_files(256);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(4 << 20);
    options
}

fn log_damage(path: &Path, error: &rocksdb::Error) {
    tracing::warn!(
        path = %path.display(),
        %error,
        "the state on disk is damaged; it is dropped and made anew from the log"
    );
}

/// What a failure of the store means to the operator.
fn explain(path: &Path, error: &rocksdb::Error) -> anyhow::Error {
    let text = error.to_string();
    let shown = path.display();
    if text.contains("No space left on device") {
        anyhow!(
            "the disk is full: the state at {shown} cannot be written ({text}). Nothing is lost: \
             make room and start again"
        )
    } else if text.contains("LOCK") || text.contains("lock hold by") {
        anyhow!(
            "the state at {shown} is in use by another process: give every worker a state_dir of \
             its own ({text})"
        )
    } else if error.kind() == ErrorKind::Corruption {
        damaged(path, &text)
    } else {
        anyhow!("the state at {shown} failed: {text}")
    }
}

fn damaged(path: &Path, what: &str) -> anyhow::Error {
    anyhow!(
        "the state at {} is damaged ({what}). Delete that directory and start again: the state is \
         made anew from the log",
        path.display()
    )
}
