//! Everything that touches the world: files, brokers, the store, the clock.

pub mod files;
