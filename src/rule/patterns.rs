//! The `patterns` of a rule.

use super::attribute::Names;
use super::bounds::{GROUP_BY_MAX, PATTERNS_MAX, TEXT_BYTES_MAX};
use super::formula::Reads;
use super::nearest::shown;
use super::reader::{Fields, Reader};
use super::rule_tests::FIELDS;
use super::scope::Age;
use super::yaml::{Content, Key, Node, Position};
use super::{
    Aggregate, Comparison, Filter, FilterError, Function, Having, New, Pattern, Term, attribute,
    filter_parser, print, reader,
};
use crate::event::{AttributeId, Attributes};
use crate::time::Second;

/// The keys of a pattern.
pub const KEYS: &[&str] = &["name", "where", "group_by", "having", "new"];

/// Words that would read as something else in a condition.
const RESERVED: &[&str] = &[
    "AND",
    "OR",
    "NOT",
    "AND_NOT",
    "FOLLOWED_BY",
    "NOT_FOLLOWED_BY",
];

/// Words that would read as something else in a filter or an aggregate.
const WORDS: &[&str] = &["AND", "OR", "NOT", "DISTINCT"];

/// A pattern that may lack what could not be read.
pub struct Draft {
    pub at: Position,
    pub name: String,
    filter: Option<Filter>,
    pub group_by: Vec<AttributeId>,
    pub reads: Reads,
    having: Option<Having>,
    pub new: Option<New>,
}

impl Draft {
    /// The pattern, if nothing is lacking.
    pub fn finish(self) -> Option<Pattern> {
        Some(Pattern {
            name: self.name,
            filter: self.filter?,
            group_by: self.group_by,
            aggregates: self.reads.aggregates,
            formulas: self.reads.formulas,
            having: self.having?,
            new: self.new,
        })
    }
}

pub fn read(reader: &mut Reader<'_>, fields: Fields<'_>, names: &mut Attributes) -> Vec<Draft> {
    let Some(node) = reader.require(fields, "patterns") else {
        return Vec::new();
    };
    let before = reader.errors.len();
    let mut drafts: Vec<Draft> = Vec::new();
    for item in reader.list(fields, "patterns", "a list of patterns", PATTERNS_MAX) {
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
        let parsed = Filter::parse_with(text, &mut Names::Event(names), &mut reader.scope);
        parsed
            .map_err(|errors| reader.errors_within(node, errors))
            .ok()
    });
    let mut reads = Reads::default();
    let mut group_by = group_by(reader, fields, names, &mut reads);
    let new = fields
        .get("new")
        .and_then(|node| new(reader, node, names, &reads));
    if let Some(new) = new.as_ref().filter(|_| fields.get("group_by").is_none()) {
        group_by.clone_from(&new.attributes);
    }
    let having = match fields.get("having") {
        None => Some(at_least_one(&mut reads.aggregates)),
        Some(node) => reader
            .text(node, "a test such as COUNT(*) >= 5")
            .and_then(|text| {
                let names = &mut Names::Event(names);
                let parsed = Having::parse_with(text, names, &mut reads, &mut reader.scope);
                parsed
                    .map_err(|errors| reader.errors_within(node, errors))
                    .ok()
            }),
    };
    if let (Some(new), Some(node)) = (&new, fields.get("new"))
        && !group_by.iter().all(|id| new.attributes.contains(id))
    {
        let missing = group_by.iter().find(|id| !new.attributes.contains(id));
        let missing = missing
            .map(|id| print::name(names, *id))
            .unwrap_or_default();
        let message =
            format!("`new` lacks `{missing}` of `group_by`: what is new is new for its group");
        reader.error(node.at, message);
    }
    let at = name_node.map_or(node.at, |node| node.at);
    Some(Draft {
        at,
        name,
        filter,
        group_by,
        reads,
        having,
        new,
    })
}

/// `[user, resourceId] over 5d`.
fn new(reader: &mut Reader<'_>, node: &Node, names: &mut Attributes, reads: &Reads) -> Option<New> {
    let expected = "attributes and a period in quotes, such as \"[user, resourceId] over 5d\"";
    let text = reader.text(node, expected)?;
    let parts = text.trim().strip_prefix('[').and_then(|rest| {
        let (list, period) = rest.rsplit_once(']')?;
        let (over, period) = period.trim().split_at_checked(4)?;
        over.eq_ignore_ascii_case("over")
            .then_some((list, period.trim()))
    });
    let Some((list, period)) = parts else {
        reader.error(
            node.at,
            format!("expected {expected}, found `{}`", shown(text)),
        );
        return None;
    };
    let offset_of = |part: &str| part.as_ptr().addr() - text.as_ptr().addr();
    let mut attributes = Vec::new();
    let mut errors = Vec::new();
    for name in list.split(separates()).map(str::trim) {
        if attributes.len() + errors.len() >= GROUP_BY_MAX {
            let message = format!("`new` has at most {GROUP_BY_MAX} attributes");
            errors.push(at(offset_of(name), message));
            break;
        }
        let named = reads.named(name).map(Ok);
        match named.unwrap_or_else(|| attribute::intern(name, names)) {
            Ok(id) if attributes.contains(&id) => {
                let message = format!("`{name}` is in this list twice");
                errors.push(at(offset_of(name), message));
            }
            Ok(id) => attributes.push(id),
            Err(message) => errors.push(at(offset_of(name), message)),
        }
    }
    let found = humantime::parse_duration(period)
        .ok()
        .filter(|period| period.subsec_nanos() == 0)
        .and_then(|period| Second::try_from(period.as_secs()).ok())
        .filter(|period| (1..=reader::DURATION_MAX).contains(period));
    if found.is_none() {
        let days = reader::DURATION_MAX / 86_400;
        let message = format!(
            "expected a period in whole seconds, at most {days}d, such as 5d or 12h, found \
             `{}`",
            shown(period)
        );
        errors.push(at(offset_of(period), message));
    }
    reader.errors_within(node, errors);
    Some(New {
        attributes,
        period: found?,
    })
}

/// Tells commas that stand in no quotes, of the characters of a text.
fn separates() -> impl FnMut(char) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    move |c| {
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        c == ',' && !quoted
    }
}

fn at(offset: usize, message: String) -> FilterError {
    FilterError { offset, message }
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
    let name = reader.short_text(node, expected)?;
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let number = name.starts_with(|c: char| c.is_ascii_digit());
    if RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name)) {
        reader.error(
            node.at,
            format!(
                "`{name}` is an operator of conditions: give the pattern another name, such as \
                 {name}_1"
            ),
        );
        return None;
    }
    if !letters || number {
        reader.error(
            node.at,
            format!("expected {expected}, found `{}`", shown(name)),
        );
        return None;
    }
    Some(name.to_string())
}

fn group_by(
    reader: &mut Reader<'_>,
    fields: Fields<'_>,
    names: &mut Attributes,
    reads: &mut Reads,
) -> Vec<AttributeId> {
    let mut group_by = Vec::new();
    for node in reader.list(fields, "group_by", "a list of attributes", GROUP_BY_MAX) {
        if let Content::Mapping(entries) = &node.content {
            group_by.extend(computed(reader, node, entries, names, reads));
            continue;
        }
        let Some(name) = reader.text(node, "the name of an attribute") else {
            continue;
        };
        match attribute::intern(name, names) {
            Ok(id) if group_by.contains(&id) => {
                reader.error(node.at, format!("`{name}` is in this list twice"));
            }
            Ok(id) => group_by.push(id),
            Err(message) => reader.error(node.at, message),
        }
    }
    group_by
}

/// `domain: EXTRACT(user, "@(.*)$")` in a group_by: the place of the value.
fn computed(
    reader: &mut Reader<'_>,
    node: &Node,
    entries: &[(Key, Node)],
    names: &mut Attributes,
    reads: &mut Reads,
) -> Option<AttributeId> {
    let [(key, value)] = entries else {
        let expected = "one name and what it stands for, in quotes where that has commas, such as \
                        domain: 'EXTRACT(user, \"@(.*)$\")'";
        reader.error(node.at, format!("expected {expected}"));
        return None;
    };
    let wrong = match reads.named(&key.text) {
        Some(_) => Some(format!("`{}` is in this list twice", shown(&key.text))),
        None => wrong_name(&key.text, reader.scope.age, names),
    };
    if let Some(message) = wrong {
        reader.error(key.at, message);
        return None;
    }
    let text = reader.text(value, "a computed value such as EXTRACT(user, \"@(.*)$\")")?;
    let read = filter_parser::parse_value(text, &mut Names::Event(names), &mut reader.scope);
    let (computed, lists) = read
        .map_err(|errors| reader.errors_within(value, errors))
        .ok()?;
    reads
        .add(Some(&key.text), vec![computed], lists, names)
        .map_err(|message| reader.error(key.at, message))
        .ok()
}

/// What keeps a computed value of a group_by from being called so.
fn wrong_name(name: &str, age: Age, known: &Attributes) -> Option<String> {
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_word = |word: &&str| word.eq_ignore_ascii_case(name);
    let said = shown(name);
    if !letters || !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return Some(format!(
            "`{said}` is not a name: letters, digits and _, and a letter first"
        ));
    }
    if FIELDS.contains(&name) {
        return Some(format!(
            "`{said}` is a field of every incident: choose another"
        ));
    }
    if age == Age::Old {
        return None;
    }
    if name.len() > TEXT_BYTES_MAX {
        let found = name.len();
        return Some(format!(
            "a name has at most {TEXT_BYTES_MAX} bytes, found {found}"
        ));
    }
    if WORDS.iter().any(is_word) {
        return Some(format!("`{said}` is an operator: choose another name"));
    }
    attribute::parse(name, known)
        .is_ok()
        .then(|| format!("`{said}` is an attribute of events: choose another name"))
}
