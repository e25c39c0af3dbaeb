//! What a rule says of itself that decides nothing about what it finds: who wrote it, what it rests
//! on, what else it may find. Its status alone is more: what a rule under test finds stands apart.

use super::bounds::METADATA_MAX;
use super::nearest::{self, shown};
use super::reader::{Fields, Reader};
use super::yaml::Node;

/// How far one may rely on a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// It is relied on.
    #[default]
    Stable,
    /// It is tried out: what it finds is counted, and published only where that is asked for.
    Test,
    /// It is to be replaced; `rules check` says so.
    Deprecated,
}

impl Status {
    /// In the order in which they are described.
    pub const ALL: [Status; 3] = [Status::Stable, Status::Test, Status::Deprecated];

    /// As rules write it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Stable => "stable",
            Status::Test => "test",
            Status::Deprecated => "deprecated",
        }
    }
}

/// What a rule says of itself, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Which version of the rule it is, in its authors' own count; free text.
    pub version: String,
    /// Who wrote it; free text.
    pub author: String,
    /// How far one may rely on it.
    pub status: Status,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Where what it rests on is told, mostly addresses.
    pub references: Vec<String>,
    /// What else it may find, that is no trouble.
    pub false_positives: Vec<String>,
}

/// The keys of a rule that are read here.
pub const KEYS: [&str; 6] = [
    "version",
    "author",
    "status",
    "tags",
    "references",
    "false_positives",
];

/// Reads them.
pub fn read(reader: &mut Reader<'_>, fields: Fields<'_>) -> Metadata {
    Metadata {
        version: text(reader, fields, "version"),
        author: text(reader, fields, "author"),
        status: status(reader, fields).unwrap_or_default(),
        tags: texts(reader, fields, "tags"),
        references: texts(reader, fields, "references"),
        false_positives: texts(reader, fields, "false_positives"),
    }
}

/// The text at `key`, or nothing.
pub fn text(reader: &mut Reader<'_>, fields: Fields<'_>, key: &str) -> String {
    let node = fields.get(key);
    let text = node.and_then(|node| reader.text(node, "text"));
    text.map(str::trim).unwrap_or_default().to_owned()
}

fn texts(reader: &mut Reader<'_>, fields: Fields<'_>, key: &str) -> Vec<String> {
    let expected = format!("a list of texts, {key}: [\"..\"]");
    let mut texts = Vec::new();
    for node in reader.list(fields, key, &expected, METADATA_MAX) {
        let text = reader.text(node, "text");
        texts.extend(text.map(|text| text.trim().to_owned()));
    }
    texts
}

fn status(reader: &mut Reader<'_>, fields: Fields<'_>) -> Option<Status> {
    let node: &Node = fields.get("status")?;
    let names = Status::ALL.map(Status::name);
    let text = reader.text(node, "a status: stable, test or deprecated")?;
    let status = Status::ALL.into_iter().find(|status| status.name() == text);
    if status.is_none() {
        let hint = nearest::hint(text, &names);
        reader.error(node.at, format!("unknown status `{}`{hint}", shown(text)));
    }
    status
}

#[cfg(test)]
mod tests {
    use super::{Metadata, Status};
    use crate::event::Attributes;
    use crate::rule::parse;

    const RULE: &str = "id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n  - {name: P, where: \
                        'user = \"a\"', group_by: [user]}\n";

    fn check(more: &str, expected: Result<&Metadata, &str>) {
        let mut attributes = Attributes::default();
        match (
            parse("rule", &format!("{RULE}{more}"), &mut attributes),
            expected,
        ) {
            (Ok(rules), Ok(expected)) => assert_eq!(rules[0].metadata, *expected, "{more}"),
            (Err(errors), Err(expected)) => {
                assert_eq!(errors[0].to_string(), expected, "{more}");
            }
            (found, expected) => panic!("{more}: {found:?} but expected {expected:?}"),
        }
    }

    #[test]
    fn it_is_read() {
        check("", Ok(&Metadata::default()));
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let all = Metadata {
            version: "1.20".to_owned(),
            author: "Alice, Bob".to_owned(),
            status: Status::Deprecated,
            tags: texts(&["azure", "2026"]),
            references: texts(&["https://example.com/a#b"]),
            false_positives: texts(&["Deployments\nat night"]),
        };
        let text = "version: 1.20\nauthor: Alice, Bob\nstatus: deprecated\ntags: [azure, 2026]\n\
                    references: [https://example.com/a#b]\nfalse_positives:\n  - |\n    \
                    Deployments\n    at night\n";
        check(text, Ok(&all));
    }

    #[test]
    fn it_is_refused() {
        check(
            "status: stabel",
            Err("rule:7:9: unknown status `stabel`: did you mean `stable`?"),
        );
        check("version: []", Err("rule:7:10: expected text, found a list"));
        check(
            "tags: azure",
            Err("rule:7:7: expected a list of texts, tags: [\"..\"], found `azure`"),
        );
        let many = format!("tags: [{}]", "a, ".repeat(257));
        check(
            &many,
            Err("rule:7:776: `tags` has at most 256 items, found 257"),
        );
    }

    #[test]
    fn a_status_alone_is_of_its_meaning() {
        let meaning = |more: &str| {
            let mut attributes = Attributes::default();
            let rules = parse("rule", &format!("{RULE}{more}"), &mut attributes).unwrap();
            rules[0].meaning(&attributes)
        };
        let plain = meaning("");
        for same in [
            "version: 2",
            "author: Alice",
            "tags: [a]",
            "references: [a]",
            "false_positives: [a]",
            "status: stable",
            "status: deprecated",
        ] {
            assert_eq!(meaning(same), plain, "{same}");
        }
        assert_ne!(meaning("status: test"), plain);
    }
}
