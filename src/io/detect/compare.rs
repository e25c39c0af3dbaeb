//! Whether source partitions are still the logs that were read, and what is done where one is not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};

use super::{Ask, DetectStage, stage};
use crate::bookmark::{Judgement, KnownBy, LogNow, Sign, There, judge};
use crate::config::OnReplacedSource;
use crate::detect::read_to::is_of_before;
use crate::io::history::{Trouble, What};
use crate::io::kafka::client::{PAUSE, lock};
use crate::io::kafka::group::{Group, Partition, list_of};
use crate::io::kafka::known_again::{self, AsRead};
use crate::io::{clock, kafka::rules_topic};
use crate::plan::epochs::Epochs;

/// An end that is too low is looked at again after so long: one that only lags is right by then.
const AGAIN: Duration = Duration::from_secs(5);

/// A source partition that is another log.
struct Replaced {
    partition: Partition,
    log: AsRead,
    now: LogNow,
    sign: Sign,
}

impl DetectStage {
    /// Compares these partitions, of which nothing is being read, with what was read of them.
    /// Those that are other logs begin in a new epoch, which the plan in use has afterwards. What
    /// was read of those that were read before.
    ///
    /// # Errors
    ///
    /// One is another log, and the worker is to stop then.
    pub(super) fn compare(
        &mut self,
        group: &Arc<Group>,
        partitions: &[Partition],
    ) -> Result<BTreeMap<Partition, AsRead>> {
        let logs = self.logs(group, partitions)?;
        let later = logs.iter().map(|(partition, log)| {
            let epoch = log.read_to.epoch;
            (partition.clone(), epoch)
        });
        self.wait_for_epochs(group, &later.collect())?;
        let current = logs.iter().filter(|(partition, log)| {
            let epoch = self.epoch_of(partition);
            epoch == log.read_to.epoch
        });
        let current = current.map(|(partition, log)| (partition.clone(), *log));
        let replaced = self.replaced(group, &current.collect())?;
        if replaced.is_empty() {
            return Ok(logs);
        }
        lock(&self.status.detecting).replaced += replaced.len() as u64;
        let first = stop_words(&replaced);
        let what = What {
            about: "",
            first: first.lines().next().unwrap_or_default(),
        };
        let count = replaced.len() as u64;
        self.status.trouble(Trouble::SourceReplaced, what, count);
        match self.config.on_replaced_source {
            OnReplacedSource::Stop => bail!("{}", stop_words(&replaced)),
            OnReplacedSource::Restart => self.begin_epochs(group, &replaced)?,
        }
        Ok(logs)
    }

    /// What was read of these partitions; those that were never read are left out. Of some that
    /// were the brokers may have forgotten what is committed: a topic that is deleted takes it
    /// along. Then what this worker committed last counts, or what is noted, which may be older;
    /// it is committed anew.
    fn logs(
        &mut self,
        group: &Group,
        partitions: &[Partition],
    ) -> Result<BTreeMap<Partition, AsRead>> {
        let committed = group.committed(partitions)?;
        if committed
            .values()
            .any(|found| is_of_before(&found.metadata))
        {
            tracing::warn!(
                "version 0.1.0 has committed offsets of the sources. None of its workers may run \
                 any more: it cannot read what this version commits"
            );
        }
        let mut logs = BTreeMap::new();
        let mut unknown = Vec::new();
        for partition in partitions {
            match committed.get(partition) {
                Some(found) => {
                    let log = AsRead::committed(partition, found, self.epoch_of(partition))?;
                    logs.insert(partition.clone(), log);
                }
                None => unknown.push(partition),
            }
        }
        if unknown.is_empty() {
            return Ok(logs);
        }
        let catalogue = rules_topic::read(&self.config, &self.health)?.catalogue;
        for partition in unknown {
            let own = self.committed.get(partition);
            let own = own.map(|own| AsRead::committed(partition, own, self.epoch_of(partition)));
            let both = own.transpose()?.into_iter();
            let both = both.chain(AsRead::noted(partition, &catalogue)?);
            let Some(log) = both.max_by_key(|log| (log.read_to.epoch, log.next)) else {
                continue;
            };
            tracing::warn!(
                topic = partition.0,
                partition = partition.1,
                read_to = log.next,
                "the brokers have no committed offset of a source partition that was read: was \
                 its topic made anew? It is compared with what this worker committed last, or \
                 with what is noted of it in the rules topic; more of it may have been read"
            );
            self.commits.moved = true;
            logs.insert(partition.clone(), log);
        }
        Ok(logs)
    }

    fn replaced(&self, group: &Group, logs: &BTreeMap<Partition, AsRead>) -> Result<Vec<Replaced>> {
        let (mut replaced, short) = self.judged(group, logs)?;
        if short.is_empty() {
            return Ok(replaced);
        }
        tracing::warn!(
            partitions = list_of(&short.keys().cloned().collect::<Vec<_>>()),
            "source partitions end before what was read of them; looking again"
        );
        let start = clock::instant();
        while start.elapsed() < AGAIN {
            self.health
                .check_stop("look at the ends of sources again")?;
            std::thread::sleep(PAUSE);
        }
        let (more, still) = self.judged(group, &short)?;
        replaced.extend(more);
        let bounds = group.bounds(&still.keys().cloned().collect::<Vec<_>>())?;
        for (partition, log) in still {
            let (low, high) = bounds.get(&partition).copied().unwrap_or((0, 0));
            let there = There::Unknown;
            let now = LogNow { low, high, there };
            let sign = Sign::EndsBefore;
            replaced.push(Replaced {
                partition,
                log,
                now,
                sign,
            });
        }
        Ok(replaced)
    }

    /// Those that are other logs, and those that end before what was read.
    fn judged(
        &self,
        group: &Group,
        logs: &BTreeMap<Partition, AsRead>,
    ) -> Result<(Vec<Replaced>, BTreeMap<Partition, AsRead>)> {
        let bounds = group.bounds(&logs.keys().cloned().collect::<Vec<_>>())?;
        let found = known_again::look(&self.config, &self.health, &bounds, logs)?;
        let (mut replaced, mut short) = (Vec::new(), BTreeMap::new());
        for (partition, now) in found {
            let Some(log) = logs.get(&partition).copied() else {
                continue;
            };
            match judge(log.next, log.read_to.known_by, now) {
                Judgement::Same => (),
                Judgement::Another(sign) => replaced.push(Replaced {
                    partition,
                    log,
                    now,
                    sign,
                }),
                Judgement::EndTooLow => {
                    short.insert(partition, log);
                }
                Judgement::Incomparable(why) => say_incomparable(&partition, log, why),
            }
        }
        Ok((replaced, short))
    }

    /// Notes new epochs, and goes on with a plan that has them.
    fn begin_epochs(&mut self, group: &Arc<Group>, replaced: &[Replaced]) -> Result<()> {
        let (mut entries, mut epochs) = (Vec::new(), BTreeMap::new());
        for Replaced {
            partition,
            log,
            now,
            sign,
        } in replaced
        {
            let (topic, number) = partition;
            let epoch = log.read_to.epoch;
            let last_read = log.read_to.known_by.timestamp();
            tracing::warn!(
                topic,
                partition = number,
                sign = sign.to_string(),
                read_to = log.next,
                begins = now.low,
                ends = now.high,
                last_read,
                epoch = epoch + 1,
                "a source partition is another log than the one that was read; it is read from \
                 the first message that is not older than the last one read. What the old log \
                 had beyond that is lost, and what both have may count twice"
            );
            entries.push(Epochs::raise_partition(topic, number.unsigned_abs(), epoch));
            epochs.insert(partition.clone(), epoch + 1);
        }
        rules_topic::write(&self.config, &self.health, &entries)?;
        self.wait_for_epochs(group, &epochs)
    }

    /// Waits until the plan in use has these epochs, or later ones.
    fn wait_for_epochs(
        &mut self,
        group: &Arc<Group>,
        epochs: &BTreeMap<Partition, u32>,
    ) -> Result<()> {
        let start = clock::instant();
        loop {
            let mut missing = epochs
                .iter()
                .filter(|(p, epoch)| self.epoch_of(p) < **epoch);
            let Some(((topic, partition), epoch)) = missing.next() else {
                return Ok(());
            };
            if start.elapsed() > self.config.broker_timeout {
                bail!(
                    "source {topic}/{partition} was read in epoch {epoch}, which the rules topic \
                     does not have. Was that topic made anew? Then run `watchfire topics reset \
                     {topic}`"
                );
            }
            self.wait_for_newer_plan(group, Ask::Epochs)?;
        }
    }

    /// What was read is committed, and the logs are compared: brokers have said that one may have
    /// changed, or does not have what is to be read next.
    pub(super) fn look_again(&mut self, group: &Arc<Group>) -> Result<()> {
        tracing::warn!("comparing the sources with what was read of them");
        stage::commit(self, group)?;
        std::thread::sleep(PAUSE);
        stage::again(self, group)
    }
}

fn say_incomparable((topic, partition): &Partition, log: AsRead, why: &str) {
    if log.read_to.known_by == KnownBy::Nothing {
        return;
    }
    tracing::warn!(
        topic,
        partition,
        read_to = log.next,
        "whether a source partition is the log that was read cannot be told: {why}"
    );
}

fn stop_words(replaced: &[Replaced]) -> String {
    let mut words = String::new();
    for Replaced {
        partition: (topic, number),
        log,
        now,
        sign,
    } in replaced
    {
        words += &format!(
            "source {topic}/{number} is another log than the one that was read: {sign} (it was \
             read to offset {}, and has offsets {} to {} now)\n",
            log.next,
            now.low,
            now.high - 1,
        );
    }
    let topic = replaced.first().map_or("", |one| &one.partition.0);
    words
        + &format!(
            "The topic was made anew, lost messages or failed over. What the old log had beyond \
             what was read is lost; what both have may count twice. Stop all workers, then run \
             `watchfire topics reset {topic}` to read the new log from its beginning, or \
             `watchfire topics reset {topic} --keep-offset` to go on where the old one was left, \
             and start the workers again. With on_replaced_source = \"restart\" workers do \
             without that"
        )
}
