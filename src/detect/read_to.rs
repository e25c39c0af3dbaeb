//! How far a source partition was read, as it stands beside the committed offset.
//!
//! # Format
//!
//! It is text: `v2 <epoch>`, and behind it, where a message is known by which the log can be known
//! again, its [`Bookmark`]. Before, it was the epoch alone, which is still read.

use crate::bookmark::Bookmark;
use crate::plan::epochs::BeginAt;
use crate::time::Millis;

/// What the text begins with.
const VERSION: &str = "v2";

/// What stands beside a committed offset of a source partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadTo {
    /// The epoch that the offset belongs to.
    pub epoch: u32,
    /// The message read last; where none was read yet, the one before the start. `None`: there is
    /// none, or an older version has written this.
    pub bookmark: Option<Bookmark>,
}

impl ReadTo {
    /// As it stands beside the committed offset.
    pub fn to_text(&self) -> String {
        let ReadTo { epoch, bookmark } = self;
        match bookmark {
            Some(bookmark) => format!("{VERSION} {epoch} {bookmark}"),
            None => format!("{VERSION} {epoch}"),
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
            bookmark: Some(Bookmark::parse(offset, timestamp, hash)?),
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
    use super::{ReadTo, is_of_before};
    use crate::bookmark::Bookmark;
    use crate::bookmark::tests::BOOKMARK;

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
}
