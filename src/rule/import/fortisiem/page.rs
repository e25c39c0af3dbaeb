//! The page of a rule in FortiSIEM's documentation.

use super::operators;
use super::operators::Operator;
use super::shape::{Shape, SubPattern};
use crate::rule::import::draft::Draft;
use crate::rule::import::found::Found;

/// Headings, each of which ends what stands below the one before.
const HEADINGS: [&str; 19] = [
    "Rule Name",
    "Rule ID",
    "Default Status",
    "Description",
    "Severity",
    "Category",
    "MITRE ATT&CK Tactics",
    "MITRE ATT&CK Techniques",
    "Impacts",
    "Data Source",
    "Detection",
    "Remediation Guidance",
    "Time Window",
    "Trigger Conditions",
    "SubPattern Definitions",
    "SubPattern Name",
    "SubPattern Query",
    "Group by Attributes",
    "Aggregate Constraint",
];

/// The last one.
const LAST: &str = "Incident Attribute Mapping";

/// Sentences that explain a heading, by how they begin.
const EXPLAINED: [&str; 8] = [
    "If the following",
    "This is the",
    "This defines",
    "This is most",
    "This section",
    "The available",
    "Given the following",
    "No Technique",
];

/// The rule of a page.
pub fn read(file: &str, text: &str) -> Vec<Found> {
    let sections = sections(text);
    let name = one(&sections, "Rule Name");
    let name = if name.is_empty() {
        one(&sections, "")
    } else {
        name
    };
    vec![Found::of(file, &name, draft(file, &name, &sections))]
}

/// Heading and what stands below it.
type Section = (&'static str, Vec<String>);

fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = vec![("", Vec::new())];
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let plain = line.replace('®', "");
        let heading = HEADINGS.into_iter().chain([LAST]).find(|heading| {
            let rest = plain.strip_prefix(heading);
            rest.is_some_and(|rest| rest.is_empty() || rest.trim_start().starts_with(':'))
        });
        if let Some(heading) = heading {
            let rest = plain.get(heading.len()..).unwrap_or_default().trim_start();
            let rest = rest.strip_prefix(':').unwrap_or_default().trim();
            let below = if rest.is_empty() {
                Vec::new()
            } else {
                vec![rest.to_owned()]
            };
            sections.push((heading, below));
        } else if !EXPLAINED.iter().any(|start| line.starts_with(start))
            && let Some((_, below)) = sections.last_mut()
        {
            below.push(line.to_owned());
        }
    }
    sections
}

fn one(sections: &[Section], heading: &str) -> String {
    let found = sections.iter().find(|(known, _)| *known == heading);
    let lines = found.map(|(_, lines)| lines.as_slice()).unwrap_or_default();
    let lines = lines.iter().filter(|line| *line != "FortiSIEM Rules");
    lines.cloned().collect::<Vec<_>>().join(" ")
}

fn draft(file: &str, name: &str, sections: &[Section]) -> Result<Draft, String> {
    let one = |heading: &str| one(sections, heading);
    let list = |text: String| {
        text.split(',')
            .map(|part| part.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let tactics = one("MITRE ATT&CK Tactics");
    let window = one("Time Window");
    let seconds = window
        .split_whitespace()
        .find(|word| word.bytes().all(|b| b.is_ascii_digit()));
    let mut shape = Shape {
        id: one("Rule ID"),
        name: name.to_owned(),
        description: one("Description"),
        active: !one("Default Status").eq_ignore_ascii_case("disabled"),
        severity: one("Severity"),
        function: one("Category"),
        sub_function: list(tactics.clone()).into_iter().next().unwrap_or_default(),
        impacts: one("Impacts"),
        data_source: one("Data Source"),
        tactics: list(tactics),
        techniques: list(one("MITRE ATT&CK Techniques")),
        window: seconds.unwrap_or(&window).to_owned(),
        arguments: one(LAST),
        ..Shape::default()
    };
    shape
        .notes
        .push(("remediation".to_owned(), one("Remediation Guidance")));
    shape.notes.push(("detection".to_owned(), one("Detection")));
    for (heading, lines) in sections {
        let text = lines.join(" ");
        if *heading == "SubPattern Name" {
            shape.patterns.push(SubPattern {
                name: text.clone(),
                ..SubPattern::default()
            });
        }
        let Some(pattern) = shape.patterns.last_mut() else {
            continue;
        };
        match *heading {
            "SubPattern Query" => pattern.filter = text,
            "Group by Attributes" => pattern.group_by = text,
            "Aggregate Constraint" => pattern.having = text,
            _ => {}
        }
    }
    if shape.patterns.len() > 1 {
        shape.operators = triggers(&one("Trigger Conditions"), &shape.patterns)?;
    }
    shape.draft(file)
}

/// The operators in a text that names the patterns one after the other.
fn triggers(text: &str, patterns: &[SubPattern]) -> Result<Vec<Operator>, String> {
    let mut operators = Vec::new();
    let mut rest = text;
    for (place, pattern) in patterns.iter().enumerate() {
        let Some((before, behind)) = rest.split_once(pattern.name.as_str()) else {
            return Err(format!(
                "its trigger conditions do not name {}",
                pattern.name
            ));
        };
        if place > 0 {
            let word = operators::word(before)?;
            operators.push(Operator { word, rank: None });
        }
        rest = behind;
    }
    Ok(operators)
}
