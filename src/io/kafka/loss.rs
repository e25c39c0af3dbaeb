//! What topics no longer have and workers still need, and that somebody accepts it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, bail};
use rdkafka::consumer::BaseConsumer;

use super::client::{self, Health};
use super::group::{Asking, Committed, Partition, partitions_of};
use super::known_again::AsRead;
use super::rules_topic;
use super::topics::Names;
use crate::bookmark::There;
use crate::config::{Config, Delivery};
use crate::fold::partition::{self as fold, CannotOpen, Commit, Found};
use crate::plan::Catalogue;

/// What is gone of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: u32,
    /// The offset from which it is needed.
    pub needed: i64,
    /// The first that there is.
    pub begins: i64,
    /// The offset that is committed or noted; 0: none is.
    committed: i64,
}

impl Loss {
    /// How many offsets are gone.
    pub fn lost(&self) -> i64 {
        self.begins.saturating_sub(self.needed)
    }
}

/// All that workers would miss if they started now. What they still have on disk of the matches
/// topic is not counted in: it is only known where it lies.
pub fn find(
    config: &Config,
    health: &Arc<Health>,
    existing: &BTreeMap<String, u32>,
) -> Result<Vec<Loss>> {
    let names = Names::of(&config.app);
    if !existing.contains_key(&*names.rules) {
        bail!(
            "topic {} does not exist on {}: no worker of {} has ever run",
            names.rules,
            health.brokers(),
            config.app
        );
    }
    let catalogue = rules_topic::read(config, health)?.catalogue;
    let sources = config.sources.iter().map(String::as_str);
    let sources = partitions_of(sources, existing);
    let matches = partitions_of([&*names.matches], existing);
    let mut losses = Vec::new();
    let sources = Stage::of(config, health, "detect")?.look(&sources)?;
    losses.extend(
        sources
            .iter()
            .filter_map(|state| state.of_source(&catalogue)),
    );
    let matches = Stage::of(config, health, "correlate")?.look(&matches)?;
    losses.extend(
        matches
            .iter()
            .filter_map(|state| state.of_matches(config, &catalogue)),
    );
    Ok(losses)
}

/// Makes it known that all of these are accepted.
pub fn accept(config: &Config, health: &Arc<Health>, losses: &[Loss]) -> Result<()> {
    let entries = losses.iter().map(|loss| {
        Catalogue::accept_loss(&loss.topic, loss.partition, loss.committed, loss.begins)
    });
    rules_topic::write(config, health, &entries.collect::<Vec<_>>())
}

/// Whoever asks about the group of a stage.
struct Stage<'a> {
    config: &'a Config,
    health: &'a Arc<Health>,
    group: String,
    reader: BaseConsumer<client::Callbacks>,
}

impl<'a> Stage<'a> {
    fn of(config: &'a Config, health: &'a Arc<Health>, stage: &str) -> Result<Stage<'a>> {
        let group = format!("{}.{stage}", config.app);
        let reader = client::reader_with(config, health, &[("group.id", &group)])?;
        Ok(Stage {
            config,
            health,
            group,
            reader,
        })
    }

    /// How these partitions are.
    fn look(&self, partitions: &[Partition]) -> Result<Vec<Look>> {
        let asking = Asking {
            consumer: &self.reader,
            health: self.health,
            group: &self.group,
            patience: self.config.broker_timeout,
        };
        let mut committed = asking.committed(partitions)?;
        let bounds = asking.bounds(partitions)?;
        let looks = bounds.into_iter().map(|(partition, (low, high))| {
            let committed = committed.remove(&partition);
            Ok(Look {
                topic: partition.0,
                partition: u32::try_from(partition.1)?,
                committed,
                low,
                high,
            })
        });
        looks.collect()
    }
}

/// How a partition is.
struct Look {
    topic: String,
    partition: u32,
    committed: Option<Committed>,
    low: i64,
    high: i64,
}

impl Look {
    /// What is gone of a source. One that was never read is read from where it begins; an offset
    /// of before the topic was made anew means nothing.
    fn of_source(&self, catalogue: &Catalogue) -> Option<Loss> {
        let source = catalogue.epochs().source(&self.topic, self.partition + 1);
        let epoch = source.epoch_of(self.partition);
        let partition = (self.topic.clone(), self.partition.cast_signed());
        let log = match &self.committed {
            Some(found) => AsRead::committed(&partition, found, epoch).ok(),
            None => AsRead::noted(&partition, catalogue).ok().flatten(),
        }?;
        let counts = log.read_to.epoch == epoch;
        (counts && log.next < self.low).then(|| self.loss(log.next, log.next))
    }

    /// What is gone of the matches topic that a state must be made anew from.
    fn of_matches(&self, config: &Config, catalogue: &Catalogue) -> Option<Loss> {
        let commit = self.committed.clone().map(Commit::from);
        let found = Found {
            meta: None,
            cursor: None,
            commit: commit.as_ref(),
            committed_there: There::Unknown,
            stored_there: There::Unknown,
            low: self.low,
            high: self.high,
            transactions: config.delivery != Some(Delivery::AtLeastOnce),
            accept_incomplete: false,
        };
        match fold::Partition::open(found, catalogue) {
            Err(CannotOpen::Missing(needed)) => {
                let committed = self.committed.as_ref().map_or(0, |found| found.offset);
                Some(self.loss(needed, committed))
            }
            // Whatever else there is to say, the worker says.
            Ok(_)
            | Err(
                CannotOpen::Shorter
                | CannotOpen::Another(_)
                | CannotOpen::Later
                | CannotOpen::Unusable(_),
            ) => None,
        }
    }

    fn loss(&self, needed: i64, committed: i64) -> Loss {
        Loss {
            topic: self.topic.clone(),
            partition: self.partition,
            needed,
            begins: self.low,
            committed,
        }
    }
}
