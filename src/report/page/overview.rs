//! What was read, what must be known of it, and what came of it in a few numbers.

use super::super::{Report, words};
use super::html::Html;
use crate::incident::SEVERITY_BANDS;

/// Inputs that are named at once; with more, they stand behind a click.
const INPUTS_OPEN: usize = 4;

/// The head of the page, with the notes.
pub fn header(html: &mut Html, report: &Report<'_>) {
    html.markup("<header><p class=\"brand\">Watchfire</p><h1>Backtest</h1>")
        .tag(
            "<p class=\"made\">Made ",
            &words::minute(report.made),
            " UTC</p>",
        );
    inputs(html, report.inputs);
    if !report.notes.is_empty() {
        html.markup("<section class=\"notes\" aria-labelledby=\"notes\">")
            .markup("<h2 id=\"notes\">Before you rely on this</h2><ul>");
        for note in report.notes {
            html.tag("<li>", note, "</li>");
        }
        html.markup("</ul></section>");
    }
    html.markup("</header>");
}

fn inputs(html: &mut Html, inputs: &[String]) {
    let folded = inputs.len() > INPUTS_OPEN;
    if folded {
        let count = words::counted(inputs.len() as u64, "input");
        html.tag(
            "<details class=\"inputs\"><summary>Read: ",
            &count,
            "</summary>",
        );
    }
    html.markup("<ul class=\"inputs\" aria-label=\"What was read\">");
    for input in inputs {
        html.tag("<li>", input, "</li>");
    }
    html.markup("</ul>");
    if folded {
        html.markup("</details>");
    }
}

/// The numbers that come first; and words, where nothing was found.
pub fn summary(html: &mut Html, report: &Report<'_>) {
    html.markup("<section aria-labelledby=\"summary\"><h2 id=\"summary\">Summary</h2>")
        .markup("<dl class=\"cards\">");
    let found = report.rules.iter().filter(|row| row.incidents > 0).count();
    let records = words::grouped(report.records);
    let matched = words::grouped(report.matched);
    let rejected = words::grouped(report.rejected);
    let incidents = words::grouped(report.incidents.len() as u64);
    let rules = format!("{found} of {}", report.rules.len());
    card(html, "Incidents", &incidents, &severities(report));
    card(html, "Rules triggered", &rules, "");
    card(html, "Records read", &records, &size(report.bytes));
    card(
        html,
        "Matched",
        &matched,
        &share(report.matched, report.records),
    );
    let refused = share(report.rejected, report.records);
    card(html, "Refused", &rejected, &refused);
    card(
        html,
        "Time taken",
        &words::duration(report.took),
        &pace(report),
    );
    html.markup("</dl>");
    if report.incidents.is_empty() {
        html.tag("<p class=\"empty\">", &nothing_found(report), "</p>");
    }
    html.markup("</section>");
}

fn card(html: &mut Html, name: &'static str, value: &str, more: &str) {
    html.tag("<div><dt>", name, "</dt>")
        .tag("<dd class=\"value\">", value, "</dd>");
    if !more.is_empty() {
        html.tag("<dd class=\"more\">", more, "</dd>");
    }
    html.markup("</div>");
}

/// `2 high · 1 low`.
fn severities(report: &Report<'_>) -> String {
    let count = |band: &str| {
        let of_band = report
            .incidents
            .iter()
            .filter(|one| one.severity_band() == band);
        of_band.count() as u64
    };
    let parts: Vec<String> = SEVERITY_BANDS
        .iter()
        .rev()
        .map(|band| (count(band), band.to_ascii_lowercase()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, band)| format!("{} {band}", words::grouped(count)))
        .collect();
    parts.join(" · ")
}

fn size(bytes: u64) -> String {
    let megabytes = bytes as f64 / 1e6;
    if megabytes >= 1e3 {
        format!("{:.2} GB", megabytes / 1e3)
    } else {
        format!("{megabytes:.1} MB")
    }
}

fn share(part: u64, whole: u64) -> String {
    let percent = part as f64 * 100.0 / whole.max(1) as f64;
    match part {
        0 => String::new(),
        _ if percent < 0.01 => "less than 0.01 %".to_owned(),
        _ => format!("{percent:.2} %"),
    }
}

fn pace(report: &Report<'_>) -> String {
    let seconds = report.took.as_secs_f64();
    if seconds == 0.0 {
        return String::new();
    }
    let pace = (report.records as f64 / seconds) as u64;
    format!("{} records/s", words::grouped(pace))
}

/// Why there is no incident, as far as the numbers tell.
pub fn nothing_found(report: &Report<'_>) -> String {
    let records = words::counted(report.records, "record");
    let rules = words::counted(report.rules.len() as u64, "rule");
    let matched = words::counted(report.matched, "record");
    if report.records == 0 {
        "No incident: nothing was read. Do the inputs name the right files?".to_owned()
    } else if report.rejected == report.records {
        format!("No incident: all of {records} were refused. Is this the format you expected?")
    } else if report.rules.is_empty() {
        "No incident: no rule is in force. Are they disabled?".to_owned()
    } else if report.matched == 0 {
        format!("No incident: none of {records} matched a filter of {rules}.")
    } else {
        format!(
            "No incident: {matched} matched, but never enough of them within a window, or an \
             exception covers what was found."
        )
    }
}
