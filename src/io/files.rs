//! Messages out of files: archives of topics, exports, blobs, captured payloads.
//!
//! A file is text (lines, or one document) or an Avro container of Event Hubs Capture, and either
//! may be packed. Its first bytes say which, not its name: files are renamed, unpacked on the way
//! by whatever serves them, and Azure writes lines into files called `.json`.

mod lines;

mod container;

mod capture;

#[cfg(test)]
pub(crate) mod tests;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use flate2::bufread::MultiGzDecoder;

use crate::time::Millis;

/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 1 << 18;

/// One message of a file.
pub struct Message<'a> {
    /// The file it is in.
    pub path: &'a Path,
    /// From 0: the line it begins at, or in a container which record it is.
    pub line: u64,
    /// When the hub took it, if the file says so.
    pub timestamp: Option<Millis>,
    /// Without the end of the line.
    pub bytes: &'a [u8],
}

/// What a file is, or what was packed in it.
#[derive(Clone, Copy)]
enum Kind {
    Gzip,
    Zstd,
    Avro,
    Text,
}

impl Kind {
    /// So many bytes tell.
    const HEAD_BYTES: u64 = 4;

    fn of(head: &[u8]) -> Kind {
        match head {
            [0x1F, 0x8B, ..] => Kind::Gzip,
            // A frame, or one of those to be skipped, which some packers begin with.
            [0x28, 0xB5, 0x2F, 0xFD] | [0x50..=0x5F, 0x2A, 0x4D, 0x18] => Kind::Zstd,
            [b'O', b'b', b'j', 1] => Kind::Avro,
            _ => Kind::Text,
        }
    }
}

/// The files that `paths` name: themselves, and of directories, with their subdirectories, all
/// whose names are those of archives, sorted by path.
///
/// # Errors
///
/// A path does not exist, or a directory cannot be listed.
pub fn list(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let kind = fs::metadata(path)
            .with_context(|| format!("cannot read {}; does it exist?", path.display()))?;
        if kind.is_dir() {
            list_directory(path, &mut files)?;
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn list_directory(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let cannot_list = || format!("cannot list the directory {}", directory.display());
    let mut entries = fs::read_dir(directory)
        .and_then(|entries| entries.collect::<io::Result<Vec<_>>>())
        .with_context(cannot_list)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            list_directory(&path, files)?;
        } else if has_name_of_archive(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn has_name_of_archive(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let unpacked = [".gz", ".zst"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending));
    let name = unpacked.unwrap_or(&name);
    [".json", ".ndjson", ".jsonl", ".avro"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Calls `each` for every message of the file at `path`, in order. Of lines one is in memory at a
/// time, of a container one block. Bytes of the file itself, as it is packed, are added to
/// `bytes_read` while they are read.
///
/// # Errors
///
/// The file cannot be read, is damaged, or is an Avro container not of Event Hubs Capture; or
/// `each` fails, which ends the reading.
pub fn messages(
    path: &Path,
    bytes_read: &AtomicU64,
    each: &mut dyn FnMut(Message<'_>) -> Result<()>,
) -> Result<()> {
    let file = File::open(path)
        .with_context(|| format!("cannot open {}; does it exist?", path.display()))?;
    let cannot_read = || format!("cannot read {}", path.display());
    let (kind, mut reader) = look(Counted { file, bytes_read }).with_context(cannot_read)?;
    match kind {
        Kind::Gzip => unpacked(path, MultiGzDecoder::new(reader), each),
        Kind::Zstd => {
            let decoder = zstd::Decoder::with_buffer(reader).with_context(cannot_read)?;
            unpacked(path, decoder, each)
        }
        Kind::Avro => capture::messages(path, &mut reader, each),
        Kind::Text => lines::messages(path, &mut reader, each),
    }
}

fn unpacked(
    path: &Path,
    reader: impl Read,
    each: &mut dyn FnMut(Message<'_>) -> Result<()>,
) -> Result<()> {
    let (kind, mut reader) =
        look(reader).with_context(|| format!("cannot read {}", path.display()))?;
    match kind {
        Kind::Gzip | Kind::Zstd => bail!("{} is packed twice; unpack it once", path.display()),
        Kind::Avro => capture::messages(path, &mut reader, each),
        Kind::Text => lines::messages(path, &mut reader, each),
    }
}

/// What `reader` begins with, and all that it has.
fn look(reader: impl Read) -> io::Result<(Kind, impl BufRead)> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, reader);
    let mut head = Vec::new();
    reader
        .by_ref()
        .take(Kind::HEAD_BYTES)
        .read_to_end(&mut head)?;
    Ok((Kind::of(&head), Cursor::new(head).chain(reader)))
}

/// A file that counts what is read of it.
struct Counted<'a> {
    file: File,
    bytes_read: &'a AtomicU64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        self.bytes_read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}
