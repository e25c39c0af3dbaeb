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
use super::reader::{Accepted, Open, Place, Records};
use super::survey::Standing;
use super::{Decoder, Draft, Record, Reject, repair};
use crate::event::Event;
use crate::normalise;
use crate::slots::Slots;

/// Whether any attribute tells something of a record, be it asked for or not.
#[cold]
fn is_recognised(decoder: &Decoder, record: &str) -> bool {
    let all = &*decoder.all();
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

/// A text that is as old as the message.
fn lent(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

impl<'m> Records<'m> {
    /// The next record, or neighbours that were refused; nothing where the message ends.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator's items cannot borrow what makes them, and a record does"
    )]
    pub fn next(&mut self) -> Option<Record<'m, '_>> {
        while self.accepted.is_none() && self.step() {}
        if let Some(run) = self.refused.take() {
            let run = &*self.told.insert(run);
            return Some(Record {
                index: run.index,
                bytes: self.message.get(run.start..run.end).unwrap_or_default(),
                outcome: Err(&run.refused),
            });
        }
        let accepted = self.accepted.take()?;
        Some(self.hand_over(accepted))
    }

    /// Reads on a little; whether there was anything left.
    fn step(&mut self) -> bool {
        match self.open.last().copied() {
            Some(Open::Message) => self.message(),
            Some(Open::Arrays(open, place)) => self.element(open, place),
            Some(Open::Envelope(start)) => self.behind_records(start),
            Some(Open::Answer(end)) => self.close_at(end),
            None => return false,
        }
        true
    }

    /// Ends what is open innermost; reading goes on here.
    fn close_at(&mut self, at: usize) {
        self.open.pop();
        self.at = at;
    }

    fn message(&mut self) {
        let is_begin = self.at == 0;
        let mut at = self.at;
        let Some(first) = self.token(&mut at) else {
            if is_begin {
                self.refuse(0, self.text.len(), Reject::Empty);
            }
            return self.close_at(at);
        };
        self.at = match first {
            _ if self.is_full(at) => self.text.len(),
            b'{' => self.object(at, Place::Top),
            b'[' => self.array(at, Place::Top),
            b',' => at + 1,
            _ => self.no_object(at, Place::Top),
        };
    }

    /// Opens the array at `at`. Returns where its elements begin.
    fn array(&mut self, at: usize, place: Place) -> usize {
        self.open.push(Open::Arrays(1, place));
        at + 1
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

    /// Reads the object at `at`, a record or an envelope. Returns where reading goes on: behind it,
    /// or at its records, or at `at` itself if it is another envelope than the one that is read.
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
                self.open.push(Open::Answer(end));
                self.array(records, Place::Records)
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

    /// Reads the object at `at`, which is not JSON. Returns where reading goes on.
    fn unsound(&mut self, at: usize, fault: Fault, place: Place) -> usize {
        let records = match place {
            Place::Top => self
                .single_quoted_records(at)
                .or_else(|| self.broken_answer(at)),
            Place::Records => None,
        };
        match records {
            Some(records) => self.envelope(at, records),
            None => self.broken(at, fault, place),
        }
    }

    fn read_record(
        &mut self,
        scanner: &mut Scanner<'m>,
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

    /// Opens the envelope at `at`, whose records begin at `records`. Returns where reading goes on.
    fn envelope(&mut self, at: usize, records: usize) -> usize {
        self.open.push(Open::Envelope(at));
        self.records(records)
    }

    /// Reads on in the envelope that begins at `start`, behind its records.
    fn behind_records(&mut self, start: usize) {
        let mut end = self.at;
        let next = match self.token(&mut end) {
            Some(b'}') => return self.close_at(end + 1),
            Some(b',') => {
                let mut next = end + 1;
                if self.token(&mut next) == Some(b'}') {
                    return self.close_at(next + 1);
                }
                self.member(next)
            }
            Some(b'{') if self.leaves_records(end) => {
                if self.refused.is_none() {
                    self.refuse(start, end, Reject::BrokenEnvelope);
                }
                return self.close_at(end);
            }
            Some(b'{') if self.goes_on(end) => {
                self.open.push(Open::Arrays(1, Place::Records));
                Some(end)
            }
            Some(_) => None,
            None if self.refused.is_some() => return self.close_at(end),
            None => None,
        };
        match next.or_else(|| self.records_behind(end)) {
            Some(next) => self.at = next,
            None => {
                let line = self.next_line(end);
                self.refuse(start, line, Reject::BrokenEnvelope);
                self.close_at(line);
            }
        }
    }

    /// Reads the key and value at `at` of an envelope. Returns where reading goes on;
    /// `None`: they are not JSON.
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

    /// Reads or opens the value of `records`. Returns where reading goes on.
    fn records(&mut self, at: usize) -> usize {
        match self.text.as_bytes().get(at) {
            Some(b'[') => self.array(at, Place::Records),
            Some(b'{') => self.object(at, Place::Records),
            Some(_) => self.no_object(at, Place::Records),
            None => at,
        }
    }

    /// Reads on in arrays, so many within each other: an element, or what stands around it.
    fn element(&mut self, open: usize, place: Place) {
        let mut at = self.at;
        match self.token(&mut at) {
            Some(b']') if open == 1 => self.close_at(at + 1),
            Some(b']') => self.go_on_in(open - 1, place, at + 1),
            Some(b'[') => self.go_on_in(open + 1, place, at + 1),
            Some(b',') => self.at = at + 1,
            Some(_) if self.is_full(at) => self.at = self.text.len(),
            Some(b'{') if self.is_behind_records(at, place) => self.close_at(at),
            Some(b'{') => match self.object(at, place) {
                next if next == at => self.close_at(at),
                next => self.at = next,
            },
            Some(_) => self.at = self.no_object(at, place),
            None => {
                if place == Place::Top && self.refused.is_none() {
                    self.refuse(0, at, Reject::BrokenEnvelope);
                }
                self.close_at(at);
            }
        }
    }

    /// So many arrays are open now within each other.
    fn go_on_in(&mut self, open: usize, place: Place, at: usize) {
        if let Some(last) = self.open.last_mut() {
            *last = Open::Arrays(open, place);
        }
        self.at = at;
    }

    /// Takes the record that was read, from `start` to `end`.
    pub(super) fn accept(&mut self, start: usize, end: usize) {
        let recipes = self.decoder.recipes(&self.slots);
        let own = normalise::own_time(&recipes.time, &self.slots);
        let Some(time) = own.or(self.timestamp) else {
            return self.refuse(start, end, Reject::NoTime);
        };
        self.note_piece(start, end);
        self.accepted = Some(Accepted {
            start,
            end,
            time,
            has_own_time: own.is_some(),
            recipes,
        });
    }

    /// Makes a record of what was accepted.
    fn hand_over(&mut self, accepted: Accepted<'m>) -> Record<'m, '_> {
        let Accepted {
            start,
            end,
            time,
            has_own_time,
            recipes,
        } = accepted;
        self.event.time = time;
        self.event.has_own_time = has_own_time;
        let text = self.text.get(start..end).unwrap_or_default();
        let index = self.index;
        self.index += 1;
        let (event, slots) = (&mut self.event, &mut self.slots);
        let mut draft = Draft::new(self.decoder, recipes, event, slots, text);
        let is_recognised = draft.tells() || is_recognised(self.decoder, text);
        draft.recognise(is_recognised);
        self.work.unrecognised += u64::from(!is_recognised);
        self.work.hidden += draft.hidden();
        Record {
            index,
            bytes: self.message.get(start..end).unwrap_or_default(),
            outcome: Ok(draft),
        }
    }
}
