//! The `relations` of a rule, and the join key that they make.
//!
//! `A.user = B.user` puts two group-by attributes into one class. Every class is a part of the
//! join key, so it needs a group-by attribute of every pattern. A rule of one pattern has no
//! relations: each of its group-by attributes is a part of the key. Several patterns without
//! relations have one key for everything.

use super::bounds::RELATIONS_MAX;
use super::nearest::shown;
use super::patterns::Draft;
use super::reader::{Fields, Reader};
use super::token::{Cursor, Spanned, Symbol, Token};
use super::{FilterError, JoinKeyPart, attribute, nearest, print};
use crate::event::Attributes;

/// A group-by attribute: (pattern, place in its group-by).
type Place = (usize, usize);

pub fn read(
    reader: &mut Reader<'_>,
    fields: Fields<'_>,
    drafts: &[Draft],
    names: &mut Attributes,
) -> Vec<JoinKeyPart> {
    let mut classes: Vec<Vec<Place>> = Vec::new();
    let expected = "a list such as [A.user = B.user]";
    for node in reader.list(fields, "relations", expected, RELATIONS_MAX) {
        let Some(text) = reader.text(node, "a relation such as A.user = B.user") else {
            continue;
        };
        match relation(text, drafts, names) {
            Ok((left, right)) => join(&mut classes, left, right),
            Err(error) => reader.errors_within(node, vec![error]),
        }
    }
    if let ([only], true) = (drafts, classes.is_empty()) {
        classes = (0..only.group_by.len())
            .map(|place| vec![(0, place)])
            .collect();
    }
    let at = fields.get("relations").map_or(fields.at, |node| node.at);
    let mut parts = Vec::new();
    for mut class in classes {
        class.sort_unstable();
        match part(&class, drafts, names) {
            Ok(part) => parts.push(part),
            Err(message) => reader.error(at, message),
        }
    }
    parts
}

/// The part of the key that a class makes, by pattern; or what keeps it from being one.
fn part(class: &[Place], drafts: &[Draft], names: &Attributes) -> Result<JoinKeyPart, String> {
    let attribute = |(pattern, place): &Place| {
        let id = drafts.get(*pattern)?.group_by.get(*place)?;
        Some(print::name(names, *id))
    };
    let written = |place: &Place| {
        let pattern = drafts.get(place.0).map_or("", |draft| draft.name.as_str());
        format!("{pattern}.{}", attribute(place).unwrap_or_default())
    };
    let all: Vec<String> = class.iter().map(written).collect();
    let mut places = Vec::new();
    for (pattern, draft) in drafts.iter().enumerate() {
        let mut of_pattern = class.iter().filter(|(of, _)| *of == pattern);
        match (of_pattern.next(), of_pattern.next()) {
            (Some((_, place)), None) => places.push(*place),
            (Some(first), Some(second)) => {
                let (first, second) = (written(first), written(second));
                return Err(format!(
                    "{first} and {second} are both related to the same attribute of another \
                     pattern: what relates patterns is one attribute of each"
                ));
            }
            (None, _) => {
                return Err(format!(
                    "nothing relates {} to the pattern `{}`: what relates patterns is in the \
                     group_by of every one",
                    all.join(" = "),
                    draft.name
                ));
            }
        }
    }
    let name = class.first().and_then(attribute).unwrap_or_default();
    Ok(JoinKeyPart { name, places })
}

/// Merges the classes of two attributes.
fn join(classes: &mut Vec<Vec<Place>>, left: Place, right: Place) {
    let touched = |class: &mut Vec<Place>| class.contains(&left) || class.contains(&right);
    let mut merged: Vec<Place> = classes.extract_if(.., touched).flatten().collect();
    merged.extend([left, right]);
    merged.sort_unstable();
    merged.dedup();
    classes.push(merged);
}

fn relation(
    text: &str,
    drafts: &[Draft],
    names: &mut Attributes,
) -> Result<(Place, Place), FilterError> {
    let mut cursor = Cursor::new(text)?;
    let left = side(&mut cursor, drafts, names)?;
    cursor.expect(Symbol::Equal)?;
    let offset = cursor.peek().offset;
    let right = side(&mut cursor, drafts, names)?;
    cursor.expect_end("the end")?;
    if left.0 == right.0 {
        let message = "a relation is between two different patterns".to_string();
        return Err(FilterError { offset, message });
    }
    Ok((left, right))
}

fn side(
    cursor: &mut Cursor<'_>,
    drafts: &[Draft],
    names: &mut Attributes,
) -> Result<Place, FilterError> {
    let Spanned {
        offset,
        token: Token::Name(written),
    } = cursor.peek().clone()
    else {
        return Err(cursor.unexpected("a pattern and its attribute, such as A.user"));
    };
    cursor.next();
    let (pattern, name) = of_pattern(written, offset, drafts)?;
    group_by_place(pattern, name, drafts, names)
        .map(|place| (pattern, place))
        .map_err(|message| FilterError { offset, message })
}

/// Cuts `Pattern.rest` in two: the place of the pattern, and the rest.
pub fn of_pattern<'t>(
    written: &'t str,
    offset: usize,
    drafts: &[Draft],
) -> Result<(usize, &'t str), FilterError> {
    let wrong = |message: String| FilterError { offset, message };
    let (pattern, rest) = written.split_once('.').ok_or_else(|| {
        wrong(format!(
            "`{0}` names no pattern: write Pattern.{0}",
            shown(written)
        ))
    })?;
    let known: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
    let place = known
        .iter()
        .position(|name| *name == pattern)
        .ok_or_else(|| {
            wrong(format!(
                "unknown pattern `{}`{}",
                shown(pattern),
                nearest::hint(pattern, &known)
            ))
        })?;
    Ok((place, rest))
}

/// The place of the attribute `name` in a pattern's group-by.
pub fn group_by_place(
    pattern: usize,
    name: &str,
    drafts: &[Draft],
    names: &mut Attributes,
) -> Result<usize, String> {
    let draft = drafts.get(pattern);
    let named = draft.and_then(|draft| draft.reads.named(name)).map(Ok);
    let id = named.unwrap_or_else(|| attribute::intern(name, names))?;
    let place = draft.and_then(|draft| draft.group_by.iter().position(|known| *known == id));
    place.ok_or_else(|| {
        let pattern = draft.map_or("", |draft| draft.name.as_str());
        format!("`{name}` is not in the group_by of the pattern {pattern}")
    })
}
