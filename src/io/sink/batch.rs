//! How much one commit writes: less where brokers take it slowly, since a transaction that takes
//! too long is aborted, however often it is tried.

use std::time::Duration;

/// The bounds of what one commit writes, in bytes.
const BATCH_MIN: usize = 64 << 10;
pub const BATCH_MAX: usize = 8 << 20;

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

/// For how many times of what a commit takes there is to be work before the next one.
const WORK: u32 = 3;

/// The longest time that work waits for a commit because commits take long.
const INTERVAL_MAX: Duration = Duration::from_secs(1);

/// How long to wait after a commit with the next, where the configuration asks for `interval` and
/// the last one took so long: under load most of the time is to be for work, not for commits.
pub fn next_interval(interval: Duration, took: Duration) -> Duration {
    interval.max((took * WORK).min(INTERVAL_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_leave_time_for_work() {
        fn check(took: u64, expected: u64) {
            let interval = next_interval(Duration::from_millis(100), Duration::from_millis(took));
            assert_eq!(interval, Duration::from_millis(expected));
        }
        check(20, 100);
        check(80, 240);
        check(5_000, 1_000);
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
