//! Messages out of files: archives of topics, exports, blobs, captured payloads.
//!
//! A file is either lines, one message each (NDJSON), or one JSON document, one message. The name
//! does not tell: Azure writes lines into files called `.json`. So the first line decides: if it
//! leaves brackets open, the file is one document. Files that end in `.gz` are unpacked on the way.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;

/// One message of a file.
pub struct Message<'a> {
    /// The file it is in.
    pub path: &'a Path,
    /// The line it begins at, from 0.
    pub line: u64,
    /// Without the end of the line.
    pub bytes: &'a [u8],
}

/// The files that `paths` name: themselves, and of directories all that look like JSON, sorted by
/// path, with their subdirectories.
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
        } else if looks_like_json(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn looks_like_json(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    [".json", ".ndjson", ".jsonl"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Calls `each` for every message of the file at `path`, in order; blank lines are none. Of a file
/// of lines one is in memory at a time. An error of `each` ends the reading.
pub fn messages(path: &Path, each: &mut dyn FnMut(Message<'_>) -> Result<()>) -> Result<()> {
    let file = File::open(path)
        .with_context(|| format!("cannot open {}; does it exist?", path.display()))?;
    let packed = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
    let reader: Box<dyn Read> = if packed {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    read(path, BufReader::with_capacity(1 << 18, reader), each)
}

fn read(
    path: &Path,
    mut reader: impl BufRead,
    each: &mut dyn FnMut(Message<'_>) -> Result<()>,
) -> Result<()> {
    let mut bytes = Vec::new();
    let mut line = 0;
    let mut first = true;
    let cannot_read = || format!("cannot read {}", path.display());
    loop {
        bytes.clear();
        if reader
            .read_until(b'\n', &mut bytes)
            .with_context(cannot_read)?
            == 0
        {
            return Ok(());
        }
        if !bytes.trim_ascii().is_empty() {
            if std::mem::take(&mut first) && leaves_brackets_open(&bytes) {
                reader.read_to_end(&mut bytes).with_context(cannot_read)?;
            }
            each(Message {
                path,
                line,
                bytes: trim_line_end(&bytes),
            })?;
        }
        line += 1;
    }
}

fn trim_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// Whether a JSON document that begins in this line goes on in the next.
fn leaves_brackets_open(line: &[u8]) -> bool {
    let mut open = 0_i64;
    let mut in_string = false;
    let mut escaped = false;
    for byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => open += 1,
            b'}' | b']' if !in_string => open -= 1,
            _ => (),
        }
    }
    open > 0 && !in_string
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// The messages of a file `name` that holds `content`: line and text.
    fn check(name: &str, content: &[u8], expected: &[(u64, &str)]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let mut found = Vec::new();
        messages(&path, &mut |message| {
            found.push((
                message.line,
                String::from_utf8(message.bytes.to_vec()).unwrap(),
            ));
            Ok(())
        })
        .unwrap();
        let expected: Vec<_> = expected
            .iter()
            .map(|(l, t)| (*l, (*t).to_owned()))
            .collect();
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn lines_and_documents() {
        check(
            "a.ndjson",
            b"{\"a\":1}\n\n{\"a\":2}\r\n",
            &[(0, "{\"a\":1}"), (2, "{\"a\":2}")],
        );
        check(
            "a.json",
            b"{\"a\":1}\n{\"a\":2}",
            &[(0, "{\"a\":1}"), (1, "{\"a\":2}")],
        );
        check("a.json", b"{\n\"a\":1}\n", &[(0, "{\n\"a\":1}")]);
        check(
            "a.json",
            b"\n[{\"a\":\"]\"},\n{}]",
            &[(1, "[{\"a\":\"]\"},\n{}]")],
        );
        check(
            "a.txt",
            b"{\"a\": \"trunc\nplain {",
            &[(0, "{\"a\": \"trunc"), (1, "plain {")],
        );
        check("empty", b"", &[]);
    }

    #[test]
    fn packed_files_and_folders() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(b"{}\n[]\n").unwrap();
        let mut packed = packer.finish().unwrap();
        packed.extend(packed.clone());
        check(
            "a.json.gz",
            &packed,
            &[(0, "{}"), (1, "[]"), (2, "{}"), (3, "[]")],
        );

        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        for name in ["z.json", "b/PT1H.JSON", "a.ndjson.gz", "notes.md"] {
            fs::write(folder.path().join(name), b"{}").unwrap();
        }
        let files = list(&[folder.path().to_owned()]).unwrap();
        let names: Vec<_> = files
            .iter()
            .map(|file| file.strip_prefix(folder.path()).unwrap())
            .collect();
        assert_eq!(
            names,
            ["a.ndjson.gz", "b/PT1H.JSON", "z.json"].map(Path::new)
        );
        assert!(list(&[folder.path().join("absent")]).is_err());
    }
}
