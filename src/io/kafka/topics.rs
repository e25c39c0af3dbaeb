//! The topics that belong to an application: their names, how they must be, making them.

pub mod azure;

pub mod retention;

mod sizes;

mod sources;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::client::{self, CALL, Health};
use crate::config::{Config, Delivery};
use crate::io::clock;
use crate::plan::hubs::{self, Missing};
use crate::plan::retention::{Need, Needs};
use crate::plan::tiers::{self, Hub, Kept};
use crate::rule::Rule;
use crate::time::Second;

const ADMIN_TIMEOUT: Duration = Duration::from_secs(20);

/// The names of an application's topics.
#[derive(Clone, Debug)]
pub struct Names {
    /// What the first stage hands to the second.
    pub matches: Arc<str>,
    /// What is published.
    pub incidents: Arc<str>,
    /// Records that could not be used.
    pub dead_letters: Arc<str>,
    /// Rules and plans by their hashes.
    pub rules: Arc<str>,
}

impl Names {
    /// The names for `app`.
    pub fn of(app: &str) -> Names {
        let name = |kind: &str| format!("{app}.{kind}").into();
        Names {
            matches: name("matches"),
            incidents: name("incidents"),
            dead_letters: name("dead-letters"),
            rules: name("rules"),
        }
    }
}

/// A topic as it must be.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its name.
    pub name: Arc<str>,
    /// `None`: any number does.
    pub partitions: Option<u32>,
    /// How many `topics create` makes.
    pub created: u32,
    /// Properties that must be so.
    pub required: Vec<(&'static str, String)>,
    /// Properties that it is made with, and may be changed later.
    pub suggested: Vec<(&'static str, String)>,
}

/// All topics of the application. `needed`: the seconds of event time before the watermark that
/// its state depends on; 0: that is not known.
pub fn wanted(config: &Config, needed: Second) -> Vec<Wanted> {
    let Names {
        matches,
        incidents,
        dead_letters,
        rules,
    } = Names::of(&config.app);
    let delete = || ("cleanup.policy", "delete".to_owned());
    let retention = retention::created_ms(config, needed);
    vec![
        Wanted {
            name: matches,
            partitions: Some(config.topics.matches_partitions),
            created: config.topics.matches_partitions,
            required: vec![
                delete(),
                ("message.timestamp.type", "LogAppendTime".to_owned()),
            ],
            suggested: [("retention.ms", retention.to_string())]
                .into_iter()
                .chain(sizes::created(config))
                .collect(),
        },
        Wanted {
            name: incidents,
            partitions: None,
            created: config.topics.incidents_partitions,
            required: Vec::new(),
            suggested: sizes::created(config).into_iter().collect(),
        },
        Wanted {
            name: dead_letters,
            partitions: None,
            created: 1,
            required: Vec::new(),
            suggested: sizes::created(config).into_iter().collect(),
        },
        Wanted {
            name: rules,
            partitions: Some(1),
            created: 1,
            required: vec![("cleanup.policy", "compact".to_owned())],
            suggested: Vec::new(),
        },
    ]
}

/// How many partitions each topic of the brokers has.
pub fn partitions(
    config: &Config,
    health: &Arc<Health>,
    patience: Duration,
) -> Result<BTreeMap<String, u32>> {
    let reader = client::reader(config, health, false)?;
    let what = format!("ask the brokers at {} for their topics", health.brokers());
    let metadata = health.patiently(reader.client(), patience, &what, || {
        let metadata = reader.fetch_metadata(None, CALL);
        // Callbacks, such as that of a refused login, run when the client is polled.
        if metadata.is_err() {
            client::look_after(&reader);
        }
        metadata
    })?;
    let topics = metadata
        .topics()
        .iter()
        .filter(|topic| topic.error().is_none());
    Ok(topics
        .map(|topic| (topic.name().to_owned(), topic.partitions().len() as u32))
        .collect())
}

/// What is wrong with a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The topic.
    pub topic: String,
    /// What it is about: `missing`, `partitions`, or a property's name.
    pub about: String,
    /// What is there; `None`: nothing.
    pub found: Option<String>,
    /// What must be there.
    pub expected: String,
    /// What follows from it.
    pub weight: Weight,
}

/// What follows from a deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// No worker can start.
    Fatal,
    /// A worker that loses its state may not be able to make it anew.
    Risk,
    /// Nothing, unless somebody wonders.
    Harmless,
}

impl std::fmt::Display for Deviation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Deviation {
            topic,
            about,
            found,
            expected,
            weight: _,
        } = self;
        match found {
            None => write!(f, "topic {topic} does not exist"),
            Some(found) => write!(f, "topic {topic}: {about} is {found}, must be {expected}"),
        }
    }
}

/// How the topics are.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// What is not as it must be.
    pub deviations: Vec<Deviation>,
    /// What may be so, and has consequences.
    pub notes: Vec<String>,
}

/// All deviations of the application's topics and the sources. Brokers that do not tell the
/// properties of topics are believed, and that is logged.
/// `existing` as from [`partitions`]; `fixed`: the number of partitions that the matches topic has
/// for good, if it is known.
pub fn check(
    config: &Config,
    health: &Health,
    existing: &BTreeMap<String, u32>,
    fixed: Option<u32>,
    needs: &Needs,
) -> Result<Checked> {
    let wanted = wanted(config, needs.seconds());
    let mut checked = Checked {
        deviations: numbers(config, existing, fixed, &wanted),
        notes: Vec::new(),
    };
    let deviations = &mut checked.deviations;
    let present: Vec<&Wanted> = wanted
        .iter()
        .filter(|topic| existing.contains_key(&*topic.name))
        .collect();
    match properties(config, health, present.iter().map(|topic| &*topic.name)) {
        Ok(found) => {
            deviations.extend(deviating(&present, &found));
            deviations.extend(sizes::too_small(config, &present, &found));
            let needed = needs.seconds();
            deviations.extend(retention::short_lived(config, needed, &present, &found));
        }
        Err(error) => tracing::warn!(
            error = client::chain(&error),
            "the brokers do not tell the properties of topics; make sure that messages of {} \
             have the broker's timestamps (LogAppendTime)",
            Names::of(&config.app).matches
        ),
    }
    look_at_sources(config, health, existing, needs, &mut checked);
    Ok(checked)
}

/// Brokers that do not tell how the sources are made are believed: workers need not be allowed to
/// ask.
fn look_at_sources(
    config: &Config,
    health: &Health,
    existing: &BTreeMap<String, u32>,
    needs: &Needs,
    checked: &mut Checked,
) {
    let present = config.sources.iter().map(String::as_str);
    let present: Vec<&str> = present
        .filter(|name| existing.contains_key(*name))
        .collect();
    match properties(config, health, present.iter().copied()) {
        Ok(found) => {
            for (topic, found) in present.iter().zip(&found) {
                let need = needs.sources.as_ref();
                let short_lived = sources::short_lived(topic, found, need);
                checked.deviations.extend(short_lived);
                let note = sources::dated_by_producers(config, topic, found);
                checked.notes.extend(note);
            }
        }
        Err(error) => tracing::debug!(
            error = client::chain(&error),
            "the brokers do not tell the properties of the sources"
        ),
    }
}

/// Topics that are not there, or have another number of partitions.
fn numbers(
    config: &Config,
    existing: &BTreeMap<String, u32>,
    fixed: Option<u32>,
    wanted: &[Wanted],
) -> Vec<Deviation> {
    let Names { matches, rules, .. } = Names::of(&config.app);
    let mut deviations = Vec::new();
    let sources = config.sources.iter().map(|source| (source.as_str(), None));
    let ours = wanted.iter().map(|topic| match fixed {
        Some(_) if topic.name == matches => (&*topic.name, fixed),
        Some(_) | None => (&*topic.name, topic.partitions),
    });
    for (name, expected) in sources.chain(ours) {
        let deviation = |about: &str, found: Option<u32>, expected: u32| Deviation {
            topic: name.to_owned(),
            about: about.to_owned(),
            found: found.map(|found| found.to_string()),
            expected: expected.to_string(),
            weight: match found.is_none() || name == &*rules {
                true => Weight::Fatal,
                false if name == &*matches && fixed.is_some() => Weight::Fatal,
                false => Weight::Harmless,
            },
        };
        match (existing.get(name), expected) {
            (None, expected) => {
                deviations.push(deviation("missing", None, expected.unwrap_or(1)));
            }
            (Some(found), Some(expected)) if *found != expected => {
                deviations.push(deviation("partitions", Some(*found), expected));
            }
            (Some(_), Some(_) | None) => (),
        }
    }
    deviations
}

/// Why a matches topic that has got another number of partitions cannot be used.
pub fn other_number(topic: &str, found: u32, fixed: u32) -> String {
    format!(
        "topic {topic} has {found} partitions, and this application has begun with {fixed}: what \
         is known of a key would not be found again. The number never changes under one `app`; \
         how to get another one is in docs/reliability.md"
    )
}

fn deviating(wanted: &[&Wanted], found: &[ConfigResource]) -> Vec<Deviation> {
    let mut deviations = Vec::new();
    for (topic, resource) in wanted.iter().zip(found) {
        for (name, expected) in &topic.required {
            let value = resource.get(name).and_then(|entry| entry.value.clone());
            if let Some(value) = value.filter(|value| value != expected) {
                deviations.push(Deviation {
                    topic: topic.name.to_string(),
                    about: (*name).to_owned(),
                    found: Some(value),
                    expected: expected.clone(),
                    weight: Weight::Fatal,
                });
            }
        }
    }
    deviations
}

pub(super) fn properties<'t>(
    config: &Config,
    health: &Health,
    topics: impl Iterator<Item = &'t str>,
) -> Result<Vec<ConfigResource>> {
    let topics: Vec<_> = topics.map(ResourceSpecifier::Topic).collect();
    if topics.is_empty() {
        return Ok(Vec::new());
    }
    let admin = admin(config, health)?;
    let options = AdminOptions::new().request_timeout(Some(ADMIN_TIMEOUT));
    let found = wait(admin.describe_configs(&topics, &options))??;
    let describe = |code| anyhow!("their properties cannot be read: {code}");
    let found: Vec<ConfigResource> = found
        .into_iter()
        .map(|resource| resource.map_err(describe))
        .collect::<Result<_>>()?;
    // The client says of a topic that the brokers refuse to describe that it has no properties.
    if found.iter().any(|resource| resource.entries.is_empty()) {
        bail!("the brokers refuse to describe them");
    }
    Ok(found)
}

/// What became of topics that were to be made.
#[derive(Clone, Debug)]
pub enum Creation {
    /// These were made.
    Made(Vec<String>),
    /// The brokers do not let clients make topics: these are missing.
    Refused(Vec<Wanted>),
}

/// Makes the topics that do not exist. `needed` as for [`wanted`]; `replication`: -1 leaves it to
/// the broker.
pub fn create(
    config: &Config,
    health: &Arc<Health>,
    needed: Second,
    replication: i32,
) -> Result<Creation> {
    let existing = partitions(config, health, client::START_PATIENCE)?;
    let wanted = wanted(config, needed);
    let missing: Vec<&Wanted> = wanted
        .iter()
        .filter(|topic| !existing.contains_key(&*topic.name))
        .collect();
    let new: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|topic| new_topic(topic, replication))
        .collect();
    if new.is_empty() {
        return Ok(Creation::Made(Vec::new()));
    }
    let refused = || Creation::Refused(missing.iter().map(|topic| (*topic).clone()).collect());
    let admin = admin(config, health)?;
    let options = AdminOptions::new()
        .request_timeout(Some(ADMIN_TIMEOUT))
        .operation_timeout(Some(ADMIN_TIMEOUT));
    let mut made = Vec::new();
    let results = match wait(admin.create_topics(&new, &options))? {
        Ok(results) => results,
        Err(KafkaError::AdminOp(Code::UnsupportedFeature)) => return Ok(refused()),
        Err(error) => bail!("the topics could not be made: {}", client::words(&error)),
    };
    for result in results {
        match result {
            Ok(topic) => made.push(topic),
            Err((_, Code::TopicAlreadyExists)) => (),
            Err((topic, code)) if config.kafka.event_hubs || is_refusal(code) => {
                tracing::warn!(topic, error = %code, "the brokers did not make a topic");
                return Ok(refused());
            }
            Err((topic, code)) => bail!(
                "topic {topic} could not be made: {code}. Where brokers do not let clients make \
                 topics, make it yourself; `watchfire topics create --print az`, or `bicep`, says \
                 how it must be"
            ),
        }
    }
    wait_until_shown(config, health, &missing)?;
    Ok(Creation::Made(made))
}

/// Whether brokers say so that they make no topics for clients, whatever is asked of them.
fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidRequest | Code::UnsupportedVersion | Code::UnsupportedFeature
    )
}

/// What to know about the configuration before anything goes wrong: which tier of Event Hubs it
/// needs, and which event hubs the rules need that are not among the sources.
pub fn advice(config: &Config, existing: &BTreeMap<String, u32>, rules: &[Rule]) -> Vec<String> {
    let missing = hubs::missing(rules, &config.sources);
    let mut advice: Vec<String> = missing
        .iter()
        .map(|Missing { rule, text }| format!("{rule} {text}"))
        .collect();
    if config.kafka.event_hubs {
        let needs = Needs::of(rules, config.settings);
        advice.push(tier_needs(config, existing, &needs).tier());
        if config.delivery.is_none() {
            advice.push(
                "delivery is exactly_once where the namespace runs transactions (Premium, \
                 Dedicated), else at_least_once"
                    .to_owned(),
            );
        }
    }
    advice
}

/// What the application asks of a tier of Event Hubs.
fn tier_needs(config: &Config, existing: &BTreeMap<String, u32>, needs: &Needs) -> tiers::Needs {
    let matches = Names::of(&config.app).matches;
    let kept = |need: Option<&Need>, more: Second| {
        let Need { rule, seconds } = need?;
        Some(Kept {
            seconds: seconds + more,
            by: rule.clone(),
        })
    };
    let outage = Second::try_from(config.topics.longest_outage.as_secs()).unwrap_or(Second::MAX);
    let chosen = config.topics.matches_retention.map(|chosen| Kept {
        seconds: Second::try_from(chosen.as_secs()).unwrap_or(Second::MAX),
        by: "matches_retention".to_owned(),
    });
    let sources = config.sources.iter().map(|source| Hub {
        name: source.clone(),
        partitions: existing.get(source).copied().unwrap_or(1),
        kept: kept(needs.sources.as_ref(), 0),
    });
    let ours = wanted(config, needs.seconds())
        .into_iter()
        .map(|topic| Hub {
            partitions: existing.get(&*topic.name).copied().unwrap_or(topic.created),
            kept: match topic.name == matches {
                true => chosen
                    .clone()
                    .or_else(|| kept(needs.matches.as_ref(), outage)),
                false => None,
            },
            name: topic.name.to_string(),
        });
    let compression = ["compression.type", "compression.codec"];
    let compression = compression
        .iter()
        .find_map(|key| config.kafka.properties.get(*key));
    tiers::Needs {
        hubs: sources.chain(ours).collect(),
        transactions: config.delivery == Some(Delivery::ExactlyOnce),
        compression: compression.cloned(),
    }
}

/// Brokers answer that a topic is made before all of them know of it: a worker that starts at once
/// would not find it.
fn wait_until_shown(config: &Config, health: &Arc<Health>, made: &[&Wanted]) -> Result<()> {
    let start = clock::instant();
    loop {
        let shown = partitions(config, health, client::START_PATIENCE)?;
        let Some(unseen) = made.iter().find(|topic| !shown.contains_key(&*topic.name)) else {
            return Ok(());
        };
        if start.elapsed() > client::START_PATIENCE {
            bail!(
                "topic {} was made, but the brokers do not show it. Look whether all of them \
                 run, then give the command again",
                unseen.name
            );
        }
        std::thread::sleep(client::PAUSE);
    }
}

fn new_topic(topic: &Wanted, replication: i32) -> NewTopic<'_> {
    let partitions = i32::try_from(topic.created).unwrap_or(i32::MAX);
    let mut new = NewTopic::new(
        &topic.name,
        partitions,
        TopicReplication::Fixed(replication),
    );
    for (name, value) in topic.required.iter().chain(&topic.suggested) {
        new = new.set(name, value);
    }
    new
}

/// A client for one question: it is not looked after, so it has its one token from the beginning.
fn admin(config: &Config, health: &Health) -> Result<AdminClient<DefaultClientContext>> {
    let mut settings = client::settings(config);
    client::configured(&mut settings, config);
    let admin: AdminClient<DefaultClientContext> = settings
        .create()
        .map_err(|error| client::cannot_create(&error))?;
    client::log_in(admin.inner(), health)?;
    Ok(admin)
}

fn wait<F: Future>(future: F) -> Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .context("no runtime could be started")?;
    Ok(runtime.block_on(future))
}
