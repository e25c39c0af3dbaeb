//! The way of a match through the second stage, as docs/architecture.md has it: file by file.

use std::collections::BTreeSet;

use regex::Regex;

/// The heading in front of the files on the way.
const WAY: &str = "## From a message to the bytes of an incident";
/// The heading in front of those that these use, and that run with them.
const PARTS: &str = "## What the steps are made of";
/// The heading in front of those that an ordinary match does not go through.
const BESIDE: &str = "## Beside the way";

/// The files that a section of the document names first in a row of its table, in order.
pub fn named(document: &str, heading: &str) -> Vec<String> {
    let row = Regex::new(r"(?m)^\|(?: \d+ \|)? `(src/[^`]+\.rs)` \|").unwrap();
    let Some((_, section)) = document.split_once(&format!("{heading}\n")) else {
        return Vec::new();
    };
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = row.captures_iter(section);
    rows.map(|row| row[1].to_owned()).collect()
}

/// The files on the way, step by step.
pub fn way(document: &str) -> Vec<String> {
    named(document, WAY)
}

/// The files that the steps are made of.
pub fn parts(document: &str) -> Vec<String> {
    named(document, PARTS)
}

/// What is wrong with it. `room`: the files of the second stage; `files`: all files of the program.
pub fn complaints(document: &str, room: &BTreeSet<&str>, files: &BTreeSet<&str>) -> Vec<String> {
    let sections = [WAY, PARTS, BESIDE].map(|heading| named(document, heading));
    let all: Vec<&str> = sections.iter().flatten().map(String::as_str).collect();
    let told: BTreeSet<&str> = all.iter().copied().collect();
    let mut complaints: Vec<String> = Vec::new();
    for file in told.iter().filter(|file| !files.contains(**file)) {
        complaints.push(format!("{file} is told of, and is not there"));
    }
    for file in room.iter().filter(|file| !told.contains(**file)) {
        complaints.push(format!("{file} is not told of"));
    }
    if told.len() < all.len() {
        complaints.push("a file is told of twice".to_owned());
    }
    complaints
}

#[test]
fn the_way_is_read() {
    let document = "## From a message to the bytes of an incident\n\n| 1 | `src/a.rs` | x |\n\
                    | 2 | `src/fold/b.rs` | `src/no.rs` |\n\n## What the steps are made of\n\n\
                    | `src/fold/e.rs` | z |\n\n## Beside the way\n\n| `src/fold/c.rs` | y |\n\n\
                    ## More\n| 3 | `src/d.rs` | z |\n";
    assert_eq!(way(document), ["src/a.rs", "src/fold/b.rs"]);
    let check = |room: &[&str], files: &[&str]| {
        let (room, files) = (room.iter().copied(), files.iter().copied());
        complaints(document, &room.collect(), &files.collect())
    };
    assert_eq!(parts(document), ["src/fold/e.rs"]);
    let files = [
        "src/a.rs",
        "src/fold/b.rs",
        "src/fold/e.rs",
        "src/fold/c.rs",
    ];
    assert_eq!(check(&files[1..], &files), Vec::<String>::new());
    assert_eq!(
        check(&["src/fold/d.rs"], &files),
        ["src/fold/d.rs is not told of"]
    );
    assert_eq!(
        check(&files[1..], &files[..3]),
        ["src/fold/c.rs is told of, and is not there"]
    );
}
