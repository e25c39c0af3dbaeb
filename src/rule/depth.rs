//! How deep the canonical text of a filter or `having` nests, which may be deeper than the text
//! that was read: it has parentheses within every sum of three. What is printed must be readable.

use super::bounds::DEPTH_MAX;
use super::operator::Operator;
use super::tree::{Against, Computed, Expression, Scalar, Test};
use super::{FilterError, Having, Term};

/// Levels of parentheses, functions and NOTs in a filter's text.
pub fn of_filter(expression: &Expression) -> usize {
    match expression {
        Expression::And(parts) => most(parts, |part| match part {
            Expression::Or(_) => 1 + of_filter(part),
            Expression::And(_)
            | Expression::Not(_)
            | Expression::Test(_)
            | Expression::Computed(_) => of_filter(part),
        }),
        Expression::Or(parts) => most(parts, of_filter),
        Expression::Not(inner) => 2 + of_filter(inner),
        Expression::Test(Test { negated, check, .. }) => of_not(*negated, check.written().0),
        Expression::Computed(test) => of_computed(test),
    }
}

fn of_computed(test: &Computed) -> usize {
    let value = of_scalar(&test.value);
    match &test.against {
        Against::Check(check) => of_not(test.negated, check.written().0) + value,
        Against::Value(operator, other) => {
            of_not(test.negated, *operator) + value.max(of_scalar(other))
        }
    }
}

/// A negation that has no operator of its own is a NOT before the test.
fn of_not(negated: bool, operator: Operator) -> usize {
    let has_own = operator.doc().is_none_or(|doc| doc.negation.is_some());
    usize::from(negated && !has_own)
}

/// Levels of parentheses and functions in the text of a computed value.
pub fn of_scalar(value: &Scalar) -> usize {
    match value {
        Scalar::Attribute(_) | Scalar::Text(_) | Scalar::Number(_) => 0,
        Scalar::Arithmetic(left, _, right) => {
            let side = |side: &Scalar| {
                usize::from(matches!(side, Scalar::Arithmetic(..))) + of_scalar(side)
            };
            side(left).max(side(right))
        }
        Scalar::Call(_, arguments) => 1 + most(arguments, of_scalar),
        Scalar::Clock(clock) => 1 + clock.time.as_deref().map_or(0, of_scalar),
        Scalar::Extract(text, _) => 1 + of_scalar(text),
        Scalar::If(test, then, otherwise) => {
            1 + of_filter(test)
                .max(of_scalar(then))
                .max(of_scalar(otherwise))
        }
        Scalar::NetLookup(lookup) => 1 + of_scalar(&lookup.key),
        Scalar::Lookup(lookup) => 1 + most(&lookup.keys, of_scalar),
    }
}

/// Levels of parentheses in the text of a `having`.
pub fn of_having(having: &Having) -> usize {
    match having {
        Having::And(parts) | Having::Or(parts) => most(parts, |part| {
            usize::from(!matches!(part, Having::Compare(..))) + of_having(part)
        }),
        Having::Compare(left, _, right) => of_term(left).max(of_term(right)),
    }
}

fn of_term(term: &Term) -> usize {
    match term {
        Term::Number(_) | Term::Aggregate(_) => 0,
        Term::Arithmetic(left, _, right) => {
            let side =
                |side: &Term| usize::from(matches!(side, Term::Arithmetic(..))) + of_term(side);
            side(left).max(side(right))
        }
    }
}

fn most<T>(parts: &[T], of: impl Fn(&T) -> usize) -> usize {
    parts.iter().map(of).max().unwrap_or_default()
}

/// The error that a text is too deep.
pub fn too_deep() -> FilterError {
    FilterError {
        offset: 0,
        message: format!(
            "nested more than {DEPTH_MAX} deep, where each of `a + b + c` counts: write less in \
             one"
        ),
    }
}
