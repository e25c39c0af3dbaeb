//! The `[kafka]` section: librdkafka's properties, secrets, and what Event Hubs needs.

use std::collections::BTreeMap;

/// Properties that hold a secret.
const SECRETS: [&str; 8] = [
    "sasl.password",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
];

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

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `value`; blanks and line ends around it, as files have them, do not count.
    pub fn new(value: &str) -> Secret {
        Secret(value.trim().to_owned())
    }

    /// The value, to be handed to the client library and to nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// How to reach the brokers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kafka {
    /// librdkafka's properties that are no secrets.
    pub properties: BTreeMap<String, String>,
    /// Those that are.
    pub secrets: BTreeMap<String, Secret>,
    /// The brokers are an Event Hubs namespace, which limits how often offsets are committed.
    pub event_hubs: bool,
}

/// A read of a secret's file: its content, or why there is none.
pub type ReadSecret<'a> = &'a dyn Fn(&str) -> Result<String, String>;

impl Kafka {
    /// Where the brokers are, as written.
    pub fn brokers(&self) -> &str {
        self.properties
            .get("bootstrap.servers")
            .map_or("", String::as_str)
    }

    /// The properties written under `[kafka]` in the file and in flags, with those of the
    /// environment over them.
    pub(super) fn build(
        written: &BTreeMap<String, toml::Value>,
        environment: &BTreeMap<String, String>,
        read: ReadSecret<'_>,
        problems: &mut Vec<String>,
    ) -> Kafka {
        let mut kafka = Kafka::default();
        flatten("", written, &mut |key, value| {
            if is_secret(key) {
                problems.push(format!(
                    "kafka.\"{key}\" is a secret and cannot stand in the configuration; put it \
                     into the environment as {}, or into a file that \"{key}_file\" names",
                    variable_of(key)
                ));
            } else {
                kafka.set(key, value, read, problems);
            }
        });
        for (variable, value) in environment {
            if let Some(name) = variable.strip_prefix("WATCHFIRE_KAFKA_") {
                let lower = name.to_ascii_lowercase().replace('_', ".");
                let key = match lower.strip_suffix(".file") {
                    Some(secret) if is_secret(secret) => format!("{secret}_file"),
                    Some(_) | None => lower,
                };
                kafka.set(&key, value, read, problems);
            }
        }
        kafka.connect_to_event_hubs(environment, read, problems);
        kafka
    }

    fn set(&mut self, key: &str, value: &str, read: ReadSecret<'_>, problems: &mut Vec<String>) {
        if RESERVED.contains(&key) {
            problems.push(format!(
                "kafka.\"{key}\" is set by watchfire itself; remove it"
            ));
        } else if is_secret(key) {
            self.secrets.insert(key.to_owned(), Secret::new(value));
        } else if let Some(secret) = key.strip_suffix("_file").filter(|key| is_secret(key)) {
            match read(value) {
                Ok(content) => {
                    self.secrets
                        .insert(secret.to_owned(), Secret::new(&content));
                }
                Err(why) => {
                    problems.push(format!("kafka.\"{key}\": {value} cannot be read: {why}"))
                }
            }
        } else {
            self.properties.insert(key.to_owned(), value.to_owned());
        }
    }

    /// Takes `EVENTHUBS_CONNECTION_STRING`. Where to connect and how to log in it decides; what
    /// else Event Hubs wants yields to what is written.
    fn connect_to_event_hubs(
        &mut self,
        environment: &BTreeMap<String, String>,
        read: ReadSecret<'_>,
        problems: &mut Vec<String>,
    ) {
        let Some(connection) = connection_string(environment, read, problems) else {
            self.event_hubs = self.brokers().contains(".servicebus.");
            return;
        };
        let Some(host) = part_of(connection.reveal(), "Endpoint").and_then(host_of) else {
            problems.push(
                "EVENTHUBS_CONNECTION_STRING has no Endpoint=sb://NAMESPACE/; copy the whole \
                 connection string from the namespace's shared access policies"
                    .to_owned(),
            );
            return;
        };
        self.event_hubs = true;
        let emulator = part_of(connection.reveal(), "UseDevelopmentEmulator") == Some("true");
        let (port, protocol) = if emulator {
            (9092, "SASL_PLAINTEXT")
        } else {
            (9093, "SASL_SSL")
        };
        for (key, value) in [
            ("bootstrap.servers", format!("{host}:{port}")),
            ("security.protocol", protocol.to_owned()),
            ("sasl.mechanism", "PLAIN".to_owned()),
            ("sasl.username", "$ConnectionString".to_owned()),
        ] {
            self.properties.insert(key.to_owned(), value);
        }
        self.secrets.insert("sasl.password".to_owned(), connection);
    }

    /// Adds what Event Hubs needs and librdkafka does not know: its load balancer drops idle
    /// connections after 240 s, it throttles by delaying answers, and it limits batches to 1 MB.
    pub(super) fn suit_event_hubs(&mut self) {
        if self.event_hubs {
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

/// The event hub that the connection string names, if it names one.
pub(super) fn event_hub(
    environment: &BTreeMap<String, String>,
    read: ReadSecret<'_>,
) -> Option<String> {
    let connection = connection_string(environment, read, &mut Vec::new())?;
    part_of(connection.reveal(), "EntityPath").map(str::to_owned)
}

fn connection_string(
    environment: &BTreeMap<String, String>,
    read: ReadSecret<'_>,
    problems: &mut Vec<String>,
) -> Option<Secret> {
    if let Some(value) = environment.get("EVENTHUBS_CONNECTION_STRING") {
        return Some(Secret::new(value));
    }
    let path = environment.get("EVENTHUBS_CONNECTION_STRING_FILE")?;
    match read(path) {
        Ok(content) => Some(Secret::new(&content)),
        Err(why) => {
            problems.push(format!(
                "EVENTHUBS_CONNECTION_STRING_FILE: {path} cannot be read: {why}"
            ));
            None
        }
    }
}

/// The value of `name` in `name=value;name=value`.
fn part_of<'a>(connection: &'a str, name: &str) -> Option<&'a str> {
    connection.split(';').find_map(|part| {
        let (found, value) = part.trim().split_once('=')?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// `namespace.servicebus.windows.net` of `sb://namespace.servicebus.windows.net/`.
fn host_of(endpoint: &str) -> Option<&str> {
    let host = endpoint.strip_prefix("sb://")?.trim_end_matches('/');
    let host = host.split(':').next()?;
    (!host.is_empty()).then_some(host)
}

fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key)
}

fn variable_of(key: &str) -> String {
    format!(
        "WATCHFIRE_KAFKA_{}",
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
