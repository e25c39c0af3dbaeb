//! Incidents as an Avro object container file, which carries its schema: for archives and
//! notebooks. The same incidents always give the same bytes.

use super::{SCHEMA, datum, length, long, text};
use crate::incident::Incident;
use crate::record::Hash;

/// The mark at the beginning of every container file.
const MARK: &[u8] = b"Obj\x01";

/// A container file that is being written. Its blocks are not compressed.
#[derive(Debug)]
pub struct Container {
    /// Ends the header and every block. Readers only ask that it is the same everywhere.
    sync: Hash,
}

impl Container {
    /// A file, and its first bytes.
    pub fn begin() -> (Container, Vec<u8>) {
        let sync = Hash::of(SCHEMA.as_bytes());
        let mut out = MARK.to_vec();
        let metadata = [("avro.codec", "null"), ("avro.schema", SCHEMA)];
        length(&mut out, metadata.len());
        for (key, value) in metadata {
            text(&mut out, key);
            text(&mut out, value);
        }
        length(&mut out, 0);
        out.extend_from_slice(&sync.0);
        (Container { sync }, out)
    }

    /// The bytes of one block with these incidents.
    pub fn block(&self, incidents: &[Incident]) -> Vec<u8> {
        let (mut out, mut data) = (Vec::new(), Vec::new());
        for incident in incidents {
            datum(&mut data, incident);
        }
        long(&mut out, incidents.len() as i64);
        length(&mut out, data.len());
        out.extend_from_slice(&data);
        out.extend_from_slice(&self.sync.0);
        out
    }
}
