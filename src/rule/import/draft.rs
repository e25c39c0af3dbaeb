//! What a foreign rule says, in our words, and the rule that it is.

use serde_json::{Value, json};

use super::condition::{self, Filter};
use crate::escape;
use crate::event::Attributes;
use crate::rule::bounds::METADATA_MAX;
use crate::rule::metadata::{Metadata, Status};
use crate::rule::{Rule, RuleError, Texts, characters};
use crate::time::Second;

/// Texts that incidents carry are cut at so many bytes.
const SHORT_MAX: usize = 1_000;

/// A description is cut at so many bytes, a comment at so many characters.
const LONG_MAX: usize = 20_000;
const COMMENT_MAX: usize = 2_000;

/// How long an event counts where a foreign rule does not say it, as in FortiSIEM's own imports.
pub const WINDOW: Second = 300;

/// The severity of a rule that does not say it.
pub const SEVERITY: u8 = 5;

/// A rule as another tool has it.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Of letters, digits and `_-.:`; unique where it comes from.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it finds.
    pub description: String,
    /// What it says of itself, as the tool has it.
    pub metadata: Metadata,
    /// Whether it is not in force.
    pub disabled: bool,
    /// 1 to 10; 0: not said.
    pub severity: u8,
    /// FortiSIEM's; empty: Security.
    pub category: String,
    /// Mostly the first tactic, by name.
    pub subcategory: String,
    /// What is affected.
    pub impacts: String,
    /// Where the events come from.
    pub data_source: String,
    /// MITRE ATT&CK ids.
    pub tactics: Vec<String>,
    /// MITRE ATT&CK ids.
    pub techniques: Vec<String>,
    /// In seconds; 0: not said.
    pub window: Second,
    /// At least one.
    pub patterns: Vec<Pattern>,
    /// Operators between the patterns; empty: all of them.
    pub condition: String,
    /// `A.user = B.user`.
    pub relations: Vec<String>,
    /// Of incidents; empty: the name, and whom it is about.
    pub title: String,
    /// Incident attributes, `name` and `Pattern.attribute`; empty: those of the groups.
    pub attributes: Vec<(String, String)>,
    /// The pattern that ends incidents.
    pub clear: Option<String>,
    /// When nothing triggered for so long, an incident ends; 0: not said.
    pub quiet: Second,
    /// Filters over incidents that are not said, with `from` and `until`.
    pub exceptions: Vec<[String; 3]>,
    /// Names of the lists that it asks for, and what is to be in them.
    pub lists: Vec<(String, String)>,
    /// What the language has no place for, as key and value.
    pub notes: Vec<(String, String)>,
    /// Where what was written is not exactly what was read.
    pub warnings: Vec<String>,
}

/// A subpattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Unique in the rule.
    pub name: String,
    /// Which events match.
    pub filter: Filter,
    /// Attributes and paths.
    pub group_by: Vec<String>,
    /// A test over aggregates; empty: at least one event.
    pub having: String,
    /// Attributes whose values were not seen together for so long.
    pub new: Option<(Vec<String>, Second)>,
}

impl Pattern {
    /// Of single events.
    pub fn of(name: &str, filter: Filter) -> Pattern {
        Pattern {
            name: name.to_owned(),
            filter,
            group_by: Vec::new(),
            having: String::new(),
            new: None,
        }
    }
}

/// A rule, ready to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// With comments, in canonical form.
    pub text: String,
    /// Files of lists beside it, that are to be filled: name and text.
    pub lists: Vec<(String, String)>,
}

impl Draft {
    /// Says that something is not exactly as it was; once.
    pub fn warn(&mut self, warning: impl Into<String>) {
        let warning = warning.into();
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Keeps what the language has no place for.
    pub fn note(&mut self, key: &str, value: impl Into<String>) {
        let value = value.into();
        if !value.trim().is_empty() {
            self.notes.push((key.to_owned(), value));
        }
    }

    /// The rule that it is, with all that is known of it in comments.
    ///
    /// # Errors
    ///
    /// It says what the language cannot.
    pub fn write(&self) -> Result<Written, String> {
        let (rule, attributes) = self.rule(&self.document()?)?;
        let printed = rule.to_yaml(&attributes);
        let (again, others) = self.rule(&printed)?;
        if again.meaning(&others) != rule.meaning(&attributes) {
            return Err("printed and read again it means something else".to_owned());
        }
        let mut text = String::new();
        for (key, value) in &self.notes {
            text += &comment(&format!("{key}: {value}"));
        }
        for warning in &self.warnings {
            text += &comment(&format!("warning: {warning}"));
        }
        text += &printed;
        Ok(Written {
            text,
            lists: self.list_files(),
        })
    }

    fn rule(&self, text: &str) -> Result<(Rule, Attributes), String> {
        let texts = Texts {
            rules: vec![("rule".to_owned(), text.to_owned())],
            lists: self.list_files(),
            ..Texts::default()
        };
        let mut attributes = Attributes::default();
        let (rules, _) = texts
            .parse(&mut attributes)
            .map_err(|errors| said(&errors))?;
        let rule = rules.into_iter().next();
        rule.map(|rule| (rule, attributes))
            .ok_or_else(|| "there is no rule in it".to_owned())
    }

    fn list_files(&self) -> Vec<(String, String)> {
        let file = |(name, about): &(String, String)| (format!("lists/{name}.txt"), comment(about));
        self.lists.iter().map(file).collect()
    }

    /// The rule as one document: JSON, which is YAML.
    fn document(&self) -> Result<String, String> {
        let mut entries = Vec::new();
        let mut set = |key: &str, value: Value| entries.push(entry(key, &value.to_string()));
        set("id", json!(self.id));
        set("name", json!(short(&self.name, "rule without a name")));
        for (key, text) in [
            ("description", long(&self.description)),
            ("category", short(&self.category, "")),
            ("subcategory", short(&self.subcategory, "")),
            ("impacts", short(&self.impacts, "")),
            ("data_source", short(&self.data_source, "")),
            ("condition", self.condition.clone()),
        ] {
            if !text.is_empty() {
                set(key, json!(text));
            }
        }
        if self.disabled {
            set("enabled", json!(false));
        }
        for (key, value) in metadata(&self.metadata) {
            set(key, value);
        }
        let severity = if self.severity == 0 {
            SEVERITY
        } else {
            self.severity
        };
        set("severity", json!(severity));
        set("tactics", json!(self.tactics));
        set("techniques", json!(self.techniques));
        let window = if self.window == 0 {
            WINDOW
        } else {
            self.window
        };
        set("window", json!(format!("{window}s")));
        let patterns: Result<Vec<Value>, String> = self.patterns.iter().map(pattern).collect();
        set("patterns", json!(patterns?));
        if !self.relations.is_empty() {
            set("relations", json!(self.relations));
        }
        if self.quiet > 0 || self.clear.is_some() {
            let quiet = if self.quiet == 0 { window } else { self.quiet };
            let mut clear = json!({ "quiet": format!("{quiet}s") });
            if let (Some(pattern), Some(clear)) = (&self.clear, clear.as_object_mut()) {
                clear.insert("when".to_owned(), json!(pattern));
            }
            set("clear", clear);
        }
        if !self.exceptions.is_empty() {
            let exceptions = self.exceptions.iter().map(exception);
            set("exceptions", exceptions.collect());
        }
        entries.push(entry("incident", &self.incident()));
        Ok(object(&entries))
    }

    /// Its attributes keep their order.
    fn incident(&self) -> String {
        let title = match self.title.is_empty() {
            false => short(&self.title, ""),
            true => self.usual_title(),
        };
        let mut entries = vec![entry("title", &json!(title).to_string())];
        let attributes = self.attributes.iter();
        let attributes: Vec<String> = attributes
            .map(|(name, value)| entry(name, &json!(value).to_string()))
            .collect();
        if !attributes.is_empty() {
            entries.push(entry("attributes", &object(&attributes)));
        }
        object(&entries)
    }

    /// The name, and the user if there is one to each incident.
    fn usual_title(&self) -> String {
        let name = short(&self.name, "rule without a name");
        let mut grouped = self.patterns.iter().flat_map(|pattern| &pattern.group_by);
        match self.attributes.is_empty() && grouped.any(|name| name == "user") {
            true => format!("{name}: $user"),
            false => name,
        }
    }
}

/// What a rule says of itself, as far as it says it.
fn metadata(metadata: &Metadata) -> Vec<(&'static str, Value)> {
    let mut said = Vec::new();
    for (key, text) in [("version", &metadata.version), ("author", &metadata.author)] {
        let text = short(text, "");
        if !text.is_empty() {
            said.push((key, json!(text)));
        }
    }
    if metadata.status != Status::default() {
        said.push(("status", json!(metadata.status.name())));
    }
    for (key, texts) in [
        ("tags", &metadata.tags),
        ("references", &metadata.references),
        ("false_positives", &metadata.false_positives),
    ] {
        let texts = texts.iter().map(|text| long(text));
        let texts = texts.filter(|text| !text.trim().is_empty());
        let texts: Vec<String> = texts.take(METADATA_MAX).collect();
        if !texts.is_empty() {
            said.push((key, json!(texts)));
        }
    }
    said
}

/// A key of a JSON object with its value.
fn entry(key: &str, value: &str) -> String {
    format!("{}: {value}", json!(key))
}

fn object(entries: &[String]) -> String {
    format!("{{{}}}", entries.join(", "))
}

fn pattern(pattern: &Pattern) -> Result<Value, String> {
    let mut value = json!({
        "name": pattern.name,
        "where": condition::text(&pattern.filter)?,
        "group_by": pattern.group_by,
    });
    if let Some(map) = value.as_object_mut() {
        if !pattern.having.is_empty() {
            map.insert("having".to_owned(), json!(pattern.having));
        }
        if let Some((attributes, period)) = &pattern.new {
            let new = format!("[{}] over {period}s", attributes.join(", "));
            map.insert("new".to_owned(), json!(new));
        }
    }
    Ok(value)
}

fn exception(parts: &[String; 3]) -> Value {
    let [filter, from, until] = parts;
    let mut value = json!({ "where": filter });
    if let Some(map) = value.as_object_mut() {
        for (key, time) in [("from", from), ("until", until)] {
            if !time.is_empty() {
                map.insert(key.to_owned(), json!(time));
            }
        }
    }
    value
}

fn said(errors: &[RuleError]) -> String {
    let shown = errors.iter().take(3).map(|error| error.message.clone());
    shown.collect::<Vec<_>>().join("; ")
}

/// A line of a comment: nothing of it can end the line.
fn comment(text: &str) -> String {
    let joined: Vec<&str> = text.split_whitespace().collect();
    let cut: String = joined.join(" ").chars().take(COMMENT_MAX).collect();
    format!("# {}\n", escape::value(&cut))
}

/// A text of one line that incidents carry.
fn short(text: &str, otherwise: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(clean).collect();
    let joined = words.join(" ");
    match joined.is_empty() {
        true => otherwise.to_owned(),
        false => cut(&joined, SHORT_MAX).to_owned(),
    }
}

/// A text of several lines.
fn long(text: &str) -> String {
    let lines: Vec<String> = text
        .trim()
        .lines()
        .map(|line| clean(line.trim_end()))
        .collect();
    cut(&lines.join("\n"), LONG_MAX).to_owned()
}

/// Without characters that rules must not have.
fn clean(text: &str) -> String {
    let seen = |c: &char| !characters::is_refused(*c) && *c != '\t';
    text.chars().filter(seen).collect()
}

fn cut(text: &str, most: usize) -> &str {
    let mut ends = (0..=most.min(text.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}
