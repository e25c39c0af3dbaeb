//! Microsoft Sentinel's analytics rules: YAML, with a query in KQL, the Kusto query language.

mod expression;

mod query;

mod rules;

mod tokens;

pub use rules::read;
