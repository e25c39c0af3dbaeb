//! All integration tests, in one binary.

mod golden;
mod oracle;
mod rng;
mod schema;
mod sim;
mod world;
