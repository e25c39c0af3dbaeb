//! Which objects of a broken message are sound. However often that is asked, each byte is read at
//! most twice: a scan from one object finds out about every object within it, and two scans that
//! reach the same byte differ in whether it stands in a string.

use std::collections::VecDeque;

use super::Decoder;
use super::json::{Fault, Scanner};
use super::trie::Holds;
use crate::event::Value;
use crate::normalise;

/// What is known of the object that begins at a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Unknown,
    /// It is JSON, and what follows may follow a record.
    Sound,
    /// The same, and it says when it happened: so it is no part of a broken record.
    Timed,
    /// It is JSON, but something stands close behind it.
    Glued,
    /// It is JSON, and has `records`.
    WholeEnvelope,
    /// It has `records`, and is JSON up to there, but not behind.
    Envelope,
    Broken(Fault),
}

/// What makes a record good enough to read on at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Any,
    WithTime,
}

/// What was found out about a message.
#[derive(Default)]
pub(super) struct Survey {
    /// By the byte at which an object begins; empty until something is asked.
    standings: Vec<Standing>,
    /// By the same: its brackets do not close.
    unclosed: Vec<bool>,
    /// Brackets that are open in a scan: kept, to be used again.
    open: VecDeque<Bracket>,
    /// The last answers to `next_good_record`, by what was asked.
    pub(super) gaps: [Gap; 4],
}

/// No good record begins after `from` and before `to`; at `to` one does, or the text ends.
#[derive(Clone, Copy, Default)]
pub(super) struct Gap {
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Survey {
    /// What is known already of the object at `at`.
    pub(super) fn known(&self, at: usize) -> Standing {
        self.standings.get(at).copied().unwrap_or(Standing::Unknown)
    }

    /// Whether the brackets of the object at `at` are known not to close.
    pub(super) fn is_unclosed(&self, at: usize) -> bool {
        self.unclosed.get(at).copied().unwrap_or_default()
    }

    /// Finds out about the object at `at` of `text`, and all in it. How many bytes it looked at.
    pub(super) fn scan(&mut self, decoder: &Decoder, text: &str, at: usize) -> usize {
        if self.standings.is_empty() {
            self.standings = vec![Standing::Unknown; text.len()];
        }
        let mut surveyor = Surveyor {
            decoder,
            scanner: Scanner::new(text, at, decoder.limits.nesting),
            standings: &mut self.standings,
            open: std::mem::take(&mut self.open),
        };
        if let Err(fault) = surveyor.scan() {
            surveyor.give_up(fault);
        }
        let read = surveyor.scanner.at - at;
        self.open = surveyor.open;
        read
    }

    /// Notes that the brackets that are open do not close, in a text of `length` bytes.
    pub(super) fn unclosed(&mut self, open: &[usize], length: usize) {
        self.unclosed.resize(length, false);
        for at in open {
            if let Some(unclosed) = self.unclosed.get_mut(*at) {
                *unclosed = true;
            }
        }
    }
}

/// Whether a value may end where `scanner` is, by what follows.
pub(super) fn may_follow(mut scanner: Scanner<'_>, text: &str) -> bool {
    let newline = text.as_bytes().get(scanner.at) == Some(&b'\n');
    newline
        || matches!(
            scanner.token(),
            None | Some(b',' | b']' | b'}' | b'{' | b'[')
        )
}

/// One scan, from an object to its end or to what is no JSON.
struct Surveyor<'t, 'r> {
    decoder: &'r Decoder,
    scanner: Scanner<'t>,
    standings: &'r mut [Standing],
    /// The brackets that are open, but for those that are too deep around what is read.
    open: VecDeque<Bracket>,
}

struct Bracket {
    start: usize,
    object: bool,
    key: Key,
    timed: bool,
    records: bool,
}

/// What the last key of an object promises.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Time,
    Properties,
    Other,
}

impl Surveyor<'_, '_> {
    fn scan(&mut self) -> Result<(), Fault> {
        loop {
            let first = self.scanner.token();
            let opens = matches!(first, Some(b'{' | b'['));
            if opens {
                self.open(first == Some(b'{'));
            } else {
                self.scalar(first)?;
            }
            let mut closed = false;
            while self.closes() {
                self.close();
                closed = true;
            }
            if self.open.is_empty() {
                return Ok(());
            }
            if !opens || closed {
                self.scanner.expect(b',')?;
            }
            self.key()?;
        }
    }

    /// Opens a bracket. What holds it too deep is no record.
    fn open(&mut self, object: bool) {
        self.open.push_back(Bracket {
            start: self.scanner.at,
            object,
            key: Key::Other,
            timed: false,
            records: false,
        });
        self.scanner.at += 1;
        if self.open.len() > self.scanner.nesting_max() as usize
            && let Some(outer) = self.open.pop_front()
        {
            self.break_off(&outer, Fault::Depth);
        }
    }

    fn closes(&mut self) -> bool {
        let close = match self.open.back() {
            Some(bracket) if bracket.object => b'}',
            Some(_) => b']',
            None => return false,
        };
        self.scanner.token() == Some(close)
    }

    fn close(&mut self) {
        self.scanner.at += 1;
        let Some(bracket) = self.open.pop_back() else {
            return;
        };
        if let Some(around) = self.open.back_mut()
            && around.key == Key::Properties
        {
            around.timed |= bracket.timed;
        }
        let standing = match may_follow(self.scanner.clone(), self.scanner.text()) {
            false => Standing::Glued,
            true if bracket.records => Standing::WholeEnvelope,
            true if bracket.timed => Standing::Timed,
            true => Standing::Sound,
        };
        if bracket.object {
            self.stand(bracket.start, standing);
        }
    }

    /// Reads a key and its colon, if an object is open.
    fn key(&mut self) -> Result<(), Fault> {
        let Some(bracket) = self.open.back_mut().filter(|bracket| bracket.object) else {
            return Ok(());
        };
        let key = self.scanner.key()?;
        let node = self.decoder.root.at_key(key);
        let is_time = |slot: &u16| self.decoder.times.contains(slot);
        bracket.key = match node {
            Some(node) if node.slots.iter().any(is_time) => Key::Time,
            Some(_) if key.raw.eq_ignore_ascii_case(b"properties") => Key::Properties,
            Some(_) | None => Key::Other,
        };
        bracket.records |= node.is_some_and(|node| node.holds == Holds::Records);
        Ok(())
    }

    fn scalar(&mut self, first: Option<u8>) -> Result<(), Fault> {
        match self.open.back_mut() {
            Some(bracket) if first == Some(b'"') && bracket.key == Key::Time => {
                let text = self.scanner.string()?.text();
                bracket.timed |= normalise::time(&Value::Text(text)).is_some();
                Ok(())
            }
            Some(_) | None => self.scanner.skip_scalar(first),
        }
    }

    /// What is open is not JSON.
    fn give_up(&mut self, fault: Fault) {
        while let Some(bracket) = self.open.pop_back() {
            self.break_off(&bracket, fault);
        }
    }

    fn break_off(&mut self, bracket: &Bracket, fault: Fault) {
        if bracket.object {
            let standing = match bracket.records {
                true => Standing::Envelope,
                false => Standing::Broken(fault),
            };
            self.stand(bracket.start, standing);
        }
    }

    fn stand(&mut self, at: usize, standing: Standing) {
        if let Some(known) = self.standings.get_mut(at) {
            *known = standing;
        }
    }
}
