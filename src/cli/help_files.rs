//! `watchfire completions` and `watchfire manual`: what shells and `man` are told of the commands.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Command;
use clap_complete::Shell;

use super::screen;

/// The name under which the program is started.
const PROGRAM: &str = "watchfire";

/// Write what a shell needs to complete commands and flags.
///
/// For bash: watchfire completions bash > ~/.local/share/bash-completion/completions/watchfire
#[derive(clap::Args, Debug)]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

/// Write a manual page for each command into a directory.
///
/// To read one: man DIR/watchfire-run.1
#[derive(clap::Args, Debug)]
pub struct Manual {
    /// The directory; made if it is not there.
    directory: PathBuf,
}

/// Writes completions to standard output.
pub fn completions(args: &Completions, mut commands: Command) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut commands, PROGRAM, &mut script);
    let mut out = screen::binary_stdout();
    out.write_all(&script)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Writes manual pages.
pub fn manual(args: &Manual, commands: Command) -> Result<ExitCode> {
    let directory = &args.directory;
    let write = || {
        std::fs::create_dir_all(directory)?;
        clap_mangen::generate_to(commands, directory)
    };
    write().with_context(|| format!("the manual cannot be written to {}", directory.display()))?;
    Ok(ExitCode::SUCCESS)
}
