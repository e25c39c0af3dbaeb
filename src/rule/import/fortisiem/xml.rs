//! `<Rule>` and `<DataRequest>`.

use roxmltree::{Document, Node, ParsingOptions};

use super::operators;
use super::operators::Operator;
use super::shape::{Shape, SubPattern};
use crate::rule::import::draft::Draft;
use crate::rule::import::found::Found;

/// Elements of a file.
const NODES_MAX: u32 = 2_000_000;

/// Elements within each other.
const DEPTH_MAX: usize = 200;

/// All rules of a file.
pub fn read(file: &str, text: &str) -> Vec<Found> {
    let refused = |reason: String| vec![Found::of(file, file, Err(reason))];
    if is_too_deep(text) {
        return refused(format!(
            "its elements are nested more than {DEPTH_MAX} deep"
        ));
    }
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: NODES_MAX,
        ..ParsingOptions::default()
    };
    let document = match Document::parse_with_options(text, options) {
        Ok(document) => document,
        Err(error) => return refused(format!("not XML that is read: {error}")),
    };
    let is_rule = |node: &Node<'_, '_>| {
        matches!(node.tag_name().name(), "Rule" | "DataRequest") && child(*node, "Name").is_some()
    };
    let found: Vec<Found> = document
        .descendants()
        .filter(is_rule)
        .map(|node| Found::of(file, &inner(node, "Name"), rule(file, node)))
        .collect();
    match found.is_empty() {
        true => refused("there is no rule in it".to_owned()),
        false => found,
    }
}

/// Whether elements are nested too deep, so that nothing that walks them runs out of stack. Counts
/// too much where comments or texts have tags.
fn is_too_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    let bytes = text.as_bytes();
    for place in memchr::memchr_iter(b'<', bytes) {
        match bytes.get(place + 1) {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(b'!' | b'?') | None => {}
            Some(_) => {
                let rest = bytes.get(place..).unwrap_or_default();
                let end = memchr::memchr(b'>', rest).unwrap_or_default();
                let is_whole = end > 0 && rest.get(end - 1) == Some(&b'/');
                depth += usize::from(!is_whole);
            }
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children()
        .find(|child| child.tag_name().name() == name)
}

/// All text in an element of this name.
fn inner(node: Node<'_, '_>, name: &str) -> String {
    let texts = child(node, name).map(|child| {
        let texts = child.descendants().filter(Node::is_text);
        texts.filter_map(|text| text.text()).collect::<String>()
    });
    texts.unwrap_or_default().trim().to_owned()
}

fn attribute(node: Node<'_, '_>, name: &str) -> String {
    node.attribute(name).unwrap_or_default().trim().to_owned()
}

fn rule(file: &str, node: Node<'_, '_>) -> Result<Draft, String> {
    let Some(clause) = child(node, "PatternClause") else {
        return Err("it has no PatternClause: a report or a query, not a rule".to_owned());
    };
    let incident = child(node, "IncidentDef");
    let of_incident = |name: &str| incident.map(|it| attribute(it, name)).unwrap_or_default();
    let list = |text: String| {
        text.split(',')
            .map(|part| part.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let mut shape = Shape {
        id: match attribute(node, "id") {
            id if id.is_empty() => attribute(node, "naturalId"),
            id => id,
        },
        name: inner(node, "Name"),
        description: inner(node, "Description"),
        active: !inner(node, "active").eq_ignore_ascii_case("false"),
        severity: of_incident("severity"),
        function: attribute(node, "function"),
        sub_function: attribute(node, "subFunction"),
        impacts: attribute(node, "phIncidentCategory"),
        data_source: inner(node, "DataSource"),
        tactics: list(attribute(node, "tactic")),
        techniques: list(attribute(node, "technique")),
        window: attribute(clause, "window"),
        relations: inner(clause, "GlobalConstr"),
        title: inner(node, "IncidentTitle"),
        arguments: incident.map(|it| inner(it, "ArgList")).unwrap_or_default(),
        ..Shape::default()
    };
    let mut count = 0;
    for part in clause.children() {
        match part.tag_name().name() {
            "SubPattern" => {
                count += 1;
                shape.patterns.push(sub_pattern(part, count));
            }
            "Operator" => shape.operators.extend(listed(part)?),
            _ => {}
        }
    }
    clearing(node, &mut shape)?;
    besides(node, &mut shape);
    shape
        .notes
        .push(("incident type".to_owned(), of_incident("eventType")));
    shape.draft(file)
}

fn sub_pattern(node: Node<'_, '_>, number: usize) -> SubPattern {
    let names = ["name", "displayName"].map(|key| attribute(node, key));
    let name = names.into_iter().find(|name| !name.is_empty());
    SubPattern {
        name: name.unwrap_or_else(|| format!("P{number}")),
        filter: inner(node, "SingleEvtConstr"),
        group_by: inner(node, "GroupByAttr"),
        having: inner(node, "GroupEvtConstr"),
    }
}

/// An operator, or several: `FOLLOWED_BY:0,AND:1`.
fn listed(node: Node<'_, '_>) -> Result<Vec<Operator>, String> {
    let rank = attribute(node, "rank").parse().ok();
    let types = attribute(node, "type");
    let mut operators = Vec::new();
    for part in types.split(',').filter(|part| !part.trim().is_empty()) {
        let (name, own) = match part.split_once(':') {
            Some((name, own)) => (name, own.trim().parse().ok()),
            None => (part, rank),
        };
        operators.push(Operator {
            word: operators::word(name)?,
            rank: own,
        });
    }
    Ok(operators)
}

/// What ends incidents.
fn clearing(node: Node<'_, '_>, shape: &mut Shape) -> Result<(), String> {
    let Some(clear) = child(node, "ClearCondition") else {
        return Ok(());
    };
    shape.quiet = inner(clear, "QuietPeriod");
    let Some(clause) = child(clear, "PatternClause") else {
        return Ok(());
    };
    let patterns: Vec<SubPattern> = clause
        .children()
        .filter(|part| part.tag_name().name() == "SubPattern")
        .map(|part| sub_pattern(part, 0))
        .collect();
    let [pattern] = &patterns[..] else {
        return Err(
            "its clear condition has several patterns, and incidents end by one".to_owned(),
        );
    };
    if shape.quiet.is_empty() {
        shape.quiet = attribute(clause, "window");
    }
    shape.clear_relations = inner(clear, "ClearConstr");
    shape.clear = Some(pattern.clone());
    Ok(())
}

/// What has no counterpart, or is but told.
fn besides(node: Node<'_, '_>, shape: &mut Shape) {
    for part in node.descendants() {
        match part.tag_name().name() {
            "DynWatchListDef" => {
                let texts = part.descendants().filter(Node::is_text);
                let texts = texts.filter_map(|text| text.text());
                let lists: Vec<&str> = texts
                    .map(str::trim)
                    .filter(|text| !text.is_empty())
                    .collect();
                shape.warnings.push(format!(
                    "it fills the watch list {} with {}, which rules do not do here: write the \
                     rule that reads it as FOLLOWED_BY",
                    lists.join(" "),
                    attribute(part, "attr")
                ));
            }
            "Exception" | "RuleException" => {
                let names = ["SingleEvtConstr", "SingleConstr", "single_constr"];
                let filter = names.into_iter().map(|name| inner(part, name));
                let filter = filter.into_iter().find(|text| !text.is_empty());
                shape.exceptions.extend(filter);
                if ["TimeExpr", "time_expr"]
                    .iter()
                    .any(|name| !inner(part, name).is_empty())
                {
                    let warning = "an exception's time is not read: it holds always";
                    shape.warnings.push(warning.to_owned());
                }
            }
            _ => {}
        }
    }
    let note = |name: &str| (name.to_owned(), inner(node, name));
    let names = [
        "DetectionTechnology",
        "SigmaFileName",
        "SIGMAStatus",
        "RemediationNote",
    ];
    shape.notes.extend(names.into_iter().map(note));
    shape
        .notes
        .push(("group".to_owned(), attribute(node, "group")));
    let frequency = child(node, "IncidentDef").map(|it| attribute(it, "fireFreq"));
    shape
        .notes
        .push(("fireFreq".to_owned(), frequency.unwrap_or_default()));
}
