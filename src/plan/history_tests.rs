use super::{History, NotFound, Version, find};
use crate::event::Attributes;
use crate::plan::{Catalogue, Limits, Settings};
use crate::rule::{self, lists::Lists};

/// The line with its name, since when, and whether it is in use.
type Shown<'v> = (&'v str, Option<i64>, bool);

/// What the topic holds after these rule sets, given as (id, name, window), were used in turn.
fn versions(sets: &[&[(&str, &str, &str)]]) -> Vec<Version> {
    let (mut catalogue, mut history) = (Catalogue::default(), History::default());
    for (minute, set) in (60..).zip(sets) {
        let texts = set.iter().map(|(id, name, window)| {
            let text = format!(
                "id: {id}\nname: {name}\nseverity: 5\nwindow: {window}\npatterns: [{{name: P, \
                 where: user IS NULL}}]\n"
            );
            (format!("{id}.yaml"), text)
        });
        let mut attributes = Attributes::default();
        let rules = rule::parse_all(
            &texts.collect::<Vec<_>>(),
            &Lists::default(),
            &mut attributes,
        )
        .unwrap();
        let settings = Settings {
            patience: 1,
            lateness: 1,
            limits: Limits {
                evidence: 1,
                distinct_values: 1,
                ..Limits::DEFAULT
            },
        };
        let draft = catalogue.draft(&rules, &attributes, settings, Vec::new(), minute);
        for (key, value) in draft.entries {
            catalogue.read(&key, Some(&value)).unwrap();
            history.read(&key, Some(&value), Some(minute)).unwrap();
        }
    }
    history.versions()
}

#[test]
fn rules_are_found_by_fingerprint_and_by_id() {
    let all = versions(&[
        &[("A", "first", "1m"), ("B", "b", "1m")],
        &[("A", "second", "1m")],
        &[("A", "first", "2m"), ("C", "c", "1m")],
        &[("A", "first", "1m")],
    ]);
    let check = |wanted: &str, expected: Result<&[Shown<'_>], NotFound>| {
        let found = find(&all, wanted).map(|found| {
            found
                .into_iter()
                .map(|v| (v.text.lines().nth(1).unwrap(), v.since, v.in_use))
                .collect()
        });
        let expected = expected.map(<[_]>::to_vec);
        assert_eq!(found, expected, "{wanted}");
    };
    // The meaning of the newest plan; of its two texts the one in use stands last.
    let of_a: &[_] = &[
        ("name: second", Some(0), false),
        ("name: first", Some(63), true),
    ];
    check("A", Ok(of_a));
    check("a", Ok(of_a));
    let named = |id: &str, window: &str| {
        let is_it = |v: &&Version| v.id == id && v.text.contains(&format!("window: {window}"));
        all.iter().find(is_it).unwrap().fingerprint
    };
    check(&named("A", "1m").to_string(), Ok(of_a));
    let other = named("A", "2m").to_string();
    let once: &[_] = &[("name: first", Some(62), false)];
    check(&other[..9].to_uppercase(), Ok(once));
    check("C", Ok(&[("name: c", Some(62), false)]));
    check("B", Ok(&[("name: b", Some(0), false)]));
    let meanings = all.iter().map(|version| version.fingerprint).collect();
    check("", Err(NotFound::Ambiguous(meanings)));
    check("xyz", Err(NotFound::Unknown));
}
