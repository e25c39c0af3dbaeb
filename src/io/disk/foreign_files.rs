//! Rules of other tools on disk, and the rules of ours that are made of them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::rule_files;

/// Folders within each other that are looked into.
const DEPTH_MAX: usize = 64;

/// What was read.
#[derive(Debug, Default)]
pub struct Foreign {
    /// Each with its text, sorted by name.
    pub texts: Vec<(String, String)>,
    /// What could not be read, and why.
    pub unreadable: Vec<(String, String)>,
}

/// The files at `paths`, and of directories those with one of these endings, also in
/// subdirectories; names that begin with a dot are passed over.
pub fn read(paths: &[PathBuf], endings: &[&str]) -> Foreign {
    let mut foreign = Foreign::default();
    let mut files = Vec::new();
    for path in paths {
        match fs::metadata(path) {
            Ok(kind) if kind.is_dir() => foreign.directory(path, endings, &mut files, 0),
            Ok(_) => files.push(path.clone()),
            Err(error) => foreign.refuse(path, &error.to_string()),
        }
    }
    files.sort();
    files.dedup();
    for path in files {
        match rule_files::read(&path) {
            Ok(text) => foreign.texts.push(text),
            Err(error) => foreign.refuse(&path, &format!("{error:#}")),
        }
    }
    foreign
}

impl Foreign {
    fn refuse(&mut self, path: &Path, why: &str) {
        let path = path.display().to_string();
        self.unreadable.push((path, why.to_owned()));
    }

    fn directory(&mut self, path: &Path, endings: &[&str], files: &mut Vec<PathBuf>, depth: usize) {
        if depth > DEPTH_MAX {
            return self.refuse(path, "folders are nested too deep");
        }
        let entries = match rule_files::entries(path) {
            Ok(entries) => entries,
            Err(error) => return self.refuse(path, &format!("{error:#}")),
        };
        for (path, is_dir) in entries {
            let ending = path
                .extension()
                .map(|ending| ending.to_string_lossy().to_lowercase());
            let is_wanted = ending.is_some_and(|ending| endings.contains(&ending.as_str()));
            match (is_dir, is_wanted) {
                (true, _) => self.directory(&path, endings, files, depth + 1),
                (false, true) if path.is_file() => files.push(path),
                (false, true) => self.refuse(&path, "not a regular file"),
                (false, false) => {}
            }
        }
    }
}

/// Writes files into a folder. What is there already and says something else stays, and is an
/// error, before anything is written; with `force` rules are written anew, and lists stay.
///
/// # Errors
///
/// There are such files, or they cannot be written.
pub fn write(folder: &Path, files: &[(String, String)], force: bool) -> Result<()> {
    let mut wanted: Vec<(PathBuf, &str)> = Vec::new();
    let mut others: Vec<String> = Vec::new();
    for (name, text) in files {
        let path = folder.join(name);
        let is_list = name.starts_with("lists/");
        match fs::read(&path) {
            Ok(bytes) if bytes == text.as_bytes() || is_list => {}
            Ok(_) if force => wanted.push((path, text)),
            Ok(_) => others.push(path.display().to_string()),
            Err(error) if error.kind() == ErrorKind::NotFound => wanted.push((path, text)),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        }
    }
    if let Some(first) = others.first() {
        let more = match others.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        bail!(
            "{first}{more} is there already and says something else: nothing was written; name \
             another --output, or write it anew with --force"
        );
    }
    for (path, text) in wanted {
        let place = || path.display().to_string();
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(place)?;
        }
        fs::write(&path, text).with_context(place)?;
    }
    Ok(())
}

/// Writes one file.
///
/// # Errors
///
/// It cannot be written.
pub fn write_one(path: &Path, text: &str) -> Result<()> {
    Ok(fs::write(path, text)?)
}

#[cfg(test)]
mod tests {
    use super::{read, write};

    #[test]
    fn files_are_found_by_their_endings_and_the_rest_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        for name in ["a/x.yml", "a/b/y.YAML", "a/z.md", "a/.w.yml"] {
            std::fs::write(root.join(name), name).unwrap();
        }
        std::fs::write(root.join("a/bad.yml"), b"\xe9").unwrap();
        std::os::unix::fs::symlink("/dev/zero", root.join("a/zero.yml")).unwrap();
        let found = read(&[root.join("a"), root.join("none")], &["yml", "yaml"]);
        let texts: Vec<&str> = found.texts.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["a/b/y.YAML", "a/x.yml"]);
        let why: Vec<&str> = found.unreadable.iter().map(|(_, why)| &**why).collect();
        assert_eq!(why.len(), 3, "{why:?}");
        for expected in ["No such file", "not UTF-8", "not a regular file"] {
            let times = why.iter().filter(|why| why.contains(expected)).count();
            assert_eq!(times, 1, "{expected}: {why:?}");
        }
    }

    #[test]
    fn what_is_there_stays_unless_forced_and_lists_always_stay() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let files = [file("a.yaml", "1"), file("lists/L.txt", "empty")];
        write(folder.path(), &files, false).unwrap();
        write(folder.path(), &files, false).unwrap();
        std::fs::write(folder.path().join("lists/L.txt"), "filled").unwrap();
        let newer = [
            file("b.yaml", "2"),
            file("a.yaml", "3"),
            file("lists/L.txt", "empty"),
        ];
        let error = write(folder.path(), &newer, false).unwrap_err().to_string();
        assert!(error.contains("a.yaml is there already"), "{error}");
        assert!(!folder.path().join("b.yaml").exists());
        write(folder.path(), &newer, true).unwrap();
        let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!([text("a.yaml"), text("lists/L.txt")], ["3", "filled"]);
    }
}
