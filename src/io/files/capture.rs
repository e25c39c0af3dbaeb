//! What Event Hubs Capture writes: Avro containers whose records are messages, each with the time
//! at which the hub took it.

use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use apache_avro::Schema;
use apache_avro::types::Value;

use super::Message;
use super::container::{Header, Records};
use crate::time::{self, Millis};

/// The field that has the message's bytes; null where it has none.
const BODY: &str = "Body";

/// The field that says when the hub took the message, as text, in UTC.
const ENQUEUED: &str = "EnqueuedTimeUtc";

/// Calls `each` for every message of the container in `reader`, in order; a record without body is
/// none. In a quiet time Capture writes containers without records.
///
/// # Errors
///
/// The container is not one of Capture, or is damaged, which is then said of `path` with how many
/// records came before; or `each` fails.
pub fn messages(
    path: &Path,
    reader: &mut dyn BufRead,
    each: &mut dyn FnMut(Message<'_>) -> Result<()>,
) -> Result<()> {
    let cannot_read = || format!("cannot read {}", path.display());
    let header = Header::read(reader)
        .context("the header of the Avro container cannot be used")
        .with_context(cannot_read)?;
    ensure!(
        has_bodies(&header.schema),
        "{} is an Avro container, but not one of Event Hubs Capture: expected records with a field \
         {BODY} of bytes, found {}",
        path.display(),
        describe(&header.schema)
    );
    let mut records = Records::new(reader, &header).with_context(cannot_read)?;
    let mut place = 0;
    let cannot_go_on = |place: u64| format!("cannot read {} after {place} records", path.display());
    while let Some(record) = records.read().with_context(|| cannot_go_on(place))? {
        let (body, timestamp) = body_and_timestamp(record);
        if let Some(bytes) = body {
            each(Message {
                path,
                line: place,
                timestamp,
                bytes: &bytes,
            })?;
        }
        place += 1;
    }
    Ok(())
}

/// Whether the records have a body that is bytes or null.
fn has_bodies(schema: &Schema) -> bool {
    let Schema::Record(record) = schema else {
        return false;
    };
    let may_be = |schema: &Schema| matches!(schema, Schema::Null | Schema::Bytes);
    let body = record.fields.iter().find(|field| field.name == BODY);
    body.is_some_and(|body| {
        if let Schema::Union(either) = &body.schema {
            either.variants().iter().all(may_be)
        } else {
            may_be(&body.schema)
        }
    })
}

/// What the values of a container are, for an error.
fn describe(schema: &Schema) -> String {
    let Schema::Record(record) = schema else {
        return "values that are no records".to_owned();
    };
    let fields: Vec<&str> = record.fields.iter().map(|field| &*field.name).collect();
    format!("{} with the fields {}", record.name, fields.join(", "))
}

/// A time that cannot be read is none, as in a record.
fn body_and_timestamp(record: Value) -> (Option<Vec<u8>>, Option<Millis>) {
    let (mut body, mut timestamp) = (None, None);
    let Value::Record(fields) = record else {
        return (body, timestamp);
    };
    for (name, value) in fields {
        match (name.as_str(), without_union(value)) {
            (BODY, Value::Bytes(bytes)) => body = Some(bytes),
            (ENQUEUED, Value::String(text)) => timestamp = time::parse(&text),
            _ => (),
        }
    }
    (body, timestamp)
}

fn without_union(value: Value) -> Value {
    if let Value::Union(_, inner) = value {
        *inner
    } else {
        value
    }
}
