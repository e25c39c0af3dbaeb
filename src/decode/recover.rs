//! Reading on where a message is broken: what can be mended is, what cannot is refused alone, and
//! the good records behind it are found.

use super::Reject;
use super::envelope::{Place, Reader};
use super::extract::{self, Found};
use super::json::{Fault, Scanner};
use super::repair;

/// How many times the bytes of a message may be read again in the search for good records behind
/// broken ones. Without an end, a message made for it would cost the square of its length.
pub(super) const SEARCHES_MAX: usize = 32;

/// What makes a record good enough to read on at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Any,
    /// It says when it happened: so it is no part of a broken record.
    WithTime,
}

impl Reader<'_, '_, '_, '_> {
    /// Refuses what stands at `at`, where an object should. Returns where it ends.
    pub(super) fn no_object(&mut self, at: usize, place: Place) -> usize {
        let mut scanner = self.scanner(at);
        if scanner.skip(1).is_ok() && self.may_follow(scanner.at) {
            self.refuse(at, scanner.at, Reject::NotAnObject);
            return scanner.at;
        }
        let length = self.text.len();
        let good = self.next_good_record(at, length, place, Wanted::Any);
        let line = (place == Place::Top).then(|| self.next_line(at));
        let end = [good, line].into_iter().flatten().min().unwrap_or(length);
        self.refuse(at, end, Reject::NotJson);
        end
    }

    /// Whether a value may end at `at`, by what follows.
    fn may_follow(&self, mut at: usize) -> bool {
        let newline = self.text.as_bytes().get(at) == Some(&b'\n');
        newline
            || matches!(
                self.token(&mut at),
                None | Some(b',' | b']' | b'}' | b'{' | b'[')
            )
    }

    /// Deals with the object at `at`, which is not JSON: mends it, or refuses it alone. Returns
    /// where it ends.
    pub(super) fn broken(&mut self, at: usize, fault: Fault, place: Place) -> usize {
        let by_brackets = self.end_by_brackets(at);
        let too_deep = fault == Fault::Depth;
        if let Some(end) = by_brackets
            && !too_deep
            && self.mend(at, end)
        {
            return end;
        }
        let good = match by_brackets {
            Some(end) if too_deep => Some(end),
            Some(end) => self.next_good_record(at, end, place, Wanted::WithTime),
            None => {
                let end = self.text.len();
                self.next_good_record(at, end, place, Wanted::WithTime)
                    .or_else(|| self.next_good_record(at, end, place, Wanted::Any))
            }
        };
        let line = (place == Place::Top).then(|| self.next_line(at));
        let end = [good, by_brackets, line]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.text.len());
        let reject = match fault {
            Fault::Depth => Reject::TooDeep,
            Fault::End if end == self.text.len() => Reject::Truncated,
            Fault::End | Fault::Syntax => Reject::NotJson,
        };
        self.refuse(at, end, reject);
        end
    }

    fn end_by_brackets(&mut self, at: usize) -> Option<usize> {
        if self.searches_left == 0 {
            return None;
        }
        let end = repair::end_by_brackets(self.text.as_bytes(), at);
        self.spend(end.unwrap_or(self.text.len()).saturating_sub(at));
        end
    }

    fn spend(&mut self, bytes: usize) {
        self.searches_left = self.searches_left.saturating_sub(bytes);
    }

    /// Mends and reads the record from `at` to `end`. False: it is no record even so.
    fn mend(&mut self, at: usize, end: usize) -> bool {
        let mended = repair::repair(self.text.get(at..end).unwrap_or_default());
        let mut scanner = Scanner::new(&mended, 0, self.decoder.limits.nesting);
        let root = &self.decoder.root;
        let read = extract::record(root, &mut scanner, &mut self.slots, false, extract::own);
        let whole = matches!(read, Ok(Found::Record(length)) if length == mended.len());
        if whole {
            self.accept(at, end);
        }
        whole
    }

    /// The first place between `at` and `end` where a good record begins: an object that is JSON
    /// and stands as an element does.
    fn next_good_record(
        &mut self,
        at: usize,
        end: usize,
        place: Place,
        wanted: Wanted,
    ) -> Option<usize> {
        let text = self.text.as_bytes().get(..end)?;
        let mut from = at + 1;
        while self.searches_left > 0 {
            let start = from + memchr::memchr(b'{', text.get(from..)?)?;
            from = start + 1;
            let before = text.get(at..start)?.trim_ascii_end().last();
            let in_place = matches!(before, Some(b',' | b'}' | b']'));
            let on_line = place == Place::Top && text.get(start - 1) == Some(&b'\n');
            if (in_place || on_line) && self.is_good_record(start, wanted) {
                return Some(start);
            }
        }
        None
    }

    fn is_good_record(&mut self, start: usize, wanted: Wanted) -> bool {
        let mut scanner = self.scanner(start);
        let read = self.read_record(&mut scanner, false);
        self.spend(scanner.at - start);
        read.is_ok()
            && self.may_follow(scanner.at)
            && (wanted == Wanted::Any || self.own_time().is_some())
    }

    /// Where the value begins in `{.., 'records': [..` at `at`: an envelope that is not JSON, for
    /// its keys have single quotes.
    pub(super) fn single_quoted_records(&self, at: usize) -> Option<usize> {
        let start = at + 1;
        let rest = self.text.get(start..)?;
        let value = start + rest.find(['{', '['])?;
        let before = self
            .text
            .get(start..value)?
            .trim_end()
            .strip_suffix(':')?
            .trim_end();
        let key = before.strip_suffix('\'')?.rsplit('\'').next()?;
        key.eq_ignore_ascii_case("records").then_some(value)
    }

    /// Reads the records behind `at`, where a broken one made the end of `records` seem to be.
    pub(super) fn records_behind(&mut self, at: usize) -> Option<usize> {
        let line = self.next_line(at);
        let good = self.next_good_record(at, line, Place::Records, Wanted::WithTime)?;
        self.refuse(at, good, Reject::NotJson);
        Some(self.elements(good, Place::Records))
    }

    /// The start of the first line after `at` that begins with an object or array, or the end.
    pub(super) fn next_line(&mut self, at: usize) -> usize {
        if self.line <= at {
            let text = self.text.as_bytes();
            let rest = text.get(at..).unwrap_or_default();
            let mut starts = memchr::memchr_iter(b'\n', rest).map(|newline| at + newline + 1);
            let opens = |start: &usize| matches!(text.get(*start), Some(b'{' | b'['));
            self.line = starts.find(opens).unwrap_or(text.len());
        }
        self.line
    }
}
