//! Correlations: several events that belong together.

use std::collections::{HashMap, HashSet};

use super::document::{Detected, Document, names};
use super::logic::{self, Logic};
use super::metadata;
use crate::rule::import::condition::Filter;
use crate::rule::import::draft::{Draft, Pattern};
use crate::rule::import::fields::{Field, Table};
use crate::rule::import::foreign::{entries, get, text, text_at, texts_at};
use crate::rule::number::Number;
use crate::rule::yaml::Node;
use crate::time::Second;

/// Rules that one correlation is about.
const RULES_MAX: usize = 64;

/// The correlations, and which rules are but parts of them.
pub struct Read {
    /// In the order of the documents.
    pub drafts: Vec<Result<Draft, String>>,
    /// Names of rules that make no incidents of their own.
    pub parts: HashSet<String>,
}

/// What correlations may be about.
struct Known<'k> {
    rules: HashMap<String, &'k Detected>,
    correlations: HashMap<String, &'k Document>,
    table: &'k Table,
}

/// Reads correlations over these rules.
pub fn read(correlations: &[&Document], rules: &[&Detected], table: &Table) -> Read {
    let mut known = Known {
        rules: HashMap::new(),
        correlations: HashMap::new(),
        table,
    };
    for rule in rules {
        let names = rule.names.iter().cloned();
        known.rules.extend(names.map(|name| (name, *rule)));
    }
    for document in correlations {
        let names = names(&document.node).into_iter();
        known
            .correlations
            .extend(names.map(|name| (name, *document)));
    }
    let drafts: Vec<Result<Draft, String>> = correlations
        .iter()
        .map(|document| known.draft(document))
        .collect();
    let mut parts = HashSet::new();
    for (document, draft) in correlations.iter().zip(&drafts) {
        let node = get(&document.node, "correlation");
        let generates = node.map(|node| text_at(node, "generate")) == Some("true");
        if let (Some(node), false, Ok(_)) = (node, generates, draft) {
            parts.extend(texts_at(node, "rules"));
        }
    }
    Read { drafts, parts }
}

/// What is asked of the events that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Their number, or an aggregate of a field.
    Aggregate(&'static str),
    /// Each rule has one.
    Together,
    /// Each rule has one, in this order.
    Ordered,
}

fn kind(name: &str) -> Result<(Kind, bool), String> {
    let kind = match name {
        "event_count" => Kind::Aggregate("COUNT(*)"),
        "value_count" => Kind::Aggregate("COUNT(DISTINCT $)"),
        "value_sum" => Kind::Aggregate("SUM($)"),
        "value_avg" => Kind::Aggregate("AVG($)"),
        "value_median" => Kind::Aggregate("MEDIAN($)"),
        "value_percentile" => Kind::Aggregate("PCTILE($, %)"),
        "temporal" | "temporal_extended" => Kind::Together,
        "temporal_ordered" | "temporal_ordered_extended" => Kind::Ordered,
        other => {
            let other: String = other.chars().take(60).collect();
            let other = crate::escape::value(&other).into_owned();
            return Err(format!("the correlation type `{other}` is not known"));
        }
    };
    Ok((kind, name.ends_with("_extended")))
}

impl Known<'_> {
    fn draft(&self, document: &Document) -> Result<Draft, String> {
        let mut draft = metadata::draft(&document.file, &document.node);
        let node = correlation(document)?;
        draft.window = timespan(text_at(node, "timespan"))?;
        let (kind, is_extended) = kind(text_at(node, "type"))?;
        match kind {
            Kind::Aggregate(_) => {
                let pattern = self.counted(document, "Event", &mut draft)?;
                draft.patterns = vec![pattern];
            }
            Kind::Together | Kind::Ordered => {
                self.temporal(node, (kind, is_extended), &mut draft)?
            }
        }
        Ok(draft)
    }

    /// The one pattern of a correlation that counts.
    fn counted(
        &self,
        document: &Document,
        name: &str,
        draft: &mut Draft,
    ) -> Result<Pattern, String> {
        let node = correlation(document)?;
        let rules = texts_at(node, "rules");
        if rules.len() > RULES_MAX {
            return Err(format!("it names more than {RULES_MAX} rules"));
        }
        let mut any = Vec::new();
        let mut groups: Option<Vec<String>> = None;
        for reference in &rules {
            let rule = self
                .rule(reference)
                .ok_or_else(|| match self.correlation(reference) {
                    Some(_) => {
                        "a count of what another correlation finds is a rule over incidents, \
                            which the language does not have"
                            .to_owned()
                    }
                    None => unknown(reference),
                })?;
            let own = self.groups(node, rule, reference)?;
            if groups.as_ref().is_some_and(|groups| *groups != own) {
                return Err(
                    "its rules are grouped by different attributes, and one pattern has \
                            one"
                    .to_owned(),
                );
            }
            any.push(self.taken(rule, &own, draft));
            groups = Some(own);
        }
        let mut pattern = Pattern::of(name, Filter::Any(any));
        pattern.group_by = groups.ok_or("it names no rules")?;
        pattern.having = self.having(node, rules.first().and_then(|name| self.rule(name)))?;
        Ok(pattern)
    }

    /// The filter of a rule, of events that have all that they are grouped by.
    fn taken(&self, rule: &Detected, groups: &[String], draft: &mut Draft) -> Filter {
        rule.draft
            .warnings
            .iter()
            .for_each(|warning| draft.warn(warning.clone()));
        for list in &rule.draft.lists {
            if !draft.lists.contains(list) {
                draft.lists.push(list.clone());
            }
        }
        let there = groups.iter().map(|group| Filter::there(group));
        Filter::All(std::iter::once(rule.filter.clone()).chain(there).collect())
    }

    /// The test over the events.
    fn having(&self, node: &Node, rule: Option<&Detected>) -> Result<String, String> {
        let (Kind::Aggregate(aggregate), _) = kind(text_at(node, "type"))? else {
            return Err("it has no condition over numbers".to_owned());
        };
        let condition = get(node, "condition").ok_or("it has no condition")?;
        let mut fields = texts_at(condition, "field");
        if fields.is_empty() {
            fields = texts_at(node, "field");
        }
        let mut written = aggregate.to_owned();
        if aggregate.contains('$') {
            let rule = rule.ok_or("it names no rules")?;
            let fields: Result<Vec<String>, String> = fields
                .iter()
                .map(|field| Ok(self.field(rule, field)?.grouped().to_owned()))
                .collect();
            let fields = fields?;
            if fields.is_empty() || (fields.len() > 1 && !aggregate.contains("DISTINCT")) {
                return Err("its condition names no field, or too many".to_owned());
            }
            written = written.replace('$', &fields.join(", "));
        }
        if written.contains('%') {
            let percentile = match text_at(condition, "percentile") {
                "" => "50",
                percentile => percentile,
            };
            Number::parse(percentile).ok_or("its percentile is no number")?;
            written = written.replace('%', percentile);
        }
        let mut tests = Vec::new();
        for (key, value) in entries(condition) {
            let operator = match key {
                "gt" => ">",
                "gte" => ">=",
                "lt" => "<",
                "lte" => "<=",
                "eq" => "=",
                "neq" => "!=",
                _ => continue,
            };
            let number = text(value);
            Number::parse(number).ok_or("its condition compares with no number")?;
            tests.push(format!("{written} {operator} {number}"));
        }
        match tests.is_empty() {
            true => Err("its condition compares with nothing".to_owned()),
            false => Ok(tests.join(" AND ")),
        }
    }

    /// Patterns of several rules, related by what they are grouped by.
    fn temporal(&self, node: &Node, of: (Kind, bool), draft: &mut Draft) -> Result<(), String> {
        let (kind, is_extended) = of;
        let references = texts_at(node, "rules");
        let condition = get(node, "condition");
        let said = condition.map(text).unwrap_or_default();
        let logic = match (is_extended || !said.is_empty(), said) {
            (true, "") => return Err("its condition is missing".to_owned()),
            (true, said) => logic::parse(said)?,
            (false, _) => {
                let least = condition.map(|condition| text_at(condition, "gte"));
                let all = references.len().to_string();
                if least.is_some_and(|least| least != all) {
                    return Err(
                        "some of several rules within a time cannot be asked for".to_owned()
                    );
                }
                Logic::And(references.iter().cloned().map(Logic::Name).collect())
            }
        };
        let references = match references.is_empty() {
            true => named(&logic),
            false => references,
        };
        if references.is_empty() || references.len() > RULES_MAX {
            return Err(format!("it has no rules, or more than {RULES_MAX}"));
        }
        let mut names = Vec::new();
        let mut first: Option<(String, Vec<String>)> = None;
        for (place, reference) in references.iter().enumerate() {
            let name = pattern_name(reference, place);
            let pattern = self.member(node, reference, &name, draft)?;
            match &first {
                None => first = Some((name.clone(), pattern.group_by.clone())),
                Some((other, groups)) => {
                    let related = groups.iter().zip(&pattern.group_by);
                    draft
                        .relations
                        .extend(related.map(|(one, own)| format!("{other}.{one} = {name}.{own}")));
                }
            }
            draft.patterns.push(pattern);
            names.push((reference.clone(), name));
        }
        draft.condition = match kind {
            Kind::Ordered => ordered(&logic, &names)?,
            Kind::Together | Kind::Aggregate(_) => together(&logic, &names)?,
        };
        if let Some(name) = names
            .iter()
            .map(|(_, name)| name)
            .find(|name| !has(&draft.condition, name))
        {
            return Err(format!("its condition does not name the rule {name}"));
        }
        Ok(())
    }

    /// A pattern of a rule, or of a correlation that counts.
    fn member(
        &self,
        node: &Node,
        reference: &str,
        name: &str,
        draft: &mut Draft,
    ) -> Result<Pattern, String> {
        if let Some(rule) = self.rule(reference) {
            let groups = self.groups(node, rule, reference)?;
            let mut pattern = Pattern::of(name, self.taken(rule, &groups, draft));
            pattern.group_by = groups;
            return Ok(pattern);
        }
        let Some(document) = self.correlation(reference) else {
            return Err(unknown(reference));
        };
        let inner = correlation(document)?;
        if !matches!(kind(text_at(inner, "type"))?.0, Kind::Aggregate(_)) {
            return Err(
                "a correlation over correlations in time is a rule over incidents, which \
                        the language does not have"
                    .to_owned(),
            );
        }
        if timespan(text_at(inner, "timespan"))? != draft.window {
            draft.warn(format!(
                "{name} counts within the time of the whole, not within its own"
            ));
        }
        let mut pattern = self.counted(document, name, draft)?;
        let rules = texts_at(inner, "rules");
        let rule = rules
            .first()
            .and_then(|name| self.rule(name))
            .ok_or_else(|| unknown(reference))?;
        let own = self.groups(node, rule, reference)?;
        let mut all = own.clone();
        all.extend(
            pattern
                .group_by
                .iter()
                .filter(|group| !own.contains(group))
                .cloned(),
        );
        pattern.group_by = all;
        Ok(pattern)
    }

    /// What the events of a rule are grouped by.
    fn groups(&self, node: &Node, rule: &Detected, reference: &str) -> Result<Vec<String>, String> {
        let aliases = get(node, "aliases");
        let group = |name: &String| {
            let alias = aliases.and_then(|aliases| get(aliases, name));
            let own = alias.and_then(|alias| {
                let names = rule.names.iter().map(String::as_str).chain([reference]);
                names.into_iter().find_map(|name| get(alias, name))
            });
            if alias.is_some() && own.is_none() {
                let reference = crate::escape::value(reference);
                return Err(format!("the alias {name} says nothing of {reference}"));
            }
            let field = self.field(rule, own.map_or(name.as_str(), text))?;
            Ok(field.grouped().to_owned())
        };
        texts_at(node, "group-by").iter().map(group).collect()
    }

    fn field(&self, rule: &Detected, name: &str) -> Result<Field, String> {
        self.table.field(&rule.source, name)
    }

    fn rule(&self, reference: &str) -> Option<&Detected> {
        self.rules.get(reference).copied()
    }

    fn correlation(&self, reference: &str) -> Option<&Document> {
        self.correlations.get(reference).copied()
    }
}

fn correlation(document: &Document) -> Result<&Node, String> {
    get(&document.node, "correlation").ok_or_else(|| "it is no correlation".to_owned())
}

fn unknown(reference: &str) -> String {
    let shown: String = reference.chars().take(60).collect();
    format!(
        "the rule `{}` that it names is not among those that are imported, or could not be",
        crate::escape::value(&shown)
    )
}

/// `5m` in seconds.
fn timespan(text: &str) -> Result<Second, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.strip_prefix(digits).unwrap_or_default() {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        "M" => 30 * 86_400,
        "y" => 365 * 86_400,
        _ => return Err("its timespan is not such as 5m".to_owned()),
    };
    let count: Second = digits
        .trim()
        .parse()
        .map_err(|_| "its timespan is not such as 5m")?;
    count
        .checked_mul(unit)
        .ok_or_else(|| "its timespan is too long".to_owned())
}

/// A name as patterns have it.
fn pattern_name(reference: &str, place: usize) -> String {
    let is_plain = reference.starts_with(|c: char| c.is_ascii_alphabetic())
        && reference.len() <= 60
        && reference
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_');
    match is_plain {
        true => reference.to_owned(),
        false => format!("Rule{}", place + 1),
    }
}

fn has(condition: &str, name: &str) -> bool {
    let mut words = condition.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.any(|word| word == name)
}

fn named(logic: &Logic) -> Vec<String> {
    match logic {
        Logic::And(parts) | Logic::Or(parts) => parts.iter().flat_map(named).collect(),
        Logic::Not(inner) => named(inner),
        Logic::Name(name) => vec![name.clone()],
        Logic::Of(..) => Vec::new(),
    }
}

fn name_of(reference: &str, names: &[(String, String)]) -> Result<String, String> {
    let known = names.iter().find(|(known, _)| known == reference);
    known
        .map(|(_, name)| name.clone())
        .ok_or_else(|| unknown(reference))
}

/// Rules in any order.
fn together(logic: &Logic, names: &[(String, String)]) -> Result<String, String> {
    match logic {
        Logic::Name(reference) => name_of(reference, names),
        Logic::Or(parts) => {
            let parts: Result<Vec<String>, String> =
                parts.iter().map(|part| within(part, names)).collect();
            parts.map(|parts| parts.join(" OR "))
        }
        Logic::And(parts) => {
            let (absent, present): (Vec<&Logic>, Vec<&Logic>) =
                parts.iter().partition(|part| matches!(part, Logic::Not(_)));
            let present: Result<Vec<String>, String> = present
                .into_iter()
                .map(|part| within(part, names))
                .collect();
            let mut text = present?.join(" AND ");
            if text.is_empty() {
                return Err("its condition asks for nothing that is there".to_owned());
            }
            for part in absent {
                if let Logic::Not(inner) = part {
                    text = format!("{text} AND_NOT {}", within(inner, names)?);
                }
            }
            Ok(text)
        }
        Logic::Not(_) => Err("its condition asks for nothing that is there".to_owned()),
        Logic::Of(..) => Err("`of` is not known in conditions of correlations".to_owned()),
    }
}

fn within(logic: &Logic, names: &[(String, String)]) -> Result<String, String> {
    let text = together(logic, names)?;
    Ok(if matches!(logic, Logic::Name(_)) {
        text
    } else {
        format!("({text})")
    })
}

/// Rules in the order in which they are named; what is absent must not come between the others.
fn ordered(logic: &Logic, names: &[(String, String)]) -> Result<String, String> {
    let alone = [logic.clone()];
    let parts = match logic {
        Logic::And(parts) => parts.as_slice(),
        Logic::Or(_) | Logic::Not(_) | Logic::Name(_) | Logic::Of(..) => &alone,
    };
    let mut text = String::new();
    let mut absent: Vec<String> = Vec::new();
    for part in parts {
        if let Logic::Not(inner) = part {
            if text.is_empty() {
                return Err("what is absent must have something before it".to_owned());
            }
            absent.push(within(inner, names)?);
            continue;
        }
        let next = within(part, names)?;
        text = match text.is_empty() {
            true => next,
            false => format!("{text} FOLLOWED_BY {next}"),
        };
        if !absent.is_empty() {
            let unless = absent.join(" OR ");
            text = match absent.len() {
                1 => format!("{text} UNLESS {unless}"),
                _ => format!("{text} UNLESS ({unless})"),
            };
            absent.clear();
        }
    }
    for absent in absent {
        text = format!("{text} NOT_FOLLOWED_BY {absent}");
    }
    Ok(text)
}
