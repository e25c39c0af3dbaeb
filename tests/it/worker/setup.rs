//! An application of its own on the broker: its topics, its configuration, its input, and what
//! its logs say must have been published.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use watchfire::encode::avro::read::Reader;
use watchfire::incident::Incident;

use super::log::{self, Log, Place};
use super::offsets::{committed, ends, partitions};
use crate::kafka::{bootstrap, create_topic, read_committed, unique, until};

pub const SOURCE_PARTITIONS: i32 = 3;
const MATCHES_PARTITIONS: i32 = 4;

/// The claim that names the user.
pub const UPN: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn";

pub struct Setup {
    pub bootstrap: String,
    pub app: String,
    pub source: String,
    dir: tempfile::TempDir,
    more: String,
}

impl Setup {
    pub fn new(name: &str, more: &str) -> Setup {
        Setup::at(bootstrap(), name, more)
    }

    /// On the broker at `bootstrap`; `more`: lines of the configuration.
    pub fn at(bootstrap: &str, name: &str, more: &str) -> Setup {
        Setup::without_topics(bootstrap, name, more).made()
    }

    /// With a rule of this window from the beginning.
    pub fn with_rule(name: &str, window: &str) -> Setup {
        let setup = Setup::without_topics(bootstrap(), name, "");
        setup.write_rule(window);
        setup.made()
    }

    /// Makes its topics.
    fn made(self) -> Setup {
        create_topic(&self.bootstrap, &self.source, SOURCE_PARTITIONS, &[]);
        let made = Command::new(env!("CARGO_BIN_EXE_watchfire"))
            .args(["topics", "create", "--config"])
            .arg(self.config("topics"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{said}");
        self
    }

    /// The files alone.
    pub fn without_topics(bootstrap: &str, name: &str, more: &str) -> Setup {
        let app = unique(name);
        let setup = Setup {
            bootstrap: bootstrap.to_owned(),
            source: format!("{app}-source"),
            app,
            dir: tempfile::tempdir().unwrap(),
            more: more.to_owned(),
        };
        setup.write_rule("window: 300s");
        setup
    }

    /// The configuration of the worker `name`.
    pub fn config(&self, name: &str) -> PathBuf {
        self.config_with(name, str::to_owned)
    }

    /// The configuration of the worker `name`, changed.
    pub fn config_with(&self, name: &str, change: impl FnOnce(&str) -> String) -> PathBuf {
        let Setup {
            app,
            source,
            bootstrap,
            more,
            ..
        } = self;
        let (rules, state) = (
            self.dir.path().join("rule.yaml"),
            self.dir.path().join(name),
        );
        let text = format!(
            "app = \"{app}\"\nsources = [\"{source}\"]\nrules = [\"{}\"]\nstate_dir = \"{}\"\n\
             matches_partitions = {MATCHES_PARTITIONS}\nwatermark_interval = \"500ms\"\n\
             patience = \"5s\"\nlateness = \"10s\"\n{more}\
             [kafka]\n\"bootstrap.servers\" = \"{bootstrap}\"\n\"session.timeout.ms\" = 3000\n\
             \"heartbeat.interval.ms\" = 500\n",
            rules.display(),
            state.display(),
        );
        self.file(&format!("{name}.toml"), &change(&text))
    }

    /// Where the worker or file `name` has its place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Adds rules of several patterns to the one rule that there is.
    pub fn add_sequences(&self) {
        let rules = rule("window: 300s", "$user") + SEQUENCES;
        self.file("rule.yaml", &rules);
    }

    pub fn write_rule(&self, window: &str) {
        self.file("rule.yaml", &rule(window, "$user"));
    }

    /// Takes the state of the worker `name` away.
    pub fn lose_disk(&self, name: &str) {
        let state = self.dir.path().join(name);
        if state.exists() {
            std::fs::remove_dir_all(state).unwrap();
        }
    }

    /// Waits until all input is read, and all that came of it is folded.
    pub fn wait_until_read(&self) {
        let lag = |group: &str, topic: &str, partitions| {
            let (committed, ends) = (
                committed(&self.bootstrap, &self.app, group, topic, partitions),
                ends(&self.bootstrap, topic, partitions),
            );
            ends.into_iter().any(|(partition, end)| {
                // A transaction leaves one entry that no consumer sees.
                committed.get(&partition).copied().unwrap_or(0) + 1 < end
            })
        };
        let sources = partitions(&self.bootstrap, &self.source);
        until("the source is read", || {
            !lag("detect", &self.source, sources)
        });
        let matches = format!("{}.matches", self.app);
        let end = ends(&self.bootstrap, &matches, MATCHES_PARTITIONS);
        let committed = || {
            let (bootstrap, app) = (&self.bootstrap, &self.app);
            committed(bootstrap, app, "correlate", &matches, MATCHES_PARTITIONS)
        };
        until("the matches are folded", || {
            let committed = committed();
            end.iter()
                .all(|(p, end)| committed.get(p).copied().unwrap_or(0) + 1 >= *end)
        });
    }

    /// Holds that exactly what the log says was published, nothing twice, and that the log has
    /// every match once. Returns how much was published.
    pub fn check(&self) -> usize {
        let (expected, found) = (self.expected(), self.published());
        let said: BTreeSet<&Vec<u8>> = found.iter().collect();
        assert_eq!(said.len(), found.len(), "something was published twice");
        self.compare(&expected, &found);
        let matched = self.log().matched();
        let distinct: BTreeSet<&(i32, Place)> = matched.iter().collect();
        assert_eq!(distinct.len(), matched.len(), "a match is in the log twice");
        found.len()
    }

    /// The same where output may come again: equal bytes count once.
    pub fn check_at_least_once(&self) -> usize {
        let distinct: BTreeSet<Vec<u8>> = self.published().into_iter().collect();
        let found: Vec<Vec<u8>> = distinct.into_iter().collect();
        self.compare(&self.expected(), &found);
        found.len()
    }

    /// Holds that of the source as it is now everything from these offsets on was read in the
    /// newest epoch, nothing before them, and nothing twice; and that what the log says was
    /// published.
    pub fn check_read_from(&self, first: impl Fn(i32) -> i64) {
        let (mut expected, mut found) = (self.expected(), self.published());
        expected.sort();
        found.sort();
        assert!(expected == found, "what the log says was published");
        let plan = self.log().last_plan();
        let newest = |(_, partition, position): &Place| {
            position.epoch > 0 && position.epoch == plan.sources[0].epoch_of(*partition)
        };
        let matched = self.log().matched().into_iter().map(|(_, place)| place);
        let matched: Vec<Place> = matched.filter(newest).collect();
        let distinct: BTreeSet<Place> = matched.iter().copied().collect();
        let detected = self
            .detected()
            .into_iter()
            .filter(|(_, partition, position)| {
                let partition = i32::try_from(*partition).unwrap();
                position.offset >= first(partition)
            });
        assert_eq!(distinct, detected.collect());
        let pairs: BTreeSet<(i32, Place)> = self.log().matched().into_iter().collect();
        assert_eq!(
            pairs.len(),
            self.log().matched().len(),
            "a match is in the log twice"
        );
    }

    fn compare(&self, expected: &[Vec<u8>], found: &[Vec<u8>]) {
        let show = |list: &[Vec<u8>]| -> Vec<String> {
            let reader = Reader::new().unwrap();
            let mut shown: Vec<String> = list
                .iter()
                .map(|bytes| {
                    let i = reader.read(bytes).unwrap();
                    format!(
                        "{} {} {:?} {}",
                        i.incident_id, i.revision, i.status, i.event_count
                    )
                })
                .collect();
            shown.sort();
            shown
        };
        assert_eq!(show(expected), show(found));
        let (mut expected, mut found) = (expected.to_vec(), found.to_vec());
        expected.sort();
        found.sort();
        assert!(expected == found, "the same incidents, with other bytes");
        let matched: BTreeSet<Place> = self.log().matched().into_iter().map(|(_, at)| at).collect();
        assert_eq!(matched, self.detected());
    }

    /// Holds that of every record that matches the matches count, wherever else they stand.
    pub fn check_counted(&self) {
        let (counted, detected) = (self.log().counted(), self.detected());
        let lost: Vec<&Place> = detected.difference(&counted).collect();
        assert!(lost.is_empty(), "{} do not count: {lost:?}", lost.len());
    }

    /// What was published, in the order in which it stands in the topic.
    pub fn incidents(&self) -> Vec<Incident> {
        let reader = Reader::new().unwrap();
        let published = self.published();
        published
            .iter()
            .map(|bytes| reader.read(bytes).unwrap())
            .collect()
    }

    fn published(&self) -> Vec<Vec<u8>> {
        let messages = read_committed(&self.bootstrap, &format!("{}.incidents", self.app));
        messages
            .into_iter()
            .map(|message| message.value.unwrap())
            .collect()
    }

    fn log(&self) -> Log {
        let topic = |kind| read_committed(&self.bootstrap, &format!("{}.{kind}", self.app));
        Log::read(&topic("rules"), &topic("matches"))
    }

    /// What an undisturbed fold of the log publishes, as far as the log is committed.
    fn expected(&self) -> Vec<Vec<u8>> {
        let matches = format!("{}.matches", self.app);
        let (bootstrap, app) = (&self.bootstrap, &self.app);
        let committed = committed(bootstrap, app, "correlate", &matches, MATCHES_PARTITIONS);
        self.log().published(&committed)
    }

    /// Where the records stand that match, found in one go.
    fn detected(&self) -> BTreeSet<Place> {
        let source = read_committed(&self.bootstrap, &self.source);
        log::places(&log::detect(&self.log().last_plan(), &source))
    }
}

/// The text of a rule, with a line that gives its window, and a title for its incidents.
pub fn rule(window: &str, title: &str) -> String {
    format!(
        "id: PH_Rule_TEST\nname: Commands on machines\ndescription: For tests.\n\
         severity: 5\ncategory: Security\nsubcategory: Execution\n{window}\n\
         patterns:\n  - name: Command\n    \
         where: eventType = \"MS_EvtHub_compute_virtualmachines_runcommand_action\"\n    \
         group_by: [user]\n    having: COUNT(*) >= 2\nincident:\n  title: \"{title}\"\n  \
         attributes: {{ user: Command.user }}\nclear: {{ quiet: 4s }}\n"
    )
}

/// Rules of several patterns, one of which must be absent, and of values that are new.
const SEQUENCES: &str = "---
id: PH_Rule_FOLLOWED
name: A command, then a look
severity: 5
window: 3s
patterns:
  - { name: Command, where: eventType CONTAIN \"runcommand\", group_by: [user] }
  - { name: Look, where: eventType ENDS_WITH \"_read\", group_by: [user] }
condition: Command FOLLOWED_BY Look
relations: [Command.user = Look.user]
---
id: PH_Rule_ALONE
name: A command, and no look
severity: 5
window: 2s
patterns:
  - { name: Command, where: eventType CONTAIN \"runcommand\", group_by: [user] }
  - { name: Look, where: eventType ENDS_WITH \"_read\", group_by: [user] }
condition: Command NOT_FOLLOWED_BY Look
relations: [Command.user = Look.user]
patience: 1s
---
id: PH_Rule_NEW
name: A command of somebody new
severity: 5
window: 1s
patterns:
  - name: Command
    where: eventType CONTAIN \"runcommand\"
    new: \"[user] over 5s\"
clear: { quiet: 1s }
";

/// Commands of a few users, several a message, at about the time they are sent.
pub struct Traffic(JoinHandle<()>);

impl Traffic {
    /// Sends `count` messages, with a pause after each.
    pub fn start(setup: &Setup, count: u32, pause: Duration) -> Traffic {
        let (bootstrap, source) = (setup.bootstrap.clone(), setup.source.clone());
        Traffic(std::thread::spawn(move || {
            let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
                .set("bootstrap.servers", &bootstrap)
                .set("enable.idempotence", "true")
                .create()
                .unwrap();
            for number in 0..count {
                let partition = (number % SOURCE_PARTITIONS.cast_unsigned()).cast_signed();
                let message = envelope(number);
                let record = BaseRecord::<[u8], str>::to(&source).partition(partition);
                producer
                    .send(record.timestamp(now()).payload(&message))
                    .unwrap();
                std::thread::sleep(pause);
            }
            producer.flush(Duration::from_secs(60)).unwrap();
        }))
    }

    /// Waits until everything was sent.
    pub fn finish(self) {
        self.0.join().unwrap();
    }
}

/// A message of three records of commands and looks.
pub fn envelope(number: u32) -> String {
    let records: Vec<String> = (0..3)
        .map(|index| {
            let operation = ["RUNCOMMAND/ACTION", "READ", "RUNCOMMAND/ACTION"][index];
            let user = (number / 7 + index as u32) % 11;
            let record = serde_json::json!({
                "time": watchfire::time::rfc3339(now()),
                "operationName": format!("MICROSOFT.COMPUTE/VIRTUALMACHINES/{operation}"),
                "correlationId": format!("{number}-{index}"),
                "identity": { "claims": { UPN: format!("user{user}@example.com") } },
            });
            record.to_string()
        })
        .collect();
    format!(r#"{{"records":[{}]}}"#, records.join(","))
}

/// Milliseconds since 1970.
pub fn now() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since_1970.as_millis()).unwrap()
}
