//! Tables of networks, which `NetLookup` reads: whose an address is, and where.
//!
//! They are too large for the log. A plan names them by the hash of their bytes, and each worker
//! has the files. Only the first stage looks into them.

mod mmdb;
mod networks;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::RuleError;
use super::nearest::{self, shown};
use crate::event::Value;
use crate::record::Hash;
use mmdb::Database;
use networks::Networks;

/// Bytes of a table.
pub const TABLE_BYTES_MAX: usize = 512 << 20;

/// Tables of a rule set.
pub const TABLES_MAX: usize = 64;

/// What columns are called in files of different makers, by short names for them: the first that
/// a table has counts.
const SHORT: [(&str, &[&str]); 3] = [
    ("asn", &["asn", "autonomous_system_number"]),
    (
        "organization",
        &["organization", "autonomous_system_organization", "as_name"],
    ),
    (
        "country",
        &[
            "country.iso_code",
            "country_code",
            "country",
            "country_iso_code",
        ],
    ),
];

/// A table: what is known of networks.
#[derive(Debug)]
pub struct Table {
    hash: Hash,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Database(Database),
    Networks(Networks),
}

/// Where a table has what is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    /// Keys on the way to it.
    Path(Vec<String>),
    /// The place in a row.
    Cell(usize),
}

/// Tables by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    tables: BTreeMap<String, Arc<Table>>,
}

/// A file that may hold a table, with what was read of it.
#[derive(Clone, Debug, PartialEq)]
pub struct TableFile {
    /// Where it is.
    pub path: String,
    /// The table, or what is wrong with it.
    pub table: Result<Arc<Table>, Vec<RuleError>>,
}

/// What an expression asks a table for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Name of the table.
    pub table: String,
    /// Name of the column.
    pub column: String,
    /// `None`: nobody here has the table, so that nothing is known.
    found: Option<(Arc<Table>, Column)>,
}

/// The same is asked, whatever a table holds.
impl PartialEq for Asked {
    fn eq(&self, other: &Asked) -> bool {
        self.table == other.table && self.column == other.column
    }
}

/// The same bytes say the same.
impl PartialEq for Table {
    fn eq(&self, other: &Table) -> bool {
        self.hash == other.hash
    }
}

impl TableFile {
    /// The table in these bytes of a file that ends in `.mmdb` or `.csv`.
    pub fn of(path: &str, bytes: Vec<u8>) -> TableFile {
        let wrong = |line: usize, message: String| RuleError {
            file: path.to_owned(),
            line,
            column: 1,
            message,
        };
        let (name, ending) = stem(path);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let table = if name.is_empty() || !name.chars().all(is_name) {
            let name = shown(name);
            let message = format!("a table's name has letters, digits, _ and -: rename `{name}`");
            Err(vec![wrong(1, message)])
        } else if bytes.len() > TABLE_BYTES_MAX {
            let found = bytes.len();
            let message = format!("a table has at most {TABLE_BYTES_MAX} bytes, found {found}");
            Err(vec![wrong(1, message)])
        } else {
            let hash = Hash::of(&bytes);
            let content = match ending.eq_ignore_ascii_case("mmdb") {
                true => Database::of(bytes)
                    .map(Content::Database)
                    .map_err(|message| vec![wrong(1, message)]),
                false => Networks::of(&bytes)
                    .map(Content::Networks)
                    .map_err(|faults| {
                        let faults = faults.into_iter();
                        faults
                            .map(|fault| wrong(fault.line, fault.message))
                            .collect()
                    }),
            };
            content.map(|content| Arc::new(Table { hash, content }))
        };
        TableFile {
            path: path.to_owned(),
            table,
        }
    }
}

/// The name of a file without its folder, and its ending.
fn stem(path: &str) -> (&str, &str) {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.rsplit_once('.').unwrap_or((name, ""))
}

impl Table {
    /// Hash of its bytes.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Where it has what is called so.
    fn column(&self, name: &str) -> Result<Column, String> {
        let short = SHORT
            .iter()
            .find(|(short, _)| short.eq_ignore_ascii_case(name));
        let names = short.map_or(std::slice::from_ref(&name), |(_, names)| names);
        let found = match &self.content {
            Content::Database(database) => {
                let found = names.iter().find_map(|name| database.path(name));
                found.map(Column::Path).ok_or_else(String::new)
            }
            Content::Networks(networks) => {
                let found = names.iter().find_map(|name| networks.column(name));
                let known: Vec<&str> = networks.columns().collect();
                found
                    .map(Column::Cell)
                    .ok_or_else(|| nearest::hint(name, &known))
            }
        };
        found.map_err(|hint| format!("has no column `{}`{hint}", shown(name)))
    }

    fn value(&self, address: IpAddr, column: &Column) -> Option<Value<'_>> {
        match (&self.content, column) {
            (Content::Database(database), Column::Path(path)) => database.value(address, path),
            (Content::Networks(networks), Column::Cell(place)) => networks.value(address, *place),
            (Content::Database(_), Column::Cell(_)) | (Content::Networks(_), Column::Path(_)) => {
                None
            }
        }
    }
}

impl Tables {
    /// The tables of these files, and everything that is wrong with them.
    pub fn of(files: &[TableFile]) -> (Tables, Vec<RuleError>) {
        let mut tables = Tables::default();
        let mut errors = Vec::new();
        let mut from: BTreeMap<&str, &str> = BTreeMap::new();
        let wrong = |file: &TableFile, message: String| RuleError {
            file: file.path.clone(),
            line: 1,
            column: 1,
            message,
        };
        for file in files {
            let (name, _) = stem(&file.path);
            if let Some(first) = from.insert(name, &file.path) {
                let message = format!("the table `{name}` is already that of {first}");
                errors.push(wrong(file, message));
            }
            match &file.table {
                Ok(table) => {
                    tables.tables.insert(name.to_owned(), Arc::clone(table));
                }
                Err(found) => errors.extend(found.iter().cloned()),
            }
        }
        if let Some(file) = files.get(TABLES_MAX) {
            let message = format!("a rule set has at most {TABLES_MAX} tables");
            errors.push(wrong(file, message));
        }
        (tables, errors)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Table>)> {
        self.tables
            .iter()
            .map(|(name, table)| (name.as_str(), table))
    }

    /// The hashes of their bytes, by name.
    pub fn hashes(&self) -> BTreeMap<String, Hash> {
        let hashes = self.tables.iter();
        hashes
            .map(|(name, table)| (name.clone(), table.hash))
            .collect()
    }

    /// Adds those of `other`.
    pub fn extend(&mut self, other: &Tables) {
        let other = other.tables.iter();
        self.tables
            .extend(other.map(|(name, table)| (name.clone(), Arc::clone(table))));
    }

    /// What is asked of the table called `name`, and the table alone.
    ///
    /// # Errors
    ///
    /// There is none, or it has no such column. Says which there are.
    pub fn ask(&self, name: &str, column: &str) -> Result<(Asked, Tables), String> {
        let Some(table) = self.tables.get(name) else {
            let known: Vec<&str> = self.tables.keys().map(String::as_str).collect();
            let hint = match known[..] {
                [] => "; there are no tables yet".to_owned(),
                [..] => nearest::hint(name, &known),
            };
            return Err(format!(
                "no table is called `{0}` (tables/{0}.mmdb or tables/{0}.csv beside the rules, or \
                 `tables` in the configuration){hint}",
                shown(name)
            ));
        };
        let place = table.column(column);
        let place = place.map_err(|why| format!("the table `{}` {why}", shown(name)))?;
        let mut alone = Tables::default();
        alone.tables.insert(name.to_owned(), Arc::clone(table));
        let asked = Asked {
            table: name.to_owned(),
            column: column.to_owned(),
            found: Some((Arc::clone(table), place)),
        };
        Ok((asked, alone))
    }
}

impl Asked {
    /// The same of a table that nobody here has, or not with that column.
    pub fn of_none(table: &str, column: &str) -> Asked {
        Asked {
            table: table.to_owned(),
            column: column.to_owned(),
            found: None,
        }
    }

    /// Asks the table of that name among these, if it is there.
    pub fn look_in(&mut self, tables: &Tables) {
        if let Ok((found, _)) = tables.ask(&self.table, &self.column) {
            *self = found;
        }
    }

    /// What the table says of an address; `None`: nothing.
    pub fn of(&self, address: IpAddr) -> Option<Value<'_>> {
        let (table, column) = self.found.as_ref()?;
        table.value(address, column)
    }
}
