//! Avro object containers: a header that names schema and codec, then blocks of records, each of
//! which ends with the marker that the header has.
//!
//! What is in the blocks is unpacked and decoded by the Avro library. The blocks are taken apart
//! here: the library's reader takes a file that is cut within the head of a block for a whole one,
//! and an empty block for the end, so that records would be lost and nobody told.

use std::collections::HashMap;
use std::io::{BufRead, Cursor, Read};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail, ensure};
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::{Codec, Schema};

/// What a container says of itself before its first block.
pub struct Header {
    /// How its records are written.
    pub schema: Schema,
    codec: Codec,
    /// What each block ends with.
    marker: [u8; 16],
}

impl Header {
    /// Reads the header, which `reader` is at.
    ///
    /// # Errors
    ///
    /// It is not whole, or names a schema or codec that is unknown.
    pub fn read(reader: &mut dyn BufRead) -> Result<Header> {
        let mut magic = [0; 4];
        let mut marker = [0; 16];
        reader.read_exact(&mut magic)?;
        let metadata = datum(&Schema::map(Schema::Bytes).build(), reader)?;
        reader.read_exact(&mut marker)?;
        let Value::Map(metadata) = metadata else {
            bail!("it has no metadata");
        };
        let schema = text(&metadata, "avro.schema").context("it names no schema")?;
        let codec = text(&metadata, "avro.codec").unwrap_or("null");
        Ok(Header {
            schema: Schema::parse_str(schema).context("its schema is not Avro's")?,
            codec: Codec::from_str(codec).map_err(|_| {
                anyhow!("it is packed with {codec:?}; read are null, deflate and snappy")
            })?,
            marker,
        })
    }
}

/// The records of a container, one block of them in memory at a time.
pub struct Records<'c> {
    reader: &'c mut dyn BufRead,
    header: &'c Header,
    decoder: GenericDatumReader<'c>,
    /// The present block, unpacked.
    block: Cursor<Vec<u8>>,
    /// Its records that are still to be read.
    left: u64,
}

impl<'c> Records<'c> {
    /// The records that follow `header`, behind which `reader` is.
    ///
    /// # Errors
    ///
    /// The schema names types that it does not define.
    pub fn new(reader: &'c mut dyn BufRead, header: &'c Header) -> Result<Records<'c>> {
        Ok(Records {
            reader,
            header,
            decoder: GenericDatumReader::builder(&header.schema).build()?,
            block: Cursor::default(),
            left: 0,
        })
    }

    /// The next record; `None`: that was all.
    ///
    /// # Errors
    ///
    /// The container is damaged here, or ends within a block.
    pub fn read(&mut self) -> Result<Option<Value>> {
        while self.left == 0 {
            ensure!(
                self.block_is_read()?,
                "a block holds more than the records it counts"
            );
            if !self.next_block()? {
                return Ok(None);
            }
        }
        // The library reads records out of nothing.
        ensure!(
            !self.block_is_read()?,
            "a block holds less than the records it counts"
        );
        self.left -= 1;
        let record = self.decoder.read_value(&mut self.block);
        Ok(Some(record.context("a record does not follow the schema")?))
    }

    fn block_is_read(&mut self) -> Result<bool> {
        Ok(self.block.fill_buf()?.is_empty())
    }

    /// Whether there is one more block.
    fn next_block(&mut self) -> Result<bool> {
        if self.reader.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let (records, mut block) = self.packed_block().context("a block is not whole")?;
        let codec = self.header.codec;
        codec.decompress(&mut block).context("a block is damaged")?;
        self.block = Cursor::new(block);
        self.left = records;
        Ok(true)
    }

    /// How many records the next block counts, and its bytes as they are in the file.
    fn packed_block(&mut self) -> Result<(u64, Vec<u8>)> {
        let records = length(self.reader)?;
        let length = length(self.reader)?;
        let mut block = Vec::new();
        let mut marker = [0; 16];
        (&mut *self.reader).take(length).read_to_end(&mut block)?;
        self.reader.read_exact(&mut marker)?;
        ensure!(
            marker == self.header.marker,
            "it does not end with the file's marker"
        );
        Ok((records, block))
    }
}

fn length(reader: &mut dyn BufRead) -> Result<u64> {
    let Value::Long(length) = datum(&Schema::Long, reader)? else {
        bail!("its length is no number");
    };
    u64::try_from(length).context("its length is negative")
}

fn datum(schema: &Schema, mut reader: &mut dyn BufRead) -> Result<Value> {
    let decoder = GenericDatumReader::builder(schema).build()?;
    Ok(decoder.read_value(&mut reader)?)
}

fn text<'m>(metadata: &'m HashMap<String, Value>, key: &str) -> Option<&'m str> {
    let Some(Value::Bytes(bytes)) = metadata.get(key) else {
        return None;
    };
    std::str::from_utf8(bytes).ok()
}
