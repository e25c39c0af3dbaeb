//! All that touches the world: brokers, disks, files, the clock, memory.

pub mod memory;

pub mod cgroup;

pub mod interrupt;

pub mod backtest;

pub mod files;

pub mod rule_files;

pub mod foreign_files;

pub mod rule_set;

pub mod progress;

pub mod clock;

pub mod lock;

pub mod login;

pub mod beside;

pub mod pool;

pub mod client;

pub mod topics;

pub mod rules_topic;

pub mod identity;

pub mod group;

mod known_again;

pub mod noting;

pub mod producer;

pub mod loss;

pub mod transactions;

pub mod sink;

pub mod ends;

mod stage;

pub mod detect;

pub mod state_dir;

pub mod store;

pub mod correlate;

pub mod behind;

pub mod status;

pub mod metrics;

pub mod http;

pub mod reload;

pub mod replaced;

pub mod worker;

pub mod tail;

pub mod append;

pub mod demo;
