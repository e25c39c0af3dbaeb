//! Partitions as the client library lists them, and as the log does.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::Partition;

/// Partitions for the log: those of each topic after its name.
pub fn list_of(partitions: &[Partition]) -> String {
    let mut by_topic: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        by_topic.entry(topic).or_default().insert(*partition);
    }
    let topics = by_topic.into_iter().map(|(topic, numbers)| {
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        format!("{topic} {}", numbers.join(","))
    });
    let topics: Vec<String> = topics.collect();
    match topics.is_empty() {
        true => "none".to_owned(),
        false => topics.join("; "),
    }
}

/// Partitions with the offsets where they start.
pub(super) fn starts(offsets: &BTreeMap<Partition, i64>) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for ((topic, partition), offset) in offsets {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    Ok(list)
}

/// Partitions alone.
pub(super) fn list(partitions: &[Partition]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition_offset(topic, *partition, Offset::Invalid)?;
    }
    Ok(list)
}

/// The partitions of a list.
pub(super) fn names(list: &TopicPartitionList) -> Vec<Partition> {
    list.elements()
        .iter()
        .map(|e| (e.topic().to_owned(), e.partition()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_listed_by_topic() {
        fn check(partitions: &[(&str, i32)], expected: &str) {
            let partitions: Vec<Partition> = partitions
                .iter()
                .map(|(topic, number)| ((*topic).to_owned(), *number))
                .collect();
            assert_eq!(list_of(&partitions), expected);
        }
        check(&[], "none");
        check(&[("logs", 3)], "logs 3");
        check(
            &[("logs", 10), ("audit", 0), ("logs", 2)],
            "audit 0; logs 2,10",
        );
    }
}
