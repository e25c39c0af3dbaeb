//! Rule files on disk, and the lists and attributes beside them.

use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::table_files::TableFiles;
use crate::rule::{self, Texts};

/// The folder of lists beside rules.
const LISTS: &str = "lists";

/// The folder of files of attributes beside rules.
const ATTRIBUTES: &str = "attributes";

/// What tables of networks end in.
const TABLE_ENDINGS: [&str; 2] = ["mmdb", "csv"];

/// The folder of tables of networks beside rules.
const TABLES: &str = "tables";

/// Files, and directories of them, that rules need and that lie elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Besides {
    /// Of attributes.
    pub attributes: Vec<PathBuf>,
    /// Of tables of networks.
    pub tables: Vec<PathBuf>,
}

/// The files at `paths`, and those of `attributes` besides, as [`load_with`] finds them.
///
/// # Errors
///
/// Those of [`load_with`].
pub fn load(paths: &[PathBuf], attributes: &[PathBuf]) -> Result<Texts> {
    let besides = Besides {
        attributes: attributes.to_vec(),
        ..Besides::default()
    };
    load_with(paths, &besides, &mut TableFiles::default())
}

/// The files at `paths`, each with its text, sorted by name, and those of `besides`.
/// Of a directory the rules are those
/// that end in `.yaml` or `.yml`, also in its subdirectories; names that begin with a dot are
/// passed over. Lists are the files that end in `.txt` or `.csv` in a folder `lists` within such
/// directories and beside files of rules, attributes those that end in `.toml` in a folder
/// `attributes` there, tables those that end in `.mmdb` or `.csv` in a folder `tables`. Of these
/// those are not read again that are as they were when `known` read them.
///
/// A path that does not exist, a directory without rule files and a file that is not UTF-8 are
/// errors.
pub fn load_with(paths: &[PathBuf], besides: &Besides, known: &mut TableFiles) -> Result<Texts> {
    let mut found = Found::default();
    for path in paths {
        let before = found.rules.len();
        let kind = fs::metadata(path).with_context(|| format!("rules: {}", path.display()))?;
        if !kind.is_dir() {
            found.rules.push(path.clone());
            for folder in [LISTS, ATTRIBUTES, TABLES] {
                let beside = path.with_file_name(folder);
                if beside.is_dir() {
                    found.beside(&beside)?;
                }
            }
            continue;
        }
        found.directory(path)?;
        if found.rules.len() == before {
            bail!("rules: no file in {} ends in .yaml or .yml", path.display());
        }
    }
    found.attributes_at(&besides.attributes)?;
    found.tables_at(&besides.tables)?;
    Ok(Texts {
        rules: texts(found.rules)?,
        lists: texts(found.lists)?,
        attributes: texts(found.attributes)?,
        tables: known.read(found.tables)?,
    })
}

/// The files of attributes at `paths`, each with its text: files, and what ends in `.toml` in
/// directories.
///
/// # Errors
///
/// A path does not exist, a directory has no such file, or a file is not UTF-8.
pub fn attributes(paths: &[PathBuf]) -> Result<Vec<(String, String)>> {
    let mut found = Found::default();
    found.attributes_at(paths)?;
    texts(found.attributes)
}

#[derive(Default)]
struct Found {
    rules: Vec<PathBuf>,
    lists: Vec<PathBuf>,
    attributes: Vec<PathBuf>,
    tables: Vec<PathBuf>,
}

impl Found {
    fn directory(&mut self, path: &Path) -> Result<()> {
        for (path, is_dir) in entries(path)? {
            let is_beside = |name: &OsStr| [LISTS, ATTRIBUTES, TABLES].iter().any(|n| name == *n);
            if is_dir && path.file_name().is_some_and(is_beside) {
                self.beside(&path)?;
            } else if is_dir {
                self.directory(&path)?;
            } else if ends_in(&path, ["yaml", "yml"]) {
                self.rules.push(regular(path)?);
            }
        }
        Ok(())
    }

    /// What lies beside rules, in a folder of lists, of attributes or of tables.
    fn beside(&mut self, path: &Path) -> Result<()> {
        let name = path.file_name().unwrap_or_default();
        if name == LISTS {
            self.lists(path)
        } else if name == TABLES {
            self.tables(path)
        } else {
            self.attributes(path)
        }
    }

    fn tables_at(&mut self, paths: &[PathBuf]) -> Result<()> {
        for path in paths {
            let before = self.tables.len();
            let place = || format!("tables: {}", path.display());
            if !fs::metadata(path).with_context(place)?.is_dir() {
                if !ends_in(path, TABLE_ENDINGS) {
                    bail!("{}: a table ends in .mmdb or .csv", place());
                }
                self.tables.push(path.clone());
                continue;
            }
            self.tables(path)?;
            if self.tables.len() == before {
                bail!("{}: no file in it ends in .mmdb or .csv", place());
            }
        }
        Ok(())
    }

    fn tables(&mut self, path: &Path) -> Result<()> {
        let files = entries(path)?.into_iter();
        let tables = files.filter(|(path, is_dir)| !is_dir && ends_in(path, TABLE_ENDINGS));
        for (path, _) in tables {
            self.tables.push(regular(path)?);
        }
        Ok(())
    }

    fn attributes_at(&mut self, paths: &[PathBuf]) -> Result<()> {
        for path in paths {
            let before = self.attributes.len();
            let place = || format!("attributes: {}", path.display());
            if !fs::metadata(path).with_context(place)?.is_dir() {
                self.attributes.push(path.clone());
                continue;
            }
            self.attributes(path)?;
            if self.attributes.len() == before {
                bail!("{}: no file in it ends in .toml", place());
            }
        }
        Ok(())
    }

    fn attributes(&mut self, path: &Path) -> Result<()> {
        let files = entries(path)?.into_iter();
        let files = files.filter(|(path, is_dir)| !is_dir && ends_in(path, ["toml"]));
        for (path, _) in files {
            self.attributes.push(regular(path)?);
        }
        Ok(())
    }

    fn lists(&mut self, path: &Path) -> Result<()> {
        let files = entries(path)?.into_iter();
        let lists = files.filter(|(path, is_dir)| !is_dir && ends_in(path, ["txt", "csv"]));
        for (path, _) in lists {
            self.lists.push(regular(path)?);
        }
        Ok(())
    }
}

/// A file that was found, not named: what is none, such as a pipe, could be waited for for ever.
fn regular(path: PathBuf) -> Result<PathBuf> {
    let name = || format!("rules: {}", path.display());
    if fs::metadata(&path).with_context(name)?.is_file() {
        return Ok(path);
    }
    bail!("{}: not a regular file", name())
}

/// What is in a directory, and whether it is a directory itself, but for names with a dot first.
pub(super) fn entries(path: &Path) -> Result<Vec<(PathBuf, bool)>> {
    let place = || format!("rules: {}", path.display());
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).with_context(place)? {
        let entry = entry.with_context(place)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // A linked file is a file, as Kubernetes mounts them; a linked directory could be a loop.
        let is_dir = entry.file_type().with_context(place)?.is_dir();
        entries.push((entry.path(), is_dir));
    }
    Ok(entries)
}

fn ends_in<const N: usize>(path: &Path, endings: [&str; N]) -> bool {
    path.extension()
        .is_some_and(|end| endings.iter().any(|ending| end == *ending))
}

/// The files with their texts, each once.
fn texts(mut files: Vec<PathBuf>) -> Result<Vec<(String, String)>> {
    files.sort();
    files.dedup();
    files.iter().map(|path| read(path)).collect()
}

pub(super) fn read(path: &Path) -> Result<(String, String)> {
    let name = path.display().to_string();
    let place = || format!("rules: {name}");
    let file = fs::File::open(path).with_context(place)?;
    let mut bytes = Vec::new();
    let most = rule::FILE_BYTES_MAX as u64 + 1;
    file.take(most)
        .read_to_end(&mut bytes)
        .with_context(place)?;
    if bytes.len() > rule::FILE_BYTES_MAX {
        bail!(
            "{}: a file has at most {} bytes",
            place(),
            rule::FILE_BYTES_MAX
        );
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes().get(..valid).unwrap_or_default();
            let before = String::from_utf8_lossy(bytes);
            let line = before.split('\n').count();
            let column = before
                .split('\n')
                .next_back()
                .map_or(0, |last| last.chars().count())
                + 1;
            bail!("{name}:{line}:{column}: not UTF-8 text: save it as UTF-8")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::Texts;

    fn load(paths: &[PathBuf]) -> anyhow::Result<Texts> {
        super::load(paths, &[])
    }

    /// Files of rules, of what lies beside them, and others.
    const FILES: [&str; 15] = [
        "z.yaml",
        "b/c/y.yml",
        "b/x.yaml",
        "notes.txt",
        ".git/v.yaml",
        ".w.yaml",
        "b/lists/Admins.txt",
        "b/lists/Owners.csv",
        "b/lists/README.md",
        "b/lists/v.yaml",
        "b/c/lists/More.txt",
        "b/attributes/own.toml",
        "b/attributes/README.md",
        "b/tables/asn.mmdb",
        "b/tables/README.md",
    ];

    #[test]
    fn finds_rule_files() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("b/c/lists")).unwrap();
        std::fs::create_dir_all(root.join("b/lists")).unwrap();
        std::fs::create_dir_all(root.join("b/attributes")).unwrap();
        std::fs::create_dir_all(root.join("b/tables")).unwrap();
        std::fs::create_dir_all(root.join(".git")).unwrap();
        std::fs::create_dir_all(root.join("empty")).unwrap();
        for name in FILES {
            std::fs::write(root.join(name), name).unwrap();
        }
        std::fs::write(root.join("latin1"), b"a\ncaf\xe9").unwrap();
        let check = |paths: &[&str], expected: Result<&[&str], &str>| {
            let paths: Vec<PathBuf> = paths.iter().map(|path| root.join(path)).collect();
            let found = load(&paths);
            let texts = found.map(|found| {
                let files = found.rules.into_iter().chain(found.lists);
                let files = files.chain(found.attributes);
                let tables = found.tables.into_iter().map(|table| table.path);
                let tables = tables.map(|path| path.rsplit('/').next().unwrap().to_owned());
                files.map(|(_, text)| text).chain(tables).collect()
            });
            match (texts, expected) {
                (Ok::<Vec<String>, _>(texts), Ok(expected)) => assert_eq!(texts, expected),
                (Err(error), Err(expected)) => {
                    let text = format!("{error:#}");
                    assert!(text.contains(expected), "{text}");
                }
                (found, expected) => panic!("{paths:?}: {found:?} but expected {expected:?}"),
            }
        };
        let lists = [
            "b/c/lists/More.txt",
            "b/lists/Admins.txt",
            "b/lists/Owners.csv",
        ];
        let own = ["b/attributes/own.toml", "asn.mmdb"];
        let all = [&["b/c/y.yml", "b/x.yaml", "z.yaml"][..], &lists, &own].concat();
        check(&[""], Ok(&all));
        check(&["b", "z.yaml", "b/x.yaml"], Ok(&all));
        let beside = [
            "b/x.yaml",
            "b/lists/Admins.txt",
            "b/lists/Owners.csv",
            own[0],
            own[1],
        ];
        check(&["b/x.yaml"], Ok(&beside));
        check(&["notes.txt"], Ok(&["notes.txt"]));
        check(&["nowhere"], Err("No such file"));
        check(&["empty"], Err("ends in .yaml or .yml"));
        check(&["latin1"], Err("latin1:2:4: not UTF-8"));
        let endless = load(&["/dev/zero".into()]).unwrap_err();
        assert!(
            endless.to_string().contains("at most 16777216 bytes"),
            "{endless}"
        );
        std::os::unix::fs::symlink("/dev/zero", root.join("empty/x.yaml")).unwrap();
        check(&["empty"], Err("x.yaml: not a regular file"));
    }
}
