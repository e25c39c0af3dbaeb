//! Names within expressions, and what may be asked of them.

use super::nearest;
use super::token::quote;
use crate::event::{Attribute, AttributeId, Attributes};
use crate::normalise;

/// What an attribute can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Compared as text, or as the number that it spells.
    Text,
    /// An IP address: `cidr` applies, and an address equals its other spellings.
    Address,
    /// A part of the raw record: whatever is there.
    Any,
}

/// The names that an expression may use.
pub enum Names<'a> {
    /// Those of events. What is new is added to the table.
    Event(&'a mut Attributes),
    /// Those of an incident's attributes, by their place.
    Incident(&'a [String]),
}

impl Names<'_> {
    /// The place of the attribute `name`, and its kind.
    pub fn resolve(&mut self, name: &str) -> Result<(AttributeId, Kind), String> {
        match self {
            Names::Event(attributes) => {
                let attribute = parse(name)?;
                let kind = kind(&attribute);
                Ok((attributes.intern(attribute), kind))
            }
            Names::Incident(known) => {
                let place = known
                    .iter()
                    .position(|known| known.eq_ignore_ascii_case(name));
                let place = place
                    .and_then(|place| u16::try_from(place).ok())
                    .ok_or_else(|| {
                        let known: Vec<&str> = known.iter().map(String::as_str).collect();
                        let hint = nearest::hint(name, &known);
                        format!("`{name}` is not an attribute of this rule's incidents{hint}")
                    })?;
                Ok((AttributeId(place), Kind::Any))
            }
        }
    }

    /// The place of `eventType`, if these are the names of events and it is in use.
    pub fn event_type(&self) -> Option<AttributeId> {
        match self {
            Names::Event(attributes) => {
                let mut known = attributes.list().iter();
                let place =
                    known.position(|known| matches!(known, Attribute::Named("eventType")))?;
                u16::try_from(place).ok().map(AttributeId)
            }
            Names::Incident(_) => None,
        }
    }
}

/// The attribute written as `name`.
pub fn parse(name: &str) -> Result<Attribute, String> {
    normalise::attribute(name)
}

/// How an attribute is written.
pub fn print(attribute: &Attribute) -> String {
    match attribute {
        Attribute::Named(name) => (*name).to_string(),
        Attribute::Path(segments) => {
            let plain = |c: char| c.is_alphanumeric() || c == '_';
            let segment = |segment: &String| {
                let written = if segment.chars().all(plain) {
                    segment.clone()
                } else {
                    quote(segment)
                };
                format!(".{written}")
            };
            format!("record{}", segments.iter().map(segment).collect::<String>())
        }
    }
}

fn kind(attribute: &Attribute) -> Kind {
    match attribute {
        Attribute::Named(name) if name.ends_with("IpAddr") => Kind::Address,
        Attribute::Named(_) => Kind::Text,
        Attribute::Path(_) => Kind::Any,
    }
}
