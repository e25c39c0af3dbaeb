//! Incidents in Avro single-object encoding: `C3 01`, the schema's fingerprint (CRC-64-AVRO,
//! little-endian), then the datum.
//!
//! The datum is written here, not by the Avro library: its maps are hash maps, whose order
//! differs from run to run, and its writer can fail. Reading back ([`read`]) is the library's work.

pub mod container;

pub mod read;

use super::field;
use crate::correlation::GUID_BYTES;
use crate::incident::{AttributeValue, Evidence, Incident, SEVERITY_BANDS, Side};
use crate::record::Hash;

/// The schema that incidents are written with.
pub const SCHEMA: &str = include_str!("../../schemas/incident.avsc");

/// Every schema that incidents were ever written with, oldest first; the last is [`SCHEMA`]. Each
/// with its fingerprint: CRC-64-AVRO of its canonical form, little-endian.
///
/// They are written down since the Avro library leaves braces around types whose logical type it
/// strips, and so computes fingerprints that no other library knows.
pub const SCHEMAS: [([u8; 8], &str); 4] = [
    (
        [0xE7, 0x11, 0x81, 0x14, 0x97, 0xA3, 0x19, 0x0B],
        include_str!("../../schemas/history/1.avsc"),
    ),
    (
        [0x91, 0xC3, 0x00, 0xE4, 0xAD, 0x55, 0x8D, 0x0F],
        include_str!("../../schemas/history/2.avsc"),
    ),
    (
        [0x72, 0x68, 0x71, 0x94, 0x3E, 0x29, 0xA1, 0xA0],
        include_str!("../../schemas/history/3.avsc"),
    ),
    (
        [0xDE, 0xA6, 0xCC, 0x3B, 0x75, 0x92, 0x1A, 0x08],
        include_str!("../../schemas/history/4.avsc"),
    ),
];

/// The mark of single-object encoding.
const MARK: [u8; 2] = [0xC3, 0x01];

/// The mark of a datum behind the number of its schema.
const NUMBERED: u8 = 0;

/// What a datum alone begins with: the length of the incident's id.
const BARE: u8 = 64;

/// The bytes of `incident`, written with [`SCHEMA`].
pub fn single_object(incident: &Incident) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(&MARK);
    let [.., (fingerprint, _)] = SCHEMAS;
    out.extend_from_slice(&fingerprint);
    datum(&mut out, incident);
    out
}

/// The same behind the number that the schema has in a registry, in the place of its fingerprint.
pub fn numbered(incident: &Incident, id: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.push(NUMBERED);
    out.extend_from_slice(&id.to_be_bytes());
    datum(&mut out, incident);
    out
}

/// The same with nothing before it.
pub fn bare(incident: &Incident) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    datum(&mut out, incident);
    out
}

/// The fields in the order of the schema, straight from the incident: this is the way of every
/// publication.
fn datum(out: &mut Vec<u8>, incident: &Incident) {
    hash(out, incident.incident_id);
    long(out, incident.revision);
    length(out, incident.status as usize);
    text(out, &incident.rule_id);
    text(out, &incident.rule_name);
    hash(out, incident.rule_fingerprint);
    long(out, i64::from(incident.severity));
    symbol(out, &SEVERITY_BANDS, incident.severity_band());
    symbol(out, &field::CATEGORIES, &incident.category);
    text(out, &incident.subcategory);
    text(out, &incident.impacts);
    for list in [&incident.tactics, &incident.techniques] {
        blocks(out, list, |out, item| text(out, item));
    }
    text(out, &incident.title);
    long(out, incident.window_ms);
    long(out, incident.first_seen);
    long(out, incident.last_seen);
    long(out, i64::try_from(incident.event_count).unwrap_or(i64::MAX));
    long(
        out,
        i64::try_from(incident.trigger_count).unwrap_or(i64::MAX),
    );
    attributes(out, incident);
    blocks(out, &incident.evidence, evidence);
    out.push(u8::from(incident.late));
    optional(out, incident.close_reason, |out, reason| {
        length(out, reason as usize);
    });
    optional(out, incident.replaced_by, hash);
    blocks(out, &incident.replaces, |out, id| hash(out, *id));
    out.push(u8::from(incident.truncated));
    out.push(u8::from(incident.test));
}

/// All attributes, then those with a value as text by what they say.
fn attributes(out: &mut Vec<u8>, incident: &Incident) {
    let all = incident.sorted_attributes();
    blocks(out, &all, |out, (name, value)| {
        text(out, name);
        match value {
            AttributeValue::Null => length(out, 0),
            AttributeValue::Text(value) => {
                length(out, 1);
                text(out, value);
            }
            AttributeValue::Number(number) => {
                length(out, 2);
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
    });
    for side in [Side::Source, Side::Target, Side::Detail] {
        let said = |(name, value): &&(&str, &AttributeValue)| {
            **value != AttributeValue::Null && Side::of(name) == side
        };
        let said: Vec<_> = all.iter().filter(said).collect();
        blocks(out, &said, |out, (name, value)| {
            text(out, name);
            match value {
                AttributeValue::Null => length(out, 0),
                AttributeValue::Text(value) => text(out, value),
                AttributeValue::Number(number) => text(out, &number.to_string()),
            }
        });
    }
}

fn evidence(out: &mut Vec<u8>, evidence: &Evidence) {
    text(out, &evidence.pattern);
    text(out, &evidence.topic);
    long(out, i64::from(evidence.partition));
    long(out, evidence.offset);
    long(out, i64::from(evidence.index));
    long(out, evidence.time);
    optional(out, evidence.event_type.as_deref(), text);
    optional(out, evidence.correlation_id.as_ref(), |out, id| {
        text(out, id.text(&mut [0; GUID_BYTES]));
    });
    optional(out, evidence.resource_id.as_deref(), text);
    hash(out, evidence.record_hash);
}

/// A union of null and something.
fn optional<T>(out: &mut Vec<u8>, value: Option<T>, write: impl Fn(&mut Vec<u8>, T)) {
    length(out, usize::from(value.is_some()));
    value.into_iter().for_each(|value| write(out, value));
}

/// The symbol called `name`, or the last one.
fn symbol(out: &mut Vec<u8>, symbols: &[&str], name: &str) {
    let place = symbols.iter().position(|symbol| *symbol == name);
    length(out, place.unwrap_or(symbols.len().saturating_sub(1)));
}

/// A hash in hex.
fn hash(out: &mut Vec<u8>, hash: Hash) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    length(out, 2 * hash.0.len());
    for byte in hash.0 {
        let digits = [byte >> 4, byte & 0xf].map(|digit| DIGITS.get(usize::from(digit)));
        out.extend(digits.into_iter().flatten());
    }
}

/// All items in one block, and the empty block that ends an array or map.
fn blocks<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    if !items.is_empty() {
        length(out, items.len());
        items.iter().for_each(|item| write(out, item));
    }
    length(out, 0);
}

fn text(out: &mut Vec<u8>, text: &str) {
    length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn length(out: &mut Vec<u8>, length: usize) {
    long(out, i64::try_from(length).unwrap_or(i64::MAX));
}

/// Zigzag (small numbers of either sign become small), then seven bits a byte, lowest first.
fn long(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests;
