use proptest::prelude::*;

use super::Fold;
use crate::rule::Function;
use crate::shuffle::Input;

const FUNCTIONS: [Function; 6] = [
    Function::Count,
    Function::CountDistinct,
    Function::Sum,
    Function::Avg,
    Function::Min,
    Function::Max,
];

fn fold(function: Function, inputs: &[Input]) -> Fold {
    let mut fold = Fold::empty(function);
    for input in inputs {
        fold.add(input, 4);
    }
    fold
}

fn check(function: Function, inputs: &[Input], expected: Option<f64>) {
    assert_eq!(
        fold(function, inputs).value(),
        expected,
        "{function:?} of {inputs:?}"
    );
}

#[test]
fn values() {
    use Input::{Absent, Distinct, Float, Integer, Present};
    check(Function::Count, &[], Some(0.0));
    check(Function::Count, &[Present, Absent, Present], Some(2.0));
    check(
        Function::CountDistinct,
        &[Distinct(7), Absent, Distinct(7), Distinct(1)],
        Some(2.0),
    );
    check(
        Function::CountDistinct,
        &(0..9).map(Distinct).collect::<Vec<_>>(),
        Some(4.0),
    );
    check(Function::Sum, &[Absent], None);
    check(
        Function::Sum,
        &[Float(1e16), Float(1.0), Float(-1e16)],
        Some(1.0),
    );
    check(Function::Sum, &[Float(0.1); 10], Some(1.0));
    check(
        Function::Sum,
        &[Integer(i64::MAX), Integer(1), Integer(i64::MIN)],
        Some(0.0),
    );
    check(Function::Sum, &[Float(f64::INFINITY)], None);
    check(Function::Avg, &[Integer(1), Absent, Integer(2)], Some(1.5));
    check(Function::Avg, &[], None);
    check(
        Function::Min,
        &[Integer(3), Float(-0.5), Absent],
        Some(-0.5),
    );
    check(Function::Max, &[Integer(3), Float(-0.5), Absent], Some(3.0));
    check(Function::Max, &[Absent], None);
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(Input::Absent),
        Just(Input::Present),
        (0_u64..12).prop_map(Input::Distinct),
        any::<i64>().prop_map(Input::Integer),
        (-1e18..1e18_f64).prop_map(Input::Float),
        (-1e-9..1e-9_f64).prop_map(Input::Float),
    ]
}

proptest! {
    #[test]
    fn order_and_partition_do_not_matter(
        inputs in prop::collection::vec(input(), 0..40),
        cut in 0_usize..40,
        shift in 0_usize..40,
    ) {
        for function in FUNCTIONS {
            let whole = fold(function, &inputs);
            let mut turned = inputs.clone();
            turned.rotate_left(shift % inputs.len().max(1));
            let (one, other) = turned.split_at(cut.min(turned.len()));
            let mut merged = fold(function, other);
            merged.merge(&fold(function, one), 4);
            prop_assert_eq!(merged.value(), whole.value(), "{:?}", function);
        }
    }
}
