//! What other thresholds would have found.

use super::super::{Point, Sweep, words};
use super::html::{Column, Html};

/// Height of the plot's tallest bar, in pixels, where it stands, and the least that can be seen.
const TALL: f64 = 140.0;
const FLOOR: f64 = 150.0;
const LEAST: f64 = 2.0;

/// Thresholds that are written below the plot at most.
const LABELS: usize = 10;

/// A plot of incidents and groups against the threshold, and the table.
pub fn section(html: &mut Html, sweep: &Sweep) {
    html.markup("<section id=\"sweep\" aria-labelledby=\"sweep-title\">")
        .markup("<h2 id=\"sweep-title\">Other thresholds</h2>")
        .tag("<p class=\"hint\"><code>", &sweep.having, "</code> in ")
        .tag("<code>", &sweep.rule_id, "</code></p>");
    if sweep.points.is_empty() {
        html.markup("<p class=\"empty\">No threshold was tried.</p></section>");
        return;
    }
    html.markup("<div class=\"plotted\"><div>");
    plot(html, &sweep.points);
    html.markup("</div>");
    let columns = [
        Column::Number("Threshold"),
        Column::Number("Incidents"),
        Column::Number("Groups"),
    ];
    html.begin_table("Incidents by threshold", &columns);
    for point in &sweep.points {
        html.tag(
            "<tr><th scope=\"row\" class=\"n\">",
            &point.threshold.to_string(),
            "</th>",
        )
        .tag(
            "<td class=\"n\">",
            &words::grouped(point.incidents),
            "</td>",
        )
        .tag(
            "<td class=\"n\">",
            &words::grouped(point.groups),
            "</td></tr>",
        );
    }
    html.end_table();
    html.markup("</div></section>");
}

fn plot(html: &mut Html, points: &[Point]) {
    let counts = points
        .iter()
        .flat_map(|point| [point.incidents, point.groups]);
    let most = counts.max().unwrap_or_default().max(1);
    let label = format!("Incidents by threshold, at most {most}; the table says the same");
    html.markup("<p class=\"legend\"><span class=\"key bar\"></span>incidents ")
        .markup("<span class=\"key mark\"></span>groups</p>")
        .tag(
            "<div class=\"plot\"><span>",
            &words::grouped(most),
            "</span>",
        )
        .tag(
            "<svg height=\"172\" role=\"img\" aria-label=\"",
            &label,
            "\">",
        )
        .markup("<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"10\" y2=\"10\"/>")
        .markup("<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"80\" y2=\"80\"/>")
        .markup("<line class=\"base\" x1=\"0\" x2=\"100%\" y1=\"150.5\" y2=\"150.5\"/>");
    let every = points.len().div_ceil(LABELS);
    for (place, point) in points.iter().enumerate() {
        let percent = |bars: f64| format!("{:.2}%", bars * 100.0 / points.len() as f64);
        let left = place as f64;
        column(
            html,
            point,
            most,
            [left + 0.15, 0.7, left + 0.05, 0.9].map(percent),
        );
        if place % every == 0 {
            html.tag("<text y=\"168\" x=\"", &percent(left + 0.5), "\">")
                .text(&point.threshold.to_string())
                .markup("</text>");
        }
    }
    html.markup("</svg></div>");
}

/// A bar for the incidents and a mark for the groups, each with its left edge and width.
fn column(html: &mut Html, point: &Point, most: u64, places: [String; 4]) {
    let [bar, bar_width, mark, mark_width] = &places;
    let incidents = words::counted(point.incidents, "incident");
    let groups = words::counted(point.groups, "group");
    html.tag("<g><title>", &point.threshold.to_string(), ": ")
        .text(&incidents)
        .markup(", ")
        .text(&groups)
        .markup("</title>");
    if point.incidents > 0 {
        let height = height(point.incidents, most);
        html.tag("<rect class=\"bar\" x=\"", bar, "\" ")
            .tag("width=\"", bar_width, "\" ")
            .tag("y=\"", &format!("{:.1}", FLOOR - height), "\" ")
            .tag("height=\"", &format!("{height:.1}"), "\"/>");
    }
    let top = FLOOR - height(point.groups, most);
    html.tag("<rect class=\"mark\" height=\"3\" x=\"", mark, "\" ")
        .tag("width=\"", mark_width, "\" ")
        .tag("y=\"", &format!("{:.1}", top - 1.0), "\"/></g>");
}

fn height(count: u64, most: u64) -> f64 {
    match count {
        0 => 0.0,
        some => (some as f64 / most as f64 * TALL).max(LEAST),
    }
}
