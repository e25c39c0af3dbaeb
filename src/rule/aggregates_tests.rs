use super::AGGREGATES;
use crate::detect::Facet;
use crate::event::{Attributes, Event, Value};
use crate::fold::aggregate::{Accumulator, Rank};
use crate::record::Hash;
use crate::rule::attribute::Names;
use crate::rule::formula::Reads;
use crate::rule::scalar::Look;
use crate::rule::{Filter, Having, Pattern};

/// Whether `having` holds over events with these values of `record.a`, in this order.
fn holds(having: &str, values: &[&str]) -> bool {
    let text = having
        .replace("(a", "(record.a")
        .replace(" a)", " record.a)")
        .replace(" a,", " record.a,");
    let mut attributes = Attributes::default();
    let mut reads = Reads::default();
    let names = &mut Names::Event(&mut attributes);
    let having = Having::parse(&text, names, &mut reads).expect(&text);
    let pattern = Pattern {
        name: "P".to_owned(),
        filter: Filter::parse("record.a IS NULL", &mut attributes).unwrap(),
        group_by: Vec::new(),
        aggregates: reads.aggregates,
        formulas: reads.formulas,
        having,
        new: None,
    };
    let mut accumulators: Vec<Accumulator> = pattern
        .aggregates
        .iter()
        .map(|a| Accumulator::empty(a.function))
        .collect();
    for (place, value) in (1_u32..).zip(values) {
        let value: serde_json::Value = serde_json::from_str(value).unwrap();
        let integer = value.as_i64().map(Value::Integer);
        let text = value.as_str().map(|text| Value::Text(text.into()));
        let value = integer.or(value.as_f64().map(Value::Float)).or(text);
        let event = Event {
            time: 0,
            values: vec![value; attributes.list().len()],
            ..Event::default()
        };
        let rank = Rank {
            order: place.into(),
            tie: Hash::default(),
            event: place.into(),
        };
        let facet = Facet {
            pattern: &pattern,
            event: &event,
            look: &Look::default(),
        };
        for (accumulator, aggregate) in accumulators.iter_mut().zip(&pattern.aggregates) {
            accumulator.add(&facet.input(aggregate), rank, 100);
        }
    }
    pattern.having.holds(&|place| accumulators[place].value())
}

#[test]
fn examples() {
    for doc in AGGREGATES {
        let (having, values, expected) = doc.example;
        assert_eq!(holds(having, values), expected, "{having} over {values:?}");
        assert!(having.contains(doc.written.split_once('(').unwrap().0));
    }
}

#[test]
fn texts_and_numbers() {
    let check = |having, values: &[&str], expected| {
        assert_eq!(holds(having, values), expected, "{having} over {values:?}");
    };
    check("FIRST(a) = 200", &["\"200.0\""], true);
    check("FIRST(a) != 200", &["\"Failure\"", "200"], false);
    check("MODE(a) = 5", &["5", "\"5\"", "6"], true);
    check("SUM(a) > 0 OR SUM(a) <= 0", &["\"x\"", "null"], false);
    check("SUM(a) = 7", &["\" 7 \"", "\"x\""], true);
    check("STDDEV(a) >= 0", &["5"], false);
    check("PCTCHANGE(a) = 0", &["5"], true);
    check("PCTCHANGE(a) != 1", &["0", "5"], false);
    check("PCTILE(99.9, a) > 999.8", &["0", "1000"], false);
    check("PCTILE(99.9, a) = 999", &["0", "1000"], true);
}
