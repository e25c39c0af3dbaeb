//! The list of incidents: what the script shows, as JSON.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde_json::Value;

use super::super::{Report, words};
use super::html::Html;
use super::overview;
use crate::encode::json;
use crate::incident::Incident;

/// Incidents in the page at most. A browser shows so many without effort.
const LISTED: usize = 2_000;

/// Those that are listed: the most severe ones, of equals the newest ones.
pub fn most_severe(incidents: &[Incident]) -> Vec<&Incident> {
    let mut sorted: Vec<&Incident> = incidents.iter().collect();
    sorted.sort_by_key(|one| (Reverse((one.severity, one.first_seen)), one.incident_id));
    sorted.truncate(LISTED);
    sorted
}

/// The place of the list, its filters and its data.
pub fn section(html: &mut Html, report: &Report<'_>, listed: &[&Incident]) {
    html.markup("<section id=\"incidents\" aria-labelledby=\"incidents-title\">")
        .markup("<h2 id=\"incidents-title\">Incidents</h2>");
    if listed.is_empty() {
        html.tag(
            "<p class=\"empty\">",
            &overview::nothing_found(report),
            "</p></section>",
        );
        return;
    }
    let more = report.incidents.len() - listed.len();
    if more > 0 {
        html.tag(
            "<p class=\"note\">Here are the ",
            &words::grouped(LISTED as u64),
            " most severe ",
        )
        .tag(
            "and newest. The output file has ",
            &words::grouped(more as u64),
            " more; the ",
        )
        .markup("numbers above count all.</p>");
    }
    html.markup("<noscript><p class=\"note\">The list needs JavaScript, which is off here. ")
        .markup("The output file has all incidents; what is above is complete.</p></noscript>");
    filters(html, listed);
    html.markup("<p id=\"shown\" role=\"status\"></p><div id=\"list\"></div>")
        .markup("<script type=\"application/json\" id=\"data\">")
        .json(&data(report, listed))
        .markup("</script></section>");
}

/// Hidden until the script is there to use them.
fn filters(html: &mut Html, listed: &[&Incident]) {
    let rules: BTreeSet<(&str, &str)> = listed
        .iter()
        .map(|one| (&*one.rule_name, &*one.rule_id))
        .collect();
    html.markup("<div id=\"filters\" role=\"search\" aria-label=\"Filter incidents\" hidden>")
        .markup("<label>Rule <select id=\"by-rule\"><option value=\"\">All rules</option>");
    for (name, id) in rules {
        html.tag("<option value=\"", id, "\">")
            .text(name)
            .markup("</option>");
    }
    html.markup("</select></label><label>Severity <select id=\"by-severity\">")
        .markup("<option value=\"\">Any</option><option value=\"HIGH\">High, 9 to 10</option>")
        .markup("<option value=\"MEDIUM\">Medium, 5 to 8</option>")
        .markup("<option value=\"LOW\">Low, 1 to 4</option></select></label>")
        .markup("<label>Text <input id=\"by-text\" type=\"search\" autocomplete=\"off\" ")
        .markup("placeholder=\"user, address, id, resource\"></label>")
        .markup("<label>Order <select id=\"order\"><option value=\"severe\">Most severe</option>")
        .markup("<option value=\"newest\">Newest</option>")
        .markup("<option value=\"oldest\">Oldest</option>")
        .markup("<option value=\"events\">Most events</option></select></label></div>");
}

/// The incidents as the output file has them, and which of their evidence lies in topics.
fn data(report: &Report<'_>, listed: &[&Incident]) -> String {
    let evidence = listed.iter().flat_map(|one| &one.evidence);
    let names: BTreeSet<&str> = evidence.map(|event| &*event.topic).collect();
    let topics: Vec<&str> = names
        .into_iter()
        .filter(|name| is_topic(name, report.inputs))
        .collect();
    let incidents: Vec<String> = listed.iter().map(|one| json::line(one)).collect();
    format!(
        "{{\"topics\":{},\"incidents\":[{}]}}",
        Value::from(topics),
        incidents.join(",")
    )
}

/// Whether one of the inputs names it as a topic of Kafka, so that it is not a file.
fn is_topic(name: &str, inputs: &[String]) -> bool {
    let kafka = inputs
        .iter()
        .filter_map(|input| input.strip_prefix("kafka://"));
    let ends = ['/', '?', '#', ',', '[', ':', '@', '&', '='];
    kafka
        .flat_map(|rest| rest.split(ends))
        .any(|part| part == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::tests::with_attributes;
    use crate::record::Hash;

    #[test]
    fn the_worst_and_newest_come_first() {
        let incident = |id: u8, severity: u8, first_seen: i64| Incident {
            incident_id: Hash([id; 16]),
            severity,
            first_seen,
            ..with_attributes(&[])
        };
        let incidents = [
            incident(1, 5, 10),
            incident(2, 9, 10),
            incident(3, 9, 20),
            incident(4, 5, 10),
        ];
        let order: Vec<u8> = most_severe(&incidents)
            .iter()
            .map(|one| one.incident_id.0[0])
            .collect();
        assert_eq!(order, [3, 2, 1, 4]);
        let many: Vec<Incident> = (0..3_000).map(|second| incident(1, 5, second)).collect();
        let listed = most_severe(&many);
        assert_eq!((listed.len(), listed[0].first_seen), (LISTED, 2_999));
    }

    #[test]
    fn knows_topics_from_files() {
        fn check(name: &str, inputs: &[&str], expected: bool) {
            let inputs: Vec<String> = inputs.iter().map(|input| (*input).to_owned()).collect();
            assert_eq!(is_topic(name, &inputs), expected, "{name} {inputs:?}");
        }
        check("activity", &["kafka://broker:9092/activity"], true);
        check(
            "activity",
            &["kafka://broker:9092/activity?from=2026-03-01"],
            true,
        );
        check("activity", &["kafka://broker:9092/activity-log"], false);
        check(
            "logs/activity.ndjson",
            &["logs", "kafka://broker:9092/activity"],
            false,
        );
        check("activity", &["activity"], false);
    }
}
