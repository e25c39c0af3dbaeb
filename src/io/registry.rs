//! The schema of incidents in a schema registry: looked up, or registered where it is compatible
//! with what is there. What a registry has said is kept in the state directory, so that a worker
//! can start again while it is away.
//!
//! Four calls with a small client that is here already for tokens: a library for registries would
//! bring another HTTP client and another TLS along.

mod ask;

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock;
use super::kafka::client::{Health, PAUSE, START_PATIENCE, chain};
use super::kafka::topics::Names;
use crate::config::registry::Kind;
use crate::config::{Config, Registry};
use crate::encode::avro::SCHEMA;
use crate::encode::message::Framing;
use crate::record::Hash;
use ask::{Answer, Asker, Body, Refused};

/// The file in the state directory.
const FILE: &str = "registry.json";

/// The version of Azure's API.
const AZURE_API: &str = "2023-07-01";

/// What a registry has said.
#[derive(PartialEq, Serialize, Deserialize)]
struct Kept {
    url: String,
    name: String,
    schema: String,
    id: String,
}

/// How readers find the schema: by its id in the registry, if there is one. It is asked until it
/// answers, for as long as a start waits for brokers; then what it said before counts, where
/// `state_dir` has that.
///
/// # Errors
///
/// It does not answer, lets us not in, does not have the schema and must not get it, or has others
/// with which it is not compatible.
pub fn framing(config: &Config, health: &Health, state_dir: Option<&Path>) -> Result<Framing> {
    let Some(registry) = &config.registry else {
        return Ok(Framing::SingleObject);
    };
    let name = name(config, registry)?;
    let mut kept = Kept {
        url: registry.url.clone(),
        name: name.clone(),
        schema: Hash::of(SCHEMA.as_bytes()).to_string(),
        id: String::new(),
    };
    let asker = Asker::new(registry, config.login.as_ref())?;
    match patiently(health, || id(&asker, registry, &name)) {
        Ok(id) => kept.id = id,
        Err(Refused::Lasting(error)) => return Err(error),
        Err(Refused::Away(error)) => match state_dir.and_then(|dir| known(dir, &kept)) {
            Some(id) => {
                let error = chain(&error);
                tracing::warn!(
                    error,
                    "the schema registry does not answer; its last word counts"
                );
                kept.id = id;
            }
            None => return Err(error),
        },
    }
    tracing::info!(
        registry = kept.url,
        subject = name,
        schema_id = kept.id,
        "the schema is registered"
    );
    if let Some(dir) = state_dir {
        let bytes = serde_json::to_vec(&kept)?;
        std::fs::write(dir.join(FILE), bytes).context(FILE)?;
    }
    match registry.kind {
        Kind::Azure(_) => Ok(Framing::Azure(kept.id)),
        Kind::Confluent => Ok(Framing::Confluent(kept.id.parse()?)),
    }
}

/// What the schema is called there.
fn name(config: &Config, registry: &Registry) -> Result<String> {
    match registry.kind {
        Kind::Confluent => Ok(format!("{}-value", Names::of(&config.app).incidents)),
        Kind::Azure(_) => {
            let schema: Value = serde_json::from_str(SCHEMA)?;
            let part = |key: &str| schema.get(key).and_then(Value::as_str).unwrap_or_default();
            Ok(format!("{}.{}", part("namespace"), part("name")))
        }
    }
}

/// The id that was kept of the same schema in the same place.
fn known(dir: &Path, wanted: &Kept) -> Option<String> {
    let text = std::fs::read_to_string(dir.join(FILE)).ok()?;
    let kept: Kept = serde_json::from_str(&text).ok()?;
    let is_it = kept.url == wanted.url && kept.name == wanted.name && kept.schema == wanted.schema;
    is_it.then_some(kept.id)
}

fn patiently(
    health: &Health,
    mut ask: impl FnMut() -> Result<String, Refused>,
) -> Result<String, Refused> {
    let start = clock::instant();
    loop {
        match ask() {
            Err(Refused::Away(_)) if start.elapsed() < START_PATIENCE && !health.stopping() => {
                std::thread::sleep(10 * PAUSE);
            }
            answer => return answer,
        }
    }
}

fn id(asker: &Asker<'_>, registry: &Registry, name: &str) -> Result<String, Refused> {
    match &registry.kind {
        Kind::Confluent => confluent_id(asker, registry, name),
        Kind::Azure(group) => azure_id(asker, registry, group, name),
    }
}

fn confluent_id(asker: &Asker<'_>, registry: &Registry, name: &str) -> Result<String, Refused> {
    let schema = json!({ "schema": SCHEMA, "schemaType": "AVRO" }).to_string();
    let subject = format!("/subjects/{}", escaped(name));
    let post = |path: &str| asker.post(path, Body::Confluent(&schema));
    let found = post(&subject)?;
    if found.status != 404 {
        return number(&found.checked(asker)?);
    }
    must_register(registry, name)?;
    let latest = format!("/compatibility{subject}/versions/latest?verbose=true");
    let judged = post(&latest)?;
    if judged.status != 404 {
        is_compatible(&judged.checked(asker)?, name)?;
    }
    let registered = post(&format!("{subject}/versions"))?;
    number(&registered.checked(asker)?)
}

fn number(answer: &Answer) -> Result<String, Refused> {
    let id = answer.json().get("id").and_then(Value::as_u64);
    let id = id.and_then(|id| u32::try_from(id).ok());
    let none = || Refused::Lasting(anyhow!("the schema registry gave the schema no number"));
    id.map(|id| id.to_string()).ok_or_else(none)
}

fn is_compatible(answer: &Answer, name: &str) -> Result<(), Refused> {
    let json = answer.json();
    match json.get("is_compatible").and_then(Value::as_bool) {
        Some(false) => {
            let why = json
                .get("messages")
                .map(Value::to_string)
                .unwrap_or_default();
            let why: String = why.chars().take(500).collect();
            Err(Refused::Lasting(anyhow!(
                "the schema registry has schemas under {name} with which ours is not compatible: \
                 {why}. Is it another application's? `app` is part of the name"
            )))
        }
        Some(true) | None => Ok(()),
    }
}

fn azure_id(
    asker: &Asker<'_>,
    registry: &Registry,
    group: &str,
    name: &str,
) -> Result<String, Refused> {
    let (group, escaped) = (escaped(group), escaped(name));
    let path = format!("/$schemaGroups/{group}/schemas/{escaped}");
    let version = format!("?api-version={AZURE_API}");
    let found = asker.post(&format!("{path}:get-id{version}"), Body::Azure(SCHEMA))?;
    let answer = match found.status {
        404 => {
            must_register(registry, name)?;
            asker.put(&format!("{path}{version}"), Body::Azure(SCHEMA))?
        }
        _ => found,
    };
    let answer = answer.checked(asker)?;
    let is_id = |id: &String| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !id.is_empty() && id.len() <= 100 && id.chars().all(is_plain)
    };
    let none = || Refused::Lasting(anyhow!("the schema registry gave the schema no id"));
    answer.schema_id.filter(is_id).ok_or_else(none)
}

fn must_register(registry: &Registry, name: &str) -> Result<(), Refused> {
    match registry.register {
        true => Ok(()),
        false => Err(Refused::Lasting(anyhow!(
            "the schema registry does not have this version's schema under {name}, and \
             registry.register is false: register schemas/incident.avsc there"
        ))),
    }
}

/// A name as a part of a path.
fn escaped(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => {
                path.push(char::from(byte));
            }
            other => path.push_str(&format!("%{other:02X}")),
        }
    }
    path
}

/// The same for who writes once, without a state directory.
pub fn resolved(config: &Config, health: &Health) -> Result<Config> {
    let mut config = config.clone();
    config.framing = framing(&config, health, None)?;
    Ok(config)
}
