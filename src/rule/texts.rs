//! The texts of a rule set to its rules and lists, or to all that is wrong with them.

use super::lists::Lists;
use super::{Rule, document, reader, yaml};
use crate::event::Attributes;

/// What is wrong with the text of a filter, a `having` or a condition, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// In bytes from the beginning of the text.
    pub offset: usize,
    /// What was found, and what was expected.
    pub message: String,
}

impl std::fmt::Display for FilterError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at byte {}: {}", self.offset + 1, self.message)
    }
}

/// What is wrong with a rule file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// As it was given to [`parse_all`].
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What was found, and what was expected.
    pub message: String,
}

impl std::fmt::Display for RuleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.message
        )
    }
}

/// The texts of a rule set, each with the name of its file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texts {
    /// Files of rules.
    pub rules: Vec<(String, String)>,
    /// Files of lists, `NAME.txt` and `NAME.csv`.
    pub lists: Vec<(String, String)>,
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

/// All errors in one line, for where they are not expected and have no place of their own.
pub fn in_one_line(errors: &[RuleError]) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.join("; ")
}

/// All rules of one file's text, which name no lists; every error of it at once.
pub fn parse(
    file: &str,
    text: &str,
    attributes: &mut Attributes,
) -> Result<Vec<Rule>, Vec<RuleError>> {
    parse_with(file, text, &Lists::default(), attributes)
}

/// All rules of one file's text, which may name these lists; every error of it at once.
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
    parse_all(&[(file.to_string(), text.to_string())], lists, attributes)
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
    let mut rules = Vec::new();
    let mut errors = Vec::new();
    let mut ids: Vec<(String, String)> = Vec::new();
    for (file, text) in files {
        let mut reader = reader::Reader {
            file,
            text,
            lists,
            errors: Vec::new(),
        };
        let (documents, problems) = yaml::documents(text);
        for problem in problems {
            reader.error(problem.at, problem.message);
        }
        for document in &documents {
            let loaded = document::read(&mut reader, document, attributes);
            if let Some((id, at)) = loaded.id {
                if let Some((_, first)) = ids.iter().find(|(known, _)| *known == id) {
                    reader.error(at, format!("the id `{id}` is already that of {first}"));
                }
                ids.push((id, format!("{file}:{}", at.line)));
            }
            rules.extend(loaded.rule);
        }
        errors.append(&mut reader.errors);
    }
    if errors.is_empty() {
        Ok(rules)
    } else {
        Err(sorted(errors))
    }
}

fn sorted(mut errors: Vec<RuleError>) -> Vec<RuleError> {
    errors.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    errors
}
