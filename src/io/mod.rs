//! All that touches the world: brokers, disks, files, the clock, memory.

pub mod memory;

pub mod cgroup;

pub mod interrupt;

pub mod disk;

pub mod backtest;

pub mod progress;

pub mod clock;

pub mod lock;

pub mod beside;

pub mod pool;

pub mod kafka;

pub mod noting;

mod stage;

pub mod detect;

pub mod correlate;

pub mod behind;

pub mod status;

pub mod histogram;

pub mod history;

pub mod latest;

pub mod registry;

pub mod roster;

pub mod asked;

pub mod overview;

pub mod metrics;

pub mod http;

pub mod reload;

pub mod worker;

pub mod demo;
