//! How long things take, by what they are done for: some of them are timed and stand for all, so
//! that it costs nothing. Nothing is decided by that; it is for the operator.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Nanoseconds.
pub type Nanos = u64;

/// Tells nanoseconds since some time, never fewer than before.
pub type Clock = Arc<dyn Fn() -> Nanos + Send + Sync>;

/// One in so many is timed.
const EVERY: u32 = 64;

/// Times some of what is done.
pub struct Stopwatch<K> {
    /// `None`: nothing is timed.
    clock: Option<Clock>,
    /// Things until one is timed.
    left: u32,
    /// When the last part was done, if this thing is timed.
    last: Option<Nanos>,
    times: BTreeMap<K, Nanos>,
}

impl<K> Default for Stopwatch<K> {
    fn default() -> Stopwatch<K> {
        Stopwatch {
            clock: None,
            left: 0,
            last: None,
            times: BTreeMap::new(),
        }
    }
}

/// Another one of the same clock, which has timed nothing.
impl<K> Clone for Stopwatch<K> {
    fn clone(&self) -> Stopwatch<K> {
        Stopwatch {
            clock: self.clock.clone(),
            ..Stopwatch::default()
        }
    }
}

impl<K> fmt::Debug for Stopwatch<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopwatch").finish_non_exhaustive()
    }
}

impl<K: Ord> Stopwatch<K> {
    /// Things are timed by this clock from now on.
    pub fn go_by(&mut self, clock: Clock) {
        self.clock = Some(clock);
    }

    /// Something begins.
    pub fn next(&mut self) {
        self.last = None;
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => {
                self.left = EVERY - 1;
                self.last = self.clock.as_ref().map(|clock| clock());
            }
        }
    }

    /// A part of it is done, for `key`.
    pub fn lap(&mut self, key: K) {
        if let (Some(last), Some(clock)) = (self.last, &self.clock) {
            let now = clock();
            self.last = Some(now);
            let time = self.times.entry(key).or_default();
            *time += now.saturating_sub(last) * Nanos::from(EVERY);
        }
    }

    /// How long all of it took since that was last taken, about.
    pub fn take(&mut self) -> BTreeMap<K, Nanos> {
        std::mem::take(&mut self.times)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn some_stand_for_all() {
        let mut stopwatch = Stopwatch::default();
        let now = AtomicU64::new(0);
        stopwatch.go_by(Arc::new(move || now.fetch_add(10, Ordering::Relaxed)));
        for _ in 0..3 * EVERY {
            stopwatch.next();
            stopwatch.lap("a");
        }
        let times = BTreeMap::from([("a", 3 * 10 * Nanos::from(EVERY))]);
        assert_eq!(stopwatch.take(), times);
        assert!(stopwatch.take().is_empty());
        let mut without = Stopwatch::default();
        without.next();
        without.lap("a");
        assert!(without.take().is_empty());
    }
}
