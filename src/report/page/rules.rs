//! The table of rules.

use super::super::{RuleRow, words};
use super::html::{Column, Html};
use crate::incident::severity_band;
use crate::time::Millis;

const COLUMNS: [Column; 10] = [
    Column::Text("Rule"),
    Column::Number("Severity"),
    Column::Number("Matches"),
    Column::Number("Incidents"),
    Column::Number("Groups"),
    Column::Number("First seen"),
    Column::Number("Last seen"),
    Column::Number("Median events"),
    Column::Number("Most events"),
    Column::Number("Time spent"),
];

/// A row for each rule; the script makes it sortable.
pub fn section(html: &mut Html, rows: &[RuleRow]) {
    html.markup("<section id=\"rules\" aria-labelledby=\"rules-title\">")
        .markup("<h2 id=\"rules-title\">Rules</h2><p class=\"hint\">Groups are distinct keys (")
        .markup("users, addresses, ..) with incidents; median and most count events per ")
        .markup("incident; time spent is that of folding the matches.</p>");
    if rows.is_empty() {
        html.markup("<p class=\"empty\">No rule is in force.</p></section>");
        return;
    }
    html.markup("<div class=\"sortable\">");
    html.begin_table("Rules", &COLUMNS);
    for row in rows {
        self::row(html, row);
    }
    html.end_table();
    html.markup("</div></section>");
}

fn row(html: &mut Html, row: &RuleRow) {
    let band = severity_band(row.severity);
    html.markup(match row.incidents {
        0 => "<tr class=\"silent\">",
        _ => "<tr>",
    });
    html.tag("<th scope=\"row\">", &row.rule_name, " ")
        .tag("<small>", &row.rule_id, "</small></th>")
        .tag("<td class=\"n\"><span class=\"level ", band, "\">")
        .text(&row.severity.to_string())
        .markup("</span></td>");
    number(html, row.matches);
    number(html, row.incidents);
    number(html, row.groups);
    moment(html, row.first);
    moment(html, row.last);
    number(html, row.events_median);
    number(html, row.events_most);
    html.tag(
        "<td class=\"n\" data-value=\"",
        &row.fold.as_micros().to_string(),
        "\">",
    )
    .text(&words::duration(row.fold))
    .markup("</td></tr>");
}

fn number(html: &mut Html, number: u64) {
    html.tag("<td class=\"n\" data-value=\"", &number.to_string(), "\">")
        .text(&words::grouped(number))
        .markup("</td>");
}

fn moment(html: &mut Html, moment: Option<Millis>) {
    match moment {
        Some(millis) => html
            .tag("<td class=\"n\" data-value=\"", &millis.to_string(), "\">")
            .text(&words::minute(millis))
            .markup("</td>"),
        None => html.markup("<td class=\"n\">–</td>"),
    };
}
