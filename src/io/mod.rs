//! The world outside: files, brokers, terminals.

pub mod progress;
