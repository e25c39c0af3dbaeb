//! Source partitions that nobody reads.
//!
//! A group learns that a topic has got more partitions from a member that sees it grow. A member
//! that is known by a fixed id comes back without a new decision of the group (KIP-345), and a
//! client that has just been made does not see as news what it finds: so when a topic grows while
//! the workers restart, nobody may ever tell the group. It then has to decide anew.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::config::Config;
use crate::io::kafka::group::{Group, Partition};
use crate::io::{clock, kafka::client};

/// Looks now and then whether all partitions have a reader.
pub struct Unread {
    interval: Duration,
    next: Instant,
    /// Those that had none at the last look.
    before: BTreeSet<Partition>,
}

impl Unread {
    /// Looks as often as the client does whether topics have grown, or a little less often: what
    /// one of the workers does about it is enough, and they should not look at the same time.
    pub fn new(config: &Config) -> Unread {
        let refresh = client::metadata_refresh(config);
        let spread = refresh.as_millis().max(1) as i64;
        let interval = refresh + Duration::from_millis((clock::now() % spread).unsigned_abs());
        Unread {
            interval,
            next: clock::instant() + interval,
            before: BTreeSet::new(),
        }
    }

    /// Whether it is time to look.
    pub fn is_due(&self) -> bool {
        clock::instant() >= self.next
    }

    /// Whether one of `all` partitions had no reader at this look nor at the last. Whoever reads a
    /// partition commits an offset of it at once, before anything is read.
    pub fn look(&mut self, group: &Group, all: Vec<Partition>) -> Result<bool> {
        let committed = group.committed(&all)?;
        let unread = all.into_iter().filter(|one| !committed.contains_key(one));
        let unread: BTreeSet<Partition> = unread.collect();
        let lasting = unread.intersection(&self.before).next().is_some();
        self.before = unread;
        self.next = clock::instant() + self.interval;
        Ok(lasting)
    }
}
