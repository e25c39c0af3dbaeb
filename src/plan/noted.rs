//! How far partitions of the sources and of the matches topic were read, as `<app>.rules` notes it
//! now and then: brokers forget what a group has committed of a topic when that is deleted, and
//! with the offset the message by which its log is known.
//!
//! `read/<topic>/<partition>` is of one partition. Of several the one that is farthest counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::epochs::EPOCH_MAX;
use super::{OFFSET_END, json};

/// Longer than all that stands beside an offset.
const BESIDE_MAX: usize = 4096;

/// How far a partition was read and committed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotedEntry {
    /// The epoch in which it was read; 0 for the matches topic.
    pub epoch: u32,
    /// The offset to be read next.
    pub offset: i64,
    /// What was committed beside it.
    pub beside: String,
}

impl NotedEntry {
    /// The key and value that note it.
    pub fn entry(&self, topic: &str, partition: u32) -> (String, Vec<u8>) {
        (format!("read/{topic}/{partition}"), json(self))
    }
}

/// How far all partitions were read.
#[derive(Debug, Default)]
pub struct Noted {
    partitions: BTreeMap<String, NotedEntry>,
}

impl Noted {
    /// Takes the entry of a partition; `name` is `<topic>/<partition>`.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn read(&mut self, name: &str, value: &[u8]) -> Result<(), String> {
        let entry: NotedEntry = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        let NotedEntry {
            epoch,
            offset,
            beside,
        } = &entry;
        let can_be = *epoch <= EPOCH_MAX && (0..OFFSET_END).contains(offset);
        if !can_be || beside.len() > BESIDE_MAX {
            return Err(format!("epoch {epoch} and offset {offset}"));
        }
        match self.partitions.get_mut(name) {
            Some(known) if *known < entry => *known = entry,
            Some(_) => (),
            None => {
                self.partitions.insert(name.to_owned(), entry);
            }
        }
        Ok(())
    }

    /// How far a partition was read; `None`: nobody has noted it.
    pub fn of(&self, topic: &str, partition: u32) -> Option<&NotedEntry> {
        self.partitions.get(&format!("{topic}/{partition}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::OFFSET_END;
    use super::{EPOCH_MAX, Noted, NotedEntry};

    fn at(epoch: u32, offset: i64) -> NotedEntry {
        NotedEntry {
            epoch,
            offset,
            beside: format!("v2 {epoch}"),
        }
    }

    #[test]
    fn the_farthest_counts() {
        let mut noted = Noted::default();
        for (epoch, offset) in [(0, 7), (0, 3), (1, 2), (0, 99), (1, 1)] {
            let (key, value) = at(epoch, offset).entry("a/b", 3);
            noted
                .read(key.strip_prefix("read/").unwrap(), &value)
                .unwrap();
        }
        assert_eq!(noted.of("a/b", 3), Some(&at(1, 2)));
        assert_eq!(noted.of("a/b", 2), None);
    }

    #[test]
    fn what_is_none_is_refused() {
        let mut noted = Noted::default();
        let long = NotedEntry {
            beside: "x".repeat(4097),
            ..at(0, 0)
        };
        for entry in [at(EPOCH_MAX + 1, 0), at(0, -1), at(0, OFFSET_END), long] {
            let (_, value) = entry.entry("s", 0);
            assert!(noted.read("s/0", &value).is_err(), "{entry:?}");
        }
        for value in ["", "{}", "1", "{\"epoch\":1}"] {
            assert!(noted.read("s/0", value.as_bytes()).is_err(), "{value}");
        }
        assert_eq!(noted.of("s", 0), None);
    }
}
