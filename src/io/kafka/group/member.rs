//! Joining a group, and joining it again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::{Callbacks, Group};
use crate::config::Config;
use crate::io::clock;
use crate::io::kafka::client::{self, Health};
use crate::io::kafka::identity::Identity;

/// So often in [`FENCED_SPAN`] a membership may end because the group knows another member by our
/// id. With static membership that happens when the answer to a join is lost; and all the time
/// when two workers have one id.
const FENCED_MAX: usize = 5;
const FENCED_SPAN: Duration = Duration::from_secs(60);

/// Somebody who may be a member of a group.
pub struct Member {
    config: Config,
    identity: Arc<Identity>,
    health: Arc<Health>,
    group: String,
    topics: Vec<String>,
    /// When memberships ended lately because the group knew another member by our id.
    fenced: Vec<Instant>,
}

impl Member {
    /// A member-to-be of the group of `stage` that reads `topics`.
    pub fn new(
        config: &Config,
        identity: &Arc<Identity>,
        stage: &str,
        topics: &[String],
    ) -> Member {
        Member {
            config: config.clone(),
            identity: Arc::clone(identity),
            health: Arc::clone(identity.health()),
            group: format!("{}.{stage}", config.app),
            topics: topics.to_owned(),
            fenced: Vec::new(),
        }
    }

    /// Joins the group.
    pub fn join(&self) -> Result<Arc<Group>> {
        let callbacks = Callbacks::new(&self.health);
        let mut settings = client::consumer_settings(&self.config, &self.group);
        settings.set("partition.assignment.strategy", "cooperative-sticky");
        let consumer: BaseConsumer<Callbacks> = settings
            .create_with_context(callbacks)
            .map_err(|error| client::cannot_create(&error))?;
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        consumer
            .subscribe(&topics)
            .with_context(|| format!("could not subscribe to {}", topics.join(", ")))?;
        let patience = self.config.broker_timeout;
        let group = Group::new(consumer, &self.health, &self.group, &self.topics, patience);
        Ok(Arc::new(group))
    }

    /// Joins the group again if `error` is that the membership in `group` has ended
    /// ([`Group::is_fenced`]); else gives the error back. Nothing may be on its way under it.
    pub fn join_again(&mut self, group: Arc<Group>, error: anyhow::Error) -> Result<Arc<Group>> {
        if !group.is_fenced() {
            return Err(error);
        }
        drop(group);
        self.identity.stopped()?;
        self.fenced.retain(|time| time.elapsed() < FENCED_SPAN);
        self.fenced.push(clock::instant());
        if self.fenced.len() > FENCED_MAX {
            bail!(
                "{}: the group gives this worker's id to another member again and again. Does \
                 another worker run with a copy of its state_dir? Each needs its own",
                self.group
            );
        }
        tracing::warn!(
            group = self.group,
            error = client::chain(&error),
            "the group knows another member by this worker's id; joining again"
        );
        self.join()
    }
}
