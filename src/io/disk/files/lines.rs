//! Text: one message a line (NDJSON), or JSON documents over several lines, each a message.
//!
//! A line that leaves brackets open begins a document, which goes on until they are closed, if it
//! is the first line or the first behind a document; from the first line on that does not, all are
//! lines. So that one broken line does not make a document of all that follows: between two whole
//! values on lines of their own a document has a comma. Where it has none, what was taken for a
//! document is read as lines.

use std::io::BufRead;

use anyhow::{Context, Result};

use super::{BUFFER_BYTES, EachMessage, Message, Place};

/// Bytes of a message that is too large that are handed on, to be shown.
const SHOWN_BYTES: usize = 1 << 10;

/// Calls `each` for every message of the text in `reader`, in order; blank lines are none.
///
/// # Errors
///
/// The text cannot be read, which is then said of its path, or `each` fails.
pub fn messages(
    place: Place<'_>,
    reader: &mut dyn BufRead,
    each: &mut EachMessage<'_>,
) -> Result<()> {
    let mut text = Text {
        place,
        reader,
        line: 0,
        held: Held::default(),
    };
    while text.document(each)? {}
    text.lines(each)
}

struct Text<'t> {
    place: Place<'t>,
    reader: &'t mut dyn BufRead,
    /// The line that is read next.
    line: u64,
    held: Held,
}

/// What was read and is not handed on yet, up to the limit.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    /// There was more of it, which was skipped.
    is_cut: bool,
}

/// What follows a line that leaves brackets open.
enum Found {
    /// A document, or the text ends within it.
    Document,
    /// A document that is larger than a message may be.
    TooLarge,
    /// Lines.
    Lines,
}

impl Text<'_> {
    /// Hands on the document that is next, or if there is none, the line. Whether another document
    /// may follow.
    fn document(&mut self, each: &mut EachMessage<'_>) -> Result<bool> {
        let mut open = Scan::default();
        let mut first = self.line;
        while !open.has_begun {
            self.held.clear();
            first = self.line;
            if !self.hold_line(&mut [&mut open])? {
                return Ok(false);
            }
        }
        if self.held.is_cut || open.in_string || !open.is_open() {
            return self.hand_on(first, each).map(|()| false);
        }
        let found = self.hold_document(&mut open);
        if found.is_err() {
            // What could be read of it may hold records.
            self.hand_on(first, each)?;
        }
        match found? {
            Found::Document => self.hand_on(first, each).map(|()| true),
            Found::Lines => self.hand_on_lines(first, each).map(|()| false),
            Found::TooLarge => {
                self.hand_on(first, each)?;
                self.skip_document(&mut open, each)
            }
        }
    }

    /// Reads on until the open brackets are closed, or it shows that this is no document.
    fn hold_document(&mut self, open: &mut Scan) -> Result<Found> {
        let mut after_whole = false;
        while open.is_open() {
            let mut line = Scan::default();
            if !self.hold_line(&mut [&mut *open, &mut line])? {
                break;
            }
            if self.held.is_cut {
                return Ok(Found::TooLarge);
            }
            if after_whole && line.is_whole() {
                return Ok(Found::Lines);
            }
            after_whole = line.is_whole() || (after_whole && !line.has_begun);
        }
        Ok(Found::Document)
    }

    /// Reads to the end of a document without keeping it. Whether another one may follow.
    fn skip_document(&mut self, open: &mut Scan, each: &mut EachMessage<'_>) -> Result<bool> {
        // Of whole lines, one is kept: it is no part of a document if the next one is whole, too.
        let (mut after_whole, mut first) = (false, self.line);
        while open.is_open() {
            if !after_whole {
                self.held.clear();
                first = self.line;
            }
            let mut line = Scan::default();
            if !self.hold_line(&mut [&mut *open, &mut line])? {
                break;
            }
            if after_whole && line.is_whole() && !self.held.is_cut {
                return self.hand_on_lines(first, each).map(|()| false);
            }
            after_whole = line.is_whole() || (after_whole && !line.has_begun);
        }
        self.held.clear();
        Ok(true)
    }

    /// Reads a line, behind what is held. Whether there was one.
    fn hold_line(&mut self, scans: &mut [&mut Scan]) -> Result<bool> {
        let mut is_begun = false;
        loop {
            let buffer = self.reader.fill_buf();
            let buffer = buffer.with_context(|| cannot_read(self.place))?;
            if buffer.is_empty() {
                self.line += u64::from(is_begun);
                return Ok(is_begun);
            }
            let taken = line_of(buffer);
            let (used, is_whole) = (taken.len(), taken.ends_with(b"\n"));
            scans.iter_mut().for_each(|scan| scan.take(taken));
            self.held.add(taken, self.place);
            self.reader.consume(used);
            is_begun = true;
            if is_whole {
                self.line += 1;
                return Ok(true);
            }
        }
    }

    /// All that is left, as lines.
    fn lines(mut self, each: &mut EachMessage<'_>) -> Result<()> {
        loop {
            let buffer = self.reader.fill_buf();
            let buffer = buffer.with_context(|| cannot_read(self.place))?;
            if buffer.is_empty() {
                return self.hand_on(self.line, each);
            }
            let taken = line_of(buffer);
            let (used, is_whole) = (taken.len(), taken.ends_with(b"\n"));
            // Of a line that the reader has whole, nothing is copied.
            if is_whole && self.held.bytes.is_empty() {
                give(self.place, self.line, taken, false, each)?;
            } else {
                self.held.add(taken, self.place);
                if is_whole {
                    self.hand_on(self.line, each)?;
                }
            }
            self.reader.consume(used);
            self.line += u64::from(is_whole);
        }
    }

    /// What is held is a message that begins at this line.
    fn hand_on(&mut self, line: u64, each: &mut EachMessage<'_>) -> Result<()> {
        let Held { bytes, is_cut } = &self.held;
        give(self.place, line, bytes, *is_cut, each)?;
        self.held.clear();
        Ok(())
    }

    /// What is held are lines, from this one on.
    fn hand_on_lines(&mut self, first: u64, each: &mut EachMessage<'_>) -> Result<()> {
        for (line, bytes) in (first..).zip(self.held.bytes.split(|byte| *byte == b'\n')) {
            give(self.place, line, bytes, false, each)?;
        }
        self.held.clear();
        Ok(())
    }
}

impl Held {
    fn add(&mut self, more: &[u8], place: Place<'_>) {
        // With the end of the line, which is no part of the message.
        let most = place.limits.message_bytes.saturating_add(2);
        let room = most.saturating_sub(self.bytes.len());
        let kept = more.get(..room).unwrap_or(more);
        self.is_cut |= kept.len() < more.len();
        let needed = self.bytes.len() + kept.len();
        if needed > self.bytes.capacity() {
            let wanted = needed.max(2 * self.bytes.len()).min(most);
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        self.bytes.extend_from_slice(kept);
    }

    /// Forgets it, and gives memory back if it was much.
    fn clear(&mut self) {
        self.is_cut = false;
        self.bytes.clear();
        self.bytes.shrink_to(BUFFER_BYTES);
    }
}

fn cannot_read(place: Place<'_>) -> String {
    format!("cannot read {}", place.path.display())
}

/// Up to the end of the line, if that is there.
fn line_of(buffer: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\n', buffer);
    end.and_then(|end| buffer.get(..=end)).unwrap_or(buffer)
}

/// Hands a message on. `bytes`: with the end of the line; `is_cut`: there was more of it.
fn give(
    place: Place<'_>,
    line: u64,
    bytes: &[u8],
    is_cut: bool,
    each: &mut EachMessage<'_>,
) -> Result<()> {
    let bytes = trim_line_end(bytes);
    let is_too_large = is_cut || bytes.len() > place.limits.message_bytes;
    if !is_too_large && bytes.trim_ascii().is_empty() {
        return Ok(());
    }
    each(Message {
        path: place.path,
        line,
        timestamp: None,
        bytes: match is_too_large {
            true => bytes.get(..SHOWN_BYTES).unwrap_or(bytes),
            false => bytes,
        },
        is_too_large,
        stamp: None,
    })
}

fn trim_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// What the brackets of a text say, which is read piece by piece.
#[derive(Clone, Copy, Default)]
struct Scan {
    depth: i64,
    in_string: bool,
    escaped: bool,
    /// There was something that is not blank.
    has_begun: bool,
    /// That was a bracket.
    begins_open: bool,
    /// Something followed when all brackets were closed.
    goes_on: bool,
}

impl Scan {
    fn take(&mut self, text: &[u8]) {
        for byte in text {
            if byte.is_ascii_whitespace() {
                self.escaped = false;
                continue;
            }
            self.goes_on |= self.has_begun && self.depth == 0;
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => self.depth += 1,
                b'}' | b']' if !self.in_string => self.depth -= 1,
                _ => (),
            }
            self.begins_open |= !self.has_begun && self.depth > 0;
            self.has_begun = true;
        }
    }

    /// Whether brackets are open.
    fn is_open(&self) -> bool {
        self.depth > 0
    }

    /// Whether it is one value in brackets.
    fn is_whole(&self) -> bool {
        self.begins_open && self.depth == 0 && !self.in_string && !self.goes_on
    }
}
