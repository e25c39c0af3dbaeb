//! What can be known of deploy/ without a container engine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};
use watchfire::config::{Config, Input, Written};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn deploy(file: &str) -> String {
    fs::read_to_string(root().join("deploy").join(file)).unwrap()
}

/// A YAML document of mappings, sequences and texts, with what anchors name and `<<` takes over.
fn yaml(text: &str) -> Value {
    let mut events = Parser::new_from_str(text)
        .map(|event| event.unwrap().0)
        .filter(|event| !matches!(event, Event::StreamStart | Event::DocumentStart(_)));
    let first = events.next().unwrap();
    node(first, &mut events, &mut BTreeMap::new())
}

fn node<'t>(
    event: Event<'t>,
    rest: &mut impl Iterator<Item = Event<'t>>,
    anchors: &mut BTreeMap<usize, Value>,
) -> Value {
    let (anchor, value) = match event {
        Event::Scalar(text, _, anchor, _) => (anchor, Value::String(text.into_owned())),
        Event::Alias(anchor) => (0, anchors[&anchor].clone()),
        Event::SequenceStart(anchor, _) => {
            let mut items = Vec::new();
            loop {
                match rest.next().unwrap() {
                    Event::SequenceEnd => break (anchor, Value::Array(items)),
                    item => items.push(node(item, rest, anchors)),
                }
            }
        }
        Event::MappingStart(anchor, _) => {
            let mut fields = Map::new();
            let mut taken_over = Map::new();
            while let Event::Scalar(key, ..) = rest.next().unwrap() {
                let value = node(rest.next().unwrap(), rest, anchors);
                if key == "<<" {
                    taken_over = value.as_object().unwrap().clone();
                    continue;
                }
                let twice = fields.insert(key.clone().into_owned(), value);
                assert!(twice.is_none(), "{key} is there twice");
            }
            taken_over.extend(fields);
            (anchor, Value::Object(taken_over))
        }
        other => panic!("unexpected in a compose file: {other:?}"),
    };
    // 0: it has none.
    if anchor > 0 {
        anchors.insert(anchor, value.clone());
    }
    value
}

fn names(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn compose_has_all_services_and_each_worker_its_own_state() {
    let compose = yaml(&deploy("compose.yaml"));
    let services = &compose["services"];
    let mut found = names(services);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            "grafana",
            "kafka",
            "prometheus",
            "registry",
            "source-topic",
            "topics",
            "worker-1",
            "worker-2"
        ]
    );
    assert_eq!(services["topics"]["command"][0], "topics");
    assert_eq!(services["topics"]["command"][1], "create");

    let volumes = names(&compose["volumes"]);
    let mut states = Vec::new();
    for (service, settings) in services.as_object().unwrap() {
        let conditions = settings["depends_on"].as_object();
        let plain = settings["depends_on"].as_array();
        let named = plain
            .into_iter()
            .flatten()
            .map(|name| name.as_str().unwrap());
        let waited = conditions
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str);
        for waited in waited.chain(named) {
            assert!(!services[waited].is_null(), "{service} depends on {waited}");
        }
        for secret in settings["secrets"].as_array().into_iter().flatten() {
            let file = &compose["secrets"][secret.as_str().unwrap()]["file"];
            let file = root().join("deploy").join(file.as_str().unwrap());
            assert!(file.is_file(), "{service}: {secret}");
        }
        for mount in settings["volumes"].as_array().into_iter().flatten() {
            let (source, target) = mount.as_str().unwrap().split_once(':').unwrap();
            if target == "/var/lib/watchfire" {
                states.push(source.to_owned());
            }
            let is_path = source.starts_with('.');
            let is_there = root().join("deploy").join(source).exists();
            assert!(
                if is_path {
                    is_there
                } else {
                    volumes.contains(&source)
                },
                "{source}"
            );
        }
    }
    states.sort_unstable();
    states.dedup();
    assert_eq!(states.len(), 2, "each worker has a state of its own");
    for worker in ["worker-1", "worker-2"] {
        let settings = &services[worker];
        assert_eq!(settings["read_only"], "true", "{worker}");
        assert_eq!(settings["cap_drop"][0], "ALL", "{worker}");
    }
    let build = &services["topics"]["build"];
    let context = root()
        .join("deploy")
        .join(build["context"].as_str().unwrap());
    assert!(
        context
            .join(build["dockerfile"].as_str().unwrap())
            .is_file()
    );
}

#[test]
fn the_image_is_built_from_what_is_there_and_runs_without_root() {
    let dockerfile = deploy("Dockerfile").replace("\\\n", " ");
    let lines: Vec<Vec<&str>> = dockerfile
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let mut copied = Vec::new();
    for line in &lines {
        if line.first() == Some(&"COPY") && !line[1].starts_with("--from=") {
            copied.extend(&line[1..line.len() - 1]);
        }
    }
    for source in &copied {
        assert!(root().join(source).exists(), "COPY {source}");
    }
    // Whatever the manifest names must be in the image, or cargo refuses it.
    for needed in [
        "Cargo.toml",
        "Cargo.lock",
        "build.rs",
        "src",
        "schemas",
        "rules",
        "benches",
    ] {
        assert!(copied.contains(&needed), "{needed} is not copied");
    }
    let user = lines
        .iter()
        .rfind(|line| line.first() == Some(&"USER"))
        .unwrap();
    // What it is made of stands in it, and what was compiled before is not compiled again.
    assert!(dockerfile.contains("cargo auditable build --release --locked"));
    assert!(dockerfile.contains("--mount=type=cache,target=/build/target"));
    // A cluster that wants no root looks for a number, and the state belongs to it.
    assert_eq!(user[1], "10001:10001");
    for made in ["--uid 10001", "--gid 10001", "install -d -m 0700"] {
        assert!(dockerfile.contains(made), "{made}");
    }
}

/// Whether an image is named with a version that says which it is, down to the last part.
fn is_pinned(image: &str) -> bool {
    let tag = image
        .split_once('@')
        .map_or(image, |(tagged, _)| tagged)
        .split_once(':');
    tag.is_some_and(|(_, tag)| {
        let version = tag.split('-').next().unwrap().trim_start_matches('v');
        version.contains('.') && version.split('.').all(|part| part.parse::<u32>().is_ok())
    })
}

#[test]
fn base_images_are_pinned() {
    let dockerfile = deploy("Dockerfile");
    let from = |line: &str| Some(line.strip_prefix("FROM ")?.split(' ').next()?.to_owned());
    let mut images: Vec<String> = dockerfile.lines().filter_map(from).collect();
    assert_eq!(images.len(), 2);
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let oldest = manifest.parse::<toml::Table>().unwrap()["package"]["rust-version"].to_string();
    let compiler = format!("rust:{}.", oldest.trim_matches('"'));
    assert!(images[0].starts_with(&compiler), "{} {compiler}", images[0]);
    let compose = yaml(&deploy("compose.yaml"));
    let services = compose["services"].as_object().unwrap().values();
    let named = services.filter_map(|service| service["image"].as_str());
    // Built here.
    images.extend(named.filter(|i| *i != "watchfire").map(str::to_owned));
    assert_eq!(images.len(), 7);
    for image in images {
        assert!(is_pinned(&image), "{image}");
    }
    assert!(!is_pinned("rust:1-bookworm") && !is_pinned("debian:bookworm-slim"));
    assert!(!is_pinned("debian") && is_pinned("a/b:4.1.0@sha256:00"));
}

/// What a worker may take in memory if nothing is said, in bytes.
fn default_memory() -> usize {
    let config = Config::build(Input {
        file: Some(("watchfire.kafka.toml", &deploy("watchfire.kafka.toml"))),
        environment: &BTreeMap::new(),
        flags: Written::default(),
        read_secret: &|path| Err(format!("{path} is not to be read")),
        memory_limit: None,
    })
    .unwrap();
    // Two clients with queues of 32 MiB, and what both stages are writing.
    let clients = (2 * 32 + 2 * 8 + 24) << 20;
    config.keys_bytes
        + config.recovery_bytes
        + config.block_cache_bytes
        + config.write_buffer_bytes
        + clients
}

/// Holds that a unit has what every worker needs, and that systemd takes it.
fn check_unit(file: &str, more: &[&str]) {
    let unit = deploy(file);
    let usual = [
        "Restart=on-failure",
        // What is wrong with the configuration or the rules stays wrong.
        "RestartPreventExitStatus=2",
        "StateDirectoryMode=0700",
        "DynamicUser=yes",
    ];
    for line in usual.iter().chain(more) {
        assert!(unit.lines().any(|l| l == *line), "{file}: {line}");
    }
    let limit = unit
        .lines()
        .find_map(|line| line.strip_prefix("MemoryMax=")?.strip_suffix('G'));
    let limit = limit.unwrap().parse::<usize>().unwrap() << 30;
    assert!(limit > default_memory() + default_memory() / 4, "{file}");
    let binary = "/usr/local/bin/watchfire";
    assert!(unit.contains(&format!("ExecStart={binary} run --config ")));
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("systemd-analyze is not here: the syntax of {file} is not checked");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let copy: PathBuf = dir.path().join(file);
    // The check wants the program to exist.
    fs::write(&copy, unit.replace(binary, "/bin/true")).unwrap();
    let verdict = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&copy)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verdict.stderr);
    let ours: Vec<_> = said.lines().filter(|line| line.contains(file)).collect();
    assert!(verdict.status.success() && ours.is_empty(), "{said}");
}

#[test]
fn systemd_accepts_the_units() {
    check_unit("watchfire.service", &["StateDirectory=watchfire"]);
    check_unit(
        "watchfire@.service",
        &[
            "StateDirectory=watchfire-%i",
            "Environment=WATCHFIRE_STATE_DIR=/var/lib/watchfire-%i",
        ],
    );
}

#[test]
fn the_units_differ_in_nothing_but_their_state() {
    let settings = |file: &str| -> Vec<String> {
        let text = deploy(file);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let own = ["StateDirectory=", "Environment=", "Description="];
        let common = lines.filter(|line| !own.iter().any(|own| line.starts_with(own)));
        common.map(str::to_owned).collect()
    };
    assert_eq!(
        settings("watchfire.service"),
        settings("watchfire@.service")
    );
}

#[test]
fn the_examples_are_toml_without_secrets() {
    for file in ["watchfire.kafka.toml", "watchfire.eventhubs.toml"] {
        let table: toml::Table = deploy(file).parse().unwrap();
        for key in ["app", "sources", "rules", "state_dir"] {
            assert!(table.contains_key(key), "{file}: {key}");
        }
        let kafka = table.get("kafka").and_then(toml::Value::as_table);
        let secret = kafka.is_some_and(|kafka| kafka.keys().any(|key| key.contains("password")));
        assert!(!secret, "{file} has a secret");
        // The unit and the image both keep rules and state in these places.
        assert_eq!(table["state_dir"].as_str(), Some("/var/lib/watchfire"));
        assert_eq!(
            table["rules"][0].as_str(),
            Some("/etc/watchfire/rules/azure")
        );
    }
}

#[test]
fn the_example_configurations_are_valid() {
    fn check(file: &str, environment: &[(&str, &str)]) {
        let text = deploy(file);
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let config = Config::build(Input {
            file: Some((file, &text)),
            environment: &environment,
            flags: Written::default(),
            read_secret: &|path| Err(format!("{path} is not to be read")),
            memory_limit: None,
        });
        let config = config.unwrap_or_else(|problems| panic!("{file}: {problems:?}"));
        assert!(config.missing_for_run().is_empty(), "{file}");
        assert!(config.warnings.is_empty(), "{file}: {:?}", config.warnings);
    }
    let login = "Endpoint=sb://example.servicebus.windows.net/;SharedAccessKeyName=listen;\
                 SharedAccessKey=c2VjcmV0";
    check(
        "watchfire.eventhubs.toml",
        &[("EVENTHUBS_CONNECTION_STRING", login)],
    );
    check("watchfire.kafka.toml", &[]);
}
