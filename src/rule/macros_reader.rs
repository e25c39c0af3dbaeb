//! Documents of macros, read and checked.

use std::collections::{BTreeMap, BTreeSet};

use super::attribute::Names;
use super::bounds::{MACRO_BYTES_MAX, MACROS_MAX};
use super::exceptions;
use super::lists::Lists;
use super::macros::{Macros, SharedException, SharedFilter, name};
use super::nearest::shown;
use super::reader::{Fields, Reader};
use super::scope::Scope;
use super::token::{Cursor, Token};
use super::yaml::{self, Content, Document, Key, Node};
use super::{Filter, Rule, RuleError, switches};
use crate::event::Attributes;

/// The key of a document of macros.
pub const KEY: &str = "macros";

/// The keys of `macros`.
pub const KEYS: &[&str] = &["filters", "exceptions"];

/// Filters of which it is said how they come back to themselves.
const SEARCHES_MAX: usize = 20;

/// Whether a document holds macros.
pub fn is_in(document: &Document<'_>) -> bool {
    match &document.root.content {
        Content::Mapping(entries) => entries.iter().any(|(key, _)| key.text == KEY),
        Content::Scalar(_) | Content::Sequence(_) => false,
    }
}

impl Macros {
    /// Those of these files, given as (file, text), and everything that is wrong with them.
    /// `attributes` has the names that users bring.
    pub fn read(
        files: &[(String, String)],
        lists: &Lists,
        attributes: &Attributes,
    ) -> (Macros, Vec<RuleError>) {
        let mut macros = Macros::default();
        let mut errors = Vec::new();
        let named = files.iter().filter(|(_, text)| text.contains(KEY));
        let read = named.map(|(file, text)| {
            let reader = Reader {
                file,
                text,
                scope: Scope::of(lists),
                errors: Vec::new(),
            };
            let (mut documents, _) = yaml::documents(text);
            documents.retain(is_in);
            (reader, documents)
        });
        let mut read: Vec<(Reader<'_>, Vec<Document<'_>>)> = read.collect();
        for (reader, documents) in &mut read {
            let nodes = documents
                .iter()
                .filter_map(|document| fields(reader, document));
            let nodes: Vec<Fields<'_>> = nodes.collect();
            for fields in nodes {
                macros.filters(reader, fields);
                macros.exceptions(reader, fields);
            }
        }
        macros.find_uses();
        for (reader, documents) in &mut read {
            for document in documents {
                macros.check(reader, document, attributes);
            }
            errors.append(&mut reader.errors);
        }
        (macros, errors)
    }

    fn filters(&mut self, reader: &mut Reader<'_>, fields: Fields<'_>) {
        let Some(node) = fields.get("filters") else {
            return;
        };
        for (key, value) in reader.entries(node, "a mapping such as { Name: filter }", MACROS_MAX) {
            let Some(text) = reader.text(value, "a filter such as user = \"..\"") else {
                continue;
            };
            let known = self.filters.get(&key.text).map(|known| &known.place);
            if is_wrong(reader, key, known) || is_long(reader, value, text) {
                continue;
            }
            let shared = SharedFilter {
                text: text.into(),
                place: format!("{}:{}", reader.file, key.at.line),
            };
            self.filters.insert(key.text.clone(), shared);
        }
    }

    fn exceptions(&mut self, reader: &mut Reader<'_>, fields: Fields<'_>) {
        let Some(node) = fields.get("exceptions") else {
            return;
        };
        let expected = "a mapping such as { Name: { where: .. } }";
        for (key, value) in reader.entries(node, expected, MACROS_MAX) {
            let Some((filter, terms)) = exceptions::terms(reader, value) else {
                continue;
            };
            let Some(text) = exceptions::filter_text(reader, filter) else {
                continue;
            };
            let known = self.exceptions.get(&key.text).map(|known| &known.place);
            if is_wrong(reader, key, known) || is_long(reader, filter, text) {
                continue;
            }
            let shared = SharedException {
                filter: text.to_owned(),
                terms,
                place: format!("{}:{}", reader.file, key.at.line),
            };
            self.exceptions.insert(key.text.clone(), shared);
        }
    }

    /// Reports the filters of a document that are made of themselves, or are none over events.
    fn check(&mut self, reader: &mut Reader<'_>, document: &Document<'_>, known: &Attributes) {
        let Content::Mapping(root) = &document.root.content else {
            return;
        };
        let filters = root.iter().filter(|(key, _)| key.text == KEY);
        let filters = filters.flat_map(|(_, node)| entries(node));
        let filters = filters.filter(|(key, _)| key.text == "filters");
        for (key, node) in filters.flat_map(|(_, node)| entries(node)) {
            if !self.filters.contains_key(&key.text) {
                continue;
            }
            if let Some(way) = self.cycle(&key.text) {
                let way = way.join(" -> ");
                reader.error(key.at, format!("this filter is made of itself: {way}"));
                self.broken.insert(key.text.clone());
                continue;
            }
            let Content::Scalar(scalar) = &node.content else {
                continue;
            };
            let mut attributes = Attributes::with(known.own().into());
            let mut scope = Scope {
                macros: Some(self),
                ..Scope::of(reader.scope.lists)
            };
            let names = &mut Names::Event(&mut attributes);
            if let Err(errors) = Filter::parse_with(&scalar.text, names, &mut scope) {
                reader.errors_within(node, errors);
                self.broken.insert(key.text.clone());
            }
        }
    }

    /// Notes which filters name which, and as broken those that come to themselves.
    fn find_uses(&mut self) {
        let filters = self.filters.iter();
        let uses = filters.map(|(name, shared)| (name.clone(), uses(&shared.text)));
        self.uses = uses.collect();
        // Those that name only what is sound are sound, until there are no more of them.
        let mut open: BTreeMap<&str, usize> = BTreeMap::new();
        let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut sound: Vec<&str> = Vec::new();
        for (name, uses) in &self.uses {
            let known = uses.iter().filter(|used| self.uses.contains_key(*used));
            let mut count = 0;
            for used in known {
                users.entry(used).or_default().push(name);
                count += 1;
            }
            match count {
                0 => sound.push(name),
                _ => {
                    open.insert(name, count);
                }
            }
        }
        while let Some(name) = sound.pop() {
            for user in users.remove(name).unwrap_or_default() {
                if let Some(left) = open.get_mut(user) {
                    *left -= 1;
                    if *left == 0 {
                        open.remove(user);
                        sound.push(user);
                    }
                }
            }
        }
        self.broken = open.keys().map(|name| (*name).to_owned()).collect();
    }

    /// How a broken filter comes back to itself, if it does.
    fn cycle(&mut self, name: &str) -> Option<Vec<String>> {
        if !self.broken.contains(name) || self.searches >= SEARCHES_MAX {
            return None;
        }
        self.searches += 1;
        let next = |name: &str| self.uses.get(name).map(BTreeSet::iter);
        let mut way = vec![name.to_owned()];
        let mut seen = BTreeSet::new();
        let mut open: Vec<_> = next(name).into_iter().collect();
        while let Some(names) = open.last_mut() {
            match names.next() {
                Some(used) if used == name => {
                    way.push(used.clone());
                    return Some(way);
                }
                Some(used) if seen.insert(used.as_str()) => {
                    if let Some(names) = next(used) {
                        open.push(names);
                        way.push(used.clone());
                    }
                }
                Some(_) => {}
                None => {
                    open.pop();
                    way.pop();
                }
            }
        }
        None
    }
}

/// The text of a rule that names these macros as it goes into the log: what they say stands in
/// their place. Comments that switch lints off stay.
pub fn resolved(rule: &Rule, attributes: &Attributes, named: &BTreeSet<String>) -> String {
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let mut text = format!("# Macros are resolved: {}.\n", named.join(", "));
    for comment in switches::comments(&rule.text) {
        text += comment;
        text.push('\n');
    }
    text + &rule.to_yaml(attributes)
}

/// The filters that a filter's text names.
fn uses(text: &str) -> BTreeSet<String> {
    let mut uses = BTreeSet::new();
    let Ok(mut cursor) = Cursor::new(text) else {
        return uses;
    };
    loop {
        match cursor.next().token {
            Token::End => return uses,
            Token::Name(word) => uses.extend(name(word).map(str::to_owned)),
            Token::Text(_) | Token::Number(_) | Token::Symbol(_) => {}
        }
    }
}

fn fields<'n>(reader: &mut Reader<'_>, document: &'n Document<'_>) -> Option<Fields<'n>> {
    let root = reader.fields(&document.root, "a document of macros alone", &[KEY])?;
    reader.fields(root.get(KEY)?, "a mapping with filters or exceptions", KEYS)
}

fn entries(node: &Node) -> &[(Key, Node)] {
    match &node.content {
        Content::Mapping(entries) => entries,
        Content::Scalar(_) | Content::Sequence(_) => &[],
    }
}

/// Reports a name that is none, or is given already at `known`.
fn is_wrong(reader: &mut Reader<'_>, key: &Key, known: Option<&String>) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let message = match known {
        Some(place) => format!("`{}` is already that of {place}", shown(&key.text)),
        None if key.text.is_empty() || !key.text.chars().all(is_name) => format!(
            "a macro's name has letters, digits and _ only, found `{}`",
            shown(&key.text)
        ),
        None => return false,
    };
    reader.error(key.at, message);
    true
}

fn is_long(reader: &mut Reader<'_>, node: &Node, text: &str) -> bool {
    let found = text.len();
    let is_long = found > MACRO_BYTES_MAX;
    if is_long {
        let message = format!("a macro has at most {MACRO_BYTES_MAX} bytes, found {found}");
        reader.error(node.at, message);
    }
    is_long
}

#[cfg(test)]
#[path = "macros_tests.rs"]
mod tests;
