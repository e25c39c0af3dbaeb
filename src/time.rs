//! Event time: milliseconds since 1970-01-01T00:00:00Z, and the seconds (panes) made of them.

/// Milliseconds since the Unix epoch, UTC. Negative before 1970.
pub type Millis = i64;

/// Seconds since the Unix epoch, UTC: the number of a pane.
pub type Second = i64;

/// An event may lie this far past the timestamp of the message that brings it; beyond, it is
/// dated by that timestamp, for nothing is in the future.
pub const FUTURE_MAX: Millis = 300_000;

/// Seconds in a UTC day.
pub const DAY: Second = 86_400;

/// The pane a moment lies in: cut, never rounded.
pub fn second_of(millis: Millis) -> Second {
    millis.div_euclid(1000)
}

/// The first second of the UTC day that `second` lies in.
pub fn day_start(second: Second) -> Second {
    second.div_euclid(DAY) * DAY
}
