//! Who and what the incidents name most often.

use std::collections::BTreeMap;

use super::super::words;
use super::html::{Column, Html};
use crate::incident::{Incident, severity_band};

/// Values listed of each kind.
const LISTED: usize = 10;

/// What an attribute's value is to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// Somebody who acted.
    User,
    /// An address or a machine from which it came.
    Source,
    /// What was acted on.
    Target,
}

impl Part {
    const ALL: [Part; 3] = [Part::User, Part::Source, Part::Target];

    fn title(self) -> &'static str {
        match self {
            Part::User => "Users",
            Part::Source => "Sources",
            Part::Target => "Targets",
        }
    }
}

/// How often a value is named.
#[derive(Debug, Default, PartialEq, Eq)]
struct Named {
    incidents: u64,
    /// The highest one.
    severity: u8,
}

/// Values by how often they are named.
type Values = BTreeMap<String, Named>;

/// A list of each kind that the incidents have.
pub fn section(html: &mut Html, incidents: &[Incident]) {
    let by_part = count(incidents);
    html.markup("<section id=\"who\" aria-labelledby=\"who-title\">")
        .markup("<h2 id=\"who-title\">Who and what</h2>");
    if by_part.is_empty() {
        html.markup("<p class=\"empty\">The incidents name no user, source or target. Rules say ")
            .markup("what an incident shows under <code>attributes</code>.</p></section>");
        return;
    }
    html.markup("<div class=\"columns\">");
    for part in Part::ALL {
        if let Some(values) = by_part.get(&part) {
            list(html, part, values, incidents.len() as u64);
        }
    }
    html.markup("</div></section>");
}

fn count(incidents: &[Incident]) -> BTreeMap<Part, Values> {
    let mut by_part: BTreeMap<Part, Values> = BTreeMap::new();
    for incident in incidents {
        let split = incident.split();
        let sources = split.source.into_iter().map(|(name, value)| {
            let user = name.to_ascii_lowercase().ends_with("user");
            (if user { Part::User } else { Part::Source }, value)
        });
        let targets = split
            .target
            .into_iter()
            .map(|(_, value)| (Part::Target, value));
        let mut values: Vec<(Part, String)> = sources.chain(targets).collect();
        // Two attributes of one incident may have the same value.
        values.sort();
        values.dedup();
        for (part, value) in values {
            let named = by_part.entry(part).or_default().entry(value).or_default();
            named.incidents += 1;
            named.severity = named.severity.max(incident.severity);
        }
    }
    by_part
}

fn list(html: &mut Html, part: Part, values: &Values, all: u64) {
    let mut ranked: Vec<(&String, &Named)> = values.iter().collect();
    ranked.sort_by_key(|(_, named)| std::cmp::Reverse((named.incidents, named.severity)));
    html.tag("<div><h3>", part.title(), "</h3>");
    let columns = [
        Column::Text("Name"),
        Column::Number("Worst"),
        Column::Number("Incidents"),
    ];
    html.begin_table(part.title(), &columns);
    for (value, named) in ranked.iter().take(LISTED) {
        html.tag("<tr><th scope=\"row\">", value, "</th>")
            .tag(
                "<td class=\"n\"><span class=\"level ",
                severity_band(named.severity),
                "\">",
            )
            .text(&named.severity.to_string())
            .markup("</span></td>")
            .tag("<td class=\"n\">", &words::grouped(named.incidents), "")
            .share(named.incidents, all)
            .markup("</td></tr>");
    }
    html.end_table();
    if ranked.len() > LISTED {
        let more = words::grouped((ranked.len() - LISTED) as u64);
        html.tag("<p class=\"hint\">", &more, " more</p>");
    }
    html.markup("</div>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::AttributeValue;
    use crate::incident::tests::with_attributes;

    #[test]
    fn counts_incidents_by_value() {
        let text = |value: &str| AttributeValue::Text(value.into());
        let incidents = [
            with_attributes(&[("user", text("mara")), ("srcIpAddr", text("192.0.2.7"))]),
            with_attributes(&[("srcUser", text("mara")), ("user", text("mara"))]),
            with_attributes(&[("targetUser", text("mara")), ("count", text("3"))]),
        ];
        let found = count(&incidents);
        let check = |part: Part, value: &str, incidents: u64| {
            let named = &found[&part];
            assert_eq!(named.len(), 1, "{part:?}");
            assert_eq!(named[value].incidents, incidents, "{part:?}");
        };
        check(Part::User, "mara", 2);
        check(Part::Source, "192.0.2.7", 1);
        check(Part::Target, "mara", 1);
    }
}
