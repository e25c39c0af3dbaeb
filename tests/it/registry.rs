//! Incidents with a schema registry: a real one, read by a standard deserializer, and ones of the
//! tests' own for what it is told and what it may say.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use watchfire::config::{Config, Input, Written};
use watchfire::encode::message::Framing;
use watchfire::io::kafka::client::Health;
use watchfire::io::registry;

use crate::cache;
use crate::kafka::{read_committed, until};
use crate::login::certificates::Certificates;
use crate::login::endpoint::{Answer, Endpoint, Request};
use crate::reader;
use crate::shell::{Ran, program};
use crate::worker::process::Worker;
use crate::worker::setup::{Setup, Traffic};

const VERSION: &str = "3.0.9";

/// A registry of its own, in memory.
struct Apicurio {
    process: Child,
    url: String,
}

impl Apicurio {
    /// `None`: it is not installed.
    fn start() -> Option<Apicurio> {
        let home = cache().join(format!("apicurio-{VERSION}"));
        let jar = home.join(format!("apicurio-registry-app-{VERSION}-runner.jar"));
        if !jar.is_file() {
            eprintln!("skipped: no schema registry is installed; `make test` does it");
            return None;
        }
        let ports = [0, 0].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let [port, management] = ports.map(|port| port.local_addr().unwrap().port());
        let process = Command::new("java")
            .args(["-Xmx512m", "-jar"])
            .arg(&jar)
            .env("QUARKUS_HTTP_PORT", port.to_string())
            .env("QUARKUS_HTTP_HOST", "127.0.0.1")
            .env("QUARKUS_MANAGEMENT_PORT", management.to_string())
            .env("QUARKUS_MANAGEMENT_HOST", "127.0.0.1")
            .current_dir(&home)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}/apis/ccompat/v7");
        let mut registry = Apicurio { process, url };
        until("the registry answers", || {
            let ended = registry.process.try_wait().unwrap();
            assert!(ended.is_none(), "the registry has ended: {ended:?}");
            registry.ask("GET", "/subjects", "").is_some()
        });
        Some(registry)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Option<Value> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--fail", "--request", method, "--data", body]);
        curl.args([
            "--header",
            "Content-Type: application/vnd.schemaregistry.v1+json",
        ]);
        let asked = curl.arg(format!("{}{path}", self.url)).output().unwrap();
        asked
            .status
            .success()
            .then(|| serde_json::from_slice(&asked.stdout).unwrap())
    }
}

impl Drop for Apicurio {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn a_standard_deserializer_reads_what_a_worker_writes() {
    let Some(apicurio) = Apicurio::start() else {
        return;
    };
    let more = format!("registry.url = \"{}\"\n", apicurio.url);
    let setup = Setup::new("registry", &more);
    Traffic::start(&setup, 60, Duration::ZERO).finish();
    let config = setup.config("a");
    let worker = Worker::start(&config);
    worker.wait_for("ready");
    setup.wait_until_read();
    worker.stop();
    let topic = format!("{}.incidents", setup.app);
    let mut python = reader::python("read_registry.py");
    let read = python
        .args([&setup.bootstrap, &topic, &apicurio.url])
        .output()
        .unwrap();
    assert!(
        read.status.success(),
        "{}",
        String::from_utf8_lossy(&read.stderr)
    );
    let theirs: Vec<Value> = lines(&read.stdout);
    let ours = tail(&config);
    assert!(
        !ours.is_empty() && ours.len() == theirs.len(),
        "{} {}",
        ours.len(),
        theirs.len()
    );
    let known = |rows: Vec<Value>| -> BTreeMap<String, Value> {
        let rows = rows.into_iter();
        let rows = rows.map(|row| (format!("{}{}", row["incident_id"], row["revision"]), row));
        rows.collect()
    };
    let theirs = known(theirs.into_iter().map(|row| row["value"].clone()).collect());
    for (id, own) in known(ours) {
        for field in [
            "title",
            "status",
            "event_count",
            "first_seen",
            "rule_id",
            "source",
        ] {
            assert_eq!(own[field], theirs[&id][field], "{field}");
        }
    }
    // A worker starts again while the registry is away.
    drop(apicurio);
    let worker = Worker::start(&config);
    worker.wait_for("ready");
    let log = worker.stop();
    assert!(log.contains("its last word counts"), "{log}");
    let first = read_committed(&setup.bootstrap, &topic)
        .remove(0)
        .value
        .unwrap();
    assert_eq!(first[0], 0);
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_subject_with_other_schemas_is_not_taken() {
    let Some(apicurio) = Apicurio::start() else {
        return;
    };
    let other = json!({ "schema": "{\"type\":\"string\"}" }).to_string();
    let subject = "/subjects/soc.incidents-value/versions";
    assert!(apicurio.ask("POST", subject, &other).is_some());
    let rule = json!({ "compatibility": "FULL_TRANSITIVE" }).to_string();
    assert!(
        apicurio
            .ask("PUT", "/config/soc.incidents-value", &rule)
            .is_some()
    );
    let asked = framing(&format!("url = \"{}\"", apicurio.url), &[]);
    let why = asked.unwrap_err();
    assert!(
        why.contains("not compatible") || why.contains("refuses the schema"),
        "{why}"
    );
}

/// What a registry of this section and with these variables gives.
fn framing(section: &str, environment: &[(&str, &str)]) -> Result<Framing, String> {
    framing_with(section, "", environment)
}

fn framing_with(
    section: &str,
    more: &str,
    environment: &[(&str, &str)],
) -> Result<Framing, String> {
    let text = format!(
        "app = \"soc\"\nsources = [\"logs\"]\nrules = [\"r\"]\n[registry]\n{section}\n{more}\n\
         [kafka]\n\"bootstrap.servers\" = \"127.0.0.1:1\"\n"
    );
    let environment = environment.iter();
    let environment = environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let config = Config::build(Input {
        file: Some(("c.toml", &text)),
        environment: &environment.collect(),
        flags: Written::default(),
        read_secret: &|path| std::fs::read_to_string(path).map_err(|error| error.to_string()),
        memory_limit: None,
    });
    let config = config.map_err(|problems| problems.join("\n"))?;
    let health = Health::of(&config);
    let resolved = registry::resolved(&config, &health);
    resolved
        .map(|config| config.framing)
        .map_err(|error| format!("{error:#}"))
}

/// As a registry that has nothing and takes everything.
fn taking(request: &Request) -> Answer {
    match request.what.as_str() {
        "POST /subjects/soc.incidents-value" => Answer::of(404, "{\"error_code\":40401}"),
        "POST /compatibility/subjects/soc.incidents-value/versions/latest" => {
            Answer::of(404, "{\"error_code\":40401}")
        }
        "POST /subjects/soc.incidents-value/versions" => Answer::of(200, "{\"id\":7}"),
        other => Answer::of(405, other),
    }
}

#[test]
fn a_name_and_password_or_a_token_are_said_and_not_shown() {
    let registry = Endpoint::start(|request, _| match request.headers.get("authorization") {
        Some(said) if said == "Basic c29jOmh1c2g=" || said == "Bearer hush" => taking(request),
        Some(_) | None => Answer::of(401, "{\"message\":\"who is that\"}"),
    });
    let section = format!("url = \"{}\"\nusername = \"soc\"", registry.url);
    let basic = framing(&section, &[("WATCHFIRE_REGISTRY_PASSWORD", "hush\n")]);
    assert_eq!(basic, Ok(Framing::Confluent(7)));
    assert_eq!(registry.asked().len(), 3);
    let section = format!("url = \"{}\"", registry.url);
    let bearer = framing(&section, &[("WATCHFIRE_REGISTRY_TOKEN", "hush")]);
    assert_eq!(bearer, Ok(Framing::Confluent(7)));
    let wrong = framing(&section, &[("WATCHFIRE_REGISTRY_TOKEN", "secret-hash")]).unwrap_err();
    assert!(
        wrong.contains("does not let us in (401): who is that"),
        "{wrong}"
    );
    assert!(
        wrong.contains("registry.token_file") && !wrong.contains("secret-hash"),
        "{wrong}"
    );
    let none = framing(
        &format!("{section}\nregister = false"),
        &[("WATCHFIRE_REGISTRY_TOKEN", "hush")],
    );
    assert!(none.unwrap_err().contains("registry.register is false"));
}

#[test]
fn certificates_are_shown_and_looked_at() {
    let certificates = Certificates::make();
    let registry = Endpoint::start_mutual(certificates.dir(), |request, _| taking(request));
    let file = |name: &str| certificates.dir().join(name).display().to_string();
    let trusting = format!(
        "url = \"{}\"\nca_file = \"{}\"",
        registry.url,
        file("ca.pem")
    );
    let (own, key) = (file("client.pem"), file("client.key"));
    let both = format!("{trusting}\ncertificate_file = \"{own}\"\nkey_file = \"{key}\"");
    assert_eq!(framing(&both, &[]), Ok(Framing::Confluent(7)));
    for (wrong, why) in [
        (both.replace("client.key", "ca.pem"), "registry.key_file"),
        (
            both.replace("client.pem", "client.key"),
            "registry.certificate_file",
        ),
        (
            both.replace("client.pem", "gone.pem"),
            "registry.certificate_file",
        ),
    ] {
        let error = framing(&wrong, &[]).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn what_a_registry_answers_is_not_trusted() {
    for (status, body, why) in [
        (200, "{\"id\":-1}", "no number"),
        (200, "{\"id\":99999999999}", "no number"),
        (200, "<html>", "no number"),
        (302, "", "answers 302"),
        (
            422,
            "{\"message\":\"not valid\"}",
            "refuses the schema (422): not valid",
        ),
    ] {
        let registry = Endpoint::start(move |_, _| Answer::of(status, body));
        let error = framing(&format!("url = \"{}\"", registry.url), &[]).unwrap_err();
        assert!(error.contains(why), "{body}: {error}");
    }
    let incompatible = Endpoint::start(|request, _| match request.what.as_str() {
        what if what.starts_with("POST /compatibility") => Answer::of(
            200,
            "{\"is_compatible\":false,\"messages\":[\"TYPE_MISMATCH\"]}",
        ),
        _ => taking(request),
    });
    let error = framing(&format!("url = \"{}\"", incompatible.url), &[]).unwrap_err();
    assert!(
        error.contains("not compatible: [\"TYPE_MISMATCH\"]"),
        "{error}"
    );
}

/// Azure's interface, as its specification of 2023-07-01 has it, to which the schema is new.
fn azure(request: &Request) -> Answer {
    let path = "/$schemaGroups/soc/schemas/watchfire.Incident";
    let kind = request.headers.get("content-type").map(String::as_str);
    let is_right = request.fields.get("api-version").map(String::as_str) == Some("2023-07-01")
        && kind == Some("application/json; serialization=Avro")
        && request.headers.get("authorization").map(String::as_str) == Some("Bearer entra");
    let id = Some(("Schema-Id", "f045c6c3fd1d4a4c9c3a6a1b3e0c2d5f".to_owned()));
    match request.what.as_str() {
        _ if !is_right => Answer::of(401, "{\"error\":{\"code\":\"Unauthorized\"}}"),
        what if what == format!("POST {path}:get-id") => Answer::of(
            404,
            "{\"error\":{\"code\":\"ItemNotFound\",\"message\":\"none\"}}",
        ),
        what if what == format!("PUT {path}") => Answer {
            header: id,
            ..Answer::of(204, "")
        },
        other => Answer::of(400, other),
    }
}

#[test]
fn azures_registry_is_asked_with_a_token_of_entra_id() {
    let registry = Endpoint::start(|request, _| azure(request));
    let entra = Endpoint::start(|request, _| match request.fields.get("scope") {
        Some(scope) if scope == "https://eventhubs.azure.net/.default" => {
            Answer::of(200, "{\"access_token\":\"entra\",\"expires_in\":3600}")
        }
        scope => Answer::of(400, format!("{scope:?}")),
    });
    let section = format!(
        "url = \"{}\"\nkind = \"azure\"\ngroup = \"soc\"",
        registry.url
    );
    let login = format!(
        "[login]\nmethod = \"client_secret\"\ntenant_id = \"t\"\nclient_id = \"c\"\n\
         authority = \"{}\"\nscope = \"https://ns.servicebus.windows.net/.default\"",
        entra.url
    );
    let secret = [("WATCHFIRE_LOGIN_CLIENT_SECRET", "hush")];
    let id = "f045c6c3fd1d4a4c9c3a6a1b3e0c2d5f".to_owned();
    assert_eq!(
        framing_with(&section, &login, &secret),
        Ok(Framing::Azure(id))
    );
    let asked: Vec<String> = registry.asked().into_iter().map(|one| one.what).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    let none = framing(&section, &[]).unwrap_err();
    assert!(none.contains("[login]"), "{none}");
}

/// As Azure's serializers write it, and as `incidents tail` reads it.
#[test]
fn incidents_stand_in_a_topic_as_azures_serializers_write_them() {
    let registry = Endpoint::start(|request, _| azure(request));
    let more = format!(
        "[registry]\nurl = \"{}\"\nkind = \"azure\"\ngroup = \"soc\"\ntoken_file = ",
        registry.url
    );
    let dir = tempfile::tempdir().unwrap();
    let token: PathBuf = dir.path().join("token");
    std::fs::write(&token, "entra").unwrap();
    let setup = Setup::new("registry-azure", &format!("{more}{token:?}\n"));
    Traffic::start(&setup, 60, Duration::ZERO).finish();
    let config = setup.config("a");
    let worker = Worker::start(&config);
    worker.wait_for("ready");
    setup.wait_until_read();
    worker.stop();
    let messages = read_committed(&setup.bootstrap, &format!("{}.incidents", setup.app));
    assert!(!messages.is_empty());
    for message in &messages {
        let kind = message
            .headers
            .iter()
            .find(|(name, _)| name == "content-type");
        let kind = kind.and_then(|(_, value)| value.as_deref());
        assert_eq!(
            kind,
            Some(&b"avro/binary+f045c6c3fd1d4a4c9c3a6a1b3e0c2d5f"[..])
        );
    }
    let tail = tail(&config);
    assert_eq!(tail.len(), messages.len());
}

fn tail(config: &Path) -> Vec<Value> {
    let folder = config.parent().unwrap();
    let arguments = ["incidents", "tail", "--until-end", "--from-beginning"];
    let mut command = program(folder, &arguments);
    let ran = Ran::of(command.args(["--format", "json", "--config"]).arg(config));
    lines(ran.out.as_bytes())
}
