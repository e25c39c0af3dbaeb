//! Which source partitions are other logs than those that were read, for who looks from outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;

use super::client::{self, Health, START_PATIENCE};
use super::group::{Asking, Partition};
use super::known_again::{self, AsRead};
use super::topics::{Deviation, Weight};
use crate::bookmark::{Judgement, Sign, judge};
use crate::config::Config;
use crate::plan::Catalogue;

/// Those that are. `existing`: how many partitions topics have. A source that was reset since it
/// was read is none of them.
pub fn deviations(
    config: &Config,
    health: &Arc<Health>,
    existing: &BTreeMap<String, u32>,
    catalogue: &Catalogue,
) -> Result<Vec<Deviation>> {
    let sources = config.sources.iter();
    let sources = sources.filter_map(|topic| Some((topic, *existing.get(topic)?)));
    let partitions: Vec<Partition> = sources
        .flat_map(|(topic, count)| {
            let numbers = (0..count).filter_map(|number| i32::try_from(number).ok());
            numbers.map(|number| (topic.clone(), number))
        })
        .collect();
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let reader = client::reader(config, health, false)?;
    let asking = Asking {
        consumer: &reader,
        health,
        group: &format!("{}.detect", config.app),
        patience: START_PATIENCE,
    };
    let committed = asking.committed(&partitions)?;
    let mut logs = BTreeMap::new();
    for partition in partitions {
        let (topic, number) = &partition;
        let number = number.unsigned_abs();
        let source = catalogue.epochs().source(topic, number + 1);
        let epoch = source.epoch_of(number);
        let log = match committed.get(&partition) {
            Some(found) => Some(AsRead::committed(&partition, found, epoch)?),
            None => AsRead::noted(&partition, catalogue)?,
        };
        if let Some(log) = log.filter(|log| log.read_to.epoch == epoch) {
            logs.insert(partition, log);
        }
    }
    let bounds = asking.bounds(&logs.keys().cloned().collect::<Vec<_>>())?;
    let found = known_again::look(config, health, &bounds, &logs)?;
    let deviations = found.into_iter().filter_map(|(partition, now)| {
        let log = logs.get(&partition)?;
        match judge(log.next, log.read_to.bookmark, now) {
            Judgement::Same | Judgement::Incomparable(_) => None,
            Judgement::Another(sign) => Some(deviation(&partition, sign)),
            Judgement::EndTooLow => Some(deviation(&partition, Sign::EndsBefore)),
        }
    });
    Ok(deviations.collect())
}

fn deviation((topic, number): &Partition, sign: Sign) -> Deviation {
    Deviation {
        topic: topic.clone(),
        about: format!("partition {number}"),
        found: Some(format!("another log ({sign})")),
        expected: format!(
            "the one that was read; see on_replaced_source, or run `watchfire topics reset {topic}`"
        ),
        weight: Weight::Fatal,
    }
}
