//! The membership under which something was read: it is committed under that one, or not at all.

use std::sync::Arc;

use rdkafka::consumer::{CommitMode, Consumer as _, ConsumerGroupMetadata};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::{Group, member_id};
use crate::io::kafka::client::lock;

/// A membership as it was at some moment. While it is held the group is not left.
pub struct Membership {
    group: Arc<Group>,
    /// The id by which the group knew us when it had last decided; `None`: it did not.
    id: Option<String>,
}

impl Membership {
    /// That of this moment.
    pub fn of(group: &Arc<Group>) -> Membership {
        Membership {
            id: lock(&group.member).clone(),
            group: Arc::clone(group),
        }
    }

    /// The id by which the group knew us.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether the brokers may have given our partitions to others.
    pub fn is_lost(&self) -> bool {
        self.id.is_none() || self.group.consumer.assignment_lost()
    }

    /// What brokers are shown; `None`: we may have been out of the group since. Brokers accept any
    /// transaction from an outsider, and one from a member whatever it was before: that our id is
    /// still the same is all that tells a worker woken from a long stop that others have not taken
    /// its place. The generation alone may be newer. While a group moves its partitions one by one,
    /// whoever has a partition keeps it until it has been asked for it.
    pub fn shown(&self) -> Option<ConsumerGroupMetadata> {
        let known = self.id.as_ref()?;
        let consumer = &self.group.consumer;
        let is_known = || member_id(consumer).is_some_and(|id| id == *known);
        let shown = is_known().then(|| consumer.group_metadata())?;
        shown.filter(|_| is_known())
    }

    /// Commits offsets without a transaction.
    pub fn commit(&self, offsets: &TopicPartitionList) -> KafkaResult<()> {
        self.group.consumer.commit(offsets, CommitMode::Sync)
    }
}
