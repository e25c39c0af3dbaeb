//! What a worker looks at before it starts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};

use super::Failure;

use crate::config::Config;
use crate::io::disk::rule_set::{self, RuleSet};
use crate::io::disk::store::{Budget, Owner, Store};
use crate::io::disk::table_files::TableFiles;
use crate::io::kafka::client::{self, Health, START_PATIENCE};
use crate::io::kafka::rules_topic::{Known, TakenIntoUse};
use crate::io::kafka::topics::{self, Names, Weight};
use crate::io::reload::tell;
use crate::io::{
    disk::state_dir,
    kafka::{identity, rules_topic},
};
use crate::plan::catalogue::OtherMeaning;
use crate::plan::changes::Changes;
use crate::plan::retention::Needs;
use crate::plan::{Catalogue, MEANING, Plan};

/// Whether all topics are there.
///
/// # Errors
///
/// All that are missing.
pub fn check_existence(config: &Config, existing: &BTreeMap<String, u32>) -> Result<()> {
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
    match problems.is_empty() {
        true => Ok(()),
        false => bail!("{}", problems.join("\n")),
    }
}

/// Whether the rules of the application mean to this version what they meant to whoever wrote them.
///
/// # Errors
///
/// They do not, and the application is not to begin anew.
pub fn check_meaning(config: &Config, health: &Arc<Health>, anew: bool) -> Result<()> {
    let app = &config.app;
    match rules_topic::read(config, health)?.catalogue.other_meaning() {
        None => Ok(()),
        Some(OtherMeaning::Earlier(earlier)) if anew => {
            tracing::warn!(
                earlier,
                meaning = MEANING,
                "the application begins anew: what is open of it will be closed, and all rules \
                 start empty"
            );
            Ok(())
        }
        Some(OtherMeaning::Earlier(earlier)) => bail!(
            "application {app} was begun by a version of watchfire to which rules mean something \
             else (meaning {earlier}, here {MEANING}): the same events would come to other \
             incidents half-way. Give this version an application of its own (`app`), or start it \
             once with --begin-anew, when no other worker runs: that closes what is open and lets \
             all rules start empty. docs/upgrade.md says more"
        ),
        Some(OtherMeaning::Later(later)) => bail!(
            "application {app} is in use by a later version of watchfire, to which rules mean \
             something else (meaning {later}, here {MEANING}): use that one"
        ),
    }
}

/// The number of partitions of the matches topic, which is fixed when an application first runs.
///
/// # Errors
///
/// The topic has got another number since then.
pub fn matches_partitions(
    config: &Config,
    health: &Arc<Health>,
    existing: &BTreeMap<String, u32>,
) -> Result<u32> {
    let matches = Names::of(&config.app).matches;
    let found = existing.get(&*matches).copied().unwrap_or(1);
    match rules_topic::read(config, health)?
        .catalogue
        .matches_partitions()
    {
        Some(fixed) if fixed != found => {
            bail!("{}", topics::other_number(&matches, found, fixed))
        }
        Some(_) => (),
        None => {
            let entry = Catalogue::fix_matches_partitions(found);
            rules_topic::write(config, health, &[entry])?;
        }
    }
    Ok(found)
}

/// Whether the topics are as they must be; says what is only a risk.
///
/// # Errors
///
/// All that is wrong at once.
pub fn check_properties(
    config: &Config,
    health: &Health,
    existing: &BTreeMap<String, u32>,
    matches: u32,
    set: &RuleSet,
) -> Result<()> {
    let mut problems = Vec::new();
    let needs = Needs::of(&set.rules, config.settings);
    let checked = topics::check(config, health, existing, Some(matches), &needs)?;
    for note in &checked.notes {
        tracing::warn!("{note}");
    }
    for deviation in checked.deviations {
        match deviation.weight {
            Weight::Fatal => problems.push(deviation.to_string()),
            Weight::Risk => tracing::warn!("{deviation}"),
            Weight::Harmless => (),
        }
    }
    match problems.is_empty() {
        true => Ok(()),
        false => bail!("{}", problems.join("\n")),
    }
}

/// Makes the plan of these rules and the configured sources known, loads it, and says how it
/// differs from the one that was used last.
pub fn plan(
    config: &Config,
    health: &Arc<Health>,
    set: &RuleSet,
    existing: &BTreeMap<String, u32>,
) -> Result<(Known, Arc<Plan>)> {
    let taken = rules_topic::take_into_use(config, health, set, &|catalogue| {
        let source = |topic: &String| {
            let partitions = existing.get(topic).copied().unwrap_or(0);
            catalogue.epochs().source(topic, partitions)
        };
        config.sources.iter().map(source).collect()
    })?;
    let TakenIntoUse {
        known,
        plan,
        before,
    } = taken;
    match before {
        None => tracing::info!("these are the first rules of this application"),
        Some(Err(why)) => tracing::warn!(
            reason = why.to_string(),
            "the rules that were used last cannot be compared with these"
        ),
        Some(Ok(before)) => {
            let changes = Changes::between(&before, &plan);
            match changes.is_empty() {
                true => tracing::info!("the rules are those that were used last"),
                false => tell(
                    &changes,
                    &plan,
                    "the rules differ from those that were used last",
                ),
            }
        }
    }
    Ok((known, plan))
}

/// The rules that were used last, in place of files that have these problems.
///
/// # Errors
///
/// The problems, where there are no such rules.
pub fn last_good(
    config: &Config,
    health: &Arc<Health>,
    mut problems: Vec<String>,
) -> Result<RuleSet, Failure> {
    let known = rules_topic::read(config, health)?;
    let Some(newest) = known.catalogue.newest() else {
        return Err(Failure::Input(problems));
    };
    let content = rule_set::content(config, &mut TableFiles::default());
    let plan = known.catalogue.plan(newest).map_err(|why| why.to_string());
    let set = plan.and_then(|plan| rule_set::of_plan(plan, content));
    match set {
        Ok(set) => {
            for problem in &problems {
                tracing::error!("{problem}");
            }
            tracing::error!(
                problems = problems.len(),
                plan = newest.to_string(),
                rules = set.rules.len(),
                "the rule files have errors: this worker goes on with the rules that were used \
                 last. Mend the files; they are read again when they change"
            );
            Ok(set)
        }
        Err(why) => {
            problems.push(format!(
                "nor can the rules be used that were used last: {why}"
            ));
            Err(Failure::Input(problems))
        }
    }
}

/// The store of this worker, and its id.
pub fn state(config: &Config, health: &Arc<Health>) -> Result<(Store, String)> {
    let state_dir = Path::new(&config.state_dir);
    state_dir::make(state_dir)?;
    let budget = Budget {
        block_cache_bytes: config.block_cache_bytes,
        write_buffer_bytes: config.write_buffer_bytes,
    };
    let store = Store::open(&state_dir.join("store"), &owner(config, health)?, budget)?;
    Ok((store, worker_id(state_dir)?))
}

/// The configuration with which the groups know the worker, if they are to: by the name that is
/// configured, such as that of a pod, else by its id.
pub fn member(config: &Config, id: &str) -> Config {
    let mut config = config.clone();
    if config.static_membership {
        let properties = &mut config.kafka.properties;
        let name = properties.entry("group.instance.id".to_owned());
        name.or_insert_with(|| id.to_owned());
    }
    config
}

/// Whose fold the store holds. Brokers are waited for until they have told which cluster they are:
/// a store is not to be taken for another's because they are slow.
fn owner(config: &Config, health: &Arc<Health>) -> Result<Owner> {
    use rdkafka::consumer::Consumer as _;
    let reader = client::reader(config, health, false)?;
    let matches = Names::of(&config.app).matches;
    // Where an answer to this has come, what the client knows of the cluster is what there is.
    health.patiently(
        reader.client(),
        START_PATIENCE,
        "ask the brokers which cluster they are",
        || reader.fetch_metadata(Some(&matches), client::CALL),
    )?;
    Ok(Owner {
        app: config.app.clone(),
        cluster: reader.client().fetch_cluster_id(client::CALL),
    })
}

/// The name of this worker, made once and kept: the next process with this state directory ends
/// what the last one has left open.
fn worker_id(state_dir: &Path) -> Result<String> {
    let path = state_dir.join("id");
    let failed = || format!("the worker's id in {} cannot be kept", path.display());
    if path.exists() {
        let id = std::fs::read_to_string(&path).with_context(failed)?;
        let id = id.trim();
        if !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Ok(id.to_owned());
        }
    }
    let id = identity::random();
    std::fs::write(&path, &id).with_context(failed)?;
    Ok(id)
}

#[cfg(test)]
mod tests;
