//! The operators of filters: how each is written, what it takes, when it holds.
//!
//! A new operator is a variant of [`Operator`], an entry of [`OPERATORS`] and, where it does not
//! come down to another one, a variant of [`Check`].

use std::cmp::Ordering;
use std::net::IpAddr;

use super::attribute::Kind;
use super::check::Check;
use super::literal::{Literal, Set};
use super::networks;
use super::number::Number;
use super::operator::Operator;
use super::scope::{Age, Scope};

/// What stands to the right of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operands {
    /// Nothing, as after `IS NULL`.
    None,
    /// A single literal.
    One,
    /// `(a, b, ..)`
    List,
    /// `(a, b)`
    Pair,
}

/// How an operator is written, for the parser, the reference and the tests.
pub struct OperatorDoc {
    /// What is documented.
    pub operator: Operator,
    /// As filters write it, in upper case.
    pub name: &'static str,
    /// How its negation is written, where that is not `NOT attribute ..`.
    pub negation: Option<&'static str>,
    /// What must follow it.
    pub operands: Operands,
    /// In the reference.
    pub meaning: &'static str,
    /// Filters over `user` and `srcIpAddr`, that attribute's value as JSON (none: absent), and
    /// whether the filter holds.
    pub examples: &'static [(&'static str, Option<&'static str>, bool)],
}

/// Every operator, in the order of the reference.
pub const OPERATORS: &[OperatorDoc] = &[
    OperatorDoc {
        operator: Operator::Equal,
        name: "=",
        negation: Some("!="),
        operands: Operands::One,
        meaning: "equals a text, a number or a computed value, or lies in a `cidr(\"..\")`",
        examples: &[
            ("user = \"Alice\"", Some("\"ALICE\""), true),
            ("user = \"alice\"", Some("\"alice2\""), false),
            ("user = \"alice\"", Some("[\"bob\", \"alice\"]"), true),
            ("user != \"alice\"", Some("[\"bob\", \"alice\"]"), false),
            ("user = \"alice\"", None, false),
            ("user != \"alice\"", None, true),
            ("user = 200", Some("\"200\""), true),
            ("user = 200", Some("200.0"), true),
            ("user = \"200\"", Some("200"), true),
            ("user = \"200\"", Some("\"200.0\""), false),
            ("user = \"true\"", Some("true"), true),
            (
                "srcIpAddr = cidr(\"10.0.0.0/8\")",
                Some("\"10.1.2.3\""),
                true,
            ),
            (
                "srcIpAddr = cidr(\"10.0.0.0/8\")",
                Some("\"11.1.2.3\""),
                false,
            ),
            (
                "srcIpAddr = cidr(\"10.0.0.0/8\")",
                Some("\"<null>\""),
                false,
            ),
            (
                "srcIpAddr != cidr(\"10.0.0.0/8\")",
                Some("\"<null>\""),
                true,
            ),
            (
                "srcIpAddr = \"2001:DB8::1\"",
                Some("\"2001:db8:0:0:0:0:0:1\""),
                true,
            ),
        ],
    },
    OperatorDoc {
        operator: Operator::Greater,
        name: ">",
        negation: None,
        operands: Operands::One,
        meaning: "is a number, or text that spells one, greater than this number",
        examples: &[
            ("user > 9", Some("\"10\""), true),
            ("user > 9", Some("9"), false),
            ("user > 9", Some("\"many\""), false),
            ("user > 9", None, false),
            ("NOT user > 9", None, true),
        ],
    },
    OperatorDoc {
        operator: Operator::GreaterOrEqual,
        name: ">=",
        negation: None,
        operands: Operands::One,
        meaning: "greater or equal",
        examples: &[
            ("user >= -1.5", Some("-1.5"), true),
            ("user >= -1.5", Some("-2"), false),
        ],
    },
    OperatorDoc {
        operator: Operator::Less,
        name: "<",
        negation: None,
        operands: Operands::One,
        meaning: "less",
        examples: &[
            ("user < 1e3", Some("999"), true),
            ("user < 1e3", Some("1000"), false),
        ],
    },
    OperatorDoc {
        operator: Operator::LessOrEqual,
        name: "<=",
        negation: None,
        operands: Operands::One,
        meaning: "less or equal",
        examples: &[
            ("user <= 5", Some("[9, 5]"), true),
            ("user <= 5", Some("5.1"), false),
        ],
    },
    OperatorDoc {
        operator: Operator::In,
        name: "IN",
        negation: Some("NOT IN"),
        operands: Operands::List,
        meaning: "equals one of these, which may be of different types; `Group@name` stands for \
                  all that is in a list",
        examples: &[
            ("user IN (\"a\", \"b\", 3)", Some("\"B\""), true),
            ("user IN (\"a\", \"b\", 3)", Some("3"), true),
            ("user IN (\"a\", \"b\", 3)", Some("\"c\""), false),
            ("user NOT IN (\"a\", \"b\")", None, true),
            (
                "srcIpAddr IN (cidr(\"10.0.0.0/8\"), \"192.0.2.1\")",
                Some("\"192.0.2.1\""),
                true,
            ),
        ],
    },
    OperatorDoc {
        operator: Operator::Between,
        name: "BETWEEN",
        negation: Some("NOT BETWEEN"),
        operands: Operands::Pair,
        meaning: "a number, or on an address attribute an address, from the first to the second, \
                  both included",
        examples: &[
            ("user BETWEEN (1, 5)", Some("5"), true),
            ("user BETWEEN (1, 5)", Some("0"), false),
            ("user NOT BETWEEN (1, 5)", None, true),
            (
                "srcIpAddr BETWEEN (\"10.0.0.1\", \"10.0.0.9\")",
                Some("\"10.0.0.2\""),
                true,
            ),
            (
                "srcIpAddr BETWEEN (\"10.0.0.1\", \"10.0.0.9\")",
                Some("\"10.0.0.10\""),
                false,
            ),
        ],
    },
    OperatorDoc {
        operator: Operator::Contain,
        name: "CONTAIN",
        negation: Some("NOT CONTAIN"),
        operands: Operands::One,
        meaning: "contains this text (`CONTAINS` is accepted too)",
        examples: &[
            (
                "user CONTAIN \"Contoso\"",
                Some("\"alice@CONTOSO.com\""),
                true,
            ),
            (
                "user contains \"contoso\"",
                Some("\"alice@contos.com\""),
                false,
            ),
            ("user CONTAIN \"20\"", Some("200"), true),
            ("user NOT CONTAIN \"contoso\"", None, true),
        ],
    },
    OperatorDoc {
        operator: Operator::StartsWith,
        name: "STARTS_WITH",
        negation: Some("NOT STARTS_WITH"),
        operands: Operands::One,
        meaning: "begins with this text",
        examples: &[
            ("user STARTS_WITH \"adm\"", Some("\"Admin\""), true),
            ("user STARTS_WITH \"adm\"", Some("\"sysadm\""), false),
            ("user NOT STARTS_WITH \"adm\"", None, true),
        ],
    },
    OperatorDoc {
        operator: Operator::EndsWith,
        name: "ENDS_WITH",
        negation: Some("NOT ENDS_WITH"),
        operands: Operands::One,
        meaning: "ends with this text",
        examples: &[
            ("user ENDS_WITH \".COM\"", Some("\"a@b.com\""), true),
            ("user ENDS_WITH \".com\"", Some("\"com\""), false),
            ("user NOT ENDS_WITH \".com\"", None, true),
        ],
    },
    OperatorDoc {
        operator: Operator::Regexp,
        name: "REGEXP",
        negation: Some("NOT REGEXP"),
        operands: Operands::One,
        meaning: "a part of it matches this regular expression (syntax of the Rust crate regex; \
                  letter case is ignored; always linear time)",
        examples: &[
            ("user REGEXP \"^svc-[0-9]+$\"", Some("\"SVC-42\""), true),
            ("user REGEXP \"^\\\\d+$\"", Some("\"4x2\""), false),
            ("user REGEXP \"b+\"", Some("\"abc\""), true),
            ("user NOT REGEXP \".\"", None, true),
        ],
    },
    OperatorDoc {
        operator: Operator::IsNull,
        name: "IS NULL",
        negation: Some("IS NOT NULL"),
        operands: Operands::None,
        meaning: "the event does not have the attribute",
        examples: &[
            ("user IS NULL", None, true),
            ("user IS NULL", Some("\"\""), false),
            ("user IS NOT NULL", Some("\"alice\""), true),
            ("user IS NOT NULL", None, false),
        ],
    },
];

impl Operator {
    /// Its entry in [`OPERATORS`].
    pub fn doc(self) -> Option<&'static OperatorDoc> {
        OPERATORS.iter().find(|doc| doc.operator == self)
    }

    /// The operator spelled `word`, in any case.
    pub fn by_name(word: &str) -> Option<Operator> {
        if word.eq_ignore_ascii_case("CONTAINS") {
            return Some(Operator::Contain);
        }
        let named = |doc: &&OperatorDoc| doc.name.eq_ignore_ascii_case(word);
        OPERATORS.iter().find(named).map(|doc| doc.operator)
    }

    /// Whether a computed value may stand to the right of it.
    pub fn compares(self) -> bool {
        match self {
            Operator::Equal
            | Operator::Greater
            | Operator::GreaterOrEqual
            | Operator::Less
            | Operator::LessOrEqual => true,
            Operator::In
            | Operator::Between
            | Operator::Contain
            | Operator::StartsWith
            | Operator::EndsWith
            | Operator::Regexp
            | Operator::IsNull => false,
        }
    }

    /// The test that it makes of its operands, on an attribute of this kind.
    pub fn check(
        self,
        kind: Kind,
        operands: Vec<Literal>,
        scope: &mut Scope<'_>,
    ) -> Result<Check, String> {
        let mut operands = operands.into_iter();
        let (first, second) = match self {
            Operator::In => return Ok(Check::In(equals(kind, operands.collect(), scope.age)?)),
            Operator::IsNull => return Ok(Check::IsNull),
            Operator::Equal
            | Operator::Greater
            | Operator::GreaterOrEqual
            | Operator::Less
            | Operator::LessOrEqual
            | Operator::Between
            | Operator::Contain
            | Operator::StartsWith
            | Operator::EndsWith
            | Operator::Regexp => (operands.next(), operands.next()),
        };
        let first = first.ok_or("there is nothing to compare with")?;
        match self {
            Operator::Equal | Operator::In | Operator::IsNull => {
                Ok(Check::In(equals(kind, vec![first], scope.age)?))
            }
            Operator::Greater => Ok(Check::Greater(self.number(&first)?)),
            Operator::GreaterOrEqual => Ok(Check::GreaterOrEqual(self.number(&first)?)),
            Operator::Less => Ok(Check::Less(self.number(&first)?)),
            Operator::LessOrEqual => Ok(Check::LessOrEqual(self.number(&first)?)),
            Operator::Between => self.between(kind, &first, second.as_ref()),
            Operator::Contain => Ok(Check::Contain(self.text(&first)?)),
            Operator::StartsWith => Ok(Check::StartsWith(self.text(&first)?)),
            Operator::EndsWith => Ok(Check::EndsWith(self.text(&first)?)),
            Operator::Regexp => match &first {
                Literal::Text(source) => scope.regexps.compile(source).map(Check::Regexp),
                Literal::Number(_) | Literal::Network(_) | Literal::List(_) => Err(format!(
                    "`REGEXP` takes text in double quotes, found {first}"
                )),
            },
        }
    }

    fn name(self) -> &'static str {
        self.doc().map_or("", |doc| doc.name)
    }

    fn number(self, literal: &Literal) -> Result<Number, String> {
        match literal {
            Literal::Number(number) => Ok(*number),
            Literal::Text(text) if Number::parse(text).is_some() => Err(format!(
                "`{}` compares numbers: write {text} without quotes",
                self.name()
            )),
            Literal::Text(_) | Literal::Network(_) | Literal::List(_) => Err(format!(
                "`{}` compares numbers, found {literal}",
                self.name()
            )),
        }
    }

    /// Text in lower case.
    fn text(self, literal: &Literal) -> Result<String, String> {
        match literal {
            Literal::Text(text) if text.is_empty() => Err(format!(
                "`{}` \"\" holds for every value: write IS NOT NULL",
                self.name()
            )),
            Literal::Text(text) => Ok(text.to_ascii_lowercase()),
            Literal::Number(_) | Literal::Network(_) | Literal::List(_) => Err(format!(
                "`{}` takes text in double quotes, found {literal}",
                self.name()
            )),
        }
    }

    fn between(self, kind: Kind, low: &Literal, high: Option<&Literal>) -> Result<Check, String> {
        let high = high.ok_or("BETWEEN takes two values")?;
        let addresses = (kind == Kind::Address)
            .then(|| single(low).zip(single(high)))
            .flatten();
        if let Some((low, high)) = addresses {
            if low.is_ipv4() != high.is_ipv4() || low > high {
                return Err(format!("no address lies between {low} and {high}"));
            }
            return Ok(Check::BetweenAddresses(low, high));
        }
        let (low, high) = (self.number(low)?, self.number(high)?);
        if low.compare(high) == Some(Ordering::Greater) {
            return Err(format!("no number lies between {low} and {high}"));
        }
        Ok(Check::Between(low, high))
    }
}

fn single(literal: &Literal) -> Option<IpAddr> {
    match literal {
        Literal::Text(text) => networks::address(text),
        Literal::Number(_) | Literal::Network(_) | Literal::List(_) => None,
    }
}

fn equals(kind: Kind, literals: Vec<Literal>, age: Age) -> Result<Set, String> {
    let literals: Result<Vec<Literal>, String> = literals
        .into_iter()
        .map(|literal| match (kind, &literal) {
            (Kind::Text, Literal::Network(network)) => Err(format!(
                "found cidr(\"{network}\"), but this attribute is not an address"
            )),
            (Kind::Address, Literal::Text(text)) => match networks::address(text) {
                Some(address) => Ok(Literal::Network(address.into())),
                None if age == Age::Old => Ok(literal),
                None => networks::not_an_address(text).map_or(Ok(literal), Err),
            },
            (Kind::Text | Kind::Address | Kind::Any, _) => Ok(literal),
        })
        .collect();
    literals.map(Set::new)
}

#[cfg(test)]
#[path = "operators_tests.rs"]
mod tests;
