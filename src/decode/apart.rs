//! Records that were refused together, each by itself again.

use std::borrow::Cow;

use super::reader::{Place, Records};
use super::{Decoder, Message, with_bad_bytes_masked};

/// What may stand between two records: it belongs to none.
const BETWEEN: &[u8] = b" \t\r\n,[]";

impl Decoder {
    /// The `count` records that were refused together as neighbours of one message, and whose bytes
    /// from the first to the last these are. `None`: they cannot be told apart for certain, since
    /// they are read as another number of records, or as such that overlap, or with something
    /// between them.
    pub fn apart<'m>(&self, bytes: &'m [u8], count: u64) -> Option<Vec<&'m [u8]>> {
        if count <= 1 {
            return Some(vec![bytes]);
        }
        // Within `records` a line end means nothing; elsewhere it may end a broken record.
        let readings = [Place::Top, Place::Records].into_iter();
        let mut readings = readings.map(|place| self.pieces(bytes, place));
        let found = readings.find(|pieces| are_all(bytes, pieces, count))?;
        let found = found
            .iter()
            .map(|(start, end)| bytes.get(*start..*end).unwrap_or_default());
        Some(found.collect())
    }

    /// Where the records begin and end that stand one after the other at a place.
    fn pieces(&self, bytes: &[u8], place: Place) -> Vec<(usize, usize)> {
        let message = Message {
            bytes,
            text: Cow::Owned(with_bad_bytes_masked(bytes)),
            timestamp: None,
            refused: None,
        };
        let mut records = Records::at(self, &message, place);
        records.pieces = Some(Vec::new());
        while records.next().is_some() {}
        records.pieces.unwrap_or_default()
    }
}

/// Whether these are `count` pieces, one after the other, and all there is.
fn are_all(bytes: &[u8], pieces: &[(usize, usize)], count: u64) -> bool {
    let between = |from: usize, to: usize| {
        let skipped = bytes.get(from..to);
        skipped.is_some_and(|skipped| skipped.iter().all(|byte| BETWEEN.contains(byte)))
    };
    let mut at = 0;
    for (start, end) in pieces {
        // What begins with the end of something is no record.
        let first = bytes.get(*start);
        let ends = first.is_none_or(|first| matches!(first, b']' | b'}'));
        if ends || start >= end || !between(at, *start) {
            return false;
        }
        at = *end;
    }
    pieces.len() as u64 == count && between(at, bytes.len())
}

#[cfg(test)]
mod tests {
    use crate::decode::{Decoder, Refused};
    use crate::event::Attributes;

    /// The dead letters of a message: how many records each holds, and its bytes.
    fn letters(decoder: &Decoder, message: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut letters = Vec::new();
        let message = decoder.message(message, None);
        let mut records = decoder.records(&message);
        while let Some(record) = records.next() {
            if let Err(refused) = record.outcome {
                letters.push((Refused::count(refused), record.bytes.to_vec()));
            }
        }
        letters
    }

    /// What the first dead letter of a message comes apart into.
    fn check(message: &str, expected: &[&str]) {
        let decoder = Decoder::new(&Attributes::default());
        let letters = letters(&decoder, message.as_bytes());
        let (count, bytes) = letters.first().unwrap();
        let apart = decoder.apart(bytes, *count).unwrap();
        let apart: Vec<&str> = apart
            .iter()
            .map(|piece| std::str::from_utf8(piece).unwrap())
            .collect();
        assert_eq!(apart, expected, "{message}");
    }

    #[test]
    fn records_that_were_refused_together_come_apart() {
        check(
            r#"{"records":[7, "x", {"a":1}]}"#,
            &["7", r#""x""#, r#"{"a":1}"#],
        );
        check("{\"a\":1}\n{\"b\":2}\n", &["{\"a\":1}", "{\"b\":2}"]);
        check(
            "{\"records\":[{\"a\":1 !,\n\"b\":2},\n{\"c\": ?}]}",
            &["{\"a\":1 !,\n\"b\":2}", "{\"c\": ?}"],
        );
        check("{\"a\": ?\n{\"b\": ?\n", &["{\"a\": ?", "{\"b\": ?"]);
        check("{\"a\":1}", &["{\"a\":1}"]);
        check("{\"records\":[{\"a\"", &["{\"a\""]);
    }

    #[test]
    fn what_cannot_be_told_apart_stays_together() {
        let decoder = Decoder::new(&Attributes::default());
        for (bytes, count) in [
            ("{\"a\":1},{\"b\":2}", 3),
            ("{\"a\":1}]}{\"records\":[{\"b\":2}", 2),
            ("1],[2,3", 3),
            ("", 2),
        ] {
            assert_eq!(decoder.apart(bytes.as_bytes(), count), None, "{bytes}");
        }
    }
}
