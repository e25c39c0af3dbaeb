//! All integration tests, in one binary, so that the library is linked once.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may ask the clock, share a broker, panic to say what went wrong, and keep a \
              definition in one piece"
)]

mod aggregates;
mod backtest;
mod bounds;
mod chaos;
mod corpus;
mod dead_letters;
mod deploy;
mod downstream;
mod encodings;
mod events;
mod examples;
mod feed;
mod files;
mod formats;
mod fuzz;
mod golden;
mod import;
mod incidents;
mod index;
mod kafka;
mod life;
mod login;
mod long;
mod measure;
mod much;
mod oracle;
mod pack;
mod proxy;
mod reader;
mod recorded;
mod reference;
mod registry;
mod report;
mod rng;
mod scale;
mod schema;
mod shell;
mod sim;
mod tidy;
mod worker;
mod world;

/// Where `make test` keeps what it fetched: Kafka and the Python of the independent reader.
fn cache() -> std::path::PathBuf {
    let home = || std::path::Path::new(&std::env::var_os("HOME").unwrap()).join(".cache");
    let caches = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, Into::into);
    caches.join("watchfire")
}
