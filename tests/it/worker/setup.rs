//! An application of its own on the broker: its topics, its configuration, its input, and what
//! its logs say must have been published.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use watchfire::correlate::{LogMessage, advance, fold};
use watchfire::detect::{Detector, SourcePartition};
use watchfire::encode::Encoding;
use watchfire::encode::avro::read::Reader;
use watchfire::incident::Incident;
use watchfire::plan::Catalogue;
use watchfire::record::Position;
use watchfire::shuffle;
use watchfire::state::{Read, State};

use crate::kafka::{bootstrap, create_topic, partitions_of, read_committed, unique, until};

const SOURCE_PARTITIONS: i32 = 3;
const MATCHES_PARTITIONS: i32 = 4;

/// The claim that names the user.
const UPN: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn";

/// A source partition and a position in it.
type Place = (u32, u32, Position);

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
                self.committed(group, topic, partitions),
                self.ends(topic, partitions),
            );
            ends.into_iter().any(|(partition, end)| {
                // A transaction leaves one entry that no consumer sees.
                committed.get(&partition).copied().unwrap_or(0) + 1 < end
            })
        };
        let sources = partitions_of(&self.client("detect"), &self.source).len();
        until("the source is read", || {
            !lag("detect", &self.source, sources as i32)
        });
        let matches = format!("{}.matches", self.app);
        let end = self.ends(&matches, MATCHES_PARTITIONS);
        until("the matches are folded", || {
            let committed = self.committed("correlate", &matches, MATCHES_PARTITIONS);
            end.iter()
                .all(|(p, end)| committed.get(p).copied().unwrap_or(0) + 1 >= *end)
        });
    }

    fn client(&self, group: &str) -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .set("group.id", format!("{}.{group}", self.app))
            .set("isolation.level", "read_committed")
            .create()
            .unwrap()
    }

    fn committed(&self, group: &str, topic: &str, partitions: i32) -> BTreeMap<i32, i64> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        let client = self.client(group);
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
            assert!(
                element.metadata().parse::<i64>().is_ok(),
                "{:?}",
                element.metadata()
            );
            Some((element.partition(), offset))
        });
        offsets.collect()
    }

    fn ends(&self, topic: &str, partitions: i32) -> BTreeMap<i32, i64> {
        let client = self.client("detect");
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

    /// Holds that exactly what the log says was published, nothing twice, and that the log has
    /// every match once. Returns how much was published.
    pub fn check(&self) -> usize {
        let (expected, found) = (self.expected(), self.published());
        let said: BTreeSet<&Vec<u8>> = found.iter().collect();
        assert_eq!(said.len(), found.len(), "something was published twice");
        self.compare(&expected, &found);
        let matched = self.matched();
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
        let matched: BTreeSet<Place> = self.matched().into_iter().map(|(_, at)| at).collect();
        assert_eq!(matched, self.detected());
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

    fn catalogue(&self) -> Catalogue {
        let mut catalogue = Catalogue::default();
        for entry in read_committed(&self.bootstrap, &format!("{}.rules", self.app)) {
            let key = String::from_utf8(entry.key.unwrap()).unwrap();
            catalogue.read(&key, entry.value.as_deref()).unwrap();
        }
        catalogue
    }

    fn log(&self) -> Vec<(i32, LogMessage)> {
        let messages = read_committed(&self.bootstrap, &format!("{}.matches", self.app));
        let read = |message: crate::kafka::Message| {
            let (offset, timestamp) = (message.offset, message.timestamp.unwrap());
            let decoded = shuffle::decode(&message.value.unwrap()).unwrap();
            (
                message.partition,
                LogMessage {
                    offset,
                    timestamp,
                    message: decoded,
                },
            )
        };
        messages.into_iter().map(read).collect()
    }

    /// What an undisturbed fold of the log publishes, as far as the log is committed.
    fn expected(&self) -> Vec<Vec<u8>> {
        let (catalogue, log) = (self.catalogue(), self.log());
        let matches = format!("{}.matches", self.app);
        let mut published = Vec::new();
        for (partition, committed) in self.committed("correlate", &matches, MATCHES_PARTITIONS) {
            let (mut state, mut disk) = (State::empty(0), BTreeMap::new());
            for (_, message) in log
                .iter()
                .filter(|(p, m)| *p == partition && m.offset < committed)
            {
                let plan = catalogue.plan(message.message.plan).unwrap();
                let mut step = advance(&mut state, plan, message.clone());
                load(&mut state, &mut step, &disk);
                let said = fold(&mut state, step);
                published.extend(said.iter().map(|incident| Encoding::Avro.encode(incident)));
                for (row, value) in state.changes() {
                    match value {
                        Some(value) => disk.insert(row, value),
                        None => disk.remove(&row),
                    };
                }
            }
        }
        published
    }

    /// Where the records stand that the log has matches of, by the log's partitions.
    fn matched(&self) -> Vec<(i32, Place)> {
        let mut matched = Vec::new();
        for (log_partition, log) in self.log() {
            for section in log.message.sections {
                let (source, partition) = (section.source, section.partition);
                let places = section
                    .records
                    .iter()
                    .map(|r| (source, partition, r.position));
                matched.extend(places.map(|place| (log_partition, place)));
            }
        }
        matched
    }

    /// Where the records stand that match, found in one go.
    fn detected(&self) -> BTreeSet<Place> {
        let log = self.log();
        let plan = log.last().map(|(_, log)| log.message.plan).unwrap();
        let plan = self.catalogue().plan(plan).cloned().unwrap();
        let mut detector = Detector::new(plan, 1, 900_000);
        let mut places = BTreeSet::new();
        let messages = read_committed(&self.bootstrap, &self.source);
        for partition in messages.iter().map(|message| message.partition) {
            let source = SourcePartition {
                source: 0,
                partition: partition.cast_unsigned(),
            };
            detector.assign(source, 0);
        }
        for message in messages {
            let source = SourcePartition {
                source: 0,
                partition: message.partition.cast_unsigned(),
            };
            detector.read(
                source,
                message.offset,
                message.timestamp,
                &message.value.unwrap(),
            );
        }
        for (_, bytes) in detector.take().messages {
            for section in shuffle::decode(&bytes).unwrap().sections {
                places.extend(
                    section
                        .records
                        .iter()
                        .map(|r| (0, section.partition, r.position)),
                );
            }
        }
        places
    }
}

fn load(
    state: &mut State,
    step: &mut watchfire::correlate::Step,
    disk: &BTreeMap<Vec<u8>, Vec<u8>>,
) {
    loop {
        let wanted = state.wants(step);
        if wanted.is_empty() {
            return;
        }
        for read in wanted {
            let (from, to) = match read {
                Read::Row(row) => (row.clone(), [row, vec![0]].concat()),
                Read::Range { from, to } => (from, to),
            };
            for (row, value) in disk.range(from..to) {
                state.load(row, value).unwrap();
            }
        }
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
