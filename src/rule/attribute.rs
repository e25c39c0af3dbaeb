//! Names within expressions, and what may be asked of them.

use super::bounds::{ATTRIBUTES_MAX, PATH_MAX};
use super::nearest::{self, shown};
use super::range::Range;
use super::shown::COUNTS;
use super::token::quote;
use crate::event::{Attribute, AttributeId, Attributes, Only, Segment};
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
                let attribute = parse(name, attributes)?;
                let kind = kind(&attribute);
                Ok((added(attribute, attributes)?, kind))
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
                        let name = shown(name);
                        format!("`{name}` is not an attribute of this rule's incidents{hint}")
                    })?;
                Ok((AttributeId(place), Kind::Any))
            }
        }
    }

    /// The place of `eventType`, if these are the names of events and it is in use.
    pub fn event_type(&self) -> Option<AttributeId> {
        match self {
            Names::Event(attributes) => attributes.place(&Attribute::Named("eventType")),
            Names::Incident(_) => None,
        }
    }

    /// Whether the attribute has certainly not more than one value.
    pub fn is_single(&self, id: AttributeId) -> bool {
        match self {
            Names::Event(attributes) => {
                let attribute = attributes.list().get(usize::from(id.0));
                attribute.is_some_and(normalise::is_single)
            }
            Names::Incident(_) => true,
        }
    }

    /// The numbers that the attribute can be, if it is certainly a number.
    pub fn range(&self, id: AttributeId) -> Option<Range> {
        match self {
            Names::Event(_) => None,
            Names::Incident(known) => {
                let name = known.get(usize::from(id.0))?;
                let is_count = COUNTS.contains(&name.as_str());
                is_count.then(|| Range::from(1.0).whole())
            }
        }
    }
}

/// The place of the attribute `name` among those of events, to which it is added.
///
/// # Errors
///
/// No attribute has this name, or there are too many.
pub fn intern(name: &str, attributes: &mut Attributes) -> Result<AttributeId, String> {
    added(parse(name, attributes)?, attributes)
}

/// The place of an attribute among those of events, to which it is added.
///
/// # Errors
///
/// There are too many.
pub fn added(attribute: Attribute, attributes: &mut Attributes) -> Result<AttributeId, String> {
    if attributes.list().len() >= ATTRIBUTES_MAX && attributes.place(&attribute).is_none() {
        return Err(format!(
            "a rule set has at most {ATTRIBUTES_MAX} different attributes"
        ));
    }
    Ok(attributes.intern(attribute))
}

/// The attribute written as `name`, where a table of `known` ones is in use.
///
/// # Errors
///
/// There is none: says which are near.
pub fn parse(name: &str, known: &Attributes) -> Result<Attribute, String> {
    let attribute = normalise::attribute(name, known.own())?;
    match &attribute {
        Attribute::Path(path) if path.len() > PATH_MAX => Err(too_long(path.len())),
        Attribute::Selected(path) if path.len() > PATH_MAX => Err(too_long(path.len())),
        Attribute::Path(_)
        | Attribute::Selected(_)
        | Attribute::Named(_)
        | Attribute::Own(_)
        | Attribute::Computed { .. } => Ok(attribute),
    }
}

fn too_long(found: usize) -> String {
    format!("a path has at most {PATH_MAX} names, found {found}")
}

/// How an attribute is written.
pub fn print(attribute: &Attribute) -> String {
    match attribute {
        Attribute::Named(name) => (*name).to_string(),
        Attribute::Computed { name, text } => name.as_ref().unwrap_or(text).clone(),
        Attribute::Own(name) => name.clone(),
        Attribute::Path(segments) => {
            let segment = |segment: &String| format!(".{}", written(segment));
            format!("record{}", segments.iter().map(segment).collect::<String>())
        }
        Attribute::Selected(segments) => {
            let only = |only: &Only| format!("{} = {}", written(&only.key), quote(&only.text));
            let segment = |segment: &Segment| {
                let name = written(&segment.name);
                match &segment.only.iter().map(only).collect::<Vec<_>>()[..] {
                    [] => format!(".{name}"),
                    all => format!(".{name}[{}]", all.join(" AND ")),
                }
            };
            format!("record{}", segments.iter().map(segment).collect::<String>())
        }
    }
}

/// A name on a path, in quotes unless it is plain.
fn written(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || c == '_';
    match !name.is_empty() && name.chars().all(plain) {
        true => name.to_owned(),
        false => quote(name),
    }
}

fn kind(attribute: &Attribute) -> Kind {
    match attribute {
        Attribute::Named(name) if name.ends_with("IpAddr") => Kind::Address,
        Attribute::Own(name) if name.ends_with("IpAddr") => Kind::Address,
        Attribute::Named(_) | Attribute::Own(_) => Kind::Text,
        Attribute::Path(_) | Attribute::Selected(_) | Attribute::Computed { .. } => Kind::Any,
    }
}
