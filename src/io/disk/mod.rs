//! What lies on a disk: rule files, recorded messages, and the state.

pub mod files;

pub mod rule_files;

pub mod table_files;

pub mod foreign_files;

pub mod rule_set;

pub mod state_dir;

pub mod store;
