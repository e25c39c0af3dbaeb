//! `watchfire config`: whether the configuration holds, what holds, and what can be set.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::screen;
use super::settings::{Settings, USAGE};
use crate::config::schema::schema;
use crate::config::shown::{self, Origin, Setting};
use crate::config::{Config, Input};
use crate::escape;

/// The configuration: the file, the environment over it, the flags over both.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Say everything that is wrong with it. Brokers are not asked.
    Check(Settings),
    /// Show what holds, and where each value comes from. Secrets are not shown.
    Show(Show),
    /// Write the JSON Schema of the file, for editors.
    Schema,
}

/// What `config show` is asked.
#[derive(clap::Args, Debug)]
pub struct Show {
    #[command(flatten)]
    settings: Settings,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

/// Exit codes: 0 it holds, 2 something is wrong with it.
pub fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Check(settings) => check(settings),
        Command::Show(show) => show_all(show),
        Command::Schema => write_schema(&schema()),
    }
}

/// Writes a JSON Schema.
pub fn write_schema(schema: &Value) -> Result<ExitCode> {
    let text = serde_json::to_string_pretty(schema)?;
    screen::out(format_args!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn check(settings: &Settings) -> Result<ExitCode> {
    let config = match settings.load() {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let missing = config.missing_for_run();
    screen::errors(&missing);
    if !missing.is_empty() {
        return Ok(ExitCode::from(USAGE));
    }
    screen::out(format_args!("the configuration is valid\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn show_all(Show { settings, json }: &Show) -> Result<ExitCode> {
    let built = settings.build(|input: Input<'_>| {
        let config = Config::build(input.clone())?;
        let all = shown::settings(&input, &config);
        Ok((config, all))
    });
    let (config, all) = match built {
        Ok(built) => built,
        Err(problems) => {
            screen::errors(&problems);
            return Ok(ExitCode::from(USAGE));
        }
    };
    for warning in &config.warnings {
        screen::err(format_args!("warning: {warning}\n"));
    }
    match json {
        true => {
            let all: Vec<Value> = all.iter().map(to_json).collect();
            let text = serde_json::to_string_pretty(&all)?;
            screen::out(format_args!("{text}\n"))?;
        }
        false => {
            let width = |text: fn(&Setting) -> usize| all.iter().map(text).max().unwrap_or(0);
            let keys = width(|setting| setting.key.len());
            let values = width(|setting| value_of(setting).len()).min(VALUE_WIDTH);
            for setting in &all {
                let (key, value) = (&setting.key, value_of(setting));
                let value = escape::value(&value).to_string();
                let from = words(&setting.from);
                screen::out(format_args!("{key:keys$}  {value:values$}  {from}\n"))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Longer values push what follows aside.
const VALUE_WIDTH: usize = 40;

fn value_of(setting: &Setting) -> String {
    setting.value.clone().unwrap_or_else(|| "-".to_owned())
}

fn words(from: &Origin) -> String {
    match from {
        Origin::Default("") => "default".to_owned(),
        Origin::Default(what) => format!("default: {what}"),
        Origin::MemoryLimit => "default, by the memory limit".to_owned(),
        Origin::EventHubs => "what Event Hubs needs".to_owned(),
        Origin::Line { file, line } => format!("{}:{line}", escape::value(file)),
        Origin::Variable(name) => name.clone(),
        Origin::Flag => "flag".to_owned(),
    }
}

/// The value, as it would be written, in JSON.
fn value_as_json(setting: &Setting) -> Option<Value> {
    let value = setting.value.as_ref()?;
    let written: Result<toml::Table, _> = toml::from_str(&format!("value = {value}"));
    let table = written
        .ok()
        .and_then(|table| serde_json::to_value(table).ok());
    let read = table.and_then(|mut table| Some(table.get_mut("value")?.take()));
    Some(read.unwrap_or_else(|| value.as_str().into()))
}

fn to_json(setting: &Setting) -> Value {
    let from = match &setting.from {
        Origin::Default("") => json!({"kind": "default"}),
        Origin::Default(what) => json!({"kind": "default", "means": what}),
        Origin::MemoryLimit => json!({"kind": "memory_limit"}),
        Origin::EventHubs => json!({"kind": "event_hubs"}),
        Origin::Line { file, line } => json!({"kind": "file", "file": file, "line": line}),
        Origin::Variable(name) => json!({"kind": "variable", "name": name}),
        Origin::Flag => json!({"kind": "flag"}),
    };
    json!({"key": setting.key, "value": value_as_json(setting), "from": from})
}
