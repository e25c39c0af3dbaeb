//! What fields of other tools are called here: data, in schemas/fields.

use std::collections::HashMap;

use super::condition::{Filter, Is, Operand};
use super::dialect::Dialect;
use super::foreign::{entries, get, items, text, text_at};
use crate::event::Attribute;
use crate::normalise;
use crate::rule::attribute;
use crate::rule::lint;
use crate::rule::yaml::{self, Node};

const SIGMA: &str = include_str!("../../../schemas/fields/sigma.yaml");
const ELASTIC: &str = include_str!("../../../schemas/fields/elastic.yaml");
const SENTINEL: &str = include_str!("../../../schemas/fields/sentinel.yaml");
const FORTISIEM: &str = include_str!("../../../schemas/fields/fortisiem.yaml");

/// What stands in a table for the operation of a record: compared as a whole it is the event type.
const OPERATION: &str = "operation";

/// The names of a dialect.
#[derive(Clone, Debug, Default)]
pub struct Table {
    sources: Vec<Source>,
    common: HashMap<String, String>,
    /// Which records are of a data set, by its name.
    datasets: Vec<(String, String)>,
    /// Fields, or what they begin with, that no record has.
    unsent: Vec<String>,
    /// Fields that follow from what else is asked for.
    implied: Vec<String>,
}

/// Where the events of a rule come from, and what their fields are called.
#[derive(Clone, Debug, Default)]
pub struct Source {
    when: Vec<(String, Vec<String>)>,
    /// A filter: which records these are.
    pub filter: String,
    /// To be said of every rule of this source.
    pub warning: String,
    /// Below this name of the record stand fields that have no name here.
    below: Vec<String>,
    /// What fields begin with that stand below it.
    cut: Vec<String>,
    /// Words are parted by `_`, and in the record by capitals.
    camel: bool,
    /// By name in lower case.
    fields: HashMap<String, String>,
    /// Of a field whose parts are looked for elsewhere than the whole.
    parts: HashMap<String, String>,
    values: HashMap<String, HashMap<String, String>>,
    warnings: HashMap<String, String>,
    /// Names with a `*` in lower case, and what they are with what stands there.
    patterns: Vec<(String, String)>,
}

/// A field, as rules of ours ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Field {
    /// An attribute, a path or a computed value.
    pub part: String,
    /// The same, where all of it is compared; empty: no other one.
    whole: String,
    /// It is the operation.
    operation: bool,
    /// Texts that the other tool has, and what stands in records.
    values: HashMap<String, String>,
    /// What to say of it.
    pub warning: Option<String>,
}

impl Table {
    /// The names of a dialect.
    pub fn of(dialect: Dialect) -> Table {
        let table = match dialect {
            Dialect::FortiSiem => FORTISIEM,
            Dialect::Sigma => SIGMA,
            Dialect::Elastic => ELASTIC,
            Dialect::Sentinel => SENTINEL,
        };
        let (documents, _) = yaml::documents(table);
        let root = documents.into_iter().next().map(|document| document.root);
        let Some(root) = root else {
            return Table::default();
        };
        let sources = get(&root, "sources").map(items).unwrap_or_default();
        Table {
            sources: sources.iter().map(source).collect(),
            common: get(&root, "common").map(pairs).unwrap_or_default(),
            datasets: get(&root, "datasets")
                .map(|node| {
                    entries(node)
                        .map(|(key, value)| (key.to_owned(), text(value).to_owned()))
                        .collect()
                })
                .unwrap_or_default(),
            unsent: get(&root, "unsent").map(lower).unwrap_or_default(),
            implied: get(&root, "implied").map(lower).unwrap_or_default(),
        }
    }

    /// Which records are of a data set, by its name.
    pub fn datasets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.datasets
            .iter()
            .map(|(name, filter)| (name.as_str(), filter.as_str()))
    }

    /// Whether no record has a field.
    pub fn is_unsent(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.unsent
            .iter()
            .any(|known| name.starts_with(known.as_str()))
    }

    /// Whether a field follows from what else is asked for.
    pub fn is_implied(&self, name: &str) -> bool {
        self.implied
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    }

    /// The first source for which all that is said of it is so.
    pub fn source(&self, said: &[(&str, &str)]) -> Option<&Source> {
        let holds = |(key, values): &(String, Vec<String>)| {
            let mut said = said.iter().filter(|(known, _)| known == key);
            said.any(|(_, value)| values.iter().any(|known| known.eq_ignore_ascii_case(value)))
        };
        let mut sources = self.sources.iter();
        sources.find(|source| source.when.iter().all(holds))
    }

    /// A field of a source.
    ///
    /// # Errors
    ///
    /// Its name cannot be a path.
    pub fn field(&self, source: &Source, name: &str) -> Result<Field, String> {
        let key = name.to_ascii_lowercase();
        let shorter = source
            .cut
            .iter()
            .find_map(|cut| key.strip_prefix(cut.as_str()));
        let known = [Some(key.as_str()), shorter].into_iter().flatten();
        let mut targets = known.filter_map(|key| {
            let target = source.fields.get(key).or_else(|| self.common.get(key));
            target.map(|target| (key, target))
        });
        let warning = source.warnings.get(&key).cloned();
        if let Some((key, target)) = targets.next() {
            let operation = target == OPERATION;
            let part = if operation { "opName" } else { target };
            let elsewhere = source.parts.get(key);
            return Ok(Field {
                part: elsewhere.cloned().unwrap_or_else(|| part.to_owned()),
                whole: part.to_owned(),
                operation,
                values: source.values.get(key).cloned().unwrap_or_default(),
                warning,
            });
        }
        if let Some(part) = source.named(name) {
            return Ok(Field {
                part,
                ..Field::default()
            });
        }
        let rest = shorter.and_then(|rest| name.get(name.len() - rest.len()..));
        let (part, places) = source.path(rest.unwrap_or(name))?;
        let places = places
            .then(|| format!("{name}: a place in a list is not asked for; every element of it is"));
        Ok(Field {
            part,
            warning: warning.or(places),
            ..Field::default()
        })
    }
}

impl Source {
    /// Of what no table says anything.
    pub fn unknown(warning: String) -> Source {
        Source {
            warning,
            ..Source::default()
        }
    }

    /// A field of which the table knows a name with a `*`.
    fn named(&self, name: &str) -> Option<String> {
        let lower = name.to_ascii_lowercase();
        self.patterns.iter().find_map(|(pattern, target)| {
            let (before, behind) = pattern.split_once('*')?;
            let inner = lower.strip_prefix(before)?.strip_suffix(behind)?;
            let end = before.len() + inner.len();
            let inner = name
                .get(before.len()..end)
                .filter(|inner| !inner.is_empty())?;
            let plain = inner
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
            plain.then(|| target.replace('*', &inner.replace('_', ".")))
        })
    }

    /// What fields of this name are, as a path, and whether places in lists were left out.
    fn path(&self, name: &str) -> Result<(String, bool), String> {
        let mut segments = self.below.clone();
        let mut places = false;
        for segment in name.split('.') {
            let segment = segment.trim();
            let is_place = !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit());
            places |= is_place;
            if !is_place && segment != "*" && !segment.is_empty() {
                segments.push(if self.camel {
                    camel(segment)
                } else {
                    segment.to_owned()
                });
            }
        }
        if segments.len() == self.below.len() {
            return Err(format!(
                "`{}` is no name of a field",
                crate::escape::value(name)
            ));
        }
        Ok((attribute::print(&Attribute::Path(segments)), places))
    }
}

impl Field {
    /// A field that is called the same here.
    pub fn named(part: &str) -> Field {
        Field {
            part: part.to_owned(),
            ..Field::default()
        }
    }

    /// It equals this.
    pub fn equal(&self, operand: Operand) -> Filter {
        let whole = if self.whole.is_empty() {
            &self.part
        } else {
            &self.whole
        };
        let operands = match operand {
            Operand::Text(text) => {
                let known = self.values.get(&text.to_ascii_lowercase());
                let texts = known.map_or_else(
                    || vec![text.clone()],
                    |known| known.split('|').map(str::to_owned).collect(),
                );
                texts.into_iter().map(Operand::Text).collect()
            }
            Operand::Number(_) | Operand::Network(_) | Operand::List(_) => vec![operand],
        };
        match &operands[..] {
            [Operand::Text(text)] if self.operation => {
                let event_type = normalise::event_type(text);
                match lint::is_older_name(&event_type) {
                    // A whole category has this operation, and its events other types.
                    true => Filter::Test(self.part.clone(), Is::One(operands)),
                    false => {
                        let event_type = vec![Operand::Text(event_type)];
                        Filter::Test("eventType".to_owned(), Is::One(event_type))
                    }
                }
            }
            _ => Filter::Test(whole.clone(), Is::One(operands)),
        }
    }

    /// It is an empty text. Attributes that have a name are then absent.
    pub fn empty(&self) -> Filter {
        match self.part.starts_with("record.") {
            true => self.equal(Operand::Text(String::new())),
            false => Filter::there(&self.part).negated(),
        }
    }

    /// What groups and aggregates are made of.
    pub fn grouped(&self) -> &str {
        if self.operation {
            "eventType"
        } else {
            &self.part
        }
    }
}

fn source(node: &Node) -> Source {
    let when = get(node, "when").map(entries).into_iter().flatten();
    let values = get(node, "values").map(entries).into_iter().flatten();
    Source {
        when: when
            .map(|(key, values)| (key.to_owned(), lower(values)))
            .collect(),
        filter: text_at(node, "where").to_owned(),
        warning: text_at(node, "warning").to_owned(),
        below: get(node, "below").map(words).unwrap_or_default(),
        cut: get(node, "cut").map(lower).unwrap_or_default(),
        camel: text_at(node, "camel") == "true",
        fields: get(node, "fields").map(pairs).unwrap_or_default(),
        values: values
            .map(|(key, node)| (key.to_ascii_lowercase(), pairs(node)))
            .collect(),
        parts: get(node, "parts").map(pairs).unwrap_or_default(),
        warnings: get(node, "warnings").map(pairs).unwrap_or_default(),
        patterns: get(node, "patterns")
            .map(pairs)
            .into_iter()
            .flatten()
            .collect(),
    }
}

fn words(node: &Node) -> Vec<String> {
    text(node).split('.').map(str::to_owned).collect()
}

fn pairs(node: &Node) -> HashMap<String, String> {
    let pairs = entries(node);
    pairs
        .map(|(key, value)| (key.to_ascii_lowercase(), text(value).to_owned()))
        .collect()
}

/// `app_display_name` as `appDisplayName`.
fn camel(name: &str) -> String {
    let mut words = name.split('_').filter(|word| !word.is_empty());
    let mut text = words.next().unwrap_or(name).to_owned();
    for word in words {
        let mut letters = word.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text += letters.as_str();
    }
    text
}

fn lower(node: &Node) -> Vec<String> {
    items(node)
        .iter()
        .map(text)
        .map(str::to_ascii_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Attributes;
    use crate::rule::Filter as Checked;

    #[test]
    fn all_that_the_tables_say_is_known_to_rules() {
        let check = |text: &str| {
            let filter = Checked::parse(text, &mut Attributes::default());
            assert!(filter.is_ok(), "{text}: {filter:?}");
        };
        let mut targets = 0;
        for dialect in Dialect::ALL {
            let table = Table::of(dialect);
            assert!(!table.sources.is_empty(), "{dialect:?}");
            for source in &table.sources {
                if !source.filter.is_empty() {
                    check(&source.filter);
                }
                let parts = source.fields.values().chain(source.parts.values());
                for part in parts.filter(|part| *part != OPERATION) {
                    check(&format!("{part} IS NOT NULL"));
                    targets += 1;
                }
                for (pattern, target) in &source.patterns {
                    let named = source.named(&pattern.replace('*', "a_b")).unwrap();
                    assert_eq!(named, target.replace('*', "a.b"));
                    check(&format!("{named} IS NOT NULL"));
                }
            }
            for (_, filter) in table.datasets() {
                check(filter);
            }
        }
        assert!(targets > 100, "{targets}");
    }
}
