//! Records and messages that are meant to stop whoever reads them, made from a seed: values of
//! hundreds of kilobytes, control characters, deep nesting, repeated keys, long lists, times that
//! cannot be, and text that makes a reader look at the same bytes again and again.
//!
//! Whoever acts in them is nobody of the ordinary stream, so what rules find in that stream must be
//! the same with these between its records and without.

use super::random::Random;
use crate::time::{Millis, rfc3339};

/// What the names of all users in these records begin with.
pub const HOSTILE_USER: &str = "hostile";

/// What is done in all of them.
const OPERATION: &str = "MICROSOFT.COMPUTE/VIRTUALMACHINES/RUNCOMMAND/ACTION";

/// The claim that names the user.
const CLAIM: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn";

/// Bytes that a record needs beside what makes it hostile: generous.
const FRAME: usize = 2_000;

/// Brackets that are deeper than a decoder will go, in whichever form they come.
const DEEP_MIN: usize = 1_000;

/// A kind of hostile input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// A user with a very long name.
    LongUser,
    /// A resource with a very long id.
    LongResource,
    /// Every control and format character, escaped.
    Controls,
    /// Control characters as they are, which JSON forbids.
    RawControls,
    /// Arrays within arrays, or objects within objects.
    Deep,
    /// The same keys again and again.
    RepeatedKeys,
    /// Lists of 10,000 values where one is expected.
    LongLists,
    /// A time that is far away, or none.
    FarTime,
    /// JSON in a string, broken and deep.
    Quoted,
    /// `[x` on many lines, then many `{`.
    ManyStarts,
    /// `[` and `x` on many lines.
    ManyLines,
    /// Nothing but `[`.
    Brackets,
    /// `{"records":[` within itself.
    Envelopes,
    /// A string that does not end.
    Unterminated,
    /// Nothing but quotes, backslashes or commas.
    Marks,
}

impl Family {
    /// All of them.
    pub const ALL: [Family; 15] = [
        Family::LongUser,
        Family::LongResource,
        Family::Controls,
        Family::RawControls,
        Family::Deep,
        Family::RepeatedKeys,
        Family::LongLists,
        Family::FarTime,
        Family::Quoted,
        Family::ManyStarts,
        Family::ManyLines,
        Family::Brackets,
        Family::Envelopes,
        Family::Unterminated,
        Family::Marks,
    ];

    /// Whether it is a record that ends, so that it may stand between others in one message. The
    /// rest are messages of their own.
    pub fn is_record(self) -> bool {
        match self {
            Family::LongUser
            | Family::LongResource
            | Family::Controls
            | Family::RawControls
            | Family::Deep
            | Family::RepeatedKeys
            | Family::LongLists
            | Family::FarTime
            | Family::Quoted => true,
            Family::ManyStarts
            | Family::ManyLines
            | Family::Brackets
            | Family::Envelopes
            | Family::Unterminated
            | Family::Marks => false,
        }
    }
}

/// Makes hostile input. It has no end.
#[derive(Clone, Debug)]
pub struct Hostile {
    random: Random,
    bytes_max: usize,
    made: u64,
}

impl Hostile {
    /// That of `seed`, none of more than `bytes_max` bytes.
    pub fn new(seed: u64, bytes_max: usize) -> Hostile {
        Hostile {
            random: Random::new(seed),
            bytes_max,
            made: 0,
        }
    }

    /// The next of the families in turn, and its text. `time` is when it happens, if it says so
    /// truly.
    pub fn any(&mut self, time: Millis) -> (Family, String) {
        let count = Family::ALL.len() as u64;
        let place = usize::try_from(self.made % count).unwrap_or_default();
        let family = Family::ALL.get(place).copied();
        let family = family.unwrap_or(Family::LongUser);
        (family, self.of(family, time))
    }

    /// One of a family.
    pub fn of(&mut self, family: Family, time: Millis) -> String {
        self.made += 1;
        let bytes = self.bytes();
        match family {
            Family::LongUser => self.long_user(time, bytes),
            Family::LongResource => {
                let id = format!("/subscriptions/{}", "r".repeat(bytes));
                self.record(time, "", &id)
            }
            Family::Controls => self.record(time, &escaped_controls(), "/a\\u001b[2J\\u202e"),
            Family::RawControls => {
                let controls: String = ('\u{1}'..' ').collect();
                self.record(time, &controls, "/a")
            }
            Family::Deep => self.deep(time, bytes),
            Family::RepeatedKeys => self.repeated(time, bytes),
            Family::LongLists => self.lists(time),
            Family::FarTime => self.far(),
            Family::Quoted => self.quoted(time, bytes),
            Family::ManyStarts => {
                let starts = bytes * 3 / 10;
                "[x\n".repeat(starts / 3) + &"{".repeat(bytes - starts)
            }
            Family::ManyLines => "[\nx\n".repeat(bytes / 4),
            Family::Brackets => "[".repeat(bytes),
            Family::Envelopes => self.quotes(r#"{"records":["#).repeat(bytes / 12),
            Family::Unterminated => {
                let start = self.quotes(r#"{"records":[{"operationName":"#);
                start + &self.quotes("\"") + &"x".repeat(bytes)
            }
            Family::Marks => {
                let mark = self.random.word(&["\"", "'", "\\", ","]);
                let start = self.quotes(r#"{"records":["#);
                start + &mark.repeat(bytes)
            }
        }
    }

    /// How large the next one is: as large as may be, or anything below.
    fn bytes(&mut self) -> usize {
        let most = self.bytes_max.saturating_sub(FRAME) as u64;
        let bytes = match self.random.percent(10) {
            true => most,
            false => self.random.below(1 + most / 4),
        };
        usize::try_from(bytes).unwrap_or_default()
    }

    /// The text, perhaps with single quotes.
    fn quotes(&mut self, text: &str) -> String {
        match self.random.percent(50) {
            true => text.replace('"', "'"),
            false => text.to_owned(),
        }
    }

    /// Somebody who has done nothing before.
    fn user(&mut self) -> String {
        format!("{HOSTILE_USER}-{}@example.org", self.made)
    }

    /// The fields of a record of a command on a machine, before those that make it hostile.
    fn fields(&self, time: &str, user: &str, resource: &str) -> String {
        let mut text = String::new();
        let correlation = format!("{HOSTILE_USER}-{}", self.made);
        for (name, value) in [
            ("operationName", OPERATION),
            ("resultType", "Success"),
            ("category", "Administrative"),
            ("correlationId", &correlation),
            ("resourceId", resource),
        ] {
            text += &format!(r#""{name}":"{value}","#);
        }
        text + &format!(r#""time":{time},"identity":{{"claims":{{"{CLAIM}":"{user}"}}}}"#)
    }

    /// A whole record, the user's name with something after it.
    fn record(&mut self, time: Millis, after: &str, resource: &str) -> String {
        let user = self.user() + after;
        let fields = self.fields(&quoted_time(time), &user, resource);
        format!("{{{fields}}}")
    }

    fn long_user(&mut self, time: Millis, bytes: usize) -> String {
        let letter = self.random.word(&["a", "B", "é", "\\u00e9", "\\n", "💥"]);
        self.record(time, &letter.repeat(bytes / letter.len().max(1)), "/a")
    }

    fn deep(&mut self, time: Millis, bytes: usize) -> String {
        let depth = (bytes.min(self.bytes_max / 8) / 2).max(DEEP_MIN);
        let nested = match self.random.percent(50) {
            true => "[".repeat(depth) + &"]".repeat(depth),
            false => {
                let depth = depth / 3;
                r#"{"a":"#.repeat(depth) + "1" + &"}".repeat(depth)
            }
        };
        self.with(time, &format!(r#","properties":{nested}"#))
    }

    fn repeated(&mut self, time: Millis, bytes: usize) -> String {
        let again = r#","category":"Other","properties":{"statusCode":"OK","statusCode":"No"}"#;
        self.with(time, &again.repeat(bytes / again.len()))
    }

    fn lists(&mut self, time: Millis) -> String {
        let count = (self.bytes_max / 40).min(10_000) as u32;
        let values = |make: fn(u32) -> String| {
            let values: Vec<String> = (0..count).map(make).collect();
            values.join(",")
        };
        let addresses = values(|n| format!("\"10.66.{}.{}\"", n / 256, n % 256));
        let targets = values(|n| format!(r#"{{"id":"{n}"}}"#));
        self.with(
            time,
            &format!(
                r#","callerIpAddress":[{addresses}],"properties":{{"targetResources":[{targets}]}}"#
            ),
        )
    }

    fn far(&mut self) -> String {
        let time = self.random.word(&[
            "\"0001-01-01T00:00:00Z\"",
            "\"2099-12-31T23:59:59.999Z\"",
            "\"9999-12-31T23:59:59.9999999Z\"",
            "\"1601-01-01T00:00:00Z\"",
            "\"\"",
            "null",
            "-1",
            "1e300",
            "99999999999999999999999999",
            "\"yesterday\"",
        ]);
        let user = self.user();
        let fields = self.fields(time, &user, "/a");
        format!("{{{fields}}}")
    }

    fn quoted(&mut self, time: Millis, bytes: usize) -> String {
        let depth = bytes.min(self.bytes_max / 8) / 8;
        let inner = format!(
            "\u{feff}{{\\\"commandId\\\":\\\"x\\\",/* {} */{}",
            "*".repeat(depth),
            "{\\\"a\\\":[".repeat(depth / 2)
        );
        self.with(
            time,
            &format!(r#","properties":{{"requestbody":"{inner}"}}"#),
        )
    }

    fn with(&mut self, time: Millis, more: &str) -> String {
        let user = self.user();
        let fields = self.fields(&quoted_time(time), &user, "/a");
        format!("{{{fields}{more}}}")
    }
}

fn quoted_time(time: Millis) -> String {
    format!("\"{}\"", rfc3339(time))
}

/// All control characters of ASCII and Latin-1, and those that turn the direction of text.
fn escaped_controls() -> String {
    let low = (0..0x20_u32).chain(0x7f..0xa0);
    let turning = (0x200e..=0x200f)
        .chain(0x202a..=0x202e)
        .chain(0x2066..=0x2069);
    let all = low.chain(turning).chain([0x2028, 0x2029, 0xfeff, 0xd800]);
    all.map(|code| format!("\\u{code:04x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_input_within_its_bound() {
        let make = || {
            let mut hostile = Hostile::new(7, 50_000);
            (0..300).map(|_| hostile.any(1_772_409_600_123)).collect()
        };
        let made: Vec<(Family, String)> = make();
        assert_eq!(made, make());
        for (family, text) in &made {
            assert!(text.len() <= 50_000, "{family:?}: {} bytes", text.len());
        }
        for family in Family::ALL {
            assert!(made.iter().any(|(made, _)| *made == family), "{family:?}");
        }
    }

    #[test]
    fn a_record_among_others_ends_where_it_should() {
        let mut hostile = Hostile::new(7, 50_000);
        for family in Family::ALL.into_iter().filter(|family| family.is_record()) {
            let text = hostile.of(family, 0);
            assert!(text.starts_with('{') && text.ends_with('}'), "{family:?}");
        }
    }
}
