//! Rules of other tools are imported: how many of those that people publish, and what they then
//! mean.
//!
//! The published rules are not part of the project. `WATCHFIRE_CORPUS` names the folder that has
//! them: `rules/sigma-azure`, `rules/elastic-azure` and `rules/sentinel-azure`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use watchfire::event::Attributes;
use watchfire::rule::Texts;
use watchfire::rule::import::dialect::Dialect;
use watchfire::rule::import::report::{Import, State};
use watchfire::rule::import::run::import;

fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("WATCHFIRE_CORPUS").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: WATCHFIRE_CORPUS does not name a folder of published rules");
    }
    folder
}

/// The files of a folder, each with its text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let text = |path: &PathBuf| {
        (
            path.display().to_string(),
            fs::read_to_string(path).unwrap(),
        )
    };
    paths.iter().map(text).collect()
}

/// Imports a folder, and reads all that was written as one rule set, as a worker does.
fn imported(folder: &Path, dialect: Dialect) -> Import {
    let files = files(folder);
    let done = import(&files, Some(dialect));
    let (lists, rules): (Vec<_>, Vec<_>) = done
        .files
        .iter()
        .cloned()
        .partition(|(name, _)| name.starts_with("lists/"));
    let texts = Texts {
        rules,
        lists,
        ..Texts::default()
    };
    let (rules, _) = texts.parse(&mut Attributes::default()).unwrap();
    let written = done.count(State::Imported) + done.count(State::Warned);
    assert_eq!(rules.len(), written);
    println!(
        "{}: {} files, {written} rules imported, {} of them with a warning, {} not importable, {} \
         parts of others",
        dialect.title(),
        files.len(),
        done.count(State::Warned),
        done.count(State::Refused),
        done.count(State::Part)
    );
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for row in done.rows.iter().filter(|row| row.state == State::Refused) {
        *reasons.entry(&row.reasons[0]).or_default() += 1;
    }
    for (reason, count) in reasons {
        println!("  {count} not importable: {reason}");
    }
    done
}

#[test]
fn published_sigma_rules_are_imported() {
    let Some(corpus) = corpus() else { return };
    let done = imported(&corpus.join("rules/sigma-azure"), Dialect::Sigma);
    assert!(done.count(State::Imported) + done.count(State::Warned) >= 148);
}

#[test]
fn published_elastic_rules_are_imported() {
    let Some(corpus) = corpus() else { return };
    let done = imported(&corpus.join("rules/elastic-azure"), Dialect::Elastic);
    let accepted = ["ES|QL", "machine learning", "another rule has the id"];
    for row in done.rows.iter().filter(|row| row.state == State::Refused) {
        let reason = &row.reasons[0];
        assert!(
            accepted.iter().any(|known| reason.starts_with(known)),
            "{row:?}"
        );
    }
}
