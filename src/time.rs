//! Event time: milliseconds since 1970-01-01T00:00:00Z, and the seconds (panes) made of them.
//!
//! Timestamps are read in every layout that Azure services were seen to write, and written in
//! one. The calendar is the proleptic Gregorian one, in plain arithmetic.

/// A span as `5d 3h`, rounded up.
pub fn hours(seconds: Second) -> String {
    let hours = (seconds + 3599) / 3600;
    match (hours / 24, hours % 24) {
        (0, hours) => format!("{hours}h"),
        (days, 0) => format!("{days}d"),
        (days, hours) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests;

/// Milliseconds since the Unix epoch, UTC. Negative before 1970.
pub type Millis = i64;

/// Seconds since the Unix epoch, UTC: the number of a pane.
pub type Second = i64;

/// An event may lie this far past the timestamp of the message that brings it; beyond, it is
/// dated by that timestamp, for nothing is in the future.
pub const FUTURE_MAX: Millis = 300_000;

/// Times that are reckoned with lie this far from 1970 at most, either way: farther than any
/// calendar, and so near that no sum of times and spans overflows.
pub const TIME_MAX: Millis = 1 << 53;

/// Whether a moment is one that can be reckoned with.
pub fn is_usual(millis: Millis) -> bool {
    (-TIME_MAX..=TIME_MAX).contains(&millis)
}

/// A span of seconds as configurations write it, such as `15m`.
pub fn span(seconds: Second) -> String {
    match seconds {
        0 => "0s".to_owned(),
        _ if seconds % DAY == 0 => format!("{}d", seconds / DAY),
        _ if seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        _ if seconds % 60 == 0 => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

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

/// Reads a timestamp, cut (not rounded) to milliseconds. `None`: it is none.
///
/// Read are RFC 3339 with any number of fraction digits, with `T` or a blank before the time, with
/// `Z`, an offset or no zone (then UTC); the US layouts `1/9/2007 9:41:00 AM` and
/// `01/09/2007 09:41:00`, month first, with the same zones; blanks between any two parts.
pub fn parse(text: &str) -> Option<Millis> {
    parse_usual(text.as_bytes()).or_else(|| parse_any(text.as_bytes()))
}

/// Writes `2026-01-31T08:09:10.123Z`: always three fraction digits, always UTC.
pub fn rfc3339(millis: Millis) -> String {
    let second = second_of(millis);
    let (year, month, day) = civil_from_days(second.div_euclid(DAY));
    let of_day = second.rem_euclid(DAY);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60,
        millis.rem_euclid(1000)
    )
}

/// The layout of nearly every record, `2022-03-22T10:48:48.8558814Z`, without a general parser.
fn parse_usual(text: &[u8]) -> Option<Millis> {
    let (head, tail) = text.split_first_chunk::<19>()?;
    let [
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
    ] = *head
    else {
        return None;
    };
    let [fraction @ .., b'Z'] = tail else {
        return None;
    };
    let millis = match fraction {
        [] => 0,
        [b'.', digits @ ..] if !digits.is_empty() => fraction_millis(digits)?,
        _ => return None,
    };
    let digits = [y1, y2, y3, y4, m1, m2, d1, d2, h1, h2, n1, n2, s1, s2];
    let digits = digits.map(|byte| byte.wrapping_sub(b'0'));
    if digits.iter().fold(0, |most, digit| most.max(*digit)) > 9 {
        return None;
    }
    let [y1, y2, y3, y4, m1, m2, d1, d2, h1, h2, n1, n2, s1, s2] = digits.map(i64::from);
    let moment = Moment {
        year: (y1 * 10 + y2) * 100 + y3 * 10 + y4,
        month: m1 * 10 + m2,
        day: d1 * 10 + d2,
        hour: h1 * 10 + h2,
        minute: n1 * 10 + n2,
        second: s1 * 10 + s2,
        millis,
        offset_minutes: 0,
    };
    moment.millis()
}

/// Any layout, part by part.
fn parse_any(text: &[u8]) -> Option<Millis> {
    let mut parts = Parts { rest: text };
    let (first, first_digits) = parts.number()?;
    let (year, month, day) = match parts.one_of(b"-/")? {
        b'/' if first_digits < 4 => {
            let (day, _) = parts.number()?;
            parts.one_of(b"/")?;
            (parts.year()?, first, day)
        }
        separator if first_digits == 4 => {
            let (month, _) = parts.number()?;
            parts.one_of(&[separator])?;
            (first, month, parts.number()?.0)
        }
        _ => return None,
    };
    parts.one_of(b"Tt");
    let (hour, _) = parts.number()?;
    parts.one_of(b":")?;
    let (minute, _) = parts.number()?;
    let second = if parts.one_of(b":").is_some() {
        parts.number()?.0
    } else {
        0
    };
    let millis = if parts.one_of(b".,").is_some() {
        parts.fraction()?
    } else {
        0
    };
    let hour = parts.half_of_day(hour)?;
    let offset_minutes = parts.offset_minutes()?;
    let moment = Moment {
        year,
        month,
        day,
        hour,
        minute,
        second,
        millis,
        offset_minutes,
    };
    if parts.rest.is_empty() {
        moment.millis()
    } else {
        None
    }
}

/// The parts of a timestamp, not yet checked.
struct Moment {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    millis: i64,
    /// Minutes east of UTC.
    offset_minutes: i64,
}

impl Moment {
    /// A leap second counts as the first moment after it.
    fn millis(&self) -> Option<Millis> {
        let in_range = (1..=12).contains(&self.month)
            && (1..=days_in_month(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60;
        let days = days_from_civil(self.year, self.month, self.day);
        let minutes = (days * 24 + self.hour) * 60 + self.minute - self.offset_minutes;
        in_range.then_some((minutes * 60 + self.second) * 1000 + self.millis)
    }
}

/// What is left of a timestamp. Every reader skips blanks before what it reads.
struct Parts<'a> {
    rest: &'a [u8],
}

impl Parts<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// The next byte, if it is one of `wanted`.
    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        self.skip_blanks();
        let (&first, rest) = self.rest.split_first()?;
        wanted.contains(&first).then(|| {
            self.rest = rest;
            first
        })
    }

    /// A number of one to four digits, and how many it had.
    fn number(&mut self) -> Option<(i64, usize)> {
        self.skip_blanks();
        let mut value = 0;
        let mut digits = 0;
        while let Some((&first, rest)) = self.rest.split_first() {
            let Some(next) = digit(first) else { break };
            value = value * 10 + next;
            digits += 1;
            self.rest = rest;
            if digits > 4 {
                return None;
            }
        }
        (digits > 0).then_some((value, digits))
    }

    /// A year of four digits.
    fn year(&mut self) -> Option<i64> {
        self.number()
            .and_then(|(year, digits)| (digits == 4).then_some(year))
    }

    /// The digits of a fraction of a second, cut to milliseconds.
    fn fraction(&mut self) -> Option<i64> {
        self.skip_blanks();
        let length = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (digits, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        if digits.is_empty() {
            None
        } else {
            fraction_millis(digits)
        }
    }

    /// `hour` on a 24-hour clock, after AM or PM if one follows.
    fn half_of_day(&mut self, hour: i64) -> Option<i64> {
        let Some(half) = self.one_of(b"AaPp") else {
            return Some(hour);
        };
        self.one_of(b"Mm")?;
        let noon = if half.eq_ignore_ascii_case(&b'p') {
            12
        } else {
            0
        };
        (1..=12).contains(&hour).then_some(hour % 12 + noon)
    }

    /// `Z`, `UTC`, `GMT`, `+01:00`, `+0100`, `+01` or nothing.
    fn offset_minutes(&mut self) -> Option<i64> {
        self.rest = self.rest.trim_ascii();
        if [&b"z"[..], b"utc", b"gmt"]
            .iter()
            .any(|zone| self.rest.eq_ignore_ascii_case(zone))
        {
            self.rest = &[];
        }
        let Some(sign) = self.one_of(b"+-") else {
            return Some(0);
        };
        let (mut hours, digits) = self.number()?;
        let mut minutes = 0;
        if digits > 2 {
            (hours, minutes) = (hours / 100, hours % 100);
        } else if self.one_of(b":").is_some() {
            minutes = self.number()?.0;
        }
        self.skip_blanks();
        let east = hours * 60 + minutes;
        (hours < 24 && minutes < 60).then_some(if sign == b'-' { -east } else { east })
    }
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

/// The first three digits of a fraction, as milliseconds; all of it must be digits.
fn fraction_millis(digits: &[u8]) -> Option<i64> {
    let mut millis = 0;
    let mut weight = 100;
    for &byte in digits {
        millis += digit(byte)? * weight;
        weight /= 10;
    }
    Some(millis)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01. Years are counted from March, so that a leap day ends one.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let march_year = if month <= 2 { year - 1 } else { year };
    let era = march_year.div_euclid(400);
    let year_of_era = march_year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`]: year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let since = days + 719_468;
    let era = since.div_euclid(146_097);
    let day_of_era = since.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}
