//! The detection of a rule: its searches, and the condition over them.

use super::logic::{self, Logic, Quantity};
use super::value::{self, Reading};
use crate::rule::import::condition::{Filter, Is, Operand};
use crate::rule::import::foreign::{entries, get, is_list, is_mapping, items, text};
use crate::rule::yaml::Node;

/// Bytes of all searches as often as a condition names them; a rule takes no more.
const WEIGHT_MAX: usize = 2 << 20;

/// Searches of one rule.
const SEARCHES_MAX: usize = 4_096;

/// Ways to choose some of several searches.
const CHOICES_MAX: usize = 500;

/// What of a detection is no search.
const NO_SEARCHES: [&str; 4] = ["condition", "timeframe", "rules", "fields"];

/// The filter of a detection: any of its conditions.
///
/// # Errors
///
/// It says what the language cannot, or is broken.
pub fn filter(detection: &Node, reading: &mut Reading<'_>) -> Result<Filter, String> {
    let mut searches = Vec::new();
    for (name, node) in entries(detection) {
        if !NO_SEARCHES.contains(&name) {
            searches.push((name.to_owned(), search(node, reading)?));
        }
    }
    if searches.len() > SEARCHES_MAX {
        return Err(format!(
            "its detection has more than {SEARCHES_MAX} searches"
        ));
    }
    let conditions = get(detection, "condition").map(items).unwrap_or_default();
    if conditions.is_empty() {
        return Err("its detection has no condition".to_owned());
    }
    let mut left = WEIGHT_MAX;
    let mut any = Vec::new();
    for condition in conditions {
        let condition = logic::parse(text(condition))?;
        any.push(combined(&condition, &searches, &mut left)?);
    }
    Ok(Filter::Any(any))
}

/// A search: a mapping of fields, all of which hold; or a list of such or of keywords, of which one
/// is enough.
fn search(node: &Node, reading: &mut Reading<'_>) -> Result<Filter, String> {
    if is_mapping(node) {
        let fields: Result<Vec<Filter>, String> = entries(node)
            .map(|(key, node)| value::item(key, node, reading))
            .collect();
        return fields.map(Filter::All);
    }
    if items(node).is_empty() {
        return Err("a search of its detection is empty".to_owned());
    }
    let mut any = Vec::new();
    for item in items(node) {
        any.push(match is_mapping(item) || is_list(item) {
            true => search(item, reading)?,
            false => value::item("", item, reading)?,
        });
    }
    Ok(Filter::Any(any))
}

/// A condition over searches.
fn combined(
    logic: &Logic,
    searches: &[(String, Filter)],
    left: &mut usize,
) -> Result<Filter, String> {
    let mut all = |parts: &[Logic]| -> Result<Vec<Filter>, String> {
        parts
            .iter()
            .map(|part| combined(part, searches, left))
            .collect()
    };
    match logic {
        Logic::And(parts) => Ok(Filter::All(all(parts)?)),
        Logic::Or(parts) => Ok(Filter::Any(all(parts)?)),
        Logic::Not(inner) => Ok(combined(inner, searches, left)?.negated()),
        Logic::Name(name) => {
            let found = searches.iter().find(|(known, _)| known == name);
            let found = found.or_else(|| {
                searches
                    .iter()
                    .find(|(known, _)| known.eq_ignore_ascii_case(name))
            });
            let Some((_, filter)) = found else {
                let name = crate::escape::value(name);
                return Err(format!("its condition names `{name}`, which is not there"));
            };
            taken(filter, left)
        }
        Logic::Of(quantity, names) => {
            let meant = searches
                .iter()
                .filter(|(name, _)| logic::means(names, name));
            let meant: Result<Vec<Filter>, String> =
                meant.map(|(_, filter)| taken(filter, left)).collect();
            let meant = meant?;
            if meant.is_empty() {
                let names = crate::escape::value(names);
                return Err(format!(
                    "its condition names `{names}`, and nothing is called so"
                ));
            }
            match quantity {
                Quantity::All => Ok(Filter::All(meant)),
                Quantity::Least(1) => Ok(Filter::Any(meant)),
                Quantity::Least(least) => chosen(&meant, *least),
            }
        }
    }
}

/// At least so many of several.
fn chosen(of: &[Filter], least: usize) -> Result<Filter, String> {
    let mut choices: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..least.min(of.len() + 1) {
        choices = choices
            .iter()
            .flat_map(|choice| {
                let next = choice.last().map_or(0, |last| last + 1);
                (next..of.len()).map(move |place| [choice.as_slice(), &[place]].concat())
            })
            .collect();
        if choices.len() > CHOICES_MAX {
            return Err(format!(
                "`{least} of` many searches has too many ways to hold"
            ));
        }
    }
    let all = |choice: &Vec<usize>| {
        Filter::All(
            choice
                .iter()
                .filter_map(|place| of.get(*place).cloned())
                .collect(),
        )
    };
    Ok(Filter::Any(choices.iter().map(all).collect()))
}

/// The filter once more, if that is not too much.
fn taken(filter: &Filter, left: &mut usize) -> Result<Filter, String> {
    match left.checked_sub(weight(filter)) {
        None => Err("its condition makes too large a filter".to_owned()),
        Some(rest) => {
            *left = rest;
            Ok(filter.clone())
        }
    }
}

/// About how many bytes a filter takes.
pub fn weight(filter: &Filter) -> usize {
    let operand = |operand: &Operand| match operand {
        Operand::Text(text)
        | Operand::Number(text)
        | Operand::Network(text)
        | Operand::List(text) => text.len() + 8,
    };
    16 + match filter {
        Filter::All(parts) | Filter::Any(parts) => parts.iter().map(weight).sum(),
        Filter::Not(inner) => weight(inner),
        Filter::Native(text) => text.len(),
        Filter::Test(attribute, is) => {
            attribute.len()
                + match is {
                    Is::One(operands) => operands.iter().map(operand).sum(),
                    Is::Containing(text)
                    | Is::Beginning(text)
                    | Is::Ending(text)
                    | Is::Matching(text)
                    | Is::Compared(_, text)
                    | Is::Same(text) => text.len(),
                    Is::There => 0,
                }
        }
    }
}
