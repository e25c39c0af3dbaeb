//! Numbers, times and texts as people read them.

use std::time::Duration;

use crate::time::{Millis, rfc3339};

/// `2026-03-01`, in UTC.
pub fn day(millis: Millis) -> String {
    first_of(millis, 10)
}

/// `2026-03-01 09:15`, in UTC.
pub fn minute(millis: Millis) -> String {
    first_of(millis, 16)
}

/// `2026-03-01 09:15:02`, in UTC.
pub fn second(millis: Millis) -> String {
    first_of(millis, 19)
}

fn first_of(millis: Millis, characters: usize) -> String {
    let text: String = rfc3339(millis).chars().take(characters).collect();
    text.replace('T', " ")
}

/// In the unit that leaves one to three digits before the point.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 1.0 {
        format!("{seconds:.2} s")
    } else if seconds >= 1e-3 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{:.0} µs", seconds * 1e6)
    }
}

/// `1 incident`, `2 incidents`.
pub fn counted(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(count))
}

/// `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_durations() {
        fn check(micros: u64, expected: &str) {
            assert_eq!(duration(Duration::from_micros(micros)), expected);
        }
        check(0, "0 µs");
        check(999, "999 µs");
        check(1_250, "1.2 ms");
        check(1_234_567, "1.23 s");
        check(754_000_000, "754.00 s");
    }

    #[test]
    fn says_numbers() {
        fn check(number: u64, expected: &str) {
            assert_eq!(counted(number, "event"), expected);
        }
        check(0, "0 events");
        check(1, "1 event");
        check(999, "999 events");
        check(1_000, "1,000 events");
        check(12_345_678, "12,345,678 events");
    }

    #[test]
    fn says_times() {
        assert_eq!(day(1_772_356_502_007), "2026-03-01");
        assert_eq!(minute(1_772_356_502_007), "2026-03-01 09:15");
        assert_eq!(second(1_772_356_502_007), "2026-03-01 09:15:02");
    }
}
