//! Starts and stops one Apache Kafka process: broker and controller in one, on loopback.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cache;

/// The user that the login listener knows.
pub const USER: &str = "watchfire";
/// The password of [`USER`].
pub const PASSWORD: &str = "kindling";

/// The version that `make test` fetches, unless `KAFKA_VERSION` says otherwise.
const VERSION: &str = "4.4.0";
/// The longest that a start may take; some seconds are usual.
const START_LIMIT: Duration = Duration::from_secs(90);
/// Any 16 bytes in URL-safe base64 will do.
const CLUSTER_ID: &str = "V2F0Y2hmaXJlVGVzdHMwMQ";

/// The shell that stands between the tests and the broker. When its standard input ends, as it
/// does however the process of the tests ends, it kills the broker and removes the files, which
/// the line "keep" before the end prevents. A broker that ends by itself leaves the file "ended".
const GUARD: &str = r#"dir="$1"
shift
exec 3<&0
"$@" </dev/null >"$dir/stdout" 2>&1 3<&- &
broker=$!
{
    read -r word <&3
    test -e "$dir/ended" || kill -KILL "$broker"
    test "$word" = keep
} &
end=$!
wait "$broker"
: >"$dir/ended"
wait "$end" || rm -rf "$dir""#;

/// A running broker. Dropping it kills the process and removes its files; so does the end of the
/// test process.
pub struct Broker {
    dir: PathBuf,
    ports: Ports,
    bootstrap: String,
    login_bootstrap: String,
    guard: Option<Child>,
}

#[derive(Clone, Copy)]
struct Ports {
    plain: u16,
    login: u16,
    controller: u16,
}

impl Broker {
    /// Starts a broker with fresh, empty storage.
    pub fn start() -> Broker {
        let mut broker = Broker::prepare();
        // A port can be taken between its choice and its use; then Kafka ends at once.
        for _ in 0..2 {
            if broker.launch() {
                return broker;
            }
            broker = Broker::prepare();
        }
        assert!(
            broker.launch(),
            "Kafka does not start:\n{}",
            broker.last_words()
        );
        broker
    }

    /// Where it listens without a login.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Where it listens for [`USER`] with [`PASSWORD`].
    pub fn login_bootstrap(&self) -> &str {
        &self.login_bootstrap
    }

    /// Kills the process as an accident would, and keeps what it had stored.
    pub fn kill(&mut self) {
        self.end("keep\n");
    }

    /// Starts a killed broker again, on the same ports and with what it had stored.
    pub fn revive(&mut self) {
        assert!(self.guard.is_none(), "the broker runs");
        assert!(
            self.launch(),
            "Kafka does not come back:\n{}",
            self.last_words()
        );
    }

    /// Makes what a broker needs on disk, and picks its ports.
    fn prepare() -> Broker {
        let dir = tempfile::Builder::new()
            .prefix("watchfire-kafka-")
            .tempdir()
            .unwrap()
            .keep();
        let ports = free_ports();
        fs::write(dir.join("server.properties"), properties(&dir, ports)).unwrap();
        fs::write(dir.join("log4j2.xml"), logging(&dir)).unwrap();
        let format = java(&dir)
            .args([
                "kafka.tools.StorageTool",
                "format",
                "--cluster-id",
                CLUSTER_ID,
                "--config",
            ])
            .arg(dir.join("server.properties"))
            .output()
            .unwrap_or_else(|error| panic!("java: {error}. Run `make test`, which installs it."));
        let said = String::from_utf8_lossy(&format.stderr);
        assert!(
            format.status.success(),
            "Kafka's storage was not formatted: {said}"
        );
        Broker {
            bootstrap: format!("127.0.0.1:{}", ports.plain),
            login_bootstrap: format!("127.0.0.1:{}", ports.login),
            dir,
            ports,
            guard: None,
        }
    }

    /// Starts the process and waits until it serves; false when it ended instead.
    fn launch(&mut self) -> bool {
        let ended = self.dir.join("ended");
        if ended.exists() {
            fs::remove_file(&ended).unwrap();
        }
        let mut kafka = java(&self.dir);
        kafka
            .arg("kafka.Kafka")
            .arg(self.dir.join("server.properties"));
        let guard = Command::new("sh")
            .args(["-c", GUARD, "kafka-guard"])
            .arg(&self.dir)
            .arg(kafka.get_program())
            .args(kafka.get_args())
            // Its own group: Ctrl-C is for the tests, whose end is what it waits for.
            .process_group(0)
            .stdin(Stdio::piped())
            // Only the word "Killed", each time.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.guard = Some(guard);
        let start = Instant::now();
        // Kafka opens its listeners when everything behind them is ready.
        while !(is_open(self.ports.plain) && is_open(self.ports.login)) {
            assert!(
                start.elapsed() < START_LIMIT,
                "Kafka hangs:\n{}",
                self.last_words()
            );
            if ended.exists() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        true
    }

    fn end(&mut self, word: &str) {
        if let Some(mut guard) = self.guard.take() {
            // The guard may have gone already, which is as well.
            drop(
                guard
                    .stdin
                    .take()
                    .map(|mut stdin| stdin.write_all(word.as_bytes())),
            );
            drop(guard.wait());
        }
    }

    /// What Kafka said last, for a panic message.
    fn last_words(&self) -> String {
        let said = ["stdout", "kafka.log"].map(|name| {
            let text = fs::read_to_string(self.dir.join(name)).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            lines[lines.len().saturating_sub(20)..].join("\n")
        });
        said.join("\n")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.end("");
    }
}

/// The directory of Kafka's jars.
fn jars() -> PathBuf {
    let home = std::env::var_os("WATCHFIRE_TEST_KAFKA_HOME").map_or_else(
        || {
            let version = std::env::var("KAFKA_VERSION").unwrap_or_else(|_| VERSION.to_owned());
            cache().join(format!("kafka-{version}"))
        },
        PathBuf::from,
    );
    let jars = home.join("libs");
    assert!(
        jars.is_dir(),
        "Apache Kafka is not in {}. Run `make test`, which fetches it, or set \
         WATCHFIRE_TEST_KAFKA_HOME to a Kafka, or WATCHFIRE_TEST_BOOTSTRAP to a running broker.",
        home.display()
    );
    jars
}

/// A Java process with Kafka's classes, made for a quick start and little memory.
fn java(dir: &Path) -> Command {
    let mut java = Command::new("java");
    java.args([
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Xshare:auto",
    ])
    .arg(format!(
        "-Dlog4j2.configurationFile={}",
        dir.join("log4j2.xml").display()
    ))
    .arg("-cp")
    .arg(jars().join("*"));
    java
}

fn free_ports() -> Ports {
    // All are held until the last is chosen, so that they differ.
    let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [plain, login, controller] = held.map(|socket| socket.local_addr().unwrap().port());
    Ports {
        plain,
        login,
        controller,
    }
}

fn is_open(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// The broker's configuration: one node, no copies, no waiting that only production needs.
fn properties(dir: &Path, ports: Ports) -> String {
    let Ports {
        plain,
        login,
        controller,
    } = ports;
    let data = dir.join("data");
    format!(
        r#"
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAIN://127.0.0.1:{plain},LOGIN://127.0.0.1:{login},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAIN://127.0.0.1:{plain},LOGIN://127.0.0.1:{login}
listener.security.protocol.map=PLAIN:PLAINTEXT,LOGIN:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAIN
sasl.enabled.mechanisms=PLAIN
listener.name.login.plain.sasl.jaas.config=\
    org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
"#,
        data = data.display()
    )
}

/// Warnings go to a file; the tests' own output stays readable.
fn logging(dir: &Path) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR">
  <Appenders>
    <File name="file" fileName="{}">
      <PatternLayout pattern="%d %-5p %c: %m%n"/>
    </File>
  </Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="file"/></Root>
  </Loggers>
</Configuration>
"#,
        dir.join("kafka.log").display()
    )
}
