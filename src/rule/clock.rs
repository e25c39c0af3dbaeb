//! What a clock on the wall and a calendar say of a time: in UTC, or in a time zone.
//!
//! Time zones go by the tz database that is compiled in, never by the machine's: what a rule finds
//! depends on the rule, the events and the program alone.

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::nearest::{self, shown};
use crate::time::{DAY, Second};

/// What is asked of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// `DayOfWeek`: 0 is Sunday.
    DayOfWeek,
    /// `HourOfDay`
    HourOfDay,
}

impl Hand {
    /// What it says where clocks show this second.
    pub fn of(self, local: Second) -> i64 {
        match self {
            Hand::HourOfDay => local.rem_euclid(DAY) / 3600,
            // The first day of 1970 was a Thursday.
            Hand::DayOfWeek => (local.div_euclid(DAY) + 4).rem_euclid(7),
        }
    }
}

/// A time zone of the tz database.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// The zone of this name, in any case.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn named(name: &str) -> Result<Zone, String> {
        let known = TimeZoneDatabase::bundled();
        match known.get(name) {
            Ok(zone) if !zone.is_unknown() => Ok(Zone {
                name: zone.iana_name().unwrap_or(name).to_owned(),
                zone,
            }),
            Ok(_) | Err(_) => Err(format!(
                "unknown time zone `{}`{}",
                shown(name),
                hint(name, &known)
            )),
        }
    }

    /// As the tz database spells it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What clocks there show at a second, as seconds since the beginning of 1970 there; `None`: it
    /// is beyond the year 9999.
    pub fn local(&self, second: Second) -> Option<Second> {
        let at = Timestamp::from_second(second).ok()?;
        Some(second + i64::from(self.zone.to_offset(at).seconds()))
    }
}

/// The most letters of a name that something is near.
const NAME_MAX: usize = 64;

/// ``: did you mean `Europe/Berlin`?``
fn hint(name: &str, known: &TimeZoneDatabase) -> String {
    let all: Vec<String> = match name.len() {
        0..=NAME_MAX => known.available().map(|name| name.to_string()).collect(),
        _ => Vec::new(),
    };
    let city = |zone: &str| zone.rsplit('/').next().unwrap_or_default().to_owned();
    let wanted = city(name).replace(' ', "_");
    let same_city = |zone: &&String| city(zone).eq_ignore_ascii_case(&wanted);
    let near = all.iter().find(same_city).map(String::as_str).or_else(|| {
        let parts = all.chunks(128);
        let near = parts.filter_map(|part| nearest::nearest(name, part.iter().map(String::as_str)));
        let near: Vec<&str> = near.collect();
        nearest::nearest(name, near)
    });
    match near {
        Some(near) => format!(": did you mean `{near}`?"),
        None => "; zones have the names of the tz database, such as Europe/Berlin".to_owned(),
    }
}

#[cfg(test)]
#[path = "clock_tests.rs"]
mod tests;
