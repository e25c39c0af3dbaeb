//! Going back to where partitions were committed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::list::starts;
use super::{Group, Partition};
use crate::io::clock;
use crate::io::kafka::client::{self, CALL, lock};

/// The client does not go back at all in a partition whose topic was deleted and made again
/// (librdkafka 2.12 keeps what is assigned apart from what it then finds). If it has not for so
/// long, the group is joined anew, so that partitions are assigned anew.
const STUCK: Duration = Duration::from_secs(10);

/// Partitions that are still to be read again, from these offsets.
pub(super) struct Seeking {
    since: Instant,
    pub(super) offsets: BTreeMap<Partition, i64>,
    /// The group was joined anew for them.
    joined: bool,
}

impl Seeking {
    /// None are.
    pub(super) fn none() -> Seeking {
        Seeking {
            since: clock::instant(),
            offsets: BTreeMap::new(),
            joined: false,
        }
    }

    /// Where it still has to go back.
    fn places(&self) -> String {
        let places: Vec<String> = (self.offsets.keys())
            .map(|(topic, partition)| format!("{topic}/{partition}"))
            .collect();
        places.join(", ")
    }
}

impl Group {
    /// Reads assigned partitions again from these offsets. They stay assigned: librdkafka aborts
    /// the process when partitions are assigned anew and given back before it has stopped reading
    /// them (2.12, `rd_kafka_assignment_partition_stopped`), as happens to a worker that finds out
    /// that others have taken its place.
    pub fn seek(&self, offsets: BTreeMap<Partition, i64>) -> Result<()> {
        *lock(&self.seeking) = Seeking {
            since: clock::instant(),
            offsets,
            joined: false,
        };
        self.go_on_seeking()
    }

    /// The client does not seek in partitions that it has only just begun to read; and it may wait
    /// for the group with that. So this is tried until it succeeds, and nothing of a partition
    /// counts before.
    pub(super) fn go_on_seeking(&self) -> Result<()> {
        let mut seeking = lock(&self.seeking);
        if seeking.offsets.is_empty() {
            return Ok(());
        }
        let failed = || format!("{}: could not go back", self.name);
        let sought = match self
            .consumer
            .seek_partitions(starts(&seeking.offsets)?, CALL)
        {
            Ok(sought) => sought,
            Err(error) if is_too_early(&error) => TopicPartitionList::new(),
            Err(error) => return Err(error).with_context(failed),
        };
        for element in sought.elements() {
            match element.error() {
                Ok(()) => {
                    let partition = (element.topic().to_owned(), element.partition());
                    seeking.offsets.remove(&partition);
                }
                Err(error) if is_too_early(&error) => (),
                Err(error) => return Err(error).with_context(failed),
            }
        }
        if seeking.offsets.is_empty() {
            return Ok(());
        }
        let (waited, partitions) = (seeking.since.elapsed(), seeking.places());
        if waited > self.patience {
            bail!("{}: could not go back in {partitions}", self.name);
        }
        if waited > STUCK && !seeking.joined {
            tracing::warn!(
                group = self.name,
                partitions,
                "the client does not go back to where partitions are to be read; joining the \
                 group again"
            );
            seeking.joined = true;
            self.leave_and_join()?;
        }
        Ok(())
    }

    /// Whether a message comes from where the client has not gone back yet.
    pub(super) fn is_astray(&self, message: &BorrowedMessage<'_>) -> bool {
        let seeking = lock(&self.seeking);
        !seeking.offsets.is_empty()
            && (seeking.offsets).contains_key(&(message.topic().to_owned(), message.partition()))
    }
}

/// Whether going back may succeed later.
fn is_too_early(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(Code::State) || client::is_transient(error)
}
