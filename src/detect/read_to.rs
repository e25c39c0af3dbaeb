//! How far a source partition was read, as it stands beside the committed offset.
//!
//! # Format
//!
//! It is text: `v2 <epoch>`, and behind it, where a message is known by which the log can be known
//! again, its [`Bookmark`], or `first`, where the offset is the log's first and nothing was read
//! yet. Before, it was the epoch alone, which is still read.

use crate::bookmark::{Bookmark, KnownBy};
use crate::canary::{self, Canary};
use crate::plan::epochs::BeginAt;
use crate::time::Millis;

/// What the text begins with.
const VERSION: &str = "v2";

/// Stands in place of a bookmark where the log is known by where it begins.
const FIRST: &str = "first";

/// What stands beside a committed offset of a source partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadTo {
    /// The epoch that the offset belongs to.
    pub epoch: u32,
    /// By what the log is known again. Nothing, where an older version has written this.
    pub known_by: KnownBy,
}

impl ReadTo {
    /// As it stands beside the committed offset.
    pub fn to_text(&self) -> String {
        let ReadTo { epoch, known_by } = self;
        match known_by {
            KnownBy::Message(bookmark) => format!("{VERSION} {epoch} {bookmark}"),
            KnownBy::Beginning => format!("{VERSION} {epoch} {FIRST}"),
            KnownBy::Nothing => format!("{VERSION} {epoch}"),
        }
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
                known_by: KnownBy::Nothing,
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
            known_by: KnownBy::Nothing,
        }),
        [epoch, FIRST] => Some(ReadTo {
            epoch: epoch.parse().ok()?,
            known_by: KnownBy::Beginning,
        }),
        [epoch, offset, timestamp, hash] => Some(ReadTo {
            epoch: epoch.parse().ok()?,
            known_by: KnownBy::Message(Bookmark::parse(offset, timestamp, hash)?),
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
    /// This is known of it; where it was read, it was hashed.
    Known(KnownBy),
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
            message: Newest::Known(read_to.known_by),
        }
    }
}

impl LastRead {
    /// This message was read.
    pub fn read(&mut self, offset: i64, timestamp: Option<Millis>, payload: &[u8]) {
        if payload.len() > KEPT_MAX {
            let bookmark = Bookmark::of(offset, timestamp, payload);
            self.message = Newest::Known(KnownBy::Message(bookmark));
            return;
        }
        let mut kept = match &mut self.message {
            Newest::Known(_) => Vec::new(),
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
        match self.message {
            Newest::Known(known_by) => known_by.bookmark().is_some(),
            Newest::Whole { .. } => true,
        }
    }

    /// As it stands beside the committed offset.
    pub fn to_text(&self) -> String {
        let known_by = match &self.message {
            Newest::Known(known_by) => *known_by,
            Newest::Whole {
                offset,
                timestamp,
                payload,
            } => KnownBy::Message(Bookmark::of(*offset, *timestamp, payload)),
        };
        let epoch = self.epoch;
        ReadTo { epoch, known_by }.to_text()
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
    let first = low + canary::slip(Canary::EpochBeginsLate);
    match begin_at {
        BeginAt::Oldest => GoOn::At(first),
        BeginAt::Committed => GoOn::At(next.min(high).max(low)),
        BeginAt::LastRead => {
            let timestamp = read_to.known_by.timestamp();
            timestamp.map_or(GoOn::At(first), GoOn::NotOlder)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LastRead, ReadTo, is_of_before};
    use crate::bookmark::tests::BOOKMARK;
    use crate::bookmark::{Bookmark, KnownBy};

    #[test]
    fn what_is_written_is_read() {
        for read_to in [
            ReadTo {
                epoch: 0,
                known_by: KnownBy::Nothing,
            },
            ReadTo {
                epoch: 3,
                known_by: KnownBy::Beginning,
            },
            ReadTo {
                epoch: 7,
                known_by: KnownBy::Message(BOOKMARK),
            },
            ReadTo {
                epoch: 1 << 30,
                known_by: KnownBy::Message(Bookmark {
                    timestamp: None,
                    ..BOOKMARK
                }),
            },
        ] {
            assert_eq!(ReadTo::parse(&read_to.to_text(), 9), Ok(read_to));
        }
        let text = ReadTo {
            epoch: 7,
            known_by: KnownBy::Message(BOOKMARK),
        };
        assert_eq!(text.to_text(), "v2 7 41 1767225600000 0123456789abcdef");
    }

    #[test]
    fn the_message_read_last_takes_the_place_of_what_was_known() {
        let mut last = LastRead::from(ReadTo {
            epoch: 3,
            known_by: KnownBy::Beginning,
        });
        assert!(!last.is_known());
        assert_eq!(last.to_text(), "v2 3 first");
        last.read(41, Some(7), b"a message");
        assert!(last.is_known());
        let read_to = ReadTo {
            epoch: 3,
            known_by: KnownBy::Message(Bookmark::of(41, Some(7), b"a message")),
        };
        assert_eq!(last.to_text(), read_to.to_text());
    }

    #[test]
    fn what_others_write_is_refused() {
        let old = |epoch| {
            Ok(ReadTo {
                epoch,
                known_by: KnownBy::Nothing,
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
            "v2 first",
            "v2 1 first 2",
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
}
