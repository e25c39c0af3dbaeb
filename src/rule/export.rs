//! Rules as FortiSIEM's XML.

use std::cell::Cell;

use super::metadata::Metadata;
use super::{Condition, Pattern, Rule, print};
use crate::event::{Attribute, AttributeId, Attributes};

/// A rule as XML, and what of it that does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// One `<Rule>`.
    pub xml: String,
    /// What is lost.
    pub warnings: Vec<String>,
}

/// All of these in one document.
pub fn document(rules: &[Exported]) -> String {
    let rules: String = rules.iter().map(|rule| rule.xml.as_str()).collect();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Rules>\n{rules}</Rules>\n")
}

/// A rule as FortiSIEM has it. `attributes` are those that it was read with.
///
/// # Errors
///
/// It says what FortiSIEM's rules cannot.
pub fn fortisiem(rule: &Rule, attributes: &Attributes) -> Result<Exported, String> {
    let own = Cell::new(false);
    let name = |id: AttributeId| {
        let attribute = attributes.list().get(usize::from(id.0));
        own.set(own.get() || matches!(attribute, Some(Attribute::Own(_))));
        print::name(attributes, id)
    };
    let operators = operators(rule)?;
    let mut lines = header(rule);
    let arguments = arguments(rule, &name);
    let severity = rule.severity.otherwise.to_string();
    let event_type = format!("PH_RULE_{}", letters(&rule.name));
    lines.push(format!(
        "    <IncidentDef eventType={} severity={}>",
        quoted(&event_type),
        quoted(&severity)
    ));
    lines.push(format!(
        "      {}",
        element("ArgList", &arguments.join(", "))
    ));
    lines.push("    </IncidentDef>".to_owned());
    lines.push(format!("    <PatternClause window=\"{}\">", rule.window));
    for (place, pattern) in rule.patterns.iter().enumerate() {
        if rule.clear == Some(place) {
            continue;
        }
        lines.extend(sub_pattern(pattern, &name)?);
        if let Some((word, rank)) = operators.get(place) {
            lines.push(format!("      <Operator type=\"{word}\" rank=\"{rank}\"/>"));
        }
    }
    let (clearing, relations) = relations(rule, &name);
    if !relations.is_empty() {
        lines.push(format!(
            "      {}",
            element("GlobalConstr", &relations.join(" AND "))
        ));
    }
    lines.push("    </PatternClause>".to_owned());
    lines.extend(clear(rule, &clearing, &name)?);
    lines.push(format!(
        "    <TriggerEventDisplay>{}</TriggerEventDisplay>",
        element("AttrList", "phRecvTime,eventType,rawEventMsg")
    ));
    lines.push("  </Rule>\n".to_owned());
    if own.get() {
        return Err("it asks for attributes of your own, which FortiSIEM does not know".to_owned());
    }
    Ok(Exported {
        xml: lines.join("\n"),
        warnings: lost(rule),
    })
}

fn header(rule: &Rule) -> Vec<String> {
    let mut attributes = format!("id={}", quoted(&rule.id));
    for (key, value) in [
        ("phIncidentCategory", rule.impacts.clone()),
        ("function", rule.category.name().to_owned()),
        ("subFunction", rule.subcategory.clone()),
        ("technique", rule.techniques.join(",")),
        ("tactic", rule.tactics.join(",")),
    ] {
        if !value.is_empty() {
            attributes += &format!(" {key}={}", quoted(&value));
        }
    }
    let elements = [
        ("Name", rule.name.as_str()),
        ("IncidentTitle", &rule.title),
        ("active", if rule.enabled { "true" } else { "false" }),
        ("Description", &rule.description),
        ("DataSource", &rule.data_source),
        ("DetectionTechnology", "Correlation"),
    ];
    let elements = elements.into_iter().filter(|(_, text)| !text.is_empty());
    let elements = elements.map(|(name, text)| format!("    {}", element(name, text)));
    let scope = "    <CustomerScope groupByEachCustomer=\"true\"><Include all=\"true\"/><Exclude/>\
                 </CustomerScope>";
    let first = format!("  <Rule {attributes}>");
    std::iter::once(first)
        .chain(elements)
        .chain([scope.to_owned()])
        .collect()
}

/// Incident attributes, but for those of the clear pattern.
fn arguments(rule: &Rule, name: print::NameOf<'_>) -> Vec<String> {
    let attributes = rule.attributes.iter();
    attributes
        .map(|(attribute, value)| format!("{attribute} = {}", rule.value_text(value, name)))
        .collect()
}

fn sub_pattern(pattern: &Pattern, name: print::NameOf<'_>) -> Result<Vec<String>, String> {
    let own = &pattern.name;
    if pattern.new.is_some() {
        return Err(format!("{own}: FortiSIEM's rules know nothing like `new`"));
    }
    if pattern
        .group_by
        .iter()
        .any(|id| pattern.formula(*id).is_some())
    {
        return Err(format!(
            "{own}: FortiSIEM's rules do not group by computed values"
        ));
    }
    let group_by: Vec<String> = pattern.group_by.iter().map(|id| name(*id)).collect();
    let having = print::having(&pattern.having, &pattern.aggregates, name);
    let constraint = element("SingleEvtConstr", &pattern.filter.print(name));
    Ok(vec![
        format!(
            "      <SubPattern displayName={} name={}>",
            quoted(own),
            quoted(own)
        ),
        format!("        {constraint}"),
        format!("        {}", element("GroupByAttr", &group_by.join(","))),
        format!("        {}", element("GroupEvtConstr", &having)),
        "      </SubPattern>".to_owned(),
    ])
}

/// Between each pattern and the next: the operator, and when it binds, the least first.
fn operators(rule: &Rule) -> Result<Vec<(&'static str, usize)>, String> {
    let mut names = Vec::new();
    let mut operators: Vec<(&'static str, usize)> = Vec::new();
    let mut bound = 0;
    walk(&rule.condition, &mut names, &mut operators, &mut bound)?;
    let own: Vec<usize> = (0..rule.patterns.len())
        .filter(|place| rule.clear != Some(*place))
        .collect();
    if names != own {
        return Err(
            "FortiSIEM's operators stand between each subpattern and the next: the patterns must \
             stand in the order of the condition, each once"
                .to_owned(),
        );
    }
    Ok(operators)
}

fn walk(
    condition: &Condition,
    names: &mut Vec<usize>,
    operators: &mut Vec<(&'static str, usize)>,
    bound: &mut usize,
) -> Result<(), String> {
    match condition {
        Condition::Pattern(place) => {
            names.push(*place);
            Ok(())
        }
        Condition::Unless { .. } => Err("FortiSIEM's rules know nothing like UNLESS".to_owned()),
        Condition::Operation(left, operator, right) => {
            walk(left, names, operators, bound)?;
            let place = operators.len();
            operators.push((operator.word(), 0));
            walk(right, names, operators, bound)?;
            if let Some((_, rank)) = operators.get_mut(place) {
                *rank = *bound;
            }
            *bound += 1;
            Ok(())
        }
    }
}

/// What relates the clear pattern to the first, and the others to each other.
fn relations(rule: &Rule, name: print::NameOf<'_>) -> (Vec<String>, Vec<String>) {
    let clear = rule.clear.and_then(|place| rule.patterns.get(place));
    let prefix = clear.map(|pattern| format!(" = {}.", pattern.name));
    let all = rule.relations(name).into_iter();
    all.partition(|relation| {
        prefix
            .as_ref()
            .is_some_and(|prefix| relation.contains(prefix))
    })
}

fn clear(
    rule: &Rule,
    relations: &[String],
    name: print::NameOf<'_>,
) -> Result<Vec<String>, String> {
    let pattern = rule.clear.and_then(|place| rule.patterns.get(place));
    let is_last = rule
        .clear
        .is_none_or(|place| place + 1 == rule.patterns.len());
    if !is_last {
        return Err("the clear pattern must be the last one to be exported".to_owned());
    }
    let kind = if pattern.is_some() {
        "patternbased"
    } else {
        "timebased"
    };
    let mut lines = vec![
        format!("    <ClearCondition method=\"Auto\" type=\"{kind}\">"),
        format!("      <QuietPeriod>{}</QuietPeriod>", rule.quiet),
    ];
    if let Some(pattern) = pattern {
        lines.push(format!(
            "      {}",
            element("ClearConstr", &relations.join(" AND "))
        ));
        lines.push(format!("      <PatternClause window=\"{}\">", rule.quiet));
        lines.extend(sub_pattern(pattern, name)?);
        lines.push("      </PatternClause>".to_owned());
    }
    lines.push("    </ClearCondition>".to_owned());
    Ok(lines)
}

/// What FortiSIEM's rules do not have, and that does not change when they trigger.
fn lost(rule: &Rule) -> Vec<String> {
    let lists = rule.lists.iter().next().is_some();
    [
        (
            !rule.severity.cases.is_empty(),
            "its severity is that of all other incidents",
        ),
        (
            !rule.exceptions.is_empty(),
            "its exceptions stand apart in FortiSIEM: add them there",
        ),
        (
            rule.patience.is_some() || rule.lateness.is_some(),
            "patience and lateness are left out",
        ),
        (!rule.tests.is_empty(), "its tests are left out"),
        (
            rule.metadata != Metadata::default(),
            "version, author, status, tags, references and false positives are left out",
        ),
        (
            lists,
            "its lists are groups in FortiSIEM: fill them in there",
        ),
    ]
    .into_iter()
    .filter(|(is_lost, _)| *is_lost)
    .map(|(_, text)| text.to_owned())
    .collect()
}

fn letters(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escaped(text))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\n' | '\t' => escaped += &format!("&#{};", u32::from(c)),
            other => escaped.push(other),
        }
    }
    escaped
}
