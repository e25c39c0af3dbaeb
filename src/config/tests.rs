use super::keys::{KEYS, Kind, Usual, names};
use super::*;

const BROKERS: &str = "[kafka]\n\"bootstrap.servers\" = \"b:9092\"\n";
const HUB: &str =
    "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=hush=";

/// What follows from flags, a file's text, variables (`NAME=value`), and files that hold secrets.
pub(super) fn built(
    flags: Written,
    text: &str,
    variables: &[&str],
    secrets: &[(&str, &str)],
) -> Result<Config, Vec<String>> {
    let environment = variables
        .iter()
        .map(|variable| variable.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Config::build(Input {
        file: Some(("w.toml", text)),
        environment: &environment,
        flags,
        read_secret: &|path| {
            let found = secrets.iter().find(|(known, _)| *known == path);
            let found = found.map(|(_, secret)| (*secret).to_owned());
            found.ok_or_else(|| "no such file".to_owned())
        },
        memory_limit: None,
    })
}

/// Builds from a file's text and variables (`NAME=value`), and shows what `show` makes of it, or
/// the problems.
fn check(text: &str, variables: &[&str], show: fn(&Config) -> String, expected: &str) {
    check_flags(Written::default(), text, variables, show, expected);
}

/// The same under flags.
fn check_flags(
    flags: Written,
    text: &str,
    variables: &[&str],
    show: fn(&Config) -> String,
    expected: &str,
) {
    let built = built(flags, text, variables, &[("/run/hush", "hush\n")]);
    let shown = built
        .as_ref()
        .map_or_else(|problems| problems.join("\n"), show);
    assert_eq!(shown, expected, "{text} {variables:?}");
    assert!(
        !format!("{built:?}").contains("hush"),
        "a secret is shown: {built:?}"
    );
}

#[test]
fn defaults_and_layers() {
    let interval = |config: &Config| format!("{:?}", config.commit_interval);
    check(BROKERS, &[], interval, "100ms");
    let written = format!("commit_interval = \"250ms\"\n{BROKERS}");
    check(&written, &[], interval, "250ms");
    check(&written, &["WATCHFIRE_COMMIT_INTERVAL=1s"], interval, "1s");
    let sources = |config: &Config| config.sources.join("+");
    check(BROKERS, &["WATCHFIRE_SOURCES=a, b"], sources, "a+b");
    let app = |config: &Config| config.app.clone();
    check(BROKERS, &["WATCHFIRE_APP=7"], app, "7");
    let limits = |config: &Config| format!("{:?}", config.settings.limits);
    check(
        BROKERS,
        &["WATCHFIRE_LIMITS_EVIDENCE=9"],
        limits,
        "Limits { evidence: 9, distinct_values: 10000, message_bytes: 900000 }",
    );
    let decoding = |config: &Config| {
        let decode::Limits {
            message_bytes,
            records,
            nesting,
        } = config.decoding;
        format!("{message_bytes} {records} {nesting}")
    };
    check(BROKERS, &[], decoding, "67108864 100000 128");
    check(
        &format!("[limits]\nsource_message_bytes = \"1MiB\"\nsource_nesting = 9\n{BROKERS}"),
        &["WATCHFIRE_LIMITS_SOURCE_RECORDS=7"],
        decoding,
        "1048576 7 9",
    );
    check(
        &format!("[limits]\nsource_nesting = 129\nsource_records = 0\n{BROKERS}"),
        &[],
        decoding,
        "limits.source_message_bytes, limits.source_records: must be at least 1\n\
         limits.source_nesting: must be from 1 to 128",
    );
    let cache = |config: &Config| config.block_cache_bytes.to_string();
    check(
        &format!("[state]\nblock_cache = \"16MiB\"\n{BROKERS}"),
        &[],
        cache,
        "16777216",
    );
}

#[test]
fn memory_follows_its_limit() {
    let of = |memory_limit: Option<u64>, text: &str| {
        let config = Config::build(Input {
            file: Some(("w.toml", text)),
            environment: &BTreeMap::new(),
            flags: Written::default(),
            read_secret: &|_| Err("there are no secrets".to_owned()),
            memory_limit,
        });
        let config = config.unwrap();
        [
            config.keys_bytes,
            config.recovery_bytes,
            config.block_cache_bytes,
            config.write_buffer_bytes,
        ]
        .map(|bytes| bytes >> 20)
    };
    assert_eq!(of(None, BROKERS), [512, 512, 256, 64]);
    assert_eq!(of(Some(8 << 30), BROKERS), [512, 512, 256, 64]);
    assert_eq!(of(Some(512 << 20), BROKERS), [36, 42, 24, 18]);
    assert_eq!(of(Some(1 << 20), BROKERS), [8, 8, 8, 4]);
    let written = format!("[state]\nkeys = \"300MiB\"\n{BROKERS}");
    assert_eq!(of(Some(512 << 20), &written), [300, 42, 24, 18]);
}

#[test]
fn every_key_can_come_from_the_environment() {
    for key in names() {
        let found = Written::from_variable(key, "\u{0}");
        assert!(
            !found.is_err_and(|error| error.contains("unknown field")),
            "{key}"
        );
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let nothing = |_: &Config| "built".to_owned();
    check(
        &format!("app = \"a\"\nsauces = []\n{BROKERS}"),
        &[],
        nothing,
        "w.toml:2: the key sauces is not known; did you mean sources?",
    );
    check(
        "patience = \"soon\"",
        &[],
        nothing,
        "w.toml:1: patience: expected a duration such as \"15m\"",
    );
    check(
        "patience = \"3h\"\napp = \"a b\"",
        &["WATCHFIRE_LATENESS=x"],
        nothing,
        "WATCHFIRE_LATENESS: expected a duration such as \"15m\"\n\
         no brokers: set \"bootstrap.servers\" under [kafka], or EVENTHUBS_CONNECTION_STRING\n\
         app: expected 1 to 200 of the characters a-z A-Z 0-9 . _ -\n\
         lateness: must be at least patience",
    );
    check(
        &format!("{BROKERS}\"acks\" = 1"),
        &[],
        nothing,
        "kafka.\"acks\" is set by watchfire itself; remove it",
    );
}

#[test]
fn secrets_come_from_the_environment_or_a_file() {
    let password = |config: &Config| {
        config.kafka.secrets["sasl.password"]
            .reveal()
            .chars()
            .rev()
            .collect()
    };
    check(
        BROKERS,
        &["WATCHFIRE_KAFKA_SASL_PASSWORD=hush"],
        password,
        "hsuh",
    );
    check(
        &format!("{BROKERS}\"sasl.password_file\" = \"/run/hush\""),
        &[],
        password,
        "hsuh",
    );
    check(
        BROKERS,
        &["WATCHFIRE_KAFKA_SASL_PASSWORD_FILE=/run/hush"],
        password,
        "hsuh",
    );
    check(
        &format!("{BROKERS}\"sasl.password\" = \"hush\""),
        &[],
        password,
        "kafka.\"sasl.password\" is a secret and cannot stand in the configuration; put it into \
         the environment as WATCHFIRE_KAFKA_SASL_PASSWORD, or into a file that \
         \"sasl.password_file\" names",
    );
    check(
        &format!("{BROKERS}sasl.password_file = \"/run/x\""),
        &[],
        password,
        "kafka.\"sasl.password_file\": the file that it names cannot be read: no such file",
    );
}

#[test]
fn a_connection_string_is_enough_for_event_hubs() {
    let shown = |config: &Config| {
        let kafka = &config.kafka;
        let get = |key| kafka.properties.get(key).cloned().unwrap_or_default();
        format!(
            "{} {} {} {} {} {:?} {:?}",
            get("bootstrap.servers"),
            get("security.protocol"),
            get("sasl.username"),
            get("connections.max.idle.ms"),
            kafka.secrets.len(),
            config.commit_interval,
            config.sources,
        )
    };
    let rest = "SASL_SSL $ConnectionString 180000 1 300ms";
    check(
        "",
        &[&format!(
            "EVENTHUBS_CONNECTION_STRING={HUB};EntityPath=logs"
        )],
        shown,
        &format!("ns.servicebus.windows.net:9093 {rest} [\"logs\"]"),
    );
    check(
        &format!("sources = [\"a\"]\n{BROKERS}"),
        &[&format!("EVENTHUBS_CONNECTION_STRING={HUB}")],
        shown,
        &format!("ns.servicebus.windows.net:9093 {rest} [\"a\"]"),
    );
    check(
        "",
        &["EVENTHUBS_CONNECTION_STRING=hush"],
        shown,
        "EVENTHUBS_CONNECTION_STRING: the connection string has no = in its part 1; copy the whole \
         connection string from the namespace's shared access policies",
    );
}

#[test]
fn variables_of_services_are_passed_over() {
    let shown = |config: &Config| format!("{} {:?}", config.kafka.brokers(), config.warnings);
    check(
        BROKERS,
        &[
            "WATCHFIRE_KAFKA_PORT=tcp://10.0.0.1:9092",
            "WATCHFIRE_KAFKA_PORT_9092_TCP=tcp://10.0.0.1:9092",
            "WATCHFIRE_KAFKA_PORT_9092_TCP_ADDR=10.0.0.1",
            "WATCHFIRE_KAFKA_PORT_9092_TCP_PORT=9092",
            "WATCHFIRE_KAFKA_PORT_9092_TCP_PROTO=tcp",
            "WATCHFIRE_KAFKA_SERVICE_HOST=10.0.0.1",
            "WATCHFIRE_KAFKA_SERVICE_PORT=9092",
            "WATCHFIRE_KAFKA_SERVICE_PORT_TCP_KAFKA=9092",
            "WATCHFIRE_SERVICE_HOST=10.0.0.2",
        ],
        shown,
        "b:9092 [\"WATCHFIRE_SERVICE_HOST come from a service named watchfire, not from you: \
         ignored\", \"WATCHFIRE_KAFKA_PORT, WATCHFIRE_KAFKA_PORT_9092_TCP, \
         WATCHFIRE_KAFKA_PORT_9092_TCP_ADDR, WATCHFIRE_KAFKA_PORT_9092_TCP_PORT, \
         WATCHFIRE_KAFKA_PORT_9092_TCP_PROTO, WATCHFIRE_KAFKA_SERVICE_HOST, \
         WATCHFIRE_KAFKA_SERVICE_PORT, WATCHFIRE_KAFKA_SERVICE_PORT_TCP_KAFKA come from a service \
         named watchfire-kafka, not from you: ignored\"]",
    );
    let warnings = |config: &Config| config.warnings.join("\n");
    check(
        BROKERS,
        &["WATCHFIRE_PATIENC=1m"],
        warnings,
        "the environment variable WATCHFIRE_PATIENC means nothing; did you mean \
         WATCHFIRE_PATIENCE?",
    );
    check(
        BROKERS,
        &["WATCHFIRE_VERSION=1"],
        warnings,
        "the environment variable WATCHFIRE_VERSION means nothing",
    );
}

#[test]
fn what_is_nearly_right_is_named() {
    let warnings = |config: &Config| config.warnings.join("\n");
    check(
        BROKERS,
        &[
            "EVENT_HUB_CONNECTION_STRING=x",
            "EVENTGRID_CONNECTION_STRING=x",
        ],
        warnings,
        "the environment variable EVENT_HUB_CONNECTION_STRING means nothing; did you mean \
         EVENTHUBS_CONNECTION_STRING?",
    );
    check(
        "",
        &["WATCHFIRE_KAFKA_BOOTSTRAP_SERVER=b:9092"],
        warnings,
        "no brokers: set \"bootstrap.servers\" under [kafka], or EVENTHUBS_CONNECTION_STRING \
         (\"bootstrap.server\" is none of its properties)",
    );
}

#[test]
fn flags_stand_over_the_connection_string() {
    fn check(brokers: &str, expected: &str) {
        let flags = Written {
            kafka: [("bootstrap.servers".to_owned(), brokers.into())].into(),
            ..Written::default()
        };
        let shown = |config: &Config| {
            format!(
                "{} {} {} {:?} {}",
                config.kafka.brokers(),
                config.kafka.secrets.len(),
                config.kafka.event_hubs,
                config.sources,
                config.warnings.join(" "),
            )
        };
        let hub = format!("EVENTHUBS_CONNECTION_STRING={HUB};EntityPath=logs");
        check_flags(flags, BROKERS, &[&hub], shown, expected);
    }
    check(
        "other:9092",
        "other:9092 0 false [] EVENTHUBS_CONNECTION_STRING is not used: --brokers says where the \
         brokers are",
    );
    let host = "ns.servicebus.windows.net";
    check(
        &format!("{host}:19093"),
        &format!("{host}:19093 1 true [\"logs\"] "),
    );
    check(
        "Endpoint=sb://ns/;SharedAccessKey=hush",
        "kafka.\"bootstrap.servers\" holds a connection string; put it into the environment as \
         EVENTHUBS_CONNECTION_STRING, or into a file that EVENTHUBS_CONNECTION_STRING_FILE names",
    );
}

#[test]
fn addresses_of_brokers_are_looked_at() {
    fn check(brokers: &str, expected: &str) {
        let text = format!("[kafka]\n\"bootstrap.servers\" = \"{brokers}\"");
        super::tests::check(
            &text,
            &[],
            |config| config.kafka.brokers().to_owned(),
            expected,
        );
    }
    for good in [
        "b",
        "b:9092, c:9093",
        "ssl://b.c:9093",
        "[::1]:9092",
        "[::1]",
    ] {
        check(good, good);
    }
    for (bad, number) in [
        ("b:c", 1),
        ("b:9092,,", 2),
        ("hush=", 1),
        ("a b:9092", 1),
        ("b:70000", 1),
    ] {
        let problem = format!("kafka.\"bootstrap.servers\": address {number} is not host:port");
        check(bad, &problem);
    }
    check(
        "b:9092,http://hush:9092",
        "kafka.\"bootstrap.servers\": address 2 is of another protocol than Kafka's: write \
         host:port",
    );
}

/// What `text` and `variables` are complained of; the key of a connection string must not be in it.
fn complained(text: &str, variables: &[(&str, &str)]) -> String {
    let environment = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let built = Config::build(Input {
        file: Some(("w.toml", text)),
        environment: &environment,
        flags: Written::default(),
        read_secret: &|path| match path {
            "/run/hush" => Ok("hush\n".to_owned()),
            _ => Err("no such file".to_owned()),
        },
        memory_limit: None,
    });
    let said = match built {
        Ok(config) => config.warnings.join("; "),
        Err(problems) => problems.join("; "),
    };
    let halves = ["hUsh", "HuSh", "kEy"];
    assert!(
        !halves.iter().any(|half| said.contains(half)),
        "{text} {variables:?}: {said}"
    );
    said
}

#[test]
fn no_value_is_shown_wherever_the_key_was_written() {
    let key = "hUsh+kEy/HuSh=";
    let whole = format!(
        "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey={key}"
    );
    let keys = names().filter(|key| !key.contains('.'));
    for name in keys.chain(["kafka", "limits", "state", "EVENTHUBS_CONNECTION_STRING"]) {
        for value in [&whole, key] {
            // As text, as a list, without quotes, within a table, and as a name.
            let said = complained(&format!("{name} = '{value}'\n{BROKERS}"), &[]);
            assert!(!said.is_empty() || name == "state_dir", "{name} = {value}");
            complained(&format!("{name} = ['{value}']\n{BROKERS}"), &[]);
            complained(&format!("{name} = {value}\n{BROKERS}"), &[]);
            complained(&format!("[{name}]\nx = '{value}'"), &[]);
            complained(&format!("'{value}' = '{name}'"), &[]);
            complained(&format!("{value}\n"), &[]);
            complained(&format!("{name} = \"{value}\n"), &[]);
        }
    }
    for name in names() {
        let variable = format!("WATCHFIRE_{}", name.to_ascii_uppercase().replace('.', "_"));
        complained(BROKERS, &[(&variable, &whole)]);
        complained(BROKERS, &[(&variable, key)]);
    }
    for property in [
        "bootstrap.servers",
        "client.id",
        "sasl.username",
        "sasl.password",
        "acks",
    ] {
        let said = complained(&format!("[kafka]\n\"{property}\" = '{whole}'"), &[]);
        assert!(said.contains(property), "{property}: {said}");
        complained(&format!("[kafka]\n\"{property}_file\" = '{whole}'"), &[]);
    }
    for variable in [
        "EVENTHUBS_CONNECTION_STRING_FILE",
        "WATCHFIRE_KAFKA_SASL_PASSWORD_FILE",
    ] {
        let said = complained(BROKERS, &[(variable, &whole)]);
        assert!(said.contains("cannot be read"), "{variable}: {said}");
    }
    let user = ("WATCHFIRE_KAFKA_SASL_USERNAME", "$ConnectionString");
    let cut = whole.replace("SharedAccessKey=", "SharedAccessKey");
    let said = complained(BROKERS, &[user, ("WATCHFIRE_KAFKA_SASL_PASSWORD", &cut)]);
    assert!(
        said.starts_with("kafka.\"sasl.password\": the connection string"),
        "{said}"
    );
    let jaas = format!("org.Plain required password=\"{whole}\";");
    let said = complained(BROKERS, &[("WATCHFIRE_KAFKA_SASL_JAAS_CONFIG", &jaas)]);
    assert!(said.contains("is the Java client's"), "{said}");
}

#[test]
fn defaults_are_as_they_are_said() {
    let mut said: std::collections::BTreeMap<&str, Vec<String>> = Default::default();
    for key in KEYS {
        let (section, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if let Usual::Is(text) = key.default {
            let bare = matches!(key.kind, Kind::Number | Kind::Bool);
            let value = if bare {
                text.to_owned()
            } else {
                format!("\"{text}\"")
            };
            let lines = said.entry(section).or_default();
            lines.push(format!("{name} = {value}"));
        }
    }
    let text: Vec<String> = said
        .into_iter()
        .map(|(section, lines)| match section {
            "" => lines.join("\n"),
            _ => format!("[{section}]\n{}", lines.join("\n")),
        })
        .collect();
    let written = built(
        Written::default(),
        &format!("{}\n{BROKERS}", text.join("\n")),
        &[],
        &[],
    );
    let nothing = built(Written::default(), BROKERS, &[], &[]);
    assert_eq!(format!("{written:?}"), format!("{nothing:?}"));
}

#[test]
fn what_holds_is_shown_with_where_it_comes_from() {
    let shown = |flags: Written, text: &str, variables: &[(&str, &str)]| -> Vec<String> {
        let environment = variables.iter();
        let environment = environment.map(|(name, value)| (name.to_string(), value.to_string()));
        let environment = environment.collect();
        let input = Input {
            file: Some(("w.toml", text)),
            environment: &environment,
            flags,
            read_secret: &|_| Ok("hush".to_owned()),
            memory_limit: None,
        };
        let config = Config::build(input.clone()).unwrap();
        let all = shown::settings(&input, &config);
        let known = all
            .iter()
            .filter(|one| one.from != shown::Origin::Default(""));
        let known = known.filter(|one| one.value.is_some());
        let line = |one: &shown::Setting| {
            let value = one.value.as_deref().unwrap();
            format!("{} {value} {:?}", one.key, one.from)
        };
        known.map(line).collect()
    };
    let flags = Written {
        app: Some("f".to_owned()),
        ..Written::default()
    };
    let text = "app = \"a\"\npatience = \"1m\"\nrules = [\n  \"r\",\n]\n[state]\nkeys = 9000000\n\
                [kafka]\n\"bootstrap.servers\" = \"b:9092\"\n\"sasl.password_file\" = \"/p\"\n";
    let file = |line| format!("Line {{ file: \"w.toml\", line: {line} }}");
    let variables = [
        ("WATCHFIRE_PATIENCE", "2m"),
        ("WATCHFIRE_KAFKA_CLIENT_ID", "c"),
    ];
    let expected = [
        "app \"f\" Flag".to_owned(),
        format!("rules [ \"r\", ] {}", file(3)),
        "patience \"2m\" Variable(\"WATCHFIRE_PATIENCE\")".to_owned(),
        format!("state.keys 9000000 {}", file(7)),
        format!("kafka.\"bootstrap.servers\" \"b:9092\" {}", file(9)),
        "kafka.\"client.id\" \"c\" Variable(\"WATCHFIRE_KAFKA_CLIENT_ID\")".to_owned(),
        format!("kafka.\"sasl.password\" (not shown) {}", file(10)),
    ];
    assert_eq!(shown(flags, text, &variables), expected);

    let hub = format!("{HUB};EntityPath=insights");
    let found = shown(
        Written::default(),
        "",
        &[("EVENTHUBS_CONNECTION_STRING", &hub)],
    );
    assert!(!found.join("\n").contains("hush"), "{found:?}");
    let variable = "Variable(\"EVENTHUBS_CONNECTION_STRING\")";
    for line in [
        format!("sources [\"insights\"] {variable}"),
        "commit_interval \"300ms\" EventHubs".to_owned(),
        format!("kafka.\"sasl.password\" (not shown) {variable}"),
    ] {
        assert!(found.contains(&line), "{line}: {found:#?}");
    }
}

#[test]
fn the_schema_in_the_repository_is_that_of_the_program() {
    let shipped = include_str!("../../schemas/config.schema.json");
    let made = serde_json::to_string_pretty(&schema::schema()).unwrap();
    assert!(
        shipped.trim_end() == made,
        "write it anew: watchfire config schema > schemas/config.schema.json"
    );
}

#[test]
fn the_readme_says_every_key_and_its_default() {
    let readme = include_str!("../../README.md");
    let table = readme.split_once("| key | default | means |").unwrap().1;
    let table = table.split_once("\n\n").unwrap().0;
    for key in KEYS.iter().filter(|key| !key.name.starts_with("login.")) {
        let (section, name) = key.name.split_once('.').unwrap_or(("", key.name));
        let wanted = match section {
            "" => format!("`{name}`"),
            _ => format!("`[{section}]`"),
        };
        let mut lines = table.lines();
        let line = lines.find(|line| line.starts_with("| ") && line.contains(&wanted));
        let line = line.unwrap_or_else(|| panic!("{} is not said", key.name));
        assert!(line.contains(&format!("`{name}`")), "{}", key.name);
        if let Usual::Is(text) = key.default {
            assert!(line.contains(text), "{}: {text}", key.name);
        }
    }
}
