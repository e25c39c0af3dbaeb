//! The `[kafka]` section: librdkafka's properties, secrets, and what Event Hubs needs.

use std::collections::BTreeMap;

use super::connection::Connection;
use super::environment::{CONNECTION, CONNECTION_FILE, KAFKA_PREFIX, property_of};
use super::secret::{ReadSecret, Secret, is_secret, looks_secret};
use crate::rule::nearest::nearest;

/// Where a connection string belongs.
pub(super) const PLACE_OF_CONNECTION: &str = concat!(
    "put it into the environment as EVENTHUBS_CONNECTION_STRING, ",
    "or into a file that EVENTHUBS_CONNECTION_STRING_FILE names",
);

/// The name that logs in with a connection string.
const CONNECTION_USER: &str = "$ConnectionString";

const BROKERS: &str = "bootstrap.servers";
const PROTOCOL: &str = "security.protocol";
/// The mechanism of those who log in with a token.
const TOKENS: &str = "OAUTHBEARER";
const USERNAME: &str = "sasl.username";
const PASSWORD: &str = "sasl.password";

/// Properties that are often written, to know them in what is nearly one of them.
const USUAL: [&str; 18] = [
    "bootstrap.servers",
    "security.protocol",
    "sasl.mechanism",
    "sasl.username",
    "sasl.password",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm",
    "client.id",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "socket.timeout.ms",
    "message.max.bytes",
    "statistics.interval.ms",
    "debug",
];

/// The usual property that one which librdkafka does not know may be meant for.
pub fn near_property(key: &str) -> Option<&'static str> {
    nearest(key, USUAL).filter(|near| *near != key)
}

/// Properties that the worker's guarantees rest on.
const RESERVED: [&str; 14] = [
    "group.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "isolation.level",
    "enable.partition.eof",
    "transactional.id",
    "transaction.timeout.ms",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "enable.idempotence",
    "acks",
    "request.required.acks",
    "max.in.flight.requests.per.connection",
];

/// How to reach the brokers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kafka {
    /// librdkafka's properties that are no secrets.
    pub properties: BTreeMap<String, String>,
    /// Those that are.
    pub secrets: BTreeMap<String, Secret>,
    /// The brokers are an Event Hubs namespace, which limits how often offsets are committed.
    pub event_hubs: bool,
    /// The event hub that the connection string names, if it names one.
    pub hub: Option<String>,
}

/// What is said about the brokers, and where.
pub(super) struct Layers<'a> {
    /// Under `[kafka]` in the file.
    pub written: &'a BTreeMap<String, toml::Value>,
    /// All environment variables.
    pub environment: &'a BTreeMap<String, String>,
    /// Reads a file that holds a secret.
    pub read: ReadSecret<'a>,
    /// Where a flag says that the brokers are.
    pub flag: Option<&'a str>,
}

impl Kafka {
    /// Where the brokers are, as written.
    pub fn brokers(&self) -> &str {
        self.properties.get(BROKERS).map_or("", String::as_str)
    }

    /// The properties written under `[kafka]` in the file, with those of the environment over
    /// them, and what the connection string and the flags say over both.
    pub(super) fn build(
        layers: &Layers<'_>,
        warnings: &mut Vec<String>,
        problems: &mut Vec<String>,
    ) -> Kafka {
        let mut kafka = Kafka::default();
        let others = problems.len();
        kafka.take_written(layers, problems);
        let connection = kafka.connection(layers, warnings, problems);
        let is_connected = connection.is_some();
        if let Some(connection) = connection {
            kafka.hub.clone_from(&connection.hub);
            kafka.log_in(connection);
        }
        if let Some(brokers) = layers.flag {
            kafka.set(BROKERS, brokers, layers.read, problems);
        }
        kafka.event_hubs = is_connected || kafka.brokers().contains(".servicebus.");
        kafka.check_login(problems);
        // Where something was wrong with them, that is said already.
        if kafka.brokers().is_empty() && problems.len() == others {
            problems.push(kafka.no_brokers());
        }
        kafka
    }

    /// Takes the properties of the file, and those of the environment over them.
    fn take_written(&mut self, layers: &Layers<'_>, problems: &mut Vec<String>) {
        flatten("", layers.written, &mut |key, value| {
            if is_secret(key) {
                problems.push(format!(
                    "kafka.\"{key}\" is a secret and cannot stand in the configuration; put it \
                     into the environment as {}, or into a file that \"{key}_file\" names",
                    variable_of(key)
                ));
            } else {
                self.set(key, value, layers.read, problems);
            }
        });
        for (variable, value) in layers.environment {
            if let Some(key) = property_of(variable, value) {
                self.set(&key, value, layers.read, problems);
            }
        }
    }

    fn no_brokers(&self) -> String {
        let mut keys = self.properties.keys();
        let near = keys.find(|key| near_property(key) == Some(BROKERS));
        let near = near.map_or(String::new(), |key| {
            format!(" (\"{key}\" is none of its properties)")
        });
        format!(
            "no brokers: set \"bootstrap.servers\" under [kafka], or \
             EVENTHUBS_CONNECTION_STRING{near}"
        )
    }

    fn set(&mut self, key: &str, value: &str, read: ReadSecret<'_>, problems: &mut Vec<String>) {
        if RESERVED.contains(&key) {
            problems.push(format!(
                "kafka.\"{key}\" is set by watchfire itself; remove it"
            ));
        } else if key.starts_with("sasl.jaas.") {
            problems.push(format!(
                "kafka.\"{key}\" is the Java client's; say sasl.mechanism and sasl.username, and \
                 the password as {}",
                variable_of("sasl.password")
            ));
        } else if is_secret(key) {
            self.secrets.insert(key.to_owned(), Secret::new(value));
        } else if let Some(secret) = key.strip_suffix("_file").filter(|key| is_secret(key)) {
            match read(value) {
                Ok(content) => {
                    self.secrets
                        .insert(secret.to_owned(), Secret::new(&content));
                }
                Err(why) => problems.push(format!(
                    "kafka.\"{key}\": the file that it names cannot be read: {why}"
                )),
            }
        } else if looks_secret(value) {
            problems.push(format!(
                "kafka.\"{key}\" holds a connection string; {PLACE_OF_CONNECTION}"
            ));
        } else if [BROKERS, "metadata.broker.list"].contains(&key) {
            match check_brokers(value) {
                Ok(()) => {
                    self.properties.insert(BROKERS.to_owned(), value.to_owned());
                }
                Err(why) => problems.push(format!("kafka.\"{key}\": {why}")),
            }
        } else {
            self.properties.insert(key.to_owned(), value.to_owned());
        }
    }

    /// The connection string of the environment, unless a flag says that the brokers are
    /// elsewhere: then its key is not for them.
    fn connection(
        &self,
        layers: &Layers<'_>,
        warnings: &mut Vec<String>,
        problems: &mut Vec<String>,
    ) -> Option<Connection> {
        let (variable, connection) = connection_string(layers.environment, layers.read)?;
        let connection = connection.and_then(|text| Connection::parse(&text));
        match (connection, layers.flag) {
            (Ok(connection), None) => Some(connection),
            (Ok(connection), Some(brokers)) if is_at(brokers, &connection.host) => Some(connection),
            (Err(why), None) => {
                problems.push(format!("{variable}: the connection string {why}"));
                None
            }
            (Ok(_) | Err(_), Some(_)) => {
                warnings.push(format!(
                    "{variable} is not used: --brokers says where the brokers are"
                ));
                None
            }
        }
    }

    /// Takes from the connection string where to connect and how to log in. What else Event Hubs
    /// wants yields to what is written.
    fn log_in(&mut self, connection: Connection) {
        let (port, protocol) = if connection.emulator {
            (9092, "SASL_PLAINTEXT")
        } else {
            (9093, "SASL_SSL")
        };
        for (key, value) in [
            (BROKERS, format!("{}:{port}", connection.host)),
            ("security.protocol", protocol.to_owned()),
            ("sasl.mechanism", "PLAIN".to_owned()),
            (USERNAME, CONNECTION_USER.to_owned()),
        ] {
            self.properties.insert(key.to_owned(), value);
        }
        let password = connection.password;
        self.secrets.insert(PASSWORD.to_owned(), password);
    }

    /// A connection string that was written as a password is looked at like any other.
    fn check_login(&mut self, problems: &mut Vec<String>) {
        let is_user = self.properties.get(USERNAME).map(String::as_str) == Some(CONNECTION_USER);
        let Some(password) = self.secrets.get(PASSWORD).filter(|_| is_user) else {
            return;
        };
        match Connection::parse(password.reveal()) {
            Ok(connection) => {
                let password = connection.password;
                self.secrets.insert(PASSWORD.to_owned(), password);
            }
            Err(why) => problems.push(format!("kafka.\"{PASSWORD}\": the connection string {why}")),
        }
    }

    /// The host of the first broker.
    pub(super) fn host(&self) -> String {
        let first = self.brokers().split(',').next().unwrap_or_default().trim();
        let address = first
            .split_once("://")
            .map_or(first, |(_, address)| address);
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        host.to_ascii_lowercase()
    }

    /// The Event Hubs namespace that the brokers are, if its name tells.
    pub fn namespace(&self) -> Option<&str> {
        let (name, rest) = self.brokers().split_once('.')?;
        rest.starts_with("servicebus.").then_some(name)
    }

    fn mechanism(&self) -> Option<&str> {
        let names = ["sasl.mechanism", "sasl.mechanisms"];
        let found = names.iter().find_map(|name| self.properties.get(*name));
        found.map(String::as_str)
    }

    /// Whether the client is to log in with tokens.
    pub(super) fn wants_tokens(&self) -> bool {
        self.mechanism() == Some(TOKENS)
    }

    /// Whether anything is written about how the client is known to the brokers.
    pub(super) fn has_login(&self) -> bool {
        let about = |key: &String| {
            key.starts_with("sasl.")
                || key.starts_with("ssl.certificate.")
                || key.starts_with("ssl.keystore.")
                || key == PROTOCOL
        };
        !self.secrets.is_empty() || self.properties.keys().any(about)
    }

    /// What says that the client logs in otherwise than with tokens.
    pub(super) fn other_login(&self) -> Option<&'static str> {
        let user = self.properties.get(USERNAME).map(String::as_str);
        match self.mechanism() {
            Some(TOKENS) | None => self.secrets.contains_key(PASSWORD).then_some(PASSWORD),
            Some(_) if user == Some(CONNECTION_USER) => Some("the connection string"),
            Some(_) => Some("\"sasl.mechanism\" under [kafka]"),
        }
    }

    /// Has the client log in with tokens.
    pub(super) fn use_tokens(&mut self) {
        self.properties.remove("sasl.mechanisms");
        for (key, value) in [(PROTOCOL, "SASL_SSL"), ("sasl.mechanism", TOKENS)] {
            let written = self.properties.entry(key.to_owned());
            written.or_insert_with(|| value.to_owned());
        }
    }

    /// What is said where properties of TLS are written, and the connection has none.
    pub(super) fn unused_tls(&self) -> Option<String> {
        let protocol = self
            .properties
            .get(PROTOCOL)
            .map(|p| p.to_ascii_uppercase());
        let is_closed = protocol.is_some_and(|protocol| protocol.ends_with("SSL"));
        let mut keys = self.properties.keys().chain(self.secrets.keys());
        let key = keys.find(|key| key.starts_with("ssl."))?;
        (!is_closed).then(|| {
            format!(
                "kafka.\"{key}\" is not used: the connection has no TLS; set \"{PROTOCOL}\" to SSL \
                 or SASL_SSL"
            )
        })
    }

    /// Adds what Event Hubs needs and librdkafka does not know: its load balancer drops idle
    /// connections after 240 s, it throttles by delaying answers, and it limits batches to 1 MB.
    pub(super) fn suit_event_hubs(&mut self) {
        if self.event_hubs {
            let brokers = self.brokers();
            if !brokers.is_empty() && !brokers.contains([':', ',']) {
                let address = format!("{brokers}:9093");
                self.properties.insert(BROKERS.to_owned(), address);
            }
            for (key, value) in [
                ("connections.max.idle.ms", "180000"),
                ("metadata.max.age.ms", "180000"),
                ("socket.keepalive.enable", "true"),
                ("request.timeout.ms", "60000"),
                ("session.timeout.ms", "30000"),
                ("message.max.bytes", "1000000"),
            ] {
                self.properties
                    .entry(key.to_owned())
                    .or_insert_with(|| value.to_owned());
            }
        }
    }
}

/// The variable that says the connection string, and what it says.
fn connection_string(
    environment: &BTreeMap<String, String>,
    read: ReadSecret<'_>,
) -> Option<(&'static str, Result<String, String>)> {
    if let Some(value) = environment.get(CONNECTION) {
        return Some((CONNECTION, Ok(value.clone())));
    }
    let path = environment.get(CONNECTION_FILE)?;
    let content = read(path)
        .map_err(|why| format!("cannot be read: {why}; the variable must name a file that has it"));
    Some((CONNECTION_FILE, content))
}

/// Whether the first of `brokers` is this host.
fn is_at(brokers: &str, host: &str) -> bool {
    let first = brokers.split([',', ':']).next().unwrap_or_default();
    first.trim().eq_ignore_ascii_case(host)
}

/// What may stand before the `://` of an address.
const PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];

/// Says which of the addresses is none: `host`, `host:port`, or one of them behind a protocol
/// (`ssl://host:port`), several separated by commas.
fn check_brokers(brokers: &str) -> Result<(), String> {
    for (number, broker) in (1..).zip(brokers.split(',')) {
        let broker = broker.trim();
        let (protocol, address) = broker.split_once("://").unwrap_or(("plaintext", broker));
        if !PROTOCOLS.contains(&protocol.to_ascii_lowercase().as_str()) {
            return Err(format!(
                "address {number} is of another protocol than Kafka's: write host:port"
            ));
        }
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !address.ends_with(']') => (host, port),
            Some(_) | None => (address, "9092"),
        };
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_ipv6 = |host: &str| {
            let inner = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
        };
        let is_host = !host.is_empty() && host.chars().all(legal) || is_ipv6(host);
        if !is_host || port.parse::<u16>().is_err() {
            return Err(format!("address {number} is not host:port"));
        }
    }
    Ok(())
}

fn variable_of(key: &str) -> String {
    format!(
        "{KAFKA_PREFIX}{}",
        key.to_ascii_uppercase().replace('.', "_")
    )
}

/// Dotted keys without quotes are tables in TOML; here they mean the property of that name.
fn flatten<'v>(
    prefix: &str,
    table: impl IntoIterator<Item = (&'v String, &'v toml::Value)>,
    each: &mut dyn FnMut(&str, &str),
) {
    for (key, value) in table {
        let key = format!("{prefix}{key}");
        match value {
            toml::Value::Table(inner) => flatten(&format!("{key}."), inner, each),
            toml::Value::String(text) => each(&key, text),
            toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_) => each(&key, &value.to_string()),
        }
    }
}
