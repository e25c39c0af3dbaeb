//! `watchfire rules show`: the rule behind an incident, as the topic has it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::settings::Settings;
use super::{log, screen};
use crate::config::Config;
use crate::escape;
use crate::io::kafka::client::{Health, START_PATIENCE};
use crate::io::kafka::rules_topic;
use crate::io::kafka::topics::{self, Names};
use crate::plan::history::{History, NotFound, Version, find};
use crate::record::Hash;
use crate::time::{Second, rfc3339};

/// The most rules that an error names.
const NAMED_MAX: usize = 20;

/// Show the rule behind an incident, exactly as it was when the incident was said.
///
/// Characters that would act on a terminal are shown as JSON writes them (\u001b); --json has the
/// exact text.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The incident's rule_fingerprint or the beginning of it, or its rule_id for the rule's
    /// newest meaning.
    #[arg(value_name = "FINGERPRINT")]
    wanted: String,
    /// Show every text that the rule has had with this meaning, the newest last.
    #[arg(long)]
    all: bool,
    /// Write JSON, one object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

/// Shows the rule. Exit codes: 1 it is not there or the topic cannot be read, 2 the configuration
/// is wrong.
pub fn run(args: &Args) -> Result<ExitCode> {
    let config = match args.settings.load() {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    log::start_at("warn", false)?;
    let versions = read(&config)?;
    let found = match find(&versions, &args.wanted) {
        Ok(found) => found,
        Err(why) => bail!("{}", complaint(&config, &versions, &args.wanted, &why)),
    };
    let shown = match args.all {
        true => 0,
        false => found.len().saturating_sub(1),
    };
    for (number, version) in found.iter().skip(shown).enumerate() {
        if args.json {
            screen::out(format_args!("{}\n", as_json(version)))?;
        } else {
            let separator = if number > 0 { "---\n" } else { "" };
            screen::out(format_args!("{separator}{}", as_yaml(version)))?;
            if matches!(escape::lines(&version.text), Cow::Owned(shown) if shown != version.text) {
                screen::err(format_args!(
                    "some characters of the rule are shown as \\uXXXX; --json has its exact text\n"
                ));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(config: &Config) -> Result<Vec<Version>> {
    let health = Health::of(config);
    let topic = Names::of(&config.app).rules;
    let existing = topics::partitions(config, &health, START_PATIENCE)?;
    if !existing.contains_key(&*topic) {
        bail!(
            "topic {topic} does not exist on {}; is `app` that of the workers?",
            config.kafka.brokers()
        );
    }
    let mut history = History::default();
    rules_topic::each(config, &health, &mut |entry| {
        history.read(entry.key, entry.value, entry.written)
    })?;
    Ok(history.versions())
}

/// What is there instead of what was wanted.
fn complaint(config: &Config, versions: &[Version], wanted: &str, why: &NotFound) -> String {
    let topic = Names::of(&config.app).rules;
    let (mut text, named) = match why {
        NotFound::Unknown => {
            let all = versions.iter().map(|version| version.fingerprint).collect();
            let text = format!(
                "topic {topic} has no rule whose id is \"{wanted}\", or whose fingerprint begins \
                 so; it has"
            );
            (text, all)
        }
        NotFound::Ambiguous(meanings) => {
            let text = format!("several fingerprints begin with \"{wanted}\"; give more of one:");
            (text, meanings.clone())
        }
    };
    if named.is_empty() {
        text.push_str(" none at all: no worker has run yet");
    }
    for line in lines(versions, &named).take(NAMED_MAX) {
        text.push('\n');
        text.push_str(&escape::value(&line));
    }
    if named.len() > NAMED_MAX {
        text.push_str(&format!("\nand {} more", named.len() - NAMED_MAX));
    }
    text
}

/// Fingerprint and id of meanings, those in use first.
fn lines(versions: &[Version], named: &BTreeSet<Hash>) -> impl Iterator<Item = String> {
    let newest = |meaning: &Hash| versions.iter().rfind(|v| v.fingerprint == *meaning);
    let mut newest: Vec<&Version> = named.iter().filter_map(newest).collect();
    newest.sort_by_key(|version| (!version.in_use, &version.id));
    let line = |version: &Version| {
        let state = if version.in_use {
            "in use"
        } else {
            "not in use"
        };
        format!("{} {} ({state})", version.fingerprint, version.id)
    };
    newest.into_iter().map(line).collect::<Vec<_>>().into_iter()
}

/// The exact text, with what else is known in comments before it.
fn as_yaml(version: &Version) -> String {
    let Version {
        fingerprint,
        settings,
        text,
        ..
    } = version;
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!(
        "# fingerprint: {fingerprint}\n# since: {}\n# in use: {}\n# patience: {}, lateness: {}, \
         evidence: {}, distinct values: {}, message bytes: {}\n{text}{end}",
        since(version.since),
        if version.in_use { "yes" } else { "no" },
        duration(settings.patience),
        duration(settings.lateness),
        settings.limits.evidence,
        settings.limits.distinct_values,
        settings.limits.message_bytes,
    )
}

fn as_json(version: &Version) -> Value {
    json!({
        "rule_id": version.id,
        "rule_fingerprint": version.fingerprint,
        "entry": version.entry,
        "since": version.since.filter(|since| *since > 0).map(|since| rfc3339(since * 1000)),
        "written": version.written.map(rfc3339),
        "in_use": version.in_use,
        "patience_s": version.settings.patience,
        "lateness_s": version.settings.lateness,
        "limits": version.settings.limits,
        "text": version.text,
    })
}

fn since(since: Option<Second>) -> String {
    match since {
        None => "never: no plan has it".to_owned(),
        Some(0) => "the beginning".to_owned(),
        Some(second) => rfc3339(second * 1000),
    }
}

fn duration(seconds: Second) -> String {
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    humantime::format_duration(seconds).to_string()
}
