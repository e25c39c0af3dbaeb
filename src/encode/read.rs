//! Published incidents back, however they were written: the bytes tell.

use serde_json::Value;

use super::wire::{Unreadable, Wire};
use super::{avro, ocsf};
use crate::incident::Incident;
use crate::time;

/// Reads incidents back that are Avro single objects, JSON or OCSF.
pub struct IncidentReader {
    avro: avro::read::Reader,
}

impl IncidentReader {
    /// A reader of all that this version and those before it write.
    ///
    /// # Errors
    ///
    /// A schema of ours is none, which a test holds against.
    pub fn new() -> Result<IncidentReader, apache_avro::Error> {
        let avro = avro::read::Reader::new()?;
        Ok(IncidentReader { avro })
    }

    /// The incident that `bytes` hold; its attributes are in order of name.
    ///
    /// # Errors
    ///
    /// They hold none.
    pub fn read(&self, bytes: &[u8]) -> Result<Incident, Unreadable> {
        match bytes.trim_ascii_start().first() {
            Some(b'{') => from_json(bytes),
            Some(_) | None => self.avro.read(bytes),
        }
    }
}

fn from_json(bytes: &[u8]) -> Result<Incident, Unreadable> {
    let broken = |error: serde_json::Error| Unreadable::Broken(error.to_string());
    let mut value: Value = serde_json::from_slice(bytes).map_err(broken)?;
    if value.get("class_uid").is_some() {
        value = ocsf::fields(&value);
    }
    for name in ["first_seen", "last_seen"] {
        value.get_mut(name).into_iter().for_each(count_millis);
    }
    let evidence = value.get_mut("evidence").and_then(Value::as_array_mut);
    for one in evidence.into_iter().flatten() {
        one.get_mut("time").into_iter().for_each(count_millis);
    }
    serde_json::from_value::<Wire>(value)
        .map_err(broken)?
        .into_incident()
}

/// A time in words becomes one in milliseconds.
fn count_millis(value: &mut Value) {
    if let Some(millis) = value.as_str().and_then(time::parse) {
        *value = millis.into();
    }
}
