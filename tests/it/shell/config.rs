//! `config`: what is said of a configuration, and of what can be set.

use serde_json::Value;

use super::{Ran, folder, program};

const FILE: &str = "sources = [\"activity\"]\nrules = [\"r\"]\n[state]\nkeys = \"64MiB\"\n\
                    [kafka]\n\"bootstrap.servers\" = \"b:9092\"\n";

#[test]
fn what_holds_is_shown_with_its_place() {
    let folder = folder(&[("w.toml", FILE)]);
    let mut show = program(folder.path(), &["config", "show", "-c", "w.toml"]);
    show.args(["--app", "other"]);
    show.env("WATCHFIRE_PATIENCE", "2m");
    show.env("WATCHFIRE_KAFKA_SASL_PASSWORD", "hush");
    let shown = Ran::of(&mut show);
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(!shown.out.contains("hush"), "{}", shown.out);
    let mut lines = shown.out.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.join(" ")
    });
    for line in [
        "app \"other\" flag",
        "sources [\"activity\"] w.toml:1",
        "patience \"2m\" WATCHFIRE_PATIENCE",
        "lateness \"2h\" default",
        "state.keys \"64MiB\" w.toml:4",
        "kafka.\"bootstrap.servers\" \"b:9092\" w.toml:6",
        "kafka.\"sasl.password\" (not shown) WATCHFIRE_KAFKA_SASL_PASSWORD",
    ] {
        assert!(lines.any(|found| found == line), "{line}: {}", shown.out);
    }
    let json = Ran::of(show.arg("--json"));
    let all: Vec<Value> = serde_json::from_str(&json.out).unwrap();
    let keys = all.iter().find(|one| one["key"] == "state.keys").unwrap();
    assert_eq!(keys["value"], "64MiB");
    assert_eq!(keys["from"]["line"], 4);
}

#[test]
fn a_configuration_is_checked_without_brokers() {
    fn check(file: &str, code: i32, out: &str, err: &str) {
        let folder = folder(&[("w.toml", file)]);
        let checked = Ran::of(&mut program(
            folder.path(),
            &["config", "check", "-c", "w.toml"],
        ));
        assert_eq!(
            (checked.code, checked.out.trim(), checked.err.trim()),
            (code, out, err)
        );
    }
    check(FILE, 0, "the configuration is valid", "");
    let unknown = "error: w.toml:1: the key kees is not known; did you mean keys?";
    check("kees = 1\n", 2, "", unknown);
    let brokers = "[kafka]\n\"bootstrap.servers\" = \"b:9092\"\n";
    let missing = "error: no sources: say which topics to read, sources = [\"..\"]\n\
                   error: no rules: name files or directories, rules = [\"..\"]";
    check(brokers, 2, "", missing);
}

#[test]
fn schemas_are_written() {
    let folder = folder(&[]);
    for (what, at) in [
        ("config", "/properties/state_dir"),
        ("rules", "/anyOf/0/properties/patterns"),
        ("rules", "/anyOf/1/properties/macros"),
    ] {
        let ran = Ran::of(&mut program(folder.path(), &[what, "schema"]));
        let schema: Value = serde_json::from_str(&ran.out).unwrap();
        assert!(schema.pointer(at).is_some(), "{what}");
    }
}
