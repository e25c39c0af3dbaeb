//! The clock. Nothing else in the crate reads it.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::stopwatch::Clock;
use crate::time::Millis;

/// Now, in milliseconds since 1970.
pub fn now() -> Millis {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Millis::try_from(since_1970.as_millis()).unwrap_or(Millis::MAX)
}

/// A clock that tells nanoseconds since now.
pub fn nanos() -> Clock {
    let start = instant();
    Arc::new(move || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// A point from which durations are measured.
pub fn instant() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    Instant::now()
}
