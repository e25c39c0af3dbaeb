//! What was written: the keys of the file, of the environment and of the flags, not yet checked
//! against one another.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::complaint::{complaint, key_of_value};
use crate::decode;
use crate::detect::prefilter::Validate;
use crate::encode::Encoding;
use crate::plan::Limits;

/// One layer of configuration; what it does not say is `None`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// [`super::Config::app`]
    pub app: Option<String>,
    /// [`super::Config::sources`]
    pub sources: Option<Vec<String>>,
    /// [`super::Config::rules`]
    pub rules: Option<Vec<String>>,
    /// [`super::Config::attributes`]
    pub attributes: Option<Vec<String>>,
    /// [`super::Config::tables`]
    pub tables: Option<Vec<String>>,
    /// [`super::Config::state_dir`]
    pub state_dir: Option<String>,
    /// [`super::Config::delivery`]
    pub delivery: Option<Delivery>,
    /// `patience` of [`crate::plan::Settings`]
    pub patience: Option<Time>,
    /// `lateness` of [`crate::plan::Settings`]
    pub lateness: Option<Time>,
    /// [`super::Config::start`]
    pub start: Option<Start>,
    /// [`super::Config::commit_interval`]
    pub commit_interval: Option<Time>,
    /// [`super::Config::watermark_interval`]
    pub watermark_interval: Option<Time>,
    /// [`super::Config::broker_timeout`]
    pub broker_timeout: Option<Time>,
    /// [`super::Config::static_membership`]
    pub static_membership: Option<bool>,
    /// [`super::Config::status_interval`]
    pub status_interval: Option<Time>,
    /// [`super::Config::validate`]
    pub validate: Option<Validate>,
    /// [`super::Config::threads`]
    pub threads: Option<usize>,
    /// [`super::Config::on_broken_rules`]
    pub on_broken_rules: Option<OnBrokenRules>,
    /// [`super::Config::on_replaced_source`]
    pub on_replaced_source: Option<OnReplacedSource>,
    /// [`super::Config::rule_tests`]
    pub rule_tests: Option<RuleTests>,
    /// [`super::Config::rolling_change`]
    pub rolling_change: Option<Time>,
    /// [`super::Topics::matches_partitions`]
    pub matches_partitions: Option<u32>,
    /// [`super::Topics::incidents_partitions`]
    pub incidents_partitions: Option<u32>,
    /// [`super::Topics::matches_retention`]
    pub matches_retention: Option<Time>,
    /// [`super::Topics::longest_outage`]
    pub longest_outage: Option<Time>,
    /// `[incidents]`
    #[serde(default)]
    pub incidents: WrittenIncidents,
    /// `[limits]`
    #[serde(default)]
    pub limits: WrittenLimits,
    /// `[state]`
    #[serde(default)]
    pub state: WrittenState,
    /// `[http]`
    #[serde(default)]
    pub http: WrittenHttp,
    /// `[registry]`
    #[serde(default)]
    pub registry: WrittenRegistry,
    /// `[login]`
    #[serde(default)]
    pub login: WrittenLogin,
    /// `[kafka]`, as it stands there
    #[serde(default)]
    pub kafka: BTreeMap<String, toml::Value>,
}

/// The section `[incidents]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenIncidents {
    /// `encoding` of [`super::Incidents`]
    pub encoding: Option<Encoding>,
    /// `cloudevents` of [`super::Incidents`]
    pub cloudevents: Option<bool>,
    /// `test` of [`super::Incidents`]
    pub test: Option<bool>,
}

impl WrittenIncidents {
    fn over(self, under: WrittenIncidents) -> WrittenIncidents {
        WrittenIncidents {
            encoding: self.encoding.or(under.encoding),
            cloudevents: self.cloudevents.or(under.cloudevents),
            test: self.test.or(under.test),
        }
    }
}

/// The section `[limits]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenLimits {
    /// `evidence` of [`crate::plan::Limits`]
    pub evidence: Option<u32>,
    /// `distinct_values` of [`crate::plan::Limits`]
    pub distinct_values: Option<u32>,
    /// [`super::Config::message_bytes_max`]
    pub message_bytes: Option<Size>,
    /// `message_bytes` of [`decode::Limits`]
    pub source_message_bytes: Option<Size>,
    /// `records` of [`decode::Limits`]
    pub source_records: Option<u32>,
    /// `nesting` of [`decode::Limits`]
    pub source_nesting: Option<u32>,
}

impl WrittenLimits {
    /// Those that decoding takes.
    pub fn decoding(&self) -> decode::Limits {
        let usual = decode::Limits::default();
        let bytes = self.source_message_bytes;
        decode::Limits {
            message_bytes: bytes.map_or(usual.message_bytes, |size| size.0),
            records: self.source_records.unwrap_or(usual.records),
            nesting: self.source_nesting.unwrap_or(usual.nesting),
        }
    }

    /// Those that rules take.
    pub fn limits(&self) -> Limits {
        let bytes = self.message_bytes;
        let bytes = bytes.map(|Size(bytes)| u32::try_from(bytes).unwrap_or(u32::MAX));
        Limits {
            evidence: self.evidence.unwrap_or(Limits::DEFAULT.evidence),
            distinct_values: self
                .distinct_values
                .unwrap_or(Limits::DEFAULT.distinct_values),
            message_bytes: bytes.unwrap_or(Limits::DEFAULT.message_bytes),
        }
    }
}

/// The section `[state]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenState {
    /// [`super::Config::keys_bytes`]
    pub keys: Option<Size>,
    /// [`super::Config::recovery_bytes`]
    pub recovery: Option<Size>,
    /// [`super::Config::block_cache_bytes`]
    pub block_cache: Option<Size>,
    /// [`super::Config::write_buffer_bytes`]
    pub write_buffer: Option<Size>,
}

/// The section `[http]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenHttp {
    /// [`super::Http::listen`]
    pub listen: Option<String>,
    /// The file of [`super::Http::token`]
    pub token_file: Option<String>,
}

impl WrittenHttp {
    fn over(self, under: WrittenHttp) -> WrittenHttp {
        WrittenHttp {
            listen: self.listen.or(under.listen),
            token_file: self.token_file.or(under.token_file),
        }
    }
}

/// The section `[registry]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenRegistry {
    /// [`super::Registry::url`]
    pub url: Option<String>,
    /// [`super::Registry::kind`]
    pub kind: Option<RegistryKind>,
    /// The group of [`super::registry::Kind::Azure`]
    pub group: Option<String>,
    /// [`super::Registry::register`]
    pub register: Option<bool>,
    /// The name of [`super::registry::RegistryLogin::Basic`]
    pub username: Option<String>,
    /// The file of its password
    pub password_file: Option<String>,
    /// The file of [`super::registry::RegistryLogin::Bearer`]
    pub token_file: Option<String>,
    /// [`super::Registry::ca_file`]
    pub ca_file: Option<String>,
    /// The first of [`super::Registry::certificate`]
    pub certificate_file: Option<String>,
    /// The second of [`super::Registry::certificate`]
    pub key_file: Option<String>,
}

impl WrittenRegistry {
    fn over(self, under: WrittenRegistry) -> WrittenRegistry {
        WrittenRegistry {
            url: self.url.or(under.url),
            kind: self.kind.or(under.kind),
            group: self.group.or(under.group),
            register: self.register.or(under.register),
            username: self.username.or(under.username),
            password_file: self.password_file.or(under.password_file),
            token_file: self.token_file.or(under.token_file),
            ca_file: self.ca_file.or(under.ca_file),
            certificate_file: self.certificate_file.or(under.certificate_file),
            key_file: self.key_file.or(under.key_file),
        }
    }
}

/// What a schema registry speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistryKind {
    /// As Confluent's.
    Confluent,
    /// As Azure's.
    Azure,
}

/// The section `[login]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenLogin {
    /// How tokens are got.
    pub method: Option<LoginMethod>,
    /// `tenant` of [`super::login::Application`]
    pub tenant_id: Option<String>,
    /// `client_id` of [`super::login::Application`], or which identity of a machine is meant
    pub client_id: Option<String>,
    /// The file of the secret
    pub client_secret_file: Option<String>,
    /// The file of the platform's token
    pub token_file: Option<String>,
    /// `authority` of [`super::login::Application`]
    pub authority: Option<String>,
    /// [`super::Login::scope`]
    pub scope: Option<String>,
    /// [`super::Login::ca_file`]
    pub ca_file: Option<String>,
}

impl WrittenLogin {
    fn over(self, under: WrittenLogin) -> WrittenLogin {
        WrittenLogin {
            method: self.method.or(under.method),
            tenant_id: self.tenant_id.or(under.tenant_id),
            client_id: self.client_id.or(under.client_id),
            client_secret_file: self.client_secret_file.or(under.client_secret_file),
            token_file: self.token_file.or(under.token_file),
            authority: self.authority.or(under.authority),
            scope: self.scope.or(under.scope),
            ca_file: self.ca_file.or(under.ca_file),
        }
    }
}

/// How a token is got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginMethod {
    /// As an application that knows a secret.
    ClientSecret,
    /// As the machine's own identity.
    ManagedIdentity,
    /// As an application, by a token of the platform.
    WorkloadIdentity,
}

impl LoginMethod {
    /// All there are.
    pub const ALL: [LoginMethod; 3] = [
        LoginMethod::ClientSecret,
        LoginMethod::ManagedIdentity,
        LoginMethod::WorkloadIdentity,
    ];

    /// As it is written in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            LoginMethod::ClientSecret => "client_secret",
            LoginMethod::ManagedIdentity => "managed_identity",
            LoginMethod::WorkloadIdentity => "workload_identity",
        }
    }
}

/// How what the worker writes is tied to what it has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Kafka transactions: output and offsets appear together or not at all.
    ExactlyOnce,
    /// Output first, then offsets: after an accident a publication may come twice, with equal
    /// bytes.
    AtLeastOnce,
}

impl Delivery {
    /// As it is written in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Delivery::ExactlyOnce => "exactly_once",
            Delivery::AtLeastOnce => "at_least_once",
        }
    }
}

/// Where a source partition without a committed offset starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// At its oldest message.
    Earliest,
    /// After its newest message.
    Latest,
}

/// What a worker does at a start whose rule files have errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBrokenRules {
    /// It uses the rules that were used last, and says so.
    LastGood,
    /// It ends.
    Stop,
}

/// What a worker does where a source partition is not the log any more that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnReplacedSource {
    /// It ends.
    Stop,
    /// It reads the new log, in an epoch of its own.
    Restart,
}

/// What the tests in rules are worth to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleTests {
    /// Rules whose own tests fail are refused like rules with errors.
    Require,
    /// They are not run.
    Ignore,
}

/// A duration such as `15m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
        let text = String::deserialize(from)?;
        let parsed = humantime::parse_duration(&text);
        parsed
            .map(Time)
            .map_err(|_| de::Error::custom("expected a duration such as \"15m\""))
    }
}

/// A number of bytes: an integer, or text such as `64MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Size, D::Error> {
        let found = match NumberOrText::deserialize(from) {
            Ok(NumberOrText::Number(number)) => usize::try_from(number).ok(),
            Ok(NumberOrText::Text(text)) => parse_size(&text),
            Err(_) => None,
        };
        found.map(Size).ok_or_else(|| de::Error::custom(NO_SIZE))
    }
}

const NO_SIZE: &str = "expected a number of bytes, such as 1000000 or \"64MiB\"";

impl Size {
    /// The number of bytes that `text` says.
    ///
    /// # Errors
    ///
    /// It is none; says what was expected.
    pub fn parse(text: &str) -> Result<Size, String> {
        parse_size(text).map(Size).ok_or_else(|| NO_SIZE.to_owned())
    }
}

fn parse_size(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text.get(digits.len()..)?.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

impl Written {
    /// The layer of a file's text.
    ///
    /// # Errors
    ///
    /// `file:line: key: what is wrong`. Neither the line nor a value of it is shown: it may be a
    /// secret.
    pub fn from_file(file: &str, text: &str) -> Result<Written, String> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let before = text.get(..at).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let key = key_of_value(text, at);
            let key = key.map_or(String::new(), |key| format!("{key}: "));
            format!("{file}:{line}: {key}{}", complaint(error.message()))
        })
    }

    /// The layer of one environment variable's value for `key`, one of [`KEYS`](super::keys::KEYS).
    ///
    /// # Errors
    ///
    /// What was expected.
    pub fn from_variable(key: &str, value: &str) -> Result<Written, String> {
        let mut typed = match key {
            "sources" | "rules" | "attributes" | "tables" => {
                toml::Value::Array(value.split(',').map(|item| item.trim().into()).collect())
            }
            "static_membership"
            | "incidents.cloudevents"
            | "registry.register"
            | "incidents.test" => value
                .parse::<bool>()
                .map_or_else(|_| value.into(), toml::Value::from),
            _ => value
                .parse::<i64>()
                .map_or_else(|_| value.into(), toml::Value::from),
        };
        let is_text = matches!(key, "app" | "state_dir");
        let sections = ["login.", "http.", "registry."];
        let is_text = is_text || sections.iter().any(|section| key.starts_with(section));
        if is_text && !typed.is_bool() {
            typed = value.into();
        }
        let mut table = toml::Table::new();
        match key.split_once('.') {
            Some((section, key)) => {
                let section_table = toml::Table::from_iter([(key.to_owned(), typed)]);
                table.insert(section.to_owned(), section_table.into());
            }
            None => {
                table.insert(key.to_owned(), typed);
            }
        }
        table
            .try_into()
            .map_err(|error: toml::de::Error| complaint(error.message()))
    }

    /// Takes out where this layer says that the brokers are.
    pub fn take_brokers(&mut self) -> Option<String> {
        let brokers = self.kafka.remove("bootstrap.servers")?;
        brokers.as_str().map(str::to_owned)
    }

    /// This layer over `under`.
    pub fn over(self, under: Written) -> Written {
        let mut kafka = under.kafka;
        kafka.extend(self.kafka);
        Written {
            app: self.app.or(under.app),
            sources: self.sources.or(under.sources),
            rules: self.rules.or(under.rules),
            attributes: self.attributes.or(under.attributes),
            tables: self.tables.or(under.tables),
            state_dir: self.state_dir.or(under.state_dir),
            delivery: self.delivery.or(under.delivery),
            patience: self.patience.or(under.patience),
            lateness: self.lateness.or(under.lateness),
            start: self.start.or(under.start),
            commit_interval: self.commit_interval.or(under.commit_interval),
            watermark_interval: self.watermark_interval.or(under.watermark_interval),
            broker_timeout: self.broker_timeout.or(under.broker_timeout),
            static_membership: self.static_membership.or(under.static_membership),
            status_interval: self.status_interval.or(under.status_interval),
            validate: self.validate.or(under.validate),
            threads: self.threads.or(under.threads),
            on_broken_rules: self.on_broken_rules.or(under.on_broken_rules),
            on_replaced_source: self.on_replaced_source.or(under.on_replaced_source),
            rule_tests: self.rule_tests.or(under.rule_tests),
            rolling_change: self.rolling_change.or(under.rolling_change),
            matches_partitions: self.matches_partitions.or(under.matches_partitions),
            incidents_partitions: self.incidents_partitions.or(under.incidents_partitions),
            matches_retention: self.matches_retention.or(under.matches_retention),
            longest_outage: self.longest_outage.or(under.longest_outage),
            incidents: self.incidents.over(under.incidents),
            limits: WrittenLimits {
                evidence: self.limits.evidence.or(under.limits.evidence),
                distinct_values: self.limits.distinct_values.or(under.limits.distinct_values),
                message_bytes: self.limits.message_bytes.or(under.limits.message_bytes),
                source_message_bytes: self
                    .limits
                    .source_message_bytes
                    .or(under.limits.source_message_bytes),
                source_records: self.limits.source_records.or(under.limits.source_records),
                source_nesting: self.limits.source_nesting.or(under.limits.source_nesting),
            },
            state: WrittenState {
                keys: self.state.keys.or(under.state.keys),
                recovery: self.state.recovery.or(under.state.recovery),
                block_cache: self.state.block_cache.or(under.state.block_cache),
                write_buffer: self.state.write_buffer.or(under.state.write_buffer),
            },
            http: self.http.over(under.http),
            registry: self.registry.over(under.registry),
            login: self.login.over(under.login),
            kafka,
        }
    }
}
