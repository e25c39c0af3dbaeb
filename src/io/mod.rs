//! All that touches the world: brokers, disks, files, the clock.

pub mod backtest;

pub mod files;

pub mod clock;

pub mod client;

pub mod store;

pub mod progress;

pub mod rule_files;
