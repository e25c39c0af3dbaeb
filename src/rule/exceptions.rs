//! The `exceptions` of a rule: incidents that are not said.

use super::attribute::Names;
use super::bounds::EXCEPTIONS_MAX;
use super::macros::{self, Macros};
use super::nearest::shown;
use super::reader::{Fields, Reader};
use super::terms::Terms;
use super::yaml::{Content, Node};
use super::{Exception, Filter, FilterError, instant, metadata};
use crate::time::Millis;

/// The keys of an exception.
pub const KEYS: &[&str] = &["where", "from", "until", "owner", "ticket", "reason"];

/// Reads them; their filters are over the incident attributes of these names.
pub fn read(reader: &mut Reader<'_>, fields: Fields<'_>, names: &[String]) -> Vec<Exception> {
    let items = reader.list(fields, "exceptions", "a list of exceptions", EXCEPTIONS_MAX);
    items
        .iter()
        .filter_map(|node| match &node.content {
            Content::Scalar(_) => shared(reader, node, names),
            Content::Sequence(_) | Content::Mapping(_) => exception(reader, node, names),
        })
        .collect()
}

fn exception(reader: &mut Reader<'_>, node: &Node, names: &[String]) -> Option<Exception> {
    let (node, terms) = terms(reader, node)?;
    let text = filter_text(reader, node)?;
    let filter = Filter::parse_with(text, &mut Names::Incident(names), &mut reader.scope);
    let filter = filter
        .map_err(|errors| reader.errors_within(node, errors))
        .ok()?;
    Some(terms.with(filter))
}

/// One that several rules share: `Macro@Name`.
fn shared(reader: &mut Reader<'_>, node: &Node, names: &[String]) -> Option<Exception> {
    let expected = "an exception, a mapping, or Macro@Name";
    let text = reader.text(node, expected)?.trim();
    let Some(name) = macros::name(text) else {
        reader.error(
            node.at,
            format!("expected {expected}, found `{}`", shown(text)),
        );
        return None;
    };
    let none = Macros::default();
    let macros = reader.scope.macros.unwrap_or(&none);
    let found = macros.exception(name);
    let found = found
        .map_err(|message| reader.error(node.at, message))
        .ok()?;
    let names = &mut Names::Incident(names);
    match Filter::parse_with(&found.filter, names, &mut reader.scope) {
        Ok(filter) => {
            reader.scope.named.insert(name.to_owned());
            Some(found.terms.clone().with(filter))
        }
        Err(errors) => {
            for FilterError { offset, message } in errors {
                let place = &found.place;
                let message = format!("in `{name}` of {place}, at byte {}: {message}", offset + 1);
                reader.error(node.at, message);
            }
            None
        }
    }
}

/// Where an exception's filter stands, and what else it says.
pub fn terms<'n>(reader: &mut Reader<'_>, node: &'n Node) -> Option<(&'n Node, Terms)> {
    let fields = reader.fields(node, "an exception, a mapping", KEYS)?;
    let from = fields.get("from").and_then(|node| time(reader, node));
    let until = fields.get("until").and_then(|node| time(reader, node));
    if let (Some(from), Some(until), Some(node)) = (from, until, fields.get("until"))
        && until <= from
    {
        reader.error(node.at, "`until` must be after `from`");
    }
    let [owner, ticket, reason] =
        ["owner", "ticket", "reason"].map(|key| metadata::text(reader, fields, key));
    let terms = Terms {
        from,
        until,
        owner,
        ticket,
        reason,
    };
    Some((reader.require(fields, "where")?, terms))
}

/// The text of an exception's filter.
pub fn filter_text<'n>(reader: &mut Reader<'_>, node: &'n Node) -> Option<&'n str> {
    reader.text(node, "a filter such as user = \"..\"")
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
