//! The rule language: YAML documents to checked rules. Skeleton of the interface.

use crate::event::{AttributeId, Attributes, Event, Value};
use crate::time::{Millis, Second};

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    Availability,
    Performance,
    Change,
    Security,
    Other,
}

#[derive(Clone, Debug)]
pub struct Pattern {
    pub name: String,
    pub filter: Filter,
    pub group_by: Vec<AttributeId>,
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
pub struct Filter {}

impl Filter {
    pub fn matches(&self, event: &Event<'_>) -> bool {
        self.matches_with(&|id| event.get(id))
    }

    /// The same over any source of values (exceptions: incident attributes).
    pub fn matches_with<'v>(&self, get: &dyn Fn(AttributeId) -> Option<&'v Value<'v>>) -> bool {
        let _ = get;
        true
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

/// All rules of one file's text; every error of it at once.
pub fn parse(
    file: &str,
    text: &str,
    attributes: &mut Attributes,
) -> Result<Vec<Rule>, Vec<RuleError>> {
    let _ = (file, text, attributes);
    Ok(Vec::new())
}

// STUBS replaced at merge
impl Category { pub fn as_str(self) -> &'static str { "Security" } }
impl Filter { pub fn required_event_type(&self) -> Option<Vec<String>> { None } }
impl Having {
    pub fn holds(&self, value: &dyn Fn(usize) -> Option<f64>) -> bool { value(0).is_some_and(|v| v >= 1.0) }
    pub fn can_become_false(&self, _: &[Aggregate]) -> bool { false }
}
impl Rule { pub fn meaning(&self, _: &Attributes) -> String { self.id.clone() } }
pub fn title(t: &str, _: &dyn Fn(&str) -> Option<String>) -> String { t.to_owned() }
impl std::fmt::Display for RuleError { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.message) } }
