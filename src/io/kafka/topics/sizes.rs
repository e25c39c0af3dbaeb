//! The largest message that topics take, held against what the worker may write.

use rdkafka::admin::ConfigResource;

use super::{Deviation, Names, Wanted, Weight};
use crate::config::Config;

/// The property that says it.
const PROPERTY: &str = "max.message.bytes";

/// What brokers count of a message besides what the worker writes of it: key, headers, and the
/// frame of the batch that it is sent in.
const FRAME_BYTES: usize = 4_096;

/// What brokers usually take.
const USUAL_BYTES: usize = 1_048_588;

/// The property that a new topic is made with; `None`: what brokers usually take does.
pub fn created(config: &Config) -> Option<(&'static str, String)> {
    let needed = needed(config);
    (needed > USUAL_BYTES).then(|| (PROPERTY, needed.to_string()))
}

fn needed(config: &Config) -> usize {
    config.message_bytes_max + FRAME_BYTES
}

/// The topics that take less than the worker may write: it would end with the first such message,
/// again at each start.
pub fn too_small(config: &Config, topics: &[&Wanted], found: &[ConfigResource]) -> Vec<Deviation> {
    let rules = Names::of(&config.app).rules;
    let written = topics
        .iter()
        .zip(found)
        .filter(|(topic, _)| topic.name != rules);
    let deviating = written.filter_map(|(topic, resource)| {
        let taken = resource
            .get(PROPERTY)
            .and_then(|entry| entry.value.clone())?;
        let taken: usize = taken.parse().ok()?;
        (taken < needed(config)).then(|| Deviation {
            topic: topic.name.to_string(),
            about: PROPERTY.to_owned(),
            found: Some(taken.to_string()),
            expected: format!(
                "at least {}: limits.message_bytes is {}",
                needed(config),
                config.message_bytes_max
            ),
            weight: Weight::Fatal,
        })
    });
    deviating.collect()
}
