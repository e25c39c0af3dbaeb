//! What a worker looks at before it starts.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};

use super::Properties;
use crate::config::Config;
use crate::io::client::{self, Health};
use crate::io::rule_set::RuleSet;
use crate::io::store::Budget;
use crate::io::topics::{self, Names, Weight};
use crate::io::{clock, rules_topic};
use crate::plan::{Catalogue, Plan, Source, retention};

/// Whether the topics are as they must be; says what is only a risk.
///
/// # Errors
///
/// A topic is missing or is not as it must be; all that is wrong at once.
pub fn check_topics(
    config: &Config,
    health: &Arc<Health>,
    (properties, set): (Properties, &RuleSet),
    existing: &BTreeMap<String, u32>,
) -> Result<()> {
    let names = Names::of(&config.app);
    let (brokers, mut problems) = (config.kafka.brokers(), Vec::new());
    for source in config
        .sources
        .iter()
        .filter(|source| !existing.contains_key(*source))
    {
        problems.push(format!(
            "source topic {source} does not exist on {brokers}; check `sources` in the \
             configuration"
        ));
    }
    for name in [
        &names.matches,
        &names.incidents,
        &names.dead_letters,
        &names.rules,
    ] {
        if !existing.contains_key(&**name) {
            problems.push(format!(
                "topic {name} does not exist on {brokers}; create it with `watchfire topics \
                 create` and this configuration"
            ));
        }
    }
    if problems.is_empty() && properties == Properties::Checked {
        let needed = retention::needed(&set.rules, config.settings);
        for deviation in topics::check(config, health, needed)? {
            match deviation.weight {
                Weight::Fatal => problems.push(deviation.to_string()),
                Weight::Risk => tracing::warn!("{deviation}"),
                Weight::Harmless => (),
            }
        }
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    Ok(())
}

/// Makes the plan of these rules and the configured sources known, and loads it.
pub fn plan(
    config: &Config,
    health: &Arc<Health>,
    set: &RuleSet,
    existing: &BTreeMap<String, u32>,
) -> Result<(Catalogue, Arc<Plan>)> {
    rules_topic::take_into_use(config, health, set, &|catalogue| {
        let source = |topic: &String| Source {
            topic: topic.clone(),
            partitions: existing.get(topic).copied().unwrap_or(0),
            epoch: catalogue.epoch(topic),
        };
        config.sources.iter().map(source).collect()
    })
}

/// Whose fold the store holds: another application's or cluster's offsets mean nothing here.
pub fn owner(config: &Config, health: &Arc<Health>) -> Result<String> {
    use rdkafka::consumer::Consumer as _;
    let reader = client::reader(config, health, false)?;
    let cluster = reader
        .client()
        .fetch_cluster_id(client::CALL)
        .unwrap_or_default();
    Ok(format!("{}\n{cluster}", config.app))
}

pub fn budget(config: &Config) -> Budget {
    Budget {
        block_cache_bytes: config.block_cache_bytes,
        write_buffer_bytes: config.write_buffer_bytes,
    }
}

/// The name of this worker, made once and kept: the next process with this state directory ends
/// what the last one has left open.
pub fn worker_id(state_dir: &Path) -> Result<String> {
    let path = state_dir.join("id");
    let failed = || format!("the worker's id in {} cannot be kept", path.display());
    if path.exists() {
        let id = std::fs::read_to_string(&path).with_context(failed)?;
        let id = id.trim();
        if !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Ok(id.to_owned());
        }
    }
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_i64(clock::now());
    let id = format!("{:016x}", hasher.finish());
    std::fs::write(&path, &id).with_context(failed)?;
    Ok(id)
}
