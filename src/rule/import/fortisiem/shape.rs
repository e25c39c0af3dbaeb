//! What a FortiSIEM rule has, whatever it is written in, and the draft that it is.

use super::expression::{Names, parts};
use super::operators;
use super::operators::Operator;
use crate::rule::import::condition::Filter;
use crate::rule::import::draft::{Draft, Pattern};
use crate::rule::mitre;
use crate::time::Second;

/// Subpatterns of a rule.
const PATTERNS_MAX: usize = 64;

/// A rule, as its texts say it.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it finds.
    pub description: String,
    /// Whether it is in force.
    pub active: bool,
    /// 1 to 10.
    pub severity: String,
    /// Availability, Change, ..
    pub function: String,
    /// The finer kind.
    pub sub_function: String,
    /// What is affected.
    pub impacts: String,
    /// Where events come from.
    pub data_source: String,
    /// MITRE ATT&CK ids or names.
    pub tactics: Vec<String>,
    /// MITRE ATT&CK ids.
    pub techniques: Vec<String>,
    /// In seconds.
    pub window: String,
    /// What is looked for.
    pub patterns: Vec<SubPattern>,
    /// Between the patterns.
    pub operators: Vec<Operator>,
    /// What relates the patterns.
    pub relations: String,
    /// Title of incidents.
    pub title: String,
    /// Incident attributes.
    pub arguments: String,
    /// Seconds without a trigger that end an incident.
    pub quiet: String,
    /// The pattern that ends incidents.
    pub clear: Option<SubPattern>,
    /// What relates it to the others.
    pub clear_relations: String,
    /// Filters over incidents that are not said.
    pub exceptions: Vec<String>,
    /// What there is to say.
    pub warnings: Vec<String>,
    /// What the language has no place for.
    pub notes: Vec<(String, String)>,
}

/// A subpattern.
#[derive(Clone, Debug, Default)]
pub struct SubPattern {
    /// Its name.
    pub name: String,
    /// Which events.
    pub filter: String,
    /// What they are grouped by.
    pub group_by: String,
    /// The test over groups.
    pub having: String,
}

impl Shape {
    /// The draft that it is.
    ///
    /// # Errors
    ///
    /// It says what the language cannot.
    pub fn draft(self, file: &str) -> Result<Draft, String> {
        let mut names = Names::new();
        let base = file.rsplit(['/', '\\']).next().unwrap_or(file);
        let mut draft = Draft {
            id: identifier(&self.id, &self.name),
            name: self.name.clone(),
            description: self.description.clone(),
            disabled: !self.active,
            severity: self.severity.trim().parse().unwrap_or_default(),
            category: category(&self.function),
            subcategory: self.sub_function.clone(),
            impacts: self.impacts.clone(),
            data_source: self.data_source.clone(),
            window: seconds(&self.window, "its window")?,
            title: self.title.clone(),
            ..Draft::default()
        };
        draft.note("imported from", format!("FortiSIEM, {base}"));
        draft.note("rule", format!("{}, {}", self.id, self.name));
        draft.note("license", "not said in the file");
        for (key, value) in &self.notes {
            draft.note(key, value.clone());
        }
        attack(&self, &mut draft);
        if self.patterns.is_empty() || self.patterns.len() > PATTERNS_MAX {
            return Err(format!(
                "it has no subpatterns, or more than {PATTERNS_MAX}"
            ));
        }
        for pattern in &self.patterns {
            draft.patterns.push(taken(pattern, &mut names)?);
        }
        if self.patterns.len() > 1 {
            let places: Vec<String> = draft
                .patterns
                .iter()
                .map(|pattern| pattern.name.clone())
                .collect();
            let (condition, warning) = operators::condition(&places, &self.operators)?;
            draft.condition = condition;
            warning.into_iter().for_each(|warning| draft.warn(warning));
        }
        draft.relations = relations(&self.relations, &mut names)?;
        self.clearing(&mut draft, &mut names)?;
        arguments(&self.arguments, &mut draft, &mut names)?;
        for exception in &self.exceptions {
            let filter = names.expression(exception)?;
            draft
                .exceptions
                .push([filter, String::new(), String::new()]);
        }
        self.warnings
            .into_iter()
            .for_each(|warning| draft.warn(warning));
        names
            .warnings
            .into_iter()
            .for_each(|warning| draft.warn(warning));
        draft.lists = names.lists;
        Ok(draft)
    }

    /// What ends incidents.
    fn clearing(&self, draft: &mut Draft, names: &mut Names) -> Result<(), String> {
        if !self.quiet.is_empty() {
            draft.quiet = seconds(&self.quiet, "its quiet period")?;
        }
        let Some(clear) = &self.clear else {
            return Ok(());
        };
        let pattern = taken(clear, names)?;
        let taken: Vec<&str> = draft
            .patterns
            .iter()
            .map(|pattern| pattern.name.as_str())
            .collect();
        if taken.contains(&pattern.name.as_str()) {
            return Err(format!(
                "its clear pattern has the name of another one, {}",
                pattern.name
            ));
        }
        let said = relations(&self.clear_relations, names).unwrap_or_default();
        let ours = format!("{}.", pattern.name);
        let is_said = !said.is_empty() && said.iter().all(|relation| relation.contains(&ours));
        let shared = draft.patterns.first().map(|first| {
            let shared = first
                .group_by
                .iter()
                .filter(|name| pattern.group_by.contains(name));
            let related = shared.map(|name| format!("{}.{name} = {ours}{name}", first.name));
            related.collect::<Vec<String>>()
        });
        if !is_said && !self.clear_relations.is_empty() {
            draft.warn(format!(
                "the clear pattern is related by what it and the first pattern are grouped by; the \
                 rule says {}",
                self.clear_relations
            ));
        }
        draft.relations.extend(if is_said {
            said
        } else {
            shared.unwrap_or_default()
        });
        draft.clear = Some(pattern.name.clone());
        draft.patterns.push(pattern);
        Ok(())
    }
}

fn taken(of: &SubPattern, names: &mut Names) -> Result<Pattern, String> {
    if of.filter.trim().is_empty() {
        return Err(format!("the subpattern {} has no filter", of.name));
    }
    let filter = names.expression(&of.filter)?;
    let mut pattern = Pattern::of(&plain(&of.name), Filter::Native(filter));
    for name in parts(&of.group_by, ',') {
        pattern.group_by.push(names.attribute(name)?);
    }
    pattern.having = names.expression(&of.having)?;
    Ok(pattern)
}

/// `P1.user = P2.user AND ..`
fn relations(text: &str, names: &mut Names) -> Result<Vec<String>, String> {
    let mut all: Vec<String> = vec![String::new()];
    for word in parts(text, ' ') {
        match (word.eq_ignore_ascii_case("AND"), all.last_mut()) {
            (false, Some(last)) => *last += &format!(" {word}"),
            (true, _) | (false, None) => all.push(String::new()),
        }
    }
    let mut relations = Vec::new();
    for part in all.iter().flat_map(|part| parts(part, ',')) {
        let part = match part.strip_prefix('(') {
            Some(inner) => inner.strip_suffix(')').unwrap_or(inner),
            None => part,
        };
        let sides = parts(part, '=');
        let [left, right] = &sides[..] else {
            let part: String = part.chars().take(80).collect();
            let part = crate::escape::value(&part).into_owned();
            return Err(format!(
                "the relation `{part}` between subpatterns has no counterpart"
            ));
        };
        let (left, sign) = match left.strip_suffix('!') {
            Some(left) => (left, "!="),
            None => (*left, "="),
        };
        let (left, right) = (side(left, names)?, side(right, names)?);
        relations.push(format!("{left} {sign} {right}"));
    }
    Ok(relations)
}

/// `Pattern.attribute`, also with a colon.
fn side(text: &str, names: &mut Names) -> Result<String, String> {
    let text = text.trim();
    let split = text
        .find(['.', ':'])
        .ok_or("a relation names a pattern and its attribute")?;
    let (pattern, attribute) = text.split_at(split);
    let attribute = names.attribute(attribute.get(1..).unwrap_or_default())?;
    Ok(format!("{}.{attribute}", plain(pattern)))
}

/// `incidentAttribute = Pattern.attribute`, between commas.
fn arguments(text: &str, draft: &mut Draft, names: &mut Names) -> Result<(), String> {
    for part in parts(text, ',') {
        let sides = parts(part, '=');
        let [name, value] = &sides[..] else {
            return Err("its incident attributes are not such as user = Filter.user".to_owned());
        };
        let Some((pattern, inner)) = value.split_once('.') else {
            draft.warn(format!(
                "the incident attribute {name} is not that of a subpattern: left out"
            ));
            continue;
        };
        let pattern = plain(pattern);
        let known = draft.patterns.iter().find(|known| known.name == pattern);
        let group_by = known.map(|known| known.group_by.clone());
        let group_by =
            group_by.ok_or_else(|| format!("its incident attribute {name} names no subpattern"))?;
        let inner = match inner.contains('(') {
            true => names.expression(inner)?,
            false => names.attribute(inner)?,
        };
        if !inner.contains('(') && !group_by.contains(&inner) {
            draft.warn(format!(
                "the incident attribute {name} is neither grouped by nor counted: left out"
            ));
            continue;
        }
        draft
            .attributes
            .push(((*name).to_owned(), format!("{pattern}.{inner}")));
    }
    Ok(())
}

fn attack(of: &Shape, draft: &mut Draft) {
    for text in &of.tactics {
        let named = mitre::tactic(text).map(|(id, _)| id.to_owned());
        draft
            .tactics
            .extend(named.or_else(|| mitre::tactic_id(text)));
    }
    if draft.tactics.is_empty() {
        let named = mitre::tactic(&of.sub_function);
        draft.tactics.extend(named.map(|(id, _)| id.to_owned()));
    }
    for text in &of.techniques {
        let first = text.split_whitespace().next().unwrap_or_default();
        draft.techniques.extend(mitre::technique_id(first));
    }
}

fn identifier(id: &str, name: &str) -> String {
    let valid = |c: char| {
        if c.is_ascii_alphanumeric() || "_-.:".contains(c) {
            c
        } else {
            '_'
        }
    };
    let text = if id.trim().is_empty() {
        format!("PH_Rule_{name}")
    } else {
        id.trim().to_owned()
    };
    text.chars().map(valid).take(200).collect()
}

/// FortiSIEM's name of a category, or none.
fn category(function: &str) -> String {
    let known = ["Availability", "Performance", "Change", "Security", "Other"];
    let found = known
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(function.trim()));
    found.unwrap_or_default().to_owned()
}

fn seconds(text: &str, what: &str) -> Result<Second, String> {
    let digits: String = text
        .trim()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits
        .parse()
        .map_err(|_| format!("{what} is no number of seconds"))
}

/// A name of a pattern as conditions have it.
fn plain(name: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c
        } else {
            '_'
        }
    };
    let name: String = name.trim().chars().map(letter).collect();
    match name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        true => name,
        false => format!("P{name}"),
    }
}
