//! YAML as a tree that knows where everything stands, so that an error can say line and column.
//!
//! Plain YAML only: anchors, aliases and tags are refused, a key twice in a mapping is an error.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::bounds::YAML_DEPTH_MAX;
use super::nearest::shown;

/// A place in a file; line and column (in characters) from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    fn of(marker: &Marker) -> Position {
        Position {
            line: marker.line(),
            column: marker.col() + 1,
        }
    }
}

/// A value and where it begins. For a value that is missing (`key:`) that is its key.
#[derive(Clone, Debug)]
pub struct Node {
    pub at: Position,
    pub content: Content,
}

#[derive(Clone, Debug)]
pub enum Content {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<(Key, Node)>),
}

#[derive(Clone, Debug)]
pub struct Scalar {
    /// Its value: without quotes, escapes resolved, lines folded.
    pub text: String,
    /// Not in quotes and not a block: `true`, `5` and nothing at all have types.
    pub plain: bool,
    /// Byte offset in the file where its text begins, after the opening quote.
    start: usize,
    /// The column there.
    column: usize,
}

#[derive(Clone, Debug)]
pub struct Key {
    pub at: Position,
    pub text: String,
}

/// One document of a file.
pub struct Document<'t> {
    pub root: Node,
    /// The bytes between the document markers.
    pub text: &'t str,
}

/// What is wrong, and where.
#[derive(Debug, PartialEq)]
pub struct Problem {
    pub at: Position,
    pub message: String,
}

/// All documents up to the first syntax error, and every problem found. Empty documents are left
/// out.
pub fn documents(text: &str) -> (Vec<Document<'_>>, Vec<Problem>) {
    let offsets = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    let mut builder = Builder {
        text,
        offsets,
        events: Parser::new_from_str(text),
        problems: Vec::new(),
    };
    let mut documents = Vec::new();
    if let Err(problem) = builder.stream(&mut documents) {
        builder.problems.push(problem);
    }
    (documents, builder.problems)
}

/// Where these bytes of a scalar's value stand in the file; `offsets` are in ascending order.
///
/// Source and value are walked together, once: what has no counterpart in the value (indentation,
/// escapes) is passed over.
pub fn locate(file: &str, at: Position, scalar: &Scalar, offsets: &[usize]) -> Vec<Position> {
    let source = file.get(scalar.start..).unwrap_or_default();
    let mut walk = Walk {
        source: source.chars().peekable(),
        place: Position {
            line: at.line,
            column: scalar.column,
        },
    };
    // The parser may begin a block after its leading blank lines.
    let begin = scalar.text.len() - scalar.text.trim_start().len();
    let mut value = scalar.text.char_indices().skip_while(|(at, _)| *at < begin);
    let mut next = value.next();
    let mut places = Vec::new();
    for offset in offsets {
        while let Some((_, wanted)) = next.filter(|(at, _)| at < offset) {
            // A folded line end is a blank in the value.
            let blank = wanted.is_whitespace();
            walk.until(&|c| c == wanted || (blank && c.is_whitespace()));
            walk.step();
            next = value.next();
        }
        if *offset < scalar.text.len() {
            walk.until(&|c| !c.is_whitespace());
        }
        places.push(walk.place);
    }
    places
}

struct Walk<'t> {
    source: std::iter::Peekable<std::str::Chars<'t>>,
    place: Position,
}

impl Walk<'_> {
    fn until(&mut self, wanted: &dyn Fn(char) -> bool) {
        while self.source.peek().is_some_and(|c| !wanted(*c)) {
            self.step();
        }
    }

    fn step(&mut self) {
        match self.source.next() {
            Some('\n') => {
                self.place = Position {
                    line: self.place.line + 1,
                    column: 1,
                }
            }
            Some(_) => self.place.column += 1,
            None => {}
        }
    }
}

struct Builder<'t> {
    text: &'t str,
    /// Byte offset of every character, and of the end: the parser counts characters.
    offsets: Vec<usize>,
    events: Parser<'t, StrInput<'t>>,
    problems: Vec<Problem>,
}

impl<'t> Builder<'t> {
    fn stream(&mut self, documents: &mut Vec<Document<'t>>) -> Result<(), Problem> {
        let mut begin = 0;
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::Nothing | Event::StreamStart => {}
                Event::DocumentStart(explicit) => {
                    if explicit {
                        begin = self.offset(&span.end) + self.line_end(&span.end);
                    }
                }
                Event::DocumentEnd => {
                    let text = self
                        .text
                        .get(begin..self.offset(&span.start))
                        .unwrap_or_default();
                    let full = root.take().filter(|root| !is_empty(root));
                    documents.extend(full.map(|root| Document { root, text }));
                    begin = self.offset(&span.end);
                }
                Event::Alias(_)
                | Event::Scalar(..)
                | Event::SequenceStart(..)
                | Event::SequenceEnd
                | Event::MappingStart(..)
                | Event::MappingEnd => root = Some(self.node(event, span, 0)?),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Problem> {
        match self.events.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(not_yaml(&error, self.text)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn offset(&self, marker: &Marker) -> usize {
        self.offsets
            .get(marker.index())
            .copied()
            .unwrap_or(self.text.len())
    }

    /// Bytes of the line end at `marker`, if there is one.
    fn line_end(&self, marker: &Marker) -> usize {
        let rest = self.text.get(self.offset(marker)..).unwrap_or_default();
        if rest.starts_with("\r\n") {
            2
        } else {
            usize::from(rest.starts_with('\n'))
        }
    }

    fn refuse(&mut self, at: Position, message: String) {
        self.problems.push(Problem { at, message });
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Problem> {
        let at = Position::of(&span.start);
        if depth > YAML_DEPTH_MAX {
            return Err(Problem {
                at,
                message: format!("nested more than {YAML_DEPTH_MAX} deep"),
            });
        }
        let content = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.plain_yaml(at, anchor, tag.is_some());
                let quotes = match style {
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => 1,
                    ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => 0,
                };
                let start = self.offset(&span.start) + quotes;
                let plain = style == ScalarStyle::Plain;
                Content::Scalar(Scalar {
                    text: text.into_owned(),
                    plain,
                    start,
                    column: at.column + quotes,
                })
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain_yaml(at, anchor, tag.is_some());
                self.sequence(depth)?
            }
            Event::MappingStart(anchor, tag) => {
                self.plain_yaml(at, anchor, tag.is_some());
                self.mapping(depth)?
            }
            Event::Alias(_)
            | Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => {
                self.plain_yaml(at, 1, false);
                Content::Sequence(Vec::new())
            }
        };
        Ok(Node { at, content })
    }

    fn plain_yaml(&mut self, at: Position, anchor: usize, tag: bool) {
        if anchor > 0 {
            self.refuse(
                at,
                "anchors and aliases are not supported: write the value out".into(),
            );
        }
        if tag {
            self.refuse(
                at,
                "tags are not supported: put text that looks like a number or a \
                 boolean in quotes"
                    .into(),
            );
        }
    }

    fn sequence(&mut self, depth: usize) -> Result<Content, Problem> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Content::Sequence(items));
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Content, Problem> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut lines: HashMap<String, usize> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Content::Mapping(entries));
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let mut value = self.node(event, span, depth + 1)?;
            let Content::Scalar(Scalar { text, .. }) = key.content else {
                self.refuse(key.at, "a key is text, not a list or a mapping".into());
                continue;
            };
            if is_empty(&value) {
                value.at = key.at;
            }
            if let Some(line) = lines.get(&text) {
                let message = format!("key `{}` is already set in line {line}", shown(&text));
                self.refuse(key.at, message);
                continue;
            }
            lines.insert(text.clone(), key.at.line);
            entries.push((Key { at: key.at, text }, value));
        }
    }
}

/// `key:` with nothing after it, or a document of comments only.
fn is_empty(node: &Node) -> bool {
    matches!(&node.content, Content::Scalar(scalar) if scalar.plain && scalar.text.is_empty())
}

fn not_yaml(error: &ScanError, text: &str) -> Problem {
    let at = Position::of(error.marker());
    // A list with text behind it, as `new` has it, is YAML only in quotes.
    let lines = text.lines().take(at.line).skip(at.line.saturating_sub(2));
    let list = |line: &str| {
        line.split_once("new:")
            .map(|(_, rest)| rest.trim_start().starts_with('['))
    };
    let called = |line: &str| line.contains('{') && line.contains('(');
    let advice = if lines.clone().filter_map(list).any(|list| list) {
        ": put the value of `new` in quotes, new: \"[user, resourceId] over 5d\""
    } else if lines.clone().any(called) {
        ": within { } put a value with commas or quotes in single quotes, { domain: \
         'EXTRACT(user, \"@(.*)$\")' }"
    } else {
        ""
    };
    Problem {
        at,
        message: format!("not YAML: {}{advice}", error.info()),
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
