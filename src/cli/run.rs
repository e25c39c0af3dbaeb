//! `watchfire run`: the worker.

use std::process::ExitCode;

use anyhow::Result;

use super::log;
use super::settings::{Settings, USAGE};
use crate::io::worker::{self, Failure};

/// Read the sources, write incidents, until SIGTERM.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Write the log as JSON, one object a line.
    #[arg(long)]
    log_json: bool,
}

/// Runs the worker. Exit codes: 0 asked to stop, 1 something failed, 2 the configuration or the
/// rules are wrong.
pub fn run(args: &Args) -> Result<ExitCode> {
    let config = match args.settings.load() {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    log::start(args.log_json)?;
    match worker::run(&config) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(Failure::Run(error)) => Err(error),
        Err(Failure::Input(problems)) => {
            for problem in problems {
                eprintln!("error: {problem}");
            }
            Ok(ExitCode::from(USAGE))
        }
    }
}
