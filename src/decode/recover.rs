//! Reading on where a message is broken: what can be mended is, what cannot is refused alone, and
//! the good records behind it are found.

use super::Reject;
use super::extract::{self, Found};
use super::json::{Fault, Scanner};
use super::reader::{Open, Place, Records};
use super::repair;
use super::survey::{Wanted, may_follow};

/// What mending a byte costs, measured in bytes that are only looked at.
const MENDING_COST: usize = 4;

impl Records<'_> {
    /// Refuses what stands at `at`, where an object should. Returns where it ends.
    pub(super) fn no_object(&mut self, at: usize, place: Place) -> usize {
        let mut scanner = self.scanner(at);
        let skipped = scanner.skip(1).is_ok();
        self.spend(scanner.at - at + 1);
        if skipped && may_follow(scanner.clone(), self.text) {
            self.refuse(at, scanner.at, Reject::NotAnObject);
            return scanner.at;
        }
        let length = self.text.len();
        let good = self.next_good_record(at, length, place, Wanted::Any);
        let line = (place == Place::Top).then(|| self.next_line(at));
        let end = [good, line].into_iter().flatten().min().unwrap_or(length);
        self.refuse(at, end, Reject::NotJson);
        self.cut_at = Some(end);
        end
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
        self.cut_at = by_brackets.is_none().then_some(end);
        end
    }

    /// Where the object at `at` ends by its brackets, if it may still be looked for.
    fn end_by_brackets(&mut self, at: usize) -> Option<usize> {
        if self.survey.is_unclosed(at) {
            return None;
        }
        let most = at.saturating_add(self.mending_left).min(self.text.len());
        let text = self.text.as_bytes().get(..most).unwrap_or_default();
        let brackets = repair::end_by_brackets(text, at, &mut self.brackets);
        if brackets.end.is_none() && most == self.text.len() {
            self.survey.unclosed(&self.brackets, most);
        }
        let read = brackets.read.saturating_sub(at);
        self.spend(read);
        self.mending_left -= read.min(self.mending_left);
        if brackets.end.is_none() && most < self.text.len() && brackets.read == most {
            self.mending_left = 0;
            self.work.unmended += 1;
        }
        brackets.end
    }

    /// Mends and reads the record from `at` to `end`. False: it is no record even so.
    fn mend(&mut self, at: usize, end: usize) -> bool {
        let cost = (end - at) * MENDING_COST;
        if cost > self.mending_left {
            self.work.unmended += 1;
            return false;
        }
        self.mending_left -= cost;
        self.spend(cost);
        let text = self.text.get(at..end).unwrap_or_default();
        let mended = repair::repair_in(std::mem::take(&mut self.mended), text);
        let mut scanner = Scanner::new(&mended, 0, self.decoder.limits.nesting);
        let root = &self.decoder.root;
        let start = scanner.clone();
        let read = extract::record(root, &mut scanner, &mut self.slots, false, extract::own);
        let whole = matches!(read, Ok(Found::Record(length)) if length == mended.len());
        if whole {
            extract::unwrap(self.decoder, start, &mut self.slots, extract::own);
        }
        self.spend_within();
        self.mended = mended;
        if whole {
            self.accept(at, end);
        }
        whole
    }

    /// Where the value begins in `{.., 'records': [..` at `at`: an envelope that is not JSON, for
    /// its keys have single quotes.
    pub(super) fn single_quoted_records(&mut self, at: usize) -> Option<usize> {
        let start = at + 1;
        let rest = self.text.as_bytes().get(start..)?;
        let value = start + memchr::memchr2(b'{', b'[', rest).unwrap_or(rest.len());
        self.spend(value - at);
        let before = self
            .text
            .get(start..value)?
            .trim_end()
            .strip_suffix(':')?
            .trim_end();
        let key = before.strip_suffix('\'')?.rsplit('\'').next()?;
        let found = value < self.text.len() && key.eq_ignore_ascii_case("records");
        found.then_some(value)
    }

    /// Where the records go on behind `at`: a broken one made their end seem to be there.
    pub(super) fn records_behind(&mut self, at: usize) -> Option<usize> {
        let line = self.next_line(at);
        let good = self.next_good_record(at, line, Place::Records, Wanted::WithTime)?;
        self.refuse(at, good, Reject::NotJson);
        self.open.push(Open::Arrays(1, Place::Records));
        Some(good)
    }

    /// The start of the first line after `at` that begins with an object or array, or the end.
    pub(super) fn next_line(&mut self, at: usize) -> usize {
        if self.line <= at {
            let text = self.text.as_bytes();
            let rest = text.get(at..).unwrap_or_default();
            let mut starts = memchr::memchr_iter(b'\n', rest).map(|newline| at + newline + 1);
            let opens = |start: &usize| matches!(text.get(*start), Some(b'{' | b'['));
            self.line = starts.find(opens).unwrap_or(text.len());
            self.spend(self.line.saturating_sub(at));
        }
        self.line
    }
}
