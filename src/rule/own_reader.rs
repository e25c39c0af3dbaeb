//! Files of attributes that users bring, read and checked.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::attribute::Names;
use super::lists::Lists;
use super::nearest::shown;
use super::own::{Own, OwnFamily, OwnFile};
use super::scope::Scope;
use super::{Filter, RuleError};
use crate::event::{Attribute, Attributes, OwnName};
use crate::normalise::{self, Derivation, Family, Sources, Step};

/// Bytes of a file of attributes: it goes into the rules topic.
const FILE_BYTES_MAX: usize = 256 << 10;

/// Files of a rule set.
const FILES_MAX: usize = 64;

/// Places in the record, of all files. Each is looked for in every record.
const PATHS_MAX: usize = 5_000;

/// A file, and where it was found.
struct Placed {
    /// For errors.
    path: String,
    file: OwnFile,
}

impl Own {
    /// What these files hold, given as (file, text); or every error of every file.
    ///
    /// # Errors
    ///
    /// Those of the files.
    pub fn parse(files: &[(String, String)]) -> Result<Own, Vec<RuleError>> {
        let file = |(path, text): &(String, String)| Placed {
            path: path.clone(),
            file: OwnFile {
                name: stem(path).to_owned(),
                text: text.clone(),
            },
        };
        Own::read(files.iter().map(file).collect())
    }

    /// The same, of files as the rules topic keeps them.
    ///
    /// # Errors
    ///
    /// Those of the files.
    pub fn of(files: Vec<OwnFile>) -> Result<Own, Vec<RuleError>> {
        let placed = |file: OwnFile| Placed {
            path: file.name.clone(),
            file,
        };
        Own::read(files.into_iter().map(placed).collect())
    }

    fn read(mut files: Vec<Placed>) -> Result<Own, Vec<RuleError>> {
        files.sort_by(|one, other| one.file.cmp(&other.file));
        let mut reading = Reading::default();
        for file in &files {
            reading.file(file);
        }
        for (one, other) in files.iter().zip(files.iter().skip(1)) {
            if one.file.name == other.file.name {
                let message = format!("{} has the same name: rename one of them", one.path);
                reading.errors.push(at(other, 0, message));
            }
        }
        if let Some(file) = files.get(FILES_MAX) {
            let message = format!("a rule set has at most {FILES_MAX} files of attributes");
            reading.errors.push(at(file, 0, message));
        }
        reading.check_places(files.last());
        match reading.errors.is_empty() {
            true => Ok(Own {
                families: reading.families,
                names: reading.names.into_values().map(|(name, _)| name).collect(),
                files: files.into_iter().map(|placed| placed.file).collect(),
            }),
            false => Err(reading.errors),
        }
    }
}

/// What a file says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    about: String,
    #[serde(default)]
    source: String,
    r#where: Spanned<String>,
    #[serde(default)]
    attribute: BTreeMap<String, Spanned<WrittenAttribute>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAttribute {
    meaning: Option<String>,
    #[serde(default = "first_version")]
    version: u32,
    #[serde(default)]
    alone: bool,
    steps: Vec<WrittenStep>,
}

fn first_version() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStep {
    derive: Spanned<Derivation>,
    paths: Vec<Spanned<String>>,
    #[serde(default)]
    when: Vec<Spanned<String>>,
    #[serde(default)]
    is: Vec<String>,
    #[serde(default)]
    key: String,
    #[serde(default)]
    after: String,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    name: String,
}

/// What was read of all files.
#[derive(Default)]
struct Reading {
    families: Vec<OwnFamily>,
    /// By the name in lower case: the attribute, and the file that names it.
    names: BTreeMap<String, (OwnName, String)>,
    errors: Vec<RuleError>,
}

impl Reading {
    fn file(&mut self, file: &Placed) {
        let length = file.file.text.len();
        if length > FILE_BYTES_MAX {
            let message =
                format!("a file of attributes has at most {FILE_BYTES_MAX} bytes, found {length}");
            return self.errors.push(at(file, 0, message));
        }
        let written: Written = match toml::from_str(&file.file.text) {
            Ok(written) => written,
            Err(error) => {
                let place = error.span().map_or(0, |span| span.start);
                let message = error.message().trim_end().replace('\n', " ");
                return self.errors.push(at(file, place, message));
            }
        };
        let mut asked = Attributes::default();
        let filter = self.filter(file, &written.r#where, &mut asked);
        let mut versions = BTreeMap::new();
        let mut attributes = Vec::new();
        for (name, attribute) in &written.attribute {
            let sources = self.attribute(file, name, attribute);
            if let Some(sources) = sources {
                if normalise::find(name).is_some() {
                    versions.insert(sources.attribute.to_string(), attribute.get_ref().version);
                }
                attributes.push(sources);
            }
        }
        if let Some(filter) = filter {
            self.families.push(OwnFamily {
                family: Family {
                    name: Cow::Owned(file.file.name.clone()),
                    about: Cow::Owned(written.about),
                    source: Cow::Owned(written.source),
                    categories: Cow::Borrowed(&[]),
                    has: Cow::Borrowed(&[]),
                    attributes: Cow::Owned(attributes),
                },
                filter,
                asked,
                versions,
            });
        }
    }

    /// The filter that says which records are of the family.
    fn filter(
        &mut self,
        file: &Placed,
        text: &Spanned<String>,
        asked: &mut Attributes,
    ) -> Option<Filter> {
        let lists = Lists::default();
        let mut names = Names::Event(asked);
        let parsed = Filter::parse_with(text.get_ref(), &mut names, &mut Scope::of(&lists));
        let filter = match parsed {
            Ok(filter) => filter,
            Err(errors) => {
                for error in errors {
                    let message = format!("where, at byte {}: {}", error.offset + 1, error.message);
                    self.errors.push(at(file, text.span().start, message));
                }
                return None;
            }
        };
        let is_path = |attribute: &&Attribute| {
            matches!(attribute, Attribute::Path(_) | Attribute::Selected(_))
        };
        if let Some(other) = asked.list().iter().find(|attribute| !is_path(attribute)) {
            let message = format!(
                "where asks for `{other}`, which is not known before the family is; expected paths \
                 into the record, `record.a.b`"
            );
            self.errors.push(at(file, text.span().start, message));
            return None;
        }
        Some(filter)
    }

    fn attribute(
        &mut self,
        file: &Placed,
        name: &str,
        written: &Spanned<WrittenAttribute>,
    ) -> Option<Sources> {
        let place = written.span().start;
        let attribute = written.get_ref();
        let name = match normalise::find(name) {
            Some(known) => known.name.to_owned(),
            None if name.eq_ignore_ascii_case("time") => "time".to_owned(),
            None => self.own_name(file, place, name, attribute)?,
        };
        let mut steps = Vec::new();
        for step in &attribute.steps {
            steps.push(self.step(file, &name, step)?);
        }
        Some(Sources {
            attribute: Cow::Owned(name),
            alone: attribute.alone,
            steps: Cow::Owned(steps),
        })
    }

    /// The name of an attribute that users bring; each is described once.
    fn own_name(
        &mut self,
        file: &Placed,
        place: usize,
        name: &str,
        written: &WrittenAttribute,
    ) -> Option<String> {
        let mut letters = name.chars();
        let is_name = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.len() <= 64
            && !name.eq_ignore_ascii_case("record");
        if !is_name {
            let message = format!(
                "`{}` is no name of an attribute: expected letters, digits and `_`, a letter \
                 first, at most 64",
                shown(name)
            );
            self.errors.push(at(file, place, message));
            return None;
        }
        let key = name.to_ascii_lowercase();
        match (self.names.get(&key), &written.meaning) {
            (Some((known, other)), Some(meaning))
                if *meaning != known.meaning || written.version != known.version =>
            {
                let message = format!(
                    "`{name}` has another meaning or version in {other}; an attribute has one: \
                     give them in one file"
                );
                self.errors.push(at(file, place, message));
                None
            }
            (Some((known, _)), _) => Some(known.name.clone()),
            (None, Some(meaning)) => {
                let own = OwnName {
                    name: name.to_owned(),
                    meaning: meaning.clone(),
                    version: written.version,
                };
                self.names.insert(key, (own, file.path.clone()));
                Some(name.to_owned())
            }
            (None, None) => {
                let message = format!(
                    "`{name}` is an attribute of your own: say its `meaning`; or did you mean one \
                     that watchfire has? `watchfire events` shows them"
                );
                self.errors.push(at(file, place, message));
                None
            }
        }
    }

    fn step(&mut self, file: &Placed, attribute: &str, written: &WrittenStep) -> Option<Step> {
        let derivation = *written.derive.get_ref();
        let is_time = attribute == "time";
        if is_time != (derivation == Derivation::Time) {
            let message = "`time` is made by derive = \"time\", and nothing else is".to_owned();
            self.errors
                .push(at(file, written.derive.span().start, message));
            return None;
        }
        for path in written.paths.iter().chain(&written.when) {
            if normalise::source_paths(path.get_ref()).is_empty() {
                let message = format!(
                    "`{}` is no path into a record: expected names with points between, in double \
                     quotes where they hold one",
                    shown(path.get_ref())
                );
                self.errors.push(at(file, path.span().start, message));
                return None;
            }
        }
        let texts = |texts: &[Spanned<String>]| {
            let texts = texts.iter().map(|text| Cow::Owned(text.get_ref().clone()));
            Cow::Owned(texts.collect())
        };
        let is = written.is.iter().map(|text| Cow::Owned(text.clone()));
        Some(Step {
            derivation,
            word: Cow::Owned(written.after.clone() + &written.prefix + &written.name),
            key: Cow::Owned(written.key.clone()),
            when: texts(&written.when),
            is: Cow::Owned(is.collect()),
            paths: texts(&written.paths),
        })
    }

    /// Says so if all files together look for too much.
    fn check_places(&mut self, last: Option<&Placed>) {
        let steps = self.families.iter().flat_map(|own| {
            let all = own.family.attributes.iter();
            all.flat_map(|sources| sources.steps.iter())
        });
        let places: usize = steps.map(|step| step.paths.len() + step.when.len()).sum();
        if let Some(file) = last.filter(|_| places > PATHS_MAX) {
            let message = format!(
                "files of attributes name at most {PATHS_MAX} places in records, found {places}"
            );
            self.errors.push(at(file, 0, message));
        }
    }
}

/// An error at a byte of a file.
fn at(file: &Placed, byte: usize, message: String) -> RuleError {
    let before: Range<usize> = 0..byte.min(file.file.text.len());
    let before = file.file.text.get(before).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    RuleError {
        file: file.path.clone(),
        line: before.matches('\n').count() + 1,
        column: line.chars().count() + 1,
        message,
    }
}

/// The name of a file without its folder and ending.
fn stem(name: &str) -> &str {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    name.strip_suffix(".toml").unwrap_or(name)
}

#[cfg(test)]
#[path = "own_tests.rs"]
mod tests;
