//! A query: filters, a summarize by columns, and a threshold.

use std::collections::HashMap;

use super::expression::{Scope, constant};
use super::tokens::{Token, split, tokens, word};
use crate::rule::import::condition::Filter;
use crate::rule::import::fields::Table;
use crate::rule::number::Number;
use crate::time::Second;

/// Values of `let` in one query.
const VALUES_MAX: usize = 10_000;

/// What a query asks for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Which events.
    pub filter: Option<Filter>,
    /// What they are grouped by; none: they are not summarised.
    pub group_by: Option<Vec<String>>,
    /// Tests over the groups.
    pub having: Vec<String>,
    /// In seconds, where the query says it.
    pub window: Option<Second>,
    /// What there is to say.
    pub warnings: Vec<String>,
}

/// Reads a query.
///
/// # Errors
///
/// It has an operator that has no counterpart, which is named.
pub fn read(text: &str, table: &Table) -> Result<Query, String> {
    let tokens = tokens(text)?;
    let mut values: HashMap<String, Vec<Token>> = HashMap::new();
    let mut statements: Vec<&[Token]> = Vec::new();
    for statement in split(&tokens, ";") {
        match statement {
            [] => {}
            [
                Token::Word(set),
                Token::Word(name),
                Token::Sign("="),
                value @ ..,
            ] if set == "let" => {
                let found = constant(value, &values);
                let seconds = word(value, 0);
                match (found, span(seconds)) {
                    (Some(found), _) if found.len() <= VALUES_MAX => {
                        values.insert(name.clone(), found);
                    }
                    (None, Some(_)) if value.len() == 1 => {
                        values.insert(name.clone(), value.to_vec());
                    }
                    _ => {
                        let name = crate::escape::value(name).into_owned();
                        return Err(format!("let {name}: a table or what is computed"));
                    }
                }
            }
            other => statements.push(other),
        }
    }
    let [statement] = statements[..] else {
        return Err("it has several statements, or none".to_owned());
    };
    let mut parts = split(statement, "|").into_iter();
    let name = match parts.next().unwrap_or_default() {
        [Token::Word(name)] => name.clone(),
        first => return Err(format!("{}: only one table is read", shown(first))),
    };
    let Some(source) = table.source(&[("table", &name)]) else {
        let name = crate::escape::value(&name).into_owned();
        return Err(format!("the table {name} is none of those that are read"));
    };
    let mut reading = Reading {
        scope: Scope {
            table,
            source,
            values: &values,
            columns: HashMap::new(),
            warnings: Vec::new(),
        },
        filters: vec![Filter::Native(source.filter.clone())],
        aggregates: HashMap::new(),
        query: Query::default(),
    };
    for part in parts {
        reading.operator(part)?;
    }
    let Reading {
        scope,
        filters,
        mut query,
        ..
    } = reading;
    query.warnings = scope.warnings;
    query.filter = Some(Filter::All(filters));
    Ok(query)
}

struct Reading<'r> {
    scope: Scope<'r>,
    filters: Vec<Filter>,
    /// Columns of a summarize: the aggregate that they are; none where that cannot be said.
    aggregates: HashMap<String, Option<String>>,
    query: Query,
}

impl Reading<'_> {
    fn operator(&mut self, tokens: &[Token]) -> Result<(), String> {
        let rest = tokens.get(1..).unwrap_or_default();
        // `project-away` is read as a word, a sign and a word.
        let hyphened = tokens.get(1) == Some(&Token::Sign("-"));
        let is_summed = self.query.group_by.is_some();
        match (word(tokens, 0), hyphened) {
            ("where" | "filter", false) if is_summed => self.threshold(rest),
            ("where" | "filter", false) => self.condition(rest),
            ("extend", false) if !is_summed => {
                self.columns(rest);
                Ok(())
            }
            ("project", false) if !is_summed => {
                self.columns(rest);
                Ok(())
            }
            ("extend" | "project", false) | ("sort" | "order", false) | ("project", true) => Ok(()),
            ("summarize", false) if !is_summed => self.summarize(rest),
            ("distinct", false) if !is_summed => {
                let mut groups = Vec::new();
                for column in split(rest, ",") {
                    groups.push(self.scope.field(column)?.grouped().to_owned());
                }
                self.query.group_by = Some(groups);
                Ok(())
            }
            _ => Err(format!(
                "{}: the operator has no counterpart",
                shown(tokens)
            )),
        }
    }

    fn condition(&mut self, tokens: &[Token]) -> Result<(), String> {
        if is_time(tokens, &self.scope)? {
            return Ok(());
        }
        let filter = self.scope.condition(tokens, 0)?;
        self.filters.push(filter);
        Ok(())
    }

    /// Columns of `extend` and `project`: `name = column`.
    fn columns(&mut self, tokens: &[Token]) {
        for part in split(tokens, ",") {
            if let [Token::Word(name), Token::Sign("="), value @ ..] = part {
                let column = self.scope.column(value, 0);
                self.scope.columns.insert(name.clone(), column);
            }
        }
    }

    fn summarize(&mut self, tokens: &[Token]) -> Result<(), String> {
        let by = tokens
            .iter()
            .position(|token| matches!(token, Token::Word(word) if word == "by"));
        let (aggregates, columns) = match by {
            None => (tokens, &[][..]),
            Some(by) => (
                tokens.get(..by).unwrap_or_default(),
                tokens.get(by + 1..).unwrap_or_default(),
            ),
        };
        let mut groups = Vec::new();
        for column in split(columns, ",") {
            let column = match column {
                [] => continue,
                [Token::Word(name), Token::Sign("="), value @ ..] => {
                    self.aggregates.insert(name.clone(), None);
                    value
                }
                column => column,
            };
            if word(column, 0) == "bin" {
                self.bin(column)?;
                continue;
            }
            let part = self.scope.field(column)?.grouped().to_owned();
            if !groups.contains(&part) {
                groups.push(part);
            }
        }
        for part in split(aggregates, ",") {
            self.aggregate(part);
        }
        self.query.group_by = Some(groups);
        Ok(())
    }

    /// `bin(TimeGenerated, 1h)` is the window.
    fn bin(&mut self, column: &[Token]) -> Result<(), String> {
        let seconds = match column {
            [
                _,
                _,
                Token::Word(time),
                Token::Sign(","),
                Token::Word(span),
                ..,
            ] if time == "TimeGenerated" => self.seconds(span),
            _ => None,
        };
        match seconds {
            Some(seconds) => {
                self.query.window = Some(seconds);
                Ok(())
            }
            None => Err("summarize by bin(..) of something else than time".to_owned()),
        }
    }

    fn seconds(&self, text: &str) -> Option<Second> {
        let known = self.scope.values.get(text).map(|value| word(value, 0));
        span(known.unwrap_or(text))
    }

    /// An aggregate, and the column that it is called.
    fn aggregate(&mut self, tokens: &[Token]) {
        let (name, call) = match tokens {
            [Token::Word(name), Token::Sign("="), call @ ..] => (Some(name.clone()), call),
            call => (None, call),
        };
        let [
            Token::Word(function),
            Token::Sign("("),
            inner @ ..,
            Token::Sign(")"),
        ] = call
        else {
            return;
        };
        let first = split(inner, ",").into_iter().next().unwrap_or_default();
        let column = self.scope.column(first, 0).unwrap_or_default();
        let part = self
            .scope
            .field(first)
            .map(|field| field.grouped().to_owned());
        let (usual, written) = match (function.as_str(), part) {
            ("count", _) => ("count_".to_owned(), Some("COUNT(*)".to_owned())),
            ("dcount" | "dcountif" | "count_distinct", Ok(part)) if !function.ends_with("if") => (
                format!("dcount_{column}"),
                Some(format!("COUNT(DISTINCT {part})")),
            ),
            ("make_set" | "makeset", Ok(part)) => {
                (format!("set_{column}"), Some(format!("set {part}")))
            }
            ("sum", Ok(part)) => (format!("sum_{column}"), Some(format!("SUM({part})"))),
            ("avg", Ok(part)) => (format!("avg_{column}"), Some(format!("AVG({part})"))),
            ("min", Ok(part)) => (format!("min_{column}"), Some(format!("MIN({part})"))),
            ("max", Ok(part)) => (format!("max_{column}"), Some(format!("MAX({part})"))),
            (other, _) => (format!("{other}_{column}"), None),
        };
        self.aggregates.insert(name.unwrap_or(usual), written);
    }

    /// Tests over what was summarised.
    fn threshold(&mut self, tokens: &[Token]) -> Result<(), String> {
        let mut rest = tokens;
        while let [Token::Sign("("), inner @ .., Token::Sign(")")] = rest {
            rest = inner;
        }
        let mut begin = 0;
        let ends = rest.iter().enumerate();
        let ends = ends.filter(|(_, token)| matches!(token, Token::Word(word) if word == "and"));
        let ends: Vec<usize> = ends.map(|(place, _)| place).chain([rest.len()]).collect();
        for end in ends {
            let part = rest.get(begin..end).unwrap_or_default();
            begin = end + 1;
            let test = self.compared(part)?;
            self.query.having.push(test);
        }
        Ok(())
    }

    fn compared(&self, tokens: &[Token]) -> Result<String, String> {
        let refused = || {
            format!(
                "where {} behind a summarize has no counterpart",
                shown(tokens)
            )
        };
        let (aggregate, rest) = match tokens {
            [
                Token::Word(length),
                Token::Sign("("),
                Token::Word(name),
                Token::Sign(")"),
                rest @ ..,
            ] if length == "array_length" => {
                let known = self.aggregates.get(name).cloned().flatten();
                let part = known
                    .as_deref()
                    .and_then(|known| known.strip_prefix("set "));
                (part.map(|part| format!("COUNT(DISTINCT {part})")), rest)
            }
            [Token::Word(name), rest @ ..] => {
                let known = self.aggregates.get(name).cloned().flatten();
                (known.filter(|known| !known.starts_with("set ")), rest)
            }
            _ => (None, tokens),
        };
        let aggregate = aggregate.ok_or_else(refused)?;
        let [
            Token::Sign(sign @ (">" | ">=" | "<" | "<=" | "==" | "!=")),
            Token::Word(number),
        ] = rest
        else {
            return Err(refused());
        };
        let known = self.scope.values.get(number).map(|value| word(value, 0));
        let number = known.unwrap_or(number);
        Number::parse(number).ok_or_else(refused)?;
        let sign = if *sign == "==" { "=" } else { sign };
        Ok(format!("{aggregate} {sign} {number}"))
    }
}

/// Whether a condition is only about how far the query looks back.
fn is_time(tokens: &[Token], scope: &Scope<'_>) -> Result<bool, String> {
    if word(tokens, 0) != "TimeGenerated" {
        return Ok(false);
    }
    match tokens {
        [
            _,
            Token::Sign(">" | ">="),
            Token::Word(ago),
            Token::Sign("("),
            Token::Word(span),
            Token::Sign(")"),
        ] if ago == "ago" && (self::span(span).is_some() || scope.values.contains_key(span)) => {
            Ok(true)
        }
        _ => Err("where TimeGenerated: a time other than the last has no counterpart".to_owned()),
    }
}

/// `1h` in seconds.
pub fn span(text: &str) -> Option<Second> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.strip_prefix(digits)? {
        "s" | "sec" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hr" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        _ => return None,
    };
    digits.parse::<Second>().ok()?.checked_mul(unit)
}

/// The beginning of a part, as errors show it.
fn shown(tokens: &[Token]) -> String {
    let text = |token: &Token| match token {
        Token::Word(word) => word.clone(),
        Token::Text(text) => format!("\"{text}\""),
        Token::Sign(sign) => (*sign).to_owned(),
    };
    let texts: Vec<String> = tokens.iter().take(3).map(text).collect();
    let joined: String = texts
        .join(" ")
        .replace(" - ", "-")
        .chars()
        .take(60)
        .collect();
    crate::escape::value(&joined).into_owned()
}
