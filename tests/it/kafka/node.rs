//! One Apache Kafka process, with its files: started, killed, stopped, frozen and started again.

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cache;
use crate::rng::Rng;

/// The version that `make test` fetches, unless `KAFKA_VERSION` says otherwise.
const VERSION: &str = "4.4.0";
/// The longest that a start may take; some seconds are usual.
const START_LIMIT: Duration = Duration::from_secs(90);
/// Any 16 bytes in URL-safe base64 will do.
const CLUSTER_ID: &str = "V2F0Y2hmaXJlVGVzdHMwMQ";

/// The shell that stands between the tests and the broker. When its standard input ends, as it
/// does however the process of the tests ends, it kills the broker and removes the files, which
/// the line "keep" before the end prevents. The file "pid" says which process the broker is. A
/// broker that ends by itself leaves the file "ended".
const GUARD: &str = r#"dir="$1"
shift
exec 3<&0
"$@" </dev/null >"$dir/stdout" 2>&1 3<&- &
broker=$!
echo "$broker" >"$dir/pid"
{
    read -r word <&3
    test -e "$dir/ended" || kill -KILL "$broker"
    test "$word" = keep
} &
end=$!
wait "$broker"
: >"$dir/ended"
wait "$end" || rm -rf "$dir""#;

/// A Kafka process and its files. Dropping it kills the process and removes the files; so does
/// the end of the test process.
pub struct Node {
    dir: PathBuf,
    /// Where it listens when everything behind is ready.
    ports: Vec<u16>,
    guard: Option<Child>,
}

impl Node {
    /// Makes the files: empty storage, and the configuration that `properties` gives for the
    /// directory. `ports`: where it then listens.
    pub fn prepare(ports: Vec<u16>, properties: impl FnOnce(&Path) -> String) -> Node {
        let dir = tempfile::Builder::new()
            .prefix("watchfire-kafka-")
            .tempdir()
            .unwrap()
            .keep();
        fs::write(dir.join("server.properties"), properties(&dir)).unwrap();
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
        Node {
            dir,
            ports,
            guard: None,
        }
    }

    /// Starts the process.
    pub fn spawn(&mut self) {
        assert!(self.guard.is_none(), "the broker runs");
        for name in ["ended", "pid"] {
            let left = self.dir.join(name);
            if left.exists() {
                fs::remove_file(&left).unwrap();
            }
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
    }

    /// Waits until a started process serves; false when it ended instead.
    pub fn wait_until_it_serves(&self) -> bool {
        let start = Instant::now();
        while !self.serves() {
            assert!(
                start.elapsed() < START_LIMIT,
                "Kafka hangs:\n{}",
                self.last_words()
            );
            if self.has_ended() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        true
    }

    /// Whether it listens everywhere: Kafka opens its listeners when all behind them is ready.
    pub fn serves(&self) -> bool {
        self.ports.iter().all(|port| is_open(*port))
    }

    /// Whether the process that was started last has ended.
    pub fn has_ended(&self) -> bool {
        self.dir.join("ended").exists()
    }

    /// Kills the process as an accident would, and keeps what it had stored.
    pub fn kill(&mut self) {
        self.end("keep\n");
    }

    /// Sends the process a signal.
    pub fn signal(&self, name: &str) {
        let id = fs::read_to_string(self.dir.join("pid")).unwrap();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), id.trim()])
            .status()
            .unwrap();
        assert!(sent.success() || self.has_ended(), "kill -{name} {id}");
    }

    /// What Kafka has warned of.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("kafka.log")).unwrap_or_default()
    }

    /// What Kafka said last, for a panic message.
    pub fn last_words(&self) -> String {
        let said = ["stdout", "kafka.log"].map(|name| {
            let text = fs::read_to_string(self.dir.join(name)).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            lines[lines.len().saturating_sub(20)..].join("\n")
        });
        said.join("\n")
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
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end("");
        // Where it was not running, nobody else removes the files.
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// Below the ports that Linux gives to clients: one of those, of whatever runs besides, would sit
/// on the port of a broker that is not there yet, or not at the moment.
const PORTS: std::ops::Range<u64> = 15_000..32_000;

/// So many free ports. All are held until the last is chosen, so that they differ.
pub fn free_ports(count: usize) -> Vec<u16> {
    let mut rng = Rng::new(RandomState::new().hash_one(std::process::id()));
    let mut held = Vec::new();
    while held.len() < count {
        let port = (PORTS.start + rng.below(PORTS.end - PORTS.start)) as u16;
        held.extend(TcpListener::bind(("127.0.0.1", port)));
    }
    held.iter()
        .map(|socket| socket.local_addr().unwrap().port())
        .collect()
}

fn is_open(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
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
