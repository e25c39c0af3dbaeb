//! The rule language: YAML documents to checked rules. A rule set that loads is valid.
//!
//! A file's text becomes a tree that knows its lines and columns ([`yaml`]); [`document`] reads
//! one rule from it, with filters ([`filter_parser`]), `having`s ([`having_parser`]) and
//! conditions ([`condition`]) made of the same tokens ([`token`]). Nothing stops at the first
//! error: all those of a rule set come back.

use crate::event::AttributeId;
use crate::time::{Millis, Second};

mod bounds;

pub use bounds::FILE_BYTES_MAX;

pub mod networks;

mod scope;

mod characters;

mod texts;

mod errors;

pub use errors::{FilterError, RuleError, in_one_line};
pub use texts::{Texts, parse, parse_all, parse_with};

mod yaml;

mod reader;

mod document;

mod patterns;

pub mod condition;

pub mod coverage;

mod relations;

mod incident_fields;

mod terms;

mod exceptions;

pub mod metadata;

mod macros;

mod macros_reader;

mod severity;

pub mod shown;

pub mod peak;

mod rule_tests;

mod moved;

pub mod schema;

mod token;

mod parser;

mod filter_parser;

mod literal_parser;

mod scalar_parser;

mod having_parser;

pub mod formula;

pub mod tree;

pub mod filter;

pub mod operator;

pub mod operators;

pub mod scalar;

pub mod clock;

pub mod functions;

pub mod plain;

pub mod check;

pub mod regexps;

pub mod regexp_texts;

pub mod requirement;

pub mod number;

pub mod literal;

pub mod own;

mod own_reader;

pub mod lists;

pub mod tables;

pub mod attribute;

pub mod aggregates;

pub mod having;

mod range;

mod certain;

pub mod lint;

mod switches;

mod contradiction;

mod depth;

pub mod print;

mod print_rule;

mod meaning;

pub mod reach;

pub mod title;

mod instant;

mod json;

pub mod nearest;

pub mod mitre;

pub mod import;

pub mod export;

mod aggregate;

pub use aggregate::{Aggregate, Function};

/// A FortiSIEM correlation rule, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// `PH_Rule_..`, unique in a rule set.
    pub id: String,
    /// What the rule looks for, in a few words; incidents carry it.
    pub name: String,
    /// What the rule finds and why it matters, for people; free text.
    pub description: String,
    /// What it says of itself: version, author, status and the like.
    pub metadata: metadata::Metadata,
    /// Whether the rule is in force; one that is not is only checked.
    pub enabled: bool,
    /// How bad its incidents are.
    pub severity: Severity,
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
    /// Attributes of two patterns whose values must differ.
    pub differences: Vec<Difference>,
    /// Title of its incidents, in which `$name` stands for an incident attribute.
    pub title: String,
    /// Incident attribute name and where its value comes from.
    pub attributes: Vec<(String, IncidentValue)>,
    /// `clear.quiet` in seconds, at least 1; default: the window.
    pub quiet: Second,
    /// `clear.when`: the place of the pattern that ends an incident where it holds. The condition
    /// does not name it.
    pub clear: Option<usize>,
    /// `patience:` in seconds; `None`: the configuration's.
    pub patience: Option<Second>,
    /// `lateness:` in seconds; `None`: the configuration's.
    pub lateness: Option<Second>,
    /// Which incidents not to report.
    pub exceptions: Vec<Exception>,
    /// Examples that `watchfire rules test` runs.
    pub tests: Vec<RuleTest>,
    /// The lists that its filters name.
    pub lists: lists::Lists,
    /// The exact text of the YAML document.
    pub text: String,
}

/// How bad the incidents of a rule are, from 1 to 10.
#[derive(Clone, Debug, PartialEq)]
pub struct Severity {
    /// Severities of certain incidents; the first whose filter holds counts.
    pub cases: Vec<SeverityCase>,
    /// That of all others.
    pub otherwise: u8,
}

/// The severity of certain incidents.
#[derive(Clone, Debug, PartialEq)]
pub struct SeverityCase {
    /// Over the incident's attributes, by their place in [`Rule::attributes`], and then
    /// [`shown::COUNTS`].
    pub when: Filter,
    /// 1..=10.
    pub value: u8,
}

impl Rule {
    /// The part of the join key that the group-by attribute at `place` of a pattern is; `None`: it
    /// is finer.
    pub fn key_part(&self, pattern: usize, place: usize) -> Option<usize> {
        let mut parts = self.join_key.iter();
        parts.position(|part| part.places.get(pattern) == Some(&place))
    }

    /// The place of a group-by attribute among those of its pattern that are finer than the key;
    /// `None`: it is a part of the key.
    pub fn finer_place(&self, pattern: usize, place: usize) -> Option<usize> {
        let is_finer = |place: &usize| self.key_part(pattern, *place).is_none();
        is_finer(&place).then(|| (0..place).filter(is_finer).count())
    }

    /// The place, among the finer attributes of a pattern, of the one whose values must differ from
    /// those of another pattern.
    pub fn differing(&self, pattern: usize) -> Option<usize> {
        let sides = self.differences.iter().flat_map(|it| [it.left, it.right]);
        let mut own = sides.filter(|side| side.pattern == pattern);
        own.next()
            .and_then(|side| self.finer_place(pattern, side.place))
    }

    /// Whether events of the pattern at this place are what incidents rest on: the condition has
    /// it, and not to the right of a negation.
    pub fn is_positive(&self, pattern: usize) -> bool {
        self.condition.is_positive(pattern)
    }
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
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// Unique in the rule; the condition and the incident refer to it.
    pub name: String,
    /// Which events match.
    pub filter: Filter,
    /// Attributes whose values, absent ones included, make the groups; none: all matches are one.
    pub group_by: Vec<AttributeId>,
    /// Those of `having` first, then those that only the incident shows.
    pub aggregates: Vec<Aggregate>,
    /// How those of `group_by` and of what aggregates read are computed that no event has.
    pub formulas: Vec<formula::Formula>,
    /// Holds for a group when it is true over the group's matches in the window.
    pub having: Having,
    /// Holds only where values appear that were not seen for a while; `None`: wherever `having`
    /// does.
    pub new: Option<New>,
}

/// A combination of values that was not seen for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct New {
    /// Whose values make the combination; all of the pattern's group-by, and perhaps more.
    pub attributes: Vec<AttributeId>,
    /// For how long it must not have been seen, in seconds, at least 1.
    pub period: Second,
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
    /// Triggers by what both sides do.
    Operation(Box<Condition>, ConditionOperator, Box<Condition>),
    /// `first FOLLOWED_BY then UNLESS between`.
    Unless {
        /// What comes first.
        first: Box<Condition>,
        /// What follows it.
        then: Box<Condition>,
        /// What must not come between the two.
        between: Box<Condition>,
    },
}

/// How the triggers of two conditions make those of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionOperator {
    /// Both within one window.
    And,
    /// One of them.
    Or,
    /// The right one after the left one, within one window.
    FollowedBy,
    /// The left one without the right one in any window with it.
    AndNot,
    /// The left one without the right one after it within the window.
    NotFollowedBy,
}

/// One part of the join key: an attribute that the events of all patterns agree on.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinKeyPart {
    /// The name of the attribute in the first pattern, as incidents and exceptions call it.
    pub name: String,
    /// For every pattern, the place in its `group_by`.
    pub places: Vec<usize>,
}

/// `A.srcIpAddr != B.srcIpAddr`: the two sides of one operator, which make it trigger only with
/// different values. Neither attribute is a part of the join key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Of the pattern on the left side.
    pub left: GroupBy,
    /// Of the pattern on the right side.
    pub right: GroupBy,
}

/// A group-by attribute of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupBy {
    /// The pattern's place in the rule.
    pub pattern: usize,
    /// The attribute's place in the pattern's `group_by`.
    pub place: usize,
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
#[derive(Clone, Debug, PartialEq)]
pub struct Exception {
    /// Over the incident's attributes, by their place in [`Rule::attributes`], and then
    /// [`shown::COUNTS`].
    pub filter: Filter,
    /// The first `first_seen` it applies to; `None`: no bound.
    pub from: Option<Millis>,
    /// The `first_seen` from which it no longer applies; `None`: no bound.
    pub until: Option<Millis>,
    /// Who answers for it; free text.
    pub owner: String,
    /// Where it was decided, such as the number of a ticket; free text.
    pub ticket: String,
    /// Why what it covers is no trouble; free text.
    pub reason: String,
}

/// An example in a rule file: events and the incidents that must come of them.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleTest {
    /// What it shows, for the report.
    pub name: String,
    /// Raw records, as JSON text.
    pub events: Vec<String>,
    /// Expected incidents: field name and expected JSON value.
    pub incidents: Vec<Vec<(String, serde_json::Value)>>,
}

/// A checked filter. Tests one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    expression: tree::Expression,
    event_types: Option<Vec<String>>,
    lists: lists::Lists,
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod docs_tests;

#[cfg(test)]
mod hostile_tests;
