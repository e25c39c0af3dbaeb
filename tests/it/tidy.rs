//! Reads the project's own files and holds what no compiler or linter does: what the core may
//! not name, which words stay out, that every file is used and every link leads somewhere.
//!
//! A check is a function of a path and a text to complaints, and each has a planted violation.

mod circles;
mod code;
mod functions;
mod imports;
mod log;
mod tokens;
mod tree;
mod types;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;

use tree::Module;

/// Words that only the shell may say: other worlds, files, the clock, the environment.
const WORLD: &str = concat!(
    r"\b(rdkafka|rocksdb|tokio|SystemTime|Instant|File|TcpStream|UdpSocket)\b|",
    r"\bstd::(fs|env|process)\b|\bstd::\{[^}]*\b(fs|env|process)\b",
);
/// Output that would pass by the one file that escapes what people see.
const OUTPUT: &str = r"\be?print(ln)?!|\bio::std(out|err)\(\)";
/// What clippy has no lint for, or would not find behind a type alias.
const CODE: &str =
    r#"\b(OnceLock|LazyLock|thread_local)\b|\bstatic mut\b|\.unwrap\(\)|\.expect\(""#;
/// Attributes that silence a lint without ever being missed when they are no longer needed.
const ALLOW: &str = r"#!?\[(cfg_attr\([^\]]*)?\ballow\(";
/// Marks of unfinished work. Written so that this file does not have them.
const UNFINISHED: &str = r"\b(TO[D]O|FIX[M]E|X[X]X)\b|\b(to[d]o|un[i]mplemented|d[b]g)!";
/// Places of one machine, and documents that are not part of the project.
const ELSEWHERE: &str = r"(^|[^\w.}])/(home|root|work)/|\bDESIGN[.]md|\bshared[/]|§\s?\d";

const LINE_COLUMNS_MAX: usize = 100;
/// Lines that 95 of a hundred functions do not exceed. No function is longer than 70 (clippy.toml).
const FUNCTION_LINES_P95: usize = 37;

/// The second stage's home, to which more applies than to the rest.
const FOLD: &str = "src/fold/";

/// Files that a match goes through from a message of the matches topic to an incident's bytes.
const WAY_FILES_MAX: usize = 22;

/// Whether a file belongs to the part that touches the world.
fn is_shell(path: &str) -> bool {
    let places = [
        "src/io/",
        "src/cli/",
        "src/io.rs",
        "src/cli.rs",
        "src/main.rs",
    ];
    places.iter().any(|place| path.starts_with(place))
}

/// The core names no other world than its own.
fn core_names_the_world(path: &str, text: &str) -> Vec<String> {
    if !path.starts_with("src/") || is_shell(path) {
        return Vec::new();
    }
    find(
        path,
        &code::without_tests(text),
        WORLD,
        "only src/io and src/cli touch the world",
    )
}

/// Windows do not know what is counted; aggregates do not know when.
fn window_and_aggregate_meet(path: &str, text: &str) -> Vec<String> {
    let text = code::without_tests(text);
    if path.starts_with("src/fold/window/") {
        return find(
            path,
            &text,
            r"(?i)\baggregates?\b",
            "a window does not know aggregates",
        );
    }
    if path.starts_with("src/fold/aggregate/") {
        let time = r"\btime\b|\bMillis\b|\bSeconds?\b";
        return find(path, &text, time, "an aggregate does not know time");
    }
    Vec::new()
}

fn banned_code(path: &str, text: &str) -> Vec<String> {
    let why = "no global state, no panic where a user can meet it";
    find(path, &code::without_tests(text), CODE, why)
}

fn unescaped_output(path: &str, text: &str) -> Vec<String> {
    // The second draws bars, of its own words alone.
    if ["src/cli/screen.rs", "src/io/progress.rs"].contains(&path) {
        return Vec::new();
    }
    let why = "write through cli/screen.rs";
    find(path, &code::without_tests(text), OUTPUT, why)
}

fn silenced_lints(path: &str, text: &str) -> Vec<String> {
    find(
        path,
        &code::code_only(text),
        ALLOW,
        "use expect with a reason",
    )
}

fn unfinished(path: &str, text: &str) -> Vec<String> {
    find(path, text, UNFINISHED, "finish it, or leave it out")
}

fn elsewhere(path: &str, text: &str) -> Vec<String> {
    // The gate alone knows what may lie beside the checkout.
    if path == ".ci/run" {
        return Vec::new();
    }
    find(path, text, ELSEWHERE, "the project speaks of itself alone")
}

fn too_long(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let columns = line.chars().count();
        if columns > LINE_COLUMNS_MAX {
            complaints.push(format!("{path}:{number}: {columns} columns, at most 100"));
        }
    }
    complaints
}

/// Links of a Markdown text to files that are not among `files`. A folder counts as its files do.
fn broken_links(path: &str, text: &str, files: &BTreeSet<String>) -> Vec<String> {
    let link = Regex::new(r"\]\(([^)#\s]+)[^)]*\)").unwrap();
    let here = Path::new(path).parent().unwrap();
    let is_there = |target: &str| {
        let wanted = tree::resolve(here, target);
        files
            .iter()
            .any(|file| Path::new(file).starts_with(&wanted))
    };
    link.captures_iter(text)
        .map(|captures| captures[1].to_owned())
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .filter(|target| !is_there(target))
        .map(|target| format!("{path}: links to {target}, which does not exist"))
        .collect()
}

/// Each place where the pattern matches, with its line.
fn find(path: &str, text: &str, pattern: &str, why: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    pattern
        .find_iter(text)
        .map(|found| {
            let line = text[..found.start()].matches('\n').count() + 1;
            format!("{path}:{line}: `{}`: {why}", found.as_str().trim())
        })
        .collect()
}

#[test]
fn the_sources_keep_the_rules() {
    let files = tree::project();
    let modules = tree::modules(&files);
    let tests: BTreeSet<_> = modules
        .iter()
        .filter(|m| m.test)
        .map(|m| m.path.as_str())
        .collect();
    let mut complaints = tree::dead_files(&files, &modules);
    let names: BTreeSet<_> = files.keys().cloned().collect();
    for (path, text) in &files {
        complaints.extend(unfinished(path, text));
        complaints.extend(elsewhere(path, text));
        if path.ends_with(".md") {
            complaints.extend(broken_links(path, text, &names));
        }
        if path.ends_with(".rs") {
            complaints.extend(silenced_lints(path, text));
            complaints.extend(too_long(path, text));
        }
        if path.starts_with("src/") && !tests.contains(path.as_str()) {
            complaints.extend(core_names_the_world(path, text));
            complaints.extend(window_and_aggregate_meet(path, text));
            complaints.extend(unescaped_output(path, text));
            // Faults that tests switch on are not in the program.
            if path != "src/canary.rs" {
                complaints.extend(banned_code(path, text));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The modules of the program, without those that only tests see, and their texts without
/// comments, strings and tests.
fn program<'f>(
    files: &'f tree::Files,
    modules: &'f [Module],
) -> (Vec<&'f Module>, BTreeMap<&'f str, String>) {
    let modules: Vec<&Module> = modules.iter().filter(|module| !module.test).collect();
    let code = |module: &&'f Module| {
        let path = module.path.as_str();
        (path, code::without_tests(&files[path]))
    };
    let codes = modules.iter().map(code).collect();
    (modules, codes)
}

/// In the second stage no file uses one that uses it, nor does a room, or all of it together. The
/// name of a type is used once there, and what a function takes has a name.
#[test]
fn the_fold_keeps_its_own_rules() {
    let files = tree::project();
    let modules = tree::modules(&files);
    let (modules, codes) = program(&files, &modules);
    let uses = circles::uses(&modules, &codes);
    let fold = codes.iter().filter(|(path, _)| path.starts_with(FOLD));
    let tokens: BTreeMap<&str, _> = fold
        .map(|(path, code)| (*path, tokens::of_code(code)))
        .collect();
    // Where one of these is gone, what is held of it elsewhere would hold of nothing.
    for room in ["window/", "aggregate/", "partition.rs"] {
        let room = format!("{FOLD}{room}");
        let is_there = tokens.keys().any(|path| path.starts_with(&room));
        assert!(is_there, "there is no {room}");
    }
    // A folder is a room together with the file of its name, if there is one beside it.
    let room = |path: &&str| {
        let (room, _) = path.rsplit_once('/')?;
        let has_file = tokens.contains_key(format!("{room}.rs").as_str());
        Some(format!("{room}{}", if has_file { "" } else { "/" }))
    };
    let rooms: BTreeSet<String> = tokens.keys().filter_map(room).collect();
    let circles = rooms.iter().flat_map(|room| circles::circles(room, &uses));
    let mut complaints: Vec<String> = circles.collect::<BTreeSet<_>>().into_iter().collect();
    let names = tokens.iter().map(|(path, t)| (*path, types::defined(t)));
    complaints.extend(types::twice(names));
    let aliases = tokens.values().flat_map(|t| functions::tuple_aliases(t));
    let aliases: Vec<&str> = aliases.collect();
    for (path, tokens) in &tokens {
        complaints.extend(functions::tuple_parameters(path, tokens, &aliases));
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Nowhere does a file use one that uses it, through others neither. What the file of a room says
/// for all that is in it is no such use.
#[test]
fn no_files_use_each_other() {
    let files = tree::project();
    let modules = tree::modules(&files);
    let (modules, codes) = program(&files, &modules);
    let mut uses = circles::uses(&modules, &codes);
    assert!(uses.len() > 100, "{} files", uses.len());
    for (path, used) in &mut uses {
        let is_around = |other: &String| {
            let room = other.strip_suffix("mod.rs");
            let room = room.or_else(|| other.strip_suffix("lib.rs"));
            let room = room.map_or_else(|| other.replace(".rs", "/"), str::to_owned);
            path.starts_with(&room)
        };
        used.retain(|other| !is_around(other));
    }
    let complaints = circles::circles("src/", &uses);
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// docs/architecture.md tells of every file of the second stage, and of the way of a match through
/// them, which is short. Prints how short.
#[test]
fn the_way_of_a_match_is_told() {
    let files = tree::project();
    let modules = tree::modules(&files);
    let (_, codes) = program(&files, &modules);
    let all: BTreeSet<&str> = codes.keys().copied().collect();
    let fold = all.iter().filter(|path| path.starts_with(FOLD));
    let document = &files["docs/architecture.md"];
    let complaints = way::complaints(document, &fold.copied().collect(), &all);
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
    let (way, parts) = (way::way(document).len(), way::parts(document).len());
    println!(
        "from a message of the matches topic to the bytes of an incident: {way} files, and {parts} \
         that these use"
    );
    assert!(way <= WAY_FILES_MAX, "{way} files, at most {WAY_FILES_MAX}");
}

/// Nothing of the core uses the shell, in whatever words.
#[test]
fn the_core_uses_no_file_of_the_shell() {
    let files = tree::project();
    let modules = tree::modules(&files);
    let (modules, codes) = program(&files, &modules);
    let uses = circles::uses(&modules, &codes);
    let core = uses.iter().filter(|(path, _)| !is_shell(path));
    let complaints: Vec<String> = core
        .flat_map(|(path, used)| used.iter().map(move |used| (path, used)))
        .filter(|(_, used)| is_shell(used))
        .map(|(path, used)| format!("{path} uses {used}"))
        .collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Functions are short. Prints how short.
#[test]
fn functions_are_short() {
    let files = tree::project();
    let modules = tree::modules(&files);
    let (_, codes) = program(&files, &modules);
    let lines = |code: &String| {
        let functions = functions::of(&tokens::of_code(code));
        functions.iter().map(|f| f.lines).collect::<Vec<_>>()
    };
    let lines: Vec<usize> = codes.values().flat_map(lines).collect();
    let count = lines.len();
    let (p95, most) = functions::lengths(lines, 95);
    println!("{count} functions: 95 of a hundred have at most {p95} lines, all at most {most}");
    assert!(
        p95 <= FUNCTION_LINES_P95,
        "95 of a hundred functions have at most {p95} lines, which is more than \
         {FUNCTION_LINES_P95}"
    );
}

/// Each field of a log line has one name, and is told of.
#[test]
fn the_fields_of_log_lines_are_documented() {
    let files = tree::project();
    let sources = files.iter().filter(|(path, _)| path.starts_with("src/"));
    let mut used: BTreeSet<String> = sources.flat_map(|(_, text)| log::fields(text)).collect();
    // The line's own words.
    used.remove("message");
    let documented = log::documented(&files["docs/log.md"]);
    let untold: Vec<_> = used.difference(&documented).collect();
    let unused: Vec<_> = documented.difference(&used).collect();
    assert!(untold.is_empty(), "tell of them in docs/log.md: {untold:?}");
    assert!(
        unused.is_empty(),
        "docs/log.md tells of fields that are not there: {unused:?}"
    );
}

/// What a check says of a text with a violation and of one without.
#[track_caller]
fn check(check: fn(&str, &str) -> Vec<String>, path: &str, bad: &str, good: &str) {
    assert_eq!(
        check(path, bad).len(),
        1,
        "{:?} in {path}: {bad}",
        check(path, bad)
    );
    assert_eq!(check(path, good), Vec::<String>::new(), "{path}: {good}");
}

#[test]
fn the_world_is_noticed_in_the_core() {
    let cases = [
        ("use rdkafka::Message;", "/// As rdkafka has it.\nfn f() {}"),
        ("use std::{fmt, fs};", "use std::{fmt, fmt::Write};"),
        ("let t = std::time::Instant::now();", "let t = \"Instant\";"),
        (
            "fn f(file: &File) {}",
            "#[cfg(test)]\nmod tests { use std::fs; }",
        ),
        ("std::env::var(name)", "environment(name)"),
    ];
    for (bad, good) in cases {
        check(core_names_the_world, "src/rule/yaml.rs", bad, good);
    }
    assert!(core_names_the_world("src/io/disk/store.rs", "use rocksdb::DB;").is_empty());
}

#[test]
fn window_and_aggregate_are_kept_apart() {
    let check = |path, bad, good| check(window_and_aggregate_meet, path, bad, good);
    check(
        "src/fold/window/mod.rs",
        "use crate::fold::aggregate::Sum;",
        "// Not the aggregate.\nuse a::B;",
    );
    check(
        "src/fold/aggregate/sum.rs",
        "fn f(t: Millis)",
        "fn f(n: u64)",
    );
    check(
        "src/fold/aggregate/mod.rs",
        "use crate::time;",
        "use crate::event;",
    );
}

#[test]
fn banned_code_is_noticed() {
    let check = |bad, good| check(banned_code, "src/plan.rs", bad, good);
    check("static CELL: OnceLock<u8> = ..", "struct Cell;");
    check("let a = b.unwrap();", "let a = b.unwrap_or(1);");
    check("b.expect(\"there\")", "cursor.expect(Symbol::Open)");
    check(
        "static mut N: u8 = 0;",
        "// static mut\n#[cfg(test)]\nmod tests { a.unwrap() }",
    );
    self::check(
        unescaped_output,
        "src/cli/tail.rs",
        "println!(\"{x}\")",
        "screen::out(x)",
    );
    let silenced = concat!("#[al", "low(dead_code)]");
    self::check(
        silenced_lints,
        "src/plan.rs",
        silenced,
        "#[expect(dead_code, reason = \"..\")]",
    );
}

#[test]
fn words_that_stay_out_are_noticed() {
    check(
        unfinished,
        "src/plan.rs",
        concat!("// TO", "DO: later"),
        "// to do",
    );
    check(
        unfinished,
        "src/plan.rs",
        concat!("d", "bg!(1)"),
        "debug!(1)",
    );
    check(
        elsewhere,
        "README.md",
        concat!("see /ro", "ot/x"),
        "see src/root/x",
    );
    check(
        elsewhere,
        "docs/a.md",
        concat!("see DESIGN", ".md"),
        "see docs/architecture.md",
    );
    check(
        elsewhere,
        "src/a.rs",
        concat!("// share", "d/data"),
        "// shared data",
    );
    check(elsewhere, "src/a.rs", concat!("// §", "4"), "// '§'");
}

#[test]
fn length_is_noticed() {
    check(too_long, "src/a.rs", &"x".repeat(101), &"é".repeat(100));
}

#[test]
fn broken_links_are_noticed() {
    let files = BTreeSet::from(["docs/a.md".to_owned(), "rules/azure/8.yaml".to_owned()]);
    let broken = |text| broken_links("docs/a.md", text, &files).len();
    assert_eq!(broken("[x](b.md)"), 1);
    assert_eq!(broken("[x](../rules/azur)"), 1);
    assert_eq!(
        broken("[x](a.md#part) [x](../rules/azure) [x](https://a.b) [x](#part)"),
        0
    );
}
