//! The text of a list's file to a list.

use super::{BYTES_MAX, Content, List};
use crate::rule::RuleError;

/// The name of the list in `file`, and the list or what is wrong with it.
pub fn list(file: &str, text: &str) -> (String, Result<List, RuleError>) {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let (name, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let read = if !name.chars().all(valid) || name.is_empty() {
        Err((
            1,
            format!("a list's name has letters, digits and _ only: rename `{name}`"),
        ))
    } else if ending.eq_ignore_ascii_case("csv") {
        table(text)
    } else {
        Ok(values(text))
    };
    let list = read.map(List::new).and_then(|list| {
        let bytes = list.to_json().len();
        if bytes <= BYTES_MAX {
            return Ok(list);
        }
        Err((
            1,
            format!(
                "this list takes {bytes} bytes, the log at most {BYTES_MAX}: split it, and name \
                 both parts, IN (Group@a, Group@b)"
            ),
        ))
    });
    let list = list.map_err(|(line, message)| error(file, line, message));
    (name.to_owned(), list)
}

/// An error in a line of a list's file.
pub fn error(file: &str, line: usize, message: String) -> RuleError {
    RuleError {
        file: file.to_owned(),
        line,
        column: 1,
        message,
    }
}

/// Each line a value. Their order and letter case mean nothing.
fn values(text: &str) -> Content {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let values = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Content {
        columns: Vec::new(),
        rows: sorted(values.map(str::to_ascii_lowercase).collect()),
    }
}

fn sorted(mut values: Vec<String>) -> Vec<Vec<String>> {
    values.sort();
    values.dedup();
    values.into_iter().map(|value| vec![value]).collect()
}

/// A header and rows of as many fields; errors with their line.
fn table(text: &str) -> Result<Content, (usize, String)> {
    if let Some(line) = unclosed_quote(text) {
        let message = "a `\"` without another: all that follows would be one field".to_owned();
        return Err((line, message));
    }
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let columns: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(str::to_owned).collect(),
        Err(error) => return Err(not_csv(&error)),
    };
    let twice = |(place, name): (usize, &String)| {
        let before = columns.iter().take(place);
        before
            .into_iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    };
    if columns.is_empty() || columns.iter().any(String::is_empty) {
        return Err((
            1,
            "the first line names the columns, each of them".to_owned(),
        ));
    }
    if let Some((_, name)) = columns.iter().enumerate().find(|named| twice(*named)) {
        return Err((1, format!("two columns are called `{name}`")));
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| not_csv(&error))?;
        let line = record.position().map_or(1, csv::Position::line);
        let row: Vec<String> = record.iter().map(str::to_owned).collect();
        if row.first().is_none_or(String::is_empty) {
            let message = "the first column of this row, its key, is empty".to_owned();
            return Err((usize::try_from(line).unwrap_or(1), message));
        }
        rows.push(row);
    }
    if columns.len() == 1 {
        let keys = rows.into_iter().flatten();
        rows = sorted(keys.map(|key| key.to_ascii_lowercase()).collect());
    }
    Ok(Content { columns, rows })
}

/// The line of the last quote, where quotes do not come in pairs; the reader takes the end of the
/// text for the missing one.
fn unclosed_quote(text: &str) -> Option<usize> {
    let odd = text.matches('"').count() % 2 == 1;
    let (before, _) = text.rsplit_once('"').filter(|_| odd)?;
    Some(before.matches('\n').count() + 1)
}

fn not_csv(error: &csv::Error) -> (usize, String) {
    let line = error.position().map_or(1, csv::Position::line);
    let message = if let csv::ErrorKind::UnequalLengths {
        expected_len, len, ..
    } = error.kind()
    {
        let plural = if *expected_len == 1 { "" } else { "s" };
        format!("expected {expected_len} field{plural}, as in the first line, found {len}")
    } else {
        format!("not CSV: {error}")
    };
    (usize::try_from(line).unwrap_or(1), message)
}
