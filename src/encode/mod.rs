//! Incidents to bytes.
//!
//! `field` says once which fields an incident is published with, in the order of
//! schemas/incident.avsc; an encoding only says how each kind of value is written. The same
//! incident always gives the same bytes.

mod field;

pub mod json;

pub mod avro;

use crate::incident::Incident;

/// How incidents are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One line of JSON, without line end.
    Json,
    /// Avro single-object encoding: readers find the schema by the fingerprint in front.
    Avro,
}

impl Encoding {
    /// The bytes of `incident`.
    pub fn encode(self, incident: &Incident) -> Vec<u8> {
        match self {
            Encoding::Json => json::line(incident).into_bytes(),
            Encoding::Avro => avro::single_object(incident),
        }
    }
}
