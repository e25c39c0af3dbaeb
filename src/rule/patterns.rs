//! The `patterns` of a rule.

use super::attribute::Names;
use super::reader::{Fields, Reader};
use super::yaml::{Node, Position};
use super::{Aggregate, Comparison, Filter, Function, Having, Pattern, Term, attribute};
use crate::event::{AttributeId, Attributes};

const KEYS: &[&str] = &["name", "where", "group_by", "having", "new"];

/// Words that would read as something else in a condition.
const RESERVED: &[&str] = &[
    "AND",
    "OR",
    "NOT",
    "AND_NOT",
    "FOLLOWED_BY",
    "NOT_FOLLOWED_BY",
    "IN",
    "IS",
    "NULL",
];

/// A pattern that may lack what could not be read.
pub struct Draft {
    pub at: Position,
    pub name: String,
    filter: Option<Filter>,
    pub group_by: Vec<AttributeId>,
    pub aggregates: Vec<Aggregate>,
    having: Option<Having>,
}

impl Draft {
    /// The pattern, if nothing is lacking.
    pub fn finish(self) -> Option<Pattern> {
        Some(Pattern {
            name: self.name,
            filter: self.filter?,
            group_by: self.group_by,
            aggregates: self.aggregates,
            having: self.having?,
        })
    }
}

pub fn read(reader: &mut Reader<'_>, fields: Fields<'_>, names: &mut Attributes) -> Vec<Draft> {
    let Some(node) = reader.require(fields, "patterns") else {
        return Vec::new();
    };
    let before = reader.errors.len();
    let mut drafts: Vec<Draft> = Vec::new();
    for item in reader.list(fields, "patterns", "a list of patterns") {
        let Some(draft) = pattern(reader, item, names) else {
            continue;
        };
        let same = |known: &&Draft| known.name.eq_ignore_ascii_case(&draft.name);
        if let Some(first) = drafts.iter().find(same).filter(|_| !draft.name.is_empty()) {
            let line = first.at.line;
            let message = format!("pattern `{}` is already in line {line}", draft.name);
            reader.error(draft.at, message);
        }
        drafts.push(draft);
    }
    if drafts.is_empty() && reader.errors.len() == before {
        reader.error(node.at, "a rule has at least one pattern");
    }
    drafts
}

fn pattern(reader: &mut Reader<'_>, node: &Node, names: &mut Attributes) -> Option<Draft> {
    let fields = reader.fields(node, "a pattern, a mapping", KEYS)?;
    let name_node = reader.require(fields, "name");
    let name = name_node
        .and_then(|node| pattern_name(reader, node))
        .unwrap_or_default();
    let filter = reader.require(fields, "where").and_then(|node| {
        let text = reader.text(node, "a filter such as eventType = \"..\"")?;
        let parsed = Filter::parse_with(text, &mut Names::Event(names));
        parsed
            .map_err(|errors| reader.errors_within(node, errors))
            .ok()
    });
    let group_by = group_by(reader, fields, names);
    let mut aggregates = Vec::new();
    let having = match fields.get("having") {
        None => Some(at_least_one(&mut aggregates)),
        Some(node) => reader
            .text(node, "a test such as COUNT(*) >= 5")
            .and_then(|text| {
                let parsed = Having::parse(text, &mut Names::Event(names), &mut aggregates);
                parsed
                    .map_err(|errors| reader.errors_within(node, errors))
                    .ok()
            }),
    };
    if let Some(node) = fields.get("new") {
        reader.error(
            node.at,
            "`new` (values not seen before) is not supported yet",
        );
    }
    let at = name_node.map_or(node.at, |node| node.at);
    Some(Draft {
        at,
        name,
        filter,
        group_by,
        aggregates,
        having,
    })
}

fn at_least_one(aggregates: &mut Vec<Aggregate>) -> Having {
    aggregates.push(Aggregate {
        function: Function::Count,
        input: None,
    });
    Having::Compare(
        Term::Aggregate(0),
        Comparison::GreaterOrEqual,
        Term::Number(1.0),
    )
}

fn pattern_name(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let expected = "a name of letters, digits and _";
    let name = reader.text(node, expected)?;
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let number = name.starts_with(|c: char| c.is_ascii_digit());
    if RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name)) {
        reader.error(
            node.at,
            format!("`{name}` is an operator, not a name for a pattern"),
        );
        return None;
    }
    if !letters || number {
        reader.error(node.at, format!("expected {expected}, found `{name}`"));
        return None;
    }
    Some(name.to_string())
}

fn group_by(
    reader: &mut Reader<'_>,
    fields: Fields<'_>,
    names: &mut Attributes,
) -> Vec<AttributeId> {
    let mut group_by = Vec::new();
    for node in reader.list(fields, "group_by", "a list of attributes") {
        let Some(name) = reader.text(node, "the name of an attribute") else {
            continue;
        };
        match attribute::parse(name).map(|attribute| names.intern(attribute)) {
            Ok(id) if group_by.contains(&id) => {
                reader.error(node.at, format!("`{name}` is in this list twice"));
            }
            Ok(id) => group_by.push(id),
            Err(message) => reader.error(node.at, message),
        }
    }
    group_by
}
