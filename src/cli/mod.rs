//! The command line.

pub mod generate;

pub mod table;

use std::process::ExitCode;

pub mod rules_check;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
