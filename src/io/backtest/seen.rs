//! What went through a backtest, counted.

use crate::decode::Refused;
use crate::replay::Within;
use crate::time::Millis;

/// Refused records, and files, that are named; the rest is only counted.
const NAMED_MAX: usize = 20;

/// What went through a backtest.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Files and topics that were read, also those of which a part could not be.
    pub sources: u64,
    /// Files of which something could not be read.
    pub unreadable: u64,
    /// The first of them by their place: name and reason.
    pub unreadable_named: Vec<(usize, String)>,
    /// Messages.
    pub messages: u64,
    /// Those of them that were not read, since none of their records could match.
    pub passed_over: u64,
    /// Records, of messages that were read.
    pub records: u64,
    /// Bytes of the messages, unpacked.
    pub bytes: u64,
    /// Records that matched a rule, of the times asked for.
    pub matched: u64,
    /// Records whose event time is not within what was asked for.
    pub outside: u64,
    /// Records refused.
    pub rejected: u64,
    /// The first of those refused: file, line, place in the line, reason in a word and in words.
    pub named: Vec<String>,
    /// The earliest and the latest event time within what was asked for.
    pub times: Option<(Millis, Millis)>,
    /// The earliest and the latest event time.
    pub all_times: Option<(Millis, Millis)>,
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
    pub fn event(&mut self, time: Millis, within: Within) {
        self.records += 1;
        self.outside += u64::from(!within.contains(time));
        self.time(time, within);
    }

    /// Something happened then.
    pub fn time(&mut self, time: Millis, within: Within) {
        add_times(&mut self.all_times, (time, time));
        if within.contains(time) {
            add_times(&mut self.times, (time, time));
        }
    }

    /// The source at this place could not be read, or not to its end.
    pub fn pass_over(&mut self, place: usize, why: String) {
        self.unreadable += 1;
        self.unreadable_named.push((place, why));
    }

    /// Adds what was seen in some messages.
    pub fn add(&mut self, more: Seen) {
        self.unreadable += more.unreadable;
        self.unreadable_named.extend(more.unreadable_named);
        self.unreadable_named.sort_unstable();
        self.unreadable_named.truncate(NAMED_MAX);
        self.messages += more.messages;
        self.passed_over += more.passed_over;
        self.records += more.records;
        self.bytes += more.bytes;
        self.matched += more.matched;
        self.outside += more.outside;
        self.rejected += more.rejected;
        self.named.extend(more.named);
        self.named.truncate(NAMED_MAX);
        if let Some(times) = more.times {
            add_times(&mut self.times, times);
        }
        if let Some(times) = more.all_times {
            add_times(&mut self.all_times, times);
        }
    }
}

fn add_times(known: &mut Option<(Millis, Millis)>, (first, last): (Millis, Millis)) {
    let all = known.map_or((first, last), |known| {
        (known.0.min(first), known.1.max(last))
    });
    *known = Some(all);
}
