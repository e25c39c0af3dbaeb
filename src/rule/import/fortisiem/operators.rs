//! Operators between subpatterns, and the condition that they make.

/// An operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// As our conditions write it.
    pub word: &'static str,
    /// Its rank, if it has one.
    pub rank: Option<i64>,
}

/// An operator by its name.
///
/// # Errors
///
/// There is none such.
pub fn word(name: &str) -> Result<&'static str, String> {
    let plain: String = name.trim().to_ascii_uppercase().replace([' ', '-'], "_");
    match plain.as_str() {
        "AND" => Ok("AND"),
        "OR" => Ok("OR"),
        "FOLLOWED_BY" => Ok("FOLLOWED_BY"),
        "NOT_FOLLOWED_BY" => Ok("NOT_FOLLOWED_BY"),
        "AND_NOT" => Ok("AND_NOT"),
        other => {
            let other: String = other.chars().take(40).collect();
            let other = crate::escape::value(&other).into_owned();
            Err(format!(
                "the operator {other} between subpatterns has no counterpart"
            ))
        }
    }
}

/// A condition, and whether a name stands alone in it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Name(String),
    Pair(Box<Part>, &'static str, Box<Part>),
}

/// The condition of these patterns, between each of which and the next stands an operator, and what
/// there is to say of it.
///
/// Ranks are read as the order in which operators bind, the least first; operators of equal rank,
/// from left to right. Read as their places, where that says something else, they are told of.
pub fn condition(
    names: &[String],
    operators: &[Operator],
) -> Result<(String, Option<String>), String> {
    if operators.len() + 1 != names.len() {
        return Err(format!(
            "it has {} subpatterns and {} operators between them",
            names.len(),
            operators.len()
        ));
    }
    let bound = bound(names, operators);
    let mut placed: Vec<&Operator> = operators.iter().collect();
    placed.sort_by_key(|operator| operator.rank);
    let placed: Vec<Operator> = placed
        .into_iter()
        .map(|operator| Operator {
            word: operator.word,
            rank: None,
        })
        .collect();
    let placed = self::bound(names, &placed);
    let warning = (bound != placed).then(|| {
        format!(
            "ranks of operators are read as the order in which they bind; as their places they \
             would say {placed}"
        )
    });
    Ok((bound, warning))
}

fn bound(names: &[String], operators: &[Operator]) -> String {
    let mut parts: Vec<Part> = names.iter().cloned().map(Part::Name).collect();
    let mut left: Vec<Operator> = operators.to_vec();
    while !left.is_empty() {
        let first = left
            .iter()
            .enumerate()
            .min_by_key(|(place, it)| (it.rank, *place));
        let place = first.map_or(0, |(place, _)| place);
        let operator = left.remove(place);
        if place + 1 >= parts.len() {
            break;
        }
        let right = parts.remove(place + 1);
        if let Some(part) = parts.get_mut(place) {
            let before = std::mem::replace(part, Part::Name(String::new()));
            *part = Part::Pair(Box::new(before), operator.word, Box::new(right));
        }
    }
    parts
        .first()
        .map(|part| written(part, true))
        .unwrap_or_default()
}

/// Conditions are read from left to right, all operators alike: only what stands to the right needs
/// parentheses.
fn written(part: &Part, is_left: bool) -> String {
    match part {
        Part::Name(name) => name.clone(),
        Part::Pair(left, word, right) => {
            let text = format!("{} {word} {}", written(left, true), written(right, false));
            if is_left { text } else { format!("({text})") }
        }
    }
}
