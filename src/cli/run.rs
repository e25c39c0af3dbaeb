//! `watchfire run`: the worker.

use std::process::ExitCode;

use anyhow::Result;

use super::settings::{Settings, USAGE};
use super::{log, screen};
use crate::escape;
use crate::io::kafka::client;
use crate::io::worker::{self, Failure};
use crate::version;

/// Read the sources, write incidents, until SIGTERM.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Write the log as JSON, one object a line.
    #[arg(long)]
    log_json: bool,
    /// Begin anew where the application was begun by a version to which rules mean something else:
    /// its open incidents are closed, and all rules start empty.
    #[arg(long)]
    begin_anew: bool,
}

/// Runs the worker. Exit codes: 0 asked to stop, 1 something failed, 2 the configuration or the
/// rules are wrong.
pub fn run(args: &Args) -> Result<ExitCode> {
    log::start(args.log_json)?;
    let commit = version::COMMIT.unwrap_or("unknown");
    tracing::info!(version = version::VERSION, commit, "watchfire");
    let ended = match args.settings.read() {
        Ok(config) => worker::run(&config, args.begin_anew),
        Err(problems) => Err(Failure::Input(problems)),
    };
    match ended {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(Failure::Run(error)) if args.log_json => {
            tracing::error!("{}", client::chain(&error));
            Ok(ExitCode::FAILURE)
        }
        Err(Failure::Run(error)) => Err(error),
        Err(Failure::Input(problems)) => {
            for problem in &problems {
                match args.log_json {
                    true => tracing::error!("{problem}"),
                    false => screen::err(format_args!("error: {}\n", escape::value(problem))),
                }
            }
            Ok(ExitCode::from(USAGE))
        }
    }
}
