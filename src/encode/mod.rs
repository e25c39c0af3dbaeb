//! Incidents to bytes.
//!
//! `field` says once which fields an incident is published with, in the order of
//! schemas/incident.avsc, and `ocsf` where OCSF has its place for them; an encoding only says how
//! each kind of value is written. The same incident always gives the same bytes. `message` adds
//! what goes with them on a topic.

mod field;

pub mod json;

mod ocsf;

pub mod avro;

mod wire;

pub mod read;

pub mod message;

use serde::Deserialize;

pub use wire::Unreadable;

use crate::incident::Incident;

/// How incidents are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// One line of JSON, without line end.
    Json,
    /// Avro single-object encoding: readers find the schema by the fingerprint in front.
    Avro,
    /// A Detection Finding of OCSF 1.8.0, as one line of JSON.
    Ocsf,
}

impl Encoding {
    /// The bytes of `incident`.
    pub fn encode(self, incident: &Incident) -> Vec<u8> {
        match self {
            Encoding::Json => json::line(incident).into_bytes(),
            Encoding::Avro => avro::single_object(incident),
            Encoding::Ocsf => ocsf::line(incident).into_bytes(),
        }
    }

    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Encoding::Json | Encoding::Ocsf => "application/json",
            Encoding::Avro => "application/avro",
        }
    }
}
