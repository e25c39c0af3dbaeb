//! At which hours of the week incidents begin.

use super::super::words;
use super::html::Html;
use crate::incident::Incident;
use crate::time::{DAY, second_of};

const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// How many shades there are for more than nothing.
const SHADES: u64 = 5;

/// Incidents by day of the week, from Monday on, and hour, in UTC.
type Week = [[u64; 24]; 7];

/// The table, shaded.
pub fn section(html: &mut Html, incidents: &[Incident]) {
    let week = week(incidents);
    let most = week.iter().flatten().copied().max().unwrap_or_default();
    html.markup("<section id=\"hours\" aria-labelledby=\"hours-title\">")
        .markup("<h2 id=\"hours-title\">By hour of the week</h2><p class=\"hint\">")
        .markup("Incidents by day and hour in which they were first seen, in UTC.</p>")
        .markup("<div class=\"scroll\" role=\"region\" tabindex=\"0\" ")
        .markup("aria-label=\"Incidents by hour of the week\"><table class=\"heat\">")
        .markup("<thead><tr><td></td>");
    for hour in 0..24 {
        html.tag("<th scope=\"col\">", &format!("{hour:02}"), "</th>");
    }
    html.markup("</tr></thead><tbody>");
    for (day, hours) in DAYS.iter().zip(&week) {
        html.tag("<tr><th scope=\"row\">", day, "</th>");
        for &count in hours {
            cell(html, count, most);
        }
        html.markup("</tr>");
    }
    html.end_table();
    html.markup("</section>");
}

fn cell(html: &mut Html, count: u64, most: u64) {
    let shade = (count * SHADES).div_ceil(most.max(1));
    let shown = match count {
        0 => "·".to_owned(),
        some => words::grouped(some),
    };
    html.tag("<td class=\"shade-", &shade.to_string(), "\">")
        .text(&shown)
        .markup("</td>");
}

fn week(incidents: &[Incident]) -> Week {
    let mut week = Week::default();
    for incident in incidents {
        let second = second_of(incident.first_seen);
        // The first day of the epoch was a Thursday.
        let day = (second.div_euclid(DAY) + 3).rem_euclid(7);
        let hour = second.rem_euclid(DAY) / 3_600;
        let hours = week.get_mut(day as usize);
        if let Some(count) = hours.and_then(|hours| hours.get_mut(hour as usize)) {
            *count += 1;
        }
    }
    week
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::tests::with_attributes;
    use crate::time::parse;

    #[test]
    fn finds_day_and_hour() {
        fn check(time: &str, day: usize, hour: usize) {
            let incident = Incident {
                first_seen: parse(time).expect("a time"),
                ..with_attributes(&[])
            };
            let week = week(&[incident]);
            assert_eq!(week[day][hour], 1, "{time}");
            assert_eq!(week.iter().flatten().sum::<u64>(), 1);
        }
        check("1970-01-01T00:00:00Z", 3, 0);
        check("1969-12-31T23:59:59Z", 2, 23);
        check("2026-03-01T09:15:02Z", 6, 9);
        check("2026-03-02T00:00:00Z", 0, 0);
        check("2024-02-29T23:00:00Z", 3, 23);
    }
}
