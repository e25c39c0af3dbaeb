//! The fields of log lines, as the sources have them and as docs/log.md tells of them.

use std::collections::BTreeSet;

use regex::Regex;

use super::code;

/// The names of the fields in all log lines of a file.
pub fn fields(text: &str) -> BTreeSet<String> {
    let code = code::without_tests(text);
    let line = Regex::new(r"tracing::(info|warn|error|debug)!\(").unwrap();
    let field = Regex::new(r"^[%?]?([a-z_]\w*)\s*(=[^=]|$)").unwrap();
    let mut names = BTreeSet::new();
    for start in line.find_iter(&code) {
        for argument in arguments(&code[start.end()..]) {
            if let Some(found) = field.captures(argument.trim()) {
                names.insert(found[1].to_owned());
            }
        }
    }
    names
}

/// The arguments of a call whose parenthesis was opened before the text.
fn arguments(text: &str) -> Vec<&str> {
    let (mut depth, mut start) = (0, 0);
    let mut arguments = Vec::new();
    for (at, character) in text.char_indices() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ',' | ')' if depth == 0 => {
                arguments.push(&text[start..at]);
                start = at + 1;
                if character == ')' {
                    break;
                }
            }
            _ => (),
        }
    }
    arguments
}

/// The names in the first columns of the tables.
pub fn documented(doc: &str) -> BTreeSet<String> {
    let rows = doc.lines().filter(|line| line.starts_with("| `"));
    let columns = rows.filter_map(|row| row.split(" | ").next());
    let names = columns.flat_map(|column| column.split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

#[test]
fn fields_are_found() {
    let text = r#"tracing::info!(topic, lag = a.len(), %error, ?x, "a, b = {c}", );
        call(no, why = 1);
        tracing::warn!("text {}", name(x)); tracing::debug!(target: "t", facility, message);"#;
    let found: Vec<String> = fields(text).into_iter().collect();
    assert_eq!(found, ["error", "facility", "lag", "message", "topic", "x"]);
    let doc = "| field | means |\n| --- | --- |\n| `a`, `b` | c `d` |\n";
    assert_eq!(documented(doc), BTreeSet::from(["a".into(), "b".into()]));
}
