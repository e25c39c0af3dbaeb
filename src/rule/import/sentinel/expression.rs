//! Columns, values and conditions.

use std::collections::HashMap;

use super::tokens::{Token, split, word};
use crate::rule::import::condition::{Filter, Is, Operand};
use crate::rule::import::fields::{Field, Source, Table};
use crate::rule::import::pieces::Pieces;
use crate::rule::number::Number;

/// Parts within each other.
const DEPTH_MAX: usize = 50;

/// Bytes of a path.
const PATH_MAX: usize = 1_000;

/// Functions that give what stands in them, as far as a comparison is concerned.
const SAME: [&str; 11] = [
    "tostring",
    "tolower",
    "toupper",
    "parse_json",
    "todynamic",
    "toint",
    "tolong",
    "todouble",
    "toreal",
    "trim",
    "tobool",
];

/// What names of a query mean.
pub struct Scope<'s> {
    /// Names of columns.
    pub table: &'s Table,
    /// The table that is read.
    pub source: &'s Source,
    /// Values of `let`.
    pub values: &'s HashMap<String, Vec<Token>>,
    /// Columns of `extend` and `project`: the column that they are; none where that cannot be said.
    pub columns: HashMap<String, Option<String>>,
    /// What there is to say.
    pub warnings: Vec<String>,
}

impl Scope<'_> {
    /// The column, perhaps with a path into it, that tokens say.
    pub fn column(&self, tokens: &[Token], depth: usize) -> Option<String> {
        if depth > DEPTH_MAX {
            return None;
        }
        let (inner, rest) = match tokens {
            [Token::Word(name), Token::Sign("("), ..] => {
                let close = closing(tokens, 1)?;
                SAME.iter().find(|known| known.eq_ignore_ascii_case(name))?;
                let inner = tokens.get(2..close)?;
                let inner = split(inner, ",").into_iter().next_back()?;
                (self.column(inner, depth + 1)?, tokens.get(close + 1..)?)
            }
            [Token::Sign("("), ..] => {
                let close = closing(tokens, 0)?;
                (
                    self.column(tokens.get(1..close)?, depth + 1)?,
                    tokens.get(close + 1..)?,
                )
            }
            [Token::Word(name), rest @ ..] => match self.columns.get(name) {
                Some(known) => (known.clone()?, rest),
                None if Number::parse(name).is_none() => (name.clone(), rest),
                None => return None,
            },
            _ => return None,
        };
        path(inner, rest)
    }

    /// The field that tokens say.
    ///
    /// # Errors
    ///
    /// They are no column.
    pub fn field(&mut self, tokens: &[Token]) -> Result<Field, String> {
        let column = self.column(tokens, 0).ok_or_else(|| {
            let name = tokens.iter().find_map(|token| match token {
                Token::Word(word) => Some(word.as_str()),
                Token::Text(_) | Token::Sign(_) => None,
            });
            let name = crate::escape::value(name.unwrap_or("something")).into_owned();
            format!("`{name}` is computed, which cannot be said")
        })?;
        let mut field = self.table.field(self.source, &column)?;
        if let (true, Some((first, rest))) =
            (field.part.starts_with("record."), column.split_once('.'))
        {
            // A column that stands elsewhere takes its paths along.
            let outer = self.table.field(self.source, first)?;
            let own = self.table.field(&Source::default(), rest)?;
            if outer.part.starts_with("record.") {
                let inner = own.part.strip_prefix("record").unwrap_or_default();
                field.part = format!("{}{inner}", outer.part);
            }
        }
        self.warnings.extend(field.warning.clone());
        Ok(field)
    }

    /// A condition.
    ///
    /// # Errors
    ///
    /// It says what the language cannot.
    pub fn condition(&mut self, tokens: &[Token], depth: usize) -> Result<Filter, String> {
        if depth > DEPTH_MAX {
            return Err(format!("a condition is nested more than {DEPTH_MAX} deep"));
        }
        for (joint, all) in [("or", false), ("and", true)] {
            let parts = joined(tokens, joint);
            if parts.len() > 1 {
                let parts: Result<Vec<Filter>, String> = parts
                    .into_iter()
                    .map(|part| self.condition(part, depth + 1))
                    .collect();
                return parts.map(|parts| {
                    if all {
                        Filter::All(parts)
                    } else {
                        Filter::Any(parts)
                    }
                });
            }
        }
        if tokens.first() == Some(&Token::Sign("(")) && closing(tokens, 0) == Some(tokens.len() - 1)
        {
            return self.condition(
                tokens.get(1..tokens.len() - 1).unwrap_or_default(),
                depth + 1,
            );
        }
        let function = word(tokens, 0).to_ascii_lowercase();
        let is_call = tokens.get(1) == Some(&Token::Sign("("));
        if is_call && closing(tokens, 1) == Some(tokens.len() - 1) {
            let inner = tokens.get(2..tokens.len() - 1).unwrap_or_default();
            match function.as_str() {
                "not" => return Ok(self.condition(inner, depth + 1)?.negated()),
                "isnotempty" | "isnotnull" => return Ok(Filter::there(&self.field(inner)?.part)),
                "isempty" | "isnull" => {
                    return Ok(Filter::there(&self.field(inner)?.part).negated());
                }
                _ => {}
            }
        }
        self.comparison(tokens)
    }

    fn comparison(&mut self, tokens: &[Token]) -> Result<Filter, String> {
        let Some(place) = operator(tokens) else {
            let name = crate::escape::value(word(tokens, 0)).into_owned();
            return Err(format!(
                "the condition that begins with `{name}` is not known"
            ));
        };
        let (left, right) = (
            tokens.get(..place).unwrap_or_default(),
            tokens.get(place + 1..).unwrap_or_default(),
        );
        let operator = match tokens.get(place) {
            Some(Token::Word(word)) => word.to_ascii_lowercase(),
            Some(Token::Sign(sign)) => (*sign).to_owned(),
            Some(Token::Text(_)) | None => String::new(),
        };
        let (negated, operator) = match operator.strip_prefix('!') {
            Some("=") | Some("~") | None => (
                operator.starts_with('!'),
                operator.trim_start_matches('!').to_owned(),
            ),
            Some(rest) => (true, rest.to_owned()),
        };
        let field = self.field(left)?;
        let operator = operator.trim_end_matches('~');
        let right = match (operator, word(right, 0)) {
            ("matches", "regex") => right.get(1..).unwrap_or_default(),
            _ => right,
        };
        if negated || !matches!(operator, "=" | "==") || self.values_of(right, 0).is_ok() {
            let values = self.values_of(right, 0)?;
            let filter = tested(&field, operator, &values)?;
            return Ok(if negated { filter.negated() } else { filter });
        }
        let other = self.field(right)?;
        Ok(Filter::Test(field.part, Is::Same(other.part)))
    }

    /// The constant values that tokens say.
    fn values_of(&self, tokens: &[Token], depth: usize) -> Result<Vec<Token>, String> {
        if depth > DEPTH_MAX {
            return Err(format!("values are nested more than {DEPTH_MAX} deep"));
        }
        let unknown = || {
            let name = crate::escape::value(word(tokens, 0)).into_owned();
            format!("`{name}` is no constant value")
        };
        match tokens {
            [Token::Text(_)] => Ok(tokens.to_vec()),
            [Token::Word(name)] => match self.values.get(name) {
                Some(values) => Ok(values.clone()),
                None if Number::parse(name).is_some() || name == "true" || name == "false" => {
                    Ok(tokens.to_vec())
                }
                None => Err(unknown()),
            },
            [Token::Sign("("), .., Token::Sign(")")] | [Token::Sign("["), .., Token::Sign("]")] => {
                let inner = tokens.get(1..tokens.len() - 1).unwrap_or_default();
                let parts = split(inner, ",")
                    .into_iter()
                    .filter(|part| !part.is_empty());
                let parts: Result<Vec<Vec<Token>>, String> =
                    parts.map(|part| self.values_of(part, depth + 1)).collect();
                Ok(parts?.concat())
            }
            [Token::Word(dynamic), Token::Sign("("), .., Token::Sign(")")]
                if dynamic.eq_ignore_ascii_case("dynamic") =>
            {
                self.values_of(tokens.get(1..).unwrap_or_default(), depth + 1)
            }
            _ => Err(unknown()),
        }
    }
}

/// What a `let` gives, if it is constant.
pub fn constant(tokens: &[Token], known: &HashMap<String, Vec<Token>>) -> Option<Vec<Token>> {
    let scope = Scope {
        table: &Table::default(),
        source: &Source::default(),
        values: known,
        columns: HashMap::new(),
        warnings: Vec::new(),
    };
    scope.values_of(tokens, 0).ok()
}

fn path(inner: String, rest: &[Token]) -> Option<String> {
    if inner.len() > PATH_MAX {
        return None;
    }
    match rest {
        [] => Some(inner),
        [Token::Sign("."), Token::Word(name), rest @ ..] => path(format!("{inner}.{name}"), rest),
        [
            Token::Sign("["),
            Token::Text(name),
            Token::Sign("]"),
            rest @ ..,
        ] => {
            if name.contains('.') {
                return None;
            }
            path(format!("{inner}.{name}"), rest)
        }
        // A place in a list: every element is meant. One behind the other is none.
        [
            Token::Sign("["),
            Token::Word(_),
            Token::Sign("]"),
            Token::Sign("["),
            ..,
        ] => None,
        [
            Token::Sign("["),
            Token::Word(_),
            Token::Sign("]"),
            rest @ ..,
        ] => path(inner, rest),
        _ => None,
    }
}

/// Where the parenthesis closes that opens here.
fn closing(tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (place, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Sign("(") => depth += 1,
            Token::Sign(")") => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(place);
                }
            }
            Token::Sign(_) | Token::Word(_) | Token::Text(_) => {}
        }
    }
    None
}

/// The parts of a condition between these words, outside parentheses.
fn joined<'t>(tokens: &'t [Token], joint: &str) -> Vec<&'t [Token]> {
    let mut parts = Vec::new();
    let (mut depth, mut begin) = (0_usize, 0);
    for (place, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign("(" | "[") => depth += 1,
            Token::Sign(")" | "]") => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 && word.eq_ignore_ascii_case(joint) => {
                parts.push(tokens.get(begin..place).unwrap_or_default());
                begin = place + 1;
            }
            Token::Sign(_) | Token::Word(_) | Token::Text(_) => {}
        }
    }
    parts.push(tokens.get(begin..).unwrap_or_default());
    parts
}

/// Where the operator of a comparison stands.
fn operator(tokens: &[Token]) -> Option<usize> {
    const WORDS: [&str; 17] = [
        "contains",
        "contains_cs",
        "has",
        "has_cs",
        "has_any",
        "has_all",
        "startswith",
        "startswith_cs",
        "endswith",
        "endswith_cs",
        "hasprefix",
        "hassuffix",
        "in",
        "in~",
        "matches",
        "between",
        "like",
    ];
    let mut depth = 0_usize;
    tokens.iter().position(|token| match token {
        Token::Sign("(" | "[") => {
            depth += 1;
            false
        }
        Token::Sign(")" | "]") => {
            depth = depth.saturating_sub(1);
            false
        }
        Token::Sign("==" | "=~" | "!=" | "!~" | "<" | "<=" | ">" | ">=" | "=") => depth == 0,
        Token::Word(word) => {
            let word = word.to_ascii_lowercase();
            depth == 0 && WORDS.contains(&word.strip_prefix('!').unwrap_or(&word))
        }
        Token::Sign(_) | Token::Text(_) => false,
    })
}

/// The test of a field.
fn tested(field: &Field, operator: &str, values: &[Token]) -> Result<Filter, String> {
    let mut tests = Vec::new();
    for value in values {
        let (text, is_text) = match value {
            Token::Text(text) => (text.clone(), true),
            Token::Word(word) => (word.clone(), false),
            Token::Sign(_) => continue,
        };
        let plain = Pieces::plain(&text);
        let matching = |text: String| Filter::Test(field.part.clone(), Is::Matching(text));
        let quoted = regex::escape(&text);
        let (before, behind) = ("(?:^|[^0-9a-z])", "(?:$|[^0-9a-z])");
        tests.push(match operator.trim_end_matches("_cs") {
            "=" | "==" | "in" | "" if is_text && text.is_empty() => field.empty(),
            "=" | "==" | "in" | "" if is_text => field.equal(Operand::Text(text)),
            "=" | "==" | "in" | "" if text == "true" || text == "false" => {
                field.equal(Operand::Text(text))
            }
            "=" | "==" | "in" | "" => field.equal(Operand::Number(text)),
            "contains" => plain.open(true, true).test(field),
            "startswith" => plain.open(false, true).test(field),
            "endswith" => plain.open(true, false).test(field),
            "has" | "has_any" | "has_all" => matching(format!("{before}{quoted}{behind}")),
            "hasprefix" => matching(format!("{before}{quoted}")),
            "hassuffix" => matching(format!("{quoted}{behind}")),
            "matches" => matching(format!("(?-i){text}")),
            "<" => Filter::Test(field.part.clone(), Is::Compared("<", text)),
            "<=" => Filter::Test(field.part.clone(), Is::Compared("<=", text)),
            ">" => Filter::Test(field.part.clone(), Is::Compared(">", text)),
            ">=" => Filter::Test(field.part.clone(), Is::Compared(">=", text)),
            other => return Err(format!("the operator `{other}` has no counterpart")),
        });
    }
    Ok(if operator == "has_all" {
        Filter::All(tests)
    } else {
        Filter::Any(tests)
    })
}
