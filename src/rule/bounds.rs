//! How much of everything a rule set may have.
//!
//! Whatever stands within something else is read, printed, evaluated and dropped by functions that
//! call themselves, so its depth is bounded; whatever is repeated is bounded where each of it is
//! held against each other, evaluated for every event, or kept in the state.

/// Parentheses, functions and NOTs within each other.
pub const DEPTH_MAX: usize = 64;

/// Mappings and lists of YAML within each other. Azure records nest far less.
pub const YAML_DEPTH_MAX: usize = 64;

/// Bytes of a file of rules or lists.
pub const FILE_BYTES_MAX: usize = 16 << 20;

/// Bytes of a rule's document: what a broker takes in one message, with room for its envelope.
pub const RULE_BYTES_MAX: usize = 900_000;

/// Bytes of a text that incidents carry as it stands.
pub const TEXT_BYTES_MAX: usize = 1_000;

/// Errors that are said of one file.
pub const FILE_ERRORS_MAX: usize = 1_000;

/// Errors that are said of one filter or `having`.
pub const ERRORS_MAX: usize = 100;

/// Different attributes in a rule set. Each has a place in every event.
pub const ATTRIBUTES_MAX: usize = 10_000;

/// Names in the path of an attribute.
pub const PATH_MAX: usize = 64;

/// Arithmetic in one filter or `having`: it is evaluated within each other.
pub const OPERATIONS_MAX: usize = 256;

/// Tests in one filter.
pub const TESTS_MAX: usize = 4_096;

/// Values between the parentheses of one `IN`.
pub const VALUES_MAX: usize = 10_000;

/// Arguments of a function.
pub const ARGUMENTS_MAX: usize = 64;

/// Comparisons in one `having`.
pub const COMPARISONS_MAX: usize = 256;

/// Aggregates of one pattern. The state keeps each, for every second.
pub const AGGREGATES_MAX: usize = 256;

/// Patterns of one rule.
pub const PATTERNS_MAX: usize = 256;

/// Operators in one condition: they are evaluated within each other.
pub const OPERATORS_MAX: usize = 256;

/// Attributes in a `group_by` or `new`.
pub const GROUP_BY_MAX: usize = 64;

/// Relations of one rule.
pub const RELATIONS_MAX: usize = 1_024;

/// Attributes of an incident.
pub const SHOWN_MAX: usize = 256;

/// Cases of a severity.
pub const CASES_MAX: usize = 256;

/// Exceptions of one rule.
pub const EXCEPTIONS_MAX: usize = 1_024;

/// Tactics, or techniques, of one rule.
pub const MITRE_MAX: usize = 64;

/// Shared filters, or shared exceptions, in one document.
pub const MACROS_MAX: usize = 1_000;

/// Bytes of a shared filter.
pub const MACRO_BYTES_MAX: usize = 16 << 10;

/// Bytes that shared filters are read again, wherever they are named, in one rule set.
pub const MACROS_READ_MAX: usize = 64 << 20;

/// References, false positives, or tags, of one rule.
pub const METADATA_MAX: usize = 256;

/// Tests of one rule, and records or incidents of one test.
pub const EXAMPLES_MAX: usize = 10_000;

/// Columns of a lookup table.
pub const COLUMNS_MAX: usize = 256;

/// Networks that the ranges of one list are made of.
pub const NETWORKS_MAX: usize = 100_000;
