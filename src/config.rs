//! Configuration in two steps: what was written ([`written`]), and what the worker is built from
//! ([`Config`]). Flags stand over the environment, the environment over the file.

mod complaint;
mod connection;
mod environment;
pub mod http;
pub mod kafka;
pub mod keys;
pub mod login;
pub mod registry;
pub mod schema;
mod secret;
pub mod shown;
#[cfg(test)]
mod tests;
pub mod written;

use std::collections::BTreeMap;
use std::time::Duration;

pub use http::Http;
pub use kafka::{Kafka, near_property};
pub use login::Login;
pub use registry::Registry;
pub use secret::{ReadSecret, Secret, holds_key, looks_secret};
pub use written::{Delivery, OnBrokenRules, OnReplacedSource, RuleTests, Size, Start, Written};

use crate::decode;
use crate::detect::prefilter::Validate;
use crate::encode::Encoding;
use crate::encode::message::{Framing, Publishing};
use crate::plan::Settings;
use crate::time::Second;
use written::Time;

/// Event Hubs takes 4 commits a second and partition.
const EVENT_HUBS_COMMIT_INTERVAL: Duration = Duration::from_millis(300);

/// What the worker is built from; checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Prefix of topics, consumer groups and transactional ids.
    pub app: String,
    /// Topics to read.
    pub sources: Vec<String>,
    /// Files and directories of rules.
    pub rules: Vec<String>,
    /// Files of attributes, and directories of them, besides those beside rules.
    pub attributes: Vec<String>,
    /// Tables of networks, and directories of them, besides those beside rules.
    pub tables: Vec<String>,
    /// Directory of the state, made if it is missing.
    pub state_dir: String,
    /// `None`: what the brokers can do.
    pub delivery: Option<Delivery>,
    /// What applies to rules that do not say it themselves.
    pub settings: Settings,
    /// How much a source message may ask for.
    pub decoding: decode::Limits,
    /// Where source partitions without a committed offset start.
    pub start: Start,
    /// From the beginning of one commit to that of the next, while there is more to be read.
    pub commit_interval: Duration,
    /// Between two looks at how far time has come.
    pub watermark_interval: Duration,
    /// How long brokers may be away, once the worker has started.
    pub broker_timeout: Duration,
    /// Whether the groups know a worker by its id, so that one that is away for less than the
    /// session time-out has its partitions again.
    pub static_membership: bool,
    /// Between two lines of counters in the log.
    pub status_interval: Duration,
    /// Of which messages all records are read.
    pub validate: Validate,
    /// Threads that detect and fold; 0: as many as there are processors.
    pub threads: usize,
    /// What becomes of a start whose rule files have errors.
    pub on_broken_rules: OnBrokenRules,
    /// What becomes of a source partition that is another log than the one that was read.
    pub on_replaced_source: OnReplacedSource,
    /// Whether rules must pass their own tests.
    pub rule_tests: RuleTests,
    /// How long workers may have different rules before they are warned of.
    pub rolling_change: Duration,
    /// What one message of the matches, dead-letter or incidents topic may hold.
    pub message_bytes_max: usize,
    /// What the state may hold in memory for reading.
    pub block_cache_bytes: usize,
    /// What the keys that are in memory may take, about.
    pub keys_bytes: usize,
    /// What keys may take besides while they are folded anew, about.
    pub recovery_bytes: usize,
    /// What the state may hold in memory before it is written to disk.
    pub write_buffer_bytes: usize,
    /// How incidents are published.
    pub incidents: Incidents,
    /// What `topics create` makes.
    pub topics: Topics,
    /// How to reach the brokers.
    pub kafka: Kafka,
    /// Where health and metrics are served, if they are.
    pub http: Option<Http>,
    /// Where the schema of incidents is registered, if it is.
    pub registry: Option<Registry>,
    /// How readers of Avro find the schema: known once a registry was asked.
    pub framing: Framing,
    /// Where tokens come from, if brokers are to have some.
    pub login: Option<Login>,
    /// What should be looked at, and does not prevent the start.
    pub warnings: Vec<String>,
}

/// How incidents are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incidents {
    /// How they are written.
    pub encoding: Encoding,
    /// Whether they have the headers of CloudEvents.
    pub cloudevents: bool,
    /// Whether those of rules under test are published.
    pub test: bool,
}

/// Sizes of the topics that belong to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topics {
    /// Partitions of the matches topic; never changed under one `app`.
    pub matches_partitions: u32,
    /// Partitions of the incidents topic.
    pub incidents_partitions: u32,
    /// How long the matches topic keeps messages; `None`: as long as the state needs.
    pub matches_retention: Option<Duration>,
    /// How long nothing may run before a lost state can no longer be made anew.
    pub longest_outage: Duration,
}

/// What parts of the state take where nothing is written of it.
struct Memory {
    block_cache: usize,
    keys: usize,
    recovery: usize,
    write_buffer: usize,
}

/// What the program and the clients' queues take beside the state, about, while there is a backlog.
const PROGRAM_BYTES: u64 = 340 << 20;

impl Memory {
    /// Of nine tenths of the limit, without what the program takes, a share each.
    fn within(limit: Option<u64>) -> Memory {
        let free = limit.map(|limit| (limit / 10 * 9).saturating_sub(PROGRAM_BYTES));
        let of = |percent: u64, least: usize, most: usize| {
            let limited = free.and_then(|free| usize::try_from(free / 100 * percent).ok());
            limited.map_or(most, |limited| limited.clamp(least, most))
        };
        Memory {
            block_cache: of(20, 8 << 20, 256 << 20),
            keys: of(30, 8 << 20, 512 << 20),
            recovery: of(35, 8 << 20, 512 << 20),
            write_buffer: of(15, 4 << 20, 64 << 20),
        }
    }
}

/// All that a configuration is read from.
#[derive(Clone)]
pub struct Input<'a> {
    /// The file's name and text, if there is a file.
    pub file: Option<(&'a str, &'a str)>,
    /// All environment variables.
    pub environment: &'a BTreeMap<String, String>,
    /// What the flags say.
    pub flags: Written,
    /// Reads a file that holds a secret.
    pub read_secret: ReadSecret<'a>,
    /// Bytes of memory that the program may take, where they are limited from outside: what it
    /// takes where nothing is written follows that.
    pub memory_limit: Option<u64>,
}

impl Input<'_> {
    /// What the file says, and the environment over it.
    fn written(
        &self,
        warnings: &mut Vec<String>,
        problems: &mut Vec<String>,
    ) -> Result<Written, Vec<String>> {
        let mut written = Written::default();
        if let Some((file, text)) = self.file {
            written = Written::from_file(file, text).map_err(|problem| vec![problem])?;
        }
        Ok(environment::layer(self.environment, warnings, problems).over(written))
    }
}

/// What of a configuration rules are looked at with; brokers need not be known for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForRules {
    /// What applies to rules that do not say it themselves.
    pub settings: Settings,
    /// Topics to read.
    pub sources: Vec<String>,
    /// Files of attributes, and directories of them.
    pub attributes: Vec<String>,
    /// Tables of networks, and directories of them.
    pub tables: Vec<String>,
}

impl ForRules {
    /// What `input` writes.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, one line each.
    pub fn build(input: &Input<'_>) -> Result<ForRules, Vec<String>> {
        let mut problems = Vec::new();
        let written = input.written(&mut Vec::new(), &mut problems)?;
        let settings = settings(&written);
        if settings.lateness < settings.patience {
            problems.push(LATENESS.to_owned());
        }
        match problems.is_empty() {
            true => Ok(ForRules {
                settings,
                sources: written.sources.unwrap_or_default(),
                attributes: written.attributes.unwrap_or_default(),
                tables: written.tables.unwrap_or_default(),
            }),
            false => Err(problems),
        }
    }
}

const LATENESS: &str = "lateness: must be at least patience";

fn settings(written: &Written) -> Settings {
    Settings {
        patience: seconds(time(written.patience, "15m")),
        lateness: seconds(time(written.lateness, "2h")),
        limits: written.limits.limits(),
    }
}

impl Config {
    /// The configuration that `input` writes.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, one line each.
    pub fn build(input: Input<'_>) -> Result<Config, Vec<String>> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        let mut written = input.written(&mut warnings, &mut problems)?;
        let mut flags = input.flags;
        let flag = flags.take_brokers();
        written = flags.over(written);
        let mut kafka = Kafka::build(
            &kafka::Layers {
                written: &written.kafka,
                environment: input.environment,
                read: input.read_secret,
                flag: flag.as_deref(),
            },
            &mut warnings,
            &mut problems,
        );
        written.sources = written.sources.or_else(|| Some(vec![kafka.hub.clone()?]));
        let sources = login::Sources {
            written: &written.login,
            environment: input.environment,
            read: input.read_secret,
        };
        let http = http::Sources {
            written: &written.http,
            environment: input.environment,
            read: input.read_secret,
        };
        let http = Http::build(&http, &mut problems);
        let registry = registry::Sources {
            written: &written.registry,
            environment: input.environment,
            read: input.read_secret,
        };
        let registry = Registry::build(&registry, &mut problems);
        let login = Login::build(&sources, &mut kafka, &mut problems);
        kafka.suit_event_hubs();
        warnings.extend(kafka.unused_tls());
        let mut config = Config::from_written(written, kafka, warnings, input.memory_limit);
        config.http = http;
        config.login = login;
        config.registry = registry;
        config.check(&mut problems);
        config.check_limits(&mut problems);
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(problems)
        }
    }

    fn from_written(
        written: Written,
        kafka: Kafka,
        warnings: Vec<String>,
        memory_limit: Option<u64>,
    ) -> Config {
        let memory = Memory::within(memory_limit);
        let commit_interval = time(written.commit_interval, "100ms");
        let settings = settings(&written);
        Config {
            app: written.app.unwrap_or_else(|| "watchfire".to_owned()),
            sources: written.sources.unwrap_or_default(),
            rules: written.rules.unwrap_or_default(),
            attributes: written.attributes.unwrap_or_default(),
            tables: written.tables.unwrap_or_default(),
            state_dir: written
                .state_dir
                .unwrap_or_else(|| "/var/lib/watchfire".to_owned()),
            delivery: written.delivery,
            settings,
            decoding: written.limits.decoding(),
            start: written.start.unwrap_or(Start::Earliest),
            commit_interval: if kafka.event_hubs {
                commit_interval.max(EVENT_HUBS_COMMIT_INTERVAL)
            } else {
                commit_interval
            },
            watermark_interval: time(written.watermark_interval, "2s"),
            broker_timeout: time(written.broker_timeout, "5m"),
            static_membership: written.static_membership.unwrap_or(false),
            status_interval: time(written.status_interval, "30s"),
            validate: written.validate.unwrap_or_default(),
            threads: written.threads.unwrap_or(0),
            on_broken_rules: written.on_broken_rules.unwrap_or(OnBrokenRules::LastGood),
            on_replaced_source: (written.on_replaced_source).unwrap_or(OnReplacedSource::Stop),
            rule_tests: written.rule_tests.unwrap_or(RuleTests::Ignore),
            rolling_change: time(written.rolling_change, "10m"),
            message_bytes_max: settings.limits.message_bytes as usize,
            block_cache_bytes: written
                .state
                .block_cache
                .map_or(memory.block_cache, |size| size.0),
            keys_bytes: written.state.keys.map_or(memory.keys, |size| size.0),
            recovery_bytes: written
                .state
                .recovery
                .map_or(memory.recovery, |size| size.0),
            write_buffer_bytes: written
                .state
                .write_buffer
                .map_or(memory.write_buffer, |size| size.0),
            incidents: Incidents {
                encoding: written.incidents.encoding.unwrap_or(Encoding::Avro),
                cloudevents: written.incidents.cloudevents.unwrap_or(false),
                test: written.incidents.test.unwrap_or(false),
            },
            topics: Topics {
                matches_partitions: written.matches_partitions.unwrap_or(16),
                incidents_partitions: written.incidents_partitions.unwrap_or(4),
                matches_retention: written.matches_retention.map(|time| time.0),
                longest_outage: time(written.longest_outage, "1d"),
            },
            kafka,
            http: None,
            login: None,
            registry: None,
            framing: Framing::SingleObject,
            warnings,
        }
    }

    fn check(&self, problems: &mut Vec<String>) {
        let mut require = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        require(
            !self.app.is_empty() && self.app.len() <= 200 && self.app.chars().all(legal),
            "app: expected 1 to 200 of the characters a-z A-Z 0-9 . _ -",
        );
        require(
            self.sources
                .iter()
                .all(|topic| !topic.is_empty() && topic.len() <= 249 && topic.chars().all(legal)),
            "sources: a topic's name has 1 to 249 of the characters a-z A-Z 0-9 . _ -",
        );
        let paths = self.rules.iter().chain(&self.attributes);
        let paths = paths.chain(&self.tables).chain([&self.state_dir]);
        require(
            !paths.into_iter().any(|path| looks_secret(path)),
            "rules, attributes, tables, state_dir: one holds a connection string; set \
             EVENTHUBS_CONNECTION_STRING",
        );
        require(
            self.registry.is_none() || self.incidents.encoding == Encoding::Avro,
            "registry.url: JSON and OCSF need no registry; it goes with incidents.encoding = \
             \"avro\"",
        );
        let settings = self.settings;
        require(settings.lateness >= settings.patience, LATENESS);
        require(
            self.block_cache_bytes >= 8 << 20
                && self.keys_bytes >= 8 << 20
                && self.recovery_bytes >= 8 << 20
                && self.write_buffer_bytes >= 4 << 20,
            "state: block_cache, keys and recovery must be at least 8MiB, write_buffer at least \
             4MiB",
        );
        let topics = self.topics;
        require(
            topics.matches_partitions > 0 && topics.incidents_partitions > 0,
            "matches_partitions, incidents_partitions: must be at least 1",
        );
        let intervals = [
            self.commit_interval,
            self.watermark_interval,
            self.broker_timeout,
            self.status_interval,
        ];
        require(
            intervals.iter().all(|interval| !interval.is_zero()),
            "commit_interval, watermark_interval, broker_timeout, status_interval: must not be 0",
        );
    }

    fn check_limits(&self, problems: &mut Vec<String>) {
        let mut require = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        let limits = self.settings.limits;
        require(limits.evidence > 0, "limits.evidence: must be at least 1");
        require(
            limits.distinct_values > 0,
            "limits.distinct_values: must be at least 1",
        );
        require(
            (10_000..=100_000_000).contains(&self.message_bytes_max),
            "limits.message_bytes: must be at least 10000, or ordinary records do not fit, and at \
             most 100000000",
        );
        let decoding = self.decoding;
        require(
            decoding.message_bytes > 0 && decoding.records > 0,
            "limits.source_message_bytes, limits.source_records: must be at least 1",
        );
        require(
            (1..=decode::Limits::default().nesting).contains(&decoding.nesting),
            "limits.source_nesting: must be from 1 to 128",
        );
    }

    /// How incidents become messages.
    pub fn publishing(&self) -> Publishing {
        let Incidents {
            encoding,
            cloudevents,
            test: _,
        } = self.incidents;
        Publishing {
            encoding,
            framing: self.framing.clone(),
            cloudevents_of: cloudevents.then(|| self.app.clone()),
            bytes_max: self.message_bytes_max,
        }
    }

    /// What a worker needs beyond what every command needs, and is missing.
    pub fn missing_for_run(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.sources.is_empty() {
            missing.push("no sources: say which topics to read, sources = [\"..\"]".to_owned());
        }
        if self.rules.is_empty() {
            missing.push("no rules: name files or directories, rules = [\"..\"]".to_owned());
        }
        missing
    }
}

fn time(written: Option<Time>, default: &str) -> Duration {
    written
        .map(|time| time.0)
        .or_else(|| humantime::parse_duration(default).ok())
        .unwrap_or_default()
}

/// Cut to whole seconds.
fn seconds(duration: Duration) -> Second {
    Second::try_from(duration.as_secs()).unwrap_or(Second::MAX)
}
