//! The second stage, all of it, without a broker: what a matches partition's log comes to.
//!
//! In the order in which a message meets them: [`partition`] takes messages and drives all the
//! rest, [`admission`] passes what a worker can have written, [`sources`] hears positions and
//! times, [`work`] takes a message apart, [`slices`] choose the keys that it touches or makes due,
//! which [`state`] keeps, and [`evaluate`] brings a key through a message. A [`key`] knows its
//! panes, cut by [`window`] and counted by [`aggregate`]; [`condition`] says where its rule
//! triggers, [`episode`] which incidents follow and what of them is news.
//!
//! No file uses one that uses it, and no room does. docs/architecture.md lists them one by one.

pub mod partition;

pub mod place;

pub mod folded;

pub mod admission;

pub mod sources;

pub mod work;

pub mod slices;

pub mod state;

pub mod names;

pub mod evaluate;

pub mod excepted;

pub mod context;

pub mod key;

pub mod few;

pub mod window;

pub mod aggregate;

pub mod condition;

pub mod episode;
