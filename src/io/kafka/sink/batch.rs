//! How much one commit writes: less where brokers take it slowly, since a transaction that takes
//! too long is aborted, however often it is tried.

use std::time::Duration;

/// The bounds of what one commit writes, in bytes.
const BATCH_MIN: usize = 64 << 10;
const BATCH_MAX: usize = 8 << 20;

/// What a commit may take: well below the time that brokers give a transaction.
const COMMIT_TIME: Duration = Duration::from_secs(2);

/// What the next commit should write at most, after one of `bytes` took so long.
fn next_batch(batch: usize, bytes: usize, took: Duration) -> usize {
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

/// How often a stage commits that has something to say and nothing more to read: after this part of
/// the usual time.
const SOONER: u32 = 4;

/// From the beginning of one commit to that of the next at least so many times what a commit takes
/// pass by: brokers that are slow are not to be kept busy with commits.
const REST: u32 = 4;

/// The same where there is something to say, and nothing more to read.
const SHORT_REST: u32 = 2;

/// The longest time that there is no commit because commits take long.
const INTERVAL_MAX: Duration = Duration::from_secs(1);

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
    /// What the two are where commits take no time.
    usual: (Duration, Duration),
}

impl Rhythm {
    /// The one where nothing is known yet of the brokers but whether they are those of Event Hubs,
    /// which take no more commits than that.
    pub fn new(interval: Duration, event_hubs: bool) -> Rhythm {
        let soonest = match event_hubs {
            true => interval,
            false => interval / SOONER,
        };
        Rhythm {
            batch_bytes: BATCH_MAX,
            soonest,
            latest: interval,
            usual: (soonest, interval),
        }
    }

    /// The one after a commit of so many bytes that took so long.
    #[must_use]
    pub fn after(self, bytes: usize, took: Duration) -> Rhythm {
        let (soonest, latest) = self.usual;
        let latest = latest.max((took * REST).min(INTERVAL_MAX));
        Rhythm {
            batch_bytes: next_batch(self.batch_bytes, bytes, took),
            soonest: soonest.max((took * SHORT_REST).min(latest)),
            latest,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_have_a_rest_between_commits() {
        fn check(event_hubs: bool, took: u64, soonest: u64, latest: u64) {
            let rhythm = Rhythm::new(Duration::from_millis(400), event_hubs);
            let rhythm = rhythm.after(1, Duration::from_millis(took));
            let millis = |time: Duration| time.as_millis();
            assert_eq!(millis(rhythm.soonest), u128::from(soonest));
            assert_eq!(millis(rhythm.latest), u128::from(latest));
        }
        check(false, 0, 100, 400);
        check(false, 80, 160, 400);
        check(false, 150, 300, 600);
        check(false, 5_000, 1_000, 1_000);
        check(true, 0, 400, 400);
        check(true, 150, 400, 600);
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
