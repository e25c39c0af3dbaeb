//! One YAML document to one rule.

use std::sync::Arc;

use super::bounds::{MITRE_MAX, RULE_BYTES_MAX};
use super::incident_fields::IncidentFields;
use super::lists::Lists;
use super::metadata::Metadata;
use super::nearest::shown;
use super::patterns::Draft;
use super::reader::{Fields, Reader};
use super::relations::Between;
use super::scope::Age;
use super::shown::COUNTS;
use super::yaml::{Content, Document, Key, Node, Position};
use super::{
    Category, Exception, Pattern, Rule, Severity, characters, condition, exceptions,
    incident_fields, metadata, nearest, patterns, relations, rule_tests, severity,
};
use crate::event::Attributes;
use crate::time::Second;

/// The keys of a rule.
pub const KEYS: &[&str] = &[
    "id",
    "name",
    "description",
    "version",
    "author",
    "status",
    "enabled",
    "severity",
    "category",
    "subcategory",
    "impacts",
    "data_source",
    "tactics",
    "techniques",
    "tags",
    "references",
    "false_positives",
    "window",
    "patterns",
    "condition",
    "relations",
    "incident",
    "clear",
    "patience",
    "lateness",
    "exceptions",
    "tests",
];

/// What a document gave. Without a rule there are errors.
#[derive(Default)]
pub struct Loaded {
    pub id: Option<(String, Position)>,
    pub rule: Option<Rule>,
}

/// Reads a document, and reports everything that is wrong with it.
pub fn read(reader: &mut Reader<'_>, document: &Document<'_>, names: &mut Attributes) -> Loaded {
    let before = reader.errors.len();
    check_size_and_characters(reader, document);
    if reader.errors.len() > before {
        return Loaded::default();
    }
    let Some(fields) = reader.fields(&document.root, "a rule, a mapping", KEYS) else {
        return Loaded::default();
    };
    let id = reader
        .require(fields, "id")
        .and_then(|node| Some((id(reader, node)?, node.at)));
    let header = header(reader, fields);
    let mut drafts = patterns::read(reader, fields, names);
    let Clear { quiet, when: clear } = clear(reader, fields, &drafts);
    let condition = condition::read(reader, fields, &drafts, clear);
    let positive = |place: &usize| condition.as_ref().is_some_and(|c| c.is_positive(*place));
    let positive: Vec<usize> = (0..drafts.len()).filter(positive).collect();
    let between = Between {
        drafts: &drafts,
        condition: condition.as_ref(),
        clear,
    };
    let relations = relations::read(reader, fields, between, names);
    let IncidentFields {
        title,
        attributes,
        names,
    } = incident_fields::read(reader, fields, (&mut drafts, &positive), names);
    let tests = rule_tests::read(reader, fields, &names);
    let names: Vec<String> = names.into_iter().chain(COUNTS.map(str::to_owned)).collect();
    let severity = severity::read(reader, fields, &names);
    let exceptions = exceptions::read(reader, fields, &names);
    let patterns: Option<Vec<Pattern>> = drafts.into_iter().map(Draft::finish).collect();
    if reader.errors.len() > before {
        return Loaded { id, rule: None };
    }
    let rule = (|| {
        let (header, patterns, severity) = (header?, patterns?, severity?);
        Some(Rule {
            id: id.clone()?.0,
            title: title.unwrap_or_else(|| header.name.clone()),
            name: header.name,
            description: header.description,
            metadata: header.metadata,
            enabled: header.enabled,
            category: header.category,
            subcategory: header.subcategory,
            impacts: header.impacts,
            data_source: header.data_source,
            tactics: header.tactics,
            techniques: header.techniques,
            window: header.window,
            lists: lists(&patterns, &severity, &exceptions, reader.scope.lists),
            severity,
            patterns,
            condition: condition?,
            join_key: relations.join_key,
            differences: relations.differences,
            attributes,
            quiet: quiet.unwrap_or(header.window),
            clear,
            patience: header.patience,
            lateness: header.lateness,
            exceptions,
            tests,
            text: document.text.to_string(),
        })
    })();
    Loaded { id, rule }
}

/// Reports of a new rule what makes it senseless to say anything else of it.
fn check_size_and_characters(reader: &mut Reader<'_>, document: &Document<'_>) {
    if reader.scope.age == Age::Old {
        return;
    }
    check_size(reader, document, document.text.len());
    check_characters(reader, &document.root);
}

/// Reports a rule of so many bytes if they are too many.
pub fn check_size(reader: &mut Reader<'_>, document: &Document<'_>, found: usize) {
    if found > RULE_BYTES_MAX {
        let message = format!("a rule has at most {RULE_BYTES_MAX} bytes, found {found}");
        reader.error(document.root.at, message);
    }
}

/// Reports the control and format characters that escapes of YAML make. Only the records of tests
/// may have some, and what comes of them.
fn check_characters(reader: &mut Reader<'_>, root: &Node) {
    let Content::Mapping(entries) = &root.content else {
        return check_node(reader, root, &[]);
    };
    for (key, value) in entries {
        check_key(reader, key);
        let exempt: &[&str] = match key.text.as_str() {
            "tests" => &["events", "incidents"],
            _ => &[],
        };
        check_node(reader, value, exempt);
    }
}

/// The same below the root, but for what stands at `exempt` keys.
fn check_node(reader: &mut Reader<'_>, node: &Node, exempt: &[&str]) {
    match &node.content {
        Content::Scalar(scalar) => {
            if let Some((_, c)) = characters::first(&scalar.text) {
                reader.error(node.at, characters::refusal(c));
            }
        }
        Content::Sequence(items) => items
            .iter()
            .for_each(|item| check_node(reader, item, exempt)),
        Content::Mapping(entries) => {
            for (key, value) in entries {
                check_key(reader, key);
                if !exempt.contains(&key.text.as_str()) {
                    check_node(reader, value, exempt);
                }
            }
        }
    }
}

fn check_key(reader: &mut Reader<'_>, key: &Key) {
    if let Some(c) = key
        .text
        .chars()
        .find(|c| c.is_control() || characters::is_refused(*c))
    {
        reader.error(key.at, characters::refusal(c));
    }
}

/// All lists that the filters of a rule name, and the attributes that users bring.
fn lists(
    patterns: &[Pattern],
    severity: &Severity,
    exceptions: &[Exception],
    known: &Lists,
) -> Lists {
    let mut lists = Lists::default().with_own(Arc::clone(known.own()));
    let of_events = patterns.iter().map(|pattern| &pattern.filter);
    let of_severity = severity.cases.iter().map(|case| &case.when);
    let of_exceptions = exceptions.iter().map(|exception| &exception.filter);
    for filter in of_events.chain(of_severity).chain(of_exceptions) {
        lists.extend(filter.lists());
    }
    for formula in patterns.iter().flat_map(|pattern| &pattern.formulas) {
        lists.extend(&formula.lists);
    }
    lists
}

/// The fields that stand for themselves.
struct Header {
    name: String,
    description: String,
    metadata: Metadata,
    enabled: bool,
    category: Category,
    subcategory: String,
    impacts: String,
    data_source: String,
    tactics: Vec<String>,
    techniques: Vec<String>,
    window: Second,
    patience: Option<Second>,
    lateness: Option<Second>,
}

fn header(reader: &mut Reader<'_>, fields: Fields<'_>) -> Option<Header> {
    let description = fields.get("description");
    let description = description.and_then(|node| reader.text(node, "text"));
    let name = reader
        .require(fields, "name")
        .and_then(|node| reader.short_text(node, "text"));
    let enabled = fields
        .get("enabled")
        .map_or(Some(true), |node| reader.bool(node));
    let category = fields.get("category");
    let category = category.map_or(Some(Category::Security), |node| category_of(reader, node));
    let [subcategory, impacts, data_source] =
        ["subcategory", "impacts", "data_source"].map(|key| reader.optional_text(fields, key));
    let tactics = mitre(reader, fields, "tactics", "TA", "a tactic such as TA0002");
    let techniques = mitre(
        reader,
        fields,
        "techniques",
        "T",
        "a technique such as T1059.006",
    );
    let window = reader
        .require(fields, "window")
        .and_then(|node| reader.seconds(node, 1));
    let patience = fields
        .get("patience")
        .and_then(|node| reader.seconds(node, 0));
    let lateness = fields
        .get("lateness")
        .and_then(|node| reader.seconds(node, 0));
    if let (Some(patience), Some(lateness), Some(node)) =
        (patience, lateness, fields.get("lateness"))
        && lateness < patience
    {
        reader.error(
            node.at,
            format!("lateness must be at least patience, {patience}s"),
        );
    }
    Some(Header {
        name: name?.to_string(),
        description: description.map_or_else(String::new, |text| text.trim_end().to_string()),
        metadata: metadata::read(reader, fields),
        enabled: enabled?,
        category: category?,
        subcategory,
        impacts,
        data_source,
        tactics,
        techniques,
        window: window?,
        patience,
        lateness,
    })
}

fn id(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.short_text(node, "an id such as PH_Rule_Example_1")?;
    let valid = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    if let Some(wrong) = text.chars().find(|c| !valid(*c)) {
        reader.error(
            node.at,
            format!("an id has letters, digits and _-.: only, found `{wrong}`"),
        );
        return None;
    }
    Some(text.to_string())
}

fn category_of(reader: &mut Reader<'_>, node: &Node) -> Option<Category> {
    let text = reader.text(node, "a category")?;
    let category = Category::ALL
        .into_iter()
        .find(|category| category.name() == text);
    if category.is_none() {
        let names = Category::ALL.map(Category::name);
        reader.error(
            node.at,
            format!(
                "unknown category `{}`{}",
                shown(text),
                nearest::hint(text, &names)
            ),
        );
    }
    category
}

/// A list of MITRE ATT&CK ids: four digits after the prefix, for a sub-technique three more.
fn mitre(
    reader: &mut Reader<'_>,
    fields: Fields<'_>,
    key: &str,
    prefix: &str,
    expected: &str,
) -> Vec<String> {
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let valid = |text: &str| {
        let (main, sub) = text
            .split_once('.')
            .map_or((text, None), |(a, b)| (a, Some(b)));
        main.strip_prefix(prefix)
            .is_some_and(|number| digits(number, 4))
            && sub.is_none_or(|sub| prefix == "T" && digits(sub, 3))
    };
    let mut ids = Vec::new();
    for node in reader.list(fields, key, &format!("a list of {key}"), MITRE_MAX) {
        let Some(text) = reader.text(node, expected) else {
            continue;
        };
        if valid(text) {
            ids.push(text.to_string());
        } else {
            reader.error(
                node.at,
                format!("expected {expected}, found `{}`", shown(text)),
            );
        }
    }
    ids
}

/// What ends an incident.
#[derive(Default)]
struct Clear {
    quiet: Option<Second>,
    /// The place of the pattern that does.
    when: Option<usize>,
}

fn clear(reader: &mut Reader<'_>, fields: Fields<'_>, drafts: &[Draft]) -> Clear {
    let Some(node) = fields.get("clear") else {
        return Clear::default();
    };
    let Some(clear) = reader.fields(node, "a mapping", &["quiet", "when"]) else {
        return Clear::default();
    };
    let quiet = clear.get("quiet").and_then(|node| reader.seconds(node, 1));
    let when = clear.get("when").and_then(|node| {
        let name = reader.text(node, "the name of a pattern")?;
        let names: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
        let place = names.iter().position(|known| *known == name);
        if place.is_none() {
            let hint = nearest::hint(name, &names);
            reader.error(node.at, format!("unknown pattern `{}`{hint}", shown(name)));
        } else if drafts.len() == 1 {
            reader.error(
                node.at,
                "a rule needs another pattern beside its clear pattern",
            );
            return None;
        }
        place
    });
    Clear { quiet, when }
}
