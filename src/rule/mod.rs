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
    /// What the rule looks for, in a few words; incidents carry it.
    pub name: String,
    /// What the rule finds and why it matters, for people; free text.
    pub description: String,
    /// Whether the rule is in force; one that is not is only checked.
    pub enabled: bool,
    /// 1..=10.
    pub severity: u8,
    /// What kind of trouble the rule looks for.
    pub category: Category,
    /// FortiSIEM's finer kind, usually a MITRE ATT&CK tactic by name; free text.
    pub subcategory: String,
    /// What is affected: Server, Network, Application, ..; free text.
    pub impacts: String,
    /// Where FortiSIEM gets the events from; free text.
    pub data_source: String,
    /// MITRE ATT&CK tactic ids, e.g. TA0002.
    pub tactics: Vec<String>,
    /// MITRE ATT&CK technique ids, e.g. T1059.006.
    pub techniques: Vec<String>,
    /// In seconds, at least 1.
    pub window: Second,
    /// At least one, in the order of the file; FortiSIEM's subpatterns.
    pub patterns: Vec<Pattern>,
    /// How the patterns together trigger the rule.
    pub condition: Condition,
    /// The parts of the join key: for each, the group-by place within every pattern, and the
    /// attribute name that the incident shows it under.
    pub join_key: Vec<JoinKeyPart>,
    /// Title of its incidents, in which `$name` stands for an incident attribute.
    pub title: String,
    /// Incident attribute name and where its value comes from.
    pub attributes: Vec<(String, IncidentValue)>,
    /// `clear.quiet` in seconds, at least 1; default: the window.
    pub quiet: Second,
    /// `patience:` in seconds; `None`: the configuration's.
    pub patience: Option<Second>,
    /// `lateness:` in seconds; `None`: the configuration's.
    pub lateness: Option<Second>,
    /// Which incidents not to report.
    pub exceptions: Vec<Exception>,
    /// Examples that `watchfire rules test` runs.
    pub tests: Vec<RuleTest>,
    /// The exact text of the YAML document.
    pub text: String,
}

/// FortiSIEM's kinds of incidents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// A service or device fails or cannot be reached.
    Availability,
    /// Something is slow or short of resources.
    Performance,
    /// A configuration or an account was changed.
    Change,
    /// An attack, misuse or a policy violated.
    Security,
    /// None of these.
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
    /// Unique in the rule; the condition and the incident refer to it.
    pub name: String,
    /// Which events match.
    pub filter: Filter,
    /// Attributes whose values, absent ones included, make the groups; none: all matches are one.
    pub group_by: Vec<AttributeId>,
    /// Those of `having` first, then those that only the incident shows.
    pub aggregates: Vec<Aggregate>,
    /// Holds for a group when it is true over the group's matches in the window.
    pub having: Having,
}

/// One aggregate of a `having` or of an incident attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// What is computed.
    pub function: Function,
    /// The attribute it reads; `None` for COUNT(*).
    pub input: Option<AttributeId>,
}

/// What an aggregate computes; absent values are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// COUNT(*) without input, COUNT(a) with one.
    Count,
    /// Different values, letter case aside.
    CountDistinct,
    /// Sum of the numbers; 0 if there are none.
    Sum,
    /// Mean of the numbers; undefined if there are none.
    Avg,
    /// Least number; undefined if there are none.
    Min,
    /// Greatest number; undefined if there are none.
    Max,
}

/// A boolean test over aggregates, by their place in [`Pattern::aggregates`].
#[derive(Clone, Debug, PartialEq)]
pub enum Having {
    /// All of them hold.
    And(Vec<Having>),
    /// One of them holds.
    Or(Vec<Having>),
    /// False where a side is undefined.
    Compare(Term, Comparison, Term),
}

/// One side of a comparison; undefined where a part of it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// A constant.
    Number(f64),
    /// The value of the aggregate at this place.
    Aggregate(usize),
    /// An operation on two terms.
    Arithmetic(Box<Term>, Arithmetic, Box<Term>),
}

/// An operation between two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`, undefined when the divisor is 0.
    Divide,
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
}

/// Operators between patterns, by the patterns' places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Triggers wherever the pattern at this place holds.
    Pattern(usize),
}

/// One part of the join key: an attribute that the events of all patterns agree on.
#[derive(Clone, Debug)]
pub struct JoinKeyPart {
    /// The name of the attribute in the first pattern, as incidents and exceptions call it.
    pub name: String,
    /// For every pattern, the place in its `group_by`.
    pub places: Vec<usize>,
}

/// Where the value of an incident attribute comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncidentValue {
    /// `Pattern.attribute`: (pattern, place in its group_by).
    GroupBy(usize, usize),
    /// `Pattern.COUNT(*)`: (pattern, place in its aggregates).
    Aggregate(usize, usize),
}

/// Incidents that are not reported.
#[derive(Clone, Debug)]
pub struct Exception {
    /// Over the incident's attributes, by their place in [`Rule::attributes`].
    pub filter: Filter,
    /// The first `first_seen` it applies to; `None`: no bound.
    pub from: Option<Millis>,
    /// The `first_seen` from which it no longer applies; `None`: no bound.
    pub until: Option<Millis>,
}

/// An example in a rule file: events and the incidents that must come of them.
#[derive(Clone, Debug)]
pub struct RuleTest {
    /// What it shows, for the report.
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
    /// As it was given to [`parse_all`].
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
