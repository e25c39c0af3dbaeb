//! Text in UTF-16, read as UTF-8.

use std::io::{self, Read};

/// Bytes that are turned at a time.
const CHUNK_BYTES: u64 = 1 << 16;

/// Which byte of a unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The lower one.
    LittleEndian,
    /// The higher one.
    BigEndian,
}

/// What `reader` holds, in UTF-8 and without a byte order mark. Half a character reads as U+FFFD.
pub struct Utf16<R> {
    reader: R,
    order: Order,
    /// Read, and not yet turned: less than a character.
    left: Vec<u8>,
    /// Turned, and handed out up to the place.
    turned: String,
    place: usize,
    at_start: bool,
}

impl<R: Read> Utf16<R> {
    /// Text whose bytes are in this order.
    pub fn new(reader: R, order: Order) -> Utf16<R> {
        Utf16 {
            reader,
            order,
            left: Vec::new(),
            turned: String::new(),
            place: 0,
            at_start: true,
        }
    }

    /// Turns the next bytes; whether there were any.
    fn turn(&mut self) -> io::Result<bool> {
        let read = (&mut self.reader)
            .take(CHUNK_BYTES)
            .read_to_end(&mut self.left)?;
        let is_end = read == 0;
        if is_end && self.left.is_empty() {
            return Ok(false);
        }
        let (pairs, odd) = self.left.as_chunks::<2>();
        let mut units: Vec<u16> = pairs
            .iter()
            .map(|pair| match self.order {
                Order::LittleEndian => u16::from_le_bytes(*pair),
                Order::BigEndian => u16::from_be_bytes(*pair),
            })
            .collect();
        let mut kept = odd.to_vec();
        // The first half of a character waits for the second.
        if !is_end
            && units
                .last()
                .is_some_and(|last| (0xD800..0xDC00).contains(last))
        {
            units.pop();
            kept = [pairs.last().map_or(&[][..], |pair| &pair[..]), odd].concat();
        }
        if is_end && !kept.is_empty() {
            kept.clear();
            units.push(char::REPLACEMENT_CHARACTER as u16);
        }
        self.left = kept;
        self.turned.clear();
        self.place = 0;
        let characters = char::decode_utf16(units);
        let characters = characters.map(|one| one.unwrap_or(char::REPLACEMENT_CHARACTER));
        self.turned.extend(characters);
        if std::mem::take(&mut self.at_start) && self.turned.starts_with('\u{FEFF}') {
            self.place = '\u{FEFF}'.len_utf8();
        }
        Ok(true)
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let rest = self.turned.as_bytes().get(self.place..).unwrap_or_default();
            if !rest.is_empty() || buffer.is_empty() {
                let taken = (&*rest).read(buffer)?;
                self.place += taken;
                return Ok(taken);
            }
            if !self.turn()? {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What these bytes read as, also if the reader gives them one by one.
    fn check(bytes: &[u8], order: Order, expected: &str) {
        struct Slow<'b>(&'b [u8]);
        impl Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let one = buffer.get_mut(..1).unwrap_or_default();
                self.0.read(one)
            }
        }
        let mut text = String::new();
        Utf16::new(bytes, order).read_to_string(&mut text).unwrap();
        assert_eq!(text, expected);
        let mut text = String::new();
        let mut slow = Utf16::new(Slow(bytes), order);
        slow.read_to_string(&mut text).unwrap();
        assert_eq!(text, expected);
    }

    #[test]
    fn reads_as_utf8() {
        let little =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let big =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_be_bytes).collect() };
        check(
            &little("\u{FEFF}{\"ü\":\"😀\"}"),
            Order::LittleEndian,
            "{\"ü\":\"😀\"}",
        );
        check(
            &big("{\"ü\":\"😀\"}\r\n"),
            Order::BigEndian,
            "{\"ü\":\"😀\"}\r\n",
        );
        check(b"", Order::BigEndian, "");
        // Half a unit, and half a character.
        check(b"a\0b", Order::LittleEndian, "a\u{FFFD}");
        check(b"\x3D\xD8a\0", Order::LittleEndian, "\u{FFFD}a");
        check(b"a\0\x3D\xD8", Order::LittleEndian, "a\u{FFFD}");
        let long = "x😀".repeat(60_000);
        check(&little(&long), Order::LittleEndian, &long);
    }
}
