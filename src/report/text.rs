//! A backtest on the terminal.

use super::{Comparison, Point, RuleRow, Sweep, words};
use crate::escape;
use crate::incident::Incident;
use crate::time::Millis;

/// The narrowest that a rule's name gets: a terminal narrower still wraps the lines.
const NAME_MIN: usize = 12;

/// From this width on there is room for when the incidents were.
const WIDE: usize = 110;

/// The narrowest that the bars of a plot get.
const BAR_MIN: usize = 10;

/// The left one to seven eighths of a character.
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// A line for each rule and one for all, at most `width` columns wide where that is not narrower
/// than the numbers are. The names come last, so that wide characters in them move nothing.
pub fn summary_table(rows: &[RuleRow], width: usize) -> String {
    let wide = width >= WIDE;
    let mut table = vec![titles(wide)];
    table.extend(rows.iter().map(|row| cells(row, wide)));
    let names = rows.iter().map(|row| row.rule_name.as_str());
    let mut out = lined_up(&table, std::iter::once("RULE").chain(names), width);
    out.push_str(&total(rows));
    out
}

fn titles(wide: bool) -> Vec<String> {
    let mut titles = vec!["LEVEL", "MATCHES", "INCIDENTS", "GROUPS", "MEDIAN", "MOST"];
    if wide {
        titles.extend(["FIRST SEEN", "LAST SEEN"]);
    }
    titles.push("FOLD");
    titles.into_iter().map(str::to_owned).collect()
}

fn cells(row: &RuleRow, wide: bool) -> Vec<String> {
    let counts = [
        u64::from(row.severity),
        row.matches,
        row.incidents,
        row.groups,
        row.events_median,
        row.events_most,
    ];
    let mut cells: Vec<String> = counts.iter().map(ToString::to_string).collect();
    if wide {
        let shown = |when: Option<Millis>| when.map_or("-".to_owned(), words::minute);
        cells.extend([shown(row.first), shown(row.last)]);
    }
    cells.push(words::duration(row.fold));
    cells
}

fn total(rows: &[RuleRow]) -> String {
    let incidents: u64 = rows.iter().map(|row| row.incidents).sum();
    let silent = rows.iter().filter(|row| row.incidents == 0).count() as u64;
    let rules = words::counted(rows.len() as u64, "rule");
    let found = words::counted(incidents, "incident");
    match silent {
        0 => format!("{found} of {rules}\n"),
        some => format!("{found} of {rules}, {some} of which found none\n"),
    }
}

/// Each row's cells in columns, right-aligned, and then its text, which gets the rest of `width`.
fn lined_up<'t>(
    table: &[Vec<String>],
    texts: impl Iterator<Item = &'t str>,
    width: usize,
) -> String {
    let widths = column_widths(table);
    let taken: usize = widths.iter().map(|column| column + 1).sum();
    let room = width.saturating_sub(taken).max(NAME_MIN);
    let mut out = String::new();
    for (cells, text) in table.iter().zip(texts) {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            line.push_str(&format!("{cell:>width$} "));
        }
        line.push_str(&cut(&escape::value(text), room));
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn column_widths(table: &[Vec<String>]) -> Vec<usize> {
    let mut widths = Vec::new();
    for cells in table {
        widths.resize(widths.len().max(cells.len()), 0);
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    widths
}

/// At most `width` characters, the end of more of them cut with an ellipsis.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept = text.chars().take(width.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// A line for each incident that appears (`+`), vanishes (`-`) or changes (`~`, with the fields),
/// and one for how many they are.
pub fn comparison_text(comparison: &Comparison) -> String {
    let Comparison {
        appeared,
        vanished,
        changed,
    } = comparison;
    let mut out = String::new();
    for incident in appeared {
        out.push_str(&format!("+ {}\n", short(incident)));
    }
    for incident in vanished {
        out.push_str(&format!("- {}\n", short(incident)));
    }
    for change in changed {
        let fields: Vec<String> = change
            .differences()
            .into_iter()
            .map(|one| {
                format!(
                    "{}: {} → {}",
                    one.field,
                    said(&one.before),
                    said(&one.after)
                )
            })
            .collect();
        let fields = fields.join("; ");
        out.push_str(&format!("~ {} | {fields}\n", short(&change.after)));
    }
    let lengths = [appeared.len(), vanished.len(), changed.len()];
    match lengths {
        [0, 0, 0] => out.push_str("No incident differs from those of the old rules.\n"),
        [appear, vanish, change] => out.push_str(&format!(
            "Against the old rules {appear} appear, {vanish} vanish, {change} change.\n"
        )),
    }
    out
}

fn short(incident: &Incident) -> String {
    format!(
        "{} {:<6} {} {}",
        words::second(incident.first_seen),
        incident.severity_band(),
        escape::value(&incident.rule_id),
        escape::value(&incident.title),
    )
}

fn said(value: &str) -> String {
    match value {
        "" => "nothing".to_owned(),
        some => escape::value(some).into_owned(),
    }
}

/// A line for each threshold, with a bar for the incidents, at most `width` columns wide where
/// that leaves room for bars. Neighbours that find the same share a line.
pub fn sweep_text(sweep: &Sweep, width: usize) -> String {
    let runs = runs(&sweep.points);
    let titles = ["THRESHOLD", "INCIDENTS", "GROUPS"].map(str::to_owned);
    let mut table = vec![titles.to_vec()];
    table.extend(runs.iter().map(Run::cells));
    let taken: usize = column_widths(&table).iter().map(|column| column + 1).sum();
    let room = width.saturating_sub(taken).max(BAR_MIN);
    let most = runs.iter().map(|run| run.found.incidents).max();
    let bars: Vec<String> = runs
        .iter()
        .map(|run| bar(run.found.incidents, most.unwrap_or_default(), room))
        .collect();
    let texts = std::iter::once("").chain(bars.iter().map(String::as_str));
    let heading = format!("{}: {}\n", sweep.rule_id, sweep.having);
    heading + &lined_up(&table, texts, width)
}

/// Neighbouring thresholds that find the same.
struct Run {
    /// The first one, and what all of them find.
    found: Point,
    last: f64,
}

impl Run {
    fn cells(&self) -> Vec<String> {
        let first = self.found.threshold;
        let thresholds = if first == self.last {
            first.to_string()
        } else {
            format!("{first}..{}", self.last)
        };
        let counts = [self.found.incidents, self.found.groups].map(|count| count.to_string());
        std::iter::once(thresholds).chain(counts).collect()
    }
}

fn runs(points: &[Point]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &point in points {
        let same =
            |run: &Run| (run.found.incidents, run.found.groups) == (point.incidents, point.groups);
        match runs.last_mut() {
            Some(run) if same(run) => run.last = point.threshold,
            Some(_) | None => runs.push(Run {
                found: point,
                last: point.threshold,
            }),
        }
    }
    runs
}

/// `count` as a share of `most`, which is `width` characters long. What is more than nothing can be
/// seen.
fn bar(count: u64, most: u64, width: usize) -> String {
    if count == 0 || most == 0 {
        return String::new();
    }
    let eighths = (count as f64 / most as f64 * width as f64 * 8.0).round() as usize;
    let eighths = eighths.max(1);
    let mut bar = "█".repeat(eighths / 8);
    let part = (eighths % 8).checked_sub(1);
    bar.extend(part.and_then(|part| EIGHTHS.get(part)));
    bar
}

#[cfg(test)]
mod tests;
