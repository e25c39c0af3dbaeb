//! A record after normalisation: the attributes that the loaded rules and incidents use, under
//! their FortiSIEM names.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

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
    /// One that a user's file of attributes names, as it is written there.
    Own(String),
    /// A path into the raw record, one lower-case segment each.
    Path(Vec<String>),
    /// A path into the raw record that takes some elements of lists only.
    Selected(Vec<Segment>),
    /// A value that a rule computes of others: no record has it.
    Computed {
        /// What the rule calls it; `None`: it has no name.
        name: Option<String>,
        /// How it is computed, in canonical form.
        text: String,
    },
}

/// A name on a path, and which of the elements that stand there it leads through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// In lower case.
    pub name: String,
    /// What these elements have, all of it, each once and in order; nothing: all of them count.
    pub only: Vec<Only>,
}

/// What an element has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Only {
    /// A key, in lower case.
    pub key: String,
    /// Its value as text, in ASCII lower case.
    pub text: String,
}

/// As a rule writes it.
impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attribute::Named(name) => f.write_str(name),
            Attribute::Computed { name, text } => f.write_str(name.as_ref().unwrap_or(text)),
            Attribute::Own(name) => f.write_str(name),
            Attribute::Path(path) => {
                f.write_str("record")?;
                path.iter()
                    .try_for_each(|segment| write!(f, ".{}", written(segment)))
            }
            Attribute::Selected(path) => {
                f.write_str("record")?;
                path.iter().try_for_each(|segment| {
                    write!(f, ".{}", written(&segment.name))?;
                    let only = segment.only.iter();
                    let only = only.map(|only| {
                        let text = escaped(&only.text);
                        format!("{} = \"{text}\"", written(&only.key))
                    });
                    match &only.collect::<Vec<_>>()[..] {
                        [] => Ok(()),
                        all => write!(f, "[{}]", all.join(" AND ")),
                    }
                })
            }
        }
    }
}

/// A name on a path, in quotes where it needs them.
fn written(name: &str) -> Cow<'_, str> {
    if name.is_empty() || name.contains(['.', '"', '\\', ' ', '[', ']', '=']) {
        Cow::Owned(format!("\"{}\"", escaped(name)))
    } else {
        Cow::Borrowed(name)
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// An attribute that a user's file of attributes names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnName {
    /// As it is written there.
    pub name: String,
    /// What it says of an event.
    pub meaning: String,
    /// Raised when its meaning changes.
    pub version: u32,
}

/// The attributes that a set of rules uses, each once.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    list: Vec<Attribute>,
    places: HashMap<Attribute, AttributeId>,
    own: Arc<[OwnName]>,
}

impl Attributes {
    /// An empty table, for which names of a user are known besides.
    pub fn with(own: Arc<[OwnName]>) -> Attributes {
        Attributes {
            own,
            ..Attributes::default()
        }
    }

    /// Makes names of a user known.
    pub fn know(&mut self, own: Arc<[OwnName]>) {
        self.own = own;
    }

    /// The names of a user that are known.
    pub fn own(&self) -> &[OwnName] {
        &self.own
    }

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
    /// Several values, reached through an array: a test holds if it holds for any of them, and an
    /// event belongs to the groups of each.
    Many(Vec<Value<'a>>),
}

/// Where a value stands: the lists that it was reached through, the outermost first, and its
/// element of each. Empty: it was reached through none.
pub type Place = SmallVec<[(u32, u32); 1]>;

/// An element of a list of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its list, by the number of the list's first element.
    pub list: u32,
    /// The element that its list stands in; `None`: it stands in none.
    pub within: Option<u32>,
}

/// Where values stand that were reached through lists: those in one element go together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lists {
    /// By number.
    pub elements: Vec<Element>,
    /// By attribute, in order: the element of each of its values.
    pub values: Vec<(AttributeId, Vec<u32>)>,
}

impl Lists {
    /// Whether values of an attribute were reached through a list.
    pub fn has(&self, attribute: AttributeId) -> bool {
        !self.values.is_empty() && self.elements_of(attribute).is_some()
    }

    /// Where the value of this number among those of an attribute stands.
    pub fn place(&self, attribute: AttributeId, number: usize) -> Place {
        let mut next = self
            .elements_of(attribute)
            .and_then(|elements| elements.get(number).copied());
        let mut place = Place::new();
        while let Some(element) = next {
            let known = self.elements.get(element as usize);
            place.extend(known.map(|known| (known.list, element)));
            next = known.and_then(|known| known.within);
        }
        place.reverse();
        place
    }

    fn elements_of(&self, attribute: AttributeId) -> Option<&[u32]> {
        let at = self.values.binary_search_by_key(&attribute, |(id, _)| *id);
        let (_, elements) = self.values.get(at.ok()?)?;
        Some(elements)
    }
}

/// A normalised record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event<'a> {
    /// When it happened, as the record says; where it says nothing, the message's timestamp.
    pub time: Millis,
    /// The value of each attribute of the table in use; `None`: absent.
    pub values: Vec<Option<Value<'a>>>,
    /// Where values stand that were reached through lists of the record.
    pub lists: Lists,
    /// Whether the time is the record's own.
    pub has_own_time: bool,
    /// Whether anything but a time is known of the record, be it asked for or not.
    pub is_recognised: bool,
}

impl<'a> Event<'a> {
    /// Whether the record has several values of `attribute`.
    pub fn is_several(&self, attribute: AttributeId) -> bool {
        matches!(self.get(attribute), Some(Value::Many(_)))
    }

    /// The value of `attribute`, if the record has one.
    pub fn get(&self, attribute: AttributeId) -> Option<&Value<'a>> {
        self.values
            .get(usize::from(attribute.0))
            .and_then(Option::as_ref)
    }
}
