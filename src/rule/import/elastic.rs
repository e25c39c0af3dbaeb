//! Elastic's detection rules: TOML, with queries in KQL and EQL.

mod eql;

mod kql;

mod names;

mod rules;

mod sequence;

pub use rules::read;
