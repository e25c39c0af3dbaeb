//! Filters and `having`s in canonical form: parsing the text gives the same expression again.

use super::attribute;
use super::check::Check;
use super::functions::{self, Callable};
use super::literal::Literal;
use super::operator::Operator;
use super::operators::{Operands, OperatorDoc};
use super::token::quote;
use super::tree::{Against, Clock, Computed, Expression, Lookup, NetLookup, Scalar, Test};
use super::{Aggregate, Arithmetic, Comparison, Filter, Function, Having, New, Term};
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

impl Filter {
    /// Its text.
    pub fn print(&self, name: NameOf<'_>) -> String {
        filter(&self.expression, name)
    }
}

/// The text of a filter.
pub fn filter(expression: &Expression, name: NameOf<'_>) -> String {
    match expression {
        Expression::And(parts) => {
            let part = |part: &Expression| match part {
                Expression::Or(_) => format!("({})", filter(part, name)),
                Expression::And(_)
                | Expression::Not(_)
                | Expression::Test(_)
                | Expression::Computed(_) => filter(part, name),
            };
            parts.iter().map(part).collect::<Vec<_>>().join(" AND ")
        }
        Expression::Or(parts) => parts
            .iter()
            .map(|part| filter(part, name))
            .collect::<Vec<_>>()
            .join(" OR "),
        Expression::Not(inner) => format!("NOT ({})", filter(inner, name)),
        Expression::Test(Test {
            attribute,
            negated,
            check,
        }) => tested(&name(*attribute), *negated, check),
        Expression::Computed(test) => computed(test, name),
    }
}

fn computed(test: &Computed, name: NameOf<'_>) -> String {
    let value = scalar(&test.value, name);
    match &test.against {
        Against::Check(check) => tested(&value, test.negated, check),
        Against::Value(operator, other) => {
            let (prefix, word) = operator_text(*operator, test.negated);
            format!("{prefix}{value} {word} {}", scalar(other, name))
        }
    }
}

fn tested(value: &str, negated: bool, check: &Check) -> String {
    let (operator, operands) = check.written();
    let (prefix, word) = operator_text(operator, negated);
    let literals: Vec<String> = operands.iter().map(Literal::to_string).collect();
    let literals = literals.join(", ");
    let operands = match operator.doc().map_or(Operands::None, |doc| doc.operands) {
        Operands::None => String::new(),
        Operands::One => format!(" {literals}"),
        Operands::List | Operands::Pair => format!(" ({literals})"),
    };
    format!("{prefix}{value} {word}{operands}")
}

/// What stands before the value, and the operator after it.
fn operator_text(operator: Operator, negated: bool) -> (&'static str, &'static str) {
    match operator.doc() {
        None => ("", ""),
        Some(OperatorDoc { name, .. }) if !negated => ("", name),
        Some(OperatorDoc { name, negation, .. }) => match negation {
            Some(negation) => ("", negation),
            None => ("NOT ", name),
        },
    }
}

/// The text of a pattern's `new`.
pub fn new(new: &New, name: NameOf<'_>) -> String {
    let attributes: Vec<String> = new.attributes.iter().map(|id| name(*id)).collect();
    format!("[{}] over {}s", attributes.join(", "), new.period)
}

/// The text of a computed value.
pub fn scalar(value: &Scalar, name: NameOf<'_>) -> String {
    let list = |arguments: &[Scalar]| {
        let arguments: Vec<String> = arguments.iter().map(|one| scalar(one, name)).collect();
        arguments.join(", ")
    };
    match value {
        Scalar::Attribute(id) => name(*id),
        Scalar::Text(text) => quote(text),
        Scalar::Number(number) => number.to_string(),
        Scalar::Arithmetic(left, operator, right) => {
            let part = |part: &Scalar| match part {
                Scalar::Arithmetic(..) => format!("({})", scalar(part, name)),
                Scalar::Attribute(_)
                | Scalar::Text(_)
                | Scalar::Number(_)
                | Scalar::Call(..)
                | Scalar::Clock(_)
                | Scalar::Extract(..)
                | Scalar::If(..)
                | Scalar::Lookup(_)
                | Scalar::NetLookup(_) => scalar(part, name),
            };
            format!("{} {} {}", part(left), sign(*operator), part(right))
        }
        Scalar::Call(function, arguments) => {
            let function = functions::name(Callable::Plain(*function));
            format!("{function}({})", list(arguments))
        }
        Scalar::Clock(Clock { hand, time, zone }) => {
            let zone = zone.as_ref().map(|zone| quote(zone.name()));
            let time = time.as_ref().map(|time| scalar(time, name));
            let time = time.or_else(|| zone.as_ref().map(|_| "time".to_owned()));
            let arguments: Vec<String> = time.into_iter().chain(zone).collect();
            format!(
                "{}({})",
                functions::name(Callable::Clock(*hand)),
                arguments.join(", ")
            )
        }
        Scalar::Extract(text, pattern) => {
            format!(
                "EXTRACT({}, {})",
                scalar(text, name),
                quote(pattern.source())
            )
        }
        Scalar::If(test, then, otherwise) => format!(
            "IF({}, {}, {})",
            filter(test, name),
            scalar(then, name),
            scalar(otherwise, name)
        ),
        Scalar::NetLookup(NetLookup { asked, key }) => format!(
            "NetLookup({}, {}, {})",
            quote(&asked.table),
            scalar(key, name),
            quote(&asked.column)
        ),
        Scalar::Lookup(Lookup {
            table,
            keys,
            column,
        }) => {
            let (table, keys, columns) = (quote(&table.name), list(keys), table.list.columns());
            match column.and_then(|column| columns.get(column)) {
                None => format!("LookupTableHas({table}, {keys})"),
                Some(column) => format!("LookupTableGet({table}, {keys}, {})", quote(column)),
            }
        }
    }
}

fn sign(operator: Arithmetic) -> &'static str {
    match operator {
        Arithmetic::Add => "+",
        Arithmetic::Subtract => "-",
        Arithmetic::Multiply => "*",
        Arithmetic::Divide => "/",
    }
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
            format!("{} {} {}", part(left), sign(*operator), part(right))
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

/// `COUNT(*)`, `COUNT(DISTINCT user)`, `PCTILE(record.bytes, 99.9)`, ..
pub fn aggregate(aggregate: &Aggregate, name: NameOf<'_>) -> String {
    let input = aggregate.input.map_or("*".to_string(), name);
    let word = aggregate.function.word();
    match aggregate.function {
        Function::CountDistinct => format!("{word}(DISTINCT {input})"),
        Function::Percentile(thousandths) => {
            format!("{word}({input}, {})", f64::from(thousandths) / 1000.0)
        }
        Function::Count
        | Function::Sum
        | Function::Avg
        | Function::Min
        | Function::Max
        | Function::First
        | Function::Last
        | Function::Mode
        | Function::Median
        | Function::Stddev
        | Function::Variance
        | Function::PctChange => format!("{word}({input})"),
        Function::Span => format!("{word}()"),
    }
}

#[cfg(test)]
#[path = "print_tests.rs"]
pub(super) mod tests;
