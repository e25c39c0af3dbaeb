//! The log: on stderr, at the level of `WATCHFIRE_LOG` (default: info).

use std::io::IsTerminal as _;

use anyhow::{Result, anyhow};
use tracing_subscriber::EnvFilter;

/// Starts the log. `json`: one JSON object a line.
///
/// # Errors
///
/// `WATCHFIRE_LOG` cannot be read, or there is a log already.
pub fn start(json: bool) -> Result<()> {
    start_at("info", json)
}

/// Starts the log for a command whose own output matters more: `default` is the level where
/// `WATCHFIRE_LOG` says none.
///
/// # Errors
///
/// As [`start`].
pub fn start_at(default: &str, json: bool) -> Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the log starts before any configuration"
    )]
    let level = std::env::var("WATCHFIRE_LOG").unwrap_or_else(|_| default.to_owned());
    let filter = EnvFilter::try_new(&level).map_err(|error| {
        anyhow!("WATCHFIRE_LOG={level}: {error}; expected a level such as info or debug")
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = if json {
        log.json().try_init()
    } else {
        log.try_init()
    };
    started.map_err(|error| anyhow!("the log could not be started: {error}"))
}
