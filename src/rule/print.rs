//! Filters and `having`s in canonical form: parsing the text gives the same expression again.

use super::attribute;
use super::filter::{Expression, Test};
use super::literal::Literal;
use super::operators::Operands;
use super::{Aggregate, Arithmetic, Comparison, Function, Having, Term};
use crate::event::{AttributeId, Attributes};

/// How an attribute is written, by its place.
pub type NameOf<'a> = &'a dyn Fn(AttributeId) -> String;

/// The written name of the attribute at `id` of a table.
pub fn name(attributes: &Attributes, id: AttributeId) -> String {
    attributes
        .list()
        .get(usize::from(id.0))
        .map(attribute::print)
        .unwrap_or_default()
}

/// The text of a filter.
pub fn filter(expression: &Expression, name: NameOf<'_>) -> String {
    match expression {
        Expression::And(parts) => {
            let part = |part: &Expression| match part {
                Expression::Or(_) => format!("({})", filter(part, name)),
                Expression::And(_) | Expression::Not(_) | Expression::Test(_) => filter(part, name),
            };
            parts.iter().map(part).collect::<Vec<_>>().join(" AND ")
        }
        Expression::Or(parts) => parts
            .iter()
            .map(|part| filter(part, name))
            .collect::<Vec<_>>()
            .join(" OR "),
        Expression::Not(inner) => format!("NOT ({})", filter(inner, name)),
        Expression::Test(test) => self::test(test, name),
    }
}

fn test(test: &Test, name: NameOf<'_>) -> String {
    let (operator, operands) = test.check.written();
    let Some(doc) = operator.doc() else {
        return String::new();
    };
    let (prefix, word) = match (test.negated, doc.negation) {
        (false, _) => ("", doc.name),
        (true, Some(negation)) => ("", negation),
        (true, None) => ("NOT ", doc.name),
    };
    let literals = || {
        operands
            .iter()
            .map(Literal::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let operands = match doc.operands {
        Operands::None => String::new(),
        Operands::One => format!(" {}", literals()),
        Operands::List | Operands::Pair => format!(" ({})", literals()),
    };
    format!("{prefix}{} {word}{operands}", name(test.attribute))
}

/// The text of a `having`, whose places are those in `aggregates`.
pub fn having(having: &Having, aggregates: &[Aggregate], name: NameOf<'_>) -> String {
    let join = |parts: &[Having], word: &str| {
        let part = |part: &Having| match part {
            Having::Compare(..) => self::having(part, aggregates, name),
            Having::And(_) | Having::Or(_) => {
                format!("({})", self::having(part, aggregates, name))
            }
        };
        parts.iter().map(part).collect::<Vec<_>>().join(word)
    };
    match having {
        Having::And(parts) => join(parts, " AND "),
        Having::Or(parts) => join(parts, " OR "),
        Having::Compare(left, comparison, right) => {
            let term = |side| term(side, aggregates, name);
            format!("{} {} {}", term(left), symbol(*comparison), term(right))
        }
    }
}

fn term(side: &Term, aggregates: &[Aggregate], name: NameOf<'_>) -> String {
    match side {
        Term::Number(number) => number.to_string(),
        Term::Aggregate(place) => aggregates
            .get(*place)
            .map(|found| aggregate(found, name))
            .unwrap_or_default(),
        Term::Arithmetic(left, operator, right) => {
            let part = |part: &Term| match part {
                Term::Arithmetic(..) => format!("({})", term(part, aggregates, name)),
                Term::Number(_) | Term::Aggregate(_) => term(part, aggregates, name),
            };
            let operator = match operator {
                Arithmetic::Add => "+",
                Arithmetic::Subtract => "-",
                Arithmetic::Multiply => "*",
                Arithmetic::Divide => "/",
            };
            format!("{} {operator} {}", part(left), part(right))
        }
    }
}

fn symbol(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "!=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
    }
}

/// `COUNT(*)`, `COUNT(DISTINCT user)`, `SUM(record.bytes)`, ..
pub fn aggregate(aggregate: &Aggregate, name: NameOf<'_>) -> String {
    let input = aggregate.input.map_or("*".to_string(), name);
    let distinct = if aggregate.function == Function::CountDistinct {
        "DISTINCT "
    } else {
        ""
    };
    format!("{}({distinct}{input})", aggregate.function.word())
}

#[cfg(test)]
#[path = "print_tests.rs"]
mod tests;
