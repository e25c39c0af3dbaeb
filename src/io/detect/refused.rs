//! What the log says of records that were refused: each reason now and then, not each record.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::DetectStage;
use crate::detect::{DeadLetter, SourcePartition};
use crate::io::clock;
use crate::io::history::{Trouble, What};
use crate::io::kafka::client::lock;

/// Between two lines of the same reason.
const INTERVAL: Duration = Duration::from_secs(10);

/// Records of one commit that were refused for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// How many.
    records: u64,
    /// Where the first stood.
    source: SourcePartition,
    offset: i64,
    index: u32,
    /// Why, in words; of several neighbours the first.
    explanation: String,
}

/// The refused records of a commit, by reason.
pub(super) fn by_reason(letters: &[DeadLetter]) -> BTreeMap<&'static str, Share> {
    let mut shares: BTreeMap<&'static str, Share> = BTreeMap::new();
    for letter in letters {
        for (reason, records) in &letter.by_reason {
            let share = shares.entry(reason).or_insert_with(|| Share {
                records: 0,
                source: letter.source,
                offset: letter.offset,
                index: letter.index,
                explanation: letter.explanation.clone(),
            });
            share.records += records;
        }
    }
    shares
}

/// When which reason was said last.
#[derive(Debug, Default)]
pub(super) struct Refused {
    said: BTreeMap<&'static str, Said>,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    /// Records refused since.
    unsaid: u64,
}

impl Refused {
    /// Takes `records` more that were refused for `reason`. If that is to be said now: how many
    /// there were since the last line.
    fn take(&mut self, reason: &'static str, records: u64, now: Instant) -> Option<u64> {
        let Some(said) = self.said.get_mut(reason) else {
            let said = Said { at: now, unsaid: 0 };
            self.said.insert(reason, said);
            return Some(records);
        };
        said.unsaid += records;
        if now.saturating_duration_since(said.at) < INTERVAL {
            return None;
        }
        said.at = now;
        Some(std::mem::take(&mut said.unsaid))
    }
}

impl DetectStage {
    fn note_refused(&self, reason: &str, share: &Share) {
        let Share {
            offset,
            index,
            explanation,
            ..
        } = share;
        let topic = self.sources().get(share.source.source as usize);
        let topic = topic.map_or("", |source| &source.topic);
        let partition = share.source.partition;
        let first = format!("{topic}/{partition} offset {offset} record {index}: {explanation}");
        let what = What {
            about: reason,
            first: &first,
        };
        self.status.trouble(Trouble::Refused, what, share.records);
    }

    /// Counts refused records whose dead letters are written, and says it of those that were not
    /// said lately.
    pub(super) fn say_refused(&mut self, shares: &BTreeMap<&'static str, Share>) {
        for (reason, share) in shares {
            let dead_letters = &mut lock(&self.status.detecting).dead_letters;
            *dead_letters.entry(reason).or_default() += share.records;
            self.note_refused(reason, share);
            let Some(records) = self.refused.take(reason, share.records, clock::instant()) else {
                continue;
            };
            let source = self.sources().get(share.source.source as usize);
            tracing::warn!(
                reason,
                topic = source.map_or("", |source| &source.topic),
                partition = share.source.partition,
                offset = share.offset,
                index = share.index,
                refused = records,
                explanation = share.explanation,
                dead_letter_topic = &*self.dead_letters,
                "records were refused, the last ones from here on; they are in the topic of dead \
                 letters"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(reason: &'static str, offset: i64) -> DeadLetter {
        DeadLetter {
            source: SourcePartition {
                source: 0,
                partition: 3,
            },
            offset,
            index: 2,
            reason,
            explanation: String::new(),
            by_reason: vec![(reason, 1)],
            bytes: Vec::new(),
            cut: false,
        }
    }

    #[test]
    fn refused_records_are_told_by_reason_with_the_first_place() {
        let letters = [
            letter("no-time", 7),
            letter("empty", 8),
            letter("no-time", 9),
        ];
        let shares = by_reason(&letters);
        let told: Vec<_> = shares
            .iter()
            .map(|(reason, share)| (*reason, share.records, share.offset))
            .collect();
        assert_eq!(told, [("empty", 1, 8), ("no-time", 2, 7)]);
    }

    #[test]
    fn each_reason_is_said_now_and_then_and_nothing_is_left_out() {
        let start = clock::instant();
        let mut refused = Refused::default();
        let mut take = |reason, records, second| {
            let now = start + Duration::from_secs(second);
            refused.take(reason, records, now)
        };
        assert_eq!(take("no-time", 1, 0), Some(1));
        assert_eq!(take("no-time", 1_000, 1), None);
        assert_eq!(take("empty", 2, 1), Some(2), "another reason");
        assert_eq!(take("no-time", 5, 9), None);
        assert_eq!(take("no-time", 1, 10), Some(1_006));
        assert_eq!(take("no-time", 1, 11), None);
    }
}
