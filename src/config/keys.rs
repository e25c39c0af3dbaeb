//! What can be set: each key once, with its default and what it means. The environment, errors,
//! `config show` and the JSON Schema follow it.

/// What can be set.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name; `a.b` stands under `[a]`.
    pub name: &'static str,
    /// What it can be.
    pub kind: Kind,
    /// What it is where nothing is written.
    pub default: Usual,
    /// What it means, as a sentence.
    pub about: &'static str,
}

/// What a value can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A list of texts.
    Texts,
    /// A duration such as `15m`.
    Duration,
    /// A number of bytes, or text such as `64MiB`.
    Size,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Bool,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// What a key is where nothing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usual {
    /// This, as it would be written.
    Is(&'static str),
    /// A share of the memory that the process may take.
    Memory(Part),
    /// Nothing; said in words.
    Absent(&'static str),
}

/// Something that takes memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Keys in memory.
    Keys,
    /// Keys while a state is made anew.
    Recovery,
    /// Blocks of the state on disk.
    BlockCache,
    /// What is to be written to it.
    WriteBuffer,
}

/// The names of all keys.
pub fn names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}

const fn key(name: &'static str, kind: Kind, default: Usual, about: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        about,
    }
}

use Kind::{Bool, Duration, Number, OneOf, Size, Text, Texts};
use Usual::{Absent, Is, Memory};

/// Every key, in the order of the documentation. In the environment `a.b_c` is
/// `WATCHFIRE_A_B_C`; properties of `[kafka]` come besides.
pub const KEYS: [Key; 58] = [
    key(
        "app",
        Text,
        Is("watchfire"),
        "Prefix of topics, consumer groups and transactional ids.",
    ),
    key(
        "sources",
        Texts,
        Absent("the event hub that the connection string names, if it names one"),
        "Topics to read.",
    ),
    key(
        "rules",
        Texts,
        Absent("none"),
        "Rule files, and directories of them.",
    ),
    key(
        "attributes",
        Texts,
        Absent("those in folders `attributes` beside the rules alone"),
        "Files of attributes of your own, and directories of them, besides.",
    ),
    key(
        "tables",
        Texts,
        Absent("those in folders `tables` beside the rules alone"),
        "Tables of networks (MMDB, CSV), and directories of them, besides.",
    ),
    key(
        "state_dir",
        Text,
        Is("/var/lib/watchfire"),
        "Where the worker keeps its state.",
    ),
    key(
        "delivery",
        OneOf(&["exactly_once", "at_least_once"]),
        Absent("what the brokers can do"),
        "How output is tied to offsets.",
    ),
    key(
        "patience",
        Duration,
        Is("15m"),
        "How long a conclusion waits for events that Azure delivers late, where it must.",
    ),
    key(
        "lateness",
        Duration,
        Is("2h"),
        "Up to how late an event still corrects what was said.",
    ),
    key(
        "start",
        OneOf(&["earliest", "latest"]),
        Is("earliest"),
        "Where a partition begins that was never read.",
    ),
    key(
        "commit_interval",
        Duration,
        Is("100ms"),
        "Time from the beginning of a commit to that of the next; at least 300ms on Event Hubs.",
    ),
    key(
        "watermark_interval",
        Duration,
        Is("2s"),
        "Time between notes of how far each partition was read.",
    ),
    key(
        "broker_timeout",
        Duration,
        Is("5m"),
        "How long a broker may be away before the worker gives up.",
    ),
    key(
        "static_membership",
        Bool,
        Is("false"),
        "Whether a worker that is back within the session time-out has its partitions again.",
    ),
    key(
        "status_interval",
        Duration,
        Is("30s"),
        "Time between two lines of counters in the log.",
    ),
    key(
        "threads",
        Number,
        Is("0"),
        "Threads that detect and fold; 0: as many as there are processors.",
    ),
    key(
        "validate",
        OneOf(&["all", "matching"]),
        Is("all"),
        "Of which messages all records are read; matching: of those in which a record may match.",
    ),
    key(
        "on_broken_rules",
        OneOf(&["last_good", "stop"]),
        Is("last_good"),
        "What a start does whose rule files have errors.",
    ),
    key(
        "on_replaced_source",
        OneOf(&["stop", "restart"]),
        Is("stop"),
        "What becomes of a source partition that is another log than the one that was read.",
    ),
    key(
        "rule_tests",
        OneOf(&["require", "ignore"]),
        Is("ignore"),
        "Whether rules whose own tests fail are refused like rules with errors.",
    ),
    key(
        "rolling_change",
        Duration,
        Is("10m"),
        "How long workers may have different rules before each warns of it.",
    ),
    key(
        "matches_partitions",
        Number,
        Is("16"),
        "Partitions of the matches topic that `topics create` makes; never changes under one app.",
    ),
    key(
        "incidents_partitions",
        Number,
        Is("4"),
        "Partitions of the incidents topic that `topics create` makes.",
    ),
    key(
        "matches_retention",
        Duration,
        Absent("3d, or what the rules need"),
        "How long `topics create` has the matches topic keep messages.",
    ),
    key(
        "longest_outage",
        Duration,
        Is("1d"),
        "How long no worker may run before a state that is lost as well cannot be made anew.",
    ),
    key(
        "limits.evidence",
        Number,
        Is("5"),
        "Events that an incident names for each pattern.",
    ),
    key(
        "limits.distinct_values",
        Number,
        Is("10000"),
        "What COUNT(DISTINCT) counts exactly.",
    ),
    key(
        "limits.message_bytes",
        Size,
        Is("900000"),
        "The largest message written, and the largest incident.",
    ),
    key(
        "limits.source_message_bytes",
        Size,
        Is("64MiB"),
        "The largest message read.",
    ),
    key(
        "limits.source_records",
        Number,
        Is("100000"),
        "The records that are read of one message.",
    ),
    key(
        "limits.source_nesting",
        Number,
        Is("128"),
        "How deep a message may be nested.",
    ),
    key(
        "incidents.encoding",
        OneOf(&["avro", "json", "ocsf"]),
        Is("avro"),
        "How incidents are written: Avro single objects, JSON, or Detection Findings of OCSF.",
    ),
    key(
        "incidents.cloudevents",
        Bool,
        Is("false"),
        "Whether incidents have the headers of CloudEvents besides.",
    ),
    key(
        "incidents.test",
        Bool,
        Is("false"),
        "Whether incidents of rules under test (status: test) are published, with test: true.",
    ),
    key(
        "state.keys",
        Size,
        Memory(Part::Keys),
        "Memory for what is known of users and other keys in use.",
    ),
    key(
        "state.recovery",
        Size,
        Memory(Part::Recovery),
        "About as much besides while a lost state is made anew.",
    ),
    key(
        "state.block_cache",
        Size,
        Memory(Part::BlockCache),
        "Memory for what is read of the state on disk.",
    ),
    key(
        "state.write_buffer",
        Size,
        Memory(Part::WriteBuffer),
        "Memory for what is to be written to it.",
    ),
    key(
        "http.listen",
        Text,
        Absent("nothing is served"),
        "Address and port where health and metrics are served, such as 127.0.0.1:9464.",
    ),
    key(
        "http.token_file",
        Text,
        Absent("none"),
        "The file of the token that clients must have, but on this machine and for health.",
    ),
    key(
        "registry.url",
        Text,
        Absent("none is used"),
        "Where the schema registry is with which incidents in Avro are written.",
    ),
    key(
        "registry.kind",
        OneOf(&["confluent", "azure"]),
        Is("confluent"),
        "What it speaks: the API of Confluent's registry, or that of Azure's.",
    ),
    key(
        "registry.group",
        Text,
        Absent("none"),
        "The schema group, of Azure's.",
    ),
    key(
        "registry.register",
        Bool,
        Is("true"),
        "Whether a schema that it does not have is registered; false: then nothing starts.",
    ),
    key(
        "registry.username",
        Text,
        Absent("none"),
        "The name to log in with.",
    ),
    key(
        "registry.password_file",
        Text,
        Absent("none"),
        "The file of its password.",
    ),
    key(
        "registry.token_file",
        Text,
        Absent("none"),
        "The file of a token to log in with; without, Azure's gets one of Entra ID.",
    ),
    key(
        "registry.ca_file",
        Text,
        Absent("those of the system"),
        "Certificates that are trusted where the registry is.",
    ),
    key(
        "registry.certificate_file",
        Text,
        Absent("none"),
        "The file of our certificate, where the registry asks for one.",
    ),
    key(
        "registry.key_file",
        Text,
        Absent("none"),
        "The file of its key (PKCS #8).",
    ),
    key(
        "login.method",
        OneOf(&["client_secret", "managed_identity", "workload_identity"]),
        Absent("what the platform says"),
        "How tokens of Entra ID are got.",
    ),
    key(
        "login.tenant_id",
        Text,
        Absent("what the platform says"),
        "The tenant of the application.",
    ),
    key(
        "login.client_id",
        Text,
        Absent("what the platform says"),
        "The application, or which identity of a machine is meant.",
    ),
    key(
        "login.client_secret_file",
        Text,
        Absent("none"),
        "The file of the application's secret.",
    ),
    key(
        "login.token_file",
        Text,
        Absent("what the platform says"),
        "The file of the platform's token.",
    ),
    key(
        "login.authority",
        Text,
        Absent("https://login.microsoftonline.com"),
        "Where tokens are given.",
    ),
    key(
        "login.scope",
        Text,
        Absent("that of the brokers"),
        "What the token is for.",
    ),
    key(
        "login.ca_file",
        Text,
        Absent("those of the system"),
        "Certificates that are trusted where tokens are given.",
    ),
];
