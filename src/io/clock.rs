//! The clock. Nothing else in the crate reads it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::time::Millis;

/// Now, in milliseconds since 1970.
pub fn now() -> Millis {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Millis::try_from(since_1970.as_millis()).unwrap_or(Millis::MAX)
}

/// A point from which durations are measured.
pub fn instant() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    Instant::now()
}
