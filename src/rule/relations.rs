//! The `relations` of a rule: the join key that they make, and what must differ.
//!
//! `A.user = B.user` puts two group-by attributes into one class. Every class is a part of the
//! join key, so it needs a group-by attribute of every pattern. A rule of one pattern has no
//! relations: each of its group-by attributes is a part of the key. Several patterns without
//! relations have one key for everything. `A.srcIpAddr != B.srcIpAddr` is between finer attributes
//! of the two sides of one operator.

use super::bounds::RELATIONS_MAX;
use super::nearest::shown;
use super::patterns::Draft;
use super::reader::{Fields, Reader};
use super::token::{Cursor, Spanned, Symbol, Token};
use super::yaml::Node;
use super::{
    Condition, ConditionOperator, Difference, FilterError, GroupBy, JoinKeyPart, attribute,
    nearest, print,
};
use crate::event::Attributes;

/// What the relations of a rule come to.
pub struct Relations {
    pub join_key: Vec<JoinKeyPart>,
    pub differences: Vec<Difference>,
}

/// What relations are between.
#[derive(Clone, Copy)]
pub struct Between<'a> {
    pub drafts: &'a [Draft],
    /// The rule's condition; `None`: it has errors.
    pub condition: Option<&'a Condition>,
    /// The place of its clear pattern.
    pub clear: Option<usize>,
}

/// One relation.
enum Relation {
    Equal(GroupBy, GroupBy),
    Differ(Difference),
}

pub fn read(
    reader: &mut Reader<'_>,
    fields: Fields<'_>,
    between: Between<'_>,
    names: &mut Attributes,
) -> Relations {
    let drafts = between.drafts;
    let mut classes: Vec<Vec<GroupBy>> = Vec::new();
    let mut differing: Vec<(&Node, Difference)> = Vec::new();
    let expected = "a list such as [A.user = B.user]";
    for node in reader.list(fields, "relations", expected, RELATIONS_MAX) {
        let Some(text) = reader.text(node, "a relation such as A.user = B.user") else {
            continue;
        };
        match relation(text, drafts, names) {
            Ok(Relation::Equal(left, right)) => join(&mut classes, left, right),
            Ok(Relation::Differ(difference)) => differing.push((node, difference)),
            Err(error) => reader.errors_within(node, vec![error]),
        }
    }
    let mut differences: Vec<Difference> = Vec::new();
    for (node, difference) in differing {
        let written = Written { drafts, names };
        match difference_of(difference, between, &classes, &written) {
            Ok(difference) if differences.contains(&difference) => (),
            Ok(difference) => match other_of(&difference, &differences) {
                None => differences.push(difference),
                Some(known) => reader.error(node.at, written.second(known)),
            },
            Err(message) => reader.error(node.at, message),
        }
    }
    if let ([only], true) = (drafts, classes.is_empty()) {
        let places = 0..only.group_by.len();
        classes = places
            .map(|place| vec![GroupBy { pattern: 0, place }])
            .collect();
    }
    let at = fields.get("relations").map_or(fields.at, |node| node.at);
    let mut join_key = Vec::new();
    for mut class in classes {
        class.sort_unstable();
        match part(&class, &Written { drafts, names }) {
            Ok(part) => join_key.push(part),
            Err(message) => reader.error(at, message),
        }
    }
    Relations {
        join_key,
        differences,
    }
}

/// How group-by attributes are written.
struct Written<'a> {
    drafts: &'a [Draft],
    names: &'a Attributes,
}

impl Written<'_> {
    fn pattern(&self, place: usize) -> &str {
        self.drafts
            .get(place)
            .map_or("", |draft| draft.name.as_str())
    }

    fn attribute(&self, it: GroupBy) -> Option<String> {
        let id = self.drafts.get(it.pattern)?.group_by.get(it.place)?;
        Some(print::name(self.names, *id))
    }

    fn whole(&self, it: GroupBy) -> String {
        let attribute = self.attribute(it).unwrap_or_default();
        format!("{}.{attribute}", self.pattern(it.pattern))
    }

    fn second(&self, known: &Difference) -> String {
        format!(
            "{} != {} stands between these patterns already, and each value of it is looked at by \
             itself: make one rule for each attribute that must differ",
            self.whole(known.left),
            self.whole(known.right)
        )
    }
}

/// What differs between the same two patterns.
fn other_of<'d>(one: &Difference, differences: &'d [Difference]) -> Option<&'d Difference> {
    let pair = |it: &Difference| (it.left.pattern, it.right.pattern);
    differences.iter().find(|known| pair(known) == pair(one))
}

/// The difference with its sides as the condition has them; or what is wrong with it.
fn difference_of(
    it: Difference,
    between: Between<'_>,
    classes: &[Vec<GroupBy>],
    written: &Written<'_>,
) -> Result<Difference, String> {
    let sides = [(it.left, it.right), (it.right, it.left)];
    for (side, other) in sides {
        let pattern = written.pattern(side.pattern);
        if Some(side.pattern) == between.clear {
            return Err(format!(
                "`{pattern}` is the clear pattern (`clear.when`), which stands beside no other: \
                 `!=` is between the two sides of an operator of the condition"
            ));
        }
        if let Some(class) = classes.iter().find(|class| class.contains(&side)) {
            return Err(related(side, other, class, written));
        }
    }
    let Some(condition) = between.condition else {
        return Ok(it);
    };
    let twice = sides
        .iter()
        .find(|(side, _)| condition.times(side.pattern) > 1);
    if let Some((side, _)) = twice {
        let pattern = written.pattern(side.pattern);
        return Err(format!(
            "the condition names `{pattern}` more than once, and `!=` is between the two sides of \
             one operator: write the pattern a second time, with another name"
        ));
    }
    match condition.operator_between(it.left.pattern, it.right.pattern) {
        Some((ConditionOperator::Or, _)) => Err("OR asks for one of its sides alone, which \
             differs from nothing: leave the relation out, or write AND"
            .to_owned()),
        Some((_, false)) => Ok(it),
        Some((_, true)) => Ok(Difference {
            left: it.right,
            right: it.left,
        }),
        None => Err(apart(it, condition, written)),
    }
}

/// What is wrong with a difference of an attribute that is related by `=`.
fn related(side: GroupBy, other: GroupBy, class: &[GroupBy], written: &Written<'_>) -> String {
    let (whole, differing) = (written.whole(side), written.whole(other));
    if class.contains(&other) {
        return format!("{whole} and {differing} are related by `=`, and cannot differ");
    }
    let pattern = written.pattern(other.pattern);
    let own = class.iter().find(|known| known.pattern == other.pattern);
    let own = own.and_then(|own| written.attribute(*own));
    let attribute = written.attribute(other).unwrap_or_default();
    let instead = own.map_or_else(String::new, |own| {
        format!(": write `{attribute} != {own}` in the `where` of {pattern}")
    });
    format!("{whole} is related by `=`, so it has one value for all patterns{instead}")
}

/// What is wrong with a difference between patterns that are not the two sides of one operator.
fn apart(it: Difference, condition: &Condition, written: &Written<'_>) -> String {
    let [left, right] = [it.left, it.right].map(|side| side.pattern);
    let absent = [left, right]
        .into_iter()
        .find(|it| condition.keeps_away(*it));
    let [left, right] = [left, right].map(|place| written.pattern(place));
    match absent.map(|place| written.pattern(place)) {
        Some(absent) => format!(
            "`{absent}` stands behind UNLESS, and `!=` is between the two sides of one operator: \
             say in its `where` which of its events count"
        ),
        None => format!(
            "{left} and {right} are not the two sides of one operator. Of a combination one \
             trigger is kept for each second, whatever its values: put the two into parentheses of \
             their own, as in `({left} FOLLOWED_BY {right})`, or make two rules"
        ),
    }
}

/// The part of the key that a class makes, by pattern; or what keeps it from being one.
fn part(class: &[GroupBy], written: &Written<'_>) -> Result<JoinKeyPart, String> {
    let mut places = Vec::new();
    for (pattern, draft) in written.drafts.iter().enumerate() {
        let mut of_pattern = class.iter().filter(|it| it.pattern == pattern);
        match (of_pattern.next(), of_pattern.next()) {
            (Some(one), None) => places.push(one.place),
            (Some(first), Some(second)) => {
                let (first, second) = (written.whole(*first), written.whole(*second));
                return Err(format!(
                    "{first} and {second} are both related to the same attribute of another \
                     pattern: what relates patterns is one attribute of each"
                ));
            }
            (None, _) => {
                let all: Vec<String> = class.iter().map(|it| written.whole(*it)).collect();
                let all = all.join(" = ");
                return Err(format!(
                    "nothing relates {all} to the pattern `{0}`: what relates patterns is in the \
                     group_by of every one. Relate {0} by it, too, or make two rules, one of them \
                     without {0}",
                    draft.name
                ));
            }
        }
    }
    let name = class.first().and_then(|it| written.attribute(*it));
    Ok(JoinKeyPart {
        name: name.unwrap_or_default(),
        places,
    })
}

/// Merges the classes of two attributes.
fn join(classes: &mut Vec<Vec<GroupBy>>, left: GroupBy, right: GroupBy) {
    let touched = |class: &mut Vec<GroupBy>| class.contains(&left) || class.contains(&right);
    let mut merged: Vec<GroupBy> = classes.extract_if(.., touched).flatten().collect();
    merged.extend([left, right]);
    merged.sort_unstable();
    merged.dedup();
    classes.push(merged);
}

fn relation(text: &str, drafts: &[Draft], names: &mut Attributes) -> Result<Relation, FilterError> {
    let mut cursor = Cursor::new(text)?;
    let left = side(&mut cursor, drafts, names)?;
    let differs = cursor.take(Symbol::NotEqual);
    if !differs && !cursor.take(Symbol::Equal) {
        return Err(cursor.unexpected("`=` or `!=`"));
    }
    let offset = cursor.peek().offset;
    let right = side(&mut cursor, drafts, names)?;
    cursor.expect_end("the end")?;
    if left.pattern == right.pattern {
        let message = "a relation is between two different patterns".to_string();
        return Err(FilterError { offset, message });
    }
    Ok(match differs {
        true => Relation::Differ(Difference { left, right }),
        false => Relation::Equal(left, right),
    })
}

fn side(
    cursor: &mut Cursor<'_>,
    drafts: &[Draft],
    names: &mut Attributes,
) -> Result<GroupBy, FilterError> {
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
        .map(|place| GroupBy { pattern, place })
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

#[cfg(test)]
#[path = "relations_tests.rs"]
mod tests;
