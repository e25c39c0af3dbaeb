//! RFC 3339 times of exceptions.

use crate::time::Millis;

/// `2026-01-01T00:00:00Z`, with optional fraction (cut to milliseconds) and any offset.
pub fn parse(text: &str) -> Option<Millis> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let at = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at_checked(at)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let millis = thousandths(fraction)?;
    let in_range = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let days = days_since_epoch(year, month, day);
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset(zone)?;
    in_range.then_some(seconds * 1000 + millis)
}

/// Digits of fixed widths between separators.
fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts
            .next()
            .filter(|part| part.len() == width && is_digits(part))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn thousandths(fraction: &str) -> Option<i64> {
    is_digits(fraction)
        .then(|| format!("{fraction}00"))?
        .get(..3)?
        .parse()
        .ok()
}

/// Seconds east of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("Z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hour, minute) = zone.get(1..)?.split_once(':')?;
    let [hour, minute, _] = numbers(&format!("{hour}:{minute}:00"), ':', [2, 2, 2])?;
    (hour < 24 && minute < 60).then_some(sign * (hour * 60 + minute) * 60)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar. The year is counted from March, so that the
/// leap day is its last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let month = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_rfc_3339() {
        let check = |text, expected| assert_eq!(parse(text), expected, "{text}");
        check("1970-01-01T00:00:00Z", Some(0));
        check("2026-02-01T12:30:45.1239Z", Some(1_769_949_045_123));
        check("2024-02-29T00:00:00+02:00", Some(1_709_157_600_000));
        check("1969-12-31T23:59:59z", Some(-1000));
        check("2000-03-01T00:00:00-00:30", Some(951_870_600_000));
        check("2026-02-29T00:00:00Z", None);
        check("2026-13-01T00:00:00Z", None);
        check("2026-01-01T24:00:00Z", None);
        check("2026-01-01T00:00:00", None);
        check("2026-01-01", None);
        check("26-01-01T00:00:00Z", None);
        check("2026-01-01T00:00:00+2:00", None);
    }
}
