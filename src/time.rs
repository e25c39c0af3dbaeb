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

/// `millis` as RFC 3339 in UTC with exactly three digits of milliseconds:
/// `2026-03-01T09:15:02.070Z`.
pub fn rfc3339(millis: Millis) -> String {
    let second = second_of(millis);
    let (year, month, day) = civil(second.div_euclid(DAY));
    let in_day = second.rem_euclid(DAY);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        in_day / 3600,
        in_day / 60 % 60,
        in_day % 60,
        millis.rem_euclid(1000)
    )
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar.
///
/// Counts in years that begin in March, so that the leap day is a year's last day.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let calendar_month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(calendar_month <= 2);
    (year, calendar_month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_rfc3339() {
        fn check(millis: Millis, expected: &str) {
            assert_eq!(rfc3339(millis), expected);
        }
        check(0, "1970-01-01T00:00:00.000Z");
        check(-1, "1969-12-31T23:59:59.999Z");
        check(951_782_400_070, "2000-02-29T00:00:00.070Z");
        check(1_772_356_502_007, "2026-03-01T09:15:02.007Z");
        check(4_102_444_799_999, "2099-12-31T23:59:59.999Z");
    }
}
