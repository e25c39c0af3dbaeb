//! All integration tests, in one binary.

mod oracle;
mod rng;
mod sim;
mod world;
