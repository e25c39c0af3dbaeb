//! EQL: single events, and sequences of them.

use super::eql::{self, Cursor, Token};
use super::names::Names;
use crate::rule::import::condition::Filter;
use crate::rule::import::draft::{Draft, Pattern};
use crate::time::Second;

/// Steps of a sequence.
const STEPS_MAX: usize = 32;

/// How long a sequence may take that does not say it.
const SPAN: Second = 86_400;

/// A step of a sequence.
struct Step {
    filter: Filter,
    by: Vec<String>,
    runs: u32,
    missing: bool,
}

/// Puts the patterns of a query into a draft.
///
/// # Errors
///
/// It is no query, or says what the language cannot.
pub fn read(query: &str, names: &mut Names, draft: &mut Draft) -> Result<(), String> {
    let tokens = eql::tokens(query)?;
    let mut cursor = Cursor {
        tokens: &tokens,
        place: 0,
    };
    if cursor.take_word("sample") {
        return Err("samples, events in any order without a time, have no counterpart".to_owned());
    }
    if !cursor.take_word("sequence") {
        let filter = eql::event(&mut cursor, names)?;
        let mut pattern = Pattern::of("Event", filter);
        pattern.group_by = vec!["user".to_owned()];
        draft.patterns = vec![pattern];
        return ended(&cursor);
    }
    let mut by = Vec::new();
    let mut span = None;
    loop {
        if cursor.take_word("by") {
            by = fields(&mut cursor, names)?;
        } else if cursor.take_word("with") {
            span = Some(maxspan(&mut cursor)?);
        } else {
            break;
        }
    }
    let mut steps = Vec::new();
    while let Some(step) = step(&mut cursor, names, &by)? {
        steps.push(step);
    }
    let until = match cursor.take_word("until") {
        true => step(&mut cursor, names, &by)?,
        false => None,
    };
    ended(&cursor)?;
    if steps.is_empty() || steps.len() > STEPS_MAX {
        return Err(format!("a sequence has 1 to {STEPS_MAX} steps"));
    }
    if span.is_none() {
        draft.warn("the sequence has no maxspan: its events are at most a day apart");
    }
    draft.window = span.unwrap_or(SPAN);
    combine(steps, until, draft)
}

fn ended(cursor: &Cursor<'_>) -> Result<(), String> {
    match cursor.peek() {
        None => Ok(()),
        Some(Token::Sign("|")) => Err("pipes behind a query have no counterpart".to_owned()),
        Some(Token::Name(_) | Token::Text(_) | Token::Number(_) | Token::Sign(_)) => {
            Err("the query has something behind its end".to_owned())
        }
    }
}

/// The fields behind `by`.
fn fields(cursor: &mut Cursor<'_>, names: &mut Names) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    loop {
        if cursor.take("?") {
            names.warn("`?field`: an event without the field belongs to no sequence".to_owned());
        }
        let name = cursor.name()?;
        fields.push(names.field(&name)?.grouped().to_owned());
        if !cursor.take(",") {
            return Ok(fields);
        }
    }
}

fn maxspan(cursor: &mut Cursor<'_>) -> Result<Second, String> {
    if !cursor.take_word("maxspan") || !cursor.take("=") {
        return Err("a sequence has `with maxspan=..`".to_owned());
    }
    let Some(Token::Number(text)) = cursor.peek() else {
        return Err("maxspan is such as 5m".to_owned());
    };
    cursor.place += 1;
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let count: Second = digits.parse().map_err(|_| "maxspan is such as 5m")?;
    let unit = match text.strip_prefix(digits).unwrap_or_default() {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "ms" => return Ok((count / 1_000).max(1)),
        _ => return Err("maxspan is such as 5m".to_owned()),
    };
    count
        .checked_mul(unit)
        .ok_or_else(|| "maxspan is too long".to_owned())
}

fn step(
    cursor: &mut Cursor<'_>,
    names: &mut Names,
    all_by: &[String],
) -> Result<Option<Step>, String> {
    let missing = cursor.take("![");
    if !missing && !cursor.take("[") {
        return Ok(None);
    }
    let filter = eql::event(cursor, names)?;
    if !cursor.take("]") {
        return Err("a step of the sequence is not closed".to_owned());
    }
    let mut by = all_by.to_vec();
    if cursor.take_word("by") {
        by.extend(fields(cursor, names)?);
    }
    let mut runs = 1;
    if cursor.take_word("with") {
        let is_runs = cursor.take_word("runs") && cursor.take("=");
        let Some(Token::Number(text)) = cursor.peek().filter(|_| is_runs) else {
            return Err("a step has `with runs=..`".to_owned());
        };
        runs = text.parse().map_err(|_| "runs is a whole number")?;
        cursor.place += 1;
    }
    // What has no such field belongs to no sequence.
    let there = by.iter().map(|name| Filter::there(name));
    let filter = Filter::All(std::iter::once(filter).chain(there).collect());
    Ok(Some(Step {
        filter,
        by,
        runs,
        missing,
    }))
}

/// Patterns, their relations, and the condition over them.
fn combine(steps: Vec<Step>, until: Option<Step>, draft: &mut Draft) -> Result<(), String> {
    let mut condition = String::new();
    let mut absent: Vec<String> = Vec::new();
    let count = steps.len();
    for (place, step) in steps.into_iter().enumerate() {
        let missing = step.missing;
        let name = if count == 1 {
            "Event".to_owned()
        } else {
            format!("Step{}", place + 1)
        };
        add(step, &name, draft)?;
        if missing {
            if condition.is_empty() {
                return Err(
                    "a missing event at the beginning of a sequence cannot be asked for".to_owned(),
                );
            }
            absent.push(name);
            continue;
        }
        if condition.is_empty() {
            condition = name;
            continue;
        }
        if until.is_some() {
            absent.push("Until".to_owned());
        }
        condition = format!("{condition} FOLLOWED_BY {name}{}", unless(&absent));
        absent.clear();
    }
    for name in absent {
        condition = format!("{condition} NOT_FOLLOWED_BY {name}");
    }
    if let Some(until) = until {
        add(until, "Until", draft)?;
    }
    draft.condition = condition;
    Ok(())
}

fn unless(absent: &[String]) -> String {
    match absent {
        [] => String::new(),
        [one] => format!(" UNLESS {one}"),
        all => format!(" UNLESS ({})", all.join(" OR ")),
    }
}

fn add(step: Step, name: &str, draft: &mut Draft) -> Result<(), String> {
    if let Some(first) = draft.patterns.first() {
        if first.group_by.len() != step.by.len() {
            return Err(
                "the steps of the sequence are joined by different numbers of fields".to_owned(),
            );
        }
        let related = first.group_by.iter().zip(&step.by);
        let related = related.map(|(one, own)| format!("{}.{one} = {name}.{own}", first.name));
        draft.relations.extend(related.collect::<Vec<String>>());
    }
    let mut pattern = Pattern::of(name, step.filter);
    pattern.group_by = step.by;
    if step.runs > 1 {
        pattern.having = format!("COUNT(*) >= {}", step.runs);
    }
    draft.patterns.push(pattern);
    Ok(())
}
