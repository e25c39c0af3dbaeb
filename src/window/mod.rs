//! Which panes lie in which window. Knows seconds, never what a pane holds.

mod sliding;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

pub use sliding::Sliding;

use crate::time::{DAY, Second, day_start};

/// The panes of the window that ends with pane `t`: `(t - width, t]`.
pub fn ending_at(t: Second, width: Second) -> RangeInclusive<Second> {
    t - width + 1..=t
}

/// The panes whose windows pane `p` lies in: `[p, p + width)`.
pub fn reached_by(p: Second, width: Second) -> RangeInclusive<Second> {
    p..=p + width - 1
}

/// Which of the windows laid end to end from `first` on `t` lies in, from 0.
pub fn number(first: Second, t: Second, width: Second) -> Second {
    (t - first).div_euclid(width)
}

/// Whether a trigger at `next` still belongs to the episode that last triggered at `last`.
pub fn same_episode(last: Second, next: Second, quiet: Second) -> bool {
    next - last <= quiet && day_start(last) == day_start(next)
}

/// The second at which an episode that last triggered at `last` ends, and whether the end of
/// its UTC day ended it rather than quiet.
pub fn episode_end(last: Second, quiet: Second) -> (Second, bool) {
    let midnight = day_start(last) + DAY;
    (midnight.min(last + quiet), midnight <= last + quiet)
}

/// The union of windows ending at each of `ends`, which ascend: disjoint ranges, ascending.
pub fn union(ends: impl Iterator<Item = Second>, width: Second) -> Vec<RangeInclusive<Second>> {
    let mut ranges: Vec<RangeInclusive<Second>> = Vec::new();
    for end in ends {
        let window = ending_at(end, width);
        match ranges.last_mut() {
            Some(last) if *window.start() <= last.end() + 1 => *last = *last.start()..=end,
            Some(_) | None => ranges.push(window),
        }
    }
    ranges
}
