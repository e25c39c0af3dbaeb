//! The text of a list's file to a list.

use std::collections::HashSet;

use super::{BYTES_MAX, Content, List};
use crate::rule::bounds::{COLUMNS_MAX, FILE_BYTES_MAX, FILE_ERRORS_MAX, NETWORKS_MAX};
use crate::rule::nearest::shown;
use crate::rule::networks::{self, Written};
use crate::rule::{RuleError, characters};

/// What is wrong with a file, and where.
pub struct Fault {
    line: usize,
    column: usize,
    message: String,
}

impl Fault {
    /// One of the file as a whole.
    pub fn of_file(message: String) -> Fault {
        Fault::in_line(1, message)
    }

    fn in_line(line: usize, message: String) -> Fault {
        Fault {
            line,
            column: 1,
            message,
        }
    }

    pub fn error(self, file: &str) -> RuleError {
        RuleError {
            file: file.to_owned(),
            line: self.line,
            column: self.column,
            message: self.message,
        }
    }
}

/// The name of the list in `file`, and the list or what is wrong with it.
pub fn list(file: &str, text: &str) -> (String, Result<List, Vec<RuleError>>) {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let (name, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let read = content(name, ending, text).and_then(|content| {
        let list = List::new(content);
        match too_large(&list) {
            None => Ok(list),
            Some(message) => Err(vec![Fault::of_file(message)]),
        }
    });
    let read = read.map_err(|faults| {
        let errors = faults.into_iter().take(FILE_ERRORS_MAX);
        errors.map(|fault| fault.error(file)).collect()
    });
    (name.to_owned(), read)
}

fn content(name: &str, ending: &str, text: &str) -> Result<Content, Vec<Fault>> {
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.chars().all(valid) || name.is_empty() {
        let name = shown(name);
        let message = format!("a list's name has letters, digits and _ only: rename `{name}`");
        return Err(vec![Fault::of_file(message)]);
    }
    if text.len() > FILE_BYTES_MAX {
        let found = text.len();
        let message = format!("a file has at most {FILE_BYTES_MAX} bytes, found {found}");
        return Err(vec![Fault::of_file(message)]);
    }
    let refused = characters::in_file(text).map(|(line, column, c)| Fault {
        line,
        column,
        message: characters::refusal(c),
    });
    let refused: Vec<Fault> = refused.take(FILE_ERRORS_MAX).collect();
    if !refused.is_empty() {
        return Err(refused);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if ending.eq_ignore_ascii_case("csv") {
        table(text)
    } else {
        values(text)
    }
}

fn too_large(list: &List) -> Option<String> {
    let bytes = list.to_json().len();
    if bytes > BYTES_MAX {
        return Some(format!(
            "this list takes {bytes} bytes, the log at most {BYTES_MAX}: split it, and name both \
             parts, IN (Group@a, Group@b)"
        ));
    }
    (list.networks.len() >= NETWORKS_MAX).then(|| {
        format!(
            "the ranges of this list are made of more than {NETWORKS_MAX} networks: write \
             networks where they are meant, or split it"
        )
    })
}

/// Each line a value. Their order and letter case mean nothing.
fn values(text: &str) -> Result<Content, Vec<Fault>> {
    let mut values = Vec::new();
    let mut faults = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let value = without_comment(content.trim());
        if value.is_empty() {
            continue;
        }
        match member(value) {
            Ok(value) => values.push(value.to_ascii_lowercase()),
            Err(message) => {
                let begin = content.chars().take_while(|c| c.is_whitespace()).count();
                faults.push(Fault {
                    line,
                    column: begin + 1,
                    message,
                });
            }
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Content {
        columns: Vec::new(),
        rows: sorted(values),
    })
}

/// What stands before a `#` that begins the line, or has blanks on both sides.
fn without_comment(line: &str) -> &str {
    let begins = line.match_indices('#').find(|(at, _)| {
        let (before, after) = (line.get(..*at), line.get(at + 1..));
        let blank = |c: char| c.is_whitespace();
        let is_apart = before.is_some_and(|before| before.is_empty() || before.ends_with(blank));
        is_apart && (*at == 0 || after.is_none_or(|a| a.is_empty() || a.starts_with(blank)))
    });
    let end = begins.map_or(line.len(), |(at, _)| at);
    line.get(..end).unwrap_or(line).trim_end()
}

/// The value that is written so. What looks like a network or a pattern and is none would match
/// nothing; a backslash before it takes it as it stands.
fn member(written: &str) -> Result<&str, String> {
    match networks::read(written) {
        Written::Network(_) | Written::Range(..) => Ok(written),
        Written::Text => {
            let rest = written.strip_prefix('\\').unwrap_or(written);
            let is_escaped = matches!(networks::read(rest), Written::Wrong(_));
            Ok(if is_escaped { rest } else { written })
        }
        Written::Wrong(why) if written.starts_with('\\') => {
            let rest = written.strip_prefix('\\').unwrap_or(written);
            match networks::read(rest) {
                Written::Wrong(_) => Ok(rest),
                Written::Network(_) | Written::Range(..) | Written::Text => Err(why),
            }
        }
        Written::Wrong(why) => {
            let written = shown(written);
            Err(format!(
                "`{written}` would match nothing: {why}. A list has values, addresses, networks \
                 and ranges; patterns are tests (STARTS_WITH, REGEXP), and `\\{written}` means \
                 just these letters"
            ))
        }
    }
}

fn sorted(mut values: Vec<String>) -> Vec<Vec<String>> {
    values.sort();
    values.dedup();
    values.into_iter().map(|value| vec![value]).collect()
}

/// A header and rows of as many fields.
fn table(text: &str) -> Result<Content, Vec<Fault>> {
    if let Some(line) = unclosed_quote(text) {
        let message = "a `\"` without another: all that follows would be one field".to_owned();
        return Err(vec![Fault::in_line(line, message)]);
    }
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let columns: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(str::to_owned).collect(),
        Err(error) => return Err(vec![not_csv(&error)]),
    };
    if let Some(message) = wrong_header(&columns) {
        return Err(vec![Fault::of_file(message)]);
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut faults = Vec::new();
    for record in reader.records() {
        match record
            .map_err(|error| not_csv(&error))
            .and_then(|row| self::row(&row))
        {
            Ok(row) => rows.push(row),
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    if columns.len() == 1 {
        let keys = rows.into_iter().flatten();
        rows = sorted(keys.map(|key| key.to_ascii_lowercase()).collect());
    }
    Ok(Content { columns, rows })
}

fn wrong_header(columns: &[String]) -> Option<String> {
    if columns.is_empty() || columns.iter().any(String::is_empty) {
        return Some("the first line names the columns, each of them".to_owned());
    }
    if columns.len() > COLUMNS_MAX {
        let found = columns.len();
        return Some(format!(
            "a table has at most {COLUMNS_MAX} columns, found {found}"
        ));
    }
    let mut known = HashSet::new();
    let twice = columns
        .iter()
        .find(|name| !known.insert(name.to_ascii_lowercase()));
    twice.map(|name| format!("two columns are called `{}`", shown(name)))
}

fn row(record: &csv::StringRecord) -> Result<Vec<String>, Fault> {
    let line = record.position().map_or(1, csv::Position::line);
    let wrong = |message: String| Fault::in_line(usize::try_from(line).unwrap_or(1), message);
    let key = record.get(0).filter(|key| !key.is_empty());
    let key =
        key.ok_or_else(|| wrong("the first column of this row, its key, is empty".to_owned()))?;
    let key = member(key).map_err(wrong)?;
    let rest = record.iter().skip(1);
    Ok(std::iter::once(key)
        .chain(rest)
        .map(str::to_owned)
        .collect())
}

/// The line of the last quote, where quotes do not come in pairs; the reader takes the end of the
/// text for the missing one.
fn unclosed_quote(text: &str) -> Option<usize> {
    let odd = text.matches('"').count() % 2 == 1;
    let (before, _) = text.rsplit_once('"').filter(|_| odd)?;
    Some(before.matches('\n').count() + 1)
}

fn not_csv(error: &csv::Error) -> Fault {
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
    Fault::in_line(usize::try_from(line).unwrap_or(1), message)
}
