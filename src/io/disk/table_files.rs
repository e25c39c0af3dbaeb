//! Files of tables, which are large: each is read once, and again when it is another one.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::rule::tables::{TABLE_BYTES_MAX, TableFile};

/// By what a file is told from the one that was at its path before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The tables that were read.
#[derive(Debug, Default)]
pub struct TableFiles {
    known: BTreeMap<PathBuf, (Stamp, TableFile)>,
}

impl TableFiles {
    /// The tables of these files; others are forgotten.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn read(&mut self, mut paths: Vec<PathBuf>) -> Result<Vec<TableFile>> {
        paths.sort();
        paths.dedup();
        let mut known = std::mem::take(&mut self.known);
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let place = || format!("tables: {}", path.display());
            let stamp = Stamp::of(&fs::metadata(&path).with_context(place)?);
            let before = known.remove(&path).filter(|(before, _)| *before == stamp);
            let file = match before {
                Some((_, file)) => file,
                None => TableFile::of(&path.display().to_string(), bytes(&path)?),
            };
            files.push(file.clone());
            self.known.insert(path, (stamp, file));
        }
        Ok(files)
    }
}

/// What a file holds, and a byte too many where it is too large.
fn bytes(path: &Path) -> Result<Vec<u8>> {
    let place = || format!("tables: {}", path.display());
    let file = fs::File::open(path).with_context(place)?;
    let mut bytes = Vec::new();
    let most = TABLE_BYTES_MAX as u64 + 1;
    file.take(most)
        .read_to_end(&mut bytes)
        .with_context(place)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::TableFiles;

    #[test]
    fn a_file_is_read_again_when_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("asn.csv");
        let mut files = TableFiles::default();
        let mut read = |text: &str| {
            fs::write(&path, text).unwrap();
            let found = files.read(vec![path.clone(), path.clone()]).unwrap();
            assert_eq!(found.len(), 1);
            let again = files.read(vec![path.clone()]).unwrap();
            let [one, other] = [&found[0].table, &again[0].table].map(|table| table.as_ref());
            match (one, other) {
                (Ok(one), Ok(other)) => {
                    assert!(std::sync::Arc::ptr_eq(one, other));
                    Ok(one.hash())
                }
                (one, _) => Err(one.unwrap_err()[0].to_string()),
            }
        };
        let first = read("network,asn\n192.0.2.0/24,64500\n").unwrap();
        assert_ne!(read("network,asn\n192.0.2.0/24,645001\n"), Ok(first));
        assert_eq!(read("network,asn\n192.0.2.0/24,64500\n"), Ok(first));
        let wrong = read("network,asn\nx,64500\n").unwrap_err();
        assert!(wrong.contains("asn.csv:2:1: expected a network"), "{wrong}");
        assert!(files.read(vec![folder.path().join("none.csv")]).is_err());
    }
}
