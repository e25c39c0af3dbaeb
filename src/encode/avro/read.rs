//! Published incidents back from their bytes, by the Avro library.

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::{Schema, from_value};

use super::{BARE, MARK, NUMBERED, SCHEMA, SCHEMAS};
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

    /// The incident that `bytes` hold; its attributes are in order of name. Where a registry has
    /// the schema, that is one of ours all the same.
    pub fn read(&self, bytes: &[u8]) -> Result<Incident, Unreadable> {
        match bytes.split_first() {
            Some((&BARE, _)) => self.read_any(bytes),
            Some((&NUMBERED, rest)) => {
                let datum = rest.split_first_chunk::<4>().map(|(_, datum)| datum);
                self.read_any(datum.ok_or(Unreadable::NotSingleObject)?)
            }
            Some(_) | None => self.read_single_object(bytes),
        }
    }

    /// A datum of the newest schema that fits all of it.
    fn read_any(&self, datum: &[u8]) -> Result<Incident, Unreadable> {
        let mut why = Unreadable::NotSingleObject;
        for (_, writer) in self.writers.iter().rev() {
            match self.read_datum(writer, datum) {
                Ok(incident) => return Ok(incident),
                Err(broken) => why = broken,
            }
        }
        Err(why)
    }

    fn read_single_object(&self, bytes: &[u8]) -> Result<Incident, Unreadable> {
        let (mark, rest) = bytes
            .split_first_chunk::<2>()
            .ok_or(Unreadable::NotSingleObject)?;
        let (named, datum) = rest
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
        self.read_datum(writer, datum)
    }

    fn read_datum(&self, writer: &Schema, mut datum: &[u8]) -> Result<Incident, Unreadable> {
        let broken = |error: apache_avro::Error| Unreadable::Broken(error.to_string());
        let value = GenericDatumReader::builder(writer)
            .reader_schema(&self.present)
            .build()
            .and_then(|reader| reader.read_value(&mut datum))
            .map_err(broken)?;
        if !datum.is_empty() {
            return Err(Unreadable::Broken("something follows it".to_owned()));
        }
        from_value::<Wire>(&value).map_err(broken)?.into_incident()
    }
}
