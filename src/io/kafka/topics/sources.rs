//! How the sources must be: for how long they keep messages, and whose clock dates these.

use std::time::Duration;

use rdkafka::admin::ConfigResource;

use super::{Deviation, Weight};
use crate::config::Config;
use crate::plan::retention::Need;
use crate::time::hours;

/// A source that keeps messages for less time than a rule looks back.
pub fn short_lived(topic: &str, found: &ConfigResource, need: Option<&Need>) -> Option<Deviation> {
    let Need { rule, seconds } = need?;
    let needed = u128::try_from(*seconds).ok()?.checked_mul(1000)?;
    // -1: for ever.
    let kept: u128 = value(found, "retention.ms")?.parse().ok()?;
    let in_words = |ms: u128| hours(i64::try_from(ms / 1000).unwrap_or(i64::MAX));
    (kept < needed).then(|| Deviation {
        topic: topic.to_owned(),
        about: "retention.ms".to_owned(),
        found: Some(format!("{kept} ({})", in_words(kept))),
        expected: format!(
            "at least {needed} ({}) for {rule}, to which what is not kept is unknown when it is \
             first used",
            in_words(needed)
        ),
        weight: Weight::Risk,
    })
}

/// What follows where producers date the messages of a source.
pub fn dated_by_producers(config: &Config, topic: &str, found: &ConfigResource) -> Option<String> {
    if value(found, "message.timestamp.type")? != "CreateTime" {
        return None;
    }
    let ahead = value(found, "message.timestamp.after.max.ms");
    let ahead = ahead
        .and_then(|ms| ms.parse::<u64>().ok())
        .filter(|ms| *ms < i64::MAX as u64);
    let settings = config.settings;
    let covered = u64::try_from(settings.lateness - settings.patience).unwrap_or(0) * 1000;
    let span = |ms: u64| humantime::format_duration(Duration::from_secs(ms / 1000)).to_string();
    let allowed = match ahead {
        Some(ahead) => format!("up to {}", span(ahead)),
        None => "however far".to_owned(),
    };
    let what = match ahead {
        Some(ahead) if ahead <= covered => {
            "which `lateness` covers: what was said is corrected".to_owned()
        }
        Some(_) | None => format!(
            "and what is later than `lateness` changes nothing any more. Set \
             message.timestamp.type to LogAppendTime, or message.timestamp.after.max.ms to at most \
             {covered} (`lateness` less `patience`)"
        ),
    };
    Some(format!(
        "topic {topic}: producers date its messages (message.timestamp.type is CreateTime), and \
         their clocks may be ahead by {allowed}. While a worker is behind, one such clock makes \
         the events of all others late by as much, {what}"
    ))
}

fn value<'f>(found: &'f ConfigResource, name: &str) -> Option<&'f str> {
    found.get(name)?.value.as_deref()
}

#[cfg(test)]
mod tests {
    use rdkafka::admin::{ConfigEntry, ConfigSource, OwnedResourceSpecifier};

    use super::*;
    use crate::config::{Input, Written};

    fn topic(properties: &[(&str, &str)]) -> ConfigResource {
        let entry = |(name, value): &(&str, &str)| ConfigEntry {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
            source: ConfigSource::Default,
            is_read_only: false,
            is_default: true,
            is_sensitive: false,
        };
        ConfigResource {
            specifier: OwnedResourceSpecifier::Topic("s".to_owned()),
            entries: properties.iter().map(entry).collect(),
        }
    }

    #[test]
    fn what_a_source_keeps_is_held_against_what_rules_look_back() {
        let check = |kept: &str, expected: Option<&str>| {
            let need = Need {
                rule: "R".to_owned(),
                seconds: 7 * 86_400,
            };
            let found = short_lived("s", &topic(&[("retention.ms", kept)]), Some(&need));
            assert_eq!(
                found.map(|found| found.to_string()).as_deref(),
                expected,
                "{kept}"
            );
        };
        check("604800000", None);
        check("-1", None);
        check(
            "604799999",
            Some(
                "topic s: retention.ms is 604799999 (7d), must be at least 604800000 (7d) for R, \
                 to which what is not kept is unknown when it is first used",
            ),
        );
    }

    #[test]
    fn clocks_of_producers_are_held_against_lateness() {
        let config = Config::build(Input {
            file: Some(("w.toml", "[kafka]\n\"bootstrap.servers\" = \"b:9092\"")),
            environment: &std::collections::BTreeMap::new(),
            flags: Written::default(),
            read_secret: &|_| Err("none".to_owned()),
            memory_limit: None,
        });
        let config = config.unwrap();
        let check = |properties: &[(&str, &str)], expected: Option<&str>| {
            let found = dated_by_producers(&config, "s", &topic(properties));
            match (&found, expected) {
                (Some(found), Some(expected)) => assert!(found.contains(expected), "{found}"),
                (found, expected) => assert_eq!(found.is_none(), expected.is_none(), "{found:?}"),
            }
        };
        let by_producers = ("message.timestamp.type", "CreateTime");
        let ahead = |ms| [by_producers, ("message.timestamp.after.max.ms", ms)];
        check(&[("message.timestamp.type", "LogAppendTime")], None);
        check(&[], None);
        check(
            &ahead("3600000"),
            Some("ahead by up to 1h. While a worker is behind, one such clock makes the events of"),
        );
        check(&ahead("3600000"), Some("which `lateness` covers"));
        // Lateness of two hours less patience of a quarter.
        check(&ahead("6300000"), Some("which `lateness` covers"));
        check(&ahead("6300001"), Some("after.max.ms to at most 6300000"));
        check(&ahead("9223372036854775807"), Some("ahead by however far"));
        check(&[by_producers], Some("ahead by however far"));
    }
}
