//! What must not come between two triggers.

use super::side::{Side, better};
use crate::canary::{self, Canary};
use crate::fold::key::pane::End;
use crate::time::Second;

/// What must not come between two triggers, seen from the later one: it stops all whose last pane
/// is before `second`, and of those there the ones that it comes after.
pub struct Barrier {
    /// The greatest first pane of a trigger that comes before the later one.
    pub second: Second,
    /// The latest instant of what lies in that pane; `None`: one goes beyond it.
    latest: Option<End>,
}

impl Barrier {
    /// What of `between` lies in the window of what ends at `t` and is, in that pane, `earliest`.
    pub fn before(between: &Side<'_>, t: Second, earliest: End, window: Second) -> Option<Barrier> {
        if canary::is(Canary::UnlessIgnored) {
            return None;
        }
        let at_t = between.at(t).filter(|u| u.first > t - window);
        let at_t = at_t.filter(|u| precedes(u.earliest, earliest));
        let earlier = between.best(t - window + 1..=t - 1, t - window);
        let second = better(earlier, at_t)?.first;
        let goes_beyond = at_t.is_some_and(|u| u.first == second)
            || between.best(second + 1..=t - 1, second - 1).is_some();
        let at_second = between.at(second).map(|u| u.latest);
        Some(Barrier {
            second,
            latest: at_second.filter(|_| !goes_beyond),
        })
    }

    /// Whether it comes after the latest instant of something that ends in its own pane.
    pub fn stops(&self, before: End) -> bool {
        self.latest.is_none_or(|latest| precedes(before, latest))
    }
}

/// Whether one instant lies strictly before another.
fn precedes(one: End, other: End) -> bool {
    one.time < other.time || one.time == other.time && canary::is(Canary::UnlessAtOnce)
}
