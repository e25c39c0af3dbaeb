//! Whether a source partition is still the log that was read. Offsets mean nothing once a topic
//! was deleted and made again, a disk was lost, or a namespace failed over.
//!
//! So there stands beside a committed offset which message was read last: its place, its timestamp
//! and a hash. Whoever goes on there reads that message again and compares.
//!
//! # Format
//!
//! What stands beside a committed offset is text: `v2 <epoch>`, and behind it, where a message is
//! known, ` <offset> <timestamp> <hash>`; the timestamp is `-` where the message has none, the
//! hash 16 hexadecimal digits. Before, it was the epoch alone, which is still read.

use crate::canary::{self, Canary};
use crate::plan::epochs::BeginAt;
use crate::record::Hash;
use crate::time::Millis;

/// What the text begins with.
const VERSION: &str = "v2";

/// A message by which a log is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bookmark {
    /// Its place.
    pub offset: i64,
    /// Its timestamp, if it has one.
    pub timestamp: Option<Millis>,
    /// The first 8 bytes of the hash of what it holds.
    pub hash: u64,
}

/// What stands beside a committed offset of a source partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadTo {
    /// The epoch that the offset belongs to.
    pub epoch: u32,
    /// The message read last; where none was read yet, the one before the start. `None`: there is
    /// none, or an older version has written this.
    pub bookmark: Option<Bookmark>,
}

/// What was found of a source partition, to be held against what was read.
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
}

impl std::fmt::Display for Sign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Sign::OtherMessage => "another message stands where the last one was read",
            Sign::NoMessage => "no message stands where the last one was read",
            Sign::EndsBefore => "it ends before what was read",
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
}

impl ReadTo {
    /// As it stands beside the committed offset.
    pub fn to_text(&self) -> String {
        let ReadTo { epoch, bookmark } = self;
        let Some(Bookmark {
            offset,
            timestamp,
            hash,
        }) = bookmark
        else {
            return format!("{VERSION} {epoch}");
        };
        let timestamp = timestamp.map_or("-".to_owned(), |timestamp| timestamp.to_string());
        format!("{VERSION} {epoch} {offset} {timestamp} {hash:016x}")
    }

    /// What was written by this version or one before. An offset without a text was committed by
    /// somebody else, and belongs to the epoch that there is: `current`.
    ///
    /// # Errors
    ///
    /// A later version has written it, or nobody who is a worker.
    pub fn parse(text: &str, current: u32) -> Result<ReadTo, String> {
        let unreadable = || {
            format!(
                "{text:?} stands beside its committed offset, which this version of watchfire \
                 cannot read"
            )
        };
        let Some(rest) = text.strip_prefix(VERSION) else {
            let epoch = match text {
                "" => Some(current),
                epoch => epoch.parse().ok(),
            };
            let epoch = epoch.ok_or_else(unreadable)?;
            return Ok(ReadTo {
                epoch,
                bookmark: None,
            });
        };
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        parse_fields(&fields).ok_or_else(unreadable)
    }
}

/// Whether this is what version 0.1.0 has committed beside an offset: the epoch alone.
pub fn is_of_before(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(VERSION)
}

fn parse_fields(fields: &[&str]) -> Option<ReadTo> {
    match fields {
        [epoch] => Some(ReadTo {
            epoch: epoch.parse().ok()?,
            bookmark: None,
        }),
        [epoch, offset, timestamp, hash] => Some(ReadTo {
            epoch: epoch.parse().ok()?,
            bookmark: Some(Bookmark {
                offset: offset.parse().ok().filter(|offset| *offset >= 0)?,
                timestamp: match *timestamp {
                    "-" => None,
                    timestamp => Some(timestamp.parse().ok()?),
                },
                hash: u64::from_str_radix(hash, 16).ok()?,
            }),
        }),
        _ => None,
    }
}

/// What is read of a partition, kept until it is committed. The hash is made only then.
#[derive(Clone, Debug)]
pub struct LastRead {
    /// The epoch in which it is read.
    pub epoch: u32,
    message: Newest,
}

/// The message read last.
#[derive(Clone, Debug)]
enum Newest {
    /// None is known.
    None,
    /// It was hashed.
    Hashed(Bookmark),
    /// It is as it was.
    Whole {
        offset: i64,
        timestamp: Option<Millis>,
        payload: Vec<u8>,
    },
}

/// Larger messages are hashed at once: what is kept stays small.
const KEPT_MAX: usize = 64 << 10;

impl From<ReadTo> for LastRead {
    fn from(read_to: ReadTo) -> LastRead {
        LastRead {
            epoch: read_to.epoch,
            message: read_to.bookmark.map_or(Newest::None, Newest::Hashed),
        }
    }
}

impl LastRead {
    /// This message was read.
    pub fn read(&mut self, offset: i64, timestamp: Option<Millis>, payload: &[u8]) {
        if payload.len() > KEPT_MAX {
            self.message = Newest::Hashed(Bookmark::of(offset, timestamp, payload));
            return;
        }
        let mut kept = match &mut self.message {
            Newest::None | Newest::Hashed(_) => Vec::new(),
            Newest::Whole { payload, .. } => std::mem::take(payload),
        };
        kept.clear();
        kept.extend_from_slice(payload);
        self.message = Newest::Whole {
            offset,
            timestamp,
            payload: kept,
        };
    }

    /// Whether a message is known by which the log can be told from others.
    pub fn is_known(&self) -> bool {
        !matches!(self.message, Newest::None)
    }

    /// As it stands beside the committed offset.
    pub fn to_text(&self) -> String {
        let bookmark = match &self.message {
            Newest::None => None,
            Newest::Hashed(bookmark) => Some(*bookmark),
            Newest::Whole {
                offset,
                timestamp,
                payload,
            } => Some(Bookmark::of(*offset, *timestamp, payload)),
        };
        let epoch = self.epoch;
        ReadTo { epoch, bookmark }.to_text()
    }
}

/// Whether the log that was `found` is the one that was read to before `next`, and whose message
/// there was `bookmark`.
pub fn judge(next: i64, bookmark: Option<Bookmark>, found: LogNow) -> Judgement {
    if canary::is(Canary::ReplacedUnseen) {
        return Judgement::Same;
    }
    if found.high < next {
        return Judgement::EndTooLow;
    }
    let Some(bookmark) = bookmark else {
        return Judgement::Incomparable("no message of it is known");
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

/// Where a partition is gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoOn {
    /// At this offset.
    At(i64),
    /// At this offset, its first: so many messages before it were deleted and never read.
    Deleted {
        /// The first offset that it has.
        low: i64,
        /// How many are gone.
        lost: i64,
    },
    /// At the first message that is not older than this; where there is none, at its first.
    NotOlder(Millis),
}

/// Where a partition is gone on with that is in `epoch`, was committed at `next`, and has the
/// messages from `low` to before `high`. `begin_at`: where the epoch begins.
pub fn go_on(
    next: i64,
    read_to: ReadTo,
    epoch: u32,
    begin_at: BeginAt,
    low: i64,
    high: i64,
) -> GoOn {
    if read_to.epoch == epoch {
        return match next < low {
            true => GoOn::Deleted {
                low,
                lost: low - next,
            },
            false => GoOn::At(next),
        };
    }
    match begin_at {
        BeginAt::Oldest => GoOn::At(low),
        BeginAt::Committed => GoOn::At(next.min(high).max(low)),
        BeginAt::LastRead => {
            let timestamp = read_to.bookmark.and_then(|bookmark| bookmark.timestamp);
            timestamp.map_or(GoOn::At(low), GoOn::NotOlder)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bookmark, Judgement, LogNow, ReadTo, Sign, There, is_of_before, judge};

    const BOOKMARK: Bookmark = Bookmark {
        offset: 41,
        timestamp: Some(1_767_225_600_000),
        hash: 0x0123_4567_89ab_cdef,
    };

    #[test]
    fn what_is_written_is_read() {
        for read_to in [
            ReadTo {
                epoch: 0,
                bookmark: None,
            },
            ReadTo {
                epoch: 7,
                bookmark: Some(BOOKMARK),
            },
            ReadTo {
                epoch: 1 << 30,
                bookmark: Some(Bookmark {
                    timestamp: None,
                    ..BOOKMARK
                }),
            },
        ] {
            assert_eq!(ReadTo::parse(&read_to.to_text(), 9), Ok(read_to));
        }
        let text = ReadTo {
            epoch: 7,
            bookmark: Some(BOOKMARK),
        };
        assert_eq!(text.to_text(), "v2 7 41 1767225600000 0123456789abcdef");
    }

    #[test]
    fn what_others_write_is_refused() {
        let old = |epoch| {
            Ok(ReadTo {
                epoch,
                bookmark: None,
            })
        };
        assert_eq!(ReadTo::parse("", 9), old(9));
        assert_eq!(ReadTo::parse("3", 9), old(3));
        assert!(is_of_before("3") && !is_of_before("") && !is_of_before("v2 3"));
        for text in [
            "v3 0",
            "v2",
            "v2 x",
            "v2 -1",
            "v2 1 2",
            "v2 1 2 3",
            "v2 1 -2 3 0123456789abcdef",
            "v2 1 2 3 0123456789abcdefg",
            "v2 1 2 3 4 5",
            "-1",
            "anything",
        ] {
            let refused = ReadTo::parse(text, 0);
            assert!(refused.is_err_and(|why| why.contains(text)), "{text}");
        }
    }

    #[test]
    fn logs_are_told_apart() {
        let check = |low, high, there, expected| {
            let found = LogNow { low, high, there };
            assert_eq!(judge(42, Some(BOOKMARK), found), expected, "{found:?}");
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
            assert!(cannot(judge(42, Some(BOOKMARK), found)), "{found:?}");
        }
        let found = LogNow {
            low: 0,
            high: 42,
            there: There::Unknown,
        };
        assert!(cannot(judge(42, None, found)));
    }
}
