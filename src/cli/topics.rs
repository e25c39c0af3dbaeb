//! `watchfire topics`: the topics that the application needs.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;

use super::settings::{Settings, USAGE};
use super::{log, screen};
use crate::config::Config;
use crate::escape;
use crate::io::disk::table_files::TableFiles;
use crate::io::kafka::client::{Health, START_PATIENCE, chain};
use crate::io::kafka::loss::{self, Loss};
use crate::io::kafka::topics::{Creation, Deviation, Names, Wanted, azure};
use crate::io::{
    disk::rule_set,
    kafka::{replaced, rules_topic, topics},
};
use crate::plan::Catalogue;
use crate::plan::epochs::BeginAt;
use crate::plan::retention::Needs;
use crate::rule::Rule;

/// The commands about topics.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Make the topics that do not exist yet.
    Create(Create),
    /// Say everything about the topics that is not as it must be; exits 1 if there is anything.
    /// Notes say what to know besides, such as the tier of Event Hubs that is needed.
    Check(Check),
    /// Say that a source topic is another log than the one that was read, so that it is read from
    /// its beginning, in an epoch of its own. Stop all workers before, and start them afterwards.
    Reset(Reset),
    /// Say what topics no longer have and workers still need, and accept that once: they then go
    /// on with what there is. Start them again afterwards.
    AcceptLoss(AcceptLoss),
}

/// The flags of `topics create`.
#[derive(clap::Args, Debug)]
pub struct Create {
    #[command(flatten)]
    settings: Settings,
    /// Copies of each partition; -1: as many as the brokers make by default.
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    replication_factor: i32,
    /// Print how all of them are made on Event Hubs, where clients may not, and ask no broker.
    #[arg(long, value_name = "FORM")]
    print: Option<Print>,
}

/// How topics are made by other means.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Print {
    /// Commands for Azure's command line.
    Az,
    /// A Bicep file.
    Bicep,
}

/// The flags of `topics check`.
#[derive(clap::Args, Debug)]
pub struct Check {
    #[command(flatten)]
    settings: Settings,
    /// Write JSON: what is not as it must be.
    #[arg(long)]
    json: bool,
}

/// The flags of `topics reset`.
#[derive(clap::Args, Debug)]
pub struct Reset {
    #[command(flatten)]
    settings: Settings,
    /// The source topic.
    topic: String,
    /// Read none of it again: go on where it was committed, or at the nearest message it has.
    #[arg(long)]
    keep_offset: bool,
}

/// The flags of `topics accept-loss`.
#[derive(clap::Args, Debug)]
pub struct AcceptLoss {
    #[command(flatten)]
    settings: Settings,
    /// Only say what is gone.
    #[arg(long)]
    dry_run: bool,
}

/// Runs one of the commands.
pub fn run(command: &Command) -> Result<ExitCode> {
    let settings = match command {
        Command::Create(Create { settings, .. })
        | Command::Check(Check { settings, .. })
        | Command::Reset(Reset { settings, .. })
        | Command::AcceptLoss(AcceptLoss { settings, .. }) => settings,
    };
    let config = match settings.load() {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    log::start(false)?;
    match command {
        Command::Create(args) => with_rules(&config, |rules| create(&config, rules, args)),
        Command::Check(args) => with_rules(&config, |rules| check(&config, rules, args.json)),
        Command::Reset(args) => reset(&config, args),
        Command::AcceptLoss(args) => accept_loss(&config, args.dry_run),
    }
}

/// Runs a command with the configured rules, if there are any. Rules with errors are refused.
fn with_rules(
    config: &Config,
    command: impl FnOnce(&[Rule]) -> Result<ExitCode>,
) -> Result<ExitCode> {
    if config.rules.is_empty() {
        return command(&[]);
    }
    match rule_set::parse(rule_set::content(config, &mut TableFiles::default())) {
        Ok(set) => command(&set.rules),
        Err(problems) => {
            screen::errors(&problems);
            Ok(ExitCode::from(USAGE))
        }
    }
}

fn create(config: &Config, rules: &[Rule], args: &Create) -> Result<ExitCode> {
    let needed = Needs::of(rules, config.settings).seconds();
    if let Some(form) = args.print {
        let wanted = topics::wanted(config, needed);
        print(config, form, &wanted.iter().collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let health = Health::of(config);
    let made = match topics::create(config, &health, needed, args.replication_factor)? {
        Creation::Made(made) => made,
        Creation::Refused(missing) => {
            screen::err(format_args!(
                "error: the brokers do not let clients make topics. These commands, or this \
                 Bicep file, make them\n"
            ));
            let missing: Vec<&Wanted> = missing.iter().collect();
            print(config, Print::Az, &missing)?;
            screen::out(format_args!("\n"))?;
            print(config, Print::Bicep, &missing)?;
            return Ok(ExitCode::FAILURE);
        }
    };
    for topic in topics::wanted(config, needed) {
        let done = if made.iter().any(|made| **made == *topic.name) {
            "created"
        } else {
            "exists"
        };
        screen::out(format_args!("{done} {}\n", topic.name))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints how topics are made by other means.
fn print(config: &Config, form: Print, wanted: &[&Wanted]) -> Result<()> {
    let text = match form {
        Print::Az => azure::az(wanted, config.kafka.namespace()),
        Print::Bicep => azure::bicep(wanted),
    };
    screen::out(format_args!("{text}"))?;
    Ok(())
}

fn check(config: &Config, rules: &[Rule], json: bool) -> Result<ExitCode> {
    let health = Health::of(config);
    let existing = topics::partitions(config, &health, START_PATIENCE)?;
    let rules_topic = Names::of(&config.app).rules;
    let known = match existing.contains_key(&*rules_topic) {
        true => Some(rules_topic::read(config, &health)?.catalogue),
        false => None,
    };
    let fixed = known.as_ref().and_then(Catalogue::matches_partitions);
    let needs = Needs::of(rules, config.settings);
    let mut checked = topics::check(config, &health, &existing, fixed, &needs)?;
    if let Some(known) = &known {
        match replaced::deviations(config, &health, &existing, known) {
            Ok(replaced) => checked.deviations.extend(replaced),
            Err(error) => checked.notes.push(format!(
                "whether the sources are the logs that were read cannot be told: {}",
                chain(&error)
            )),
        }
    }
    let deviations = &checked.deviations;
    if json {
        let list: Vec<_> = deviations.iter().map(as_json).collect();
        screen::out(format_args!("{}\n", serde_json::Value::from(list)))?;
    } else if deviations.is_empty() {
        screen::out(format_args!("all topics are as they must be\n"))?;
    } else {
        for deviation in deviations {
            let deviation = deviation.to_string();
            screen::out(format_args!("{}\n", escape::value(&deviation)))?;
        }
    }
    if !json {
        let advice = topics::advice(config, &existing, rules);
        for note in checked.notes.iter().chain(&advice) {
            screen::out(format_args!("note: {}\n", escape::value(note)))?;
        }
    }
    Ok(if deviations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn accept_loss(config: &Config, dry_run: bool) -> Result<ExitCode> {
    let health = Health::of(config);
    let existing = topics::partitions(config, &health, START_PATIENCE)?;
    let losses = loss::find(config, &health, &existing)?;
    for loss in &losses {
        let Loss {
            topic,
            partition,
            needed,
            begins,
            ..
        } = loss;
        let lost = loss.lost();
        screen::out(format_args!(
            "{topic}/{partition}: {lost} messages are gone: needed from offset {needed} on, and \
             it begins at {begins}\n"
        ))?;
    }
    let all: i64 = losses.iter().map(Loss::lost).sum();
    if losses.is_empty() {
        screen::out(format_args!("nothing is gone that workers need\n"))?;
    } else if dry_run {
        screen::out(format_args!(
            "{all} messages in all; nothing was accepted\n"
        ))?;
    } else {
        loss::accept(config, &health, &losses)?;
        screen::out(format_args!(
            "{all} messages in all, accepted as lost; start the workers again\n"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(deviation: &Deviation) -> serde_json::Value {
    let Deviation {
        topic,
        about,
        found,
        expected,
        weight: _,
    } = deviation;
    serde_json::json!({ "topic": topic, "about": about, "found": found, "expected": expected })
}

fn reset(
    config: &Config,
    Reset {
        topic, keep_offset, ..
    }: &Reset,
) -> Result<ExitCode> {
    if !config.sources.contains(topic) {
        bail!(
            "{topic} is none of the configured sources: {}",
            config.sources.join(", ")
        );
    }
    let health = Health::of(config);
    let rules = Names::of(&config.app).rules;
    let existing = topics::partitions(config, &health, START_PATIENCE)?;
    if !existing.contains_key(&*rules) {
        bail!("topic {rules} does not exist on {}", config.kafka.brokers());
    }
    let catalogue = rules_topic::read(config, &health)?.catalogue;
    let begin_at = match keep_offset {
        true => BeginAt::Committed,
        false => BeginAt::Oldest,
    };
    let entry = catalogue.epochs().raise_topic(topic, begin_at);
    rules_topic::write(config, &health, &[entry])?;
    screen::out(format_args!(
        "{topic} is in epoch {} now; start the workers\n",
        catalogue.epochs().next(topic)
    ))?;
    Ok(ExitCode::SUCCESS)
}
