//! Watchfire: streaming detection for Azure events.
//!
//! # Code map
//!
//! The modules stand in the order in which an event meets them. All but [`io`] and [`cli`] is
//! pure: no clock, no file, no broker. What the words mean is told in docs/semantics.md, what each
//! room is for, and which files a match goes through, in docs/architecture.md.
//!
//! One event's way: [`decode`] cuts a Kafka message into records, [`normalise`] makes each one an
//! [`event`], [`detect`] tests it against the [`plan`]'s rules, [`matches`] packs what matched for
//! the matches topic, [`fold`] keeps what it comes to and says which [`incident`]s there are, and
//! [`encode`] writes them. [`replay`] does the same for an input that ends, [`explain`] says why,
//! [`rehearsal`] plays the tests of rules, and [`report`] shows what was found.
//!
//! Beside the path stand [`bookmark`], by which logs are known again, [`escape`], which all text
//! takes that people see, [`version`], [`generate`], a realistic stream of events from a seed, and
//! [`canary`], faults for tests to switch on.

pub mod time;

pub mod record;

pub mod bookmark;

pub mod correlation;

pub mod bounded;

pub mod bytes;

mod spread;

pub mod stopwatch;

pub mod canonical;

pub mod escape;

pub mod version;

pub mod decode;

pub mod event;

mod slots;

pub mod normalise;

pub mod rule;

pub mod plan;

pub mod detect;

pub mod matches;

pub mod fold;

pub mod incident;

pub mod replay;

pub mod explain;

pub mod rehearsal;

pub mod report;

pub mod encode;

pub mod generate;

pub mod canary;

pub mod config;

#[cfg(feature = "shell")]
pub mod io;

#[cfg(feature = "shell")]
pub mod cli;
