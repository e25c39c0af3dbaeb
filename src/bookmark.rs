//! Whether a partition is still the log that was read. Offsets mean nothing once a topic was
//! deleted and made again, a disk was lost, or a namespace failed over.
//!
//! So which message was read last is kept with each committed offset: its place, its timestamp and
//! a hash. Whoever goes on there reads that message again and compares. Where nothing was read, and
//! nothing stood before the start, the start is where the log begins: one that begins before it is
//! another.

use serde::{Deserialize, Serialize};

use crate::canary::{self, Canary};
use crate::record::Hash;
use crate::time::Millis;

/// A message by which a log is known again.
///
/// Its text is `<offset> <timestamp> <hash>`; the timestamp is `-` where the message has none, the
/// hash 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookmark {
    /// Its place.
    pub offset: i64,
    /// Its timestamp, if it has one.
    pub timestamp: Option<Millis>,
    /// The first 8 bytes of the hash of what it holds.
    pub hash: u64,
}

impl std::fmt::Display for Bookmark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Bookmark {
            offset,
            timestamp,
            hash,
        } = self;
        match timestamp {
            Some(timestamp) => write!(f, "{offset} {timestamp} {hash:016x}"),
            None => write!(f, "{offset} - {hash:016x}"),
        }
    }
}

/// By what a log is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// The message of it that was read last; where none was read yet, the one before the start.
    Message(Bookmark),
    /// Its first offset: none was read yet, and none stood before the start.
    Beginning,
    /// Nothing.
    Nothing,
}

impl KnownBy {
    /// The message, if it is known by one.
    pub fn bookmark(self) -> Option<Bookmark> {
        match self {
            KnownBy::Message(bookmark) => Some(bookmark),
            KnownBy::Beginning | KnownBy::Nothing => None,
        }
    }

    /// The timestamp of that message.
    pub fn timestamp(self) -> Option<Millis> {
        self.bookmark().and_then(|bookmark| bookmark.timestamp)
    }
}

/// What was found of a partition, to be held against what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogNow {
    /// The first offset that it has.
    pub low: i64,
    /// The offset after its last.
    pub high: i64,
    /// What stands in the place of the bookmark.
    pub there: There,
}

/// What stands in the place of a bookmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// This message.
    Message(Bookmark),
    /// Nothing: the next message stands behind it, or none.
    Nothing,
    /// Nothing, and the topic is compacted, or nobody says whether it is.
    PerhapsCompacted,
    /// It was not looked at.
    Unknown,
}

impl There {
    /// What a look has found: nobody has looked, or nothing, or a message.
    pub fn of(found: Option<Option<Bookmark>>) -> There {
        match found {
            None => There::Unknown,
            Some(None) => There::Nothing,
            Some(Some(bookmark)) => There::Message(bookmark),
        }
    }
}

/// Whether a log is the one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is.
    Same,
    /// It is another one.
    Another(Sign),
    /// It ends before what was read of it. That can pass: it counts once it was found twice.
    EndTooLow,
    /// Nothing is left that could be compared.
    Incomparable(&'static str),
}

/// By what another log was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Another message stands in the place of the last one read.
    OtherMessage,
    /// No message stands there.
    NoMessage,
    /// It ends before what was read.
    EndsBefore,
    /// It begins before what was its first offset.
    BeginsBefore,
}

impl std::fmt::Display for Sign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Sign::OtherMessage => "another message stands where the last one was read",
            Sign::NoMessage => "no message stands where the last one was read",
            Sign::EndsBefore => "it ends before what was read",
            Sign::BeginsBefore => "it begins before what was its first offset",
        })
    }
}

impl Bookmark {
    /// The bookmark of a message.
    pub fn of(offset: i64, timestamp: Option<Millis>, payload: &[u8]) -> Bookmark {
        Bookmark {
            offset,
            timestamp,
            hash: Hash::of(payload).first_bytes(),
        }
    }

    /// The bookmark whose text has these three words.
    pub fn parse(offset: &str, timestamp: &str, hash: &str) -> Option<Bookmark> {
        Some(Bookmark {
            offset: offset.parse().ok().filter(|offset| *offset >= 0)?,
            timestamp: match timestamp {
                "-" => None,
                timestamp => Some(timestamp.parse().ok()?),
            },
            hash: u64::from_str_radix(hash, 16).ok()?,
        })
    }
}

/// Whether the log that was `found` is the one that was read to before `next`.
pub fn judge(next: i64, known_by: KnownBy, found: LogNow) -> Judgement {
    if canary::is(Canary::ReplacedUnseen) {
        return Judgement::Same;
    }
    if found.high < next {
        return Judgement::EndTooLow;
    }
    let bookmark = match known_by {
        KnownBy::Message(bookmark) => bookmark,
        KnownBy::Beginning if found.low < next => return Judgement::Another(Sign::BeginsBefore),
        KnownBy::Beginning => return Judgement::Same,
        KnownBy::Nothing => return Judgement::Incomparable("no message of it is known"),
    };
    if bookmark.offset < found.low {
        return Judgement::Incomparable("its last message that was read is deleted");
    }
    match found.there {
        There::Message(there) if there == bookmark => Judgement::Same,
        There::Message(_) => Judgement::Another(Sign::OtherMessage),
        There::Nothing => Judgement::Another(Sign::NoMessage),
        There::PerhapsCompacted => {
            Judgement::Incomparable("its last message that was read may have been compacted away")
        }
        There::Unknown => Judgement::Incomparable("nobody has looked"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Bookmark, Judgement, KnownBy, LogNow, Sign, There, judge};

    pub(crate) const BOOKMARK: Bookmark = Bookmark {
        offset: 41,
        timestamp: Some(1_767_225_600_000),
        hash: 0x0123_4567_89ab_cdef,
    };

    #[test]
    fn logs_are_told_apart() {
        let check = |low, high, there, expected| {
            let found = LogNow { low, high, there };
            let judged = judge(42, KnownBy::Message(BOOKMARK), found);
            assert_eq!(judged, expected, "{found:?}");
        };
        check(0, 42, There::Message(BOOKMARK), Judgement::Same);
        check(41, 99, There::Message(BOOKMARK), Judgement::Same);
        let another = Judgement::Another(Sign::OtherMessage);
        check(
            0,
            99,
            There::Message(Bookmark {
                hash: 1,
                ..BOOKMARK
            }),
            another,
        );
        let later = Bookmark {
            timestamp: Some(1_767_225_600_001),
            ..BOOKMARK
        };
        check(0, 99, There::Message(later), another);
        let nothing = Judgement::Another(Sign::NoMessage);
        check(0, 99, There::Nothing, nothing);
        check(0, 41, There::Unknown, Judgement::EndTooLow);
        let cannot = |judgement| matches!(judgement, Judgement::Incomparable(_));
        for (low, there) in [
            (42, There::Nothing),
            (0, There::PerhapsCompacted),
            (0, There::Unknown),
        ] {
            let found = LogNow {
                low,
                high: 99,
                there,
            };
            let judged = judge(42, KnownBy::Message(BOOKMARK), found);
            assert!(cannot(judged), "{found:?}");
        }
        let found = LogNow {
            low: 0,
            high: 42,
            there: There::Unknown,
        };
        assert!(cannot(judge(42, KnownBy::Nothing, found)));
    }

    #[test]
    fn a_log_of_which_nothing_was_read_is_known_by_where_it_begins() {
        let check = |low, high, expected| {
            let there = There::Unknown;
            let found = LogNow { low, high, there };
            assert_eq!(judge(42, KnownBy::Beginning, found), expected, "{found:?}");
        };
        check(42, 42, Judgement::Same);
        check(42, 99, Judgement::Same);
        // Retention took what came then.
        check(50, 99, Judgement::Same);
        check(41, 99, Judgement::Another(Sign::BeginsBefore));
        check(0, 42, Judgement::Another(Sign::BeginsBefore));
        check(0, 41, Judgement::EndTooLow);
    }
}
