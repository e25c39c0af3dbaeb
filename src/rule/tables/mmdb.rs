//! Databases in MaxMind's format: <https://maxmind.github.io/MaxMind-DB/>.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use maxminddb::{PathElement, Reader};
use memchr::memmem;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::event::Value;

/// Keys on the way to a value.
const PATH_MAX: usize = 16;

/// A database that was verified.
pub struct Database {
    bytes: Bytes,
    reader: Reader<Bytes>,
}

/// Bytes that several may look at.
#[derive(Clone)]
struct Bytes(Arc<Vec<u8>>);

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({} bytes)", self.bytes.0.len())
    }
}

impl Database {
    /// The database in these bytes.
    ///
    /// # Errors
    ///
    /// They are none, or it is damaged: says what.
    pub fn of(bytes: Vec<u8>) -> Result<Database, String> {
        let bytes = Bytes(Arc::new(bytes));
        let wrong = |error: maxminddb::MaxMindDbError| {
            format!("not a sound database in MaxMind's format: {error}; fetch it again")
        };
        let reader = Reader::from_source(bytes.clone()).map_err(wrong)?;
        reader.verify().map_err(wrong)?;
        Ok(Database { bytes, reader })
    }

    /// The keys on the way to what is called so, with points between, if the database knows them.
    pub fn path(&self, name: &str) -> Option<Vec<String>> {
        let keys: Vec<String> = name.split('.').map(str::to_owned).collect();
        let is_key = |key: &String| {
            let written = text_of(key);
            written.is_some_and(|text| memmem::find(self.bytes.as_ref(), &text).is_some())
        };
        (keys.len() <= PATH_MAX && keys.iter().all(is_key)).then_some(keys)
    }

    /// What it says of an address there. Through a list a path reaches every element.
    pub fn value(&self, address: IpAddr, path: &[String]) -> Option<Value<'_>> {
        let found = self.reader.lookup(address).ok()?;
        let keys = path.iter().map(|key| PathElement::Key(key));
        let keys: Vec<PathElement<'_>> = keys.collect();
        if let Ok(data) = found.decode_path::<Data<'_>>(&keys) {
            return data?.value();
        }
        // A list is on the way.
        let whole = found.decode::<Data<'_>>().ok()??;
        let mut values = Vec::new();
        whole.reach(path, &mut values);
        of_several(values)
    }
}

/// A short text as the format has it, with its length before it.
fn text_of(text: &str) -> Option<Vec<u8>> {
    /// What begins a text, and is followed by its length where that is at least this.
    const TEXT: u8 = 2 << 5;
    const LONG: u8 = 29;
    let length = u8::try_from(text.len()).ok()?;
    let mut written = match length {
        0 => return None,
        1..LONG => vec![TEXT | length],
        LONG.. => vec![TEXT | LONG, length - LONG],
    };
    written.extend(text.bytes());
    Some(written)
}

fn of_several(mut values: Vec<Value<'_>>) -> Option<Value<'_>> {
    match values.len() {
        0 => None,
        1 => values.pop(),
        _ => Some(Value::Many(values)),
    }
}

/// A piece of data.
enum Data<'d> {
    Text(Cow<'d, str>),
    Integer(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Data<'d>>),
    Map(Vec<(Cow<'d, str>, Data<'d>)>),
    /// Bytes.
    Other,
}

impl<'d> Data<'d> {
    fn value(self) -> Option<Value<'d>> {
        let mut values = Vec::new();
        self.reach(&[], &mut values);
        of_several(values)
    }

    /// What stands at the end of a path.
    fn reach(self, path: &[String], values: &mut Vec<Value<'d>>) {
        match (self, path.split_first()) {
            (Data::List(items), _) => {
                for item in items {
                    item.reach(path, values);
                }
            }
            (Data::Map(entries), Some((key, rest))) => {
                let mut entries = entries.into_iter();
                if let Some((_, data)) = entries.find(|(known, _)| known == key) {
                    data.reach(rest, values);
                }
            }
            (Data::Text(text), None) if !text.is_empty() => values.push(Value::Text(text)),
            (Data::Integer(integer), None) => values.push(Value::Integer(integer)),
            (Data::Float(float), None) if float.is_finite() => values.push(Value::Float(float)),
            (Data::Bool(bool), None) => values.push(Value::Bool(bool)),
            (Data::Map(_), None)
            | (
                Data::Text(_) | Data::Integer(_) | Data::Float(_) | Data::Bool(_) | Data::Other,
                _,
            ) => {}
        }
    }
}

impl<'de> Deserialize<'de> for Data<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Data<'de>, D::Error> {
        deserializer.deserialize_any(DataVisitor)
    }
}

struct DataVisitor;

/// Whole numbers that do not fit are texts.
fn whole(number: impl TryInto<i64> + ToString + Copy) -> Data<'static> {
    match number.try_into() {
        Ok(integer) => Data::Integer(integer),
        Err(_) => Data::Text(Cow::Owned(number.to_string())),
    }
}

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("data of MaxMind's format")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Data<'de>, E> {
        Ok(Data::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Data<'de>, E> {
        Ok(Data::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i32<E>(self, number: i32) -> Result<Data<'de>, E> {
        Ok(whole(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Data<'de>, E> {
        Ok(Data::Integer(number))
    }

    fn visit_u16<E>(self, number: u16) -> Result<Data<'de>, E> {
        Ok(whole(number))
    }

    fn visit_u32<E>(self, number: u32) -> Result<Data<'de>, E> {
        Ok(whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Data<'de>, E> {
        Ok(whole(number))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Data<'de>, E> {
        Ok(whole(number))
    }

    fn visit_f32<E>(self, number: f32) -> Result<Data<'de>, E> {
        Ok(Data::Float(f64::from(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Data<'de>, E> {
        Ok(Data::Float(number))
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Data<'de>, E> {
        Ok(Data::Bool(bool))
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Data<'de>, E> {
        Ok(Data::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Data<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Data::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Data<'de>, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Data<'de>>()? {
            match key {
                Data::Text(key) => map.push((key, entries.next_value()?)),
                Data::Integer(_)
                | Data::Float(_)
                | Data::Bool(_)
                | Data::List(_)
                | Data::Map(_)
                | Data::Other => {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Data::Map(map))
    }
}
