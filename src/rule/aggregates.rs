//! The aggregates that a `having` or an incident attribute may use.

use super::attribute::Names;
use super::nearest;
use super::token::{Cursor, Spanned, Symbol, Token};
use super::{Aggregate, FilterError, Function};

/// How an aggregate is written, for the parser, the reference and the tests.
pub struct AggregateDoc {
    /// Several entries may share one.
    pub function: Function,
    /// `a` stands for an attribute.
    pub written: &'static str,
    /// What it computes, as the reference says it.
    pub meaning: &'static str,
}

/// Every aggregate that is supported, in the order of the reference.
pub const AGGREGATES: &[AggregateDoc] = &[
    AggregateDoc {
        function: Function::Count,
        written: "COUNT(*)",
        meaning: "events",
    },
    AggregateDoc {
        function: Function::Count,
        written: "COUNT(a)",
        meaning: "events that have the attribute",
    },
    AggregateDoc {
        function: Function::CountDistinct,
        written: "COUNT(DISTINCT a)",
        meaning: "different values, letter case aside",
    },
    AggregateDoc {
        function: Function::Sum,
        written: "SUM(a)",
        meaning: "sum of the numbers; 0 if there are none",
    },
    AggregateDoc {
        function: Function::Avg,
        written: "AVG(a)",
        meaning: "mean of the numbers; undefined if there are none",
    },
    AggregateDoc {
        function: Function::Min,
        written: "MIN(a)",
        meaning: "least number; undefined if there are none",
    },
    AggregateDoc {
        function: Function::Max,
        written: "MAX(a)",
        meaning: "greatest number; undefined if there are none",
    },
];

/// FortiSIEM's other aggregates.
const LATER: &[&str] = &[
    "FIRST",
    "LAST",
    "MEDIAN",
    "MODE",
    "PCTILE95",
    "PCTILE",
    "STDDEV",
    "VARIANCE",
    "PCTCHANGE",
    "EMA",
    "SMA",
];

impl Function {
    /// The word before the parenthesis.
    pub fn word(self) -> &'static str {
        match self {
            Function::Count | Function::CountDistinct => "COUNT",
            Function::Sum => "SUM",
            Function::Avg => "AVG",
            Function::Min => "MIN",
            Function::Max => "MAX",
        }
    }
}

/// Reads `COUNT(*)`, `COUNT(DISTINCT a)`, `SUM(a)`, ..; `word` is its first word, already taken.
pub fn parse(
    word: &Spanned<'_>,
    cursor: &mut Cursor<'_>,
    names: &mut Names<'_>,
    errors: &mut Vec<FilterError>,
) -> Result<Aggregate, FilterError> {
    let function = by_word(word)?;
    cursor.expect(Symbol::Open)?;
    if function == Function::Count && cursor.take(Symbol::Star) {
        cursor.expect(Symbol::Close)?;
        return Ok(Aggregate {
            function,
            input: None,
        });
    }
    let distinct = function == Function::Count && cursor.take_word("DISTINCT");
    let function = if distinct {
        Function::CountDistinct
    } else {
        function
    };
    let Spanned { offset, token } = cursor.peek().clone();
    let Token::Name(name) = token else {
        return Err(cursor.unexpected("the name of an attribute"));
    };
    cursor.next();
    let input = names.resolve(name).map(|(attribute, _)| attribute);
    let input = input
        .map_err(|message| errors.push(FilterError { offset, message }))
        .ok();
    cursor.expect(Symbol::Close)?;
    Ok(Aggregate { function, input })
}

fn by_word(word: &Spanned<'_>) -> Result<Function, FilterError> {
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
    if let Some(doc) = AGGREGATES.iter().find(|doc| same(doc.function.word())) {
        return Ok(doc.function);
    }
    let message = if let Some(later) = LATER.iter().find(|later| same(later)) {
        format!("the aggregate {later} is not supported yet")
    } else if same("DeviceToCMDBAttr") || name.starts_with("PH_FUNC_") {
        format!("the function {name} is not supported yet")
    } else {
        let known: Vec<&str> = AGGREGATES.iter().map(|doc| doc.function.word()).collect();
        format!("unknown aggregate `{name}`{}", nearest::hint(name, &known))
    };
    Err(FilterError {
        offset: word.offset,
        message,
    })
}
