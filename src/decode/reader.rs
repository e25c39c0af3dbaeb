//! A message that is being read: where reading stands, and what the steps of it have in common.

use smallvec::{SmallVec, smallvec};

use super::json::Scanner;
use super::survey::Survey;
use super::{Decoder, Message, Recipes, Refused, Work};
use crate::event::Event;
use crate::slots::Slots;
use crate::time::Millis;

/// How many times the bytes of a message may be looked at for mending. Without an end, broken
/// records within broken ones would cost the square of their length. Where it is reached, what is
/// broken is refused as it is; good records behind it are found all the same.
const MENDING_MAX: usize = 8;

/// Where an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the message itself, or in an array of its own: it may be an envelope.
    Top,
    /// In `records`.
    Records,
}

/// What is open around the place that is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Open {
    /// The message.
    Message,
    /// Arrays within each other, so many, whose elements stand at this place.
    Arrays(usize, Place),
    /// An envelope, behind whose records something may follow. It begins here.
    Envelope(usize),
    /// An answer of REST or Graph, of which only the records are still to be read. It ends here.
    Answer(usize),
}

/// Neighbours that were refused.
pub(super) struct Run {
    pub(super) index: u32,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) refused: Refused,
}

/// A record that was read and is to be handed over: its values stand in the slots.
#[derive(Clone, Copy)]
pub(super) struct Accepted<'m> {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) time: Millis,
    pub(super) has_own_time: bool,
    pub(super) recipes: &'m Recipes,
}

/// The records of a message, read one by one as they are asked for.
pub struct Records<'m> {
    pub(super) decoder: &'m Decoder,
    /// As received.
    pub(super) message: &'m [u8],
    /// The same, byte for byte, as UTF-8.
    pub(super) text: &'m str,
    pub(super) timestamp: Option<Millis>,
    /// Where reading goes on.
    pub(super) at: usize,
    /// What is open there, the innermost last.
    pub(super) open: SmallVec<[Open; 4]>,
    pub(super) slots: Slots<'m>,
    pub(super) event: Event<'m>,
    /// The place of the next record.
    pub(super) index: u32,
    /// What is to be handed over, behind what was refused before it.
    pub(super) accepted: Option<Accepted<'m>>,
    /// What was refused since the last good record.
    pub(super) refused: Option<Run>,
    /// What was handed over last, if it was refused.
    pub(super) told: Option<Run>,
    /// The first line known to begin after a broken record.
    pub(super) line: usize,
    /// Where reading went on behind something that has no end of its own.
    pub(super) cut_at: Option<usize>,
    /// Brackets that are open where the end of an object is looked for.
    pub(super) brackets: Vec<usize>,
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

impl<'m> Records<'m> {
    /// Those of a message, of which nothing is read yet.
    pub(super) fn new(decoder: &'m Decoder, message: &'m Message<'_>) -> Records<'m> {
        let text = &*message.text;
        Records {
            decoder,
            message: message.bytes,
            text,
            timestamp: message.timestamp,
            at: 0,
            open: smallvec![Open::Message],
            slots: Slots::new(decoder.slots),
            event: Event::default(),
            index: 0,
            accepted: None,
            refused: None,
            told: None,
            line: 0,
            cut_at: None,
            brackets: Vec::new(),
            mended: String::new(),
            survey: Survey::default(),
            mending_left: text.len().saturating_mul(MENDING_MAX),
            pieces: None,
            work: Work::default(),
        }
    }

    /// Of a message that is not read.
    pub(super) fn refused(
        decoder: &'m Decoder,
        message: &'m Message<'_>,
        refused: Refused,
    ) -> Records<'m> {
        Records {
            open: SmallVec::new(),
            refused: Some(Run {
                index: 0,
                start: 0,
                end: message.bytes.len(),
                refused,
            }),
            ..Records::new(decoder, message)
        }
    }

    /// Of records that stand one after the other at a place.
    pub(super) fn at(decoder: &'m Decoder, message: &'m Message<'_>, place: Place) -> Records<'m> {
        let open = match place {
            Place::Top => Open::Message,
            Place::Records => Open::Arrays(1, place),
        };
        Records {
            open: smallvec![open],
            ..Records::new(decoder, message)
        }
    }

    /// What reading took so far.
    pub fn work(&self) -> Work {
        self.work
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

    fn rest(&self, at: usize) -> &'m str {
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

    pub(super) fn scanner(&self, at: usize) -> Scanner<'m> {
        Scanner::new(self.text, at, self.decoder.limits.nesting)
    }

    /// Whether a line begins at `at`.
    pub(super) fn begins_line(&self, at: usize) -> bool {
        at > 0 && self.text.as_bytes().get(at - 1) == Some(&b'\n')
    }

    /// Notes where a record stands, if that is asked for.
    pub(super) fn note_piece(&mut self, start: usize, end: usize) {
        if let Some(pieces) = &mut self.pieces {
            pieces.push((start, end));
        }
    }
}
