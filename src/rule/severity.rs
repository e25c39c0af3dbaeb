//! The `severity` of a rule: a number, or a list of numbers for certain incidents.

use std::collections::HashMap;

use super::attribute::Names;
use super::bounds::CASES_MAX;
use super::nearest::shown;
use super::reader::{Fields, Reader};
use super::scope::Age;
use super::yaml::{Content, Node, Scalar};
use super::{Filter, Severity, SeverityCase};

const EXPECTED: &str = "a severity, a whole number from 1 to 10";

/// Reads it; filters are over the incident values of these names.
pub fn read(reader: &mut Reader<'_>, fields: Fields<'_>, names: &[String]) -> Option<Severity> {
    let node = reader.require(fields, "severity")?;
    let Content::Sequence(items) = &node.content else {
        let otherwise = value(reader, node)?;
        let cases = Vec::new();
        return Some(Severity { cases, otherwise });
    };
    let Some((last, before)) = items.split_last() else {
        reader.error(
            node.at,
            format!("expected {EXPECTED}, or a list of cases, found none"),
        );
        return None;
    };
    if let Some(item) = items.get(CASES_MAX) {
        let message = format!("at most {CASES_MAX} cases, found {}", items.len());
        reader.error(item.at, message);
        return None;
    }
    let mut seen = HashMap::new();
    let cases: Vec<Option<SeverityCase>> = before
        .iter()
        .map(|item| {
            let case = reader.fields(
                item,
                "a case such as { when: .., value: 9 }",
                &["when", "value"],
            )?;
            let when = reader.require(case, "when").and_then(|node| {
                let when = filter(reader, node, names)?;
                say_repeated(reader, node, &when, &mut seen);
                Some(when)
            });
            let value = reader
                .require(case, "value")
                .and_then(|node| value(reader, node));
            Some(SeverityCase {
                when: when?,
                value: value?,
            })
        })
        .collect();
    let case = reader.fields(
        last,
        "the value otherwise, { value: 5 }",
        &["when", "value"],
    )?;
    if let Some(node) = case.get("when") {
        let message =
            "the last case has no `when`: add one with the severity of all other incidents";
        reader.error(node.at, message);
        filter(reader, node, names);
    }
    let otherwise = reader
        .require(case, "value")
        .and_then(|node| value(reader, node));
    Some(Severity {
        cases: cases.into_iter().collect::<Option<_>>()?,
        otherwise: otherwise?,
    })
}

/// A case with the filter of one before it never counts. `seen`: the lines of the filters.
fn say_repeated(
    reader: &mut Reader<'_>,
    node: &Node,
    when: &Filter,
    seen: &mut HashMap<String, usize>,
) {
    if reader.scope.age == Age::Old {
        return;
    }
    let text = when.print(&|id| id.0.to_string());
    match seen.get(&text) {
        Some(line) => {
            let message = format!("this case never counts: line {line} has the same `when`");
            reader.error(node.at, message);
        }
        None => {
            seen.insert(text, node.at.line);
        }
    }
}

fn filter(reader: &mut Reader<'_>, node: &Node, names: &[String]) -> Option<Filter> {
    let text = reader.text(node, "a filter such as event_count > 10")?;
    Filter::parse_with(text, &mut Names::Incident(names), &mut reader.scope)
        .map_err(|errors| reader.errors_within(node, errors))
        .ok()
}

fn value(reader: &mut Reader<'_>, node: &Node) -> Option<u8> {
    match &node.content {
        Content::Scalar(Scalar {
            text, plain: true, ..
        }) => {
            let severity = text
                .parse()
                .ok()
                .filter(|severity| (1..=10).contains(severity));
            if severity.is_none() {
                reader.error(
                    node.at,
                    format!("expected {EXPECTED}, found `{}`", shown(text)),
                );
            }
            severity
        }
        Content::Scalar(_) | Content::Sequence(_) | Content::Mapping(_) => {
            reader.error(node.at, format!("expected {EXPECTED}, without quotes"));
            None
        }
    }
}
