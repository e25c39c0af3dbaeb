//! How far the worker is behind its sources, over both stages.
//!
//! The stages look at the ends of their topics now and then, each by itself. Nobody is behind once
//! the first stage has reached the ends that it saw at some time and committed what came of it, and
//! then the second has reached ends that it saw after that commit. A stream never stands still, so
//! there is always more by then: what counts is how long ago that time is.

use std::time::{Duration, Instant};

/// What the stages have reached.
#[derive(Debug, Default)]
pub struct Behind {
    /// The first stage has reached all that stood in its sources at some time, and what came of it
    /// is in the matches topic.
    detected: Option<Detected>,
    /// All that stood in the sources at this time is folded.
    folded: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Detected {
    looked: Instant,
    committed: Instant,
}

impl Behind {
    /// The first stage has reached the ends that it saw at `looked`, and committed that.
    pub fn detected(&mut self, looked: Instant, committed: Instant) {
        // The earliest that the second stage has not reached: a later one would move away from it.
        self.detected.get_or_insert(Detected { looked, committed });
    }

    /// The second stage has reached the ends that it saw at `looked`.
    pub fn folded(&mut self, looked: Instant) {
        if let Some(detected) = self.detected.filter(|d| d.committed <= looked) {
            self.folded = Some(detected.looked);
            self.detected = None;
        }
    }

    /// How old the newest is of what is certainly worked off; `None`: nothing is yet.
    pub fn by(&self, now: Instant) -> Option<Duration> {
        self.folded
            .map(|folded| now.saturating_duration_since(folded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::clock;

    #[test]
    fn nobody_is_behind_when_both_stages_have_reached_the_ends_in_turn() {
        let start = clock::instant();
        let at = |second| start + Duration::from_secs(second);
        let mut behind = Behind::default();
        behind.folded(at(1));
        assert_eq!(
            behind.by(at(1)),
            None,
            "the first stage has reached nothing"
        );
        behind.detected(at(2), at(4));
        behind.folded(at(3));
        assert_eq!(behind.by(at(5)), None, "more was written after that look");
        behind.detected(at(4), at(5));
        behind.folded(at(4));
        assert_eq!(behind.by(at(5)), Some(Duration::from_secs(3)));
        behind.folded(at(7));
        assert_eq!(behind.by(at(9)), Some(Duration::from_secs(7)), "once only");
        behind.detected(at(8), at(8));
        behind.folded(at(8));
        assert_eq!(behind.by(at(9)), Some(Duration::from_secs(1)));
    }
}
