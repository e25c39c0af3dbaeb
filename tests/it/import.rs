//! Rules of other tools are imported: how many of those that people publish, and what they then
//! mean.
//!
//! The published rules are not part of the project. `WATCHFIRE_CORPUS` names the folder that has
//! them: `rules/sigma-azure`, `rules/elastic-azure` and `rules/sentinel-azure`.

mod correlations;
mod sigma;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use watchfire::event::Attributes;
use watchfire::io::disk::rule_files;
use watchfire::rule::Texts;
use watchfire::rule::export::{self, Exported};
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

/// What `rules check` warns of in rules that were read from these texts, by lint.
fn slips(texts: &Texts) -> BTreeMap<&'static str, Vec<String>> {
    let (rules, _) = texts.parse(&mut Attributes::default()).unwrap();
    let mut found: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for rule in &rules {
        for finding in rule.lints(0) {
            let line = format!("{}: {}", rule.id, finding.text);
            found.entry(finding.lint.name()).or_default().push(line);
        }
    }
    found
}

/// What is imported is as somebody wrote it, and what is shipped is as it should be: of both the
/// lints have nothing to say, but for what is expected of a few.
#[test]
fn lints_are_silent_about_rules_shipped_and_imported() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let shipped = rule_files::load(&[folder], &[]).unwrap();
    let found = slips(&shipped);
    println!(
        "rules shipped: {} files, warnings: {found:#?}",
        shipped.rules.len()
    );
    assert!(found.is_empty());
    let Some(corpus) = corpus() else { return };
    let mut unexpected = 0;
    for (folder, dialect) in [
        ("rules/sigma-azure", Dialect::Sigma),
        ("rules/elastic-azure", Dialect::Elastic),
        ("rules/sentinel-azure", Dialect::Sentinel),
    ] {
        let done = import(&files(&corpus.join(folder)), Some(dialect));
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
        let found = slips(&texts);
        println!(
            "{}: {} rules, warnings: {found:#?}",
            dialect.title(),
            texts.rules.len()
        );
        unexpected += found.values().map(Vec::len).sum::<usize>();
    }
    assert_eq!(unexpected, 0);
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

#[test]
fn published_sentinel_rules_are_imported() {
    let Some(corpus) = corpus() else { return };
    let done = imported(&corpus.join("rules/sentinel-azure"), Dialect::Sentinel);
    assert!(done.count(State::Imported) + done.count(State::Warned) >= 12);
}

/// What a rule means, imported from what it was exported to.
fn again(xml: &Exported, lists: &[(String, String)]) -> Result<String, String> {
    let file = (
        "a.xml".to_owned(),
        export::document(std::slice::from_ref(xml)),
    );
    let done = import(&[file], Some(Dialect::FortiSiem));
    let [(_, text), ..] = &done.files[..] else {
        return Err(done.rows[0].reasons.join("; "));
    };
    let rules = vec![("a.yaml".to_owned(), text.clone())];
    let texts = Texts {
        rules,
        lists: lists.to_vec(),
        ..Texts::default()
    };
    let mut attributes = Attributes::default();
    let (rules, _) = texts.parse(&mut attributes).unwrap();
    Ok(rules[0].meaning(&attributes))
}

/// Exports all rules of these texts, and imports them again. How many could be exported.
fn there_and_back(texts: &Texts) -> (usize, usize) {
    let mut attributes = Attributes::default();
    let (rules, _) = texts.parse(&mut attributes).unwrap();
    let mut exported = 0;
    for rule in &rules {
        let Ok(xml) = export::fortisiem(rule, &attributes) else {
            continue;
        };
        exported += 1;
        let found = again(&xml, &texts.lists);
        assert_eq!(
            found.as_ref(),
            Ok(&rule.meaning(&attributes)),
            "{}: {}",
            rule.id,
            xml.xml
        );
    }
    (exported, rules.len())
}

#[test]
fn rules_exported_to_fortisiem_mean_the_same_when_they_return() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let texts = watchfire::io::disk::rule_files::load(&[folder], &[]).unwrap();
    let (exported, all) = there_and_back(&texts);
    println!("{exported} of the {all} rules shipped go to FortiSIEM and back");
    assert!(exported > 0);
    let Some(corpus) = corpus() else { return };
    for (dialect, folder) in [
        (Dialect::Sigma, "rules/sigma-azure"),
        (Dialect::Elastic, "rules/elastic-azure"),
    ] {
        let done = import(&files(&corpus.join(folder)), Some(dialect));
        let (lists, rules) = done
            .files
            .into_iter()
            .partition(|(name, _)| name.starts_with("lists/"));
        let (exported, all) = there_and_back(&Texts {
            rules,
            lists,
            ..Texts::default()
        });
        println!(
            "{exported} of {all} rules of {} go to FortiSIEM and back",
            dialect.title()
        );
    }
}
