//! The id that the records of one action share: mostly a GUID, which is kept as a number.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of a GUID as text.
pub const GUID_BYTES: usize = 36;

/// Where its dashes are.
const DASHES: [usize; 4] = [8, 13, 18, 23];

const DIGITS: [u8; 16] = *b"0123456789abcdef";

/// Azure's `correlationId`. It is written as it was read.
#[derive(Clone, PartialEq, Eq)]
pub enum CorrelationId {
    /// A GUID with dashes, in lower case.
    Guid([u8; 16]),
    /// Any other text.
    Text(Arc<str>),
}

impl CorrelationId {
    /// It as text, for which there may have to be room.
    pub fn text<'a>(&'a self, room: &'a mut [u8; GUID_BYTES]) -> &'a str {
        let guid = match self {
            CorrelationId::Text(text) => return text,
            CorrelationId::Guid(guid) => guid,
        };
        let digits = guid.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = digits.filter_map(|digit| DIGITS.get(usize::from(digit)));
        let places = room.iter_mut().enumerate();
        let places = places.filter_map(|(at, place)| match DASHES.contains(&at) {
            true => {
                *place = b'-';
                None
            }
            false => Some(place),
        });
        for (place, digit) in places.zip(digits) {
            *place = *digit;
        }
        std::str::from_utf8(room).unwrap_or_default()
    }

    /// How many bytes its text has.
    pub fn bytes(&self) -> usize {
        match self {
            CorrelationId::Guid(_) => GUID_BYTES,
            CorrelationId::Text(text) => text.len(),
        }
    }
}

/// The number of a GUID that is written as [`CorrelationId::Guid`] is.
fn guid(text: &str) -> Option<[u8; 16]> {
    if text.len() != GUID_BYTES {
        return None;
    }
    let mut guid = [0; 16];
    let mut places = guid.iter_mut();
    let mut high: Option<u8> = None;
    for (at, byte) in text.bytes().enumerate() {
        let digit = match byte {
            b'-' if DASHES.contains(&at) => continue,
            _ if DASHES.contains(&at) => return None,
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        match high.take() {
            None => high = Some(digit),
            Some(high) => *places.next()? = high << 4 | digit,
        }
    }
    Some(guid)
}

impl From<&str> for CorrelationId {
    fn from(text: &str) -> CorrelationId {
        guid(text).map_or_else(|| CorrelationId::Text(text.into()), CorrelationId::Guid)
    }
}

/// As its texts are ordered.
impl Ord for CorrelationId {
    fn cmp(&self, other: &CorrelationId) -> Ordering {
        match (self, other) {
            (CorrelationId::Guid(own), CorrelationId::Guid(theirs)) => own.cmp(theirs),
            (own, theirs) => {
                let (mut room, mut other) = ([0; GUID_BYTES], [0; GUID_BYTES]);
                own.text(&mut room).cmp(theirs.text(&mut other))
            }
        }
    }
}

impl PartialOrd for CorrelationId {
    fn partial_cmp(&self, other: &CorrelationId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text(&mut [0; GUID_BYTES]))
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.text(&mut [0; GUID_BYTES]), f)
    }
}

/// As any text.
impl Serialize for CorrelationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text(&mut [0; GUID_BYTES]))
    }
}

impl<'de> Deserialize<'de> for CorrelationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CorrelationId, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(CorrelationId::from(text.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text_of(text: &str) -> String {
        CorrelationId::from(text).to_string()
    }

    #[test]
    fn a_guid_is_a_number() {
        let text = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
        let id = CorrelationId::from(text);
        assert!(matches!(id, CorrelationId::Guid(_)));
        assert_eq!(id.to_string(), text);
        for other in [
            "0F1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
            "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f",
            "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1fg",
            "0f1e2d3c4-b5a-6978-8796-a5b4c3d2e1f0",
            "0f1e2d3c04b5a06978087960a5b4c3d2e1f0",
            "--------------------------------0000",
            "",
        ] {
            let id = CorrelationId::from(other);
            assert!(matches!(id, CorrelationId::Text(_)), "{other}");
            assert_eq!(id.to_string(), other);
        }
    }

    proptest! {
        #[test]
        fn what_was_read_is_written_and_ordered_as_text(
            texts in prop::array::uniform2(
                "[0-9a-fA-F]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\\PC{0,40}"
            )
        ) {
            let [a, b] = &texts;
            prop_assert_eq!(&text_of(a), a);
            let (a_id, b_id) = (CorrelationId::from(&**a), CorrelationId::from(&**b));
            prop_assert_eq!(a_id.cmp(&b_id), a.cmp(b));
            prop_assert_eq!(a_id.bytes(), a.len());
            let bytes = postcard::to_stdvec(&a_id).unwrap();
            prop_assert_eq!(&bytes, &postcard::to_stdvec(a).unwrap());
            prop_assert_eq!(postcard::from_bytes::<CorrelationId>(&bytes).unwrap(), a_id);
        }
    }
}
