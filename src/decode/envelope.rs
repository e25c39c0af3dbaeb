//! Finds the records of a message, whatever they are wrapped in, and reads on after broken ones.
//!
//! Read are `{"records": [..]}` with or without other keys, an array of records or envelopes, a
//! bare record, and several of these one after the other (NDJSON). An object is an envelope if it
//! has a key `records`, in any case; a record within `records` is never an envelope itself.

use super::extract::{self, Found, Slots};
use super::json::{Fault, Scanner};
use super::{Decoded, Decoder, Reject, repair};
use crate::event::Event;
use crate::normalise;
use crate::time::Millis;

/// How many times the bytes of a message may be read again in the search for good records behind
/// broken ones. Without an end, a message made for it would cost the square of its length.
const SEARCHES_MAX: usize = 32;

/// A text of the same length that is UTF-8: each byte that is not becomes `?`.
pub(super) fn with_bad_bytes_masked(message: &[u8]) -> String {
    let mut text = String::with_capacity(message.len());
    for chunk in message.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}

/// Calls `each` for every record of `message`; `text` is the same, byte for byte, as UTF-8.
pub(super) fn read<'m>(
    decoder: &Decoder,
    message: &'m [u8],
    text: &str,
    timestamp: Option<Millis>,
    each: &mut dyn FnMut(Decoded<'m, '_>),
) {
    let mut reader = Reader {
        decoder,
        message,
        text,
        timestamp,
        each,
        slots: Slots::new(decoder.slots),
        event: Event {
            time: 0,
            values: vec![None; decoder.recipes.len()],
        },
        index: 0,
        last_refused: false,
        searches_left: text.len().saturating_mul(SEARCHES_MAX),
    };
    reader.message();
}

/// Where an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the message itself, or in an array of its own: it may be an envelope.
    Top,
    /// In `records`.
    Records,
}

/// What makes a record good enough to read on at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Any,
    /// It says when it happened: so it is no part of a broken record.
    WithTime,
}

struct Reader<'m, 't, 'd, 'e> {
    decoder: &'d Decoder,
    message: &'m [u8],
    text: &'t str,
    timestamp: Option<Millis>,
    each: &'e mut dyn FnMut(Decoded<'m, '_>),
    slots: Slots<'t>,
    event: Event<'t>,
    index: u32,
    last_refused: bool,
    /// Bytes that may still be read again.
    searches_left: usize,
}

impl<'t> Reader<'_, 't, '_, '_> {
    fn message(&mut self) {
        let mut at = if self.text.starts_with('\u{feff}') {
            3
        } else {
            0
        };
        if self.token(&mut at).is_none() {
            return self.refuse(0, self.text.len(), Reject::Empty);
        }
        while let Some(first) = self.token(&mut at) {
            at = match first {
                _ if self.is_full(at) => self.text.len(),
                b'{' => self.object(at, Place::Top),
                b'[' => self.elements(at + 1, Place::Top),
                b',' => at + 1,
                _ => self.no_object(at, Place::Top),
            };
        }
    }

    /// Skips blanks from `at`; the byte that follows them.
    fn token(&self, at: &mut usize) -> Option<u8> {
        let mut scanner = self.scanner(*at);
        let token = scanner.token();
        *at = scanner.at;
        token
    }

    fn scanner(&self, at: usize) -> Scanner<'t> {
        Scanner::new(self.text, at, self.decoder.limits.nesting)
    }

    /// Refuses the rest of the message if it has had all the records it may have.
    fn is_full(&mut self, at: usize) -> bool {
        let full = self.index >= self.decoder.limits.records;
        if full {
            self.refuse(at, self.text.len(), Reject::TooManyRecords);
        }
        full
    }

    /// Reads the object at `at`, a record or an envelope. Returns where it ends.
    fn object(&mut self, at: usize, place: Place) -> usize {
        let mut scanner = self.scanner(at);
        match self.read_record(&mut scanner, place == Place::Top) {
            Ok(Found::Record(end)) => {
                self.accept(at, end);
                end
            }
            Ok(Found::Envelope(records)) => self.envelope(at, records),
            Err(fault) => match self.single_quoted_records(at) {
                Some(records) if place == Place::Top => self.envelope(at, records),
                Some(_) | None => self.broken(at, fault, place),
            },
        }
    }

    fn read_record(
        &mut self,
        scanner: &mut Scanner<'t>,
        maybe_envelope: bool,
    ) -> Result<Found, Fault> {
        let lend = |text: &'t str| text.into();
        extract::record(
            &self.decoder.root,
            scanner,
            &mut self.slots,
            maybe_envelope,
            lend,
        )
    }

    /// Where the value begins in `{.., 'records': [..` at `at`: an envelope that is not JSON, for
    /// its keys have single quotes.
    fn single_quoted_records(&self, at: usize) -> Option<usize> {
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

    /// Reads the envelope at `at` from the value of its `records` on. Returns where it ends.
    fn envelope(&mut self, at: usize, records: usize) -> usize {
        let mut end = self.records(records);
        loop {
            let next = match self.token(&mut end) {
                Some(b'}') => return end + 1,
                Some(b',') => self.member(end + 1),
                Some(_) => None,
                None if self.last_refused => return end,
                None => None,
            };
            end = match next.or_else(|| self.records_behind(end)) {
                Some(next) => next,
                None => {
                    let line = self.next_line(end);
                    self.refuse(at, line, Reject::BrokenEnvelope);
                    return line;
                }
            };
        }
    }

    /// Reads the key and value at `at` of an envelope. Returns where they end; `None`: they are
    /// not JSON.
    fn member(&mut self, at: usize) -> Option<usize> {
        let mut scanner = self.scanner(at);
        let key = scanner.string().ok()?;
        scanner.expect(b':').ok()?;
        if key.text().eq_ignore_ascii_case("records") {
            scanner.token();
            return Some(self.records(scanner.at));
        }
        scanner.skip(1).ok()?;
        Some(scanner.at)
    }

    /// Reads the records behind `at`, where a broken one made the end of `records` seem to be.
    fn records_behind(&mut self, at: usize) -> Option<usize> {
        let line = self.next_line(at);
        let good = self.next_good_record(at, line, Place::Records, Wanted::WithTime)?;
        self.refuse(at, good, Reject::NotJson);
        Some(self.elements(good, Place::Records))
    }

    /// Reads the value of `records`. Returns where it ends.
    fn records(&mut self, at: usize) -> usize {
        match self.text.as_bytes().get(at) {
            Some(b'[') => self.elements(at + 1, Place::Records),
            Some(b'{') => self.object(at, Place::Records),
            Some(_) => self.no_object(at, Place::Records),
            None => at,
        }
    }

    /// The start of the first line after `at` that begins with an object or array, or the end.
    fn next_line(&self, at: usize) -> usize {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        let starts = memchr::memchr_iter(b'\n', rest).map(|newline| at + newline + 1);
        let opens = |start: &usize| matches!(self.text.as_bytes().get(*start), Some(b'{' | b'['));
        starts.into_iter().find(opens).unwrap_or(self.text.len())
    }

    /// Reads the elements of an array from the one at `at` on; those of arrays within it too.
    /// Returns where the array ends.
    fn elements(&mut self, mut at: usize, place: Place) -> usize {
        let mut open = 1_usize;
        while open > 0 {
            at = match self.token(&mut at) {
                Some(b']') => {
                    open -= 1;
                    at + 1
                }
                Some(b'[') => {
                    open += 1;
                    at + 1
                }
                Some(b',') => at + 1,
                Some(_) if self.is_full(at) => self.text.len(),
                Some(b'{') => self.object(at, place),
                Some(_) => self.no_object(at, place),
                None => {
                    if place == Place::Top && !self.last_refused {
                        self.refuse(0, at, Reject::BrokenEnvelope);
                    }
                    return at;
                }
            };
        }
        at
    }

    /// Refuses what stands at `at`, where an object should. Returns where it ends.
    fn no_object(&mut self, at: usize, place: Place) -> usize {
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
    fn broken(&mut self, at: usize, fault: Fault, place: Place) -> usize {
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

    /// When the record that was read happened, as it says itself.
    fn own_time(&self) -> Option<Millis> {
        let times = self.decoder.times.iter();
        times
            .filter_map(|slot| self.slots.get(*slot))
            .find_map(normalise::time)
    }

    /// Hands over the record that was read, from `at` to `end`.
    fn accept(&mut self, at: usize, end: usize) {
        let Some(time) = self.own_time().or(self.timestamp) else {
            return self.refuse(at, end, Reject::NoTime);
        };
        self.event.time = time;
        let record = self.text.get(at..end).unwrap_or_default();
        for (recipe, value) in self.decoder.recipes.iter().zip(&mut self.event.values) {
            normalise::fill(value, recipe, &self.slots, record);
        }
        let bytes = self.message.get(at..end).unwrap_or_default();
        (self.each)(Decoded {
            index: self.index,
            bytes,
            outcome: Ok(&self.event),
        });
        self.index += 1;
        self.last_refused = false;
    }

    /// Hands over what stands from `at` to `end` as refused.
    fn refuse(&mut self, at: usize, end: usize, reject: Reject) {
        let mut bytes = self.message.get(at..end).unwrap_or_default().trim_ascii();
        if let Some((b',', rest)) = bytes.split_last().map(|(last, rest)| (*last, rest)) {
            bytes = rest.trim_ascii_end();
        }
        let reject = match reject {
            Reject::NotJson if std::str::from_utf8(bytes).is_err() => Reject::NotUtf8,
            other => other,
        };
        (self.each)(Decoded {
            index: self.index,
            bytes,
            outcome: Err(reject),
        });
        self.index += 1;
        self.last_refused = true;
    }
}
