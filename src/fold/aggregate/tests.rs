use proptest::prelude::*;

use super::{Accumulator, Rank, Shown};
use crate::bytes::{from_bytes, to_bytes};
use crate::matches::Input::{self, Absent, Distinct, Float, Integer, Present, Text};
use crate::record::Hash;
use crate::rule::Function;

const FUNCTIONS: [Function; 15] = [
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
    Function::Percentile(99_900),
    Function::Stddev,
    Function::Variance,
    Function::PctChange,
];

/// The rank of the `place`th of several events.
fn rank(place: usize) -> Rank {
    let tie = Hash::of(&place.to_be_bytes());
    Rank {
        order: place as i64 / 3,
        tie,
        event: Hash::of(&tie.0).first_bytes(),
    }
}

fn accumulated(function: Function, inputs: &[Input]) -> Accumulator {
    let inputs: Vec<(usize, Input)> = inputs.iter().cloned().enumerate().collect();
    accumulated_of(function, &inputs, 4)
}

fn accumulated_of(function: Function, inputs: &[(usize, Input)], max: u32) -> Accumulator {
    let mut one = Accumulator::empty(function);
    for (place, input) in inputs {
        one.add(input, rank(*place), max);
    }
    one
}

fn check(function: Function, inputs: &[Input], expected: Option<f64>) {
    assert_eq!(
        accumulated(function, inputs).value(),
        expected,
        "{function:?} of {inputs:?}"
    );
}

#[test]
fn counts() {
    check(Function::Count, &[], Some(0.0));
    check(Function::Count, &[Present, Absent, Present], Some(2.0));
    let some = [Distinct(7), Absent, Distinct(7), Distinct(1)];
    check(Function::CountDistinct, &some, Some(2.0));
    let four: Vec<Input> = (1..5).map(|value| Distinct(value << 58)).collect();
    check(Function::CountDistinct, &four, Some(4.0));
    // The kept four reach to a sixteenth of all hashes: three below a sixteenth, 48 in all.
    let many: Vec<Input> = (1..30).rev().map(|value| Distinct(value << 58)).collect();
    check(Function::CountDistinct, &many, Some(48.0));
    let dense: Vec<Input> = (0..30).map(|value| Distinct(u64::MAX - value)).collect();
    check(Function::CountDistinct, &dense, Some(5.0));
    let zeros = accumulated_of(
        Function::CountDistinct,
        &[(0, Distinct(0)), (1, Distinct(1))],
        1,
    );
    assert_eq!(zeros.value(), Some(2.0));
}

#[test]
fn sums() {
    check(Function::Sum, &[Absent], None);
    check(
        Function::Sum,
        &[Float(1e16), Float(1.0), Float(-1e16)],
        Some(1.0),
    );
    check(
        Function::Sum,
        &[Float(0.1), Float(0.1), Float(0.1)],
        Some(0.1 + 0.2),
    );
    let extremes = [Integer(i64::MAX), Integer(1), Integer(i64::MIN)];
    check(Function::Sum, &extremes, Some(0.0));
    check(
        Function::Sum,
        &[Float(f64::INFINITY), Float(f64::NAN)],
        None,
    );
    check(Function::Sum, &[Float(f64::MAX), Float(f64::MAX)], None);
    let back = [Float(f64::MAX), Float(f64::MAX), Float(-f64::MAX)];
    check(Function::Sum, &back, Some(f64::MAX));
    let tiny = f64::from_bits(1);
    check(
        Function::Sum,
        &[Float(tiny), Float(1.0), Float(tiny), Float(-1.0)],
        Some(2.0 * tiny),
    );
    // Ties go to the even neighbour, and whatever lies below them decides.
    let tie = 9_007_199_254_740_992.0;
    check(Function::Sum, &[Float(tie), Float(1.0)], Some(tie));
    check(
        Function::Sum,
        &[Float(tie), Float(1.0), Float(1e-300)],
        Some(tie + 2.0),
    );
    check(Function::Avg, &[Integer(1), Absent, Integer(2)], Some(1.5));
    check(Function::Avg, &[], None);
    check(Function::Variance, &[Integer(5)], None);
    check(
        Function::Variance,
        &[Float(1e15 + 1.0), Float(1e15 + 3.0)],
        Some(2.0),
    );
    let whole = [Integer(i64::MAX), Integer(i64::MAX - 2)];
    check(Function::Variance, &whole, Some(2.0));
    check(
        Function::Variance,
        &[Float(f64::MAX), Float(-f64::MAX)],
        None,
    );
    check(
        Function::Stddev,
        &[Integer(1), Integer(3), Integer(5)],
        Some(2.0),
    );
    check(
        Function::Stddev,
        &[Float(0.1), Float(0.1), Float(0.1)],
        Some(0.0),
    );
}

#[test]
fn extremes_and_ends() {
    check(
        Function::Min,
        &[Integer(3), Float(-0.5), Absent],
        Some(-0.5),
    );
    check(Function::Max, &[Integer(3), Float(-0.5), Absent], Some(3.0));
    check(Function::Max, &[Absent], None);
    let texts = ["x", "5", "x", "5", "y"].map(|text| Text(text.into()));
    check(
        Function::First,
        &[Absent, Text("x".into()), Integer(5)],
        None,
    );
    check(Function::First, &[Absent, Text(" 5".into())], Some(5.0));
    check(Function::Mode, &texts, Some(5.0));
    check(
        Function::PctChange,
        &[Integer(4), Absent, Absent, Integer(-6)],
        Some(-250.0),
    );
    check(
        Function::PctChange,
        &[Integer(0), Absent, Absent, Integer(5)],
        None,
    );
    check(Function::PctChange, &[Absent], None);
}

#[test]
fn percentiles() {
    let of = |values: &[i64]| {
        values
            .iter()
            .map(|value| Integer(*value))
            .collect::<Vec<_>>()
    };
    check(Function::Median, &[], None);
    check(Function::Median, &of(&[7]), Some(7.0));
    check(Function::Median, &of(&[9, 1, 2]), Some(2.0));
    check(Function::Median, &of(&[400, 1, 3, 2]), Some(2.5));
    check(Function::Percentile(0), &of(&[3, 1, 2]), Some(1.0));
    check(Function::Percentile(100_000), &of(&[3, 1, 2]), Some(3.0));
    check(Function::Percentile(25_000), &of(&[3, 1]), Some(1.5));
    check(Function::Percentile(50_000), &of(&[1, 2]), Some(1.5));
    check(Function::Percentile(u32::MAX), &of(&[1, 2]), Some(2.0));
    check(
        Function::Percentile(33_333),
        &[Float(0.1), Float(0.1)],
        Some(0.1),
    );
    let wide = [Float(-f64::MAX), Float(f64::MAX)];
    check(Function::Median, &wide, Some(0.0));
}

#[test]
fn shows_text_that_is_not_the_spelling_of_a_number() {
    let check = |text: &str, expected: Shown| {
        let one = accumulated(Function::Last, &[Text(text.into()), Absent]);
        assert_eq!(one.shown(), expected, "{text}");
    };
    check("failure", Shown::Text("failure".into()));
    check("50126", Shown::Number(50126.0));
    check("-0.25", Shown::Number(-0.25));
    check("007", Shown::Text("007".into()));
    check(
        "12345678901234567890",
        Shown::Text("12345678901234567890".into()),
    );
    check("inf", Shown::Text("inf".into()));
    check("", Shown::Text(String::new()));
    assert_eq!(accumulated(Function::Last, &[]).shown(), Shown::Null);
    assert_eq!(
        accumulated(Function::Avg, &[Integer(2)]).shown(),
        Shown::Number(2.0)
    );
}

#[test]
fn knows_when_it_dropped_something() {
    let distinct = |count: u64| {
        (0..count)
            .map(|value| Distinct(value << 32))
            .collect::<Vec<_>>()
    };
    let numbers = |count: u64| (0..count).map(|_| Integer(1)).collect::<Vec<_>>();
    let texts = |count: u64| {
        (0..count)
            .map(|value| Text(value.to_string()))
            .collect::<Vec<_>>()
    };
    let check = |function, inputs: &[Input], expected| {
        let capped = accumulated(function, inputs).is_capped();
        assert_eq!(capped, expected, "{function:?} {inputs:?}");
    };
    check(Function::CountDistinct, &distinct(4), false);
    check(
        Function::CountDistinct,
        &[distinct(4), distinct(4)].concat(),
        false,
    );
    check(Function::CountDistinct, &distinct(5), true);
    check(Function::Median, &numbers(4), false);
    check(Function::Median, &numbers(5), true);
    check(Function::Mode, &texts(4), false);
    check(Function::Mode, &texts(5), true);
    check(Function::Sum, &numbers(9), false);
}

#[test]
fn one_event_takes_few_bytes() {
    for function in FUNCTIONS {
        let all = [
            Integer(-1000),
            Text("failure".into()),
            Distinct(u64::MAX),
            Present,
        ];
        let size =
            |input: &Input| to_bytes(1, &accumulated(function, std::slice::from_ref(input))).len();
        let most = all.iter().map(size).max();
        assert!(most < Some(40), "{function:?}: {most:?}");
    }
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(Absent),
        Just(Present),
        (0_u64..12).prop_map(|value| Distinct(value << 60 | value)),
        any::<i64>().prop_map(Integer),
        any::<f64>().prop_map(Float),
        (-5_i64..5).prop_map(|value| Float(value as f64 / 10.0)),
        (-1e-9..1e-9_f64).prop_map(Float),
        Just(Float(-0.0)),
        prop::sample::select(vec!["a", "b", "7", "7.0", "-3", ""]).prop_map(|t| Text(t.into())),
    ]
}

proptest! {
    /// However they are ordered and parted: the same, down to its bytes.
    #[test]
    fn order_and_partition_do_not_matter(
        inputs in prop::collection::vec(input(), 0..40),
        order in prop::collection::vec(any::<u32>(), 40),
        part in prop::collection::vec(0_usize..4, 40),
        max in prop::sample::select(vec![1_u32, 4, 100]),
    ) {
        let inputs: Vec<(usize, Input)> = inputs.into_iter().enumerate().collect();
        let mut turned = inputs.clone();
        turned.sort_by_key(|(place, _)| order[*place]);
        for function in FUNCTIONS {
            let whole = accumulated_of(function, &inputs, max);
            let mut parts = vec![Accumulator::empty(function); 4];
            for (place, input) in &turned {
                parts[part[*place]].add(input, rank(*place), max);
            }
            let mut merged = Accumulator::empty(function);
            for part in &parts {
                merged.merge(part, max);
            }
            prop_assert_eq!(&merged, &whole);
            let bytes = to_bytes(1, &merged);
            prop_assert_eq!(&bytes, &to_bytes(1, &whole));
            let read: Accumulator = from_bytes(1, &bytes).unwrap();
            prop_assert_eq!(read, whole);
        }
    }

    /// What the next value adds, one more cannot take away.
    #[test]
    fn a_count_of_different_values_only_grows(
        hashes in prop::collection::vec(any::<u64>(), 1..40),
    ) {
        let mut one = Accumulator::empty(Function::CountDistinct);
        let mut last = Some(0.0);
        for hash in hashes {
            one.add(&Distinct(hash), rank(0), 4);
            prop_assert!(one.value() >= last);
            last = one.value();
        }
    }
}
