//! What became of the files that were imported.

/// A rule of another tool, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The file that it stands in.
    pub file: String,
    /// The tool.
    pub dialect: &'static str,
    /// What people call it.
    pub name: String,
    /// Its id among ours; empty: it is none.
    pub id: String,
    /// The file that is written for it; empty: none is.
    pub output: String,
    /// What became of it.
    pub state: State,
    /// Where what was written is not exactly what was read, or why nothing is.
    pub reasons: Vec<String>,
}

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is a rule of ours.
    Imported,
    /// It is a rule of ours, and there is something to know.
    Warned,
    /// It is a part of others.
    Part,
    /// It cannot be one.
    Refused,
}

impl State {
    /// As reports write it.
    pub fn name(self) -> &'static str {
        match self {
            State::Imported => "imported",
            State::Warned => "imported with a warning",
            State::Part => "part of others",
            State::Refused => "not importable",
        }
    }
}

/// All of an import: what is to be written, and what became of what was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// In the order in which it was read.
    pub rows: Vec<Row>,
    /// Files of rules, and of lists in `lists/`: name and text.
    pub files: Vec<(String, String)>,
}

impl Import {
    /// How many rules came to this.
    pub fn count(&self, state: State) -> usize {
        self.rows.iter().filter(|row| row.state == state).count()
    }
}
