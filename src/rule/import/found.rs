//! What was found in foreign files.

use super::draft::Draft;
use crate::escape;
use crate::rule::yaml::{self, Document};

/// A rule of another tool.
#[derive(Clone, Debug)]
pub struct Found {
    /// The file that it stands in.
    pub file: String,
    /// What people call it, or how it is told from others in the file.
    pub name: String,
    /// What it is.
    pub outcome: Outcome,
}

/// What a rule of another tool is.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A rule in our words.
    Rule(Box<Draft>),
    /// No rule by itself: a part of others, for this reason.
    Part(String),
    /// What the language cannot say, or what is broken in it.
    Refused(String),
}

/// The YAML documents of a file, or that it is no YAML.
pub fn documents<'t>(file: &str, text: &'t str) -> Result<Vec<Document<'t>>, Found> {
    let (documents, problems) = yaml::documents(text);
    match problems.first() {
        None => Ok(documents),
        Some(problem) => {
            let message = format!("line {}: {}", problem.at.line, problem.message);
            Err(Found::of(file, file, Err(message)))
        }
    }
}

/// The sign with which `rest` of a query begins.
pub fn sign(rest: &str, signs: &[&'static str]) -> Result<&'static str, String> {
    let known = signs.iter().find(|sign| rest.starts_with(**sign));
    known.copied().ok_or_else(|| {
        let first: String = rest.chars().take(1).collect();
        let shown = escape::value(&first).into_owned();
        format!("the query has `{shown}`, which is not known")
    })
}

impl Found {
    /// One that was read, or why it was not.
    pub fn of(file: &str, name: &str, read: Result<Draft, String>) -> Found {
        Found {
            file: file.to_owned(),
            name: name.to_owned(),
            outcome: match read {
                Ok(draft) => Outcome::Rule(Box::new(draft)),
                Err(reason) => Outcome::Refused(reason),
            },
        }
    }
}
