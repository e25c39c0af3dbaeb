//! Tells the program which commit it is built from, and makes the tables of attributes out of
//! schemas/attributes/.
//!
//! Whoever builds may say it as `WATCHFIRE_COMMIT`; else git says it or, in an archive that git
//! made, a file does. Only builds for release ask: others would be built anew at each commit.

#[path = "build/attributes.rs"]
mod attributes;

use std::process::Command;

/// What git fills in when it makes an archive.
const ARCHIVED: &str = ".git_archival.txt";

#[expect(
    clippy::disallowed_methods,
    reason = "a build script has nobody else to ask"
)]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    attributes::write();
    println!("cargo::rerun-if-env-changed=WATCHFIRE_COMMIT");
    let version = env!("CARGO_PKG_VERSION");
    let is_release = std::env::var_os("PROFILE").is_some_and(|profile| profile == "release");
    let said = std::env::var("WATCHFIRE_COMMIT")
        .ok()
        .filter(|commit| is_commit(commit));
    match said.or_else(|| is_release.then(found).flatten()) {
        Some(commit) => {
            println!("cargo::rustc-env=BUILT_COMMIT={commit}");
            println!("cargo::rustc-env=BUILT_VERSION={version} ({commit})");
        }
        None => println!("cargo::rustc-env=BUILT_VERSION={version}"),
    }
}

/// The commit that lies here.
fn found() -> Option<String> {
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    let archived = || {
        println!("cargo::rerun-if-changed={ARCHIVED}");
        let text = std::fs::read_to_string(ARCHIVED).ok()?;
        let commit = text.trim().strip_prefix("node: ")?;
        is_commit(commit).then(|| commit.chars().take(12).collect())
    };
    // An archive may lie within another checkout.
    archived().or_else(|| git(&["rev-parse", "--short=12", "HEAD"]))
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}
