//! How much one commit writes: less where brokers take it slowly, since a transaction that takes
//! too long is aborted, however often it is tried.

use std::time::Duration;

/// The bounds of what one commit writes, in bytes.
const BATCH_MIN: usize = 64 << 10;
const BATCH_MAX: usize = 8 << 20;

/// What a commit may take: well below the time that brokers give a transaction.
const COMMIT_TIME: Duration = Duration::from_secs(2);

/// What the next commit should write at most, after one of `bytes` took so long.
pub fn next_batch(batch: usize, bytes: usize, took: Duration) -> usize {
    if took > COMMIT_TIME {
        let share = COMMIT_TIME.as_secs_f64() / took.as_secs_f64();
        let fitting = bytes as f64 * share.max(0.1);
        return batch.min(fitting as usize).max(BATCH_MIN);
    }
    match took < COMMIT_TIME / 4 {
        true => (batch * 2).min(BATCH_MAX),
        false => batch,
    }
}

/// How often a stage commits: after this part of the usual time where it has something to say and
/// nothing more to read.
const SOONER: u32 = 4;

/// How much is to be committed at once, and how often: from one beginning to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// So many bytes. Less where brokers take it slowly, since a transaction that takes too long is
    /// aborted, however often it is tried.
    pub batch_bytes: usize,
    /// Where there is something to say, and nothing more to read: no sooner than this.
    pub soonest: Duration,
    /// Where there is anything to commit: no later than this, if the one before has ended.
    pub latest: Duration,
}

impl Rhythm {
    /// The one where nothing is known yet of the brokers but whether they are those of Event Hubs,
    /// which take no more commits than that.
    pub fn new(interval: Duration, event_hubs: bool) -> Rhythm {
        Rhythm {
            batch_bytes: BATCH_MAX,
            soonest: match event_hubs {
                true => interval,
                false => interval / SOONER,
            },
            latest: interval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_hubs_have_their_interval() {
        let soonest = |event_hubs| Rhythm::new(Duration::from_millis(400), event_hubs).soonest;
        assert_eq!(soonest(false), Duration::from_millis(100));
        assert_eq!(soonest(true), Duration::from_millis(400));
    }

    #[test]
    fn a_batch_fits_what_the_brokers_take() {
        fn check(batch: usize, bytes: usize, millis: u64, expected: usize) {
            let took = Duration::from_millis(millis);
            assert_eq!(next_batch(batch, bytes, took), expected);
        }
        check(BATCH_MAX, BATCH_MAX, 100, BATCH_MAX);
        check(BATCH_MAX, BATCH_MAX, 1_000, BATCH_MAX);
        check(BATCH_MAX, BATCH_MAX, 8_000, BATCH_MAX / 4);
        check(
            BATCH_MAX,
            BATCH_MAX,
            300_000,
            (BATCH_MAX as f64 * 0.1) as usize,
        );
        check(1 << 20, 1 << 18, 4_000, 1 << 17);
        check(1 << 20, 0, 10_000, BATCH_MIN);
        check(1 << 20, 1 << 20, 600, 1 << 20);
        check(1 << 20, 1 << 20, 400, 1 << 21);
    }
}
