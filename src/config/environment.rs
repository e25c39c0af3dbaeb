//! The layer of the environment: `WATCHFIRE_*` variables.

use std::collections::{BTreeMap, BTreeSet};

use super::keys::names;
use super::secret::is_secret;
use super::written::Written;
use crate::rule::nearest::nearest;

/// The variable that says where an Event Hubs namespace is and how to log in.
pub const CONNECTION: &str = "EVENTHUBS_CONNECTION_STRING";

/// The variable that names a file with it.
pub const CONNECTION_FILE: &str = "EVENTHUBS_CONNECTION_STRING_FILE";

/// The variable with the secret of an application that logs in by one.
pub const CLIENT_SECRET: &str = "WATCHFIRE_LOGIN_CLIENT_SECRET";

/// The variable with the token that clients of our HTTP server must have.
pub const HTTP_TOKEN: &str = "WATCHFIRE_HTTP_TOKEN";

/// The variable with the password for the schema registry.
pub const REGISTRY_PASSWORD: &str = "WATCHFIRE_REGISTRY_PASSWORD";

/// The variable with the token for the schema registry.
pub const REGISTRY_TOKEN: &str = "WATCHFIRE_REGISTRY_TOKEN";

/// Before the name of each of our variables.
const PREFIX: &str = "WATCHFIRE_";

/// Before the name of each property of `[kafka]`.
pub const KAFKA_PREFIX: &str = "WATCHFIRE_KAFKA_";

/// Variables that are no keys of the configuration.
const OTHERS: [&str; 8] = [
    CLIENT_SECRET,
    HTTP_TOKEN,
    REGISTRY_PASSWORD,
    REGISTRY_TOKEN,
    "WATCHFIRE_COMMIT",
    "WATCHFIRE_CONFIG",
    "WATCHFIRE_CORPUS",
    "WATCHFIRE_LOG",
];

/// What is written in the environment, without the properties of `[kafka]`. A variable that
/// nothing reads is only warned of, and those that container platforms make out of the names of
/// services are passed over.
pub fn layer(
    environment: &BTreeMap<String, String>,
    warnings: &mut Vec<String>,
    problems: &mut Vec<String>,
) -> Written {
    let mut written = Written::default();
    warnings.extend(services(environment).into_iter().map(note));
    for (variable, value) in environment {
        let Some(name) = variable.strip_prefix(PREFIX) else {
            warnings.extend(nearly_a_connection(variable));
            continue;
        };
        let is_other = ["KAFKA_", "TEST_"]
            .iter()
            .any(|other| name.starts_with(other))
            || OTHERS.contains(&variable.as_str())
            || service_of(variable, value).is_some();
        if is_other {
            continue;
        }
        match names().find(|key| variable_of(key) == *variable) {
            None => warnings.push(unknown(variable)),
            Some(key) => match Written::from_variable(key, value) {
                Ok(layer) => written = layer.over(written),
                Err(problem) => problems.push(format!("{variable}: {problem}")),
            },
        }
    }
    written
}

/// What a variable sets under `[kafka]`: a property, or `property_file` for the file of a secret.
pub fn property_of(variable: &str, value: &str) -> Option<String> {
    let name = variable.strip_prefix(KAFKA_PREFIX)?;
    if service_of(variable, value).is_some() {
        return None;
    }
    let property = name.to_ascii_lowercase().replace('_', ".");
    match property.strip_suffix(".file") {
        Some(secret) if is_secret(secret) => Some(format!("{secret}_file")),
        Some(_) | None => Some(property),
    }
}

/// What is said of a variable that is nearly the one of the connection string.
fn nearly_a_connection(variable: &str) -> Option<String> {
    let near = nearest(variable, [CONNECTION, CONNECTION_FILE])?;
    let is_meant = variable.starts_with("EVENT") && variable.contains("HUB") && near != variable;
    is_meant.then(|| means_nothing(variable, Some(near)))
}

fn means_nothing(variable: &str, near: Option<&str>) -> String {
    let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
    format!("the environment variable {variable} means nothing{hint}")
}

/// The variable of a key.
pub fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "_"))
}

fn unknown(variable: &str) -> String {
    // What they all begin with says nothing of how near they are.
    let bare = |variable: &'_ str| variable.trim_start_matches(PREFIX).to_owned();
    let keys = names().map(|key| bare(&variable_of(key)));
    let known: Vec<String> = keys.chain(OTHERS.map(bare)).collect();
    let near = nearest(&bare(variable), known.iter().map(String::as_str));
    means_nothing(
        variable,
        near.map(|near| format!("{PREFIX}{near}")).as_deref(),
    )
}

/// What the platform says of one service: its name, and the variables.
struct Service<'e> {
    name: String,
    variables: BTreeSet<&'e str>,
}

fn services(environment: &BTreeMap<String, String>) -> Vec<Service<'_>> {
    let mut services: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (variable, value) in environment {
        let ours = variable.starts_with(PREFIX);
        if let Some(service) = service_of(variable, value).filter(|_| ours) {
            let name = service.to_ascii_lowercase().replace('_', "-");
            services.entry(name).or_default().insert(variable);
        }
    }
    let services = services.into_iter();
    services
        .map(|(name, variables)| Service { name, variables })
        .collect()
}

fn note(Service { name, variables }: Service<'_>) -> String {
    let variables: Vec<&str> = variables.into_iter().collect();
    format!(
        "{} come from a service named {name}, not from you: ignored",
        variables.join(", ")
    )
}

/// The part of a variable's name that is a service's, where a container platform has made the
/// variable: `X_SERVICE_HOST`, `X_SERVICE_PORT`, `X_SERVICE_PORT_NAME`, `X_PORT=tcp://..`,
/// `X_PORT_9092_TCP` and `X_PORT_9092_TCP_ADDR`, `_PORT` or `_PROTO`.
pub fn service_of<'v>(variable: &'v str, value: &str) -> Option<&'v str> {
    let fixed = ["_SERVICE_HOST", "_SERVICE_PORT"];
    let fixed = fixed.iter().find_map(|end| variable.strip_suffix(end));
    let named = || Some(variable.split_once("_SERVICE_PORT_")?.0);
    let address = || {
        let is_address = ["tcp://", "udp://", "sctp://"]
            .iter()
            .any(|scheme| value.starts_with(scheme));
        variable.strip_suffix("_PORT").filter(|_| is_address)
    };
    fixed
        .or_else(named)
        .or_else(address)
        .or_else(|| service_of_port(variable))
}

/// `X` of `X_PORT_9092_TCP` and of what may stand behind that.
fn service_of_port(variable: &str) -> Option<&str> {
    let (service, rest) = variable.split_once("_PORT_")?;
    let mut parts = rest.split('_');
    let (number, protocol, about) = (parts.next()?, parts.next()?, parts.next());
    let is_port = number.parse::<u16>().is_ok()
        && ["TCP", "UDP", "SCTP"].contains(&protocol)
        && about.is_none_or(|about| ["ADDR", "PORT", "PROTO"].contains(&about))
        && parts.next().is_none();
    is_port.then_some(service)
}
