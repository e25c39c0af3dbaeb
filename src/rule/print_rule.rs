//! A rule as YAML in canonical form: reading the text gives the same rule again.

use std::fmt::Write as _;

use serde_json::Value;

use super::attribute::Names;
use super::formula::Reads;
use super::metadata::Status;
use super::print::{self, NameOf};
use super::scope::Scope;
use super::shown::COUNTS;
use super::{Exception, Filter, Having, Pattern, Rule, RuleTest, in_one_line, parse_with};
use crate::event::{AttributeId, Attributes};
use crate::time::{Millis, rfc3339};

impl Rule {
    /// The rule with another `having` for the pattern at this place. `attributes` are those that it
    /// was read with.
    ///
    /// # Errors
    ///
    /// The text is no test, or the rule shows what it does not have.
    pub fn with_having(
        &self,
        pattern: usize,
        having: &str,
        attributes: &mut Attributes,
    ) -> Result<Rule, String> {
        let mut changed = self.clone();
        if let Some(pattern) = changed.patterns.get_mut(pattern) {
            let names = &mut Names::Event(attributes);
            let mut reads = Reads {
                aggregates: std::mem::take(&mut pattern.aggregates),
                formulas: std::mem::take(&mut pattern.formulas),
            };
            let scope = &mut Scope::of(&self.lists);
            pattern.having =
                Having::parse_with(having, names, &mut reads, scope).map_err(|errors| {
                    let said: Vec<String> = errors.into_iter().map(|e| e.message).collect();
                    said.join("; ")
                })?;
            pattern.aggregates = reads.aggregates;
            pattern.formulas = reads.formulas;
        }
        // Read again, it has its aggregates in their usual order.
        let text = changed.to_yaml(attributes);
        let rules = parse_with(&self.id, &text, &self.lists, attributes)
            .map_err(|errors| in_one_line(&errors))?;
        rules.into_iter().next().ok_or_else(|| "no rule".to_owned())
    }

    /// The rule as one YAML document. `attributes` are those that it was read with.
    pub fn to_yaml(&self, attributes: &Attributes) -> String {
        let name = |id: AttributeId| print::name(attributes, id);
        let mut lines = self.header_lines();
        lines.push("patterns:".to_owned());
        for pattern in &self.patterns {
            lines.extend(pattern_lines(pattern, &name));
        }
        let condition = self.condition_text(&self.condition);
        lines.push(format!("condition: {}", scalar(&condition)));
        let relations = self.relations(&name);
        if !relations.is_empty() {
            lines.push(format!("relations: {}", list(&relations)));
        }
        lines.extend(self.incident_lines(&name));
        let when = self.clear.map_or_else(String::new, |place| {
            format!(", when: {}", self.pattern(place))
        });
        lines.push(format!("clear: {{ quiet: {}s{when} }}", self.quiet));
        for (key, seconds) in [("patience", self.patience), ("lateness", self.lateness)] {
            lines.extend(seconds.map(|seconds| format!("{key}: {seconds}s")));
        }
        lines.extend(self.exception_lines());
        lines.extend(test_lines(&self.tests));
        lines.push(String::new());
        lines.join("\n")
    }

    fn header_lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("id: {}", scalar(&self.id)),
            format!("name: {}", scalar(&self.name)),
        ];
        let text =
            |key: &str, text: &str| (!text.is_empty()).then(|| format!("{key}: {}", scalar(text)));
        lines.extend(text("description", &self.description));
        let metadata = &self.metadata;
        lines.extend(text("version", &metadata.version));
        lines.extend(text("author", &metadata.author));
        if metadata.status != Status::default() {
            lines.push(format!("status: {}", metadata.status.name()));
        }
        if !self.enabled {
            lines.push("enabled: false".to_owned());
        }
        if self.severity.cases.is_empty() {
            lines.push(format!("severity: {}", self.severity.otherwise));
        } else {
            lines.push("severity:".to_owned());
            for case in &self.severity.cases {
                let when = scalar(&self.incident_filter(&case.when));
                lines.push(format!("  - {{ when: {when}, value: {} }}", case.value));
            }
            lines.push(format!("  - {{ value: {} }}", self.severity.otherwise));
        }
        lines.push(format!("category: {}", self.category.name()));
        lines.extend(text("subcategory", &self.subcategory));
        lines.extend(text("impacts", &self.impacts));
        lines.extend(text("data_source", &self.data_source));
        for (key, ids) in [("tactics", &self.tactics), ("techniques", &self.techniques)] {
            if !ids.is_empty() {
                lines.push(format!("{key}: {}", list(ids)));
            }
        }
        if !metadata.tags.is_empty() {
            lines.push(format!("tags: {}", list(&metadata.tags)));
        }
        lines.extend(items("references", &metadata.references));
        lines.extend(items("false_positives", &metadata.false_positives));
        lines.push(format!("window: {}s", self.window));
        lines
    }

    /// What relates the patterns: the attributes of each part of the key to that of the first, and
    /// what must differ.
    pub(super) fn relations(&self, name: NameOf<'_>) -> Vec<String> {
        if self.patterns.len() < 2 {
            return Vec::new();
        }
        let mut relations = Vec::new();
        for part in &self.join_key {
            let attributes = self.patterns.iter().zip(&part.places);
            let attributes: Vec<String> = attributes
                .map(|(pattern, place)| {
                    let id = pattern.group_by.get(*place);
                    let attribute = id.map(|id| name(*id)).unwrap_or_default();
                    format!("{}.{attribute}", pattern.name)
                })
                .collect();
            let Some((first, others)) = attributes.split_first() else {
                continue;
            };
            relations.extend(others.iter().map(|other| format!("{first} = {other}")));
        }
        relations.extend(self.differences.iter().map(|it| {
            let (left, right) = (it.left, it.right);
            let [left, right] = [left, right].map(|side| self.group_by_text(side, name));
            format!("{left} != {right}")
        }));
        relations
    }

    fn incident_lines(&self, name: NameOf<'_>) -> Vec<String> {
        let mut lines = vec![
            "incident:".to_owned(),
            format!("  title: {}", scalar(&self.title)),
        ];
        if self.attributes.is_empty() {
            lines.push("  attributes: {}".to_owned());
            return lines;
        }
        lines.push("  attributes:".to_owned());
        lines.extend(self.attributes.iter().map(|(attribute, value)| {
            let value = scalar(&self.value_text(value, name));
            format!("    {}: {value}", scalar(attribute))
        }));
        lines
    }

    /// A filter over the incident's attributes and counts.
    fn incident_filter(&self, filter: &Filter) -> String {
        let name = |id: AttributeId| {
            let place = usize::from(id.0);
            let attribute = self.attributes.get(place).map(|(name, _)| name.clone());
            let count = || COUNTS.get(place.checked_sub(self.attributes.len())?);
            attribute
                .or_else(|| count().map(|name| (*name).to_owned()))
                .unwrap_or_default()
        };
        print::filter(&filter.expression, &name)
    }

    fn exception_lines(&self) -> Vec<String> {
        if self.exceptions.is_empty() {
            return Vec::new();
        }
        let line = |exception: &Exception| {
            let time = |key: &str, time: Option<Millis>| {
                time.map(|time| format!(", {key}: {}", rfc3339(time)))
                    .unwrap_or_default()
            };
            let text = |key: &str, text: &str| match text.is_empty() {
                true => String::new(),
                false => format!(", {key}: {}", scalar(text)),
            };
            let mut line = format!(
                "  - {{ where: {}",
                scalar(&self.incident_filter(&exception.filter))
            );
            line += &time("from", exception.from);
            line += &time("until", exception.until);
            line += &text("owner", &exception.owner);
            line += &text("ticket", &exception.ticket);
            line + &text("reason", &exception.reason) + " }"
        };
        let lines = self.exceptions.iter().map(line);
        std::iter::once("exceptions:".to_owned())
            .chain(lines)
            .collect()
    }
}

fn pattern_lines(pattern: &Pattern, name: NameOf<'_>) -> Vec<String> {
    let grouped = |id: &AttributeId| match pattern.formula(*id) {
        None => scalar(&name(*id)),
        Some(formula) => format!("{{{}: {}}}", name(*id), scalar(&formula.print(name))),
    };
    let group_by: Vec<String> = pattern.group_by.iter().map(grouped).collect();
    let filter = print::filter(&pattern.filter.expression, name);
    let having = print::having(&pattern.having, &pattern.aggregates, name);
    let mut lines = vec![
        format!("  - name: {}", pattern.name),
        format!("    where: {}", scalar(&filter)),
        format!("    group_by: [{}]", group_by.join(", ")),
        format!("    having: {}", scalar(&having)),
    ];
    if let Some(new) = &pattern.new {
        let text = print::new(new, name);
        lines.push(format!("    new: {}", scalar(&text)));
    }
    lines
}

fn test_lines(tests: &[RuleTest]) -> Vec<String> {
    if tests.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["tests:".to_owned()];
    for test in tests {
        lines.push(format!("  - name: {}", scalar(&test.name)));
        let events: Vec<String> = test
            .events
            .iter()
            .map(|event| {
                let event: Value = serde_json::from_str(event).unwrap_or_default();
                json(&event)
            })
            .collect();
        let incidents: Vec<String> = test
            .incidents
            .iter()
            .map(|fields| {
                let fields = fields.iter().map(|(field, value)| (field.as_str(), value));
                object(fields)
            })
            .collect();
        for (key, items) in [("events", events), ("incidents", incidents)] {
            if items.is_empty() {
                lines.push(format!("    {key}: []"));
                continue;
            }
            lines.push(format!("    {key}:"));
            lines.extend(items.into_iter().map(|item| format!("      - {item}")));
        }
    }
    lines
}

/// A text as YAML reads it: plain where that cannot be anything else.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if begins
        && text
            .split(' ')
            .all(|word| !word.is_empty() && word.chars().all(plain))
    {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// A text in double quotes; what is not printed is escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            ' '..='~' => quoted.push(c),
            _ if c.is_alphanumeric() => quoted.push(c),
            _ => {
                let code = u32::from(c);
                // Writing to a string cannot fail.
                let written = write!(quoted, "\\U{code:08x}");
                debug_assert!(written.is_ok());
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Texts of their own lines.
fn items(key: &str, texts: &[String]) -> Vec<String> {
    if texts.is_empty() {
        return Vec::new();
    }
    let lines = texts.iter().map(|text| format!("  - {}", scalar(text)));
    std::iter::once(format!("{key}:")).chain(lines).collect()
}

fn list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| scalar(item)).collect();
    format!("[{}]", items.join(", "))
}

/// JSON in one line; its texts are always in quotes, so that they stay texts.
fn json(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(json).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => object(fields.iter().map(|(key, value)| (key.as_str(), value))),
    }
}

fn object<'v>(fields: impl Iterator<Item = (&'v str, &'v Value)>) -> String {
    let fields: Vec<String> = fields
        .map(|(key, value)| format!("{}: {}", quoted(key), json(value)))
        .collect();
    format!("{{{}}}", fields.join(", "))
}

#[cfg(test)]
#[path = "print_rule_tests.rs"]
mod tests;
