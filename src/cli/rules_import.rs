//! `watchfire rules import`: rules of other tools as rules of ours.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::{Value, json};

use super::screen;
use crate::escape;
use crate::io::disk::foreign_files::{self, Foreign};
use crate::rule::import::dialect::Dialect;
use crate::rule::import::report::{Import, Row, State};
use crate::rule::import::run::import;

/// Import rules of FortiSIEM, Sigma, Elastic or Microsoft Sentinel.
///
/// Writes one file for each rule, and says of each whether it was imported, imported with
/// something to know, or why it cannot be. docs/import.md says what is read, and how. Lists that
/// rules ask for are written empty and are to be filled.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Files of rules, and directories of them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The tool that they come from; else each file tells.
    #[arg(long, value_enum, value_name = "TOOL")]
    from: Option<From>,
    /// The folder for the rules.
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Write rules anew that are there already and say something else.
    #[arg(long)]
    force: bool,
    /// How it is said what became of the rules.
    #[arg(long, value_enum, default_value = "text", value_name = "FORM")]
    report: Report,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum From {
    Fortisiem,
    Sigma,
    Elastic,
    Sentinel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Report {
    Text,
    Json,
}

impl From {
    fn dialect(self) -> Dialect {
        match self {
            From::Fortisiem => Dialect::FortiSiem,
            From::Sigma => Dialect::Sigma,
            From::Elastic => Dialect::Elastic,
            From::Sentinel => Dialect::Sentinel,
        }
    }
}

/// Imports. Exit code 1 where a file could not be read.
///
/// # Errors
///
/// The rules cannot be written.
pub fn run(args: &Args) -> Result<ExitCode> {
    let dialect = args.from.map(From::dialect);
    let endings: Vec<&str> = match dialect {
        Some(dialect) => dialect.endings().to_vec(),
        None => Dialect::ALL
            .iter()
            .flat_map(|dialect| dialect.endings())
            .copied()
            .collect(),
    };
    let foreign = foreign_files::read(&args.paths, &endings);
    let done = import(&foreign.texts, dialect);
    foreign_files::write(&args.output, &done.files, args.force)?;
    let text = match args.report {
        Report::Text => as_text(&done, &foreign, &args.output.display().to_string()),
        Report::Json => as_json(&done, &foreign),
    };
    screen::out(format_args!("{text}"))?;
    Ok(match foreign.unreadable.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn as_text(done: &Import, foreign: &Foreign, folder: &str) -> String {
    let mut text = String::new();
    for state in [State::Imported, State::Part, State::Warned, State::Refused] {
        for row in done.rows.iter().filter(|row| row.state == state) {
            text += &line(row);
        }
    }
    for (file, why) in &foreign.unreadable {
        text += &format!(
            "unreadable               {}\n    {}\n",
            shown(file),
            shown(why)
        );
    }
    let count = |state| done.count(state);
    text += &format!(
        "{} files: {} rules imported, {} of them with a warning, {} not importable, {} part of \
         others; {} files unreadable\n",
        foreign.texts.len() + foreign.unreadable.len(),
        count(State::Imported) + count(State::Warned),
        count(State::Warned),
        count(State::Refused),
        count(State::Part),
        foreign.unreadable.len(),
    );
    if !done.files.is_empty() {
        text += &format!("written to {}\n", shown(folder));
    }
    text
}

/// A rule, and below it what there is to know.
fn line(row: &Row) -> String {
    let what = match row.output.is_empty() {
        true => format!("{}: {}", row.file, row.name),
        false => format!("{} ({}: {})", row.output, row.file, row.name),
    };
    let mut text = format!("{:<24} {}\n", row.state.name(), shown(&what));
    for reason in &row.reasons {
        text += &format!("    {}\n", shown(reason));
    }
    text
}

fn shown(text: &str) -> String {
    escape::value(text).into_owned()
}

fn as_json(done: &Import, foreign: &Foreign) -> String {
    let row = |row: &Row| {
        json!({
            "file": row.file,
            "from": row.dialect,
            "name": row.name,
            "id": row.id,
            "output": row.output,
            "state": row.state.name(),
            "reasons": row.reasons,
        })
    };
    let unreadable = |(file, why): &(String, String)| json!({ "file": file, "reason": why });
    let report = json!({
        "rules": done.rows.iter().map(row).collect::<Vec<Value>>(),
        "unreadable": foreign.unreadable.iter().map(unreadable).collect::<Vec<Value>>(),
        "imported": done.count(State::Imported) + done.count(State::Warned),
        "with_warning": done.count(State::Warned),
        "not_importable": done.count(State::Refused),
        "part_of_others": done.count(State::Part),
    });
    format!("{report}\n")
}
