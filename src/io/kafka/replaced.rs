//! Which partitions are other logs than those that were read, for who looks from outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;

use super::client::{self, Health, START_PATIENCE};
use super::group::{Asking, Committed, Partition, partitions_of};
use super::known_again::{self, AsRead};
use super::topics::{Deviation, Names, Weight};
use crate::bookmark::{Judgement, KnownBy, Sign, judge};
use crate::config::Config;
use crate::detect::read_to::ReadTo;
use crate::fold::partition::{Bookmarks, Commit};
use crate::plan::Catalogue;

/// Partitions as they were read.
type Logs = BTreeMap<Partition, AsRead>;

/// Those that are. `existing`: how many partitions topics have. A source that was reset since it
/// was read is none of them.
pub fn deviations(
    config: &Config,
    health: &Arc<Health>,
    existing: &BTreeMap<String, u32>,
    catalogue: &Catalogue,
) -> Result<Vec<Deviation>> {
    let sources = partitions_of(config.sources.iter().map(String::as_str), existing);
    let matches = partitions_of([&*Names::of(&config.app).matches], existing);
    let of_sources = found(
        config,
        health,
        "detect",
        sources,
        &|partition, committed| source(partition, committed, catalogue),
    )?;
    let of_matches = found(
        config,
        health,
        "correlate",
        matches,
        &|partition, committed| Ok(folded(partition, committed, catalogue)),
    )?;
    let sources = of_sources.iter().map(|(partition, sign)| {
        let advice = format!(
            "see on_replaced_source, or run `watchfire topics reset {}`",
            partition.0
        );
        deviation(partition, *sign, "read", &advice)
    });
    let matches = of_matches.iter().map(|(partition, sign)| {
        deviation(
            partition,
            *sign,
            "folded",
            "the application needs another name",
        )
    });
    Ok(sources.chain(matches).collect())
}

/// How a partition was read of which this is committed; `None`: it was not.
type HowRead<'h> = dyn Fn(&Partition, Option<&Committed>) -> Result<Option<AsRead>> + 'h;

/// Those of the partitions that are other logs, and by what that is seen.
fn found(
    config: &Config,
    health: &Arc<Health>,
    stage: &str,
    partitions: Vec<Partition>,
    how_read: &HowRead<'_>,
) -> Result<Vec<(Partition, Sign)>> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let reader = client::reader(config, health, false)?;
    let asking = Asking {
        consumer: &reader,
        health,
        group: &format!("{}.{stage}", config.app),
        patience: START_PATIENCE,
    };
    let committed = asking.committed(&partitions)?;
    let mut logs = Logs::new();
    for partition in partitions {
        if let Some(log) = how_read(&partition, committed.get(&partition))? {
            logs.insert(partition, log);
        }
    }
    let bounds = asking.bounds(&logs.keys().cloned().collect::<Vec<_>>())?;
    let found = known_again::look(config, health, &bounds, &logs)?;
    let others = found.into_iter().filter_map(|(partition, now)| {
        let log = logs.get(&partition)?;
        match judge(log.next, log.read_to.known_by, now) {
            Judgement::Same | Judgement::Incomparable(_) => None,
            Judgement::Another(sign) => Some((partition, sign)),
            Judgement::EndTooLow => Some((partition, Sign::EndsBefore)),
        }
    });
    Ok(others.collect())
}

fn source(
    partition: &Partition,
    committed: Option<&Committed>,
    catalogue: &Catalogue,
) -> Result<Option<AsRead>> {
    let (topic, number) = partition;
    let number = number.unsigned_abs();
    let source = catalogue.epochs().source(topic, number + 1);
    let epoch = source.epoch_of(number);
    let log = match committed {
        Some(found) => Some(AsRead::committed(partition, found, epoch)?),
        None => AsRead::noted(partition, catalogue)?,
    };
    Ok(log.filter(|log| log.read_to.epoch == epoch))
}

fn folded(
    (topic, number): &Partition,
    committed: Option<&Committed>,
    catalogue: &Catalogue,
) -> Option<AsRead> {
    let noted = || catalogue.noted(topic, number.unsigned_abs());
    let found = committed.cloned().or_else(|| noted().map(Committed::from));
    let commit = Commit::from(found?);
    let bookmark = Bookmarks::of(None, Some(&commit)).committed;
    let known_by = bookmark.map_or(KnownBy::Nothing, KnownBy::Message);
    let read_to = ReadTo { epoch: 0, known_by };
    let next = commit.offset;
    Some(AsRead { next, read_to })
}

fn deviation((topic, number): &Partition, sign: Sign, was: &str, advice: &str) -> Deviation {
    Deviation {
        topic: topic.clone(),
        about: format!("partition {number}"),
        found: Some(format!("another log ({sign})")),
        expected: format!("the one that was {was}; {advice}"),
        weight: Weight::Fatal,
    }
}
