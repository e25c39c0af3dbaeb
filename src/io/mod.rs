//! (skeleton)

pub mod rule_files;
