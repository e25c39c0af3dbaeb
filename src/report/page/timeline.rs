//! When incidents were first seen: a row of bars for all rules together and for each one.

use std::collections::BTreeMap;

use super::super::{Report, words};
use super::html::{Column, Html};
use crate::incident::{Incident, SEVERITY_BANDS};
use crate::time::{DAY, Millis, Second, second_of};

/// Bars at most in a row.
const BARS_MAX: Second = 72;

/// Rules with a row of their own at most.
const RULES_MAX: usize = 30;

/// How many seconds a bar may stand for, in words that people think in. Beyond, whole multiples of
/// the last.
const STEPS: [Second; 13] = [
    1,
    10,
    60,
    300,
    900,
    3_600,
    3 * 3_600,
    6 * 3_600,
    12 * 3_600,
    DAY,
    2 * DAY,
    7 * DAY,
    28 * DAY,
];

/// Height of a row's tallest bar, in pixels, and of the least that can be seen.
const TALL: f64 = 34.0;
const LEAST: f64 = 2.0;

/// The time that all rows share.
struct Axis {
    start: Second,
    step: Second,
    bars: usize,
}

/// Incidents by bar and by band of severity, in the order of [`SEVERITY_BANDS`].
struct Row<'a> {
    name: &'a str,
    counts: BTreeMap<usize, [u64; 3]>,
}

/// The charts, and the same as a table.
pub fn section(html: &mut Html, report: &Report<'_>) {
    let Some(axis) = Axis::of(report.incidents) else {
        return;
    };
    let rows = rows(report, &axis);
    html.markup("<section id=\"time\" aria-labelledby=\"time-title\">")
        .markup("<h2 id=\"time-title\">Over time</h2><p class=\"hint\">Incidents by when they ")
        .tag(
            "were first seen; a bar is ",
            &span(axis.step),
            ". Each row has ",
        )
        .markup("a scale of its own, up to the peak at its end.</p><p class=\"legend\">")
        .markup("<span class=\"key HIGH\"></span>high <span class=\"key MEDIUM\"></span>medium ")
        .markup("<span class=\"key LOW\"></span>low severity</p><div class=\"timeline\">");
    for row in rows.iter().take(RULES_MAX + 1) {
        row.chart(html, &axis);
    }
    axis.ticks(html);
    html.markup("</div>");
    if let Some(more) = rows
        .len()
        .checked_sub(RULES_MAX + 1)
        .filter(|more| *more > 0)
    {
        let more = words::counted(more as u64, "more rule");
        html.tag(
            "<p class=\"hint\">",
            &more,
            " with fewer incidents are not drawn.</p>",
        );
    }
    html.markup("<details><summary>The same as a table</summary>");
    html.begin_table(
        "Incidents over time",
        &[
            Column::Text("From (UTC)"),
            Column::Text("Rule"),
            Column::Number("Incidents"),
        ],
    );
    for row in rows.iter().skip(1).take(RULES_MAX) {
        row.cells(html, &axis);
    }
    html.end_table();
    html.markup("</details></section>");
}

/// All rules together, then those that found something, the most first.
fn rows<'a>(report: &Report<'a>, axis: &Axis) -> Vec<Row<'a>> {
    let mut by_rule: BTreeMap<&str, Vec<&Incident>> = BTreeMap::new();
    for incident in report.incidents {
        by_rule.entry(&incident.rule_id).or_default().push(incident);
    }
    let mut rules: Vec<Vec<&Incident>> = by_rule.into_values().collect();
    rules.sort_by_key(|incidents| std::cmp::Reverse(incidents.len()));
    let all = Row::of("All rules", report.incidents.iter(), axis);
    let named = |incidents: Vec<&'a Incident>| {
        let name = incidents.first().map_or("", |one| &*one.rule_name);
        Row::of(name, incidents.into_iter(), axis)
    };
    std::iter::once(all)
        .chain(rules.into_iter().map(named))
        .collect()
}

impl Axis {
    /// From the first incident to the last; `None`: there is none.
    fn of(incidents: &[Incident]) -> Option<Axis> {
        let seconds = incidents.iter().map(|one| second_of(one.first_seen));
        let (first, last) = (seconds.clone().min()?, seconds.max()?);
        let bars = |step: Second| last.div_euclid(step) - first.div_euclid(step) + 1;
        let longest = STEPS.last().copied().unwrap_or(DAY);
        let beyond = (1..).map(|times| times * longest);
        let mut steps = STEPS.into_iter().chain(beyond);
        let step = steps.find(|step| bars(*step) <= BARS_MAX)?;
        Some(Axis {
            start: first.div_euclid(step) * step,
            step,
            bars: usize::try_from(bars(step)).ok()?,
        })
    }

    fn bar(&self, moment: Millis) -> usize {
        let steps = (second_of(moment) - self.start).div_euclid(self.step);
        usize::try_from(steps).unwrap_or_default()
    }

    fn begin(&self, bar: usize) -> Millis {
        (self.start + self.step * bar as Second) * 1000
    }

    /// When a bar begins, to the minute or second that it needs.
    fn label(&self, bar: usize) -> String {
        if self.step % DAY == 0 {
            words::day(self.begin(bar))
        } else if self.step % 60 == 0 {
            words::minute(self.begin(bar))
        } else {
            words::second(self.begin(bar))
        }
    }

    /// A place on the axis in percent of its length.
    fn percent(&self, bar: f64) -> String {
        format!("{:.2}%", bar * 100.0 / self.bars as f64)
    }

    fn ticks(&self, html: &mut Html) {
        html.markup("<div class=\"axis\" aria-hidden=\"true\"><svg height=\"20\">");
        let mut places = vec![0, self.bars / 4, self.bars / 2, self.bars * 3 / 4];
        places.dedup();
        for (number, bar) in places.into_iter().enumerate() {
            let x = self.percent(bar as f64);
            html.markup(if number % 2 == 0 {
                "<g>"
            } else {
                "<g class=\"odd\">"
            })
            .tag("<line y1=\"0\" y2=\"5\" x1=\"", &x, "\" ")
            .tag("x2=\"", &x, "\"/>")
            .tag("<text y=\"17\" x=\"", &x, "\">")
            .text(&self.label(bar))
            .markup("</text></g>");
        }
        html.markup("</svg></div>");
    }
}

/// A length of time as people say it.
fn span(seconds: Second) -> String {
    let units = [(DAY, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let unit = units.into_iter().find(|(unit, _)| seconds % unit == 0);
    let (unit, name) = unit.unwrap_or((1, "second"));
    words::counted((seconds / unit).unsigned_abs(), name)
}

impl<'a> Row<'a> {
    fn of<'i>(name: &'a str, incidents: impl Iterator<Item = &'i Incident>, axis: &Axis) -> Self {
        let mut counts: BTreeMap<usize, [u64; 3]> = BTreeMap::new();
        for incident in incidents {
            let bar = counts.entry(axis.bar(incident.first_seen)).or_default();
            let band = incident.severity_band();
            for (count, known) in bar.iter_mut().zip(SEVERITY_BANDS) {
                *count += u64::from(band == known);
            }
        }
        Row { name, counts }
    }

    fn total(&self) -> u64 {
        self.counts.values().flatten().sum()
    }

    /// The tallest bar, the first of equals, and how many it has.
    fn peak(&self) -> (usize, u64) {
        let bars = self
            .counts
            .iter()
            .map(|(bar, bands)| (*bar, bands.iter().sum()));
        bars.rev()
            .max_by_key(|(_, count)| *count)
            .unwrap_or_default()
    }

    fn chart(&self, html: &mut Html, axis: &Axis) {
        let (peak_bar, peak) = self.peak();
        let total = words::counted(self.total(), "incident");
        let described = format!(
            "{}: {total}, at most {peak} in a bar, from {} on",
            self.name,
            axis.label(peak_bar)
        );
        html.tag(
            "<div class=\"row\"><span class=\"name\">",
            self.name,
            "</span>",
        )
        .tag(
            "<svg height=\"40\" role=\"img\" aria-label=\"",
            &described,
            "\">",
        )
        .markup("<line class=\"base\" x1=\"0\" x2=\"100%\" y1=\"39.5\" y2=\"39.5\"/>");
        for (bar, bands) in &self.counts {
            self.stack(html, axis, (*bar, bands), peak);
        }
        html.markup("</svg>")
            .tag(
                "<span class=\"n\"><b>",
                &words::grouped(self.total()),
                "</b> ",
            )
            .tag(
                "<small>peak ",
                &words::grouped(peak),
                "</small></span></div>",
            );
    }

    /// One bar: the bands of severity on each other, the low ones below.
    fn stack(&self, html: &mut Html, axis: &Axis, (bar, bands): (usize, &[u64; 3]), peak: u64) {
        let total = words::counted(bands.iter().sum(), "incident");
        html.tag("<g><title>", &axis.label(bar), ": ")
            .text(&total)
            .markup("</title>");
        let mut top = 39.0;
        for (count, band) in bands.iter().zip(SEVERITY_BANDS) {
            if *count == 0 {
                continue;
            }
            let height = (*count as f64 / peak.max(1) as f64 * TALL).max(LEAST);
            top -= height;
            html.tag("<rect class=\"", band, "\" ")
                .tag("x=\"", &axis.percent(bar as f64 + 0.08), "\" ")
                .tag("width=\"", &axis.percent(0.84), "\" ")
                .tag("y=\"", &format!("{top:.1}"), "\" ")
                .tag("height=\"", &format!("{height:.1}"), "\"/>");
        }
        html.markup("</g>");
    }

    fn cells(&self, html: &mut Html, axis: &Axis) {
        for (bar, bands) in &self.counts {
            html.tag("<tr><th scope=\"row\">", &axis.label(*bar), "</th>")
                .tag("<td>", self.name, "</td>")
                .tag(
                    "<td class=\"n\">",
                    &words::grouped(bands.iter().sum()),
                    "</td></tr>",
                );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::tests::with_attributes;

    #[test]
    fn bars_stand_for_lengths_that_people_think_in() {
        fn check(seconds: &[Second], expected: (&str, usize, &str)) {
            let incidents: Vec<Incident> = seconds
                .iter()
                .map(|second| Incident {
                    first_seen: second * 1000,
                    ..with_attributes(&[])
                })
                .collect();
            let axis = Axis::of(&incidents).expect("there are incidents");
            let found = (span(axis.step), axis.bars, axis.label(0));
            let expected = (expected.0.to_owned(), expected.1, expected.2.to_owned());
            assert_eq!(found, expected, "{seconds:?}");
            let last = axis.bar(incidents.iter().map(|one| one.first_seen).max().unwrap());
            assert_eq!(last, axis.bars - 1);
        }
        let march = 1_772_323_200;
        check(&[march + 7], ("1 second", 1, "2026-03-01 00:00:07"));
        check(
            &[march, march + 600],
            ("10 seconds", 61, "2026-03-01 00:00:00"),
        );
        check(
            &[march + 3_599, march + DAY],
            ("1 hour", 25, "2026-03-01 00:00"),
        );
        check(&[march, march + 60 * DAY], ("1 day", 61, "2026-03-01"));
        check(
            &[march, march + 12 * 365 * DAY],
            ("84 days", 53, "2026-02-12"),
        );
        check(&[-1, 0], ("1 second", 2, "1969-12-31 23:59:59"));
        assert!(Axis::of(&[]).is_none());
    }
}
