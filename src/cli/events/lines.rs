//! Records as lines of JSON.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::At;
use crate::decode::Refused;
use crate::event::{Attribute, Attributes, Event, Value};
use crate::io::backtest::input::Source;
use crate::time;

/// The longest part of a refused record that is shown, in bytes.
const SHOWN_MAX: usize = 300;

/// Writes a line for each record.
pub struct Lines<'o> {
    out: &'o mut dyn Write,
    /// Whether the record is shown as well, and where it stands.
    raw: bool,
}

impl<'o> Lines<'o> {
    pub fn new(out: &'o mut dyn Write, raw: bool) -> Lines<'o> {
        Lines { out, raw }
    }

    /// The time, then what the event has of the attributes, in their order.
    pub fn event(&mut self, at: &At<'_>, event: &Event<'_>, attributes: &Attributes) -> Result<()> {
        write!(self.out, "{{\"time\":\"{}\"", time::rfc3339(event.time))?;
        for (name, value) in values(event, attributes) {
            write!(self.out, ",{}:{value}", serde_json::Value::from(name))?;
        }
        if self.raw {
            let record = String::from_utf8_lossy(at.bytes);
            write!(
                self.out,
                ",\"at\":{},\"record\":{}",
                place(at),
                json!(record)
            )?;
        }
        writeln!(self.out, "}}")?;
        Ok(())
    }

    /// Why a record was refused, and how it begins.
    pub fn refused(&mut self, at: &At<'_>, refused: &Refused) -> Result<()> {
        let shown = match self.raw {
            true => at.bytes,
            false => at.bytes.get(..SHOWN_MAX).unwrap_or(at.bytes),
        };
        let mut line = place(at);
        if let Some(line) = line.as_object_mut() {
            line.insert("reject".to_owned(), refused.reason.reason().into());
            line.insert("explanation".to_owned(), refused.to_string().into());
            line.insert("record".to_owned(), String::from_utf8_lossy(shown).into());
        }
        writeln!(self.out, "{line}")?;
        Ok(())
    }
}

/// Where a record stands: lines are counted from 1, all else from 0.
fn place(at: &At<'_>) -> serde_json::Value {
    match at.source {
        Source::File(path) => json!({
            "file": path.to_string_lossy(),
            "line": at.offset + 1,
            "index": at.index,
        }),
        Source::Topic(range) => json!({
            "topic": range.topic,
            "partition": at.partition,
            "offset": at.offset,
            "index": at.index,
        }),
    }
}

/// What the event has of the attributes, by their names. The text of the whole record is left out.
pub fn values(event: &Event<'_>, attributes: &Attributes) -> Vec<(String, serde_json::Value)> {
    let all = attributes.list().iter().zip(&event.values);
    all.filter(|(attribute, _)| **attribute != Attribute::Named("rawEventMsg"))
        .filter_map(|(attribute, value)| Some((attribute.to_string(), value_json(value.as_ref()?))))
        .collect()
}

fn value_json(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::Text(text) => text.as_ref().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Bool(truth) => (*truth).into(),
        Value::Many(values) => values.iter().map(value_json).collect(),
    }
}
