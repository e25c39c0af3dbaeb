//! Avro object containers: a header that names schema and codec, then blocks of records, each of
//! which ends with the marker that the header has.
//!
//! Blocks are unpacked while they are read, so that it does not matter how large they say they are.
//! Only snappy must have one whole, and has a limit.

use std::io::{BufRead, BufReader, Cursor, Read as _, Take};

use anyhow::{Context, Result, bail, ensure};
use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use super::ZSTD_WINDOW_LOG;
use super::datum::Datum;
use super::schema::Schema;
use crate::escape;

/// Bytes of a block that are unpacked at a time.
const BUFFER_BYTES: usize = 1 << 15;

/// Bytes of the name of a codec.
const CODEC_BYTES_MAX: usize = 64;

/// What a container says of itself before its first block.
pub struct Header {
    /// How its records are written.
    pub schema: Schema,
    /// How its blocks are packed.
    pub codec: Codec,
    /// What each block ends with.
    marker: [u8; 16],
}

/// How blocks are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    Null,
    /// Without gzip's frame.
    Deflate,
    /// With a check sum.
    Snappy,
    /// In frames.
    Zstandard,
}

impl Header {
    /// Reads the header, which `reader` is at; it may have so many bytes.
    ///
    /// # Errors
    ///
    /// It is not whole, is larger, or names a schema or codec that is unknown.
    pub fn read(reader: &mut dyn BufRead, most: usize) -> Result<Header> {
        let mut magic = [0; 4];
        let mut marker = [0; 16];
        reader.read_exact(&mut magic)?;
        let Metadata { schema, codec } = {
            let mut limited = (&mut *reader).take(most as u64);
            let metadata = metadata(&mut Datum::new(&mut limited));
            let is_too_large = limited.limit() == 0;
            metadata.with_context(|| match is_too_large {
                true => format!("it is larger than {most} bytes"),
                false => "it is not whole".to_owned(),
            })?
        };
        reader.read_exact(&mut marker).context("it is not whole")?;
        let schema = schema.context("it names no schema")?;
        Ok(Header {
            schema: Schema::parse(&schema).context("its schema cannot be used")?,
            codec: codec.map_or(Ok(Codec::Null), |name| Codec::named(&name))?,
            marker,
        })
    }

    /// Whether `reader` is at one more block: how many records it counts, and its bytes.
    ///
    /// # Errors
    ///
    /// Its head is not whole.
    pub fn next_block(&self, reader: &mut dyn BufRead) -> Result<Option<(u64, u64)>> {
        if reader.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut head = Datum::new(reader);
        Ok(Some((head.length()?, head.length()?)))
    }

    /// Reads what a block ends with.
    ///
    /// # Errors
    ///
    /// It ends with something else.
    pub fn end_block(&self, reader: &mut dyn BufRead) -> Result<()> {
        let mut marker = [0; 16];
        reader
            .read_exact(&mut marker)
            .context("the file ends within a block")?;
        ensure!(
            marker == self.marker,
            "a block does not end with the file's marker"
        );
        Ok(())
    }
}

/// What a header says that matters.
#[derive(Default)]
struct Metadata {
    schema: Option<Vec<u8>>,
    codec: Option<Vec<u8>>,
}

fn metadata(datum: &mut Datum<'_>) -> Result<Metadata> {
    let mut metadata = Metadata::default();
    loop {
        let count = datum.number()?;
        if count == 0 {
            return Ok(metadata);
        }
        if count < 0 {
            datum.length()?;
        }
        for _ in 0..count.unsigned_abs() {
            let (mut key, mut value) = (Vec::new(), Vec::new());
            let length = datum.length()?;
            datum.bytes(length, CODEC_BYTES_MAX, &mut key)?;
            let length = datum.length()?;
            datum.bytes(length, usize::MAX, &mut value)?;
            match &key[..] {
                b"avro.schema" => metadata.schema = Some(value),
                b"avro.codec" => metadata.codec = Some(value),
                _ => (),
            }
        }
    }
}

impl Codec {
    fn named(name: &[u8]) -> Result<Codec> {
        match name {
            b"null" => Ok(Codec::Null),
            b"deflate" => Ok(Codec::Deflate),
            b"snappy" => Ok(Codec::Snappy),
            b"zstandard" => Ok(Codec::Zstandard),
            other => {
                let name = other.get(..CODEC_BYTES_MAX).unwrap_or(other);
                bail!(
                    "it is packed with {}; read are null, deflate, snappy and zstandard",
                    escape::quoted(&String::from_utf8_lossy(name))
                )
            }
        }
    }

    /// What `packed` holds. `most`: bytes, where that must be in memory as a whole.
    ///
    /// # Errors
    ///
    /// It is damaged, or larger.
    pub fn unpack<'b, R: BufRead>(
        self,
        packed: &'b mut Take<R>,
        most: usize,
    ) -> Result<Box<dyn BufRead + 'b>> {
        Ok(match self {
            Codec::Null => Box::new(packed),
            Codec::Deflate => {
                let decoder = DeflateDecoder::new(packed);
                Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
            }
            Codec::Zstandard => {
                let mut decoder = zstd::Decoder::with_buffer(packed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
            }
            Codec::Snappy => Box::new(Cursor::new(snappy(packed, most)?)),
        })
    }
}

fn snappy(packed: &mut Take<impl BufRead>, most: usize) -> Result<Vec<u8>> {
    let larger = || format!("a block packed with snappy is larger than {most} bytes");
    ensure!(packed.limit() <= most as u64, larger());
    let mut block = Vec::new();
    packed.read_to_end(&mut block)?;
    ensure!(packed.limit() == 0, "the file ends within a block");
    let (block, sum) = block
        .split_last_chunk::<4>()
        .context("a block is damaged: it has no check sum")?;
    let length = snap::raw::decompress_len(block).context("a block is damaged")?;
    ensure!(length <= most, larger());
    let unpacked = snap::raw::Decoder::new().decompress_vec(block);
    let unpacked = unpacked.context("a block is damaged")?;
    let mut found = Crc::new();
    found.update(&unpacked);
    ensure!(
        found.sum() == u32::from_be_bytes(*sum),
        "a block is damaged: its check sum is another"
    );
    Ok(unpacked)
}
