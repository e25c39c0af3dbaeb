//! Watchfire: streaming detection for Azure events.
//!
//! # Code map
//!
//! The modules stand in the order in which an event meets them. Everything up to [`state`] is
//! pure: no clock, no file, no broker. Only [`io`] and [`cli`] touch the world.
//!
//! One event's way: [`decode`] cuts a Kafka message into records, [`normalise`] makes each one an
//! [`event`], [`detect`] tests it against the [`plan`]'s rules, [`shuffle`] packs what matched for
//! the matches topic, [`correlate`] folds that topic into the [`key`]s of the [`state`],
//! [`condition`] and [`episode`] say which [`incident`]s follow, [`publish`] what of them is news,
//! [`encode`] writes it. [`replay`] does the same for an input that ends.
//!
//! [`generate`] stands beside the path: a realistic stream of events, from a seed.

pub mod time;

pub mod record;

pub mod bytes;

pub mod decode;

pub mod event;

pub mod normalise;

pub mod rule;

pub mod plan;

pub mod detect;

pub mod shuffle;

pub mod watermark;

pub mod window;

pub mod aggregate;

pub mod key;

pub mod condition;

pub mod correlate;

pub mod incident;

pub mod episode;

pub mod publish;

pub mod replay;

pub mod encode;

pub mod state;

pub mod generate;

pub mod config;

pub mod io;

pub mod cli;
