//! The files of the project, and which of them the compiler sees.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use regex::Regex;

/// The files by their path from the project's root, with `/` between its parts.
pub type Files = BTreeMap<String, String>;

/// A source file that a `mod` line leads to.
#[derive(Debug, PartialEq, Eq)]
pub struct Module {
    pub path: String,
    /// Its name from the root of its crate on.
    pub name: Vec<String>,
    /// Whether it is compiled for tests alone.
    pub test: bool,
}

/// All text files of the project. What tools keep (hidden folders, build output) is left out.
pub fn project() -> Files {
    let mut files = Files::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    collect(root, root, &mut files);
    for hidden in [".ci", ".github"] {
        collect(root, &root.join(hidden), &mut files);
    }
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with('.') || name == "target" || name == "__pycache__" {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let relative = path.strip_prefix(root).unwrap();
            files.insert(relative.to_str().unwrap().to_owned(), text);
        } else if name.ends_with(".png") {
            // A picture is a file that a text may link to.
            let relative = path.strip_prefix(root).unwrap();
            files.insert(relative.to_str().unwrap().to_owned(), String::new());
        }
    }
}

/// The path that `target` means when it is said in a file of folder `here`.
pub fn resolve(here: &Path, target: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in here.join(target).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => (),
        }
    }
    path
}

/// Every module of the crate, from `src/lib.rs`, `src/main.rs` and `tests/it/main.rs` on.
pub fn modules(files: &Files) -> Vec<Module> {
    let roots = [
        ("src/lib.rs", false),
        ("src/main.rs", false),
        ("tests/it/main.rs", true),
    ];
    let mut waiting: Vec<_> = roots
        .into_iter()
        .filter(|(path, _)| files.contains_key(*path))
        .map(|(path, test)| Module {
            path: path.to_owned(),
            name: Vec::new(),
            test,
        })
        .collect();
    let mut found = Vec::new();
    while let Some(module) = waiting.pop() {
        waiting.extend(children(files, &module));
        found.push(module);
    }
    found
}

fn children(files: &Files, parent: &Module) -> Vec<Module> {
    let line = Regex::new(concat!(
        r#"(?m)^\s*(#\[cfg\(test\)\]\s*)?(?:#\[path = "([^"]+)"\]\s*)?"#,
        r"(?:pub(?:\([^)]*\))? )?mod (\w+);",
    ))
    .unwrap();
    let path = Path::new(&parent.path);
    let folder = path.parent().unwrap();
    let stem = path.file_stem().unwrap();
    // The children of `a/b.rs` live in `a/b/`, those of a root or a `mod.rs` beside it.
    let is_top = ["mod", "lib", "main"].iter().any(|name| stem == *name);
    let home = if is_top {
        folder.to_owned()
    } else {
        folder.join(stem)
    };
    line.captures_iter(&files[&parent.path])
        .filter_map(|captures| {
            let name = &captures[3];
            let names = parent.name.iter().map(String::as_str).chain([name]);
            let candidates = match captures.get(2) {
                Some(said) => vec![resolve(folder, said.as_str())],
                None => vec![
                    home.join(format!("{name}.rs")),
                    home.join(name).join("mod.rs"),
                ],
            };
            let mut paths = candidates.iter().filter_map(|path| path.to_str());
            let path = paths.rfind(|path| files.contains_key(*path))?.to_owned();
            Some(Module {
                path,
                name: names.map(str::to_owned).collect(),
                test: parent.test || captures.get(1).is_some(),
            })
        })
        .collect()
}

/// Rust files that no `mod` line leads to, so that the compiler never sees them.
pub fn dead_files(files: &Files, modules: &[Module]) -> Vec<String> {
    let alive: BTreeSet<_> = modules.iter().map(|module| module.path.as_str()).collect();
    files
        .keys()
        .filter(|path| path.starts_with("src/") || path.starts_with("tests/"))
        .filter(|path| path.ends_with(".rs") && !alive.contains(path.as_str()))
        .map(|path| format!("{path}: no mod line leads to it"))
        .collect()
}

#[test]
fn modules_are_followed_and_dead_files_noticed() {
    let files: Files = [
        ("src/lib.rs", "pub mod a;\nmod b;\n"),
        (
            "src/a.rs",
            "#[cfg(test)]\n#[path = \"a_tests.rs\"]\nmod tests;\nmod deep;",
        ),
        ("src/a_tests.rs", ""),
        ("src/a/deep.rs", ""),
        ("src/b/mod.rs", "#[cfg(test)]\npub(crate) mod tests;"),
        ("src/b/tests.rs", "mod helper;"),
        ("src/b/tests/helper.rs", ""),
        ("src/dead.rs", ""),
        ("benches/speed.rs", ""),
    ]
    .into_iter()
    .map(|(path, text)| (path.to_owned(), text.to_owned()))
    .collect();
    let modules = modules(&files);
    let tests: BTreeSet<_> = modules
        .iter()
        .filter(|m| m.test)
        .map(|m| m.path.as_str())
        .collect();
    let expected = ["src/a_tests.rs", "src/b/tests.rs", "src/b/tests/helper.rs"];
    assert_eq!(tests, BTreeSet::from(expected));
    assert_eq!(
        dead_files(&files, &modules),
        ["src/dead.rs: no mod line leads to it"]
    );
}

#[test]
fn links_are_resolved() {
    assert_eq!(
        resolve(Path::new("docs"), "../README.md"),
        Path::new("README.md")
    );
    assert_eq!(
        resolve(Path::new(""), "./docs/a.md"),
        Path::new("docs/a.md")
    );
}
