//! Which panes lie in which window. Knows seconds, never what a pane holds.

mod blocks;
mod ranges;
mod seconds;
mod spans;
#[cfg(test)]
mod tests;
mod timeline;

use std::ops::RangeInclusive;

pub use blocks::{Blocks, Part};
pub use ranges::{EVER, Ranges};
pub use seconds::Seconds;
pub use spans::Spans;
pub use timeline::Timeline;

use crate::canary::{self, Canary};
use crate::time::{DAY, Second, day_start};

/// The panes of the window that ends with pane `t`: `(t - width, t]`.
pub fn ending_at(t: Second, width: Second) -> RangeInclusive<Second> {
    t - width + 1 - canary::slip(Canary::WindowEdge)..=t
}

/// The panes whose windows pane `p` lies in: `[p, p + width)`.
pub fn reached_by(p: Second, width: Second) -> RangeInclusive<Second> {
    p..=p + width - 1 - canary::slip(Canary::IncrementalShort)
}

/// Which of the windows laid end to end from `first` on `t` lies in, from 0.
pub fn number(first: Second, t: Second, width: Second) -> Second {
    (t - first).div_euclid(width)
}

/// Whether a trigger at `next` still belongs to the episode that last triggered at `last`, if
/// nothing between them ended it.
pub fn same_episode(last: Second, next: Second, quiet: Second) -> bool {
    next - last <= quiet && day_start(last) == day_start(next)
}

/// The second at which an episode that last triggered at `last` ends, and whether the end of
/// its UTC day ended it rather than quiet.
pub fn episode_end(last: Second, quiet: Second) -> (Second, bool) {
    let midnight = day_start(last) + DAY;
    (midnight.min(last + quiet), midnight <= last + quiet)
}

/// The first second of the slot that `t` lies in. Each UTC day is cut into slots as long as
/// `quiet`.
pub fn slot_start(t: Second, quiet: Second) -> Second {
    let day = day_start(t);
    day + (t - day) / quiet * quiet
}

/// The first second after that slot.
pub fn slot_end(t: Second, quiet: Second) -> Second {
    (day_start(t) + DAY).min(slot_start(t, quiet) + quiet)
}
