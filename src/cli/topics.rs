//! `watchfire topics`: the topics that the application needs.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::settings::{Settings, USAGE};
use super::{log, screen};
use crate::config::Config;
use crate::escape;
use crate::io::client::{Health, START_PATIENCE};
use crate::io::topics::{Deviation, Names};
use crate::io::{rule_set, rules_topic, topics};
use crate::plan::retention;
use crate::time::Second;

/// The commands about topics.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Make the topics that do not exist yet.
    Create(Create),
    /// Say everything about the topics that is not as it must be; exits 1 if there is anything.
    Check(Check),
    /// Say that a source topic was made anew, so that its offsets count from the start again.
    /// Stop all workers before, and start them afterwards.
    Reset(Reset),
}

/// The flags of `topics create`.
#[derive(clap::Args, Debug)]
pub struct Create {
    #[command(flatten)]
    settings: Settings,
    /// Copies of each partition; -1: as many as the brokers make by default.
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    replication_factor: i32,
}

/// The flags of `topics check`.
#[derive(clap::Args, Debug)]
pub struct Check {
    #[command(flatten)]
    settings: Settings,
    /// Write JSON.
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
}

/// Runs one of the commands.
pub fn run(command: &Command) -> Result<ExitCode> {
    let settings = match command {
        Command::Create(Create { settings, .. })
        | Command::Check(Check { settings, .. })
        | Command::Reset(Reset { settings, .. }) => settings,
    };
    let config = match settings.load() {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    log::start(false)?;
    match command {
        Command::Create(args) => with_needed(&config, |needed| {
            create(&config, needed, args.replication_factor)
        }),
        Command::Check(args) => with_needed(&config, |needed| check(&config, needed, args.json)),
        Command::Reset(args) => reset(&config, &args.topic),
    }
}

/// Runs a command with the seconds of event time that the state of the configured rules depends
/// on; 0: none are configured. Rules with errors are refused.
fn with_needed(
    config: &Config,
    command: impl FnOnce(Second) -> Result<ExitCode>,
) -> Result<ExitCode> {
    if config.rules.is_empty() {
        return command(0);
    }
    match rule_set::parse(rule_set::content(&config.rules)) {
        Ok(set) => command(retention::needed(&set.rules, config.settings)),
        Err(problems) => {
            screen::errors(&problems);
            Ok(ExitCode::from(USAGE))
        }
    }
}

fn create(config: &Config, needed: Second, replication: i32) -> Result<ExitCode> {
    let health = Health::of(config);
    let made = topics::create(config, &health, needed, replication)?;
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

fn check(config: &Config, needed: Second, json: bool) -> Result<ExitCode> {
    let health = Health::of(config);
    let existing = topics::partitions(config, &health, START_PATIENCE)?;
    let rules = Names::of(&config.app).rules;
    let fixed = match existing.contains_key(&*rules) {
        true => rules_topic::read(config, &health)?
            .catalogue
            .matches_partitions(),
        false => None,
    };
    let deviations = topics::check(config, &health, &existing, fixed, needed)?;
    if json {
        let list: Vec<_> = deviations.iter().map(as_json).collect();
        screen::out(format_args!("{}\n", serde_json::Value::from(list)))?;
    } else if deviations.is_empty() {
        screen::out(format_args!("all topics are as they must be\n"))?;
    } else {
        for deviation in &deviations {
            let deviation = deviation.to_string();
            screen::out(format_args!("{}\n", escape::value(&deviation)))?;
        }
    }
    Ok(if deviations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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

fn reset(config: &Config, topic: &str) -> Result<ExitCode> {
    if !config.sources.iter().any(|source| source == topic) {
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
    let entry = catalogue.raise_epoch(topic);
    rules_topic::write(config, &health, &[entry])?;
    screen::out(format_args!(
        "{topic} is in epoch {} now; start the workers\n",
        catalogue.epoch(topic) + 1
    ))?;
    Ok(ExitCode::SUCCESS)
}
