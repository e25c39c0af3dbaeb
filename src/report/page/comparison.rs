//! How the incidents differ from those of the old rules.

use std::collections::BTreeSet;

use super::super::{Change, Comparison, words};
use super::html::{Column, Html};
use crate::incident::Incident;
use crate::record::Hash;

/// Incidents shown of each kind.
const SHOWN: usize = 500;

/// What appears, vanishes and changes. `listed` are the incidents that the page can link to.
pub fn section(html: &mut Html, comparison: &Comparison, listed: &[&Incident]) {
    let Comparison {
        appeared,
        vanished,
        changed,
    } = comparison;
    let linked: BTreeSet<Hash> = listed.iter().map(|one| one.incident_id).collect();
    html.markup("<section id=\"comparison\" aria-labelledby=\"comparison-title\">")
        .markup("<h2 id=\"comparison-title\">Against the old rules</h2>");
    if appeared.is_empty() && vanished.is_empty() && changed.is_empty() {
        html.markup("<p class=\"empty\">No incident differs from those of the old rules.</p>");
    }
    if !appeared.is_empty() {
        title(html, "appears", "appear", appeared.len());
        incidents(html, "Incidents that appear", appeared, &linked);
    }
    if !vanished.is_empty() {
        title(html, "vanishes", "vanish", vanished.len());
        incidents(html, "Incidents that vanish", vanished, &BTreeSet::new());
    }
    if !changed.is_empty() {
        title(html, "changes", "change", changed.len());
        changes(html, changed, &linked);
    }
    html.markup("</section>");
}

fn title(html: &mut Html, one: &'static str, many: &'static str, count: usize) {
    let verb = if count == 1 { one } else { many };
    let counted = words::counted(count as u64, "incident");
    html.tag("<h3 class=\"", many, "\">")
        .text(&counted)
        .markup(" ")
        .text(verb)
        .markup("</h3>");
}

fn incidents(html: &mut Html, label: &str, incidents: &[Incident], linked: &BTreeSet<Hash>) {
    let columns = [
        Column::Text("First seen"),
        Column::Text("Incident"),
        Column::Number("Severity"),
        Column::Number("Events"),
    ];
    html.begin_table(label, &columns);
    for incident in incidents.iter().take(SHOWN) {
        let first = words::second(incident.first_seen);
        html.tag("<tr><td class=\"when\">", &first, "</td><th scope=\"row\">");
        named(html, incident, linked);
        html.markup("</th>");
        html.tag(
            "<td class=\"n\"><span class=\"level ",
            incident.severity_band(),
            "\">",
        )
        .text(&incident.severity.to_string())
        .markup("</span></td>")
        .tag(
            "<td class=\"n\">",
            &words::grouped(incident.event_count),
            "</td></tr>",
        );
    }
    html.end_table();
    not_shown(html, incidents.len());
}

/// Its title, as a link to it where the page has it, and its rule.
fn named(html: &mut Html, incident: &Incident, linked: &BTreeSet<Hash>) {
    if linked.contains(&incident.incident_id) {
        html.tag(
            "<a href=\"#incident-",
            &incident.incident_id.to_string(),
            "\">",
        )
        .text(&incident.title)
        .markup("</a>");
    } else {
        html.text(&incident.title);
    }
    html.tag(" <small>", &incident.rule_id, "</small>");
}

fn changes(html: &mut Html, changed: &[Change], linked: &BTreeSet<Hash>) {
    let columns = [
        Column::Text("Incident"),
        Column::Text("Field"),
        Column::Text("Before"),
        Column::Text("After"),
    ];
    html.begin_table("Incidents that change", &columns);
    for change in changed.iter().take(SHOWN) {
        let differences = change.differences();
        // A cell over no row would reach into the next incident's.
        let height = differences.len().max(1).to_string();
        html.tag("<tr><th scope=\"rowgroup\" rowspan=\"", &height, "\">")
            .tag(
                "<span class=\"when\">",
                &words::second(change.after.first_seen),
                "</span> ",
            );
        named(html, &change.after, linked);
        html.markup("</th>");
        for (place, one) in differences.iter().enumerate() {
            html.markup(if place == 0 { "" } else { "<tr>" }).tag(
                "<td><code>",
                &one.field,
                "</code></td>",
            );
            value(html, &one.before);
            value(html, &one.after);
            html.markup("</tr>");
        }
        if differences.is_empty() {
            html.markup("<td colspan=\"3\">nothing that is shown</td></tr>");
        }
    }
    html.end_table();
    not_shown(html, changed.len());
}

fn value(html: &mut Html, value: &str) {
    match value {
        "" => html.markup("<td class=\"silent\">nothing</td>"),
        some => html.tag("<td>", some, "</td>"),
    };
}

fn not_shown(html: &mut Html, all: usize) {
    if all > SHOWN {
        let more = words::grouped((all - SHOWN) as u64);
        html.tag("<p class=\"hint\">", &more, " more are not shown.</p>");
    }
}
