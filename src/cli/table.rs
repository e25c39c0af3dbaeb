//! Incidents as a table for people, a row as each one is published.

use std::io::Write;

use console::{Alignment, Term, pad_str};

use super::screen::{self, Lines, Out};
use crate::escape;
use crate::incident::{Incident, Status};
use crate::time::rfc3339;

/// Columns assumed where the output is not a terminal, or does not say its width.
pub const DEFAULT_WIDTH: usize = 120;

/// The narrowest that the two texts get: a terminal narrower still wraps the lines.
const TEXT_MIN: usize = 12;

/// The columns of fixed width, with the blanks between all columns.
const FIXED: usize = 9 + 6 + 6 + 14 + 8 + 8 + 7;

/// How the table is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Width of the whole table, in columns of the terminal.
    pub width: usize,
    /// Whether severity and status are coloured.
    pub colour: bool,
}

impl Layout {
    /// Widths of the rule and of who it was, which share what the others leave.
    fn texts(self) -> (usize, usize) {
        let left = self.width.saturating_sub(FIXED).max(2 * TEXT_MIN);
        (left - left / 2, left / 2)
    }
}

/// The line of column names.
pub fn header(layout: Layout) -> String {
    let (rule, who) = layout.texts();
    format!(
        "{:<9} {:<6} {:<rule$} {:<who$} {:>6} {:<14} {:<8} {:<8}",
        "STATUS", "LEVEL", "RULE", "WHO", "EVENTS", "FIRST SEEN", "LAST", "ID"
    )
}

/// The line of one incident.
pub fn row(layout: Layout, incident: &Incident) -> String {
    let (rule_width, who_width) = layout.texts();
    let paint = |text: &str, width: usize, colour: &str| match layout.colour {
        true => format!("\u{1b}[{colour}m{text:<width$}\u{1b}[0m"),
        false => format!("{text:<width$}"),
    };
    let band = incident.severity_band();
    format!(
        "{} {} {} {} {:>6} {} {} {}",
        paint(incident.status.name(), 9, status_colour(incident.status)),
        paint(band, 6, band_colour(band)),
        fit(&incident.rule_name, rule_width),
        fit(&who(incident), who_width),
        incident.event_count,
        part(&rfc3339(incident.first_seen), 5, 14).replace('T', " "),
        part(&rfc3339(incident.last_seen), 11, 8),
        part(&incident.incident_id.to_string(), 0, 8),
    )
}

/// Who or what acted; where the incident does not say, what was acted on; else its title.
fn who(incident: &Incident) -> String {
    let split = incident.split();
    let values = if split.source.is_empty() {
        split.target
    } else {
        split.source
    };
    if values.is_empty() {
        return incident.title.clone();
    }
    values
        .into_iter()
        .map(|(_, value)| value)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Writes incidents as a table, the header before the first one.
pub struct Printer<W: Write> {
    out: Lines<W>,
    layout: Layout,
    has_header: bool,
}

impl<W: Write> Printer<W> {
    /// A table on `out`.
    pub fn new(out: Lines<W>, layout: Layout) -> Printer<W> {
        Printer {
            out,
            layout,
            has_header: false,
        }
    }

    /// Writes a row and makes it visible.
    pub fn print(&mut self, incident: &Incident) -> std::io::Result<()> {
        if !self.has_header {
            self.has_header = true;
            writeln!(self.out, "{}", header(self.layout))?;
        }
        let row = row(self.layout, incident) + "\n";
        match self.layout.colour {
            true => self.out.made(&row)?,
            false => self.out.write_all(row.as_bytes())?,
        }
        self.out.flush()
    }
}

/// A table on standard output: as wide as the terminal, coloured unless `NO_COLOR` is set.
pub fn on_stdout() -> Printer<Out> {
    let layout = Layout {
        width: width_of_stdout(),
        colour: screen::has_coloured_stdout(),
    };
    Printer::new(screen::stdout(), layout)
}

/// Columns of the terminal that standard output is; [`DEFAULT_WIDTH`] where it is none.
pub fn width_of_stdout() -> usize {
    let size = Term::stdout().size_checked();
    size.map_or(DEFAULT_WIDTH, |(_, columns)| usize::from(columns))
}

/// Columns of the terminal that standard error is; [`DEFAULT_WIDTH`] where it is none.
pub fn width_of_stderr() -> usize {
    let size = Term::stderr().size_checked();
    size.map_or(DEFAULT_WIDTH, |(_, columns)| usize::from(columns))
}

/// `text` in exactly `width` columns, its end cut with an ellipsis.
fn fit(text: &str, width: usize) -> String {
    pad_str(&escape::value(text), width, Alignment::Left, Some("…")).into_owned()
}

/// `length` characters of a text, from the character `start` on.
fn part(text: &str, start: usize, length: usize) -> String {
    text.chars().skip(start).take(length).collect()
}

fn band_colour(band: &str) -> &'static str {
    match band {
        "HIGH" => "1;31",
        "MEDIUM" => "33",
        _ => "36",
    }
}

fn status_colour(status: Status) -> &'static str {
    match status {
        Status::Open => "1",
        Status::Updated => "0",
        Status::Closed => "2",
        Status::Retracted => "9",
    }
}

#[cfg(test)]
mod tests;
