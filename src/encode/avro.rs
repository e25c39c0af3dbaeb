//! Incidents in Avro single-object encoding: `C3 01`, the schema's fingerprint (CRC-64-AVRO,
//! little-endian), then the datum.
//!
//! The datum is written here, not by the Avro library: its maps are hash maps, whose order
//! differs from run to run, and its writer can fail. Reading back ([`read`]) is the library's work.

pub mod container;

pub mod read;

use super::field::{self, Field};
use crate::incident::Incident;

/// The schema that incidents are written with.
pub const SCHEMA: &str = include_str!("../../schemas/incident.avsc");

/// Every schema that incidents were ever written with, oldest first; the last is [`SCHEMA`]. Each
/// with its fingerprint: CRC-64-AVRO of its canonical form, little-endian.
///
/// They are written down since the Avro library leaves braces around types whose logical type it
/// strips, and so computes fingerprints that no other library knows.
pub const SCHEMAS: [([u8; 8], &str); 2] = [
    (
        [0xE7, 0x11, 0x81, 0x14, 0x97, 0xA3, 0x19, 0x0B],
        include_str!("../../schemas/history/1.avsc"),
    ),
    (
        [0x91, 0xC3, 0x00, 0xE4, 0xAD, 0x55, 0x8D, 0x0F],
        include_str!("../../schemas/history/2.avsc"),
    ),
];

/// The mark of single-object encoding.
const MARK: [u8; 2] = [0xC3, 0x01];

/// The bytes of `incident`, written with [`SCHEMA`].
pub fn single_object(incident: &Incident) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(&MARK);
    let [.., (fingerprint, _)] = SCHEMAS;
    out.extend_from_slice(&fingerprint);
    datum(&mut out, incident);
    out
}

fn datum(out: &mut Vec<u8>, incident: &Incident) {
    for (_, field) in field::of_incident(incident) {
        value(out, &field);
    }
}

fn value(out: &mut Vec<u8>, value: &Field<'_>) {
    match value {
        Field::Null => (),
        Field::Bool(bool) => out.push(u8::from(*bool)),
        Field::Integer(integer) => long(out, *integer),
        Field::Number(float) => out.extend_from_slice(&float.to_le_bytes()),
        Field::Time(millis) => long(out, *millis),
        Field::Text(string) => text(out, string),
        Field::Made(string) => text(out, string),
        Field::Symbol(place, _) => length(out, *place),
        Field::Branch(branch, inner) => {
            length(out, *branch);
            self::value(out, inner);
        }
        Field::List(list) => blocks(out, list, self::value),
        Field::Map(entries) => blocks(out, entries, |out, (name, item)| {
            text(out, name);
            self::value(out, item);
        }),
        Field::Record(entries) => entries.iter().for_each(|(_, item)| self::value(out, item)),
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
