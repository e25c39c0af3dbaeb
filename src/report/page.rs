//! The page of a backtest: one file that needs no other, no network and no server.
//!
//! What is counted is counted here over all incidents and written as markup, so that it is there
//! without JavaScript. The script sorts the rules, and shows and filters the list of incidents,
//! which stand in the page as JSON.
//!
//! Texts in incidents come from whoever made the events. They are escaped in markup ([`html`]) and
//! in JSON, and the page's own policy lets the browser run this one script and no other, load
//! nothing, and make no markup of texts.

use super::{Report, words};

mod html;

mod overview;

mod rules;

mod comparison;

mod sweep;

mod timeline;

mod hours;

mod who;

mod attack;

mod list;

use html::Html;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// With the SHA-256 of the style and of the script. A browser that finds another says in its
/// console which, and the tests read that.
const POLICY: &str = concat!(
    "default-src 'none'; ",
    "style-src 'sha256-cJ/Buzru2PDtktPaK9DEKIOZ0NVzs6+Mo/JRvaoYsAY='; ",
    "script-src 'sha256-9qx5QZVKZVqiPvZVQjC3x2CXNgTCOiu/i9ttOGz4Bgc='; ",
    "base-uri 'none'; form-action 'none'; ",
    "require-trusted-types-for 'script'; trusted-types 'none'",
);

/// The whole page.
pub fn html(report: &Report<'_>) -> String {
    let mut html = Html::default();
    html.markup("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.tag(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"",
        POLICY,
        "\">",
    );
    html.markup("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")
        .markup("<meta name=\"color-scheme\" content=\"light dark\">")
        .tag(
            "<title>Backtest of ",
            &words::minute(report.made),
            " UTC</title>",
        )
        .markup("<style>")
        .markup(STYLE)
        .markup("</style>")
        .markup("</head><body><a class=\"skip\" href=\"#main\">Skip to the results</a>");
    overview::header(&mut html, report);
    navigation(&mut html, report);
    html.markup("<main id=\"main\" tabindex=\"-1\">");
    overview::summary(&mut html, report);
    rules::section(&mut html, report.rules);
    let listed = list::most_severe(report.incidents);
    if let Some(comparison) = report.comparison {
        comparison::section(&mut html, comparison, &listed);
    }
    if let Some(sweep) = report.sweep {
        sweep::section(&mut html, sweep);
    }
    if !report.incidents.is_empty() {
        timeline::section(&mut html, report);
        hours::section(&mut html, report.incidents);
        who::section(&mut html, report.incidents);
    }
    attack::section(&mut html, report.rules);
    list::section(&mut html, report, &listed);
    html.markup("</main><footer>Written by Watchfire ")
        .markup(env!("CARGO_PKG_VERSION"))
        .markup(". All times are UTC. This file loads nothing and sends nothing.</footer>")
        .markup("<script>")
        .markup(SCRIPT)
        .markup("</script>")
        .markup("</body></html>\n");
    html.finish()
}

/// Links to the sections that are there.
fn navigation(html: &mut Html, report: &Report<'_>) {
    let found = !report.incidents.is_empty();
    let links = [
        (true, "<a href=\"#rules\">Rules</a>"),
        (
            report.comparison.is_some(),
            "<a href=\"#comparison\">Comparison</a>",
        ),
        (report.sweep.is_some(), "<a href=\"#sweep\">Thresholds</a>"),
        (found, "<a href=\"#time\">Over time</a>"),
        (found, "<a href=\"#hours\">By hour</a>"),
        (found, "<a href=\"#who\">Who and what</a>"),
        (true, "<a href=\"#attack\">ATT&amp;CK</a>"),
        (true, "<a href=\"#incidents\">Incidents</a>"),
    ];
    html.markup("<nav aria-label=\"Sections\">");
    for (is_there, link) in links {
        if is_there {
            html.markup(link);
        }
    }
    html.markup("</nav>");
}

#[cfg(test)]
mod tests;
