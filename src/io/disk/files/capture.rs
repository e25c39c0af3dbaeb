//! What Event Hubs Capture writes: Avro containers whose records are messages, each with the time
//! at which the hub took it.
//!
//! Only the body and what the hub called it are read of a record; all else is skipped.

use std::io::{self, BufRead, Read as _};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::container::Header;
use super::datum::Datum;
use super::schema::{Schema, Type, TypeId, branch};
use super::{EachMessage, Message, Place};
use crate::record::Hash;
use crate::time::{self, Millis};

/// The field that has the message's bytes; null where it has none.
const BODY: &str = "Body";

/// The field that says when the hub took the message, as text, in UTC.
const ENQUEUED: &str = "EnqueuedTimeUtc";

/// The field that has the message's number in its partition.
const SEQUENCE: &str = "SequenceNumber";

/// The field that says where the message is in its partition, as text.
const OFFSET: &str = "Offset";

/// Bytes of a text that are looked at: longer ones are no times or offsets.
const TEXT_BYTES_MAX: usize = 128;

/// Bytes of a body that is too large that are handed on, to be shown.
const SHOWN_BYTES: usize = 1 << 10;

/// What the hub called a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    sequence: i64,
    /// Of the offset's text.
    offset: u64,
    enqueued: Millis,
    /// Of namespace, hub and partition, if the file's path says them; else 0.
    stream: u64,
}

/// What copies of a record have in common, and no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Of what the hub called its message, the message's bytes, and its place among them.
    pub record: Hash,
    /// Of namespace, hub and partition; 0: not known, and then it is a copy of any such record.
    pub stream: u64,
}

impl Stamp {
    /// The identity of the record at this place of the message with these bytes.
    pub fn identity(&self, bytes: &[u8], index: u32) -> Identity {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.sequence.to_be_bytes());
        hasher.update(&self.offset.to_be_bytes());
        hasher.update(&self.enqueued.to_be_bytes());
        hasher.update(&index.to_be_bytes());
        hasher.update(bytes);
        Identity {
            record: Hash::finish(&hasher),
            stream: self.stream,
        }
    }
}

/// Calls `each` for every message of the container in `reader`, in order; a record without body is
/// none. In a quiet time Capture writes containers without records.
///
/// # Errors
///
/// The container is not one of Capture, or is damaged, which is then said of its path with how many
/// records came before; or `each` fails.
pub fn messages(
    place: Place<'_>,
    reader: &mut dyn BufRead,
    each: &mut EachMessage<'_>,
) -> Result<()> {
    let path = place.path.display();
    let header = Header::read(reader, place.limits.header_bytes)
        .context("the header of the Avro container cannot be used")
        .with_context(|| format!("cannot read {path}"))?;
    ensure!(
        has_bodies(&header.schema),
        "{path} is an Avro container, but not one of Event Hubs Capture: expected records with a \
         field {BODY} of bytes, found {}",
        header.schema.describe()
    );
    let mut records = Records {
        place,
        schema: &header.schema,
        stream: stream_of(place.path),
        number: 0,
        record: Record::default(),
    };
    loop {
        let more = records.block(&header, reader, each);
        let number = records.number;
        if !more.with_context(|| format!("cannot read {path} after {number} records"))? {
            return Ok(());
        }
    }
}

/// Reading the records of a container.
struct Records<'c> {
    place: Place<'c>,
    schema: &'c Schema,
    /// See [`Stamp`].
    stream: u64,
    /// How many were read.
    number: u64,
    record: Record,
}

/// What was read of a record.
#[derive(Default)]
struct Record {
    body: Vec<u8>,
    body_bytes: Option<u64>,
    enqueued: Option<Millis>,
    sequence: Option<i64>,
    offset: Option<u64>,
}

impl Records<'_> {
    /// Reads a block; whether there was one.
    fn block(
        &mut self,
        header: &Header,
        reader: &mut dyn BufRead,
        each: &mut EachMessage<'_>,
    ) -> Result<bool> {
        let not_whole = "a block is not whole";
        let Some((count, length)) = header.next_block(reader).context(not_whole)? else {
            return Ok(false);
        };
        let mut packed = (&mut *reader).take(length);
        let most = self.place.limits.block_bytes;
        let read = match header.codec.unpack(&mut packed, most) {
            Ok(mut block) => self.each_of(count, &mut *block, each),
            Err(error) => Err(error),
        };
        if read.is_ok() {
            // Some packers leave the end of a check sum behind.
            io::copy(&mut packed, &mut io::sink()).context(not_whole)?;
        }
        if packed.limit() > 0 && is_at_end(reader) {
            return read.and_then(|()| bail!("it ends")).context(not_whole);
        }
        read?;
        header.end_block(reader).context(not_whole)?;
        Ok(true)
    }

    /// Reads this many records, which are all that `block` holds.
    fn each_of(
        &mut self,
        count: u64,
        block: &mut dyn BufRead,
        each: &mut EachMessage<'_>,
    ) -> Result<()> {
        let mut datum = Datum::new(block);
        for _ in 0..count {
            self.read(&mut datum)?;
            if let Some(message) = self.message() {
                each(message)?;
            }
            self.number += 1;
        }
        ensure!(
            datum.is_at_end().context("a block is damaged")?,
            "a block holds more than the records it counts"
        );
        Ok(())
    }

    fn read(&mut self, datum: &mut Datum<'_>) -> Result<()> {
        ensure!(
            !datum.is_at_end()?,
            "a block holds less than the records it counts"
        );
        let before = datum.read;
        self.record.clear();
        for field in &self.schema.written {
            let kind = self.inner(field.kind, datum)?;
            let read = match (field.name.as_str(), self.schema.get(kind)?) {
                (BODY, Type::Bytes) => self.record.read_body(datum, self.place),
                (SEQUENCE, Type::Number) => datum
                    .number()
                    .map(|number| self.record.sequence = Some(number)),
                (ENQUEUED, Type::Text) => {
                    text(datum).map(|text| self.record.enqueued = time::parse(&text))
                }
                (OFFSET, Type::Text) => {
                    text(datum).map(|text| self.record.offset = Some(number_of(text.as_bytes())))
                }
                _ => self.schema.skip(kind, datum),
            };
            read.context("a record does not follow the schema")?;
        }
        ensure!(datum.read > before, "its records have no bytes");
        Ok(())
    }

    /// The type of the value that is next, where it may be one of several.
    fn inner(&self, kind: TypeId, datum: &mut Datum<'_>) -> Result<TypeId> {
        match self.schema.get(kind)? {
            Type::Union(either) => branch(either, datum),
            Type::Fixed(_)
            | Type::Number
            | Type::Bytes
            | Type::Text
            | Type::Array(_)
            | Type::Map(_)
            | Type::Record(_) => Ok(kind),
        }
    }

    /// The message that was read last, if it has a body.
    fn message(&self) -> Option<Message<'_>> {
        let Record {
            body,
            enqueued,
            sequence,
            offset,
            ..
        } = &self.record;
        let length = self.record.body_bytes?;
        let stamp = || {
            Some(Stamp {
                sequence: (*sequence)?,
                offset: (*offset)?,
                enqueued: (*enqueued)?,
                stream: self.stream,
            })
        };
        Some(Message {
            path: self.place.path,
            line: self.number,
            timestamp: *enqueued,
            bytes: body,
            is_too_large: length > self.place.limits.message_bytes as u64,
            stamp: stamp(),
        })
    }
}

impl Record {
    fn clear(&mut self) {
        self.body.clear();
        self.body.shrink_to(super::BUFFER_BYTES);
        self.body_bytes = None;
        self.enqueued = None;
        self.sequence = None;
        self.offset = None;
    }

    fn read_body(&mut self, datum: &mut Datum<'_>, place: Place<'_>) -> Result<()> {
        let length = datum.length()?;
        let kept = match length > place.limits.message_bytes as u64 {
            true => SHOWN_BYTES,
            false => place.limits.message_bytes,
        };
        self.body.clear();
        datum.bytes(length, kept, &mut self.body)?;
        self.body_bytes = Some(length);
        Ok(())
    }
}

/// A short text; of a longer one the beginning.
fn text(datum: &mut Datum<'_>) -> Result<String> {
    let length = datum.length()?;
    let mut bytes = Vec::new();
    datum.bytes(length, TEXT_BYTES_MAX, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A number that stands for a text.
fn number_of(text: &[u8]) -> u64 {
    Hash::of(text).first_bytes()
}

fn is_at_end(reader: &mut dyn BufRead) -> bool {
    reader.fill_buf().is_ok_and(<[u8]>::is_empty)
}

/// Whether the records have a body that is bytes or null.
fn has_bodies(schema: &Schema) -> bool {
    let may_be = |kind: TypeId| matches!(schema.get(kind), Ok(Type::Bytes | Type::Fixed(0)));
    let body = schema.field(BODY);
    body.is_some_and(|body| match schema.get(body.kind) {
        Ok(Type::Union(either)) => either.iter().all(|kind| may_be(*kind)),
        Ok(_) => may_be(body.kind),
        Err(_) => false,
    })
}

/// What [`Stamp`] has of a path such as `namespace/hub/partition/2026/01/31/09/05/30.avro`.
fn stream_of(path: &Path) -> u64 {
    let parts: Vec<String> = path
        .components()
        .rev()
        .take(9)
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let [
        second,
        minute,
        hour,
        day,
        month,
        year,
        partition,
        hub,
        namespace,
    ] = &parts[..]
    else {
        return 0;
    };
    let second = second.split_once('.').map_or("", |(second, _)| second);
    let two = [second, minute, hour, day, month];
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_capture = two.iter().all(|part| part.len() == 2 && is_number(part))
        && (year.len() == 4 && is_number(year))
        && (!partition.is_empty() && is_number(partition));
    match is_capture {
        true => number_of(format!("{namespace}/{hub}/{partition}").as_bytes()).max(1),
        false => 0,
    }
}
