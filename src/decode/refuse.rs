//! Refusing what cannot be read: neighbours together, with what a person wants to know of the
//! first.

use super::extract;
use super::json::Scanner;
use super::reader::{Records, Run};
use super::repair;
use super::{Decoder, Refused, Reject};
use crate::normalise;
use crate::slots::Slots;

impl Records<'_> {
    /// Refuses what stands from `at` to `end`. It is handed over with its refused neighbours, once
    /// they are all known.
    pub(super) fn refuse(&mut self, at: usize, end: usize, reject: Reject) {
        let (start, end) = self.trimmed(at, end);
        let bytes = self.message.get(start..end).unwrap_or_default();
        let not_utf8 = reject == Reject::NotJson && std::str::from_utf8(bytes).is_err();
        let reject = if not_utf8 { Reject::NotUtf8 } else { reject };
        self.spend(end - start);
        self.note_piece(start, end);
        match &mut self.refused {
            Some(run) => {
                run.start = run.start.min(start);
                run.end = run.end.max(end);
                run.refused.counts.count(reject);
            }
            None => {
                let detail = self.detail(reject, start, end);
                self.refused = Some(Run {
                    index: self.index,
                    start,
                    end,
                    refused: Refused::one(reject, detail),
                });
            }
        }
        self.index += 1;
    }

    /// The place of what stands from `at` to `end`, without outer blanks and a comma behind it.
    fn trimmed(&self, at: usize, end: usize) -> (usize, usize) {
        let bytes = self.message.get(at..end).unwrap_or_default();
        let start = end - bytes.trim_ascii_start().len();
        let mut bytes = bytes.trim_ascii();
        if let Some((b',', rest)) = bytes.split_last().map(|(last, rest)| (*last, rest)) {
            bytes = rest.trim_ascii_end();
        }
        (start, start + bytes.len())
    }

    /// What a person wants to know of what was refused from `start` to `end`.
    fn detail(&mut self, reject: Reject, start: usize, end: usize) -> String {
        match reject {
            Reject::NoTime => {
                self.spend(end - start);
                said_times(self.decoder, self.text.get(start..end).unwrap_or_default())
            }
            Reject::TooDeep => format!("at most {} deep", self.decoder.limits.nesting),
            Reject::TooManyRecords => format!("at most {}", self.decoder.limits.records),
            Reject::NotJson
            | Reject::NotUtf8
            | Reject::Utf16
            | Reject::Truncated
            | Reject::NotAnObject
            | Reject::Empty
            | Reject::BrokenEnvelope
            | Reject::MessageTooLarge
            | Reject::MatchTooLarge => String::new(),
        }
    }
}

/// What a record without a time has where one should be.
fn said_times(decoder: &Decoder, record: &str) -> String {
    let mut slots = Slots::new(normalise::TIMES.len());
    let mut read = |text: &str| {
        let mut scanner = Scanner::new(text, 0, decoder.limits.nesting);
        extract::record(&decoder.said, &mut scanner, &mut slots, false, extract::own).is_ok()
    };
    // A record that was mended is mended once more.
    if !read(record) && !read(&repair::repair(record)) {
        return String::new();
    }
    let said = (0..).zip(normalise::TIMES).filter_map(|(slot, name)| {
        let value = slots.get(slot)?;
        Some(format!("{name} is {}", normalise::no_time(value)))
    });
    said.collect::<Vec<_>>().join("; ")
}
