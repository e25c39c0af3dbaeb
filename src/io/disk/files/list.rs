//! Which files are read: of what was named, and of directories.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// What is read of a directory, in words.
const NAMES: &str = ".json, .ndjson, .jsonl or .avro, or so with .gz or .zst behind";

/// So many files are named in a note; of more only the number is said.
const NAMED_MAX: usize = 20;

/// The files to read, and what else was there.
#[derive(Debug, Default)]
pub struct Listing {
    /// Regular files, each once.
    pub files: Vec<PathBuf>,
    /// What is not read though it was named or has the name of an archive, and why.
    pub passed_over: Vec<String>,
    /// Files that are read under another name, and which.
    pub repeated: Vec<String>,
    /// How many other files directories have, whose names are not those of archives, and the first.
    others: Option<(u64, PathBuf)>,
    /// By device and inode: the place among the files.
    known: HashMap<(u64, u64), usize>,
}

/// The files that `paths` name: themselves, and of directories, with their subdirectories, all
/// whose names are those of archives, sorted by path. Only regular files, and each once, whatever
/// its names. A directory that a link within another one leads to is passed over, so that no
/// circle is walked.
///
/// # Errors
///
/// A path does not exist, or a directory that is named cannot be listed.
pub fn list(paths: &[PathBuf]) -> Result<Listing> {
    let mut listing = Listing::default();
    for path in paths {
        let kind = fs::metadata(path)
            .with_context(|| format!("cannot read {}; does it exist?", path.display()))?;
        match kind.is_dir() {
            true => listing.add_directory(path)?,
            false => listing.add(path, &kind),
        }
    }
    Ok(listing)
}

impl Listing {
    /// What must be known of it to trust what follows, a line each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = note("passed over", self.passed_over.len(), &self.passed_over);
        let repeated = self.repeated.len();
        notes.extend(note("named again, and read once", repeated, &self.repeated));
        notes
    }

    /// There is something to read, and with `strict` nothing was passed over.
    ///
    /// # Errors
    ///
    /// It is not so.
    pub fn check(&self, strict: bool) -> Result<()> {
        if let (true, Some(first)) = (strict, self.passed_over.first()) {
            bail!("--strict: a file is passed over: {first}");
        }
        if !self.files.is_empty() {
            return Ok(());
        }
        let passed_over = self.passed_over.iter().take(NAMED_MAX);
        let passed_over: String = passed_over
            .map(|one| format!("; passed over: {one}"))
            .collect();
        let others = match &self.others {
            Some((1, path)) => format!("; another name has {}", path.display()),
            Some((count, path)) => {
                format!(
                    "; other names have {count} files, such as {}",
                    path.display()
                )
            }
            None => String::new(),
        };
        bail!(
            "nothing to read: of directories all regular files are read that are called {NAMES}; \
             there is none{others}{passed_over}"
        )
    }

    fn add_directory(&mut self, directory: &Path) -> Result<()> {
        // What is still to be looked at, the next one last.
        let mut left = entries(directory)
            .with_context(|| format!("cannot list the directory {}", directory.display()))?;
        while let Some(path) = left.pop() {
            match fs::symlink_metadata(&path) {
                Ok(kind) if kind.is_dir() => match entries(&path) {
                    Ok(entries) => left.extend(entries),
                    Err(error) => self.pass_over(&path, &format!("cannot be listed: {error}")),
                },
                Ok(kind) if kind.is_symlink() => self.add_link(&path),
                Ok(kind) if has_name_of_archive(&path) => self.add(&path, &kind),
                Ok(_) => {
                    let (count, _) = self.others.get_or_insert((0, path));
                    *count += 1;
                }
                Err(error) => self.pass_over(&path, &error.to_string()),
            }
        }
        Ok(())
    }

    /// A link in a directory: what it leads to is read if it is a file.
    fn add_link(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(kind) if kind.is_dir() => self.pass_over(
                path,
                "a link to a directory; name the directory itself to read it",
            ),
            Ok(kind) if has_name_of_archive(path) => self.add(path, &kind),
            Err(error) if has_name_of_archive(path) => {
                self.pass_over(path, &format!("a link that leads nowhere: {error}"));
            }
            Ok(_) | Err(_) => (),
        }
    }

    /// Something that is no directory.
    fn add(&mut self, path: &Path, kind: &Metadata) {
        if !kind.is_file() {
            self.pass_over(
                path,
                &format!("{}; only regular files are read", what(kind)),
            );
            return;
        }
        let place = *self
            .known
            .entry((kind.dev(), kind.ino()))
            .or_insert(self.files.len());
        match self.files.get(place) {
            Some(first) => self.repeated.push(format!(
                "{} is the same file as {}",
                path.display(),
                first.display()
            )),
            None => self.files.push(path.to_owned()),
        }
    }

    fn pass_over(&mut self, path: &Path, why: &str) {
        self.passed_over.push(format!("{}: {why}", path.display()));
    }
}

/// How many files of which something is to be said, and the first of them.
pub fn note<T: AsRef<str>>(what: &str, count: usize, named: &[T]) -> Vec<String> {
    let mut lines = match count {
        0 => return Vec::new(),
        1 => vec![format!("1 file was {what}:")],
        _ => vec![format!("{count} files were {what}:")],
    };
    let named = named.iter().take(NAMED_MAX);
    lines.extend(named.map(|one| format!("  {}", one.as_ref())));
    if count + 1 > lines.len() {
        lines.push(format!("  and {} more", count + 1 - lines.len()));
    }
    lines
}

/// What something is that is neither a file nor a directory.
fn what(kind: &Metadata) -> &'static str {
    let kind = kind.file_type();
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// What is in a directory, the first by name last.
fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries: Vec<_> = fs::read_dir(directory)?.collect::<io::Result<_>>()?;
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
    Ok(entries.iter().map(fs::DirEntry::path).collect())
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
