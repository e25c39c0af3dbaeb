//! Who is in the group that reads the sources, as the brokers say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::groups::GroupMemberInfo;

use super::clock;
use super::kafka::client::{self, CALL, Callbacks, Health, lock};
use crate::config::Config;

/// The brokers are asked no more often.
const INTERVAL: Duration = Duration::from_secs(10);

/// A member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The id that the brokers have given it.
    pub id: String,
    /// Where it connects from.
    pub host: String,
    /// What it reads.
    pub partitions: BTreeMap<String, Vec<i32>>,
}

/// What the brokers said last.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The members; `None`: the brokers have not said.
    pub members: Option<Vec<Listed>>,
    /// Why they have not.
    pub problem: Option<String>,
}

/// Asks who is in the group, while somebody wants to know.
pub struct Roster {
    config: Config,
    health: Arc<Health>,
    asked: Mutex<Option<Instant>>,
    answer: Mutex<Answer>,
    reader: Mutex<Option<BaseConsumer<Callbacks>>>,
}

impl Roster {
    /// Nobody was asked yet.
    pub fn new(config: &Config, health: &Arc<Health>) -> Roster {
        Roster {
            config: config.clone(),
            health: Arc::clone(health),
            asked: Mutex::default(),
            answer: Mutex::default(),
            reader: Mutex::default(),
        }
    }

    /// What was said last.
    pub fn answer(&self) -> Answer {
        lock(&self.answer).clone()
    }

    /// Whether it is time to ask, and nobody does: then who hears it must.
    pub fn is_due(&self) -> bool {
        let mut asked = lock(&self.asked);
        let is_due = asked.is_none_or(|asked| asked.elapsed() >= INTERVAL);
        if is_due {
            *asked = Some(clock::instant());
        }
        is_due
    }

    /// Asks the brokers; takes seconds.
    pub fn ask(&self) {
        let answer = match self.members() {
            Ok(members) => Answer {
                members: Some(members),
                problem: None,
            },
            Err(error) => Answer {
                members: None,
                problem: Some(client::chain(&error)),
            },
        };
        *lock(&self.answer) = answer;
        *lock(&self.asked) = Some(clock::instant());
    }

    fn members(&self) -> Result<Vec<Listed>> {
        let group = format!("{}.detect", self.config.app);
        let mut reader = lock(&self.reader);
        if reader.is_none() {
            *reader = Some(client::reader(&self.config, &self.health, false)?);
        }
        let reader = reader.as_ref().context("no client")?;
        let list = reader
            .client()
            .fetch_group_list(Some(&group), CALL)
            .context("the brokers do not say who is in the group")?;
        let groups = list.groups().iter();
        let members = groups.flat_map(|group| group.members()).map(listed);
        Ok(members.collect())
    }
}

fn listed(member: &GroupMemberInfo) -> Listed {
    Listed {
        id: member.id().to_owned(),
        host: member.client_host().trim_start_matches('/').to_owned(),
        partitions: assigned(member.assignment().unwrap_or_default()),
    }
}

/// The partitions of an assignment, in the protocol that all consumers share; as far as it is one.
fn assigned(bytes: &[u8]) -> BTreeMap<String, Vec<i32>> {
    let mut partitions = BTreeMap::new();
    let mut rest = Bytes(bytes);
    let read = (|| {
        rest.short()?;
        for _ in 0..rest.long()? {
            let length = usize::try_from(rest.short()?).ok()?;
            let topic = String::from_utf8_lossy(rest.take(length)?).into_owned();
            let numbers = rest.long()?;
            let numbers: Option<Vec<i32>> = (0..numbers).map(|_| rest.long()).collect();
            partitions.insert(topic, numbers?);
        }
        Some(())
    })();
    if read.is_none() && !bytes.is_empty() {
        tracing::debug!("an assignment cannot be read");
    }
    partitions
}

/// Bytes that are read one after the other.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn short(&mut self) -> Option<i16> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i16::from_be_bytes(*bytes))
    }

    fn long(&mut self) -> Option<i32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i32::from_be_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_as_far_as_they_are_some() {
        let mut bytes = vec![0, 1, 0, 0, 0, 1, 0, 4];
        bytes.extend_from_slice(b"logs");
        bytes.extend_from_slice(&[0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0, 0]);
        let expected = BTreeMap::from([("logs".to_owned(), vec![3, 7])]);
        assert_eq!(assigned(&bytes), expected);
        for end in 0..bytes.len() {
            assigned(&bytes[..end]);
        }
        assert!(assigned(&[0, 0, 0xff, 0xff, 0xff, 0xff]).is_empty());
        assert!(assigned(&[0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0]).is_empty());
    }
}
