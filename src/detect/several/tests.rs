use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{GROUPS_MAX, INPUTS_MAX, KEYS_MAX, MORE};
use crate::detect::{Found, Matcher};
use crate::event::Attributes;
use crate::matches::{Input, Key, Match, PatternMatch};
use crate::plan::{Limits, Plan, Settings};
use crate::rule;

/// What the rule with these patterns, and more, makes of a record; the second: whether it has more
/// values than count. `Err`: why it is refused.
fn found(patterns: &str, record: &Value) -> Result<(Vec<Match>, bool), &'static str> {
    let text = format!("id: R\nname: n\nseverity: 5\nwindow: 5m\npatterns:\n{patterns}");
    let mut attributes = Attributes::default();
    let rules = rule::parse("r", &text, &mut attributes).unwrap();
    let settings = Settings {
        patience: 900,
        lateness: 7200,
        limits: Limits::DEFAULT,
    };
    let plan = Plan::alone(&rules, &attributes, settings, Vec::new()).unwrap();
    let mut record = record.clone();
    record["time"] = json!("2026-03-02T09:14:05Z");
    let mut all = Err("nothing");
    let text = record.to_string();
    let mut matcher = Matcher::new(&plan);
    let message = matcher.message(text.as_bytes(), None);
    let mut records = matcher.records(&message);
    while let Some(record) = records.next() {
        all = match record.outcome {
            Found::Event {
                matched, capped, ..
            } => Ok((matched.map_or_else(Vec::new, |found| found.matches), capped)),
            Found::Rejected(refused) => Err(refused.reason.reason()),
        };
    }
    all
}

fn keys(found: &[Match]) -> Vec<String> {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let key = |key: &Key| key.iter().map(shown).collect::<Vec<_>>().join(" ");
    found.iter().map(|found| key(&found.key)).collect()
}

/// The join keys of a record of the rule of one pattern that groups by these attributes.
fn check(group_by: &str, record: &Value, expected: &[&str]) {
    let pattern = format!("  - {{ name: A, where: user IS NULL, group_by: [{group_by}] }}\n");
    let (all, capped) = found(&pattern, record).unwrap();
    assert_eq!(keys(&all), expected, "{group_by} of {record}");
    assert!(!capped);
}

#[test]
fn an_event_belongs_to_the_groups_of_all_combinations() {
    let many = json!({ "l": [{ "n": "B", "i": 1 }, { "n": "a", "i": 2 }, { "n": "b", "i": 1 }] });
    check("record.l.n", &many, &["a", "b"]);
    check("record.l.n, record.l.i", &many, &["a 2", "b 1"]);
    check("record.l.n, record.o", &many, &["a -", "b -"]);
    let two = json!({ "l": [{ "n": "a" }, { "n": "b" }], "m": ["x", "y"] });
    check("record.l.n, record.m", &two, &["a x", "a y", "b x", "b y"]);
    // What stands in different elements does not go together, though each has one value only.
    let apart = json!({ "l": [{ "n": "a" }, { "i": 2 }, {}] });
    check("record.l.n, record.l.i", &apart, &["- 2", "a -"]);
    let deep = json!({ "l": [{ "n": "a", "m": [1, 2] }, { "n": "b", "m": [3] }, { "n": "c" }] });
    check(
        "record.l.n, record.l.m",
        &deep,
        &["a 1", "a 2", "b 3", "c -"],
    );
    check("record.l.n", &json!({ "l": [] }), &["-"]);
    check("record.l.n", &json!({ "l": [{ "n": "a" }] }), &["a"]);
}

#[test]
fn aggregates_and_new_read_each_value() {
    let record = json!({ "l": [{ "n": "B", "s": 1 }, { "n": "a", "s": 2 }, { "n": "b", "s": 2 }] });
    let pattern = "  - name: A
    where: user IS NULL
    group_by: [record.l.n]
    having: COUNT(*) > 0 AND COUNT(record.l.s) > 0 AND SUM(record.l.s) > 0 AND COUNT(DISTINCT
      record.l.n) > 0
    new: '[record.l.n, record.l.s] over 1h'
";
    let (all, _) = found(pattern, &record).unwrap();
    assert_eq!(keys(&all), ["a", "b"]);
    for (one, combinations) in all.iter().zip([1, 2]) {
        let [
            PatternMatch {
                inputs,
                combinations: of_group,
                ..
            },
        ] = &one.patterns[..]
        else {
            panic!("{one:?}")
        };
        let both = Input::Several(vec![Input::Integer(1), Input::Integer(2)]);
        assert_eq!(inputs[..3], [Input::Present, Input::Present, both]);
        // Within a group a grouped attribute has the group's value.
        assert!(matches!(inputs[3], Input::Distinct(_)), "{inputs:?}");
        assert_eq!(of_group.len(), combinations);
    }
}

const RELATED: &str = "  - { name: A, where: record.k = 1, group_by: [record.l] }
  - { name: B, where: user IS NULL, group_by: [record.l] }
condition: A AND_NOT B
relations: [A.record.l = B.record.l]
";

#[test]
fn what_has_too_many_values_is_bounded_and_hides_nothing() {
    let targets = |count: usize| -> Vec<String> { (0..count).map(|n| format!("t{n}")).collect() };
    let one = "  - { name: A, where: user IS NULL, group_by: [record.l] }\n";
    let (all, capped) = found(one, &json!({ "l": targets(KEYS_MAX) })).unwrap();
    assert_eq!((all.len(), capped), (KEYS_MAX, false));
    let (all, capped) = found(one, &json!({ "l": targets(5_000) })).unwrap();
    assert_eq!((all.len(), capped), (KEYS_MAX + 1, true));
    assert!(keys(&all).iter().any(|key| key == MORE));
    // What is negated is there in each key.
    let (all, capped) = found(RELATED, &json!({ "k": 1, "l": targets(1_000) })).unwrap();
    let with = |pattern| {
        let has = |one: &&Match| one.patterns.iter().any(|part| part.pattern == pattern);
        all.iter().filter(has).count()
    };
    assert_eq!((with(0), with(1), capped), (KEYS_MAX + 1, 1_001, true));
    let (all, capped) = found(RELATED, &json!({ "k": 2, "l": targets(1_000) })).unwrap();
    assert_eq!((all.len(), capped), (1_000, false));
    let grouped = "  - { name: A, where: user IS NULL, group_by: [record.l] }
  - { name: B, where: user IS NOT NULL }
condition: A AND B
";
    let (all, capped) = found(grouped, &json!({ "l": targets(100) })).unwrap();
    let [Match { key, patterns, .. }] = &all[..] else {
        panic!("{all:?}")
    };
    assert!(key.is_empty() && capped);
    assert_eq!(patterns.len(), GROUPS_MAX + 1);
    assert!(
        patterns
            .iter()
            .any(|part| part.group == [Some(MORE.to_owned())])
    );
}

#[test]
fn products_and_inputs_are_bounded() {
    let list = |count: usize| -> Vec<usize> { (0..count).collect() };
    let one = "  - { name: A, where: user IS NULL, group_by: [record.l, record.m, record.n] }\n";
    let record = json!({ "l": list(900), "m": list(900), "n": list(900) });
    let (all, capped) = found(one, &record).unwrap();
    assert_eq!((all.len(), capped), (KEYS_MAX + 1, true));
    let inputs =
        "  - { name: A, where: user IS NULL, group_by: [record.l], having: SUM(record.m) > 1 }\n";
    let record = json!({ "l": list(2_000), "m": list(INPUTS_MAX / 1_000) });
    assert_eq!(found(inputs, &record).unwrap_err(), "match-too-large");
}

/// An element of lists: two values and a list within.
fn element(depth: u32) -> BoxedStrategy<Value> {
    let value = || prop::option::of(0_u8..3);
    if depth == 0 {
        return (value(), value())
            .prop_map(|(a, b)| object(a, b, None))
            .boxed();
    }
    let inner = prop::option::of(prop::collection::vec(element(depth - 1), 0..3));
    let all = (value(), value(), inner);
    all.prop_map(|(a, b, l)| object(a, b, l)).boxed()
}

fn object(a: Option<u8>, b: Option<u8>, l: Option<Vec<Value>>) -> Value {
    let mut object = serde_json::Map::new();
    object.extend(a.map(|a| ("a".to_owned(), json!(a))));
    object.extend(b.map(|b| ("b".to_owned(), json!(b))));
    object.extend(l.map(|l| ("l".to_owned(), json!(l))));
    Value::Object(object)
}

/// The combinations by the tree: of each list one element that has something of what is asked.
fn rows(value: &Value, wanted: &[(usize, &[&str])], width: usize) -> BTreeSet<Key> {
    let nothing: Key = vec![None; width];
    match value {
        Value::Array(elements) => {
            let all = elements
                .iter()
                .flat_map(|element| rows(element, wanted, width));
            all.filter(|row| *row != nothing).collect()
        }
        Value::Object(object) => {
            let mut all = BTreeSet::from([nothing.clone()]);
            for (key, child) in object {
                let below: Vec<(usize, &[&str])> = wanted
                    .iter()
                    .filter(|(_, path)| path.first() == Some(&key.as_str()))
                    .map(|(place, path)| (*place, &path[1..]))
                    .collect();
                let found = rows(child, &below, width);
                if below.is_empty() || found.is_empty() {
                    continue;
                }
                let join = |one: &Key, other: &Key| -> Key {
                    let cells = one.iter().zip(other);
                    cells
                        .map(|(one, other)| one.clone().or(other.clone()))
                        .collect()
                };
                let pairs = all
                    .iter()
                    .flat_map(|one| found.iter().map(move |two| join(one, two)));
                all = pairs.collect();
            }
            all
        }
        leaf @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            let mut row = nothing;
            for (place, path) in wanted {
                if path.is_empty() {
                    row[*place] = Some(leaf.to_string());
                }
            }
            BTreeSet::from([row])
        }
    }
}

proptest! {
    #[test]
    fn combinations_are_those_of_the_tree(record in element(2)) {
        let paths: [&[&str]; 5] =
            [&["a"], &["l", "a"], &["l", "b"], &["l", "l", "a"], &["l", "l", "b"]];
        for chosen in [&[1_usize][..], &[1, 2], &[0, 1, 2], &[1, 3], &[2, 3, 4], &[0, 4, 1]] {
            let names = chosen.iter().map(|at| format!("record.{}", paths[*at].join(".")));
            let names = names.collect::<Vec<_>>().join(", ");
            let pattern =
                format!("  - {{ name: A, where: user IS NULL, group_by: [{names}] }}\n");
            let (all, capped) = found(&pattern, &record).unwrap();
            prop_assert!(!capped);
            let keys: BTreeSet<Key> = all.into_iter().map(|found| found.key).collect();
            let wanted: Vec<(usize, &[&str])> =
                chosen.iter().enumerate().map(|(at, path)| (at, paths[*path])).collect();
            prop_assert_eq!(keys, rows(&record, &wanted, chosen.len()), "{}", names);
        }
    }
}

const COMPUTED: [(&str, &str, &str); 4] = [
    ("record.l.a", "record.l.b", "record.a"),
    ("record.l.a", "record.l.l.b", "record.l.b"),
    ("record.l.l.a", "record.l.l.b", "record.l.l.b"),
    ("record.a", "record.l.a", "record.l.l.a"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is computed is computed of each combination of what it is computed of.
    #[test]
    fn computed_values_are_those_of_the_combinations(record in element(2)) {
        for (first, second, third) in COMPUTED {
            let path = |name: &'static str| name.split('.').skip(1).collect();
            let paths: Vec<Vec<&str>> = [first, second, third].map(path).into();
            let wanted: Vec<(usize, &[&str])> =
                paths.iter().enumerate().map(|(at, path)| (at, &path[..])).collect();
            let pattern = format!(
                "  - name: A\n    where: user IS NULL\n    group_by:\n      - x: IF({first} = \
                 {second}, 9, {first})\n      - {third}\n"
            );
            let (all, capped) = found(&pattern, &record).unwrap();
            prop_assert!(!capped);
            let keys: BTreeSet<Key> = all.into_iter().map(|found| found.key).collect();
            let key = |row: &Key| -> Key {
                let equal = row[0].is_some() && row[0] == row[1];
                let own = row[0].clone();
                vec![if equal { Some("9".to_owned()) } else { own }, row[2].clone()]
            };
            let expected = rows(&record, &wanted, 3);
            let expected: BTreeSet<Key> = expected.iter().map(key).collect();
            prop_assert_eq!(keys, expected, "{}", pattern);

            let pattern = format!(
                "  - name: A\n    where: user IS NULL\n    group_by: [{first}]\n    having: \
                 FIRST({first} * 10 + {second}) > 0 AND COUNT(DISTINCT {first}, {second}) > 0\n"
            );
            let (all, _) = found(&pattern, &record).unwrap();
            let pairs = rows(&record, &wanted[..2], 2);
            for found in all {
                let of_group = pairs.iter().filter(|row| row[0] == found.key[0]);
                let sums: BTreeSet<String> = of_group
                    .filter_map(|row| {
                        let number = |at: usize| row[at].as_ref()?.parse::<i64>().ok();
                        Some((number(0)? * 10 + number(1)?).to_string())
                    })
                    .collect();
                let inputs = &found.patterns[0].inputs;
                prop_assert_eq!(texts(&inputs[0]), sums.clone(), "{:?} of {}", &found.key, pattern);
                prop_assert_eq!(texts(&inputs[1]).len(), sums.len());
            }
        }
    }
}

fn texts(input: &Input) -> BTreeSet<String> {
    match input {
        Input::Several(all) => all.iter().flat_map(texts).collect(),
        Input::Text(text) => BTreeSet::from([text.clone()]),
        Input::Distinct(_) => BTreeSet::from([format!("{input:?}")]),
        Input::Absent => BTreeSet::new(),
        Input::Present | Input::Integer(_) | Input::Float(_) => panic!("{input:?}"),
    }
}

#[test]
fn what_is_computed_of_a_group_goes_with_it() {
    let record = json!({ "l": [{ "n": "B", "s": 1 }, { "n": "a", "s": 2 }, { "n": "b", "s": 4 }] });
    let pattern = "  - name: A
    where: user IS NULL
    group_by: [record.l.n, { size: 'IF(record.l.s > 3, \"big\", \"small\")' }]
    having: SUM(IF(record.l.n = \"b\", record.l.s, 0)) > 0 AND SUM(record.l.s * 1) > 0 AND
      COUNT(DISTINCT size) > 0 AND SUM(IF(record.o IS NULL, 1, 0)) > 0
";
    let (all, _) = found(pattern, &record).unwrap();
    assert_eq!(keys(&all), ["a small", "b big", "b small"]);
    for (one, own) in all.iter().zip([&[0][..], &[1, 4], &[1, 4]]) {
        let inputs = &one.patterns[0].inputs;
        let numbers = |all: &[i64]| match all {
            [one] => Input::Integer(*one),
            all => Input::Several(all.iter().map(|one| Input::Integer(*one)).collect()),
        };
        // An element of another name has no part in what is asked of this group's name.
        assert_eq!(inputs[0], numbers(own));
        assert_eq!(inputs[1], numbers(&[1, 2, 4]));
        assert!(matches!(inputs[2], Input::Distinct(_)), "{inputs:?}");
        assert_eq!(inputs[3], Input::Integer(1));
    }
}

#[test]
fn a_combination_is_no_other_one() {
    let count = |record: &Value| {
        let pattern = "  - { name: A, where: user IS NULL, having: 'COUNT(DISTINCT record.a, \
                       record.b) > 0' }\n";
        found(pattern, record).unwrap().0[0].patterns[0].inputs[0].clone()
    };
    let whole = count(&json!({ "a": "x", "b": "yz" }));
    assert_ne!(whole, count(&json!({ "a": "xy", "b": "z" })));
    assert_ne!(whole, count(&json!({ "a": "x1:", "b": "yz" })));
    assert_eq!(whole, count(&json!({ "a": "X", "b": "YZ" })));
    assert_eq!(Input::Absent, count(&json!({ "a": "X" })));
    let address = count(&json!({ "a": "::ffff:10.0.0.1", "b": 1 }));
    assert_eq!(address, count(&json!({ "a": "10.0.0.1", "b": "1" })));
}

#[test]
fn what_is_computed_of_very_many_values_is_bounded() {
    let list =
        |count: usize| -> Vec<Value> { (0..count).map(|n| json!({ "n": n, "s": n })).collect() };
    let pattern = "  - name: A
    where: user IS NULL
    group_by: [record.l.n]
    having: SUM(IF(record.l.n > 5, record.l.s, 0)) > 0
";
    let (all, capped) = found(pattern, &json!({ "l": list(50_000) })).unwrap();
    assert_eq!((all.len(), capped), (KEYS_MAX + 1, true));
    let product =
        "  - { name: A, where: user IS NULL, group_by: [{ p: record.l.n * record.m.n }] }\n";
    let record = json!({ "l": list(900), "m": list(900) });
    let (all, capped) = found(product, &record).unwrap();
    assert_eq!((all.len(), capped), (KEYS_MAX + 1, true));
}
