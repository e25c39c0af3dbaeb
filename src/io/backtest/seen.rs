//! What went through a backtest, counted.

use crate::decode::Refused;
use crate::time::Millis;

/// Refused records that are named; the rest is only counted.
const NAMED_MAX: usize = 20;

/// What went through a backtest.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Files and topics that were read, also those of which a part could not be.
    pub sources: u64,
    /// Files of which something could not be read: name and reason.
    pub unreadable: Vec<String>,
    /// Records.
    pub records: u64,
    /// Bytes of the messages, unpacked.
    pub bytes: u64,
    /// Records that matched a rule.
    pub matched: u64,
    /// Records whose event time is not within what was asked for.
    pub outside: u64,
    /// Records refused.
    pub rejected: u64,
    /// The first of those refused: file, line, place in the line, reason in a word and in words.
    pub named: Vec<String>,
    /// The earliest and the latest event time.
    pub times: Option<(Millis, Millis)>,
    /// Reading was ended before everything was read.
    pub interrupted: bool,
}

impl Seen {
    /// A record was refused, or several neighbours. `place`: of their message.
    pub fn reject(&mut self, place: impl FnOnce() -> String, index: u32, refused: &Refused) {
        self.records += refused.count();
        self.rejected += refused.count();
        if self.named.len() < NAMED_MAX {
            let place = place();
            self.named.push(format!(
                "{place}: record {index}: {}: {refused}",
                refused.reason
            ));
        }
    }

    /// There is an event of this time.
    pub fn time(&mut self, time: Millis) {
        self.times = Some(match self.times {
            Some((first, last)) => (first.min(time), last.max(time)),
            None => (time, time),
        });
    }

    /// Adds what was seen in some messages.
    pub fn add(&mut self, more: Seen) {
        self.unreadable.extend(more.unreadable);
        self.records += more.records;
        self.bytes += more.bytes;
        self.matched += more.matched;
        self.outside += more.outside;
        self.rejected += more.rejected;
        self.named.extend(more.named);
        self.named.truncate(NAMED_MAX);
        if let Some((first, last)) = more.times {
            self.time(first);
            self.time(last);
        }
    }
}
