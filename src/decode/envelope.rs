//! Finds the records of a message, whatever they are wrapped in, and reads on after broken ones.
//!
//! Read are `{"records": [..]}` with or without other keys, an array of records or envelopes, a
//! bare record, and several of these one after the other (NDJSON). An object is an envelope if it
//! has a key `records`, in any case; a record within `records` is never an envelope itself.
//! An answer of REST or Graph, `{"value": [..]}`, is read as its records. Of what Event Grid sends,
//! and of a CloudEvent, the record is what `data` holds.

use std::borrow::Cow;

use super::extract::{self, Found};
use super::json::{Fault, Scanner};
use super::recover;
use super::refuse::Run;
use super::survey::{Standing, Survey};
use super::{Decoder, Draft, Drafted, Reject, Work, repair};
use crate::event::Event;
use crate::normalise;
use crate::slots::Slots;
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
    each: &mut dyn FnMut(Drafted<'m, '_, '_>),
) -> Work {
    let mut reader = Reader::new(decoder, message, text, timestamp, each);
    reader.message();
    reader.tell_refused();
    reader.spend_within();
    reader.work
}

/// Whether any attribute tells something of a record, be it asked for or not.
#[cold]
fn is_recognised(decoder: &Decoder, record: &str) -> bool {
    let all = decoder.all();
    let tells = |text: &str| {
        let mut slots = Slots::new(all.slots);
        let start = Scanner::new(text, 0, all.limits.nesting);
        let mut scanner = start.clone();
        let root = &all.root;
        let read = extract::record(root, &mut scanner, &mut slots, false, extract::own);
        extract::unwrap(all, start, &mut slots, extract::own);
        let mut event = Event::default();
        let recipes = all.recipes(&slots);
        let mut draft = Draft::new(all, recipes, &mut event, &mut slots, text);
        read.is_ok().then(|| draft.tells())
    };
    // A record that was mended is mended once more.
    let told = tells(record).or_else(|| tells(&repair::repair(record)));
    told.unwrap_or_default()
}

/// Whether an answer of REST or Graph says this of itself, or its records.
pub(super) fn is_of_answer(key: &str) -> bool {
    let is_one_of = |names: &[&str]| names.iter().any(|name| key.eq_ignore_ascii_case(name));
    let is_odata = key.trim_start_matches('@').starts_with("odata.");
    is_odata || is_one_of(&["value", "nextLink", "count"])
}

/// A text that is as old as the message.
fn lent(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
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
    pub(super) message: &'m [u8],
    pub(super) text: &'t str,
    timestamp: Option<Millis>,
    pub(super) each: &'e mut dyn FnMut(Drafted<'m, '_, '_>),
    pub(super) slots: Slots<'t>,
    event: Event<'t>,
    pub(super) index: u32,
    /// What was refused since the last good record.
    pub(super) refused: Option<Run>,
    /// The first line known to begin after a broken record.
    pub(super) line: usize,
    /// Where reading went on behind something that has no end of its own.
    pub(super) cut_at: Option<usize>,
    /// Brackets that are open where the end of an object is looked for.
    pub(super) open: Vec<usize>,
    /// The last text that was mended: its memory is used again.
    pub(super) mended: String,
    /// What is known of the objects of a broken message.
    pub(super) survey: Survey,
    /// Bytes that may still be looked at for mending.
    pub(super) mending_left: usize,
    /// Where each record begins and ends, good or refused, if that is asked for.
    pub(super) pieces: Option<Vec<(usize, usize)>>,
    pub(super) work: Work,
}

impl<'m, 't, 'd, 'e> Reader<'m, 't, 'd, 'e> {
    pub(super) fn new(
        decoder: &'d Decoder,
        message: &'m [u8],
        text: &'t str,
        timestamp: Option<Millis>,
        each: &'e mut dyn FnMut(Drafted<'m, '_, '_>),
    ) -> Self {
        Reader {
            decoder,
            message,
            text,
            timestamp,
            each,
            slots: Slots::new(decoder.slots),
            event: Event::default(),
            index: 0,
            refused: None,
            line: 0,
            cut_at: None,
            open: Vec::new(),
            mended: String::new(),
            survey: Survey::default(),
            mending_left: text.len().saturating_mul(recover::MENDING_MAX),
            pieces: None,
            work: Work::default(),
        }
    }
}

impl<'t> Reader<'_, 't, '_, '_> {
    pub(super) fn message(&mut self) {
        let mut at = 0;
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

    /// Skips blanks and byte order marks from `at`; the byte that follows them.
    pub(super) fn token(&mut self, at: &mut usize) -> Option<u8> {
        let mut scanner = self.scanner(*at);
        let mut token = scanner.token();
        while token == Some(0xef) && self.rest(scanner.at).starts_with('\u{feff}') {
            scanner.at += '\u{feff}'.len_utf8();
            token = scanner.token();
        }
        self.spend(scanner.at - *at + 1);
        *at = scanner.at;
        token
    }

    fn rest(&self, at: usize) -> &'t str {
        self.text.get(at..).unwrap_or_default()
    }

    /// Counts bytes that were looked at.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.work.steps += bytes as u64;
    }

    /// Counts what was looked at within texts that were read as JSON. How much that is depends on
    /// what is wanted, so what becomes of a record must not follow from it.
    pub(super) fn spend_within(&mut self) {
        let bytes = std::mem::take(&mut self.slots.read_within);
        self.spend(bytes);
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

    /// Whether the object at `at` stands behind the end of the `records` that are read, as far as
    /// can be told before it is read.
    fn is_behind_records(&mut self, at: usize, place: Place) -> bool {
        self.cut_at == Some(at) && place == Place::Records && self.leaves_records(at)
    }

    /// Whether a line begins at `at`.
    pub(super) fn begins_line(&self, at: usize) -> bool {
        at > 0 && self.text.as_bytes().get(at - 1) == Some(&b'\n')
    }

    /// Reads the object at `at`, a record or an envelope. Returns where it ends, or `at` itself if
    /// it is another envelope than the one that is read.
    fn object(&mut self, at: usize, place: Place) -> usize {
        match (self.survey.known(at), place) {
            (Standing::Broken(fault), _) => return self.unsound(at, fault, place),
            (Standing::Envelope, Place::Records) if !self.begins_line(at) => {
                return self.unsound(at, Fault::Syntax, place);
            }
            (Standing::Envelope, Place::Top | Place::Records)
            | (
                Standing::Unknown
                | Standing::Sound
                | Standing::Timed
                | Standing::Glued
                | Standing::WholeEnvelope,
                Place::Top | Place::Records,
            ) => (),
        }
        let mut scanner = self.scanner(at);
        let start = scanner.clone();
        let maybe_envelope = place == Place::Top || self.begins_line(at);
        let read = self.read_record(&mut scanner, maybe_envelope);
        self.spend(scanner.at - at);
        let answer = self.answer(at, place);
        if read.is_ok() && answer.is_none() {
            extract::unwrap(self.decoder, start, &mut self.slots, lent);
        }
        self.spend_within();
        match (read, answer) {
            (Ok(Found::Record(end)), Some(records)) => {
                self.elements(records + 1, Place::Records);
                end
            }
            (Ok(Found::Record(end)), None) => {
                self.accept(at, end);
                end
            }
            (Ok(Found::Envelope(_)), _) if place == Place::Records => at,
            (Ok(Found::Envelope(records)), _) => self.envelope(at, records),
            (Err(fault), _) => {
                // Whatever is asked of the objects within is known then.
                self.standing(at);
                self.unsound(at, fault, place)
            }
        }
    }

    /// Reads the object at `at`, which is not JSON. Returns where it ends.
    fn unsound(&mut self, at: usize, fault: Fault, place: Place) -> usize {
        let records = match place {
            Place::Top => self
                .single_quoted_records(at)
                .or_else(|| self.broken_answer(at)),
            Place::Records => None,
        };
        if let Some(records) = records {
            return self.envelope(at, records);
        }
        self.broken(at, fault, place)
    }

    pub(super) fn read_record(
        &mut self,
        scanner: &mut Scanner<'t>,
        maybe_envelope: bool,
    ) -> Result<Found, Fault> {
        extract::record(
            &self.decoder.root,
            scanner,
            &mut self.slots,
            maybe_envelope,
            lent,
        )
    }

    /// Where the records begin of the answer of REST or Graph that was read at `at`: an object with
    /// a list called `value`, and nothing else but what such answers say of themselves.
    fn answer(&mut self, at: usize, place: Place) -> Option<usize> {
        let records = self.slots.answer.filter(|_| place == Place::Top)?;
        let mut scanner = self.scanner(at);
        let has_others = loop {
            scanner.at += 1;
            let key = scanner.string().ok()?;
            let is_own = is_of_answer(&key.text());
            let read = scanner.expect(b':').and_then(|()| scanner.skip(1));
            if !is_own || read.is_err() || scanner.token() != Some(b',') {
                break !is_own;
            }
        };
        self.spend(scanner.at - at);
        (!has_others).then_some(records)
    }

    /// Reads the envelope at `at` from the value of its `records` on. Returns where it ends.
    fn envelope(&mut self, at: usize, records: usize) -> usize {
        let mut end = self.records(records);
        loop {
            let next = match self.token(&mut end) {
                Some(b'}') => return end + 1,
                Some(b',') => {
                    let mut next = end + 1;
                    if self.token(&mut next) == Some(b'}') {
                        return next + 1;
                    }
                    self.member(next)
                }
                Some(b'{') if self.leaves_records(end) => {
                    if self.refused.is_none() {
                        self.refuse(at, end, Reject::BrokenEnvelope);
                    }
                    return end;
                }
                Some(b'{') if self.goes_on(end) => Some(self.elements(end, Place::Records)),
                Some(_) => None,
                None if self.refused.is_some() => return end,
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
        let is_records = scanner.string().and_then(|key| {
            scanner.expect(b':')?;
            Ok(key.text().eq_ignore_ascii_case("records"))
        });
        let read = match is_records {
            Ok(true) => {
                scanner.token();
                self.spend(scanner.at - at);
                return Some(self.records(scanner.at));
            }
            Ok(false) => scanner.skip(1),
            Err(fault) => Err(fault),
        };
        self.spend(scanner.at - at);
        read.is_ok().then_some(scanner.at)
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
                Some(b'{') if self.is_behind_records(at, place) => return at,
                Some(b'{') => match self.object(at, place) {
                    end if end == at => return at,
                    end => end,
                },
                Some(_) => self.no_object(at, place),
                None => {
                    if place == Place::Top && self.refused.is_none() {
                        self.refuse(0, at, Reject::BrokenEnvelope);
                    }
                    return at;
                }
            };
        }
        at
    }

    /// Hands over the record that was read, from `at` to `end`.
    pub(super) fn accept(&mut self, at: usize, end: usize) {
        let recipes = self.decoder.recipes(&self.slots);
        let own = normalise::own_time(&recipes.time, &self.slots);
        let Some(time) = own.or(self.timestamp) else {
            return self.refuse(at, end, Reject::NoTime);
        };
        if self.refused.is_some() {
            self.tell_refused();
        }
        self.note_piece(at, end);
        self.event.time = time;
        self.event.has_own_time = own.is_some();
        let record = self.text.get(at..end).unwrap_or_default();
        let (event, slots) = (&mut self.event, &mut self.slots);
        let mut draft = Draft::new(self.decoder, recipes, event, slots, record);
        let is_recognised = draft.tells() || is_recognised(self.decoder, record);
        draft.recognise(is_recognised);
        self.work.unrecognised += u64::from(!is_recognised);
        (self.each)(Drafted {
            index: self.index,
            bytes: self.message.get(at..end).unwrap_or_default(),
            outcome: Ok(draft),
        });
        self.index += 1;
        self.work.hidden += self.slots.hidden;
    }
}
