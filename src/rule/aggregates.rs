//! The aggregates that a `having` or an incident attribute may use.

use super::attribute::Names;
use super::bounds::GROUP_BY_MAX;
use super::formula::Making;
use super::lists::Lists;
use super::nearest::{self, shown};
use super::token::{Cursor, Spanned, Symbol, Token};
use super::tree::Scalar;
use super::{Aggregate, FilterError, Function, filter_parser};
use crate::event::AttributeId;

/// How an aggregate is written, for the parser, the reference and the tests.
pub struct AggregateDoc {
    /// Several entries may share one.
    pub function: Function,
    /// `a` stands for an attribute, `p` for a number.
    pub written: &'static str,
    /// What it computes, as the reference says it.
    pub meaning: &'static str,
    /// A `having`, the values of `a` in the order of the events, as JSON, and whether it holds.
    pub example: (&'static str, &'static [&'static str], bool),
}

/// Every aggregate that is supported, in the order of the reference.
pub const AGGREGATES: &[AggregateDoc] = &[
    AggregateDoc {
        function: Function::Count,
        written: "COUNT(*)",
        meaning: "events",
        example: ("COUNT(*) >= 2", &["1", "null"], true),
    },
    AggregateDoc {
        function: Function::Count,
        written: "COUNT(a)",
        meaning: "events that have the attribute",
        example: ("COUNT(a) = 1", &["1", "null"], true),
    },
    AggregateDoc {
        function: Function::CountDistinct,
        written: "COUNT(DISTINCT a)",
        meaning: "different values, letter case aside",
        example: ("COUNT(DISTINCT a) = 2", &["\"X\"", "\"x\"", "7"], true),
    },
    AggregateDoc {
        function: Function::CountDistinct,
        written: "COUNT(DISTINCT a, b, ..)",
        meaning: "different combinations of values; those in which one is absent do not count",
        example: (
            "COUNT(DISTINCT a, LEN(a)) = 2",
            &["\"X\"", "\"x\"", "7", "null"],
            true,
        ),
    },
    AggregateDoc {
        function: Function::Sum,
        written: "SUM(a)",
        meaning: "sum of the numbers, exact until it is rounded once",
        example: ("SUM(a) = 12", &["5", "\"7\"", "\"x\""], true),
    },
    AggregateDoc {
        function: Function::Sum,
        written: "SUM(IF(filter, 1, 0))",
        meaning: "as all but `COUNT(*)` and `SPAN()`, of any computed value",
        example: (
            "SUM(IF(a = \"Failure\", 1, 0)) / COUNT(*) > 0.5",
            &["\"Failure\"", "\"Success\"", "\"failure\""],
            true,
        ),
    },
    AggregateDoc {
        function: Function::Avg,
        written: "AVG(a)",
        meaning: "mean of the numbers",
        example: ("AVG(a) = 1.5", &["1", "2", "null"], true),
    },
    AggregateDoc {
        function: Function::Min,
        written: "MIN(a)",
        meaning: "least number",
        example: ("MIN(a) < 0", &["3", "-0.5"], true),
    },
    AggregateDoc {
        function: Function::Max,
        written: "MAX(a)",
        meaning: "greatest number",
        example: ("MAX(a) > 3", &["3", "-0.5"], false),
    },
    AggregateDoc {
        function: Function::First,
        written: "FIRST(a)",
        meaning: "value of the first event that has one, a number or text",
        example: ("FIRST(a) = 3", &["null", "3", "5"], true),
    },
    AggregateDoc {
        function: Function::Last,
        written: "LAST(a)",
        meaning: "value of the last event that has one, a number or text",
        example: ("LAST(a) > FIRST(a)", &["3", "5", "null"], true),
    },
    AggregateDoc {
        function: Function::Median,
        written: "MEDIAN(a)",
        meaning: "median of the numbers, the same as `PCTILE(a, 50)`",
        example: ("MEDIAN(a) = 2.5", &["1", "2", "3", "400"], true),
    },
    AggregateDoc {
        function: Function::Mode,
        written: "MODE(a)",
        meaning: "most frequent value, a number or text; of several the least, numbers before text",
        example: ("MODE(a) = 5", &["5", "9", "5", "7"], true),
    },
    AggregateDoc {
        function: Function::Percentile(95_000),
        written: "PCTILE95(a)",
        meaning: "the same as `PCTILE(a, 95)`",
        example: ("PCTILE95(a) < 20", &["1", "20"], true),
    },
    AggregateDoc {
        function: Function::Percentile(50_000),
        written: "PCTILE(a, p)",
        meaning: "percentile of the numbers, p from 0 to 100; between two of them in proportion",
        example: ("PCTILE(a, 50) >= 100", &["1", "2"], false),
    },
    AggregateDoc {
        function: Function::Stddev,
        written: "STDDEV(a)",
        meaning: "sample standard deviation (that of n numbers divides by n - 1)",
        example: ("STDDEV(a) = 2", &["1", "3", "5"], true),
    },
    AggregateDoc {
        function: Function::Variance,
        written: "VARIANCE(a)",
        meaning: "sample variance, the square of `STDDEV(a)`",
        example: ("VARIANCE(a) = 4", &["1", "3", "5"], true),
    },
    AggregateDoc {
        function: Function::PctChange,
        written: "PCTCHANGE(a)",
        meaning: "by how many percent the last number differs from the first",
        example: ("PCTCHANGE(a) >= 50", &["4", "9", "6"], true),
    },
    AggregateDoc {
        function: Function::Span,
        written: "SPAN()",
        meaning: "seconds from the first event to the last, to the millisecond; 0 of one event",
        example: ("SPAN() > 0", &["4"], false),
    },
];

/// What FortiSIEM has beside them, and what to do instead.
const ELSEWHERE: &[(&str, &str)] = &[
    ("EMA", MOVING),
    ("SMA", MOVING),
    (
        "DeviceToCMDBAttr",
        "there is no CMDB here: write the number, or one pattern for each kind of device",
    ),
];

const MOVING: &str = "a rule knows its window, not a series of them: use AVG or MEDIAN";

const PROFILE: &str =
    "no statistical profiles are kept here: compare with a number, or with STDDEV or PCTILE";

impl Function {
    /// The word before the parenthesis.
    pub fn word(self) -> &'static str {
        match self {
            Function::Count | Function::CountDistinct => "COUNT",
            Function::Sum => "SUM",
            Function::Avg => "AVG",
            Function::Min => "MIN",
            Function::Max => "MAX",
            Function::First => "FIRST",
            Function::Last => "LAST",
            Function::Mode => "MODE",
            Function::Median => "MEDIAN",
            Function::Percentile(_) => "PCTILE",
            Function::Stddev => "STDDEV",
            Function::Variance => "VARIANCE",
            Function::PctChange => "PCTCHANGE",
            Function::Span => "SPAN",
        }
    }
}

impl AggregateDoc {
    /// The word before the parenthesis.
    fn word(&self) -> &'static str {
        self.written
            .split_once('(')
            .map_or(self.written, |(word, _)| word)
    }
}

/// Reads `COUNT(*)`, `COUNT(DISTINCT a)`, `PCTILE(a, 99)`, ..; `word` is its first word, already
/// taken.
pub fn parse(
    word: &Spanned<'_>,
    making: &mut Making<'_, '_, '_, '_>,
) -> Result<Aggregate, FilterError> {
    let doc = by_word(word)?;
    let mut function = doc.function;
    let cursor = &mut *making.cursor;
    cursor.expect(Symbol::Open)?;
    if function == Function::Span || function == Function::Count && cursor.take(Symbol::Star) {
        cursor.expect(Symbol::Close)?;
        return Ok(Aggregate {
            function,
            input: None,
        });
    }
    if function == Function::Count && cursor.take_word("DISTINCT") {
        function = Function::CountDistinct;
    }
    let has_number = doc.written.contains(", p");
    let number_first = has_number
        && matches!(cursor.peek().token, Token::Number(_))
        && *cursor.peek_second() == Token::Symbol(Symbol::Comma);
    if number_first {
        function = percentile(cursor)?;
        cursor.expect(Symbol::Comma)?;
    }
    let offset = cursor.peek().offset;
    let mut parts = vec![argument(making)?];
    while function == Function::CountDistinct && making.cursor.take(Symbol::Comma) {
        if parts.len() == GROUP_BY_MAX {
            let offset = making.cursor.peek().offset;
            let message = format!("a combination has at most {GROUP_BY_MAX} parts");
            return Err(FilterError { offset, message });
        }
        parts.push(argument(making)?);
    }
    let input = input(parts, making);
    let input = input
        .map_err(|message| making.errors.push(FilterError { offset, message }))
        .ok();
    let cursor = &mut *making.cursor;
    if has_number && !number_first {
        cursor.expect(Symbol::Comma)?;
        function = percentile(cursor)?;
    }
    cursor.expect(Symbol::Close)?;
    Ok(Aggregate { function, input })
}

/// An attribute or a computed value, and the lists that it names.
fn argument(making: &mut Making<'_, '_, '_, '_>) -> Result<(Scalar, Lists), FilterError> {
    let is_alone = matches!(
        making.cursor.peek_second(),
        Token::Symbol(Symbol::Close | Symbol::Comma)
    );
    match making.cursor.peek().token {
        Token::Name(name) if is_alone => {
            if let Some(named) = making.reads.named(name) {
                making.cursor.next();
                return Ok((Scalar::Attribute(named), Lists::default()));
            }
        }
        Token::Symbol(Symbol::Close | Symbol::Comma | Symbol::Star) | Token::End => {
            return Err(making
                .cursor
                .unexpected("the name of an attribute, or a computed value"));
        }
        Token::Name(_) | Token::Text(_) | Token::Number(_) | Token::Symbol(_) => {}
    }
    filter_parser::value(making)
}

/// The place of what an aggregate reads.
fn input(
    parts: Vec<(Scalar, Lists)>,
    making: &mut Making<'_, '_, '_, '_>,
) -> Result<AttributeId, String> {
    if let [(Scalar::Attribute(id), _)] = &parts[..] {
        return Ok(*id);
    }
    let mut lists = Lists::default();
    let mut values = Vec::new();
    for (value, of) in parts {
        lists.extend(&of);
        values.push(value);
    }
    match making.names {
        Names::Event(attributes) => making.reads.add(None, values, lists, attributes),
        Names::Incident(_) => Err("an aggregate is of events".to_owned()),
    }
}

fn percentile(cursor: &mut Cursor<'_>) -> Result<Function, FilterError> {
    let expected = "a number from 0 to 100, with at most three decimals";
    let error = cursor.unexpected(expected);
    let Token::Number(number) = cursor.next().token else {
        return Err(error);
    };
    let thousandths = number.as_f64() * 1000.0;
    let whole = thousandths.round();
    if whole > 100_000.0 || (thousandths - whole).abs() > 1e-6 {
        return Err(error);
    }
    Ok(Function::Percentile(whole as u32))
}

fn by_word(word: &Spanned<'_>) -> Result<&'static AggregateDoc, FilterError> {
    let Token::Name(name) = word.token else {
        let message = format!(
            "expected an aggregate such as COUNT(*), found {}",
            word.token
        );
        return Err(FilterError {
            offset: word.offset,
            message,
        });
    };
    let same = |known: &str| known.eq_ignore_ascii_case(name);
    if let Some(doc) = AGGREGATES.iter().find(|doc| same(doc.word())) {
        return Ok(doc);
    }
    let is_profile = name
        .get(..8)
        .is_some_and(|start| start.eq_ignore_ascii_case("PH_FUNC_"));
    let message = if let Some((known, advice)) = ELSEWHERE.iter().find(|(known, _)| same(known)) {
        format!("{known} cannot be used: {advice}")
    } else if is_profile {
        format!("{} cannot be used: {PROFILE}", shown(name))
    } else {
        let mut known: Vec<&str> = AGGREGATES.iter().map(AggregateDoc::word).collect();
        known.dedup();
        format!(
            "unknown aggregate `{}`{}",
            shown(name),
            nearest::hint(name, &known)
        )
    };
    Err(FilterError {
        offset: word.offset,
        message,
    })
}

#[cfg(test)]
#[path = "aggregates_tests.rs"]
mod tests;
