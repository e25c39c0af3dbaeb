//! One YAML document to one rule.

use super::incident_fields::IncidentFields;
use super::patterns::Draft;
use super::reader::{Fields, Reader};
use super::yaml::{Content, Document, Node, Position, Scalar};
use super::{
    Category, Rule, condition, exceptions, incident_fields, nearest, patterns, relations,
    rule_tests,
};
use crate::event::Attributes;
use crate::time::Second;

const KEYS: &[&str] = &[
    "id",
    "name",
    "description",
    "enabled",
    "severity",
    "category",
    "subcategory",
    "impacts",
    "data_source",
    "tactics",
    "techniques",
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
    let Some(fields) = reader.fields(&document.root, "a rule, a mapping", KEYS) else {
        return Loaded::default();
    };
    let id = reader
        .require(fields, "id")
        .and_then(|node| Some((id(reader, node)?, node.at)));
    let header = header(reader, fields);
    let mut drafts = patterns::read(reader, fields, names);
    let condition = condition::read(reader, fields, &drafts);
    let join_key = relations::read(reader, fields, &drafts, names);
    let IncidentFields {
        title,
        attributes,
        names,
    } = incident_fields::read(reader, fields, &mut drafts, names);
    let exceptions = exceptions::read(reader, fields, &names);
    let tests = rule_tests::read(reader, fields, &names);
    let valid = reader.errors.len() == before;
    let patterns = drafts
        .into_iter()
        .map(Draft::finish)
        .collect::<Option<Vec<_>>>();
    let parts = id
        .clone()
        .zip(header)
        .zip(patterns)
        .zip(condition)
        .filter(|_| valid);
    let rule = parts.map(|((((id, _), header), patterns), condition)| Rule {
        id,
        title: title.unwrap_or_else(|| header.name.clone()),
        name: header.name,
        description: reader.optional_text(fields, "description"),
        enabled: header.enabled,
        severity: header.severity,
        category: header.category,
        subcategory: reader.optional_text(fields, "subcategory"),
        impacts: reader.optional_text(fields, "impacts"),
        data_source: reader.optional_text(fields, "data_source"),
        tactics: header.tactics,
        techniques: header.techniques,
        window: header.window,
        patterns,
        condition,
        join_key,
        attributes,
        quiet: header.quiet,
        patience: header.patience,
        lateness: header.lateness,
        exceptions,
        tests,
        text: document.text.to_string(),
    });
    Loaded { id, rule }
}

/// The fields that stand for themselves.
struct Header {
    name: String,
    enabled: bool,
    severity: u8,
    category: Category,
    tactics: Vec<String>,
    techniques: Vec<String>,
    window: Second,
    quiet: Second,
    patience: Option<Second>,
    lateness: Option<Second>,
}

fn header(reader: &mut Reader<'_>, fields: Fields<'_>) -> Option<Header> {
    for key in ["description", "subcategory", "impacts", "data_source"] {
        reader.optional_text(fields, key);
    }
    let name = reader
        .require(fields, "name")
        .and_then(|node| reader.text(node, "text"));
    let enabled = fields
        .get("enabled")
        .map_or(Some(true), |node| reader.bool(node));
    let severity = reader
        .require(fields, "severity")
        .and_then(|node| severity(reader, node));
    let category = fields.get("category");
    let category = category.map_or(Some(Category::Security), |node| category_of(reader, node));
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
    let quiet = quiet(reader, fields);
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
    let window = window?;
    Some(Header {
        name: name?.trim_end().to_string(),
        enabled: enabled?,
        severity: severity?,
        category: category?,
        tactics,
        techniques,
        window,
        quiet: quiet.unwrap_or(window),
        patience,
        lateness,
    })
}

fn id(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.text(node, "an id such as PH_Rule_Example_1")?;
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

fn severity(reader: &mut Reader<'_>, node: &Node) -> Option<u8> {
    let expected = "a severity, a whole number from 1 to 10";
    match &node.content {
        Content::Sequence(_) => {
            let message = "a severity that depends on the incident (a list) is not supported yet: \
                write a number from 1 to 10";
            reader.error(node.at, message);
            None
        }
        Content::Scalar(Scalar {
            text, plain: true, ..
        }) => {
            let severity = text
                .parse()
                .ok()
                .filter(|severity| (1..=10).contains(severity));
            if severity.is_none() {
                reader.error(node.at, format!("expected {expected}, found `{text}`"));
            }
            severity
        }
        Content::Scalar(_) | Content::Mapping(_) => {
            reader.error(node.at, format!("expected {expected}, without quotes"));
            None
        }
    }
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
            format!("unknown category `{text}`{}", nearest::hint(text, &names)),
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
    for node in reader.list(fields, key, &format!("a list of {key}")) {
        let Some(text) = reader.text(node, expected) else {
            continue;
        };
        if valid(text) {
            ids.push(text.to_string());
        } else {
            reader.error(node.at, format!("expected {expected}, found `{text}`"));
        }
    }
    ids
}

fn quiet(reader: &mut Reader<'_>, fields: Fields<'_>) -> Option<Second> {
    let clear = reader.fields(fields.get("clear")?, "a mapping", &["quiet", "when"])?;
    if let Some(node) = clear.get("when") {
        reader.error(node.at, "clear patterns (`when`) are not supported yet");
    }
    reader.seconds(clear.get("quiet")?, 1)
}
