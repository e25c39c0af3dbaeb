//! The `condition` of a rule: its patterns with operators between them.
//!
//! ```text
//! condition = part { operator part }        from left to right, all operators alike
//! part      = pattern | "(" condition ")"
//! ```

use super::bounds::{DEPTH_MAX, OPERATORS_MAX};
use super::nearest::shown;
use super::patterns::Draft;
use super::reader::{Fields, Reader};
use super::token::{Cursor, Spanned, Symbol, Token};
use super::{Condition, ConditionOperator, FilterError, nearest};

const OPERATORS: &[&str] = &["AND", "OR", "FOLLOWED_BY", "AND_NOT", "NOT_FOLLOWED_BY"];

/// The condition of a rule. `clear`: the place of its clear pattern, which has no part in it.
pub fn read(
    reader: &mut Reader<'_>,
    fields: Fields<'_>,
    drafts: &[Draft],
    clear: Option<usize>,
) -> Option<Condition> {
    let Some(node) = fields.get("condition") else {
        return (0..drafts.len())
            .filter(|place| Some(*place) != clear)
            .map(Condition::Pattern)
            .reduce(|left, right| left.with(ConditionOperator::And, right));
    };
    let text = reader.text(node, "the name of a pattern")?;
    let names: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
    let parsed = parse(text, &names, clear);
    parsed
        .map_err(|errors| reader.errors_within(node, errors))
        .ok()
}

/// The condition over the patterns of these names, or everything that is wrong with it.
fn parse(text: &str, names: &[&str], clear: Option<usize>) -> Result<Condition, Vec<FilterError>> {
    let cursor = Cursor::new(text).map_err(|error| vec![error])?;
    let mut parser = Parser {
        cursor,
        names,
        clear,
        named: Vec::new(),
        errors: Vec::new(),
        depth: 0,
        operators: 0,
    };
    let condition = match parser.whole() {
        Ok(condition) => condition,
        Err(error) => {
            parser.errors.push(error);
            return Err(parser.errors);
        }
    };
    for (place, name) in names.iter().enumerate() {
        if !name.is_empty() && !parser.named.contains(&place) && Some(place) != clear {
            let message = format!("the condition does not name the pattern `{name}`");
            parser.errors.push(FilterError { offset: 0, message });
        }
    }
    if parser.errors.is_empty() {
        Ok(condition)
    } else {
        Err(parser.errors)
    }
}

struct Parser<'t> {
    cursor: Cursor<'t>,
    names: &'t [&'t str],
    clear: Option<usize>,
    /// Places of the patterns met so far.
    named: Vec<usize>,
    errors: Vec<FilterError>,
    depth: usize,
    operators: usize,
}

impl Parser<'_> {
    fn whole(&mut self) -> Result<Condition, FilterError> {
        let condition = self.chain()?;
        self.cursor
            .expect_end(&format!("one of {}, or the end", OPERATORS.join(", ")))?;
        Ok(condition)
    }

    fn chain(&mut self) -> Result<Condition, FilterError> {
        let mut condition = self.part()?;
        while let Token::Name(word) = self.cursor.peek().token {
            let Spanned { offset, .. } = self.cursor.next();
            self.operators += 1;
            if self.operators > OPERATORS_MAX {
                let message = format!("more than {OPERATORS_MAX} operators in one condition");
                return Err(FilterError { offset, message });
            }
            let operator = ConditionOperator::ALL
                .into_iter()
                .find(|known| known.word().eq_ignore_ascii_case(word));
            if operator.is_none() {
                let hint = nearest::hint(word, OPERATORS);
                let message = format!("unknown operator `{}`{hint}", shown(word));
                self.errors.push(FilterError { offset, message });
            }
            let right = self.part()?;
            condition = condition.with(operator.unwrap_or(ConditionOperator::And), right);
        }
        Ok(condition)
    }

    fn part(&mut self) -> Result<Condition, FilterError> {
        if self.cursor.take(Symbol::Open) {
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                let offset = self.cursor.peek().offset;
                let message = format!("nested more than {DEPTH_MAX} deep");
                return Err(FilterError { offset, message });
            }
            let condition = self.chain()?;
            self.depth -= 1;
            self.cursor.expect(Symbol::Close)?;
            return Ok(condition);
        }
        let Spanned {
            offset,
            token: Token::Name(word),
        } = self.cursor.peek().clone()
        else {
            return Err(self.cursor.unexpected("the name of a pattern or `(`"));
        };
        self.cursor.next();
        let place = self.names.iter().position(|name| *name == word);
        match place {
            Some(place) if Some(place) == self.clear => {
                let message = format!(
                    "`{word}` is the clear pattern (`clear.when`), which has no part in the \
                     condition"
                );
                self.errors.push(FilterError { offset, message });
            }
            Some(place) => self.named.push(place),
            None if word.eq_ignore_ascii_case("NOT") => {
                let message = "what is absent stands to the right of what is there: write \
                     `A AND_NOT B` or `A NOT_FOLLOWED_BY B`"
                    .to_string();
                return Err(FilterError { offset, message });
            }
            None => {
                let message = format!(
                    "unknown pattern `{}`{}",
                    shown(word),
                    nearest::hint(word, self.names)
                );
                self.errors.push(FilterError { offset, message });
            }
        }
        Ok(Condition::Pattern(place.unwrap_or_default()))
    }
}

impl Condition {
    /// `self` with an operator and what stands to the right of it.
    fn with(self, operator: ConditionOperator, right: Condition) -> Condition {
        Condition::Operation(Box::new(self), operator, Box::new(right))
    }

    /// Whether the pattern at this place is part of it, and not to the right of a negation.
    pub fn is_positive(&self, pattern: usize) -> bool {
        match self {
            Condition::Pattern(place) => *place == pattern,
            Condition::Operation(left, operator, right) => {
                left.is_positive(pattern) || !operator.is_absence() && right.is_positive(pattern)
            }
        }
    }

    /// Whether something must be absent for it to trigger.
    pub fn needs_two_events(&self) -> bool {
        match self {
            Condition::Pattern(_) => false,
            Condition::Operation(left, operator, right) => {
                operator.is_of_order() || left.needs_two_events() || right.needs_two_events()
            }
        }
    }

    /// Whether it depends on something that is missing.
    pub fn has_absence(&self) -> bool {
        match self {
            Condition::Pattern(_) => false,
            Condition::Operation(left, operator, right) => {
                operator.is_absence() || left.has_absence() || right.has_absence()
            }
        }
    }
}

impl ConditionOperator {
    /// In the order of the reference.
    pub const ALL: [ConditionOperator; 5] = [
        ConditionOperator::And,
        ConditionOperator::Or,
        ConditionOperator::FollowedBy,
        ConditionOperator::AndNot,
        ConditionOperator::NotFollowedBy,
    ];

    /// As rules write it.
    pub fn word(self) -> &'static str {
        match self {
            ConditionOperator::And => "AND",
            ConditionOperator::Or => "OR",
            ConditionOperator::FollowedBy => "FOLLOWED_BY",
            ConditionOperator::AndNot => "AND_NOT",
            ConditionOperator::NotFollowedBy => "NOT_FOLLOWED_BY",
        }
    }

    /// Examples with a window of 60 s: the seconds at which `A` and `B` have events, and whether
    /// `A operator B` triggers. The reference shows the first that does and the first that does
    /// not.
    pub fn examples(self) -> &'static [(&'static str, bool)] {
        match self {
            ConditionOperator::And => &[
                ("A 0, B 59", true),
                ("A 0, B 60", false),
                ("B 0, A 59", true),
                ("A 0", false),
            ],
            ConditionOperator::Or => &[("B 0", true), ("A 0", true), ("A 0, B 90", true)],
            ConditionOperator::FollowedBy => &[
                ("A 0, B 59", true),
                ("B 0, A 59", false),
                ("A 0, B 60", false),
                ("A 0.2, B 0.7", true),
                ("B 0.2, A 0.7", false),
                ("A 0.5, B 0.5", true),
            ],
            ConditionOperator::AndNot => &[
                ("A 0, B 60", true),
                ("B 0, A 59", false),
                ("A 0, B 59", false),
                ("A 0", true),
                ("B 0", false),
            ],
            ConditionOperator::NotFollowedBy => &[
                ("B 0, A 59", true),
                ("A 0, B 59", false),
                ("A 0, B 60", true),
                ("B 0.2, A 0.7", true),
                ("A 0.2, B 0.7", false),
                ("B 0", false),
            ],
        }
    }

    /// When it triggers, as the reference says it.
    pub fn meaning(self) -> &'static str {
        match self {
            ConditionOperator::And => "both hold, in either order",
            ConditionOperator::Or => "one of them holds",
            ConditionOperator::FollowedBy => "`A` holds and `B` holds at the same time or later",
            ConditionOperator::AndNot => "`A` holds and `B` does not, neither before nor after",
            ConditionOperator::NotFollowedBy => {
                "`A` holds and `B` does not at the same time or later"
            }
        }
    }

    /// Whether the right side must not be there.
    pub fn is_of_order(self) -> bool {
        match self {
            ConditionOperator::FollowedBy | ConditionOperator::NotFollowedBy => true,
            ConditionOperator::And | ConditionOperator::Or | ConditionOperator::AndNot => false,
        }
    }

    /// Whether it asks for what is missing.
    pub fn is_absence(self) -> bool {
        match self {
            ConditionOperator::And | ConditionOperator::Or | ConditionOperator::FollowedBy => false,
            ConditionOperator::AndNot | ConditionOperator::NotFollowedBy => true,
        }
    }
}
