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
    /// Show what was refused: why, where it stood, how many records, and the bytes.
    ///
    /// Three lines each: reason and place (topic/partition/offset/index of the first record), the
    /// reason in words, and the bytes as far as they fit into a line, with everything escaped that
    /// would act on a terminal. Ends where the topic ends, in the order in which they were written;
    /// with --follow it goes on.
    Tail(tail::Args),
    /// Write the bytes that were refused to a topic again, after a fix.
    ///
    /// Reads the topic of dead letters up to where it ends at the start. Records that were refused
    /// together come apart, a message each, as far as they can be told apart; a message keeps the
    /// time of its dead letter. What was cut is not written, and named. Each is written at least
    /// once: what is written stays there if the command ends early, and running it twice writes
    /// everything twice. Exits 0 if all was written, 3 if some was left out, 1 if the topic could
    /// not be written.
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
