//! One pass over a record: what is wanted goes into slots, the rest is checked and skipped.
//!
//! Where a key comes twice, a path of a rule has all its values, so that none hides another; of
//! what is known by a name the first that is not null wins. Values reached through an
//! array add up. Where something is wanted below a string, the string is read as JSON in turn.

use std::borrow::Cow;

use super::json::{Fault, Quoted, Scanner};
use super::trie::{Below, Conditions, Holds};
use super::wanted::{self, Elements, Wanted};
use super::{Decoder, repair, trie};
use crate::event::Value;
use crate::slots::Slots;

/// How many times JSON may stand in a string in JSON.
const STRINGS_WITHIN_MAX: u32 = 4;

/// What an object turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A record that ends here.
    Record(usize),
    /// An envelope; the value of its `records` begins here.
    Envelope(usize),
}

/// Reads the object at `scanner` as a record into `slots`, which it empties first. With
/// `maybe_envelope`, stops where it proves to be an envelope. `lend` makes the text of a value
/// outlive the text that is read. The scanner is left where reading ended, well or not.
pub(super) fn record<'x, 's>(
    root: &trie::Node,
    scanner: &mut Scanner<'x>,
    slots: &mut Slots<'s>,
    maybe_envelope: bool,
    lend: impl Fn(&'x str) -> Cow<'s, str> + Copy,
) -> Result<Found, Fault> {
    slots.clear();
    let mut walk = Walk::new(scanner.clone(), slots, lend);
    let envelope = walk.object(root, 1, maybe_envelope);
    scanner.at = walk.scanner.at;
    Ok(if envelope? {
        Found::Envelope(scanner.at)
    } else {
        Found::Record(scanner.at)
    })
}

/// If the record that was read from `scanner` on is wrapped around another one, reads that one into
/// `slots` in its place, and what is wanted of what it is wrapped in.
pub(super) fn unwrap<'x, 's>(
    decoder: &Decoder,
    scanner: Scanner<'x>,
    slots: &mut Slots<'s>,
    lend: impl Fn(&'x str) -> Cow<'s, str> + Copy,
) {
    let Some(data) = slots.data.filter(|_| decoder.is_wrapped(slots)) else {
        return;
    };
    slots.clear();
    let start = scanner.at;
    let mut walk = Walk::new(scanner, slots, lend);
    let mut read = walk.object(&decoder.around, 1, false);
    let mut length = walk.scanner.at - start;
    walk.scanner.at = data;
    if read.is_ok() && walk.scanner.token() == Some(b'"') {
        read = walk.scanner.string().map(|quoted| {
            walk.json_in_string(&&decoder.root, &quoted.text());
            false
        });
    } else if read.is_ok() {
        read = walk.object(&decoder.root, 1, false);
    }
    length += walk.scanner.at - data;
    debug_assert!(read.is_ok(), "what was read once can be read again");
    slots.read_within += length;
}

/// Makes the text of a value outlive a text that is soon gone.
pub(super) fn own<'s>(text: &str) -> Cow<'s, str> {
    Cow::Owned(text.to_owned())
}

struct Walk<'x, 's, 'v, L> {
    scanner: Scanner<'x>,
    slots: &'v mut Slots<'s>,
    lend: L,
    /// The element of a list that is read.
    element: Option<u32>,
    strings_within: u32,
}

impl<'x, 's, 'v, L: Fn(&'x str) -> Cow<'s, str> + Copy> Walk<'x, 's, 'v, L> {
    fn new(scanner: Scanner<'x>, slots: &'v mut Slots<'s>, lend: L) -> Walk<'x, 's, 'v, L> {
        Walk {
            scanner,
            slots,
            lend,
            element: None,
            strings_within: 0,
        }
    }

    /// Reads the object that begins here, at nesting `depth`. With `maybe_envelope`, stops before
    /// the value of `records`, and says so.
    fn object<'n, W: Wanted<'n>>(
        &mut self,
        node: W,
        depth: u32,
        maybe_envelope: bool,
    ) -> Result<bool, Fault> {
        self.scanner.at += 1;
        if self.scanner.token() == Some(b'}') {
            self.scanner.at += 1;
            return Ok(false);
        }
        loop {
            let key = self.scanner.key()?;
            match node.child(key) {
                Some(child) if child.holds() == Holds::Nothing => self.value(child, depth)?,
                Some(child) if maybe_envelope && child.holds() == Holds::Records => {
                    self.scanner.token();
                    return Ok(true);
                }
                Some(child) => self.held(child, depth)?,
                None => self.skip(depth)?,
            }
            match self.scanner.token() {
                Some(b',') => {
                    self.scanner.at += 1;
                }
                Some(b'}') => {
                    self.scanner.at += 1;
                    return Ok(false);
                }
                Some(_) => return Err(Fault::Syntax),
                None => return Err(Fault::End),
            }
        }
    }

    /// Reads the value that follows, at the top of the record, and notes where it begins if it may
    /// hold records.
    fn held<'n, W: Wanted<'n>>(&mut self, node: W, depth: u32) -> Result<(), Fault> {
        let first = self.scanner.token();
        let at = self.scanner.at;
        match (node.holds(), first) {
            _ if self.strings_within > 0 => {}
            (Holds::Answer, Some(b'[')) => self.slots.answer = self.slots.answer.or(Some(at)),
            (Holds::Data, Some(b'{' | b'"')) => self.slots.data = self.slots.data.or(Some(at)),
            (Holds::Nothing | Holds::Records | Holds::Answer | Holds::Data, _) => {}
        }
        if node.is_wanted() {
            self.value(node, depth)
        } else {
            self.skip(depth)
        }
    }

    /// Reads the value that follows, within nesting `depth`.
    fn value<'n, W: Wanted<'n>>(&mut self, node: W, depth: u32) -> Result<(), Fault> {
        match self.scanner.token() {
            Some(b'"') => {
                let quoted = self.scanner.string()?;
                self.text(&node, quoted);
                Ok(())
            }
            Some(b'{' | b'[') if depth >= self.scanner.nesting_max() => self.too_deep(),
            Some(b'{') => {
                let start = self.scanner.at;
                match node.below() {
                    Below::Nothing => self.skip(depth)?,
                    Below::Keys => {
                        self.object(node.clone(), depth + 1, false)?;
                    }
                    Below::Elements => return self.selecting(&node, depth),
                }
                self.whole(&node, start);
                Ok(())
            }
            Some(b'[') => self.array(node, depth),
            Some(b't') => self.word("true", &node, Some(true)),
            Some(b'f') => self.word("false", &node, Some(false)),
            Some(b'n') => self.word("null", &node, None),
            Some(_) => self.number(&node),
            None => Err(Fault::End),
        }
    }

    /// Reads the object that begins here, of which more may be wanted if it has certain texts.
    #[cold]
    fn selecting<'n, W: Wanted<'n>>(&mut self, node: &W, depth: u32) -> Result<(), Fault> {
        let start = self.scanner.at;
        let hidden = self.slots.hidden;
        let mut elements = Elements::of(node);
        for selectors in wanted::all(node) {
            let mut conditions = selectors.conditions();
            self.conditions(&mut conditions, depth + 1)?;
            elements.extend(conditions.held());
            self.slots.read_within += self.scanner.at - start;
            self.scanner.at = start;
            self.slots.hidden = hidden;
        }
        match elements.has_keys() {
            true => {
                self.object(elements.clone(), depth + 1, false)?;
            }
            false => self.skip(depth)?,
        }
        self.whole(&elements, start);
        Ok(())
    }

    /// Looks in the object that begins here for the texts that `conditions` ask for.
    fn conditions(&mut self, conditions: &mut Conditions<'_>, depth: u32) -> Result<(), Fault> {
        self.scanner.at += 1;
        if self.scanner.token() == Some(b'}') {
            self.scanner.at += 1;
            return Ok(());
        }
        loop {
            let key = self.scanner.key()?;
            match conditions.key(key) {
                Some(key) => self.condition(conditions, key, depth)?,
                None => self.skip(depth)?,
            }
            match self.scanner.token() {
                Some(b',') => self.scanner.at += 1,
                Some(b'}') => {
                    self.scanner.at += 1;
                    return Ok(());
                }
                Some(_) => return Err(Fault::Syntax),
                None => return Err(Fault::End),
            }
        }
    }

    /// Looks at the value that follows, or at each of a list.
    fn condition(
        &mut self,
        conditions: &mut Conditions<'_>,
        key: u16,
        depth: u32,
    ) -> Result<(), Fault> {
        let first = self.scanner.token();
        let start = self.scanner.at;
        match first {
            Some(b'"') => {
                let quoted = self.scanner.string()?;
                conditions.note(key, &quoted.text());
                Ok(())
            }
            Some(b'[') if depth < self.scanner.nesting_max() => {
                self.scanner.at += 1;
                if self.scanner.token() == Some(b']') {
                    self.scanner.at += 1;
                    return Ok(());
                }
                loop {
                    self.condition(conditions, key, depth + 1)?;
                    if self.scanner.token() == Some(b']') {
                        self.scanner.at += 1;
                        return Ok(());
                    }
                    self.scanner.expect(b',')?;
                }
            }
            Some(b'{' | b'[') => self.skip(depth),
            Some(b'n') | None => self.scanner.skip_scalar(first),
            Some(_) => {
                self.scanner.skip_scalar(first)?;
                conditions.note(key, self.scanner.since(start));
                Ok(())
            }
        }
    }

    /// Skips the value that follows. Of a text within the record, what is too deep is left out.
    #[inline]
    fn skip(&mut self, depth: u32) -> Result<(), Fault> {
        let start = self.scanner.at;
        match self.scanner.skip(depth) {
            Err(Fault::Depth) => {
                self.scanner.at = start;
                self.too_deep()
            }
            Err(fault @ (Fault::End | Fault::Syntax)) => Err(fault),
            Ok(()) => Ok(()),
        }
    }

    /// The value that follows is too deep: so is the record, but of a text within it only this.
    #[cold]
    fn too_deep(&mut self) -> Result<(), Fault> {
        if self.strings_within == 0 {
            return Err(Fault::Depth);
        }
        self.slots.hidden += 1;
        self.scanner.skip_at_any_depth()
    }

    fn array<'n, W: Wanted<'n>>(&mut self, node: W, depth: u32) -> Result<(), Fault> {
        self.scanner.at += 1;
        if self.scanner.token() == Some(b']') {
            self.scanner.at += 1;
            return Ok(());
        }
        let (outer, mut first) = (self.element, None);
        loop {
            let element = self.slots.enter(first, outer);
            first = first.or(Some(element));
            self.element = Some(element);
            self.value(node.clone(), depth + 1)?;
            if self.scanner.token() == Some(b']') {
                self.scanner.at += 1;
                self.element = outer;
                return Ok(());
            }
            self.scanner.expect(b',')?;
        }
    }

    fn word<'n, W: Wanted<'n>>(
        &mut self,
        word: &str,
        node: &W,
        value: Option<bool>,
    ) -> Result<(), Fault> {
        self.scanner.word(word)?;
        if let Some(value) = value {
            self.put(node, Value::Bool(value));
        }
        Ok(())
    }

    fn number<'n, W: Wanted<'n>>(&mut self, node: &W) -> Result<(), Fault> {
        let start = self.scanner.at;
        let integer = self.scanner.number()?;
        let digits = self.scanner.since(start);
        let value = match digits.parse::<i64>() {
            Ok(value) if integer => Value::Integer(value),
            Ok(_) | Err(_) => {
                let number: f64 = digits.parse().map_err(|_| Fault::Syntax)?;
                // What no number can hold is the greatest there is: no sum and no file takes more.
                Value::Float(number.clamp(f64::MIN, f64::MAX))
            }
        };
        self.put(node, value);
        Ok(())
    }

    fn text<'n, W: Wanted<'n>>(&mut self, node: &W, quoted: Quoted<'x>) {
        // What it holds stands for it, so that it is not one value more.
        let is_read = node.below() != Below::Nothing
            && may_be_json(quoted.raw)
            && self.strings_within < STRINGS_WITHIN_MAX
            && self.json_in_string(node, &quoted.text());
        for node in node.nodes() {
            let places = node.slots.iter().map(|place| (place, false));
            for (&place, all) in places.chain(node.whole.iter().map(|place| (place, !is_read))) {
                if quoted.escaped {
                    self.unescaped(place, quoted, all);
                } else {
                    let text = Value::Text((self.lend)(quoted.raw));
                    self.slots.put(place, text, self.element, all);
                }
            }
        }
    }

    #[inline(never)]
    fn unescaped(&mut self, place: u16, quoted: Quoted<'x>, all: bool) {
        let text = Value::Text(Cow::Owned(quoted.text().into_owned()));
        self.slots.put(place, text, self.element, all);
    }

    /// Takes what is wanted out of a string that holds JSON, repaired if it must be; whether it
    /// does. It is checked
    /// first, so that nothing is taken from half a value.
    fn json_in_string<'n, W: Wanted<'n>>(&mut self, node: &W, text: &str) -> bool {
        self.slots.read_within += 3 * text.len();
        let nesting = self.scanner.nesting_max();
        let sound = |text: &str| {
            let mut scanner = Scanner::new(text, 0, nesting);
            let mut read = scanner.skip(0);
            if read == Err(Fault::Depth) {
                scanner.at = 0;
                read = scanner.skip_at_any_depth();
            }
            read.is_ok() && scanner.token().is_none()
        };
        let repaired;
        let text = if sound(text) {
            text
        } else {
            repaired = repair::repair(text);
            self.slots.read_within += 4 * text.len();
            if !sound(&repaired) {
                return false;
            }
            &repaired
        };
        let mut within = Walk {
            scanner: Scanner::new(text, 0, nesting),
            slots: &mut *self.slots,
            lend: own,
            element: self.element,
            strings_within: self.strings_within + 1,
        };
        let walked = within.value(node.clone(), 0);
        debug_assert!(walked.is_ok(), "what was checked can be read");
        walked.is_ok()
    }

    fn put<'n, W: Wanted<'n>>(&mut self, node: &W, value: Value<'s>) {
        for node in node.nodes() {
            for &place in &node.slots {
                self.slots.put(place, value.clone(), self.element, false);
            }
            for &place in &node.whole {
                self.slots.put(place, value.clone(), self.element, true);
            }
        }
    }

    /// Takes the text of the object since `start`.
    fn whole<'n, W: Wanted<'n>>(&mut self, node: &W, start: usize) {
        for node in node.nodes() {
            for &place in &node.whole {
                let text = (self.lend)(self.scanner.since(start));
                self.slots.put(place, Value::Text(text), self.element, true);
            }
        }
    }
}

/// Whether what the string begins with, behind blanks, opens an object or array or a comment.
fn may_be_json(raw: &str) -> bool {
    opens_json(raw) || raw.starts_with('\\') && opens_json(&super::json::unescape(raw))
}

fn opens_json(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c <= ' ' || c == '\u{feff}');
    match text.as_bytes() {
        [b'{' | b'[', ..] | [b'/', b'*' | b'/', ..] => true,
        [..] => false,
    }
}
