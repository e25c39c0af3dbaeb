//! The `incident` of a rule: its title and its attributes.

use super::attribute::Names;
use super::bounds::{AGGREGATES_MAX, SHOWN_MAX, TEXT_BYTES_MAX};
use super::formula::{Making, Reads};
use super::having;
use super::nearest::shown;
use super::patterns::Draft;
use super::reader::{Fields, Reader};
use super::relations::{group_by_place, of_pattern};
use super::rule_tests::FIELDS;
use super::scope::{Age, Scope};
use super::token::{Cursor, Spanned, Symbol, Token};
use super::{FilterError, IncidentValue, aggregates, attribute, print};
use crate::event::Attributes;

/// Title template, if given, and attributes with where their values come from.
#[derive(Default)]
pub struct IncidentFields {
    pub title: Option<String>,
    pub attributes: Vec<(String, IncidentValue)>,
    /// Of all attributes, those with errors too.
    pub names: Vec<String>,
}

/// Reads them. Aggregates that only an incident shows are added to their pattern. Where the rule
/// says nothing, an incident shows what the `positive` patterns group by: of those that are
/// absent, and of what clears it, there is nothing to show.
pub fn read(
    reader: &mut Reader<'_>,
    fields: Fields<'_>,
    (drafts, positive): (&mut [Draft], &[usize]),
    names: &mut Attributes,
) -> IncidentFields {
    let node = fields.get("incident");
    let incident = node.and_then(|node| reader.fields(node, "a mapping", &["title", "attributes"]));
    let title = incident.and_then(|incident| incident.get("title"));
    let title = title.and_then(|node| reader.short_text(node, "a title"));
    let title = title.map(str::to_string);
    let Some(node) = incident.and_then(|incident| incident.get("attributes")) else {
        let attributes = all_group_bys(drafts, positive, names);
        let names = attributes.iter().map(|(name, _)| name.clone()).collect();
        return IncidentFields {
            title,
            attributes,
            names,
        };
    };
    let mut attributes = Vec::new();
    let expected = "a mapping such as { user: Filter.user }";
    let entries = reader.entries(node, expected, SHOWN_MAX);
    for (key, value) in entries {
        if let Some(message) = wrong_name(&key.text, reader.scope.age, names) {
            reader.error(key.at, message);
        }
        let expected = "a group-by attribute or an aggregate, such as Filter.user";
        let Some(text) = reader.text(value, expected) else {
            continue;
        };
        match incident_value(text, drafts, names, &mut reader.scope) {
            Ok(found) => attributes.push((key.text.clone(), found)),
            Err(errors) => reader.errors_within(value, errors),
        }
    }
    let names = entries.iter().map(|(key, _)| key.text.clone()).collect();
    IncidentFields {
        title,
        attributes,
        names,
    }
}

/// Words that join the tests of a filter: as attributes they would read as that.
const RESERVED: &[&str] = &["AND", "OR", "NOT"];

/// What keeps an attribute of incidents from being called so.
fn wrong_name(name: &str, age: Age, known: &Attributes) -> Option<String> {
    let is_reserved = || RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name));
    // Without `attributes`, what patterns group by is shown under its own name, whatever that is.
    if !is_name(name) && attribute::parse(name, known).is_err() {
        let name = shown(name);
        return Some(format!(
            "`{name}` is not a name: letters, digits, _ and dots"
        ));
    }
    if FIELDS.contains(&name) {
        return Some(format!(
            "`{name}` is a field of every incident: choose another"
        ));
    }
    if age == Age::Old {
        return None;
    }
    if is_reserved() {
        return Some(format!(
            "`{name}` is an operator of filters: choose another name"
        ));
    }
    (name.len() > TEXT_BYTES_MAX).then(|| {
        format!(
            "a name has at most {TEXT_BYTES_MAX} bytes, found {}",
            name.len()
        )
    })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '.')
}

/// Each group-by attribute of these patterns under its own name, once.
fn all_group_bys(
    drafts: &[Draft],
    positive: &[usize],
    names: &Attributes,
) -> Vec<(String, IncidentValue)> {
    let mut attributes: Vec<(String, IncidentValue)> = Vec::new();
    let shown = drafts.iter().enumerate();
    for (pattern, draft) in shown.filter(|(place, _)| positive.contains(place)) {
        for (place, id) in draft.group_by.iter().enumerate() {
            let name = print::name(names, *id);
            if !attributes.iter().any(|(known, _)| *known == name) {
                attributes.push((name, IncidentValue::GroupBy(pattern, place)));
            }
        }
    }
    attributes
}

/// `Filter.user` or `Filter.COUNT(*)`.
fn incident_value(
    text: &str,
    drafts: &mut [Draft],
    names: &mut Attributes,
    scope: &mut Scope<'_>,
) -> Result<IncidentValue, Vec<FilterError>> {
    let mut errors = Vec::new();
    let value = (|| {
        let mut cursor = Cursor::new(text)?;
        let Spanned {
            offset,
            token: Token::Name(written),
        } = cursor.peek().clone()
        else {
            return Err(cursor.unexpected("a pattern and what of it, such as Filter.user"));
        };
        cursor.next();
        let (pattern, rest) = of_pattern(written, offset, drafts)?;
        if cursor.peek().token == Token::Symbol(Symbol::Open) {
            let word = Spanned {
                offset: offset + written.len() - rest.len(),
                token: Token::Name(rest),
            };
            let mut none = Reads::default();
            let reads = drafts.get_mut(pattern).map(|draft| &mut draft.reads);
            let reads = reads.unwrap_or(&mut none);
            let aggregate = aggregates::parse(
                &word,
                &mut Making {
                    cursor: &mut cursor,
                    names: &mut Names::Event(names),
                    scope,
                    reads,
                    errors: &mut errors,
                },
            )?;
            cursor.expect_end("the end")?;
            let place = having::place(&mut reads.aggregates, aggregate);
            let place = place.ok_or_else(|| FilterError {
                offset,
                message: format!("a pattern has at most {AGGREGATES_MAX} aggregates"),
            })?;
            return Ok(IncidentValue::Aggregate(pattern, place));
        }
        cursor.expect_end("the end")?;
        let place = group_by_place(pattern, rest, drafts, names)
            .map_err(|message| FilterError { offset, message })?;
        Ok(IncidentValue::GroupBy(pattern, place))
    })();
    match value {
        Ok(value) if errors.is_empty() => Ok(value),
        Ok(_) => Err(errors),
        Err(error) => {
            errors.push(error);
            Err(errors)
        }
    }
}
