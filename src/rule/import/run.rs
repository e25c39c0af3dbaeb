//! An import: foreign files to files of ours.

use std::collections::HashSet;

use super::dialect::Dialect;
use super::draft::Draft;
use super::elastic;
use super::fortisiem;
use super::found::{Found, Outcome};
use super::report::{Import, Row, State};
use super::sentinel;
use super::sigma;

/// Letters of a file's name.
const NAME_MAX: usize = 100;

/// Letters of a text in a report.
const SHOWN_MAX: usize = 400;

/// What these files, given as (name, text), are as rules of ours. Without a dialect each file says
/// what it is.
pub fn import(files: &[(String, String)], dialect: Option<Dialect>) -> Import {
    let mut running = Running::default();
    let mut by_dialect: Vec<(Dialect, Vec<(String, String)>)> = Vec::new();
    for (name, text) in files {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        let Some(dialect) = dialect.or_else(|| Dialect::of(&text)) else {
            let reason =
                "no rule of FortiSIEM, Sigma, Elastic or Sentinel; --from says which it is";
            running.add("", Found::of(name, name, Err(reason.to_owned())));
            continue;
        };
        let file = (name.clone(), text);
        match by_dialect.iter_mut().find(|(known, _)| *known == dialect) {
            Some((_, files)) => files.push(file),
            None => by_dialect.push((dialect, vec![file])),
        }
    }
    for (dialect, files) in by_dialect {
        for found in read(dialect, &files) {
            running.add(dialect.name(), found);
        }
    }
    running.done
}

fn read(dialect: Dialect, files: &[(String, String)]) -> Vec<Found> {
    match dialect {
        Dialect::Sigma => sigma::read(files),
        Dialect::Elastic => elastic::read(files),
        Dialect::FortiSiem => fortisiem::read(files),
        Dialect::Sentinel => sentinel::read(files),
    }
}

/// What is taken so far.
#[derive(Default)]
struct Running {
    done: Import,
    ids: HashSet<String>,
    names: HashSet<String>,
}

impl Running {
    fn add(&mut self, dialect: &'static str, found: Found) {
        let mut row = Row {
            file: found.file.clone(),
            dialect,
            name: found.name.clone(),
            id: String::new(),
            output: String::new(),
            state: State::Refused,
            reasons: Vec::new(),
        };
        match found.outcome {
            Outcome::Refused(reason) => row.reasons.push(reason),
            Outcome::Part(reason) => {
                row.state = State::Part;
                row.reasons.push(reason);
            }
            Outcome::Rule(draft) => self.rule(&draft, &mut row),
        }
        row.name = cut(&row.name);
        row.reasons = row.reasons.iter().map(|reason| cut(reason)).collect();
        self.done.rows.push(row);
    }

    fn rule(&mut self, draft: &Draft, row: &mut Row) {
        let written = match draft.write() {
            Ok(written) => written,
            Err(reason) => return row.reasons.push(reason),
        };
        if !self.ids.insert(draft.id.clone()) {
            return row
                .reasons
                .push(format!("another rule has the id {} already", draft.id));
        }
        row.id.clone_from(&draft.id);
        row.output = self.name(&row.file, &draft.id);
        row.state = match draft.warnings.is_empty() {
            true => State::Imported,
            false => State::Warned,
        };
        row.reasons.clone_from(&draft.warnings);
        self.done.files.push((row.output.clone(), written.text));
        for list in written.lists {
            if !self.done.files.iter().any(|(name, _)| *name == list.0) {
                self.done.files.push(list);
            }
        }
    }

    /// A name that no other file has, on any file system: that of the file it comes from, else
    /// its id, else that with a number.
    fn name(&mut self, file: &str, id: &str) -> String {
        let stem = file.rsplit(['/', '\\']).next().unwrap_or(file);
        let stem = stem.split('.').next().unwrap_or(stem);
        let numbered = (2..).map(|number| format!("{}-{number}", plain(id)));
        let mut names = [plain(stem), plain(id)].into_iter().chain(numbered);
        let mut free =
            names.find(|name| !name.is_empty() && self.names.insert(name.to_ascii_lowercase()));
        format!("{}.yaml", free.take().unwrap_or_default())
    }
}

/// A text as a part of a file's name.
fn plain(text: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = text.chars().map(letter).take(NAME_MAX).collect();
    name.trim_matches('_').to_owned()
}

/// A text as a report has it.
fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
