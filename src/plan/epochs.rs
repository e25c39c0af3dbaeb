//! How often source partitions became another log, as `<app>.rules` notes it.
//!
//! `source/<topic>` is of all partitions of a topic, `epoch/<topic>/<partition>` of one. Of several
//! the greatest counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Source, json};

/// More often than any topic is made anew.
pub const EPOCH_MAX: u32 = 1 << 30;

/// Where a partition is read from in a new epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BeginAt {
    /// At its first message.
    #[default]
    Oldest,
    /// At the first message not older than the last one read of the log before.
    LastRead,
    /// Where it was committed: nothing is read again.
    Committed,
}

/// An epoch, and where it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct EpochEntry {
    epoch: u32,
    #[serde(default)]
    begin_at: BeginAt,
}

/// The epochs of all source partitions.
#[derive(Debug, Default)]
pub struct Epochs {
    topics: BTreeMap<String, EpochEntry>,
    partitions: BTreeMap<String, BTreeMap<u32, EpochEntry>>,
}

impl Epochs {
    /// Takes the entry of a topic.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn read_topic(&mut self, topic: &str, value: &[u8]) -> Result<(), String> {
        keep(self.topics.entry(topic.to_owned()).or_default(), value)
    }

    /// Takes the entry of a partition; `name` is `<topic>/<partition>`.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn read_partition(&mut self, name: &str, value: &[u8]) -> Result<(), String> {
        let parts = name.rsplit_once('/');
        let parts = parts.and_then(|(topic, number)| Some((topic, number.parse().ok()?)));
        let (topic, partition) = parts.ok_or("its key names no partition")?;
        let partitions = self.partitions.entry(topic.to_owned()).or_default();
        keep(partitions.entry(partition).or_default(), value)
    }

    /// A source topic as a plan has it.
    pub fn source(&self, topic: &str, partitions: u32) -> Source {
        let epoch = self.topic(topic).epoch;
        let of_partitions = self.partitions.get(topic).into_iter().flatten();
        let later = of_partitions.filter(|(partition, entry)| {
            let is_there = **partition < partitions;
            is_there && entry.epoch > epoch
        });
        Source {
            topic: topic.to_owned(),
            partitions,
            epoch,
            epochs: later
                .map(|(number, entry)| (*number, entry.epoch))
                .collect(),
        }
    }

    /// Where the newest epoch of a partition begins.
    pub fn begin_at(&self, topic: &str, partition: u32) -> BeginAt {
        self.partition(topic, partition).begin_at
    }

    /// The epoch to which a reset of a topic brings all its partitions.
    pub fn next(&self, topic: &str) -> u32 {
        let of_partitions = self.partitions.get(topic).into_iter().flatten();
        let of_partitions = of_partitions.map(|(_, entry)| entry.epoch);
        let greatest = of_partitions.chain([self.topic(topic).epoch]).max();
        greatest.unwrap_or(0).saturating_add(1).min(EPOCH_MAX)
    }

    /// The key and value that raise the epochs of all partitions of a topic.
    pub fn raise_topic(&self, topic: &str, begin_at: BeginAt) -> (String, Vec<u8>) {
        let epoch = self.next(topic);
        let entry = EpochEntry { epoch, begin_at };
        (format!("source/{topic}"), json(&entry))
    }

    /// The key and value that raise the epoch of a partition from `epoch` on.
    pub fn raise_partition(topic: &str, partition: u32, epoch: u32) -> (String, Vec<u8>) {
        let entry = EpochEntry {
            epoch: epoch.saturating_add(1).min(EPOCH_MAX),
            begin_at: BeginAt::LastRead,
        };
        (format!("epoch/{topic}/{partition}"), json(&entry))
    }

    fn topic(&self, topic: &str) -> EpochEntry {
        self.topics.get(topic).copied().unwrap_or_default()
    }

    fn partition(&self, topic: &str, partition: u32) -> EpochEntry {
        let own = self.partitions.get(topic);
        let own = own.and_then(|all| all.get(&partition)).copied();
        let of_topic = self.topic(topic);
        own.filter(|own| own.epoch > of_topic.epoch)
            .unwrap_or(of_topic)
    }
}

/// The greatest epoch counts; of equal ones the one that was there first.
fn keep(known: &mut EpochEntry, value: &[u8]) -> Result<(), String> {
    let entry: EpochEntry = serde_json::from_slice(value).map_err(|error| error.to_string())?;
    if entry.epoch > EPOCH_MAX {
        return Err(format!("epoch {} is more than {EPOCH_MAX}", entry.epoch));
    }
    if entry.epoch > known.epoch {
        *known = entry;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{BeginAt, EPOCH_MAX, Epochs};

    fn take(epochs: &mut Epochs, entry: (String, Vec<u8>)) {
        let (key, value) = entry;
        let (kind, name) = key.split_once('/').unwrap();
        match kind {
            "source" => epochs.read_topic(name, &value).unwrap(),
            "epoch" => epochs.read_partition(name, &value).unwrap(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_greatest_epoch_counts() {
        let mut epochs = Epochs::default();
        let of = |epochs: &Epochs, partition| epochs.source("s", 3).epoch_of(partition);
        assert_eq!([0, 1, 2].map(|p| of(&epochs, p)), [0, 0, 0]);
        take(&mut epochs, Epochs::raise_partition("s", 1, 0));
        // Another worker says the same.
        take(&mut epochs, Epochs::raise_partition("s", 1, 0));
        assert_eq!([0, 1, 2].map(|p| of(&epochs, p)), [0, 1, 0]);
        assert_eq!(epochs.begin_at("s", 1), BeginAt::LastRead);
        assert_eq!(epochs.begin_at("s", 0), BeginAt::Oldest);
        // A partition that the topic does not have any more.
        take(&mut epochs, Epochs::raise_partition("s", 9, 4));
        assert_eq!(epochs.source("s", 3).epochs.len(), 1);
        let reset = epochs.raise_topic("s", BeginAt::Committed);
        take(&mut epochs, reset);
        assert_eq!([0, 1, 2].map(|p| of(&epochs, p)), [6, 6, 6]);
        assert_eq!(epochs.begin_at("s", 1), BeginAt::Committed);
        assert!(epochs.source("s", 3).epochs.is_empty());
        take(&mut epochs, Epochs::raise_partition("s", 2, 6));
        assert_eq!([0, 1, 2].map(|p| of(&epochs, p)), [6, 6, 7]);
        assert_eq!(of(&epochs, 2), 7);
    }

    #[test]
    fn what_is_no_epoch_is_refused() {
        let mut epochs = Epochs::default();
        let more = format!("{{\"epoch\":{}}}", EPOCH_MAX + 1);
        for value in ["", "{}", "1", "{\"epoch\":-1}", &more] {
            assert!(epochs.read_topic("s", value.as_bytes()).is_err(), "{value}");
        }
        for name in ["s", "s/", "s/x", "s/-1", "s/99999999999"] {
            let taken = epochs.read_partition(name, b"{\"epoch\":1}");
            assert!(taken.is_err(), "{name}");
        }
        assert_eq!(epochs.next("s"), 1);
    }
}
