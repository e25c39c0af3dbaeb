//! Notes in the rules topic, now and then, how far partitions were read: what brokers have of it
//! goes with a topic that is deleted, and then nobody could tell that another one has its name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::clock;
use super::kafka::client::{self, Health};
use super::kafka::group::Partition;
use super::kafka::rules_topic;
use super::reload::Ask;
use crate::config::Config;

/// Between two notes of one partition. Few enough that the rules topic stays small between two
/// compactions, often enough that what a copy of a lost log has in common with it ends near here.
const INTERVAL: Duration = Duration::from_secs(600);

/// For the last note of a worker that ends.
const AT_END: Duration = Duration::from_secs(5);

/// Key and value of an entry of the rules topic.
type Entry = (String, Vec<u8>);

/// What was noted when.
pub struct Noting {
    /// The epoch, whether a message was known by which the log is known again, and the time.
    noted: BTreeMap<Partition, (u32, bool, Instant)>,
    ask: Sender<Ask>,
}

impl Noting {
    /// Nothing was noted. Whoever hears `ask` writes to the rules topic.
    pub fn new(ask: Sender<Ask>) -> Noting {
        Noting {
            noted: BTreeMap::new(),
            ask,
        }
    }

    /// Whether how far a partition was read in this epoch is to be noted, and then is. `is_known`:
    /// a message is known by which its log can be known again.
    pub fn is_due(&mut self, partition: &Partition, epoch: u32, is_known: bool) -> bool {
        let now = clock::instant();
        let is_noted = self
            .noted
            .get(partition)
            .is_some_and(|(of, with_message, when)| {
                let is_recent = now.duration_since(*when) < INTERVAL;
                (*of, *with_message) == (epoch, is_known) && is_recent
            });
        if !is_noted {
            let noted = (epoch, is_known, now);
            self.noted.insert(partition.clone(), noted);
        }
        !is_noted
    }

    /// What was to be noted was not.
    pub fn forget(&mut self) {
        self.noted.clear();
    }

    /// Has entries written that were due.
    pub fn note(&self, entries: Vec<Entry>) {
        if !entries.is_empty() && self.ask.send(Ask::Note(entries)).is_err() {
            tracing::debug!("the thread that makes plans has ended");
        }
    }
}

/// Writes how far all partitions were read, once that is committed and the worker ends: whoever
/// makes a topic anew stops the workers first.
pub fn note_at_end(config: &Config, health: &Arc<Health>, entries: &[Entry]) {
    if let Err(error) = rules_topic::write_once(config, health, entries, AT_END) {
        tracing::warn!(
            error = client::chain(&error),
            "how far topics were read could not be noted"
        );
    }
}
