//! Every aggregate as its definition says, over a plain list; the engine's agree with it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use watchfire::fold::aggregate::{Accumulator, Rank};
use watchfire::matches::Input;
use watchfire::record::Hash;
use watchfire::rule::Function;

/// The value of `function` over all events' inputs; what is capped keeps `max` values.
///
/// Numbers are exact here only while they are multiples of 2^-20 and small.
pub fn value(function: Function, inputs: &[(Rank, Input)], max: u32) -> Option<f64> {
    let mut inputs: Vec<&(Rank, Input)> = inputs.iter().collect();
    inputs.sort_by_key(|(rank, _)| *rank);
    let numbers: Vec<f64> = inputs
        .iter()
        .filter_map(|(_, input)| number(input))
        .collect();
    let texts: Vec<&str> = inputs.iter().filter_map(|(_, input)| text(input)).collect();
    let units: Vec<i128> = numbers.iter().copied().map(in_units).collect();
    let count = numbers.len() as i128;
    let sum: i128 = units.iter().sum();
    let variance = || {
        let squares: i128 = units.iter().map(|unit| unit * unit).sum();
        let spread = (count * squares - sum * sum) as f64 / UNIT / UNIT;
        (count > 1).then(|| spread / (count as f64 * (count - 1) as f64))
    };
    match function {
        Function::Span => {
            let orders = inputs.iter().map(|(rank, _)| rank.order);
            let (first, last) = (orders.clone().min()?, orders.max()?);
            Some((last - first) as f64 / 1000.0)
        }
        Function::Count => {
            let present = inputs.iter().filter(|(_, input)| *input != Input::Absent);
            Some(present.count() as f64)
        }
        Function::CountDistinct => Some(distinct(&inputs, max as usize)),
        Function::Sum => (count > 0).then_some(sum as f64 / UNIT),
        Function::Avg => (count > 0).then_some(sum as f64 / UNIT / count as f64),
        Function::Min => numbers.iter().copied().min_by(f64::total_cmp),
        Function::Max => numbers.iter().copied().max_by(f64::total_cmp),
        Function::First => texts.first().and_then(|text| spelled(text)),
        Function::Last => texts.last().and_then(|text| spelled(text)),
        Function::Mode => mode(&texts, max as usize).and_then(spelled),
        Function::Median => percentile(&inputs, 50_000, max as usize),
        Function::Percentile(thousandths) => percentile(&inputs, thousandths, max as usize),
        Function::Stddev => variance().map(f64::sqrt),
        Function::Variance => variance(),
        Function::PctChange => {
            let (first, last) = (numbers.first()?, numbers.last()?);
            (*first != 0.0).then(|| (last - first) / first * 100.0)
        }
    }
}

/// The value of a function whose value is text, over all events' inputs.
pub fn text_value(function: Function, inputs: &[(Rank, Input)], max: u32) -> Option<String> {
    let mut inputs: Vec<&(Rank, Input)> = inputs.iter().collect();
    inputs.sort_by_key(|(rank, _)| *rank);
    let texts: Vec<&str> = inputs.iter().filter_map(|(_, input)| text(input)).collect();
    let found = match function {
        Function::First => texts.first().copied(),
        Function::Last => texts.last().copied(),
        Function::Mode => mode(&texts, max as usize),
        _ => None,
    };
    found.map(str::to_owned)
}

const UNIT: f64 = 1_048_576.0;

fn in_units(number: f64) -> i128 {
    let units = (number * UNIT) as i128;
    assert_eq!(units as f64 / UNIT, number, "not a multiple of 2^-20");
    units
}

fn number(input: &Input) -> Option<f64> {
    match input {
        Input::Integer(value) => Some(*value as f64),
        Input::Float(value) => Some(*value),
        Input::Absent
        | Input::Present
        | Input::Distinct(_)
        | Input::Text(_)
        | Input::Several(_) => None,
    }
}

fn text(input: &Input) -> Option<&str> {
    match input {
        Input::Text(text) => Some(text),
        _ => None,
    }
}

fn spelled(text: &str) -> Option<f64> {
    text.trim()
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
}

fn distinct(inputs: &[&(Rank, Input)], max: usize) -> f64 {
    let hash = |(_, input): &&(Rank, Input)| match input {
        Input::Distinct(hash) => Some(*hash),
        _ => None,
    };
    let hashes: BTreeSet<u64> = inputs.iter().filter_map(hash).collect();
    if hashes.len() <= max {
        return hashes.len() as f64;
    }
    let greatest_kept = *hashes.iter().nth(max - 1).unwrap() as f64 / u64::MAX as f64;
    ((max - 1) as f64 / greatest_kept)
        .round()
        .max(max as f64 + 1.0)
}

fn mode<'t>(texts: &[&'t str], max: usize) -> Option<&'t str> {
    let mut counts: BTreeMap<(u64, &str), i64> = BTreeMap::new();
    for text in texts {
        let hash = Hash::of(text.as_bytes()).first_bytes();
        *counts.entry((hash, text)).or_default() += 1;
    }
    let kept = counts.into_iter().take(max);
    let best = kept.min_by(|((_, one), one_count), ((_, other), other_count)| {
        let order = other_count.cmp(one_count);
        let numbers = match (spelled(one), spelled(other)) {
            (Some(one), Some(other)) => one.partial_cmp(&other).unwrap(),
            (one, other) => other.is_some().cmp(&one.is_some()),
        };
        order.then(numbers).then(one.cmp(other))
    });
    best.map(|((_, text), _)| text)
}

fn percentile(inputs: &[&(Rank, Input)], thousandths: u32, max: usize) -> Option<f64> {
    let value = |(rank, input): &&(Rank, Input)| Some((rank.event, number(input)?));
    let mut values: Vec<(u64, f64)> = inputs.iter().filter_map(value).collect();
    values.sort_by_key(|(event, _)| *event);
    values.truncate(max);
    let mut values: Vec<f64> = values.into_iter().map(|(_, value)| value).collect();
    values.sort_by(f64::total_cmp);
    let steps = values.len().checked_sub(1)? as u64 * u64::from(thousandths);
    let (place, part) = ((steps / 100_000) as usize, (steps % 100_000) as f64 / 1e5);
    let low = values[place];
    let high = values.get(place + 1).copied().unwrap_or(low);
    Some((low * (1.0 - part) + high * part).clamp(low, high))
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(Input::Absent),
        Just(Input::Present),
        (0_u64..9).prop_map(|value| Input::Distinct(value << 60 | value)),
        (-5_i64..5).prop_map(Input::Integer),
        any::<i32>().prop_map(|value| Input::Integer(value.into())),
        any::<i32>().prop_map(|value| Input::Float(f64::from(value) / 4096.0)),
        prop::sample::select(vec!["a", "b", "7", "7.0", "-3", ""])
            .prop_map(|text| Input::Text(text.into())),
    ]
}

const FUNCTIONS: [Function; 16] = [
    Function::Count,
    Function::CountDistinct,
    Function::Sum,
    Function::Avg,
    Function::Min,
    Function::Max,
    Function::First,
    Function::Last,
    Function::Mode,
    Function::Median,
    Function::Percentile(95_000),
    Function::Percentile(12_500),
    Function::Stddev,
    Function::Variance,
    Function::PctChange,
    Function::Span,
];

proptest! {
    #[test]
    fn agree_with_their_definitions(
        inputs in prop::collection::vec((0_i64..9, any::<u64>(), input()), 0..40),
        max in prop::sample::select(vec![1_u32, 2, 5, 100]),
    ) {
        let inputs: Vec<(Rank, Input)> = (0_u8..)
            .zip(inputs)
            .map(|(place, (order, event, input))| {
                // No two events have one hash.
                let event = event << 8 | u64::from(place);
                (Rank { order, tie: Hash([place; 16]), event }, input)
            })
            .collect();
        for function in FUNCTIONS {
            let mut accumulator = Accumulator::empty(function);
            for (rank, input) in &inputs {
                accumulator.add(input, *rank, max);
            }
            let expected = value(function, &inputs, max);
            let found = accumulator.value();
            let near = found.zip(expected).is_some_and(|(found, expected)| {
                (found - expected).abs() <= expected.abs() * 1e-12
            });
            prop_assert!(found == expected || near, "{function:?}: {found:?}, {expected:?}");
        }
    }
}
