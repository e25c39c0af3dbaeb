//! The application that a seed has for itself: its topics, and its files by worker.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use watchfire::config::Delivery;

use super::rules::Version;
use super::stream;
use crate::kafka::{create_topic, unique};
use crate::proxy::dialect::Speaker;

/// Partitions of the matches topic.
pub const MATCHES_PARTITIONS: i32 = 6;
const INCIDENTS_PARTITIONS: i32 = 2;

/// Quiet, wait and patience of the rules together: so long after the last event everything is
/// closed.
pub const SPAN: Duration = Duration::from_secs(6);

/// Its topics, and a directory in which each worker has another.
pub struct Application {
    /// Where the brokers listen for those that nothing disturbs.
    pub bootstrap: String,
    pub name: String,
    pub source: String,
    pub delivery: Delivery,
    /// A worker that is back soon has its partitions again.
    static_membership: bool,
    speaker: Speaker,
    dir: tempfile::TempDir,
}

impl Application {
    /// Makes the topics.
    pub fn create(bootstrap: &str, delivery: Delivery, static_membership: bool) -> Application {
        let name = unique("chaos");
        let application = Application {
            bootstrap: bootstrap.to_owned(),
            source: format!("{name}-source"),
            name,
            delivery,
            static_membership,
            speaker: Speaker::Kafka,
            dir: tempfile::tempdir().unwrap(),
        };
        let partitions = i32::try_from(stream::PARTITIONS).unwrap();
        create_topic(bootstrap, &application.source, partitions, &[]);
        let config = application.prepare("topics", bootstrap);
        let made = Command::new(env!("CARGO_BIN_EXE_watchfire"))
            .args(["topics", "create", "--config"])
            .arg(config)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{said}");
        application
    }

    /// The same on brokers that speak so: what a worker sets by itself where it knows that its
    /// brokers are Event Hubs is in its configuration.
    pub fn on(self, speaker: Speaker) -> Application {
        Application { speaker, ..self }
    }

    /// One of its own topics, or groups.
    pub fn topic(&self, kind: &str) -> String {
        format!("{}.{kind}", self.name)
    }

    /// Makes the directory of a worker that reaches the brokers at `bootstrap`, with the first
    /// rules; gives its configuration.
    pub fn prepare(&self, worker: &str, bootstrap: &str) -> PathBuf {
        self.prepare_with(worker, bootstrap, |text| text)
    }

    /// The same with the configuration changed.
    pub fn prepare_with(
        &self,
        worker: &str,
        bootstrap: &str,
        change: impl FnOnce(String) -> String,
    ) -> PathBuf {
        std::fs::create_dir_all(self.rules_dir(worker)).unwrap();
        std::fs::create_dir_all(self.disk(worker)).unwrap();
        self.write_rules(worker, Version::FIRST);
        let delivery = match self.delivery {
            Delivery::ExactlyOnce => "exactly_once",
            Delivery::AtLeastOnce => "at_least_once",
        };
        let (interval, session) = match self.speaker {
            Speaker::Kafka => (60, 3000),
            Speaker::Standard | Speaker::Premium => (300, 6000),
        };
        let text = format!(
            "app = \"{}\"\nsources = [\"{}\"]\nrules = [\"{}\"]\nstate_dir = \"{}\"\n\
             delivery = \"{delivery}\"\nstatic_membership = {}\n\
             matches_partitions = {MATCHES_PARTITIONS}\n\
             incidents_partitions = {INCIDENTS_PARTITIONS}\ncommit_interval = \"{interval}ms\"\n\
             watermark_interval = \"500ms\"\npatience = \"2s\"\nlateness = \"2m\"\n\
             broker_timeout = \"2m\"\n\
             [kafka]\n\"bootstrap.servers\" = \"{bootstrap}\"\n\"session.timeout.ms\" = {session}\n\
             \"heartbeat.interval.ms\" = 500\n\"max.poll.interval.ms\" = 60000\n",
            self.name,
            self.source,
            self.rules_dir(worker).display(),
            self.state_dir(worker).display(),
            self.static_membership,
        );
        let path = self.dir.path().join(worker).join("watchfire.toml");
        std::fs::write(&path, change(text)).unwrap();
        path
    }

    /// Gives a worker other rules, in one step.
    pub fn write_rules(&self, worker: &str, version: Version) {
        let fresh = self.dir.path().join(worker).join("fresh.yaml");
        std::fs::write(&fresh, version.text()).unwrap();
        std::fs::rename(fresh, self.rules_dir(worker).join("rules.yaml")).unwrap();
    }

    /// What a worker's state lies on.
    pub fn disk(&self, worker: &str) -> PathBuf {
        self.dir.path().join(worker).join("disk")
    }

    /// Takes a worker's state away.
    pub fn lose_state(&self, worker: &str) {
        let state = self.state_dir(worker);
        if state.exists() {
            std::fs::remove_dir_all(state).unwrap();
        }
    }

    /// The transactional id of a worker's stage, once it has one.
    pub fn transactional_id(&self, worker: &str, stage: &str) -> Option<String> {
        let id = std::fs::read_to_string(self.state_dir(worker).join("id")).ok()?;
        Some(format!("{}-{stage}-{}", self.name, id.trim()))
    }

    fn state_dir(&self, worker: &str) -> PathBuf {
        self.disk(worker).join("state")
    }

    fn rules_dir(&self, worker: &str) -> PathBuf {
        self.dir.path().join(worker).join("rules")
    }
}
