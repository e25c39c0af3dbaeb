//! The flags that every command with brokers has, and the configuration that they give.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;

use super::screen;
use crate::config::{self, Config, Input, Written, looks_secret};
use crate::detect::prefilter::Validate;
use crate::io::backtest::topic::Cluster;
use crate::io::cgroup;
use crate::io::kafka::client::Health;

/// What was wrong with the command line, the configuration or the rules.
pub const USAGE: u8 = 2;

/// Where the configuration is, and the brokers.
#[derive(clap::Args, Debug, Default)]
pub struct Connection {
    /// The configuration file (TOML): the brokers, and the settings that rules are run with.
    #[arg(
        long,
        short,
        value_name = "FILE",
        env = "WATCHFIRE_CONFIG",
        hide_env_values = true
    )]
    pub config: Option<PathBuf>,
    /// Where the brokers are: host:port, several separated by commas.
    #[arg(long, value_name = "ADDRESS")]
    brokers: Option<String>,
}

impl Connection {
    /// The brokers, as the configuration and the flags name them; or every problem on stderr and
    /// the exit code for that.
    pub fn cluster(&self) -> Result<Cluster, ExitCode> {
        let settings = Settings::of(self.config.clone(), self.brokers.clone());
        let config = Arc::new(settings.load()?);
        Ok(Cluster {
            health: Health::of(&config),
            config,
        })
    }
}

/// Flags over the configuration.
#[derive(clap::Args, Debug, Default)]
pub struct Settings {
    #[command(flatten)]
    connection: Connection,
    /// Prefix of topics, consumer groups and transactional ids.
    #[arg(long)]
    app: Option<String>,
    /// A topic to read; may be given several times.
    #[arg(long = "source", value_name = "TOPIC")]
    sources: Vec<String>,
    /// A file or directory of rules; may be given several times.
    #[arg(long, value_name = "PATH")]
    rules: Vec<String>,
    /// A file or directory of attributes; may be given several times.
    #[arg(long, value_name = "PATH")]
    attributes: Vec<String>,
    /// A table of networks, or a directory of them; may be given several times.
    #[arg(long, value_name = "PATH")]
    tables: Vec<String>,
    /// Directory of the state.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<String>,
    /// How output is tied to offsets.
    #[arg(long)]
    delivery: Option<Delivery>,
    /// Of which messages all records are read: all, or matching: those in which one may match.
    #[arg(long, value_name = "all|matching", value_parser = Validate::parse)]
    validate: Option<Validate>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Delivery {
    ExactlyOnce,
    AtLeastOnce,
}

impl Settings {
    /// These flags, as a command that has only them gives them.
    pub fn of(config: Option<PathBuf>, brokers: Option<String>) -> Settings {
        Settings {
            connection: Connection { config, brokers },
            ..Settings::default()
        }
    }

    /// The configuration, or every problem of it on stderr and the exit code for that.
    /// What should be looked at is said as well.
    pub fn load(&self) -> Result<Config, ExitCode> {
        let config = self.read().map_err(|problems| {
            screen::errors(&problems);
            ExitCode::from(USAGE)
        })?;
        for warning in &config.warnings {
            screen::err(format_args!("warning: {warning}\n"));
        }
        Ok(config)
    }

    /// The configuration, with its warnings not yet said.
    ///
    /// # Errors
    ///
    /// Every problem of it.
    pub fn read(&self) -> Result<Config, Vec<String>> {
        self.build(Config::build)
    }

    /// What is built from the configuration.
    ///
    /// # Errors
    ///
    /// Every problem of it.
    pub fn build<T>(
        &self,
        build: impl FnOnce(Input<'_>) -> Result<T, Vec<String>>,
    ) -> Result<T, Vec<String>> {
        let mut file = None;
        if let Some(path) = &self.connection.config {
            let name = path.display().to_string();
            if looks_secret(&name) {
                return Err(vec![
                    "--config names a file; a connection string goes into the environment as \
                     EVENTHUBS_CONNECTION_STRING"
                        .to_owned(),
                ]);
            }
            let text =
                std::fs::read_to_string(path).map_err(|error| vec![format!("{name}: {error}")])?;
            file = Some((name, text));
        }
        let environment = environment()?;
        build(Input {
            file: file
                .as_ref()
                .map(|(name, text)| (name.as_str(), text.as_str())),
            environment: &environment,
            flags: self.written(),
            read_secret: &|path| std::fs::read_to_string(path).map_err(|error| error.to_string()),
            memory_limit: cgroup::memory_limit(),
        })
    }

    fn written(&self) -> Written {
        let list = |given: &[String]| (!given.is_empty()).then(|| given.to_vec());
        let brokers = self.connection.brokers.as_deref();
        Written {
            app: self.app.clone(),
            sources: list(&self.sources),
            rules: list(&self.rules),
            attributes: list(&self.attributes),
            tables: list(&self.tables),
            state_dir: self.state_dir.clone(),
            validate: self.validate,
            delivery: self.delivery.map(|delivery| match delivery {
                Delivery::ExactlyOnce => config::Delivery::ExactlyOnce,
                Delivery::AtLeastOnce => config::Delivery::AtLeastOnce,
            }),
            kafka: brokers
                .map(|brokers| ("bootstrap.servers".to_owned(), toml::Value::from(brokers)))
                .into_iter()
                .collect(),
            ..Written::default()
        }
    }
}

/// All environment variables that are text. One of ours that is not is a problem.
fn environment() -> Result<BTreeMap<String, String>, Vec<String>> {
    let mut environment = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        match value.into_string() {
            Ok(value) => {
                environment.insert(name, value);
            }
            Err(_) if name.starts_with("WATCHFIRE_") || name.starts_with("EVENTHUBS_") => {
                problems.push(format!("{name}: its value is not UTF-8"));
            }
            Err(_) => (),
        }
    }
    match problems.is_empty() {
        true => Ok(environment),
        false => Err(problems),
    }
}
