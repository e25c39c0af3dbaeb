//! How long the matches topic keeps what a lost state is made anew from.

use std::time::Duration;

use rdkafka::admin::ConfigResource;

use super::super::client::{self, Health};
use super::{Deviation, Names, Wanted, Weight, properties, wanted};
use crate::config::Config;
use crate::time::Second;

/// How long the matches topic is made to keep messages, if its state needs no more.
const MATCHES_RETENTION: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// How long the matches topic must keep messages where the state depends on `needed` seconds of
/// event time: so much, and the longest outage, during which the oldest of them grow older.
fn retention_ms(config: &Config, needed: Second) -> u128 {
    let needed = Duration::from_secs(u64::try_from(needed).unwrap_or(0));
    match needed.is_zero() {
        true => 0,
        false => (needed + config.topics.longest_outage).as_millis(),
    }
}

/// How long the matches topic keeps messages when it is made: what was chosen, else as long as is
/// needed.
pub fn created_ms(config: &Config, needed: Second) -> u128 {
    match config.topics.matches_retention {
        Some(chosen) => chosen.as_millis(),
        None => retention_ms(config, needed).max(MATCHES_RETENTION.as_millis()),
    }
}

/// What makes the matches topic forget too early.
pub fn short_lived(
    config: &Config,
    needed: Second,
    topics: &[&Wanted],
    found: &[ConfigResource],
) -> Vec<Deviation> {
    let matches = Names::of(&config.app).matches;
    let retention = retention_ms(config, needed);
    let mut deviations = Vec::new();
    for (topic, resource) in topics.iter().zip(found) {
        if topic.name == matches && retention > 0 {
            let value = |name| resource.get(name).and_then(|entry| entry.value.clone());
            deviations
                .extend(value("retention.ms").and_then(|ms| too_short(&matches, ms, retention)));
            deviations.extend(value("retention.bytes").and_then(|bytes| bounded(&matches, bytes)));
        }
    }
    deviations
}

fn too_short(matches: &str, found: String, needed_ms: u128) -> Option<Deviation> {
    // -1: for ever.
    let kept = found.parse::<u128>().ok()?;
    (kept < needed_ms).then(|| Deviation {
        topic: matches.to_owned(),
        about: "retention.ms".to_owned(),
        found: Some(format!("{kept} ({})", in_words(kept))),
        expected: format!(
            "at least {needed_ms} ({}) for these rules, or a state that is lost may not be made \
             anew after `longest_outage`",
            in_words(needed_ms)
        ),
        weight: Weight::Risk,
    })
}

fn bounded(matches: &str, found: String) -> Option<Deviation> {
    found.parse::<u64>().ok().map(|_| Deviation {
        topic: matches.to_owned(),
        about: "retention.bytes".to_owned(),
        found: Some(found),
        expected: "-1, or what a lost state is made anew from may be deleted however young it is"
            .to_owned(),
        weight: Weight::Risk,
    })
}

fn in_words(millis: u128) -> String {
    let seconds = u64::try_from(millis / 1000).unwrap_or(u64::MAX);
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// Warns if the matches topic forgets too early for rules that need so many seconds of event
/// time. Brokers that do not tell are believed.
pub fn warn(config: &Config, health: &Health, needed: Second) {
    let wanted = wanted(config, needed);
    let topics: Vec<&Wanted> = wanted.iter().collect();
    match properties(config, health, topics.iter().map(|topic| &*topic.name)) {
        Ok(found) => {
            for deviation in short_lived(config, needed, &topics, &found) {
                tracing::warn!("{deviation}");
            }
        }
        Err(error) => tracing::debug!(
            error = client::chain(&error),
            "the brokers do not tell the properties of topics"
        ),
    }
}
