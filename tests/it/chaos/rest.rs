//! Whether an application has come to rest: all that was sent is read, folded and closed.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use watchfire::matches;

use super::application::{Application, MATCHES_PARTITIONS, SPAN};
use crate::worker::offsets::committed;

/// A look at the matches topic, from its beginning on.
pub struct Rest<'a> {
    application: &'a Application,
    consumer: BaseConsumer,
    /// So far time must have come.
    until: i64,
    /// Partitions of the source.
    sources: usize,
    /// By matches partition and source partition, how far time has come.
    times: BTreeMap<(i32, u32), i64>,
    /// By matches partition, the offset at which time had come far enough everywhere.
    reached: BTreeMap<i32, i64>,
}

impl Rest<'_> {
    /// Looks for rest after events up to `last` in so many source partitions.
    pub fn after(last: i64, sources: usize, application: &Application) -> Rest<'_> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &application.bootstrap)
            .set("group.id", "rest")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let mut all = TopicPartitionList::new();
        for partition in 0..MATCHES_PARTITIONS {
            let topic = application.topic("matches");
            all.add_partition_offset(&topic, partition, Offset::Beginning)
                .unwrap();
        }
        consumer.assign(&all).unwrap();
        Rest {
            application,
            consumer,
            until: last + i64::try_from(SPAN.as_millis()).unwrap(),
            sources,
            times: BTreeMap::new(),
            reached: BTreeMap::new(),
        }
    }

    /// Reads what is new, and says whether it is at rest.
    pub fn has_come(&mut self) -> bool {
        while let Some(message) = self.consumer.poll(Duration::from_millis(20)) {
            // What is wrong with the brokers will pass.
            let Ok(message) = message else { continue };
            let decoded = matches::decode(message.payload().unwrap()).unwrap();
            let partition = message.partition();
            for section in decoded.sections {
                let heard = self
                    .times
                    .entry((partition, section.partition))
                    .or_default();
                *heard = section.time.unwrap_or_default().max(*heard);
            }
            let heard = self.times.range((partition, 0)..(partition + 1, 0));
            let far = heard.filter(|(_, time)| **time > self.until).count();
            if far == self.sources {
                self.reached.entry(partition).or_insert(message.offset());
            }
        }
        self.reached.len() == MATCHES_PARTITIONS as usize && self.is_folded()
    }

    fn is_folded(&self) -> bool {
        let Application {
            bootstrap, name, ..
        } = self.application;
        let topic = self.application.topic("matches");
        let folded = committed(bootstrap, name, "correlate", &topic, MATCHES_PARTITIONS);
        let mut reached = self.reached.iter();
        reached.all(|(partition, offset)| folded.get(partition).is_some_and(|f| f > offset))
    }
}
