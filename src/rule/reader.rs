//! Reads typed values out of a YAML tree, and gathers everything that is wrong with them.

use super::bounds::{FILE_ERRORS_MAX, TEXT_BYTES_MAX};
use super::nearest::{self, shown};
use super::scope::{Age, Scope};
use super::yaml::{self, Content, Key, Node, Position, Scalar};
use super::{FilterError, RuleError};
use crate::time::Second;

/// Windows and the like: longer ones are slips, and arithmetic on them could overflow.
pub const DURATION_MAX: Second = 366 * 86_400;

/// One file and its errors.
pub struct Reader<'t> {
    pub file: &'t str,
    pub text: &'t str,
    /// What its filters share with those of other files.
    pub scope: Scope<'t>,
    pub errors: Vec<RuleError>,
}

/// A mapping whose keys are all known.
#[derive(Clone, Copy)]
pub struct Fields<'n> {
    pub at: Position,
    entries: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    /// The value of `key`, if it is there.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries
            .iter()
            .find(|(known, _)| known.text == key)
            .map(|(_, node)| node)
    }
}

impl Reader<'_> {
    pub fn error(&mut self, at: Position, message: impl Into<String>) {
        let message = match self.errors.len() {
            0..FILE_ERRORS_MAX => message.into(),
            FILE_ERRORS_MAX => "there are more errors: correct these first".to_owned(),
            _ => return,
        };
        let file = self.file.to_string();
        self.errors.push(RuleError {
            file,
            line: at.line,
            column: at.column,
            message,
        });
    }

    /// Whether it makes no sense to read on.
    pub fn is_full(&self) -> bool {
        self.errors.len() > FILE_ERRORS_MAX
    }

    /// The same for errors within the text of a scalar.
    pub fn errors_within(&mut self, node: &Node, mut errors: Vec<FilterError>) {
        errors.sort_by_key(|error| error.offset);
        let offsets: Vec<usize> = errors.iter().map(|error| error.offset).collect();
        let places = match &node.content {
            Content::Scalar(scalar) => yaml::locate(self.text, node.at, scalar, &offsets),
            Content::Sequence(_) | Content::Mapping(_) => vec![node.at; errors.len()],
        };
        for (error, at) in errors.into_iter().zip(places) {
            self.error(at, error.message);
        }
    }

    fn wrong_type(&mut self, node: &Node, expected: &str) {
        let found = match &node.content {
            Content::Scalar(Scalar {
                text, plain: true, ..
            }) if text.is_empty() => "nothing".to_string(),
            Content::Scalar(scalar) => format!("`{}`", shown(scalar.text.trim_end())),
            Content::Sequence(_) => "a list".to_string(),
            Content::Mapping(_) => "a mapping".to_string(),
        };
        self.error(node.at, format!("expected {expected}, found {found}"));
    }

    /// A mapping with no other keys than `known`.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<Fields<'n>> {
        let Content::Mapping(entries) = &node.content else {
            self.wrong_type(node, what);
            return None;
        };
        for (key, _) in entries {
            if self.is_full() {
                break;
            }
            if !known.contains(&key.text.as_str()) {
                let hint = nearest::hint(&key.text, known);
                self.error(key.at, format!("unknown key `{}`{hint}", shown(&key.text)));
            }
        }
        Some(Fields {
            at: node.at,
            entries,
        })
    }

    /// A mapping with any keys, at most as many as `most`.
    pub fn entries<'n>(
        &mut self,
        node: &'n Node,
        expected: &str,
        most: usize,
    ) -> &'n [(Key, Node)] {
        match &node.content {
            Content::Mapping(entries) => {
                let taken = entries.get(..most).unwrap_or(entries);
                if let Some((key, _)) = entries.get(most) {
                    let found = entries.len();
                    self.error(key.at, format!("at most {most} keys, found {found}"));
                }
                taken
            }
            Content::Scalar(_) | Content::Sequence(_) => {
                self.wrong_type(node, expected);
                &[]
            }
        }
    }

    /// The value of a key that must be there.
    pub fn require<'n>(&mut self, fields: Fields<'n>, key: &str) -> Option<&'n Node> {
        let found = fields.get(key);
        if found.is_none() {
            self.error(fields.at, format!("the key `{key}` is missing"));
        }
        found
    }

    /// Text that is not empty.
    pub fn text<'n>(&mut self, node: &'n Node, expected: &str) -> Option<&'n str> {
        match &node.content {
            Content::Scalar(scalar) if !scalar.text.trim().is_empty() => Some(&scalar.text),
            Content::Scalar(_) | Content::Sequence(_) | Content::Mapping(_) => {
                self.wrong_type(node, expected);
                None
            }
        }
    }

    /// The same of a text that incidents carry as it stands, without blanks at its end.
    pub fn short_text<'n>(&mut self, node: &'n Node, expected: &str) -> Option<&'n str> {
        let text = self.text(node, expected)?.trim_end();
        if text.len() > TEXT_BYTES_MAX && self.scope.age == Age::New {
            let found = text.len();
            let message =
                format!("incidents carry this text: at most {TEXT_BYTES_MAX} bytes, found {found}");
            self.error(node.at, message);
        }
        Some(text)
    }

    /// The text of `key`, which incidents carry, or nothing.
    pub fn optional_text(&mut self, fields: Fields<'_>, key: &str) -> String {
        let node = fields.get(key);
        let text = node.and_then(|node| self.short_text(node, "text"));
        text.map(str::to_string).unwrap_or_default()
    }

    /// The items of the list at `key`, of which there may be `most`; without the key none.
    pub fn list<'n>(
        &mut self,
        fields: Fields<'n>,
        key: &str,
        expected: &str,
        most: usize,
    ) -> &'n [Node] {
        match fields.get(key).map(|node| (node, &node.content)) {
            None => &[],
            Some((node, Content::Sequence(items))) => {
                let taken = items.get(..most).unwrap_or(items);
                if taken.len() < items.len() {
                    let at = items.get(most).map_or(node.at, |item| item.at);
                    let found = items.len();
                    self.error(
                        at,
                        format!("`{key}` has at most {most} items, found {found}"),
                    );
                }
                taken
            }
            Some((node, Content::Scalar(_) | Content::Mapping(_))) => {
                self.wrong_type(node, expected);
                &[]
            }
        }
    }

    /// `true` or `false` without quotes.
    pub fn bool(&mut self, node: &Node) -> Option<bool> {
        let found = match &node.content {
            Content::Scalar(Scalar {
                text, plain: true, ..
            }) => match text.as_str() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            Content::Scalar(_) | Content::Sequence(_) | Content::Mapping(_) => None,
        };
        if found.is_none() {
            self.wrong_type(node, "true or false");
        }
        found
    }

    /// A duration such as `300s`, in whole seconds, at least `least`.
    pub fn seconds(&mut self, node: &Node, least: Second) -> Option<Second> {
        let expected = "a duration such as 300s, 15m or 2h";
        let text = self.text(node, expected)?;
        let Ok(duration) = humantime::parse_duration(text) else {
            self.wrong_type(node, expected);
            return None;
        };
        let seconds = Second::try_from(duration.as_secs()).unwrap_or(Second::MAX);
        if duration.subsec_nanos() != 0 {
            self.error(
                node.at,
                format!("expected whole seconds, found `{}`", shown(text)),
            );
            return None;
        }
        if seconds < least || seconds > DURATION_MAX {
            let range = format!("a duration from {least}s to {}d", DURATION_MAX / 86_400);
            self.error(
                node.at,
                format!("expected {range}, found `{}`", shown(text)),
            );
            return None;
        }
        Some(seconds)
    }
}
