//! Imported Sigma correlations find what a slow reading of the specification finds, over streams
//! made from seeds.

use std::collections::BTreeSet;

use serde_json::json;
use watchfire::event::Attributes;
use watchfire::rehearsal;
use watchfire::rule::import::dialect::Dialect;
use watchfire::rule::import::run::import;
use watchfire::rule::{RuleTest, Texts};

use crate::feed::SETTINGS;
use crate::rng::Rng;

/// How long events belong together, in seconds.
const SPAN: i64 = 60;

/// Streams of each kind of correlation.
const STREAMS: u64 = 4;

/// An event of a stream. No two have one time, and no two are exactly a span apart.
struct Event {
    time: i64,
    /// The rule that finds it.
    rule: &'static str,
    /// Whom it is about; an event may say nothing of it.
    user: Option<&'static str>,
    number: i64,
}

/// Whether the events of one user, in their order, are what a correlation looks for.
type Reading = fn(&[&Event]) -> bool;

fn times(stream: &[&Event], rule: &str) -> Vec<i64> {
    stream
        .iter()
        .filter(|event| event.rule == rule)
        .map(|event| event.time)
        .collect()
}

/// Whether the numbers of the events of `a` within some span, ending with an event, pass.
fn some_span(stream: &[&Event], passes: fn(&[i64]) -> bool) -> bool {
    let own: Vec<&&Event> = stream.iter().filter(|event| event.rule == "a").collect();
    own.iter().any(|last| {
        let within = |event: &&&&Event| event.time <= last.time && event.time > last.time - SPAN;
        let numbers: Vec<i64> = own
            .iter()
            .filter(within)
            .map(|event| event.number)
            .collect();
        passes(&numbers)
    })
}

/// A percentile, between two numbers in proportion.
fn percentile(numbers: &[i64], percent: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let place = percent / 100.0 * (sorted.len() - 1) as f64;
    let (low, high) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    low as f64 + (high - low) as f64 * place.fract()
}

/// Whether some times are less than a span from each other: one of each list, and in this order.
fn in_order(first: &[i64], then: &[i64]) -> Vec<(i64, i64)> {
    let pairs = first
        .iter()
        .flat_map(|one| then.iter().map(move |other| (*one, *other)));
    pairs
        .filter(|(one, other)| one < other && other - one < SPAN)
        .collect()
}

const KINDS: [(&str, Reading); 12] = [
    (
        "type: event_count, rules: [a], condition: { gte: 4 }",
        |stream| some_span(stream, |numbers| numbers.len() >= 4),
    ),
    (
        "type: event_count, rules: [a, b], condition: { gt: 4, lt: 7 }",
        |stream| {
            stream.iter().any(|last| {
                let found = stream.iter().filter(|event| {
                    event.rule != "c" && event.time <= last.time && event.time > last.time - SPAN
                });
                last.rule != "c" && (5..7).contains(&found.count())
            })
        },
    ),
    (
        "type: value_count, rules: [a], condition: { field: n, gte: 3 }",
        |stream| {
            some_span(stream, |numbers| {
                numbers.iter().collect::<BTreeSet<_>>().len() >= 3
            })
        },
    ),
    (
        "type: value_sum, rules: [a], condition: { field: n, gt: 12 }",
        |stream| some_span(stream, |numbers| numbers.iter().sum::<i64>() > 12),
    ),
    (
        "type: value_avg, rules: [a], condition: { field: n, gte: 5 }",
        |stream| {
            some_span(stream, |numbers| {
                numbers.iter().sum::<i64>() >= 5 * numbers.len() as i64
            })
        },
    ),
    (
        "type: value_median, rules: [a], condition: { field: n, lt: 2 }",
        |stream| some_span(stream, |numbers| percentile(numbers, 50.0) < 2.0),
    ),
    (
        "type: value_percentile, rules: [a], condition: { field: n, percentile: 90, gt: 4 }",
        |stream| some_span(stream, |numbers| percentile(numbers, 90.0) > 4.0),
    ),
    ("type: temporal, rules: [a, b]", |stream| {
        let (a, b) = (times(stream, "a"), times(stream, "b"));
        !in_order(&a, &b).is_empty() || !in_order(&b, &a).is_empty()
    }),
    ("type: temporal_ordered, rules: [a, b, c]", |stream| {
        let (a, b, c) = (times(stream, "a"), times(stream, "b"), times(stream, "c"));
        in_order(&a, &c)
            .iter()
            .any(|(first, last)| b.iter().any(|b| first < b && b < last))
    }),
    (
        "type: temporal_extended, rules: [a, b, c], condition: a and (b or c)",
        |stream| {
            let a = times(stream, "a");
            ["b", "c"].iter().any(|other| {
                let other = times(stream, other);
                !in_order(&a, &other).is_empty() || !in_order(&other, &a).is_empty()
            })
        },
    ),
    (
        "type: temporal_ordered_extended, rules: [a, b, c], condition: a and not b and c",
        |stream| {
            let (a, b, c) = (times(stream, "a"), times(stream, "b"), times(stream, "c"));
            let free = |(first, last): &(i64, i64)| !b.iter().any(|b| first < b && b < last);
            in_order(&a, &c).iter().any(free)
        },
    ),
    (
        "type: temporal_ordered_extended, rules: [a, b], condition: a and not b",
        |stream| {
            let b = times(stream, "b");
            times(stream, "a")
                .iter()
                .any(|a| in_order(&[*a], &b).is_empty())
        },
    ),
];

fn stream(seed: u64) -> Vec<Event> {
    let mut rng = Rng::new(seed);
    let mut time = 0;
    let count = 4 + rng.below(16);
    let event = |_| {
        // Whole spans never lie between two: times are 7 apart, or their multiples.
        time += 7 * (1 + i64::try_from(rng.below(5)).unwrap());
        Event {
            time,
            rule: rng.choose::<&str>(&["a", "a", "b", "c"]),
            user: *rng.choose(&[Some("ann"), Some("ann"), Some("bob"), None]),
            number: i64::try_from(rng.below(8)).unwrap(),
        }
    };
    (0..count).map(event).collect()
}

/// The records of a stream, as JSON.
fn records(stream: &[Event]) -> Vec<String> {
    let record = |event: &Event| {
        let (minutes, seconds) = (event.time / 60, event.time % 60);
        let mut record = json!({
            "time": format!("2026-03-02T09:{minutes:02}:{seconds:02}Z"),
            "kind": event.rule,
            "n": event.number,
        });
        if let Some(user) = event.user {
            record["u"] = json!(user);
        }
        record.to_string()
    };
    stream.iter().map(record).collect()
}

/// The users that an imported correlation makes incidents of.
fn found(correlation: &str, stream: &[Event]) -> BTreeSet<String> {
    let rules: String = ["a", "b", "c"]
        .map(|name| {
            format!(
                "title: {name}\nname: {name}\nlogsource: {{ product: other }}\ndetection: {{ s: \
                 {{ kind: {name} }}, condition: s }}\n---\n"
            )
        })
        .concat();
    let text = format!(
        "{rules}title: found\nid: found\ncorrelation: {{ {correlation}, group-by: [u], timespan: \
         {SPAN}s }}\n"
    );
    let done = import(&[("c.yml".to_owned(), text)], Some(Dialect::Sigma));
    let rules: Vec<(String, String)> = done
        .files
        .into_iter()
        .filter(|(_, text)| text.contains("id: SIGMA_found\n"))
        .collect();
    assert_eq!(rules.len(), 1, "{:?}", done.rows);
    let texts = Texts {
        rules,
        ..Texts::default()
    };
    let (rules, _) = texts.parse(&mut Attributes::default()).unwrap();
    let test = RuleTest {
        name: "stream".to_owned(),
        events: records(stream),
        incidents: Vec::new(),
    };
    let played = rehearsal::play(&rules[0], &test, SETTINGS).unwrap();
    let user = |incident: &serde_json::Value| {
        let attributes = incident["attributes"].to_string();
        let known = ["ann", "bob"]
            .iter()
            .find(|user| attributes.contains(**user));
        known.copied().unwrap_or("nobody").to_owned()
    };
    played.incidents.iter().map(user).collect()
}

#[test]
fn imported_correlations_find_what_a_slow_reading_finds() {
    let (mut streams, mut fired) = (0, 0);
    for (place, (correlation, reading)) in KINDS.iter().enumerate() {
        for number in 0..STREAMS {
            let seed = place as u64 * 1_000 + number;
            let stream = stream(seed);
            let of = |user: &&str| {
                let own: Vec<&Event> = stream
                    .iter()
                    .filter(|event| event.user == Some(*user))
                    .collect();
                reading(&own)
            };
            let expected: BTreeSet<String> = ["ann", "bob"]
                .iter()
                .filter(|user| of(user))
                .map(|user| (*user).to_owned())
                .collect();
            let found = found(correlation, &stream);
            let records = records(&stream).join("\n");
            assert_eq!(found, expected, "{correlation}, seed {seed}:\n{records}");
            streams += 1;
            fired += usize::from(!expected.is_empty());
        }
    }
    println!(
        "{streams} streams of {} kinds of correlations agree, {fired} of which have an incident",
        KINDS.len()
    );
    assert!(streams >= 20 && fired > streams / 4 && fired < streams);
}
