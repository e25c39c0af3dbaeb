use proptest::prelude::*;

use super::{filter, having, name};
use crate::event::{AttributeId, Attributes};
use crate::rule::attribute::{Kind, Names};
use crate::rule::check::Check;
use crate::rule::clock::Zone;
use crate::rule::formula::Reads;
use crate::rule::functions::{Callable, FUNCTIONS, FunctionDoc};
use crate::rule::lists::Lists;
use crate::rule::literal::Literal;
use crate::rule::networks::{Written, read};
use crate::rule::number::Number;
use crate::rule::operator::Operator;
use crate::rule::operators::{OPERATORS, Operands};
use crate::rule::plain::Plain;
use crate::rule::regexps::Regexps;
use crate::rule::scope::Scope;
use crate::rule::tables::Asked;
use crate::rule::tree::{Against, Clock, Computed, Expression, NetLookup, Scalar, Test};
use crate::rule::{Aggregate, Arithmetic, Comparison, Filter, Function, Having, Term, attribute};

pub const NAMES: [&str; 5] = [
    "eventType",
    "user",
    "srcIpAddr",
    "record.a.b",
    "record.\"odd \\\"key\".c",
];

pub fn table() -> Attributes {
    let mut attributes = Attributes::default();
    for name in NAMES {
        attributes.intern(crate::normalise::attribute(name, &[]).unwrap());
    }
    attributes
}

fn number() -> impl Strategy<Value = Number> {
    let float = any::<f64>().prop_filter("finite", |float| float.is_finite());
    prop_oneof![
        any::<i64>().prop_map(Number::Integer),
        float.prop_map(Number::Float)
    ]
}

fn literal() -> impl Strategy<Value = Literal> {
    let network = prop_oneof![Just("10.0.0.0/8"), Just("192.0.2.7"), Just("2001:db8::/32")];
    prop_oneof![
        any::<String>().prop_map(Literal::Text),
        prop_oneof![
            Just("10.0.0.1"),
            Just("2001:DB8::1"),
            Just("^a\\d+[^\"]$"),
            Just("42")
        ]
        .prop_map(|text: &str| Literal::Text(text.to_string())),
        number().prop_map(Literal::Number),
        network.prop_map(|text: &str| {
            let Written::Network(network) = read(text) else {
                panic!("{text}")
            };
            Literal::Network(network)
        }),
    ]
}

/// Whatever an operator accepts of some literals; where it takes none of them, IS NULL.
fn test() -> impl Strategy<Value = Expression> {
    let literals = prop::collection::vec(literal(), 2..5);
    (0..NAMES.len(), 0..OPERATORS.len(), any::<bool>(), literals).prop_map(
        |(place, operator, negated, mut literals)| {
            let doc = &OPERATORS[operator];
            if doc.operands == Operands::One {
                literals.truncate(1);
            }
            let kind = [Kind::Text, Kind::Text, Kind::Address, Kind::Any, Kind::Any][place];
            let check = doc
                .operator
                .check(kind, literals, &mut Scope::of(&Lists::default()));
            let check = check.unwrap_or(crate::rule::check::Check::IsNull);
            let attribute = AttributeId(u16::try_from(place).unwrap());
            Expression::Test(Test {
                attribute,
                negated,
                check,
            })
        },
    )
}

fn scalar() -> impl Strategy<Value = Scalar> {
    let leaf = prop_oneof![
        (0..NAMES.len()).prop_map(attribute_at),
        any::<String>().prop_map(Scalar::Text),
        number().prop_map(Scalar::Number),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let operator = prop_oneof![
            Just(Arithmetic::Add),
            Just(Arithmetic::Subtract),
            Just(Arithmetic::Multiply),
            Just(Arithmetic::Divide),
        ];
        let pair = (inner.clone(), operator, inner.clone());
        let call = (
            0..FUNCTIONS.len(),
            test(),
            prop::collection::vec(inner, 3..4),
        );
        prop_oneof![
            pair.prop_map(|(left, operator, right)| {
                Scalar::Arithmetic(Box::new(left), operator, Box::new(right))
            }),
            call.prop_map(|(place, test, arguments)| call_of(&FUNCTIONS[place], test, arguments)),
        ]
    })
}

fn attribute_at(place: usize) -> Scalar {
    Scalar::Attribute(AttributeId(u16::try_from(place).unwrap()))
}

fn call_of(doc: &FunctionDoc, test: Expression, mut arguments: Vec<Scalar>) -> Scalar {
    let first = Box::new(arguments[0].clone());
    match doc.callable {
        Callable::Plain(function) => {
            arguments.truncate(doc.most);
            Scalar::Call(function, arguments)
        }
        Callable::Extract => {
            Scalar::Extract(first, Regexps::default().compile("^a\\d+[^\"]$").unwrap())
        }
        Callable::Has | Callable::Get => Scalar::Call(Plain::Len, vec![*first]),
        Callable::Net => Scalar::NetLookup(NetLookup {
            asked: Asked::of_none("geo-1", "country \"x\\"),
            key: first,
        }),
        Callable::Clock(hand) => {
            let zone = matches!(arguments[1], Scalar::Attribute(_))
                .then(|| Zone::named("Europe/Berlin").unwrap());
            // A text alone would be a zone.
            let time = Some(first).filter(|time| !matches!(**time, Scalar::Text(_)));
            Scalar::Clock(Clock { hand, time, zone })
        }
        Callable::If => Scalar::If(Box::new(test), first, Box::new(arguments[1].clone())),
    }
}

/// A computed value against constants or another one.
fn computed() -> impl Strategy<Value = Expression> {
    let operators = prop::sample::select(vec![Operator::Equal, Operator::Less]);
    let right = prop_oneof![scalar().prop_map(Ok), test().prop_map(Err)];
    (scalar(), any::<bool>(), operators, right).prop_map(|(value, negated, operator, right)| {
        // An attribute alone is a plain test, and constants alone none.
        let value = Scalar::Arithmetic(Box::new(value), Arithmetic::Add, Box::new(attribute_at(1)));
        let against = match right {
            Ok(Scalar::Text(_) | Scalar::Number(_)) => Against::Value(operator, attribute_at(0)),
            Ok(other) => Against::Value(operator, other),
            // Addresses are only compared where there are addresses.
            Err(Expression::Test(test)) if !matches!(test.check, Check::BetweenAddresses(..)) => {
                Against::Check(test.check)
            }
            Err(_) => Against::Check(Check::IsNull),
        };
        Expression::Computed(Box::new(Computed {
            value,
            negated,
            against,
        }))
    })
}

pub fn expression() -> impl Strategy<Value = Expression> {
    prop_oneof![3 => test(), 1 => computed()].prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Expression::and),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Expression::or),
            inner.prop_map(Expression::negated),
        ]
    })
}

pub fn aggregates() -> Vec<Aggregate> {
    let some = |function, place| Aggregate {
        function,
        input: Some(AttributeId(place)),
    };
    vec![
        Aggregate {
            function: Function::Count,
            input: None,
        },
        some(Function::Count, 0),
        some(Function::CountDistinct, 1),
        some(Function::Sum, 3),
        some(Function::Avg, 4),
        some(Function::Min, 3),
        some(Function::Max, 2),
        some(Function::First, 1),
        some(Function::Last, 1),
        some(Function::Mode, 4),
        some(Function::Median, 3),
        some(Function::Percentile(95_000), 3),
        some(Function::Percentile(1), 3),
        some(Function::Stddev, 3),
        some(Function::Variance, 3),
        some(Function::PctChange, 3),
        Aggregate {
            function: Function::Span,
            input: None,
        },
    ]
}

fn term() -> impl Strategy<Value = Term> {
    let leaf = prop_oneof![
        (0..aggregates().len()).prop_map(Term::Aggregate),
        // Small, so that no product of them is more than is counted exactly.
        (0_u32..40).prop_map(|number| Term::Number(f64::from(number) / 8.0)),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        let operator = prop_oneof![
            Just(Arithmetic::Add),
            Just(Arithmetic::Subtract),
            Just(Arithmetic::Multiply),
            Just(Arithmetic::Divide),
        ];
        (inner.clone(), operator, inner).prop_map(|(left, operator, right)| {
            Term::Arithmetic(Box::new(left), operator, Box::new(right))
        })
    })
}

pub fn test_of_aggregates() -> impl Strategy<Value = Having> {
    let comparison = prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::NotEqual),
        Just(Comparison::Greater),
        Just(Comparison::GreaterOrEqual),
        Just(Comparison::Less),
        Just(Comparison::LessOrEqual),
    ];
    // One aggregate at least, on either side.
    let aggregate = (0..aggregates().len()).prop_map(Term::Aggregate);
    let compare = (aggregate, comparison, term(), any::<bool>()).prop_map(
        |(aggregate, comparison, term, left)| {
            let (left, right) = if left {
                (aggregate, term)
            } else {
                (term, aggregate)
            };
            Having::Compare(left, comparison, right)
        },
    );
    compare.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Having::and),
            prop::collection::vec(inner, 2..4).prop_map(Having::or),
        ]
    })
}

proptest! {
    #[test]
    fn a_printed_filter_reads_as_itself(expression in expression()) {
        let mut attributes = table();
        let text = filter(&expression, &|id| name(&attributes, id));
        let names = &mut Names::Event(&mut attributes);
        let parsed = Filter::parse_with(&text, names, &mut Scope::of_log(&Lists::default()));
        let parsed = parsed.map(|parsed| parsed.expression);
        prop_assert_eq!(parsed, Ok(expression), "{}", text);
    }

    #[test]
    fn a_printed_having_reads_as_itself(test in test_of_aggregates()) {
        prop_assume!(!test.is_beyond_counting(&aggregates()));
        let mut attributes = table();
        let mut known = Reads {
            aggregates: aggregates(),
            ..Reads::default()
        };
        let text = having(&test, &known.aggregates, &|id| name(&attributes, id));
        let names = &mut Names::Event(&mut attributes);
        let lists = Lists::default();
        let parsed = Having::parse_with(&text, names, &mut known, &mut Scope::of_log(&lists));
        prop_assert_eq!(parsed, Ok(test), "{}", text);
        prop_assert_eq!(known.aggregates, aggregates());
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in any::<String>()) {
        let mut attributes = Attributes::default();
        let filter = Filter::parse(&text, &mut attributes).is_ok();
        let names = &mut Names::Event(&mut attributes);
        let having = Having::parse(&text, names, &mut Reads::default());
        prop_assert!(!(filter && having.is_ok()));
    }

    #[test]
    fn likely_text_makes_the_parsers_no_more_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "user", "record.a.\"", "\"x\"", "\"", "\\", "=", "NOT", "IN", "(", ")", ",", "AND",
            "IS", "NULL", "-", "5", "LEN", "IF", "+", "EXTRACT",
            "5.", "COUNT", "*", "DISTINCT", ">=", "/", "cidr", "ä", ".",
        ]), 0..12),
        glue in prop::sample::select(vec!["", " "]),
    ) {
        let text = words.join(glue);
        let mut attributes = Attributes::default();
        let filter = Filter::parse(&text, &mut attributes).is_ok();
        let names = &mut Names::Event(&mut attributes);
        let having = Having::parse(&text, names, &mut Reads::default());
        prop_assert!(!(filter && having.is_ok()));
    }
}

#[test]
fn attributes_print_as_they_are_read() {
    for name in NAMES {
        assert_eq!(
            attribute::print(&crate::normalise::attribute(name, &[]).unwrap()),
            name
        );
    }
}
