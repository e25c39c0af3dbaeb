//! The second stage, all of it, without a broker: what a matches partition's log comes to.
//!
//! In the order in which a message meets them: [`admission`] passes what a worker can have
//! written, [`sources`] hears positions and times, [`work`] brings the message to the keys that it
//! touches or makes due, which [`state`] keeps. A [`key`] knows its panes, cut by [`window`] and
//! counted by [`aggregate`]; [`condition`] says where its rule triggers, [`episode`] which
//! incidents follow and what of them is news.

pub mod partition;

pub mod place;

pub mod admission;

pub mod sources;

pub mod context;

pub mod evaluate;

pub mod work;

pub mod slices;

pub mod state;

pub mod key;

pub mod window;

pub mod aggregate;

pub mod condition;

pub mod episode;

pub mod few;

pub mod names;
