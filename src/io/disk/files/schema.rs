//! The schema of an Avro container, for a reader that takes a few fields and skips the others.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value};

use super::datum::Datum;
use crate::escape;

/// So deep may values lie within each other.
const DEPTH_MAX: u32 = 64;

/// Bytes of a name.
const NAME_BYTES_MAX: usize = 1 << 10;

/// Characters of a name that are shown, and how many names.
const SHOWN_CHARACTERS: usize = 60;
const SHOWN_NAMES: usize = 20;

/// The place of a type in its schema.
pub type TypeId = usize;

/// How a value is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// As so many bytes, perhaps none.
    Fixed(u64),
    /// As a number of one to ten bytes.
    Number,
    /// Bytes behind their length.
    Bytes,
    /// Text behind its length.
    Text,
    /// Values in blocks.
    Array(TypeId),
    /// Names with values, in blocks.
    Map(TypeId),
    /// The place of a type, and its value.
    Union(Vec<TypeId>),
    /// Values one after the other; those of no bytes are left out.
    Record(Vec<TypeId>),
}

/// A value of no bytes.
const NOTHING: Type = Type::Fixed(0);

/// A field of the records that a container holds.
#[derive(Clone, Debug)]
pub struct Field {
    /// What it is called.
    pub name: String,
    /// How its value is written.
    pub kind: TypeId,
}

/// What a container's records are.
#[derive(Debug)]
pub struct Schema {
    types: Vec<Type>,
    name: String,
    /// All of them.
    fields: Vec<Field>,
    /// Those whose values have bytes, in the order in which they are written.
    pub written: Vec<Field>,
}

impl Schema {
    /// Reads a schema, which is JSON.
    ///
    /// # Errors
    ///
    /// It is not Avro's, or not one of records.
    pub fn parse(text: &[u8]) -> Result<Schema> {
        let json: Value = serde_json::from_slice(text).context("it is not JSON")?;
        let Some(record) = json.as_object().filter(|record| is_record(record)) else {
            bail!("its values are no records");
        };
        let mut parsing = Parsing::default();
        let fields = parsing.record(record, "")?.1;
        let written = fields.iter();
        let written = written.filter(|field| !parsing.is_nothing(field.kind));
        Ok(Schema {
            written: written.cloned().collect(),
            types: parsing.types,
            name: text_of(record, "name")?.to_owned(),
            fields,
        })
    }

    /// The type at this place.
    pub fn get(&self, kind: TypeId) -> Result<&Type> {
        self.types.get(kind).context("a type is missing")
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// What its values are, for an error.
    pub fn describe(&self) -> String {
        let names = self.fields.iter().take(SHOWN_NAMES);
        let mut names: Vec<String> = names.map(|field| shown(&field.name)).collect();
        if self.fields.len() > SHOWN_NAMES {
            names.push(format!("and {} more", self.fields.len() - SHOWN_NAMES));
        }
        let record = shown(&self.name);
        match names.is_empty() {
            true => format!("{record} without fields"),
            false => format!("{record} with the fields {}", names.join(", ")),
        }
    }

    /// Passes over a value.
    ///
    /// # Errors
    ///
    /// There is none of this type, or it is nested too deeply.
    pub fn skip(&self, kind: TypeId, datum: &mut Datum<'_>) -> Result<()> {
        self.skip_within(kind, datum, 0)
    }

    fn skip_within(&self, kind: TypeId, datum: &mut Datum<'_>, depth: u32) -> Result<()> {
        ensure!(
            depth < DEPTH_MAX,
            "values are nested more than {DEPTH_MAX} deep"
        );
        match self.get(kind)? {
            Type::Fixed(bytes) => datum.skip(*bytes),
            Type::Number => datum.number().map(drop),
            Type::Bytes | Type::Text => {
                let length = datum.length()?;
                datum.skip(length)
            }
            Type::Array(item) => self.skip_blocks(*item, false, datum, depth + 1),
            Type::Map(value) => self.skip_blocks(*value, true, datum, depth + 1),
            Type::Union(either) => {
                let kind = branch(either, datum)?;
                self.skip_within(kind, datum, depth + 1)
            }
            Type::Record(fields) => {
                let mut fields = fields.iter();
                fields.try_for_each(|field| self.skip_within(*field, datum, depth + 1))
            }
        }
    }

    fn skip_blocks(
        &self,
        item: TypeId,
        is_named: bool,
        datum: &mut Datum<'_>,
        depth: u32,
    ) -> Result<()> {
        loop {
            let count = datum.number()?;
            if count == 0 {
                return Ok(());
            }
            // Then it says how long they are together.
            if count < 0 {
                let length = datum.length()?;
                datum.skip(length)?;
                continue;
            }
            for _ in 0..count {
                let before = datum.read;
                if is_named {
                    let length = datum.length()?;
                    datum.skip(length)?;
                }
                self.skip_within(item, datum, depth)?;
                // All the others have no bytes, either.
                if datum.read == before {
                    break;
                }
            }
        }
    }
}

/// The type of a union's value, which `datum` says.
pub fn branch(either: &[TypeId], datum: &mut Datum<'_>) -> Result<TypeId> {
    let place = datum.length()?;
    let kind = usize::try_from(place)
        .ok()
        .and_then(|place| either.get(place));
    kind.copied()
        .with_context(|| format!("a union has no type at place {place}"))
}

/// A name from a schema, as text that may be shown anywhere.
fn shown(name: &str) -> String {
    let short: String = name.chars().take(SHOWN_CHARACTERS).collect();
    let dots = if short.len() < name.len() { "…" } else { "" };
    escape::quoted(&short) + dots
}

fn is_record(json: &Map<String, Value>) -> bool {
    let kind = json.get("type").and_then(Value::as_str);
    matches!(kind, Some("record" | "error"))
}

fn text_of<'j>(json: &'j Map<String, Value>, key: &str) -> Result<&'j str> {
    let text = json.get(key).and_then(Value::as_str);
    text.with_context(|| format!("a type has no {key}"))
}

/// The types found so far.
#[derive(Default)]
struct Parsing {
    types: Vec<Type>,
    /// Those that have names, with their namespaces.
    names: HashMap<String, TypeId>,
}

impl Parsing {
    fn add(&mut self, kind: Type) -> TypeId {
        self.types.push(kind);
        self.types.len() - 1
    }

    /// The JSON reader bounds how deep this goes.
    fn any(&mut self, json: &Value, namespace: &str) -> Result<TypeId> {
        match json {
            Value::String(name) => self.named(name, namespace),
            Value::Array(either) => {
                let kinds = either.iter().map(|kind| self.any(kind, namespace));
                let kinds = kinds.collect::<Result<_>>()?;
                Ok(self.add(Type::Union(kinds)))
            }
            Value::Object(object) => self.object(object, namespace),
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                bail!("a type is {json}")
            }
        }
    }

    fn named(&mut self, name: &str, namespace: &str) -> Result<TypeId> {
        let kind = match name {
            "null" => NOTHING,
            "boolean" => Type::Fixed(1),
            "int" | "long" => Type::Number,
            "float" => Type::Fixed(4),
            "double" => Type::Fixed(8),
            "bytes" => Type::Bytes,
            "string" => Type::Text,
            other => {
                let known = self.names.get(&full_name(other, namespace));
                let known = known.or_else(|| self.names.get(other));
                return known
                    .copied()
                    .with_context(|| format!("no type is called {}", shown(other)));
            }
        };
        Ok(self.add(kind))
    }

    fn object(&mut self, json: &Map<String, Value>, namespace: &str) -> Result<TypeId> {
        let Some(kind) = json.get("type") else {
            bail!("a type has no type");
        };
        let part = |key: &str| {
            let part = json.get(key);
            part.with_context(|| format!("a type has no {key}"))
        };
        match kind.as_str() {
            Some("record" | "error") => Ok(self.record(json, namespace)?.0),
            Some("enum") => {
                let kind = self.add(Type::Number);
                self.declare(json, namespace, kind)
            }
            Some("fixed") => {
                let bytes = part("size")?.as_u64().context("a size is no number")?;
                let kind = self.add(Type::Fixed(bytes));
                self.declare(json, namespace, kind)
            }
            Some("array") => {
                let items = self.any(part("items")?, namespace)?;
                Ok(self.add(Type::Array(items)))
            }
            Some("map") => {
                let values = self.any(part("values")?, namespace)?;
                Ok(self.add(Type::Map(values)))
            }
            // What it means beside, such as a time, does not matter here.
            Some(_) | None => self.any(kind, namespace),
        }
    }

    fn declare(
        &mut self,
        json: &Map<String, Value>,
        namespace: &str,
        kind: TypeId,
    ) -> Result<TypeId> {
        self.names.insert(declared(json, namespace)?, kind);
        Ok(kind)
    }

    /// A record and its fields.
    fn record(
        &mut self,
        json: &Map<String, Value>,
        namespace: &str,
    ) -> Result<(TypeId, Vec<Field>)> {
        // Before its fields, which may name it.
        let place = self.add(Type::Record(Vec::new()));
        self.declare(json, namespace, place)?;
        let name = declared(json, namespace)?;
        let namespace = name.rsplit_once('.').map_or("", |(namespace, _)| namespace);
        let fields = json.get("fields").and_then(Value::as_array);
        let mut list = Vec::new();
        for field in fields.context("a record has no fields")? {
            let field = field.as_object().context("a field is no object")?;
            let kind = field.get("type").context("a field has no type")?;
            list.push(Field {
                name: text_of(field, "name")?.to_owned(),
                kind: self.any(kind, namespace)?,
            });
        }
        // So that every step of reading takes bytes.
        let kinds = list.iter().map(|field| field.kind);
        let kinds: Vec<TypeId> = kinds.filter(|kind| !self.is_nothing(*kind)).collect();
        if let Some(kind) = self.types.get_mut(place) {
            *kind = match kinds.is_empty() {
                true => NOTHING,
                false => Type::Record(kinds),
            };
        }
        Ok((place, list))
    }

    fn is_nothing(&self, kind: TypeId) -> bool {
        self.types.get(kind) == Some(&NOTHING)
    }
}

/// The full name of a type that is declared within this namespace.
fn declared(json: &Map<String, Value>, around: &str) -> Result<String> {
    let own = json.get("namespace").and_then(Value::as_str);
    let name = full_name(text_of(json, "name")?, own.unwrap_or(around));
    ensure!(
        name.len() <= NAME_BYTES_MAX,
        "a name is longer than {NAME_BYTES_MAX} bytes"
    );
    Ok(name)
}

fn full_name(name: &str, namespace: &str) -> String {
    match name.contains('.') || namespace.is_empty() {
        true => name.to_owned(),
        false => format!("{namespace}.{name}"),
    }
}
