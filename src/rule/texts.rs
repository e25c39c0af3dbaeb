//! The texts of a rule set to its rules and lists, or to all that is wrong with them.

use std::collections::HashMap;
use std::sync::Arc;

use super::bounds::FILE_BYTES_MAX;
use super::lists::Lists;
use super::macros::Macros;
use super::macros_reader;
use super::own::Own;
use super::scope::{Age, Scope};
use super::tables::{TableFile, Tables};
use super::yaml::{self, Position};
use super::{Rule, RuleError, characters, document, reader};
use crate::event::Attributes;

/// The texts of a rule set, each with the name of its file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texts {
    /// Files of rules.
    pub rules: Vec<(String, String)>,
    /// Files of lists, `NAME.txt` and `NAME.csv`.
    pub lists: Vec<(String, String)>,
    /// Files of attributes, `NAME.toml`.
    pub attributes: Vec<(String, String)>,
    /// Tables of networks, `NAME.mmdb` and `NAME.csv`.
    pub tables: Vec<TableFile>,
}

impl Texts {
    /// The rules and the lists in these texts; or every error of every file, by file, line and
    /// column.
    ///
    /// The attributes that the rules use are added to `attributes`.
    ///
    /// # Errors
    ///
    /// Those of the files.
    pub fn parse(&self, attributes: &mut Attributes) -> Result<(Vec<Rule>, Lists), Vec<RuleError>> {
        let (lists, mut errors) = Lists::parse(&self.lists);
        let own = Own::parse(&self.attributes).map_err(|found| errors.extend(found));
        let (tables, found) = Tables::of(&self.tables);
        errors.extend(found);
        let lists = lists.with_own(Arc::new(own.unwrap_or_default()));
        let lists = lists.with_tables(tables);
        match parse_all(&self.rules, &lists, attributes) {
            Ok(rules) if errors.is_empty() => Ok((rules, lists)),
            Ok(_) => Err(sorted(errors)),
            Err(more) => {
                errors.extend(more);
                Err(sorted(errors))
            }
        }
    }
}

/// All rules of one file's text, which name no lists; every error of it at once.
pub fn parse(
    file: &str,
    text: &str,
    attributes: &mut Attributes,
) -> Result<Vec<Rule>, Vec<RuleError>> {
    let files = [(file.to_string(), text.to_string())];
    parse_all(&files, &Lists::default(), attributes)
}

/// All rules of a text that was checked when it came into use, perhaps by an older version, and
/// which may name these lists: what newer versions call a slip is none here.
///
/// # Errors
///
/// Those of the text.
pub fn parse_with(
    file: &str,
    text: &str,
    lists: &Lists,
    attributes: &mut Attributes,
) -> Result<Vec<Rule>, Vec<RuleError>> {
    let files = [(file.to_string(), text.to_string())];
    attributes.know(lists.own().names());
    Set::read(&files, Scope::of_log(lists), attributes)
}

/// The rules of these files, given as (file, text), in their order, which may name these lists; or
/// every error of every file, by file, line and column.
///
/// The attributes that the rules use are added to `attributes`.
pub fn parse_all(
    files: &[(String, String)],
    lists: &Lists,
    attributes: &mut Attributes,
) -> Result<Vec<Rule>, Vec<RuleError>> {
    attributes.know(lists.own().names());
    Set::read(files, Scope::of(lists), attributes)
}

/// The rules of a set read so far, and all that is wrong with them.
#[derive(Default)]
struct Set {
    rules: Vec<Rule>,
    errors: Vec<RuleError>,
    /// Where each id stands.
    ids: HashMap<String, String>,
}

impl Set {
    fn read<'t>(
        files: &'t [(String, String)],
        scope: Scope<'t>,
        attributes: &mut Attributes,
    ) -> Result<Vec<Rule>, Vec<RuleError>> {
        let mut set = Set::default();
        let (macros, errors) = match scope.age {
            Age::New => Macros::read(files, scope.lists, attributes),
            Age::Old => (Macros::default(), Vec::new()),
        };
        set.errors = errors;
        let mut scope = Scope {
            macros: Some(&macros),
            ..scope
        };
        for (file, text) in files {
            let mut reader = reader::Reader {
                file,
                text,
                scope,
                errors: Vec::new(),
            };
            set.file(&mut reader, attributes);
            set.errors.append(&mut reader.errors);
            scope = reader.scope;
        }
        if set.errors.is_empty() {
            Ok(set.rules)
        } else {
            Err(sorted(set.errors))
        }
    }

    fn file(&mut self, reader: &mut reader::Reader<'_>, attributes: &mut Attributes) {
        let text = reader.text;
        if text.len() > FILE_BYTES_MAX {
            let (at, found) = (Position { line: 1, column: 1 }, text.len());
            let message =
                format!("a file of rules has at most {FILE_BYTES_MAX} bytes, found {found}");
            return reader.error(at, message);
        }
        if reader.scope.age == Age::New && has_refused(reader) {
            return;
        }
        let (documents, problems) = yaml::documents(text);
        for problem in problems {
            reader.error(problem.at, problem.message);
        }
        for document in &documents {
            if reader.is_full() {
                return;
            }
            if reader.scope.age == Age::New && macros_reader::is_in(document) {
                continue;
            }
            reader.scope.named.clear();
            let mut loaded = document::read(reader, document, attributes);
            if let (Some(rule), false) = (&mut loaded.rule, reader.scope.named.is_empty()) {
                rule.text = macros_reader::resolved(rule, attributes, &reader.scope.named);
                document::check_size(reader, document, rule.text.len());
            }
            if let Some((id, at)) = loaded.id {
                if let Some(first) = self.ids.get(&id) {
                    reader.error(at, format!("the id `{id}` is already that of {first}"));
                } else {
                    self.ids.insert(id, format!("{}:{}", reader.file, at.line));
                }
            }
            self.rules.extend(loaded.rule);
        }
    }
}

/// Reports the control and format characters of a file. Nothing else is then said of it: it would
/// be said of what nobody sees.
fn has_refused(reader: &mut reader::Reader<'_>) -> bool {
    let before = reader.errors.len();
    for (line, column, c) in characters::in_file(reader.text) {
        reader.error(Position { line, column }, characters::refusal(c));
    }
    reader.errors.len() > before
}

fn sorted(mut errors: Vec<RuleError>) -> Vec<RuleError> {
    errors.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    errors
}
