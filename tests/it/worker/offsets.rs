//! How far the groups of an application have come.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::kafka::{partitions_of, until};

/// What the group `<app>.<group>` has committed, by partition. Each offset must have a number
/// with it.
pub fn committed(
    bootstrap: &str,
    app: &str,
    group: &str,
    topic: &str,
    partitions: i32,
) -> BTreeMap<i32, i64> {
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, partitions - 1);
    let client = client(bootstrap, &format!("{app}.{group}"));
    let mut found = None;
    // Brokers tell no offsets while a transaction with new ones is being completed.
    until("the offsets are told", || {
        found = client
            .committed_offsets(list.clone(), Duration::from_secs(5))
            .ok();
        found.is_some()
    });
    let found = found.unwrap();
    let offsets = found.elements().into_iter().filter_map(|element| {
        let Offset::Offset(offset) = element.offset() else {
            return None;
        };
        let metadata = element.metadata();
        let mut words = metadata.split(' ').skip_while(|word| word.starts_with('v'));
        let number = words.next().and_then(|word| word.parse::<i64>().ok());
        assert!(number.is_some(), "{metadata:?}");
        Some((element.partition(), offset))
    });
    offsets.collect()
}

/// All that a group that nobody is in has committed of a topic.
pub fn all_of(bootstrap: &str, group: &str, topic: &str, partitions: i32) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, partitions - 1);
    let client = client(bootstrap, group);
    client
        .committed_offsets(list, Duration::from_secs(30))
        .unwrap()
}

/// Commits it again.
pub fn put_back(bootstrap: &str, group: &str, offsets: &TopicPartitionList) {
    let client = client(bootstrap, group);
    client.commit(offsets, CommitMode::Sync).unwrap();
}

/// How many partitions of a topic have a leader.
pub fn partitions(bootstrap: &str, topic: &str) -> i32 {
    let partitions = partitions_of(&client(bootstrap, "partitions"), topic);
    i32::try_from(partitions.len()).unwrap()
}

/// Where the partitions of a topic end for those who read what is committed.
pub fn ends(bootstrap: &str, topic: &str, partitions: i32) -> BTreeMap<i32, i64> {
    let client = client(bootstrap, "ends");
    let end = |p| {
        client
            .fetch_watermarks(topic, p, Duration::from_secs(30))
            .unwrap()
            .1
    };
    (0..partitions)
        .map(|partition| (partition, end(partition)))
        .collect()
}

fn client(bootstrap: &str, group: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("isolation.level", "read_committed")
        .create()
        .unwrap()
}
