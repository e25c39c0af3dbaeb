//! What is wrong with a configuration file, in our words: with the key, and without any value,
//! which may be a secret.

use super::keys::names;
use crate::rule::nearest::nearest;

/// What a value can be, as the reader of TOML and as we say it.
const KINDS: [(&str, &str); 6] = [
    ("string", "text"),
    ("integer", "a number"),
    ("floating point", "a number"),
    ("boolean", "true or false"),
    ("map", "a table"),
    ("sequence", "a list"),
];

/// The name of a key within its section.
fn within_section(key: &str) -> &str {
    key.rsplit_once('.').map_or(key, |(_, name)| name)
}

/// What is said of a key that is not known where it stands.
fn unknown_key(name: &str) -> String {
    if name == "accept_incomplete_state" {
        return "the key accept_incomplete_state is gone: what was lost is accepted once, with \
                `watchfire topics accept-loss`"
            .to_owned();
    }
    let own = names().find(|key| within_section(key) == name);
    if let Some(own) = own {
        return match own.split_once('.') {
            Some((section, _)) => format!("the key {name} does not stand here, but in [{section}]"),
            None => format!("the key {name} does not stand here, but above all sections"),
        };
    }
    let sections = [
        "limits",
        "state",
        "http",
        "incidents",
        "registry",
        "login",
        "kafka",
    ];
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    match nearest(
        name,
        sections.into_iter().chain(names().map(within_section)),
    ) {
        _ if name.len() > 40 || !name.chars().all(is_word) => "a key is not known".to_owned(),
        Some(near) => format!("the key {name} is not known; did you mean {near}?"),
        None => format!("the key {name} is not known"),
    }
}

/// The key, one of ours, whose value stands at `at` of a file's text.
pub(super) fn key_of_value(text: &str, at: usize) -> Option<&'static str> {
    let (_, line) = text
        .get(..at)?
        .rsplit_once('\n')
        .unwrap_or(("", text.get(..at)?));
    let (name, _) = line.split_once('=')?;
    let name = name.trim();
    names().find(|key| *key == name || within_section(key) == name)
}

/// What a reader of TOML expected, as we say it.
fn wanted(expected: &str) -> &str {
    match expected {
        "a string" | "string or table" => "text in quotes",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "u32" => "a whole number from 0 to 4294967295",
        other => match other == "a map" || other.starts_with("struct ") {
            true => "a table",
            false => other,
        },
    }
}

/// What a reader of TOML complains of, without the values that it would show.
pub(super) fn complaint(message: &str) -> String {
    let message = message.trim();
    let unknown = message.strip_prefix("unknown field `");
    if let Some((name, _)) = unknown.and_then(|rest| rest.rsplit_once("`, expected")) {
        return unknown_key(name);
    }
    if let Some(expected) = message.strip_prefix("wanted ") {
        return format!("expected {}", wanted(expected));
    }
    // The value stands between the kind of thing that it is and what was expected.
    let expected = message.rsplit_once(", expected ");
    let is_shown = [
        "invalid type: ",
        "invalid value: ",
        "invalid length ",
        "unknown variant ",
    ]
    .iter()
    .find_map(|start| message.strip_prefix(start));
    match (is_shown, expected) {
        (Some(found), Some((_, expected))) => {
            let kind = KINDS.iter().find(|(kind, _)| found.starts_with(kind));
            let found = kind.map_or(String::new(), |(_, kind)| format!("found {kind}, "));
            format!("{found}expected {}", wanted(expected))
        }
        (Some(_), None) => "this value cannot stand here".to_owned(),
        (None, _) => message.replace('\n', "; "),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Written;

    #[test]
    fn what_is_wrong_with_a_value_is_said_with_its_key() {
        fn check(text: &str, expected: &str) {
            assert_eq!(Written::from_file("w.toml", text).unwrap_err(), expected);
        }
        check(
            "patience = 15",
            "w.toml:1: patience: found a number, expected text in quotes",
        );
        check(
            "\nsources = \"acts\"",
            "w.toml:2: sources: found text, expected a list",
        );
        check(
            "[limits]\nevidence = -1",
            "w.toml:2: limits.evidence: found a number, expected a whole number from 0 to \
             4294967295",
        );
        check(
            "limits.evidence = \"few\"",
            "w.toml:1: limits.evidence: found text, expected a whole number from 0 to 4294967295",
        );
        check(
            "rule_tests = true",
            "w.toml:1: rule_tests: expected text in quotes",
        );
        check(
            "on_broken_rules = \"last\"",
            "w.toml:1: on_broken_rules: expected `last_good` or `stop`",
        );
        check(
            "on_replaced_source = \"ignore\"",
            "w.toml:1: on_replaced_source: expected `stop` or `restart`",
        );
        check("limits = 5", "w.toml:1: found a number, expected a table");
    }

    #[test]
    fn a_key_in_the_wrong_section_is_said_to_be_there() {
        fn check(text: &str, expected: &str) {
            assert_eq!(Written::from_file("w.toml", text).unwrap_err(), expected);
        }
        check(
            "evidence = 3",
            "w.toml:1: the key evidence does not stand here, but in [limits]",
        );
        check(
            "[limits]\npatience = \"1m\"",
            "w.toml:2: the key patience does not stand here, but above all sections",
        );
    }
}
