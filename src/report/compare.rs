//! The incidents of two sets of rules over the same input.

use std::collections::BTreeMap;

use super::{Change, Comparison};
use crate::incident::Incident;

/// An incident, and the values of its join key.
pub type Keyed = (Vec<Option<String>>, Incident);

/// How the incidents differ. Two are of the same thing where rule id and join key are the same and
/// their times overlap, the windows before them included; they changed if [`Change::differences`]
/// has any.
pub fn compare(old: Vec<Keyed>, new: Vec<Keyed>) -> Comparison {
    let mut comparison = Comparison::default();
    let mut old = by_key(old);
    for (key, incidents) in by_key(new) {
        pair(
            old.remove(&key).unwrap_or_default(),
            incidents,
            &mut comparison,
        );
    }
    comparison.vanished.extend(old.into_values().flatten());
    comparison
        .changed
        .retain(|change| !change.differences().is_empty());
    for list in [&mut comparison.appeared, &mut comparison.vanished] {
        list.sort_by_key(|incident| (incident.first_seen, incident.incident_id));
    }
    let order = |change: &Change| (change.after.first_seen, change.after.incident_id);
    comparison.changed.sort_by_key(order);
    comparison
}

type ByKey = BTreeMap<(String, Vec<Option<String>>), Vec<Incident>>;

/// By rule and join key, each by time.
fn by_key(incidents: Vec<Keyed>) -> ByKey {
    let mut all = ByKey::new();
    for (key, incident) in incidents {
        let key = (incident.rule_id.to_string(), key);
        all.entry(key).or_default().push(incident);
    }
    for incidents in all.values_mut() {
        incidents.sort_by_key(|incident| (incident.first_seen, incident.incident_id));
    }
    all
}

/// Pairs the incidents of one rule and key, which are in order of time.
fn pair(old: Vec<Incident>, new: Vec<Incident>, comparison: &mut Comparison) {
    let mut old = old.into_iter().peekable();
    for after in new {
        while let Some(passed) = old.next_if(|before| is_over_before(before, &after)) {
            comparison.vanished.push(passed);
        }
        match old.next_if(|before| !is_over_before(&after, before)) {
            Some(before) => comparison.changed.push(Change { before, after }),
            None => comparison.appeared.push(after),
        }
    }
    comparison.vanished.extend(old);
}

/// Whether nothing that `later` can rest on is as early as `earlier`.
fn is_over_before(earlier: &Incident, later: &Incident) -> bool {
    earlier.last_seen <= later.first_seen - later.window_ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::tests::with_attributes;
    use crate::record::Hash;

    /// An incident of a key from one second to another, with a window of ten seconds, and one
    /// severity; its id is made of all that.
    fn incident((key, first, last, severity): (&str, i64, i64, u8)) -> Keyed {
        let incident = Incident {
            incident_id: Hash::of(format!("{key} {first} {last} {severity}").as_bytes()),
            first_seen: first * 1000,
            last_seen: last * 1000,
            window_ms: 10_000,
            severity,
            ..with_attributes(&[])
        };
        (vec![Some(key.to_owned())], incident)
    }

    #[test]
    fn tells_what_appears_vanishes_and_changes() {
        type Told<'a> = &'a [(&'a str, i64, i64, u8)];
        fn check(old: Told<'_>, new: Told<'_>, expected: (usize, usize, usize)) {
            let all = |told: Told<'_>| told.iter().copied().map(incident).collect();
            let found = compare(all(old), all(new));
            let counts = (
                found.appeared.len(),
                found.vanished.len(),
                found.changed.len(),
            );
            assert_eq!(counts, expected, "{old:?} {new:?}");
            let back = compare(all(new), all(old));
            let counts = (back.vanished.len(), back.appeared.len(), back.changed.len());
            assert_eq!(counts, expected, "back: {old:?} {new:?}");
        }
        check(&[], &[], (0, 0, 0));
        check(&[("a", 100, 120, 5)], &[("a", 100, 120, 5)], (0, 0, 0));
        check(&[("a", 100, 120, 5)], &[("a", 100, 120, 6)], (0, 0, 1));
        check(&[("a", 100, 120, 5)], &[("a", 110, 120, 5)], (0, 0, 1));
        check(&[("a", 100, 120, 5)], &[("b", 100, 120, 5)], (1, 1, 0));
        check(&[("a", 100, 120, 5)], &[("a", 129, 140, 5)], (0, 0, 1));
        check(&[("a", 100, 120, 5)], &[("a", 130, 140, 5)], (1, 1, 0));
        let (one, two, three) = (("a", 100, 120, 5), ("a", 200, 220, 5), ("a", 300, 320, 5));
        check(&[one, two, three], &[three, one], (0, 1, 0));
        check(&[two], &[three, two, one], (2, 0, 0));
        check(&[("a", 100, 220, 5)], &[two, one], (1, 0, 1));
    }
}
