//! What is said of brokers that cannot be talked to, and of what they hold.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::{Brokers, Ran, avro, folder, incident, program};

/// The lines that a command writes to standard error, until one has this text. The command is
/// ended then; what it says at its end is another test's.
fn said_until(text: &str, settings: &str) -> String {
    let place = folder(&[("w.toml", settings)]);
    let mut command = program(place.path(), &["topics", "check", "--config", "w.toml"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    for line in lines.map_while(Result::ok) {
        said.push_str(&line);
        said.push('\n');
        if line.contains(text) {
            break;
        }
    }
    // It may have ended by itself.
    if child.try_wait().unwrap().is_none() {
        child.kill().unwrap();
    }
    child.wait().unwrap();
    said
}

#[test]
fn tls_where_there_is_none_is_said_before_the_end() {
    // Brokers close a connection whose first bytes are no request of theirs.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 4];
            if connection.read_exact(&mut head).is_err() {
                return;
            }
        }
    });
    let settings = format!(
        "[kafka]\n\"bootstrap.servers\" = \"127.0.0.1:{port}\"\n\"security.protocol\" = \"SSL\"\n"
    );
    let text = "this address seems to speak without TLS";
    let said = said_until(text, &settings);
    assert!(said.contains(text), "{said}");
}

#[test]
fn no_tls_where_there_is_some_is_said_before_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 16];
            let read = connection.read(&mut head);
            // The alert of a TLS server to what is no greeting.
            let alert = connection.write_all(&[0x15, 3, 3, 0, 2, 2, 10]);
            if read.is_err() || alert.is_err() {
                return;
            }
        }
    });
    let settings = format!("[kafka]\n\"bootstrap.servers\" = \"127.0.0.1:{port}\"\n");
    let text = "this address seems to want TLS";
    let said = said_until(text, &settings);
    assert!(said.contains(text), "{said}");
}

/// A server with TLS, and a certificate that nobody knows. Dropping it ends it.
struct Tls {
    server: Child,
    port: u16,
    _files: tempfile::TempDir,
}

impl Tls {
    /// `None`: there is no openssl here.
    fn start() -> Option<Tls> {
        let files = folder(&[]);
        let port = crate::kafka::free_port();
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            command.args(arguments.split(' ')).current_dir(files.path());
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command
        };
        let certificate = "req -x509 -newkey rsa:2048 -nodes -keyout k -out c -days 2 -subj /CN=x";
        openssl(certificate).status().ok()?;
        let server = openssl(&format!("s_server -accept {port} -cert c -key k -quiet"));
        let server = { server }.spawn().ok()?;
        crate::kafka::until("the server listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(Tls {
            server,
            port,
            _files: files,
        })
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        if self.server.kill().is_ok() {
            self.server.wait().unwrap();
        }
    }
}

#[test]
fn what_is_wrong_with_tls_is_said_before_the_end() {
    let Some(tls) = Tls::start() else {
        eprintln!("skipped: there is no openssl to make a server of");
        return;
    };
    for (protocol, text) in [
        ("SSL", "the broker's certificate is not trusted"),
        ("PLAINTEXT", "this address seems to want TLS"),
    ] {
        let port = tls.port;
        let said = said_until(
            text,
            &format!(
                "[kafka]\n\"bootstrap.servers\" = \"127.0.0.1:{port}\"\n\"security.protocol\" = \
                 \"{protocol}\"\n"
            ),
        );
        assert!(said.contains(text), "{protocol}: {said}");
    }
}

/// Incidents of three partitions, published in the order of their revisions 0 to 5.
fn published() -> Brokers {
    let brokers = Brokers::start(&[("t.incidents", 3)]);
    let order = [
        (2, 0xab, 0),
        (0, 0xac, 0),
        (2, 0xab, 1),
        (1, 0xb0, 0),
        (0, 0xac, 1),
        (2, 0xab, 2),
    ];
    let values: Vec<Vec<u8>> = order
        .iter()
        .map(|(_, id, revision)| avro(&incident(*id, *revision, "mara")))
        .collect();
    let messages: Vec<_> = order
        .iter()
        .zip(&values)
        .zip(1_772_442_845_000_i64..)
        .map(|(((partition, _, _), value), time)| (*partition, time, "id", value.as_slice()))
        .collect();
    // Last partitions first: their places say nothing of time.
    for partition in [2, 1, 0] {
        let of = messages.iter().filter(|message| message.0 == partition);
        brokers.send("t.incidents", &of.copied().collect::<Vec<_>>());
    }
    brokers
}

/// What a command about incidents shows as JSON: ids and revisions.
fn shown(brokers: &Brokers, arguments: &[&str]) -> (i32, Vec<String>, String) {
    let place = folder(&[]);
    let address = brokers.address();
    let more = ["--app", "t", "--brokers", &address, "--format", "json"];
    let ran = Ran::of(&mut program(place.path(), &[arguments, &more[..]].concat()));
    let lines = ran.out.lines().map(|line| {
        let incident: Value = serde_json::from_str(line).unwrap();
        let id = incident["incident_id"].as_str().unwrap();
        format!("{}{}", &id[..2], incident["revision"])
    });
    (ran.code, lines.collect(), ran.err)
}

#[test]
fn incidents_come_in_the_order_in_which_they_were_published() {
    let brokers = published();
    let tail = ["incidents", "tail", "--from-beginning", "--until-end"];
    let (code, lines, err) = shown(&brokers, &tail);
    assert_eq!(code, 0, "{err}");
    assert_eq!(lines, ["ab0", "ac0", "ab1", "b00", "ac1", "ab2"]);
}

#[test]
fn one_incident_is_shown_by_the_beginning_of_its_id() {
    let brokers = published();
    let check = |id: &str, code: i32, expected: &[&str], complaint: &str| {
        let (found, lines, err) = shown(&brokers, &["incidents", "show", id]);
        assert_eq!(
            (found, lines),
            (code, expected.iter().map(|l| (*l).into()).collect()),
            "{err}"
        );
        assert!(err.contains(complaint), "{err}");
    };
    check("ab", 0, &["ab0", "ab1", "ab2"], "");
    check("B", 0, &["b00"], "");
    check("ac000000000000000000000000000000", 0, &["ac0", "ac1"], "");
    check("a", 1, &[], "several ids begin with a: ab0000");
    check("cd", 1, &[], "has no incident whose id begins with cd");
    check("xyz", 2, &[], "first hexadecimal digits");
    let place = folder(&[]);
    let arguments = [
        "incidents",
        "show",
        "ab",
        "--app",
        "t",
        "--brokers",
        &brokers.address(),
    ];
    let ran = Ran::of(&mut program(place.path(), &arguments));
    for part in [
        "title       Command of mara",
        "UPDATED",
        "logs-mara/0/7/1",
        "EVIDENCE",
        "RESOURCE",
    ] {
        assert!(ran.out.contains(part), "{part} is not in {}", ran.out);
    }
    assert_eq!(ran.out.matches("  UPDATED  ").count(), 2, "{}", ran.out);
}

#[test]
fn every_command_warns_of_variables_that_mean_nothing() {
    let brokers = published();
    let place = folder(&[]);
    let arguments = [
        "incidents",
        "show",
        "b",
        "--app",
        "t",
        "--brokers",
        &brokers.address(),
    ];
    let mut command = program(place.path(), &arguments);
    command
        .env("WATCHFIRE_PATIENC", "1m")
        .env("WATCHFIRE_KAFKA_PORT", "tcp://10.0.0.1:9092")
        .env("WATCHFIRE_KAFKA_SERVICE_HOST", "10.0.0.1");
    let ran = Ran::of(&mut command);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.err
            .contains("WATCHFIRE_PATIENC means nothing; did you mean WATCHFIRE_PATIENCE?")
    );
    assert!(
        ran.err
            .contains("come from a service named watchfire-kafka"),
        "{ran:?}"
    );
}

#[test]
fn a_log_in_json_is_json_to_its_end() {
    let brokers = published();
    let rule =
        "id: R\nname: n\nseverity: 5\nwindow: 5s\npatterns: [{name: P, where: user IS NULL}]\n";
    let place = folder(&[("r.yaml", rule), ("bad.yaml", "id: X\n")]);
    let address = brokers.address();
    let run = |rules: &str, brokers: &str, code: i32, error: &str| {
        let arguments = format!(
            "run --log-json --app t --source logs --state-dir s --rules {rules} --brokers {brokers}"
        );
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let mut command = program(place.path(), &arguments);
        command.env("WATCHFIRE_PATIENC", "1m");
        let ran = Ran::of(command.env("WATCHFIRE_ON_BROKEN_RULES", "stop"));
        assert_eq!(ran.code, code, "{ran:?}");
        let lines = ran
            .err
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let lines: Vec<Value> = lines.collect();
        let first = &lines[0]["fields"];
        assert_eq!(first["version"], env!("CARGO_PKG_VERSION"), "{first}");
        assert!(first["commit"].is_string(), "{first}");
        let last = lines.last().unwrap();
        assert_eq!(last["level"], "ERROR", "{last}");
        let message = last["fields"]["message"].as_str().unwrap();
        assert!(message.contains(error), "{message}");
    };
    run("r.yaml", &address, 1, "does not exist");
    run("bad.yaml", &address, 2, "bad.yaml:1:1");
    run("r.yaml", "a:b", 2, "address 1 is not host:port");
}
