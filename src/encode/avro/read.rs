//! Published incidents back from their bytes, by the Avro library.

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::{Schema, from_value};

use super::{MARK, SCHEMA, SCHEMAS};
use crate::encode::wire::{Unreadable, Wire};
use crate::incident::Incident;

/// Reads incidents back, whichever version of the schema they were written with.
pub struct Reader {
    writers: Vec<([u8; 8], Schema)>,
    present: Schema,
}

impl Reader {
    /// A reader of all schemas in [`SCHEMAS`].
    pub fn new() -> Result<Reader, apache_avro::Error> {
        let mut writers = Vec::with_capacity(SCHEMAS.len());
        for (fingerprint, text) in SCHEMAS {
            writers.push((fingerprint, Schema::parse_str(text)?));
        }
        Ok(Reader {
            writers,
            present: Schema::parse_str(SCHEMA)?,
        })
    }

    /// The incident that `bytes` hold; its attributes are in order of name.
    pub fn read(&self, bytes: &[u8]) -> Result<Incident, Unreadable> {
        let (mark, rest) = bytes
            .split_first_chunk::<2>()
            .ok_or(Unreadable::NotSingleObject)?;
        let (named, mut datum) = rest
            .split_first_chunk::<8>()
            .ok_or(Unreadable::NotSingleObject)?;
        if *mark != MARK {
            return Err(Unreadable::NotSingleObject);
        }
        let (_, writer) = self
            .writers
            .iter()
            .find(|(fingerprint, _)| fingerprint == named)
            .ok_or(Unreadable::UnknownSchema(*named))?;
        let broken = |error: apache_avro::Error| Unreadable::Broken(error.to_string());
        let value = GenericDatumReader::builder(writer)
            .reader_schema(&self.present)
            .build()
            .and_then(|reader| reader.read_value(&mut datum))
            .map_err(broken)?;
        from_value::<Wire>(&value).map_err(broken)?.into_incident()
    }
}
