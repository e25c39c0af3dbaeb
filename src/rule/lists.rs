//! Lists and lookup tables: what `Group@name` and the `LookupTable` functions read.
//!
//! A list is a file `lists/NAME.txt` (one value a line, `#` before a comment) or `lists/NAME.csv`
//! (a header line; the first column is the key). Values are compared without regard to ASCII
//! case; a value that is an address, a network or a range has in it the addresses it means.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::bounds::NETWORKS_MAX;
use super::own::Own;
use super::tables::Tables;
use super::{RuleError, nearest, networks};
use crate::bounded;
use crate::event::Value;

mod read;

/// What a broker takes of a list in one message, with room for its envelope.
const BYTES_MAX: usize = 900_000;

/// A list, or a lookup table: its rows by the values in their first column.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    content: Content,
    /// Places of rows by the lower-case text of their first column.
    texts: HashMap<String, Vec<usize>>,
    /// The same where that is an address, a network, or one of those that a range is made of.
    networks: HashMap<IpNet, Vec<usize>>,
    /// The lengths of prefixes that occur, longest first: the closest network counts.
    lengths: Vec<u8>,
}

/// What the log holds of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Content {
    /// Names of the columns; none for a plain list.
    columns: Vec<String>,
    /// As many values in each as there are columns, at least one.
    rows: Vec<Vec<String>>,
}

/// What texts of rules may name besides what they hold themselves: lists by their names, attributes
/// that users bring, and tables of networks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lists {
    lists: BTreeMap<String, Arc<List>>,
    own: Arc<Own>,
    tables: Tables,
}

/// A list as an expression names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// Name of the file, without its ending.
    pub name: String,
    /// What is in it.
    pub list: Arc<List>,
}

impl List {
    fn new(content: Content) -> List {
        let mut texts: HashMap<String, Vec<usize>> = HashMap::new();
        let mut networks: HashMap<IpNet, Vec<usize>> = HashMap::new();
        for (place, row) in content.rows.iter().enumerate() {
            let Some(key) = row.first() else { continue };
            let lower = key.to_ascii_lowercase();
            if let Cow::Owned(bounded) = bounded::value(&lower) {
                // So incidents show it.
                texts.entry(bounded).or_default().push(place);
            }
            texts.entry(lower).or_default().push(place);
            for network in networks::of(key).take(NETWORKS_MAX.saturating_sub(networks.len())) {
                networks.entry(network).or_default().push(place);
            }
        }
        let mut lengths: Vec<u8> = networks.keys().map(IpNet::prefix_len).collect();
        lengths.sort_unstable();
        lengths.dedup();
        lengths.reverse();
        List {
            content,
            texts,
            networks,
            lengths,
        }
    }

    /// The list in the bytes that [`List::to_json`] made.
    ///
    /// # Errors
    ///
    /// They are not such bytes: says why.
    pub fn from_json(bytes: &[u8]) -> Result<List, String> {
        let content: Content = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let width = content.columns.len().max(1);
        if content.rows.iter().any(|row| row.len() != width) {
            return Err("its rows have different lengths".to_owned());
        }
        Ok(List::new(content))
    }

    /// Its content in canonical form: equal for lists that give equal results in every rule.
    pub fn to_json(&self) -> Vec<u8> {
        // Texts in lists are what JSON can always hold.
        serde_json::to_vec(&self.content).unwrap_or_default()
    }

    /// The number of values, or of rows.
    pub fn len(&self) -> usize {
        self.content.rows.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.content.rows.is_empty()
    }

    /// Names of the columns; none for a plain list.
    pub fn columns(&self) -> &[String] {
        &self.content.columns
    }

    /// Whether `value` is in the first column; one of several is enough.
    pub fn has(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Many(values) => values.iter().any(|value| self.has(value)),
            Value::Text(_) | Value::Integer(_) | Value::Float(_) | Value::Bool(_) => {
                let text = super::plain::text(value);
                text.is_some_and(|text| self.row(&[text]).is_some())
            }
        }
    }

    /// The row whose first columns have these values: the first one that says so word by word,
    /// else that of the closest network.
    pub fn row(&self, keys: &[Cow<'_, str>]) -> Option<&[String]> {
        let (first, rest) = keys.split_first()?;
        let agrees = |row: &[String]| {
            let columns = row.iter().skip(1);
            rest.iter()
                .zip(columns)
                .all(|(key, value)| bounded::equal(key, value))
        };
        let row = |place: &usize| self.content.rows.get(*place).map(Vec::as_slice);
        let named = self.texts.get(&*lower(first)).into_iter().flatten();
        let found = named.filter_map(row).find(|row| agrees(row));
        if found.is_some() || self.lengths.is_empty() {
            return found;
        }
        let address = networks::address(first)?;
        self.lengths
            .iter()
            .filter_map(|length| IpNet::new(address, *length).ok())
            .filter_map(|network| self.networks.get(&network.trunc()))
            .flatten()
            .filter_map(row)
            .find(|row| agrees(row))
    }

    /// Its values in ASCII lower case, if they are all the texts that it has in it.
    pub fn all_texts(&self) -> Option<Vec<String>> {
        let texts = || self.texts.keys().cloned().collect();
        self.networks.is_empty().then(texts)
    }
}

/// The text in ASCII lower case, without a copy where it is so already.
fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

impl Lists {
    /// The lists in these files, given as (file, text), and everything that is wrong with them.
    /// A list with an error is there too, so that rules that name it have no error of their own.
    pub fn parse(files: &[(String, String)]) -> (Lists, Vec<RuleError>) {
        let mut lists = Lists::default();
        let mut errors = Vec::new();
        let mut from: BTreeMap<String, &str> = BTreeMap::new();
        for (file, text) in files {
            let (name, read) = read::list(file, text);
            let list = read.unwrap_or_else(|found| {
                errors.extend(found);
                List::new(Content {
                    columns: Vec::new(),
                    rows: Vec::new(),
                })
            });
            if let Some(first) = from.insert(name.clone(), file) {
                let message = format!("the list `{name}` is already that of {first}");
                errors.push(read::Fault::of_file(message).error(file));
            }
            lists.lists.insert(name, Arc::new(list));
        }
        (lists, errors)
    }

    /// The list called `name`.
    ///
    /// # Errors
    ///
    /// There is none: says where it would be, and which ones there are.
    pub fn named(&self, name: &str) -> Result<Named, String> {
        let found = self.lists.get(name).map(|list| Named {
            name: name.to_owned(),
            list: Arc::clone(list),
        });
        found.ok_or_else(|| {
            let known: Vec<&str> = self.lists.keys().map(String::as_str).collect();
            let hint = match known[..] {
                [] => "; there are no lists yet".to_owned(),
                [..] => nearest::hint(name, &known),
            };
            format!(
                "no list is called `{0}` (lists/{0}.txt or lists/{0}.csv beside the rules){hint}",
                nearest::shown(name)
            )
        })
    }

    /// The same, and attributes that users bring.
    pub fn with_own(self, own: Arc<Own>) -> Lists {
        Lists { own, ..self }
    }

    /// The same, and tables of networks.
    pub fn with_tables(self, tables: Tables) -> Lists {
        Lists { tables, ..self }
    }

    /// Tables of networks.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Adds tables of networks.
    pub fn extend_tables(&mut self, tables: &Tables) {
        self.tables.extend(tables);
    }

    /// The attributes that users bring.
    pub fn own(&self) -> &Arc<Own> {
        &self.own
    }

    /// Adds a list, in place of one of the same name.
    pub fn insert(&mut self, name: String, list: Arc<List>) {
        self.lists.insert(name, list);
    }

    /// Adds those of `other`.
    pub fn extend(&mut self, other: &Lists) {
        self.tables.extend(&other.tables);
        let other = other.iter();
        self.lists
            .extend(other.map(|(name, list)| (name.to_owned(), Arc::clone(list))));
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<List>)> {
        self.lists.iter().map(|(name, list)| (name.as_str(), list))
    }
}

#[cfg(test)]
mod tests;
