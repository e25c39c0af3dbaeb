//! The command line.

pub mod demo;

pub mod run;

pub mod config;

pub mod topics;

pub mod tail;

pub mod show;

pub mod dead_letters;

pub mod backtest;

pub mod events;

pub mod generate;

mod help_files;

pub mod rules_check;

mod rules_advice;
mod rules_cost;

mod rules_coverage;

mod rules_import;

mod rules_export;

pub mod rules_test;

pub mod rules_show;

pub mod explanation;

pub mod table;

pub mod settings;

pub mod log;

pub mod screen;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::config::holds_key;
use crate::io::disk::rule_files::Besides;
use crate::io::memory;
use crate::rule;
use crate::version;

/// Streaming detection for Azure events: FortiSIEM correlation rules over Kafka and Event Hubs.
#[derive(Parser, Debug)]
#[command(version = version::LONG, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Demo(demo::Args),
    Run(run::Args),
    /// The topics that the application needs.
    #[command(subcommand)]
    Topics(topics::Command),
    /// What the application has published.
    #[command(subcommand)]
    Incidents(Incidents),
    /// What was refused: show it, write it again after a fix.
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    Backtest(backtest::Args),
    Events(events::Args),
    /// The configuration: check it, show it, its schema.
    #[command(subcommand)]
    Config(config::Command),
    Generate(generate::Args),
    /// Check rules, run their tests, say what they cover, import and export them, look up those
    /// behind incidents.
    #[command(subcommand)]
    Rules(Rules),
    Completions(help_files::Completions),
    Manual(help_files::Manual),
}

#[derive(Subcommand, Debug)]
enum Incidents {
    Tail(tail::Args),
    Show(show::Args),
}

#[derive(Subcommand, Debug)]
enum Rules {
    /// Say every error of the rules, with its place.
    Check(Check),
    /// Run the tests that the rules bring along.
    Test(TestArgs),
    Show(rules_show::Args),
    Import(rules_import::Args),
    Export(rules_export::Args),
    Coverage(rules_coverage::Args),
    /// Write the JSON Schema of a rule, for editors.
    Schema,
}

#[derive(clap::Args, Debug)]
struct Check {
    #[command(flatten)]
    rules: RulePaths,
    /// Write the rules themselves, in canonical form, when they are valid.
    #[arg(long, conflicts_with = "json")]
    print: bool,
    /// Refuse rules whose own tests fail, too.
    #[arg(long)]
    run_tests: bool,
    /// Say of each filter which events it is held against: those with a text that it asks for, or
    /// all, and why.
    #[arg(long, conflicts_with = "print")]
    cost: bool,
    /// The configuration with which they are to be used (TOML): what is said of them then goes by
    /// its patience, lateness and sources. Brokers are not asked.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(clap::Args, Debug)]
struct RulePaths {
    /// Rule files, and directories of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Files of attributes, and directories of them, besides those in folders `attributes`
    /// beside the rules.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    attributes: Vec<PathBuf>,
    /// Tables of networks, and directories of them, besides those in folders `tables` beside the
    /// rules.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    tables: Vec<PathBuf>,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl RulePaths {
    /// The rules, and what lies elsewhere.
    fn split(self) -> (Vec<PathBuf>, Besides) {
        let besides = Besides {
            attributes: self.attributes,
            tables: self.tables,
        };
        (self.paths, besides)
    }
}

#[derive(clap::Args, Debug)]
struct TestArgs {
    #[command(flatten)]
    rules: RulePaths,
    /// Say of passing tests, too, what each window held and where the rule triggered.
    #[arg(long)]
    explain: bool,
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    memory::share_one_pool();
    std::panic::set_hook(Box::new(screen::panicked));
    let command = match parse() {
        Ok(command) => command,
        Err(code) => return code,
    };
    let done = match command {
        Command::Demo(args) => demo::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Topics(command) => topics::run(&command),
        Command::Incidents(Incidents::Tail(args)) => tail::run(&args),
        Command::Incidents(Incidents::Show(args)) => show::run(&args),
        Command::DeadLetters(command) => dead_letters::run(&command),
        Command::Backtest(args) => backtest::run(&args),
        Command::Events(args) => events::run(&args),
        Command::Config(command) => config::run(&command),
        Command::Generate(args) => generate::run(&args),
        Command::Completions(args) => help_files::completions(&args, Cli::command()),
        Command::Manual(args) => help_files::manual(&args, Cli::command()),
        Command::Rules(Rules::Check(args)) => {
            let form = match (args.rules.json, args.print) {
                (true, _) => rules_check::Form::Json,
                (false, true) => rules_check::Form::Rules,
                (false, false) => rules_check::Form::Text,
            };
            let style = rules_check::Style {
                form,
                run_tests: args.run_tests,
                cost: args.cost,
            };
            let (paths, besides) = args.rules.split();
            rules_check::run(&paths, besides, args.config, style)
        }
        Command::Rules(Rules::Show(args)) => rules_show::run(&args),
        Command::Rules(Rules::Import(args)) => rules_import::run(&args),
        Command::Rules(Rules::Export(args)) => rules_export::run(&args),
        Command::Rules(Rules::Coverage(args)) => rules_coverage::run(args),
        Command::Rules(Rules::Schema) => config::write_schema(&rule::schema::schema()),
        Command::Rules(Rules::Test(args)) => {
            let style = rules_test::Style {
                json: args.rules.json,
                explain: args.explain,
            };
            let (paths, besides) = args.rules.split();
            rules_test::run(&paths, &besides, style)
        }
    };
    done.unwrap_or_else(|error| screen::exit_code(&error))
}

/// The command that the arguments name, or the exit code where they name none.
fn parse() -> Result<Command, ExitCode> {
    if std::env::args_os().any(|arg| holds_key(&arg.to_string_lossy())) {
        screen::err(format_args!(
            "error: an argument holds a connection string, and everybody on this machine can see \
             arguments; put it into the environment as EVENTHUBS_CONNECTION_STRING\n"
        ));
        return Err(ExitCode::from(settings::USAGE));
    }
    match Cli::try_parse() {
        Ok(cli) => Ok(cli.command),
        Err(error) if error.use_stderr() => {
            screen::err(format_args!("{}", error.render()));
            Err(ExitCode::from(settings::USAGE))
        }
        Err(help) => match help.print() {
            Ok(()) => Err(ExitCode::SUCCESS),
            Err(_) => Err(ExitCode::FAILURE),
        },
    }
}
