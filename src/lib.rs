//! Watchfire: streaming detection for Azure events.
//!
//! # Code map
//!
//! The modules stand in the order in which an event meets them. Everything up to [`state`] is
//! pure: no clock, no file, no broker. Only [`io`] and [`cli`] touch the world.
//!
//! One event's way: [`decode`] cuts a Kafka message into records, [`normalise`] makes each one an
//! [`event`], [`detect`] tests it against the [`plan`]'s rules, [`shuffle`] packs what matched for
//! the matches topic, [`admission`] passes what a worker can have written there, [`correlate`]
//! folds it into the [`key`]s of the [`state`]. The key's [`view`] says where patterns hold,
//! [`condition`] where the rule triggers, [`tally`] and [`episode`] which [`incident`]s follow,
//! [`publish`] what of them is news; [`settle`] forgets what is final, [`late`] looks at what came
//! too late. [`encode`] writes incidents. [`replay`] does the same for an input that ends,
//! [`explain`] says why, [`rehearsal`] plays the tests of rules, and [`report`] shows what was
//! found.
//!
//! Beside the path stand [`escape`], which all text takes that people see, [`version`],
//! [`generate`], a realistic stream of events from a seed, and [`canary`], faults for tests to
//! switch on.

pub mod time;

pub mod record;

pub mod bounded;

pub mod bytes;

pub mod escape;

pub mod version;

pub mod decode;

pub mod event;

pub mod normalise;

pub mod rule;

pub mod plan;

pub mod detect;

pub mod shuffle;

pub mod admission;

pub mod watermark;

pub mod window;

pub mod aggregate;

pub mod few;

pub mod key;

pub mod view;

pub mod condition;

pub mod incident;

pub mod tally;

pub mod episode;

pub mod publish;

pub mod settle;

pub mod late;

pub mod correlate;

pub mod replay;

pub mod explain;

pub mod rehearsal;

pub mod report;

pub mod encode;

pub mod state;

pub mod generate;

pub mod canary;

pub mod config;

#[cfg(feature = "shell")]
pub mod io;

#[cfg(feature = "shell")]
pub mod cli;
