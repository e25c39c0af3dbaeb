//! Rule files on disk.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The files at `paths`, each with its text, sorted by name. Of a directory those that end in
/// `.yaml` or `.yml`, and of its subdirectories; names that begin with a dot are passed over.
///
/// A path that does not exist, a directory without rule files and a file that is not UTF-8 are
/// errors.
pub fn load(paths: &[PathBuf]) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        let kind = fs::metadata(path).with_context(|| format!("rules: {}", path.display()))?;
        if !kind.is_dir() {
            files.push(path.clone());
            continue;
        }
        directory(path, &mut files)?;
        if files.len() == before {
            bail!("rules: no file in {} ends in .yaml or .yml", path.display());
        }
    }
    files.sort();
    files.dedup();
    files.iter().map(|path| read(path)).collect()
}

fn directory(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let place = || format!("rules: {}", path.display());
    for entry in fs::read_dir(path).with_context(place)? {
        let entry = entry.with_context(place)?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // A linked file is a file, as Kubernetes mounts them; a linked directory could be a loop.
        if entry.file_type().with_context(place)?.is_dir() {
            directory(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml")
        {
            files.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<(String, String)> {
    let name = path.display().to_string();
    let bytes = fs::read(path).with_context(|| format!("rules: {name}"))?;
    let text = String::from_utf8(bytes)
        .with_context(|| format!("rules: {name} is not UTF-8 text: save it as UTF-8"))?;
    Ok((name, text))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    #[test]
    fn finds_rule_files() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("b/c")).unwrap();
        std::fs::create_dir_all(root.join(".git")).unwrap();
        std::fs::create_dir_all(root.join("empty")).unwrap();
        for name in [
            "z.yaml",
            "b/c/y.yml",
            "b/x.yaml",
            "notes.txt",
            ".git/v.yaml",
            ".w.yaml",
        ] {
            std::fs::write(root.join(name), name).unwrap();
        }
        std::fs::write(root.join("latin1"), b"caf\xe9").unwrap();
        let check = |paths: &[&str], expected: Result<&[&str], &str>| {
            let paths: Vec<PathBuf> = paths.iter().map(|path| root.join(path)).collect();
            let found = super::load(&paths);
            let texts = found.map(|files| files.into_iter().map(|(_, text)| text).collect());
            match (texts, expected) {
                (Ok::<Vec<String>, _>(texts), Ok(expected)) => assert_eq!(texts, expected),
                (Err(error), Err(expected)) => {
                    let text = format!("{error:#}");
                    assert!(text.contains(expected), "{text}");
                }
                (found, expected) => panic!("{paths:?}: {found:?} but expected {expected:?}"),
            }
        };
        check(&[""], Ok(&["b/c/y.yml", "b/x.yaml", "z.yaml"]));
        check(
            &["b", "z.yaml", "b/x.yaml"],
            Ok(&["b/c/y.yml", "b/x.yaml", "z.yaml"]),
        );
        check(&["notes.txt"], Ok(&["notes.txt"]));
        check(&["nowhere"], Err("No such file"));
        check(&["empty"], Err("ends in .yaml or .yml"));
        check(&["latin1"], Err("not UTF-8"));
    }
}
