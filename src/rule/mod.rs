//! The rule language: YAML documents to checked rules. A rule set that loads is valid.
//!
//! A file's text becomes a tree that knows its lines and columns ([`yaml`]); [`document`] reads
//! one rule from it, with filters ([`filter_parser`]), `having`s ([`having_parser`]) and
//! conditions ([`condition`]) made of the same tokens ([`token`]). Nothing stops at the first
//! error: all those of a rule set come back.

use crate::event::{AttributeId, Attributes};
use crate::time::{Millis, Second};

mod yaml;

mod reader;

mod document;

mod patterns;

mod condition;

mod relations;

mod incident_fields;

mod exceptions;

mod rule_tests;

mod token;

mod filter_parser;

mod having_parser;

pub mod filter;

pub mod operators;

pub mod check;

pub mod literal;

pub mod attribute;

pub mod aggregates;

pub mod having;

pub mod print;

mod meaning;

pub mod title;

mod instant;

mod json;

pub mod nearest;

/// A FortiSIEM correlation rule, checked.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `PH_Rule_..`, unique in a rule set.
    pub id: String,
    pub name: String,
    pub description: String,
    pub enabled: bool,
    /// 1..=10.
    pub severity: u8,
    pub category: Category,
    pub subcategory: String,
    pub impacts: String,
    pub data_source: String,
    pub tactics: Vec<String>,
    pub techniques: Vec<String>,
    /// In seconds, at least 1.
    pub window: Second,
    pub patterns: Vec<Pattern>,
    pub condition: Condition,
    /// The parts of the join key: for each, the group-by place within every pattern, and the
    /// attribute name that the incident shows it under.
    pub join_key: Vec<JoinKeyPart>,
    pub title: String,
    /// Incident attribute name and where its value comes from.
    pub attributes: Vec<(String, IncidentValue)>,
    /// `clear.quiet` in seconds, at least 1; default: the window.
    pub quiet: Second,
    /// `patience:` in seconds; `None`: the configuration's.
    pub patience: Option<Second>,
    pub lateness: Option<Second>,
    pub exceptions: Vec<Exception>,
    pub tests: Vec<RuleTest>,
    /// The exact text of the YAML document.
    pub text: String,
}

/// FortiSIEM's kinds of incidents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    Availability,
    Performance,
    Change,
    Security,
    Other,
}

impl Category {
    /// In FortiSIEM's order.
    pub const ALL: [Category; 5] = [
        Category::Availability,
        Category::Performance,
        Category::Change,
        Category::Security,
        Category::Other,
    ];

    /// As rules and incidents write it.
    pub fn name(self) -> &'static str {
        match self {
            Category::Availability => "Availability",
            Category::Performance => "Performance",
            Category::Change => "Change",
            Category::Security => "Security",
            Category::Other => "Other",
        }
    }
}

/// A filter, the groups its matches are counted in, and the test over each group.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub name: String,
    pub filter: Filter,
    pub group_by: Vec<AttributeId>,
    /// Those of `having` first, then those that only the incident shows.
    pub aggregates: Vec<Aggregate>,
    pub having: Having,
}

/// One aggregate of a `having` or of an incident attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub function: Function,
    /// The attribute it reads; `None` for COUNT(*).
    pub input: Option<AttributeId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// COUNT(*) without input, COUNT(a) with one.
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
}

/// A boolean test over aggregates, by their place in [`Pattern::aggregates`].
#[derive(Clone, Debug, PartialEq)]
pub enum Having {
    And(Vec<Having>),
    Or(Vec<Having>),
    Compare(Term, Comparison, Term),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    Number(f64),
    Aggregate(usize),
    Arithmetic(Box<Term>, Arithmetic, Box<Term>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// Operators between patterns, by the patterns' places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Pattern(usize),
}

#[derive(Clone, Debug)]
pub struct JoinKeyPart {
    /// The name of the attribute in the first pattern, as incidents and exceptions call it.
    pub name: String,
    /// For every pattern, the place in its `group_by`.
    pub places: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncidentValue {
    /// `Pattern.attribute`: (pattern, place in its group_by).
    GroupBy(usize, usize),
    /// `Pattern.COUNT(*)`: (pattern, place in its aggregates).
    Aggregate(usize, usize),
}

#[derive(Clone, Debug)]
pub struct Exception {
    /// Over the incident's attributes, by their place in [`Rule::attributes`].
    pub filter: Filter,
    pub from: Option<Millis>,
    pub until: Option<Millis>,
}

#[derive(Clone, Debug)]
pub struct RuleTest {
    pub name: String,
    /// Raw records, as JSON text.
    pub events: Vec<String>,
    /// Expected incidents: field name and expected JSON value.
    pub incidents: Vec<Vec<(String, serde_json::Value)>>,
}

/// A checked filter. Tests one event.
#[derive(Clone, Debug)]
pub struct Filter {
    expression: filter::Expression,
    event_types: Option<Vec<String>>,
}

/// What is wrong with the text of a filter, a `having` or a condition, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// In bytes from the beginning of the text.
    pub offset: usize,
    /// What was found, and what was expected.
    pub message: String,
}

impl std::fmt::Display for FilterError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at byte {}: {}", self.offset + 1, self.message)
    }
}

/// What is wrong with a rule file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What was found, and what was expected.
    pub message: String,
}

impl std::fmt::Display for RuleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.message
        )
    }
}

/// All rules of one file's text; every error of it at once.
pub fn parse(
    file: &str,
    text: &str,
    attributes: &mut Attributes,
) -> Result<Vec<Rule>, Vec<RuleError>> {
    parse_all(&[(file.to_string(), text.to_string())], attributes)
}

/// The rules of a whole rule set, given as (file, text), in its order; or every error of every
/// file, by file, line and column.
///
/// The attributes that the rules use are added to `attributes`.
pub fn parse_all(
    files: &[(String, String)],
    attributes: &mut Attributes,
) -> Result<Vec<Rule>, Vec<RuleError>> {
    let mut rules = Vec::new();
    let mut errors = Vec::new();
    let mut ids: Vec<(String, String)> = Vec::new();
    for (file, text) in files {
        let mut reader = reader::Reader {
            file,
            text,
            errors: Vec::new(),
        };
        let (documents, problems) = yaml::documents(text);
        for problem in problems {
            reader.error(problem.at, problem.message);
        }
        for document in &documents {
            let loaded = document::read(&mut reader, document, attributes);
            if let Some((id, at)) = loaded.id {
                if let Some((_, first)) = ids.iter().find(|(known, _)| *known == id) {
                    reader.error(at, format!("the id `{id}` is already that of {first}"));
                }
                ids.push((id, format!("{file}:{}", at.line)));
            }
            rules.extend(loaded.rule);
        }
        errors.append(&mut reader.errors);
    }
    errors.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    if errors.is_empty() {
        Ok(rules)
    } else {
        Err(errors)
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod docs_tests;
