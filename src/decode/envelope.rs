//! Finds the records of a message, whatever they are wrapped in, and reads on after broken ones.
//!
//! Read are `{"records": [..]}` with or without other keys, an array of records or envelopes, a
//! bare record, and several of these one after the other (NDJSON). An object is an envelope if it
//! has a key `records`, in any case; a record within `records` is never an envelope itself.

use super::extract::{self, Found, Slots};
use super::json::{Fault, Scanner};
use super::recover;
use super::{Decoded, Decoder, Reject};
use crate::event::Event;
use crate::normalise;
use crate::time::Millis;

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
        line: 0,
        searches_left: text.len().saturating_mul(recover::SEARCHES_MAX),
    };
    reader.message();
}

/// Where an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the message itself, or in an array of its own: it may be an envelope.
    Top,
    /// In `records`.
    Records,
}

/// A message that is being read.
pub(super) struct Reader<'m, 't, 'd, 'e> {
    pub(super) decoder: &'d Decoder,
    message: &'m [u8],
    pub(super) text: &'t str,
    timestamp: Option<Millis>,
    each: &'e mut dyn FnMut(Decoded<'m, '_>),
    pub(super) slots: Slots<'t>,
    event: Event<'t>,
    index: u32,
    pub(super) last_refused: bool,
    /// The first line known to begin after a broken record.
    pub(super) line: usize,
    /// Bytes that may still be read again.
    pub(super) searches_left: usize,
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
    pub(super) fn token(&self, at: &mut usize) -> Option<u8> {
        let mut scanner = self.scanner(*at);
        let token = scanner.token();
        *at = scanner.at;
        token
    }

    pub(super) fn scanner(&self, at: usize) -> Scanner<'t> {
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

    pub(super) fn read_record(
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

    /// Reads the value of `records`. Returns where it ends.
    fn records(&mut self, at: usize) -> usize {
        match self.text.as_bytes().get(at) {
            Some(b'[') => self.elements(at + 1, Place::Records),
            Some(b'{') => self.object(at, Place::Records),
            Some(_) => self.no_object(at, Place::Records),
            None => at,
        }
    }

    /// Reads the elements of an array from the one at `at` on; those of arrays within it too.
    /// Returns where the array ends.
    pub(super) fn elements(&mut self, mut at: usize, place: Place) -> usize {
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

    /// When the record that was read happened, as it says itself.
    pub(super) fn own_time(&self) -> Option<Millis> {
        let times = self.decoder.times.iter();
        times
            .filter_map(|slot| self.slots.get(*slot))
            .find_map(normalise::time)
    }

    /// Hands over the record that was read, from `at` to `end`.
    pub(super) fn accept(&mut self, at: usize, end: usize) {
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
    pub(super) fn refuse(&mut self, at: usize, end: usize, reject: Reject) {
        let mut bytes = self.message.get(at..end).unwrap_or_default().trim_ascii();
        if let Some((b',', rest)) = bytes.split_last().map(|(last, rest)| (*last, rest)) {
            bytes = rest.trim_ascii_end();
        }
        let not_utf8 = reject == Reject::NotJson && std::str::from_utf8(bytes).is_err();
        let reject = if not_utf8 { Reject::NotUtf8 } else { reject };
        (self.each)(Decoded {
            index: self.index,
            bytes,
            outcome: Err(reject),
        });
        self.index += 1;
        self.last_refused = true;
    }
}
