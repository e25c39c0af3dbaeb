//! The `exceptions` of a rule: incidents that are not said.

use super::attribute::Names;
use super::bounds::EXCEPTIONS_MAX;
use super::nearest::shown;
use super::reader::{Fields, Reader};
use super::yaml::Node;
use super::{Exception, Filter, instant};
use crate::time::Millis;

/// The keys of an exception.
pub const KEYS: &[&str] = &["where", "from", "until"];

/// Reads them; their filters are over the incident attributes of these names.
pub fn read(reader: &mut Reader<'_>, fields: Fields<'_>, names: &[String]) -> Vec<Exception> {
    let items = reader.list(fields, "exceptions", "a list of exceptions", EXCEPTIONS_MAX);
    items
        .iter()
        .filter_map(|node| exception(reader, node, names))
        .collect()
}

fn exception(reader: &mut Reader<'_>, node: &Node, names: &[String]) -> Option<Exception> {
    let fields = reader.fields(node, "an exception, a mapping", KEYS)?;
    let from = fields.get("from").and_then(|node| time(reader, node));
    let until = fields.get("until").and_then(|node| time(reader, node));
    if let (Some(from), Some(until), Some(node)) = (from, until, fields.get("until"))
        && until <= from
    {
        reader.error(node.at, "`until` must be after `from`");
    }
    let node = reader.require(fields, "where")?;
    let text = reader.text(node, "a filter such as user = \"..\"")?;
    let filter = Filter::parse_with(text, &mut Names::Incident(names), &mut reader.scope);
    let filter = filter
        .map_err(|errors| reader.errors_within(node, errors))
        .ok()?;
    Some(Exception {
        filter,
        from,
        until,
    })
}

fn time(reader: &mut Reader<'_>, node: &Node) -> Option<Millis> {
    let expected = "a time such as 2026-01-01T00:00:00Z";
    let text = reader.text(node, expected)?;
    let time = instant::parse(text);
    if time.is_none() {
        reader.error(
            node.at,
            format!("expected {expected}, found `{}`", shown(text)),
        );
    }
    time
}
