//! `watchfire rules check`: are these rules valid?

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::event::Attributes;
use crate::io::rule_files;
use crate::rule;

/// Reads all rules under `paths` and writes every error, or one line of what there is, to
/// standard output; with `json` both as one JSON object. Fails when there are errors.
pub fn run(paths: &[PathBuf], json: bool) -> ExitCode {
    let (text, valid) = match rule_files::load(paths) {
        Ok(files) => report(&files, json),
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = std::io::stdout().write_all(text.as_bytes()) {
        eprintln!("error: standard output: {error}");
        return ExitCode::FAILURE;
    }
    if valid {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What to write, and whether the rules are valid.
fn report(files: &[(String, String)], json: bool) -> (String, bool) {
    let found = rule::parse_all(files, &mut Attributes::default());
    let text = if json {
        as_json(files.len(), &found)
    } else {
        as_text(files.len(), &found)
    };
    (text, found.is_ok())
}

type Found = Result<Vec<rule::Rule>, Vec<rule::RuleError>>;

fn tests(rules: &[rule::Rule]) -> usize {
    rules.iter().map(|rule| rule.tests.len()).sum()
}

fn as_text(files: usize, found: &Found) -> String {
    match found {
        Ok(rules) => {
            let (rules, tests) = (count(rules.len(), "rule"), count(tests(rules), "test"));
            format!("{rules}, {tests} in {}: valid\n", count(files, "file"))
        }
        Err(errors) => {
            let lines: String = errors.iter().map(|error| format!("{error}\n")).collect();
            format!(
                "{lines}{} in {}\n",
                count(errors.len(), "error"),
                count(files, "file")
            )
        }
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn as_json(files: usize, found: &Found) -> String {
    let (rules, errors) = match found {
        Ok(rules) => (rules.as_slice(), [].as_slice()),
        Err(errors) => ([].as_slice(), errors.as_slice()),
    };
    let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    let error = |error: &rule::RuleError| {
        json!({
            "file": error.file,
            "line": error.line,
            "column": error.column,
            "message": error.message,
        })
    };
    let report = json!({
        "valid": found.is_ok(),
        "files": files,
        "rules": ids,
        "tests": tests(rules),
        "errors": errors.iter().map(error).collect::<Vec<_>>(),
    });
    format!("{report}\n")
}

#[cfg(test)]
mod tests {
    use super::report;

    #[test]
    fn the_rules_shipped_are_valid() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
        let files = crate::io::rule_files::load(&[folder.into()]).unwrap();
        let expected = "7 rules, 24 tests in 7 files: valid\n".to_string();
        assert_eq!(report(&files, false), (expected, true));
    }

    const GOOD: &str = "id: R1\nname: n\nseverity: 5\nwindow: 5m\npatterns: \
                        [{name: P, where: user IS NULL}]\n";

    #[test]
    fn says_what_there_is_or_what_is_wrong() {
        let check = |texts: &[&str], json: bool, expected: &str, valid: bool| {
            let files: Vec<(String, String)> = texts
                .iter()
                .enumerate()
                .map(|(place, text)| (format!("{place}.yaml"), (*text).to_string()))
                .collect();
            assert_eq!(report(&files, json), (expected.to_string(), valid));
        };
        check(&[GOOD], false, "1 rule, 0 tests in 1 file: valid\n", true);
        check(
            &[GOOD],
            true,
            "{\"errors\":[],\"files\":1,\"rules\":[\"R1\"],\"tests\":0,\"valid\":true}\n",
            true,
        );
        check(
            &[GOOD, GOOD, "a: b: c"],
            false,
            "1.yaml:1:5: the id `R1` is already that of 0.yaml:1\n2.yaml:1:5: not YAML: mapping \
             values are not allowed in this context\n2 errors in 3 files\n",
            false,
        );
        check(
            &["[]"],
            true,
            "{\"errors\":[{\"column\":1,\"file\":\"0.yaml\",\"line\":1,\"message\":\"expected a \
             rule, a mapping, found a list\"}],\"files\":1,\"rules\":[],\"tests\":0,\
             \"valid\":false}\n",
            false,
        );
    }
}
