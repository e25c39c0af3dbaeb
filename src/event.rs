//! A record after normalisation: the attributes that the loaded rules and incidents use, under
//! their FortiSIEM names.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use crate::time::Millis;

/// Place of an attribute in an [`Attributes`] table, and of its value in [`Event::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeId(pub u16);

/// An attribute by its written name: a FortiSIEM name (`eventType`, `user`, `srcIpAddr`, ..) or a
/// path into the raw record (`record.properties.statusCode`, `record."odd key".b`).
///
/// FortiSIEM names are compared without regard to ASCII case and held in their canonical
/// spelling; path segments are held in lower case, without quotes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// A FortiSIEM attribute, in its canonical spelling.
    Named(&'static str),
    /// A path into the raw record, one lower-case segment each.
    Path(Vec<String>),
}

impl Attribute {
    /// The attribute that a rule calls `name`. The error says what is wrong with the name, and
    /// which ones are near.
    pub fn parse(name: &str) -> Result<Attribute, String> {
        crate::normalise::attribute(name)
    }
}

/// As a rule writes it.
impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attribute::Named(name) => f.write_str(name),
            Attribute::Path(path) => {
                f.write_str("record")?;
                path.iter().try_for_each(|segment| {
                    if segment.is_empty() || segment.contains(['.', '"', '\\', ' ']) {
                        let escaped = segment.replace('\\', "\\\\").replace('"', "\\\"");
                        write!(f, ".\"{escaped}\"")
                    } else {
                        write!(f, ".{segment}")
                    }
                })
            }
        }
    }
}

/// The attributes that a set of rules uses, each once.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    list: Vec<Attribute>,
    places: HashMap<Attribute, AttributeId>,
}

impl Attributes {
    /// The place of `attribute`, which is added if it is new.
    pub fn intern(&mut self, attribute: Attribute) -> AttributeId {
        if let Some(place) = self.places.get(&attribute) {
            return *place;
        }
        let place = AttributeId(u16::try_from(self.list.len()).unwrap_or(u16::MAX));
        self.list.push(attribute.clone());
        self.places.insert(attribute, place);
        place
    }

    /// The place of `attribute`, if it is in use.
    pub fn place(&self, attribute: &Attribute) -> Option<AttributeId> {
        self.places.get(attribute).copied()
    }

    /// All attributes, by their place.
    pub fn list(&self) -> &[Attribute] {
        &self.list
    }
}

/// One attribute's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// A JSON number without fraction or exponent that fits.
    Integer(i64),
    /// Any other JSON number.
    Float(f64),
    /// A JSON boolean.
    Bool(bool),
    /// Several values, reached through an array: a test holds if it holds for any of them.
    Many(Vec<Value<'a>>),
}

/// A normalised record.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    /// When it happened, as the record says; where it says nothing, the message's timestamp.
    pub time: Millis,
    /// The value of each attribute of the table in use; `None`: absent.
    pub values: Vec<Option<Value<'a>>>,
}

impl<'a> Event<'a> {
    /// The value of `attribute`, if the record has one.
    pub fn get(&self, attribute: AttributeId) -> Option<&Value<'a>> {
        self.values
            .get(usize::from(attribute.0))
            .and_then(Option::as_ref)
    }
}
