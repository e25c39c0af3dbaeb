//! Tells the program which commit it is built from, makes the tables of attributes out of
//! schemas/attributes/, and lists the rules of rules/azure/ for the demo.
//!
//! Whoever builds may say it as `WATCHFIRE_COMMIT`; else git says it or, in an archive that git
//! made, a file does. Only builds for release ask: others would be built anew at each commit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::{Table, Value};

/// What git fills in when it makes an archive.
const ARCHIVED: &str = ".git_archival.txt";

/// Where attributes are described, a file for each family.
const FOLDER: &str = "schemas/attributes";

/// Where the rules that are shipped lie.
const RULES: &str = "rules/azure";

/// The ways that never give several values.
const SINGLE: [&str; 14] = [
    "action_outcome",
    "error_code",
    "event_category",
    "event_type",
    "http_outcome",
    "joined",
    "level",
    "named",
    "outcome",
    "session_outcome",
    "severity",
    "storage_outcome",
    "truth",
    "verdict",
];

#[expect(
    clippy::disallowed_methods,
    reason = "a build script has nobody else to ask"
)]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    write_attributes();
    write_rules();
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

/// Makes Rust tables out of schemas/attributes/, data that people read, at no cost at run time:
/// writes `attributes.rs` into the folder for what is built.
fn write_attributes() {
    println!("cargo::rerun-if-changed={FOLDER}");
    let families = families();
    write("attributes.rs", &tables(&families));
}

/// Writes `rules.rs` into the folder for what is built: the texts of the shipped rules.
fn write_rules() {
    println!("cargo::rerun-if-changed={RULES}");
    let paths = files(RULES, "yaml");
    let texts = paths.iter().map(|path| {
        let path = path.display();
        format!("include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/{path}\")),\n")
    });
    let texts: String = texts.collect();
    let made = format!("/// Those that are shipped.\nconst SHIPPED: &[&str] = &[\n{texts}];\n");
    write("rules.rs", &made);
}

fn write(name: &str, made: &str) {
    let folder = std::env::var_os("OUT_DIR").map(PathBuf::from);
    let file = folder.map(|folder| folder.join(name));
    let written = file.map(|file| std::fs::write(file, made));
    assert!(
        matches!(written, Some(Ok(()))),
        "{name} cannot be written: {written:?}"
    );
}

/// The files of a folder whose names end so, in their order.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let found = std::fs::read_dir(folder);
    let found = found.unwrap_or_else(|error| panic!("{folder}: {error}"));
    let paths = found.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths.collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == ending));
    paths.sort();
    paths
}

/// Name and content of each family, the general one first.
fn families() -> Vec<(String, Table)> {
    let mut paths = files(FOLDER, "toml");
    paths.sort_by_key(|path| (name(path) != "general", path.clone()));
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let table = text.parse::<Table>();
        let table = table.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (name(path), table)
    };
    paths.iter().map(read).collect()
}

fn name(path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The attributes of a family, by name.
fn attributes(family: &Table) -> BTreeMap<&str, &Table> {
    let given = family.get("attribute").and_then(Value::as_table);
    let given = given.into_iter().flatten();
    given
        .filter_map(|(name, value)| Some((name.as_str(), value.as_table()?)))
        .collect()
}

fn steps(attribute: &Table) -> Vec<&Table> {
    let steps = attribute.get("steps").and_then(Value::as_array);
    steps
        .into_iter()
        .flatten()
        .filter_map(Value::as_table)
        .collect()
}

fn text<'t>(table: &'t Table, key: &str) -> &'t str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn texts(table: &Table, key: &str) -> Vec<String> {
    let list = table.get(key).and_then(Value::as_array);
    let list = list.into_iter().flatten().filter_map(Value::as_str);
    list.map(str::to_owned).collect()
}

fn tables(families: &[(String, Table)]) -> String {
    let mut made = known(families);
    let mut times: Vec<String> = Vec::new();
    let mut categories: Vec<(String, usize)> = Vec::new();
    made += "pub(super) const FAMILIES: &[Family] = &[\n";
    for (place, (name, family)) in families.iter().enumerate() {
        line(
            &mut made,
            &format!(
                "Family {{ name: {}, about: {}, source: {}, categories: {}, has: {}, \
             attributes: Cow::Borrowed(&[",
                lent(name),
                lent(text(family, "about")),
                lent(text(family, "source")),
                all_lent(family, "categories"),
                all_lent(family, "has")
            ),
        );
        for (attribute, content) in attributes(family) {
            let alone = content.get("alone").and_then(Value::as_bool) == Some(true);
            line(
                &mut made,
                &format!(
                    "Sources {{ attribute: {}, alone: {alone}, steps: Cow::Borrowed(&[",
                    lent(attribute)
                ),
            );
            for step in steps(content) {
                made += &written(step);
                let paths = texts(step, "paths").into_iter();
                let new = paths.filter(|_| attribute == "time");
                times.extend(new);
            }
            made += "]) },\n";
        }
        made += "]) },\n";
        let named = texts(family, "categories").into_iter();
        categories.extend(named.map(|category| (category.to_ascii_lowercase(), place)));
    }
    made += "];\n";
    categories.sort_by_key(|(category, _)| (category.len(), category.clone()));
    let mut seen = std::collections::BTreeSet::new();
    times.retain(|time| seen.insert(time.to_ascii_lowercase()));
    line(&mut made, "/// In lower case, by length, then by text.");
    line(
        &mut made,
        &format!("pub(super) const CATEGORIES: &[(&str, usize)] = &{categories:?};"),
    );
    line(
        &mut made,
        "/// Wherever a record of any family may say when it happened.",
    );
    line(
        &mut made,
        &format!("pub(crate) const TIMES: &[&str] = &{times:?};"),
    );
    made
}

fn known(families: &[(String, Table)]) -> String {
    let mut made =
        "/// In alphabetical order.\npub(super) const KNOWN: &[KnownAttribute] = &[\n".to_owned();
    let general = families.first().map(|(_, general)| attributes(general));
    let mut general: Vec<_> = general.into_iter().flatten().collect();
    general.sort_by_key(|(name, _)| name.to_owned());
    for (attribute, content) in general.iter().filter(|(name, _)| *name != "time") {
        let all = families.iter().filter_map(|(_, family)| {
            Some(
                steps(attributes(family).get(attribute)?)
                    .into_iter()
                    .map(|step| text(step, "derive")),
            )
        });
        let single = all.flatten().all(|derive| SINGLE.contains(&derive));
        let version = content
            .get("version")
            .and_then(Value::as_integer)
            .unwrap_or_default();
        let meaning = text(content, "meaning");
        line(
            &mut made,
            &format!(
                "KnownAttribute {{ name: {attribute:?}, meaning: {meaning:?}, version: {version}, \
             single: {single} }},"
            ),
        );
    }
    made + "];\n"
}

fn written(step: &Table) -> String {
    let derive = text(step, "derive").split('_');
    let derive: String = derive
        .filter_map(|word| Some(word.get(..1)?.to_uppercase() + word.get(1..)?))
        .collect();
    let word = text(step, "after").to_owned() + text(step, "prefix") + text(step, "name");
    format!(
        "Step {{ derivation: Derivation::{derive}, word: {}, key: {}, when: {}, is: {}, \
         paths: {} }},\n",
        lent(&word),
        lent(text(step, "key")),
        all_lent(step, "when"),
        all_lent(step, "is"),
        all_lent(step, "paths")
    )
}

/// A text of the tables.
fn lent(text: &str) -> String {
    format!("Cow::Borrowed({text:?})")
}

/// Texts of the tables.
fn all_lent(table: &Table, key: &str) -> String {
    let texts: Vec<String> = texts(table, key).iter().map(|text| lent(text)).collect();
    format!("Cow::Borrowed(&[{}])", texts.join(", "))
}

fn line(made: &mut String, text: &str) {
    made.push_str(text);
    made.push('\n');
}
