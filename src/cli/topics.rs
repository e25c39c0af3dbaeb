//! `watchfire topics`: the topics that the application needs.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::log;
use super::settings::Settings;
use crate::config::Config;
use crate::io::client::Health;
use crate::io::topics::{Deviation, Names};
use crate::io::{rules_topic, topics};

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
        Command::Create(args) => create(&config, args.replication_factor),
        Command::Check(args) => check(&config, args.json),
        Command::Reset(args) => reset(&config, &args.topic),
    }
}

fn create(config: &Config, replication: i32) -> Result<ExitCode> {
    let health = Health::new(config.kafka.brokers());
    let made = topics::create(config, &health, replication)?;
    for topic in topics::wanted(config) {
        let done = if made.iter().any(|made| **made == *topic.name) {
            "created"
        } else {
            "exists"
        };
        println!("{done} {}", topic.name);
    }
    Ok(ExitCode::SUCCESS)
}

fn check(config: &Config, json: bool) -> Result<ExitCode> {
    let health = Health::new(config.kafka.brokers());
    let deviations = topics::check(config, &health)?;
    if json {
        let list: Vec<_> = deviations.iter().map(as_json).collect();
        println!("{}", serde_json::Value::from(list));
    } else if deviations.is_empty() {
        println!("all topics are as they must be");
    } else {
        for deviation in &deviations {
            println!("{deviation}");
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
    let health = Health::new(config.kafka.brokers());
    let rules = Names::of(&config.app).rules;
    let existing = topics::partitions(config, &health, crate::io::client::START_PATIENCE)?;
    if !existing.contains_key(&*rules) {
        bail!("topic {rules} does not exist on {}", config.kafka.brokers());
    }
    let catalogue = rules_topic::read(config, &health)?;
    let entry = catalogue.raise_epoch(topic);
    rules_topic::write(config, &health, &[entry])?;
    println!(
        "{topic} is in epoch {} now; start the workers",
        catalogue.epoch(topic) + 1
    );
    Ok(ExitCode::SUCCESS)
}
