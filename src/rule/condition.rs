//! The `condition` of a rule: its patterns with operators between them.
//!
//! ```text
//! condition = part { operator part }        from left to right, all operators alike
//! operator  = AND | OR | FOLLOWED_BY | AND_NOT | NOT_FOLLOWED_BY
//! part      = pattern | "(" condition ")"
//! ```
//!
//! `UNLESS part` may stand behind `FOLLOWED_BY part`, and belongs to that.

use smallvec::{SmallVec, smallvec};

use super::bounds::{DEPTH_MAX, OPERATORS_MAX};
use super::nearest::shown;
use super::patterns::Draft;
use super::reader::{Fields, Reader};
use super::token::{Cursor, Spanned, Symbol, Token};
use super::{Condition, ConditionOperator, FilterError, nearest};

const OPERATORS: &[&str] = &[
    "AND",
    "OR",
    "FOLLOWED_BY",
    "AND_NOT",
    "NOT_FOLLOWED_BY",
    UNLESS,
];

const UNLESS: &str = "UNLESS";

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
        let mut before = None;
        while let Token::Name(word) = self.cursor.peek().token {
            let offset = self.operator()?;
            if word.eq_ignore_ascii_case(UNLESS) {
                let message = misplaced(&condition, before);
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
            condition = match operator {
                Some(ConditionOperator::FollowedBy) if self.is_unless() => {
                    self.unless(condition, right)?
                }
                Some(operator) => condition.with(operator, right),
                None => condition.with(ConditionOperator::And, right),
            };
            before = operator;
        }
        Ok(condition)
    }

    /// Takes the word of an operator; where it stands.
    fn operator(&mut self) -> Result<usize, FilterError> {
        let Spanned { offset, .. } = self.cursor.next();
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            let message = format!("more than {OPERATORS_MAX} operators in one condition");
            return Err(FilterError { offset, message });
        }
        Ok(offset)
    }

    fn is_unless(&self) -> bool {
        match self.cursor.peek().token {
            Token::Name(word) => word.eq_ignore_ascii_case(UNLESS),
            Token::Text(_) | Token::Number(_) | Token::Symbol(_) | Token::End => false,
        }
    }

    /// `first FOLLOWED_BY then UNLESS ..`, from the last word on.
    fn unless(&mut self, first: Condition, then: Condition) -> Result<Condition, FilterError> {
        self.operator()?;
        let Spanned { offset, .. } = *self.cursor.peek();
        let between = self.part()?;
        if let Condition::Pattern(place) = between
            && (first == between || then == between)
        {
            let name = self.names.get(place).copied().unwrap_or_default();
            let message = format!(
                "`{name}` is what UNLESS says must not come, and a side of its FOLLOWED_BY: name \
                 another pattern behind UNLESS"
            );
            self.errors.push(FilterError { offset, message });
        }
        Ok(Condition::Unless {
            first: Box::new(first),
            then: Box::new(then),
            between: Box::new(between),
        })
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

/// What is wrong with an UNLESS behind this condition, whose last operator is `before`.
fn misplaced(condition: &Condition, before: Option<ConditionOperator>) -> String {
    let is_order = |condition: &Condition| match condition {
        Condition::Operation(_, operator, _) => *operator == ConditionOperator::FollowedBy,
        Condition::Pattern(_) | Condition::Unless { .. } => false,
    };
    match (condition, before) {
        (Condition::Unless { .. }, Some(_)) => "a FOLLOWED_BY has one UNLESS: write \
             `UNLESS (C OR D)` for more than one pattern that must not come between"
            .to_owned(),
        (_, Some(before)) => format!(
            "UNLESS belongs to a FOLLOWED_BY, and stands behind what follows it, not behind {}: \
             write `A FOLLOWED_BY B UNLESS C`, or AND_NOT for what must be absent at all",
            before.word()
        ),
        (condition, None) if is_order(condition) => "UNLESS stands within the parentheses of its \
             FOLLOWED_BY: write `(A FOLLOWED_BY B UNLESS C)`"
            .to_owned(),
        (_, None) => "UNLESS belongs to a FOLLOWED_BY, and stands behind what follows it: write \
             `A FOLLOWED_BY B UNLESS C`, or `A AND_NOT C` for what must be absent at all"
            .to_owned(),
    }
}

impl Condition {
    /// Its sides, as they are written; a pattern has none.
    pub fn sides(&self) -> SmallVec<[&Condition; 3]> {
        match self {
            Condition::Pattern(_) => SmallVec::new(),
            Condition::Operation(left, _, right) => smallvec![&**left, &**right],
            Condition::Unless {
                first,
                then,
                between,
            } => smallvec![&**first, &**then, &**between],
        }
    }

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
            Condition::Unless { first, then, .. } => {
                first.is_positive(pattern) || then.is_positive(pattern)
            }
        }
    }

    /// How often it names the pattern at this place.
    pub fn times(&self, pattern: usize) -> usize {
        let own = usize::from(*self == Condition::Pattern(pattern));
        let sides = self.sides().into_iter();
        own + sides.map(|side| side.times(pattern)).sum::<usize>()
    }

    /// The operator whose two sides are these patterns, and whether they stand the other way round.
    pub fn operator_between(&self, one: usize, other: usize) -> Option<(ConditionOperator, bool)> {
        let (left, operator, right) = match self {
            Condition::Pattern(_) => return None,
            Condition::Operation(left, operator, right) => (left, *operator, right),
            Condition::Unless { first, then, .. } => (first, ConditionOperator::FollowedBy, then),
        };
        let [one_side, other_side] = [one, other].map(Condition::Pattern);
        if **left == one_side && **right == other_side {
            return Some((operator, false));
        }
        if **left == other_side && **right == one_side {
            return Some((operator, true));
        }
        let mut sides = self.sides().into_iter();
        sides.find_map(|side| side.operator_between(one, other))
    }

    /// Whether a pattern is all that an UNLESS in it says must not come.
    pub fn keeps_away(&self, pattern: usize) -> bool {
        let itself = match self {
            Condition::Pattern(_) | Condition::Operation(..) => false,
            Condition::Unless { between, .. } => **between == Condition::Pattern(pattern),
        };
        itself || self.sides().iter().any(|side| side.keeps_away(pattern))
    }

    /// Whether two events are told apart somewhere in it.
    pub fn needs_two_events(&self) -> bool {
        let itself = match self {
            Condition::Pattern(_) => false,
            Condition::Operation(_, operator, _) => operator.is_of_order(),
            Condition::Unless { .. } => true,
        };
        itself || self.sides().iter().any(|side| side.needs_two_events())
    }

    /// Whether it depends on something that is missing.
    pub fn has_absence(&self) -> bool {
        self.is_absence() || self.sides().iter().any(|side| side.has_absence())
    }

    /// Whether something must be missing between its own sides, whatever they ask for.
    pub fn is_absence(&self) -> bool {
        match self {
            Condition::Pattern(_) => false,
            Condition::Operation(_, operator, _) => operator.is_absence(),
            Condition::Unless { .. } => true,
        }
    }
}

/// How a form of conditions is written, for the reference and the tests.
pub struct ConditionDoc {
    /// Of patterns `A`, `B` and `U`.
    pub written: String,
    /// When it triggers, as the reference says it.
    pub meaning: &'static str,
    /// Examples with a window of 60 s: the seconds at which the patterns have events, and whether
    /// it triggers. The reference shows the first that does and the first that does not.
    pub examples: &'static [(&'static str, bool)],
}

/// All forms of conditions, in the order of the reference.
pub fn docs() -> Vec<ConditionDoc> {
    let operators = ConditionOperator::ALL.into_iter();
    let mut docs: Vec<ConditionDoc> = operators
        .map(|operator| ConditionDoc {
            written: format!("A {} B", operator.word()),
            meaning: operator.meaning(),
            examples: operator.examples(),
        })
        .collect();
    docs.push(ConditionDoc {
        written: "A FOLLOWED_BY B UNLESS U".to_owned(),
        meaning: "`B` follows `A`, and no `U` comes between the two",
        examples: &[
            ("A 0, B 30", true),
            ("A 0, U 10, B 30", false),
            ("U 0, A 10, B 30, U 40", true),
            ("A 0, U 10, A 20, B 30", true),
            ("A 0, B 10, U 20, B 30", true),
            ("A 0.2, U 0.4, B 0.7", true),
            ("A 0.2, U 0.4, B 1.1", false),
            ("A 0.4, U 0.2, U 0.4, B 5", true),
            ("A 0, B 5.5, U 5.5, U 5.7", true),
            ("A 0, U 5.4, B 5.5", false),
            ("A 0, U 20, B 60", false),
        ],
    });
    docs
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

    fn examples(self) -> &'static [(&'static str, bool)] {
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

    fn meaning(self) -> &'static str {
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

    /// Whether it asks for the order of its sides.
    pub fn is_of_order(self) -> bool {
        match self {
            ConditionOperator::FollowedBy | ConditionOperator::NotFollowedBy => true,
            ConditionOperator::And | ConditionOperator::Or | ConditionOperator::AndNot => false,
        }
    }

    /// Whether the right side must not be there.
    pub fn is_absence(self) -> bool {
        match self {
            ConditionOperator::And | ConditionOperator::Or | ConditionOperator::FollowedBy => false,
            ConditionOperator::AndNot | ConditionOperator::NotFollowedBy => true,
        }
    }
}
