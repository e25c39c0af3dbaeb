//! `watchfire dead-letters`: what was refused, and the same again after a fix.

mod replay;
mod tail;

use std::process::ExitCode;

use anyhow::Result;
use clap::builder::PossibleValuesParser;

use crate::decode::Reject;
use crate::detect::Letterhead;

/// The commands about dead letters.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Show what was refused.
    Tail(tail::Args),
    /// Write it to a topic again.
    Replay(replay::Args),
}

/// Runs one of the commands.
pub fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Tail(args) => tail::run(args),
        Command::Replay(args) => replay::run(args),
    }
}

/// Which dead letters are meant.
#[derive(clap::Args, Debug)]
struct Chosen {
    /// Only those that were refused for this reason; may be given several times.
    #[arg(long = "reason", value_name = "REASON", value_parser = reasons())]
    reasons: Vec<String>,
}

fn reasons() -> PossibleValuesParser {
    PossibleValuesParser::new(Reject::ALL.map(Reject::reason))
}

impl Chosen {
    fn has(&self, head: &Letterhead) -> bool {
        self.reasons.is_empty() || self.reasons.contains(&head.reason)
    }
}
