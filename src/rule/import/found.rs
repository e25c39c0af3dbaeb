//! What was found in foreign files.

use super::draft::Draft;

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
