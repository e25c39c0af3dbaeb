//! `watchfire rules export`: rules of ours as those of another tool.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::screen;
use crate::escape;
use crate::event::Attributes;
use crate::io::disk::{foreign_files, rule_files};
use crate::rule::export::{self, Exported};

/// Write rules as FortiSIEM's XML.
///
/// What is imported again means the same. Rules that FortiSIEM cannot say are named, and the others
/// are written.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Rule files, and directories of them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The tool that they are for.
    #[arg(long, value_enum, value_name = "TOOL")]
    to: To,
    /// The file to write; else standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum To {
    Fortisiem,
}

/// Exports. Exit code 1 where rules have errors, or one cannot be said.
///
/// # Errors
///
/// The files cannot be read or written.
pub fn run(args: &Args) -> Result<ExitCode> {
    let texts = rule_files::load(&args.paths, &[])?;
    let mut attributes = Attributes::default();
    let rules = match texts.parse(&mut attributes) {
        Ok((rules, _)) => rules,
        Err(errors) => {
            for error in &errors {
                screen::err(format_args!("{}\n", escape::value(&error.to_string())));
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut exported: Vec<Exported> = Vec::new();
    let mut all = true;
    for rule in &rules {
        let To::Fortisiem = args.to;
        match export::fortisiem(rule, &attributes) {
            Ok(one) => {
                for warning in &one.warnings {
                    let line = format!("{}: {warning}", rule.id);
                    screen::err(format_args!("{}\n", escape::value(&line)));
                }
                exported.push(one);
            }
            Err(reason) => {
                all = false;
                let line = format!("{}: not exported: {reason}", rule.id);
                screen::err(format_args!("{}\n", escape::value(&line)));
            }
        }
    }
    let text = export::document(&exported);
    match &args.output {
        None => screen::out(format_args!("{text}"))?,
        Some(file) => {
            foreign_files::write_one(file, &text).with_context(|| file.display().to_string())?
        }
    }
    Ok(match all {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
