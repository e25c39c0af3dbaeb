//! Values of Avro's binary encoding, one after the other.

use std::io::{BufRead, Read as _};

use anyhow::{Context as _, Result, bail, ensure};

/// Bytes of a number at most: seven bits in each.
const NUMBER_BYTES_MAX: u32 = 10;

/// The values in a reader. Memory is taken for what was read, never for what a length says.
pub struct Datum<'r> {
    reader: &'r mut dyn BufRead,
    /// How many bytes were read.
    pub read: u64,
}

impl<'r> Datum<'r> {
    /// Those in `reader`.
    pub fn new(reader: &'r mut dyn BufRead) -> Datum<'r> {
        Datum { reader, read: 0 }
    }

    /// Whether all was read.
    pub fn is_at_end(&mut self) -> Result<bool> {
        Ok(self.reader.fill_buf()?.is_empty())
    }

    /// A number.
    pub fn number(&mut self) -> Result<i64> {
        let mut doubled = 0_u64;
        for place in 0..NUMBER_BYTES_MAX {
            let Some(byte) = self.reader.fill_buf()?.first().copied() else {
                bail!("it ends within a number");
            };
            self.reader.consume(1);
            self.read += 1;
            doubled |= u64::from(byte & 0x7F).wrapping_shl(7 * place);
            if byte & 0x80 == 0 {
                return Ok((doubled >> 1).cast_signed() ^ -(doubled & 1).cast_signed());
            }
        }
        bail!("a number has more than {NUMBER_BYTES_MAX} bytes")
    }

    /// A number that is not negative.
    pub fn length(&mut self) -> Result<u64> {
        let number = self.number()?;
        u64::try_from(number).with_context(|| format!("a length is negative: {number}"))
    }

    /// The next bytes, up to `most` of them, behind those in `into`; the rest of `length` is
    /// skipped.
    pub fn bytes(&mut self, length: u64, most: usize, into: &mut Vec<u8>) -> Result<()> {
        let kept = length.min(most as u64);
        let read = (&mut *self.reader).take(kept).read_to_end(into)? as u64;
        self.read += read;
        ensure!(read == kept, "it ends within bytes");
        self.skip(length - kept)
    }

    /// Passes over this many bytes.
    pub fn skip(&mut self, length: u64) -> Result<()> {
        let mut left = length;
        while left > 0 {
            let there = self.reader.fill_buf()?.len();
            ensure!(there > 0, "it ends within bytes");
            let taken = usize::try_from(left).map_or(there, |left| left.min(there));
            self.reader.consume(taken);
            self.read += taken as u64;
            left -= taken as u64;
        }
        Ok(())
    }
}
