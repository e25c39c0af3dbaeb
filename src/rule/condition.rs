//! The `condition` of a rule: its patterns with operators between them.
//!
//! ```text
//! condition = part { operator part }        from left to right, all operators alike
//! part      = pattern | "(" condition ")"
//! ```

use super::patterns::Draft;
use super::reader::{Fields, Reader};
use super::token::{Cursor, Spanned, Symbol, Token};
use super::{Condition, FilterError, nearest};

const OPERATORS: &[&str] = &["AND", "OR", "FOLLOWED_BY", "AND_NOT", "NOT_FOLLOWED_BY"];

/// Parentheses within each other.
const DEPTH_MAX: usize = 64;

pub fn read(reader: &mut Reader<'_>, fields: Fields<'_>, drafts: &[Draft]) -> Option<Condition> {
    let Some(node) = fields.get("condition") else {
        if let Some(second) = drafts.get(1) {
            let message = "several patterns in a rule are not supported yet; without `condition` \
                they would be joined by AND";
            reader.error(second.at, message);
        }
        return Some(Condition::Pattern(0));
    };
    let text = reader.text(node, "the name of a pattern")?;
    let names: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
    let parsed = parse(text, &names);
    parsed
        .map_err(|errors| reader.errors_within(node, errors))
        .ok()
}

/// The condition over the patterns of these names, or everything that is wrong with it.
fn parse(text: &str, names: &[&str]) -> Result<Condition, Vec<FilterError>> {
    let cursor = Cursor::new(text).map_err(|error| vec![error])?;
    let mut parser = Parser {
        cursor,
        names,
        named: Vec::new(),
        errors: Vec::new(),
        depth: 0,
    };
    if let Err(error) = parser.whole() {
        parser.errors.push(error);
        return Err(parser.errors);
    }
    for (place, name) in names.iter().enumerate() {
        if !name.is_empty() && !parser.named.contains(&place) {
            let message = format!("the condition does not name the pattern `{name}`");
            parser.errors.push(FilterError { offset: 0, message });
        }
    }
    match parser.named.first() {
        Some(place) if parser.errors.is_empty() => Ok(Condition::Pattern(*place)),
        _ => Err(parser.errors),
    }
}

struct Parser<'t> {
    cursor: Cursor<'t>,
    names: &'t [&'t str],
    /// Places of the patterns met so far.
    named: Vec<usize>,
    errors: Vec<FilterError>,
    depth: usize,
}

impl Parser<'_> {
    fn whole(&mut self) -> Result<(), FilterError> {
        self.chain()?;
        self.cursor
            .expect_end(&format!("one of {}, or the end", OPERATORS.join(", ")))
    }

    fn chain(&mut self) -> Result<(), FilterError> {
        self.part()?;
        while let Token::Name(word) = self.cursor.peek().token {
            let Spanned { offset, .. } = self.cursor.next();
            let known = OPERATORS
                .iter()
                .find(|known| known.eq_ignore_ascii_case(word));
            let message = match known {
                Some(known) => format!("`{known}` between patterns is not supported yet"),
                None => format!(
                    "unknown operator `{word}`{}",
                    nearest::hint(word, OPERATORS)
                ),
            };
            self.errors.push(FilterError { offset, message });
            self.part()?;
        }
        Ok(())
    }

    fn part(&mut self) -> Result<(), FilterError> {
        if self.cursor.take(Symbol::Open) {
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                let offset = self.cursor.peek().offset;
                let message = format!("nested more than {DEPTH_MAX} deep");
                return Err(FilterError { offset, message });
            }
            self.chain()?;
            self.depth -= 1;
            return self.cursor.expect(Symbol::Close);
        }
        let Spanned {
            offset,
            token: Token::Name(word),
        } = self.cursor.peek().clone()
        else {
            return Err(self.cursor.unexpected("the name of a pattern or `(`"));
        };
        self.cursor.next();
        match self.names.iter().position(|name| *name == word) {
            Some(place) => self.named.push(place),
            None => {
                let message = format!(
                    "unknown pattern `{word}`{}",
                    nearest::hint(word, self.names)
                );
                self.errors.push(FilterError { offset, message });
            }
        }
        Ok(())
    }
}
