//! The program as a terminal, a pipe and a log see it: what it writes, and what it must not.

mod brokers;
mod config;
mod pipes;
mod secrets;
mod terminal;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use watchfire::encode::Encoding;
use watchfire::incident::{AttributeValue, Evidence, Incident, Status};
use watchfire::record::Hash;

/// The program in `folder`, without what the environment of the tests would tell it.
pub fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchfire"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("WATCHFIRE_") || name.starts_with("EVENTHUBS_") {
            command.env_remove(&*name);
        }
    }
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// What a command ended with: its exit code, and what it wrote.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(command: &mut Command) -> Ran {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        Ran {
            code: status.code().unwrap(),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }
}

/// A folder with these files.
pub fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path: PathBuf = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

/// Brokers inside the process, with topics of these names and numbers of partitions.
pub struct Brokers(MockCluster<'static, DefaultProducerContext>);

impl Brokers {
    pub fn start(topics: &[(&str, i32)]) -> Brokers {
        let cluster = MockCluster::new(1).unwrap();
        for (topic, partitions) in topics {
            cluster.create_topic(topic, *partitions, 1).unwrap();
        }
        Brokers(cluster)
    }

    pub fn address(&self) -> String {
        self.0.bootstrap_servers()
    }

    /// Sends a dead letter that says `said` of itself.
    pub fn send_dead_letter(&self, topic: &str, said: &str, value: &[u8]) {
        let numbers = ["partition", "offset", "index", "records"].map(|name| (name, "1"));
        let texts = ["reason", "explanation", "topic"].map(|name| (name, said));
        let mut headers = OwnedHeaders::new();
        for (key, value) in numbers.into_iter().chain(texts) {
            let value = Some(value);
            headers = headers.insert(Header { key, value });
        }
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", self.address());
        let producer: BaseProducer = settings.create().unwrap();
        let record = BaseRecord::<[u8], [u8]>::to(topic).partition(0);
        producer
            .send(record.payload(value).headers(headers))
            .unwrap();
        producer.flush(std::time::Duration::from_secs(30)).unwrap();
    }

    /// Sends messages: partition, time, key and value.
    pub fn send(&self, topic: &str, messages: &[(i32, i64, &str, &[u8])]) {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", self.address());
        let producer: BaseProducer = settings.create().unwrap();
        for (partition, time, key, value) in messages {
            let record = BaseRecord::to(topic).partition(*partition).timestamp(*time);
            producer.send(record.key(*key).payload(*value)).unwrap();
        }
        producer.flush(std::time::Duration::from_secs(30)).unwrap();
    }
}

/// An incident of `user`, with an id that begins with `id`.
pub fn incident(id: u8, revision: i64, user: &str) -> Incident {
    let status = match revision {
        0 => Status::Open,
        _ => Status::Updated,
    };
    let mut hash = Hash::default();
    hash.0[0] = id;
    let evidence = Evidence {
        pattern: "P".into(),
        topic: format!("logs-{user}").into(),
        partition: 0,
        offset: 7,
        index: 1,
        time: 1_772_442_845_000,
        event_type: Some(user.into()),
        correlation_id: None,
        resource_id: Some(user.into()),
        record_hash: Hash::of(b"record"),
    };
    Incident {
        incident_id: hash,
        revision,
        status,
        rule_id: "PH_Rule_T".into(),
        rule_name: format!("Rule of {user}").into(),
        rule_fingerprint: Hash::of(b"rule"),
        severity: 9,
        category: "Security".into(),
        subcategory: "Execution".into(),
        impacts: "Server".into(),
        tactics: vec!["TA0002".into()],
        techniques: vec!["T1059".into()],
        title: format!("Command of {user}"),
        window_ms: 300_000,
        first_seen: 1_772_442_845_000,
        last_seen: 1_772_442_846_000,
        event_count: 2,
        trigger_count: 1,
        attributes: vec![("user".into(), AttributeValue::Text(user.to_owned()))],
        evidence: vec![evidence],
        late: false,
        close_reason: None,
        replaced_by: None,
        replaces: Vec::new(),
        truncated: false,
        test: false,
    }
}

/// The bytes of an incident as the topic has them.
pub fn avro(incident: &Incident) -> Vec<u8> {
    Encoding::Avro.encode(incident)
}
