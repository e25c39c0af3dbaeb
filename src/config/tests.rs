use super::*;

const BROKERS: &str = "[kafka]\n\"bootstrap.servers\" = \"b:9092\"\n";
const HUB: &str =
    "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=hush=";

/// Builds from a file's text and variables (`NAME=value`), and shows what `show` makes of it, or
/// the problems.
fn check(text: &str, variables: &[&str], show: fn(&Config) -> String, expected: &str) {
    let environment = variables
        .iter()
        .map(|variable| variable.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let built = Config::build(Input {
        file: Some(("w.toml", text)),
        environment: &environment,
        flags: Written::default(),
        read_secret: &|path| match path {
            "/run/hush" => Ok("hush\n".to_owned()),
            _ => Err("no such file".to_owned()),
        },
    });
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
fn every_key_can_come_from_the_environment() {
    for key in KEYS {
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
        "w.toml:2: unknown field `sauces`, expected one of `app`, `sources`, `rules`, \
         `state_dir`, `delivery`, `patience`, `lateness`, `start`, `commit_interval`, \
         `watermark_interval`, `broker_timeout`, `static_membership`, `status_interval`, \
         `matches_partitions`, `incidents_partitions`, `matches_retention`, `longest_outage`, \
         `accept_incomplete_state`, `limits`, `state`, `kafka`",
    );
    check(
        "patience = \"soon\"",
        &[],
        nothing,
        "w.toml:1: found \"soon\", expected a duration such as \"15m\"",
    );
    check(
        "patience = \"3h\"\napp = \"a b\"",
        &["WATCHFIRE_LATENESS=x"],
        nothing,
        "WATCHFIRE_LATENESS: found \"x\", expected a duration such as \"15m\"\n\
         app: expected 1 to 200 of the characters a-z A-Z 0-9 . _ -\n\
         no brokers: set \"bootstrap.servers\" under [kafka], or EVENTHUBS_CONNECTION_STRING\n\
         lateness: must be at least patience",
    );
    check(
        &format!("{BROKERS}\"acks\" = 1"),
        &[],
        nothing,
        "kafka.\"acks\" is set by watchfire itself; remove it",
    );
    let warnings = |config: &Config| config.warnings.join("\n");
    check(
        BROKERS,
        &["WATCHFIRE_SERVICE_HOST=10.0.0.1"],
        warnings,
        "the environment variable WATCHFIRE_SERVICE_HOST means nothing",
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
        "kafka.\"sasl.password_file\": /run/x cannot be read: no such file",
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
        "EVENTHUBS_CONNECTION_STRING has no Endpoint=sb://NAMESPACE/; copy the whole connection \
         string from the namespace's shared access policies\n\
         no brokers: set \"bootstrap.servers\" under [kafka], or EVENTHUBS_CONNECTION_STRING",
    );
}
